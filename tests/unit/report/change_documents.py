"""A pull request to render: base against head of a small shop, every kind of change in it, and a Secret repeated."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from report_documents import REPOSITORY, resource, run, stage

from pytest_gitops.changes.applications import Rendition, Side
from pytest_gitops.changes.compare import compare
from pytest_gitops.changes.values import Comparison
from pytest_gitops.model import Case, Finding, Origin, Outcome, Resource, Run, Severity, Verdict, Waiver
from pytest_gitops.redaction import hidden_of
from pytest_gitops.repository.discovery import case_of

Object = Mapping[str, Any]
SECRET = "correct-horse-battery"
OLD_SECRET = "staple-of-the-horse"
STAGES = ("source", "render", "policy", "change")


def thing(kind: str, name: str, namespace: str = "shop", **other: Any) -> dict[str, Any]:
    group = {
        "Deployment": "apps/v1",
        "StatefulSet": "apps/v1",
        "Job": "batch/v1",
        "NetworkPolicy": "networking.k8s.io/v1",
    }
    annotations = other.pop("annotations", None)
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": group.get(kind, "v1"), "kind": kind, "metadata": metadata, **other}


def pods(image: str, **other: Any) -> dict[str, Any]:
    container = {"name": "web", "image": image, **other}
    return {
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"spec": {"containers": [container]}},
        }
    }


def app(name: str, objects: Sequence[Object] | None, *, reason: str = "", **other: Any) -> Rendition:
    words = {k: other.pop(k) for k in ("parent", "parent_kind", "file") if k in other}
    kind = words.get("parent_kind", "")
    spec = {
        "project": "shop",
        "source": {"repoURL": REPOSITORY, "path": f"apps/{name}", "targetRevision": "HEAD"},
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
        "syncPolicy": {"automated": {"prune": True}},
        **other,
    }
    case = case_of(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {
                "name": name,
                "namespace": "argocd",
                "finalizers": ["resources-finalizer.argocd.argoproj.io"],
            },
            "spec": spec,
        },
        control="argocd",
        file=words.get("file", f"clusters/prod/{name}.yaml"),
        line=3,
        origin=Origin.GENERATED if kind else Origin.FILE,
        parent=words.get("parent", ""),
        parent_kind=kind,
    )
    return Rendition(case=case, objects=None if objects is None else tuple(objects), reason=reason)


def secret(value: str) -> dict[str, Any]:
    encoded = base64.b64encode(value.encode()).decode()
    return thing("Secret", "db", data={"password": encoded, "user": base64.b64encode(b"web").decode()})


PREVIEWS = {"argocd/previews": {"metadata": {"name": "previews"}, "spec": {}}}
MADE = {"parent": "argocd/previews", "parent_kind": "ApplicationSet", "file": "clusters/previews.yaml"}


@cache
def sides() -> tuple[Side, Side]:
    config = {
        "level": "info",
        "nginx.conf": "worker 1;\nlisten 80;\nserver_name shop;\nroot /srv;\nlog off;\ngzip on;\n",
    }
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}
    old = [
        app(
            "shop",
            [
                thing(
                    "Deployment",
                    "web",
                    **pods("registry.example/shop/web:1.4.2", env=[{"name": "LEVEL", "value": "a"}]),
                ),
                thing("ConfigMap", "web", data={**config, "dsn": f"mysql://web:{OLD_SECRET}@db/shop"}),
                secret(OLD_SECRET),
                thing("PersistentVolumeClaim", "data", spec={**claim, "storageClassName": "fast"}),
                thing(
                    "StorageClass",
                    "fast",
                    "",
                    provisioner="x",
                    apiVersion="storage.k8s.io/v1",
                    reclaimPolicy="Delete",
                ),
                thing("Deployment", "db", **pods("registry.example/shop/db:8.0")),
                thing(
                    "Service",
                    "web",
                    spec={"ports": [{"name": "http", "port": 80}]},
                    annotations={"checksum/config": "a1"},
                ),
                thing("NetworkPolicy", "deny", spec={"podSelector": {}}),
                thing(
                    "Job",
                    "migrate",
                    **pods("registry.example/shop/web:1.4.2"),
                    annotations={"argocd.argoproj.io/hook": "PreSync"},
                ),
            ],
        ),
        app("legacy", [thing("Deployment", "old", **pods("registry.example/legacy:1"))]),
        app("metrics", [thing("ConfigMap", "rules", data={"a": "1"})]),
        app("broken", None, reason="helm template: broken/templates/x.yaml:3: nil pointer"),
        app("same", [thing("ConfigMap", "same", data={"a": "1"})]),
        *(app(f"preview-{n}", [thing("ConfigMap", f"p{n}", data={"n": str(n)})], **MADE) for n in (1, 2, 3)),
    ]
    new = [
        app(
            "shop",
            [
                thing("Deployment", "web", **pods("registry.example/shop/web:2.0.0", env=[{"name": "LEVEL", "value": "b"}])),
                thing("ConfigMap", "web", data={**config, "level": "debug", "dsn": f"mysql://web:{SECRET}@db/shop",
                      "nginx.conf": config["nginx.conf"].replace("worker 1", "worker 4") + "# ```\n# </details> @everyone\n"}),
                secret(SECRET),
                thing("StorageClass", "fast", "", provisioner="x", apiVersion="storage.k8s.io/v1", reclaimPolicy="Delete"),
                thing("StatefulSet", "db", **pods("registry.example/shop/db:8.0")),
                thing("Service", "web", spec={"ports": [{"name": "http", "port": 80}]}, annotations={"checksum/config": "b2"}),
                thing("Job", "migrate", **pods("registry.example/shop/web:2.0.0"), annotations={"argocd.argoproj.io/hook": "PreSync"}),
                thing("Service", "api", spec={"ports": [{"name": "http", "port": 8080}]}),
            ],
            syncPolicy={"automated": {"prune": True, "selfHeal": True}},
        ),
        app("monitoring", [thing("ConfigMap", "rules", data={"a": "1"})], source={"repoURL": REPOSITORY, "path": "apps/metrics", "targetRevision": "HEAD"}),
        app("broken", [thing("ConfigMap", "x", data={})]),
        app("same", [thing("ConfigMap", "same", data={"a": "1"})]),
        *(app(f"preview-{n}", [thing("ConfigMap", f"p{n}", data={"n": str(n * (n != 2))})], **MADE) for n in (1, 2, 4)),
    ]  # fmt: skip
    return Side(renditions=old, application_sets=PREVIEWS), Side(renditions=new, application_sets=PREVIEWS)


def told(
    comparison: Comparison, *, verdicts: Mapping[str, Mapping[str, Any]] | None = None, **other: Any
) -> Run:
    """The run of a comparison: every Application passed, but for what `verdicts` says of it by name."""
    said = verdicts or {}
    base = {"name": "main", "commit": "686473412bd0c94afc6e16ab35ee0f1d77e0a9c4"}
    return run(
        *(
            Verdict(
                **{
                    "case": c.case,
                    "stages": tuple(stage(s) for s in STAGES),
                    "resources": _resources(c.case, comparison),
                    "change": c.to_dict(),
                    **said.get(c.case.name, {}),
                }
            )
            for c in comparison.applications
        ),
        **{"base": base, "stages": STAGES, "changes": comparison.to_dict(), **other},
    )


def _resources(case: Case, comparison: Comparison) -> tuple[Resource, ...]:
    change = comparison.of(case)
    assert change is not None
    return tuple(replace(o.resource, change=o.kind.value) for o in change.objects)


def shop() -> Run:
    """The shop's pull request, with what policy says of it."""
    old, new = sides()
    fate = "The next automated sync deletes it (prune)"
    findings = (
        Finding(
            rule="claim-removed",
            severity=Severity.ERROR,
            message=f"expected the claim to stay, saw it removed: {fate}; its data is deleted (reclaimPolicy Delete of "
            "StorageClass fast)",
            file="clusters/prod/shop.yaml",
            line=3,
            resource="PersistentVolumeClaim shop/data",
            help="Keep it with Prune=false, and delete it by hand once the data is somewhere else.",
        ),
        Finding(
            rule="image-major-jump",
            severity=Severity.WARNING,
            message='container "web": expected major version 1, saw 2.0.0',
            file="apps/shop/web.yaml",
            line=11,
            resource="Deployment shop/web",
            help="Read the release notes of every major version in between; databases often want one after the other.",
        ),
        Finding(
            rule="network-policy-removed",
            severity=Severity.WARNING,
            message=f"expected the policy to stay, saw it removed: {fate}",
            file="clusters/prod/shop.yaml",
            line=3,
            resource="NetworkPolicy shop/deny",
            waiver=Waiver(reason="The mesh does it now", expires="2027-01-31"),
        ),
    )
    failed = stage(
        "policy",
        Outcome.FAILED,
        code="claim-removed",
        message=f"clusters/prod/shop.yaml:3: PersistentVolumeClaim shop/data: {findings[0].message}",
        findings=findings,
    )
    lost = stage(
        "change",
        Outcome.SKIPPED,
        code="not-compared",
        message="not compared: base does not render: helm template: broken/templates/x.yaml:3: nil pointer",
    )
    passed = tuple(stage(s) for s in STAGES)
    return told(
        compare(old, new),
        verdicts={
            "shop": {"stages": (*passed[:2], failed, passed[3])},
            "broken": {"stages": (*passed[:3], lost), "resources": (resource("ConfigMap", "x", "shop"),)},
        },
        command="pytest --gitops --gitops-base origin/main --gitops-stages review",
        hide=hidden_of(o for s in (old, new) for r in s.renditions for o in r.objects or ()),
    )


BECAUSE = {
    "shop": ["its manifest differs: spec.syncPolicy", "it reads apps/shop/web.yaml, which differs"],
    "broken": ["it cannot be told whether it changes: base does not render"],
}


def chosen() -> Run:
    """The same with `--gitops-changed`: two are judged of forty, and each says why."""
    run = shop()
    assert run.changes is not None
    return replace(
        run,
        changes={**run.changes, "selection": {"changed": 2, "of": 40, "notRendered": 27}},
        verdicts=tuple(
            replace(v, change={**v.change, "selectedBecause": BECAUSE[v.case.name]})
            for v in run.verdicts
            if v.case.name in BECAUSE
        ),
    )
