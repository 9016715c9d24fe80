"""What production has and the embedded cluster has not: controllers of custom resources, for whom what they would say is
said, as Argo CD's own health checks want it; definitions that nobody brings; nodes with labels, taints and devices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from runs import Outcome, gitops
from upgrade_support import URL, application, pull

from pytest_gitops.clusters.embedded.statuses import KNOWN, Said, Statuses
from pytest_gitops.processes.process import run
from pytest_gitops.settings.settings import environment

pytestmark = pytest.mark.engine

KINDS = {
    "certificates": ("cert-manager.io", "Certificate"),
    "externalsecrets": ("external-secrets.io", "ExternalSecret"),
    "httproutes": ("gateway.networking.k8s.io", "HTTPRoute"),
    "widgets": ("example.com", "Widget"),
    "gadgets": ("example.com", "Gadget"),
    "scaledobjects": ("keda.sh", "ScaledObject"),
    "alarms": ("alarms.example.com", "Alarm"),
}
HEALTH = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm, namespace: argocd}
data:
  resource.customizations.health.example.com_Widget: |
    hs = {status = "Progressing", message = "Waiting"}
    if obj.status ~= nil and obj.status.phase == "Running" then hs.status = "Healthy" end
    return hs
"""
SETTINGS = f"""\
version: 1
repository: {{urls: ["{URL}"]}}
crds: [crds]
unknown-kinds: stub
statuses:
  - {{kind: example.com/Widget, status: {{phase: Running}}}}
nodes:
  - labels: {{karpenter.sh/capacity-type: spot}}
    taints: [{{key: spot, effect: NoSchedule}}]
    resources: {{nvidia.com/gpu: 4}}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: trains}
spec:
  replicas: 4
  selector: {matchLabels: {app: trains}}
  template:
    metadata: {labels: {app: trains}}
    spec:
      nodeSelector: {karpenter.sh/capacity-type: spot}
      tolerations: [{key: spot, operator: Exists}]
      containers:
        - {name: trains, image: "registry.example.com/trains:1.0.0", resources: {limits: {nvidia.com/gpu: 1}}}
"""


APPROVED = {"api-approved.kubernetes.io": "unapproved, for a test"}
"""Without it the API server takes no definition of Kubernetes' own groups."""


def definition(plural: str) -> str:
    group, kind = KINDS[plural]
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version: dict[str, Any] = {
        "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": anything},
        # Of a kind without one, nobody but its author writes the status.
        **({} if plural == "gadgets" else {"subresources": {"status": {}}}),
    }  # fmt: skip
    return json.dumps(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}", "annotations": APPROVED},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"plural": plural, "kind": kind, "singular": kind.lower()},
                "versions": [version],
            },
        }
    )


def custom(plural: str, *, wave: int = 0, **spec: Any) -> str:
    group, kind = KINDS[plural]
    notes = {"argocd.argoproj.io/sync-wave": str(wave)}
    return json.dumps(
        {
            "apiVersion": f"{group}/v1",
            "kind": kind,
            "metadata": {"name": kind.lower(), "annotations": notes},
            "spec": spec,
        }
    )


def sources(secret: str) -> dict[str, str]:
    """`known` has a wave that begins when what is before it is Healthy, and brings one definition itself."""
    return {
        "known/secret.json": custom("externalsecrets", wave=-1, key=secret),
        "known/certificate.json": custom("certificates", key=secret),
        "known/crd.json": definition("httproutes"),
        "known/route.json": custom("httproutes", parentRefs=[{"name": "gateway"}]),
        "own/widget.json": custom("widgets"),
        "own/gadget.json": custom("gadgets"),
        "placed/trains.yaml": DEPLOYMENT,
        # Nothing defines these.
        "stubbed/scaled.json": custom("scaledobjects", scale=secret),
        "stubbed/alarm.json": custom("alarms", when=secret),
    }


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    others = {"httproutes", "scaledobjects", "alarms"}
    crds = {f"crds/{plural}.json": definition(plural) for plural in KINDS if plural not in others}
    files = {
        "pytest-gitops.yaml": SETTINGS,
        "argocd-cm.yaml": HEALTH,
        **crds,
        **{f"apps/{name}.yaml": application(name) for name in ("known", "own", "stubbed", "placed")},
        **sources("one"),
    }
    folder = pull(tmp_path_factory.mktemp("custom") / "repository", files, sources("two"))
    return gitops(folder, "--gitops-base", "main", "--gitops-stages", "converge,idempotent,self-heal,upgrade")


def test_they_are_healthy_and_stay_so_when_they_change(upgraded: Outcome) -> None:
    assert upgraded.status == 0, upgraded.output
    # Of `own` nothing can be changed safely.
    assert upgraded.not_passed == {("argocd/own", "self-heal", "skipped", "no-safe-drift")}


def test_each_is_named(upgraded: Outcome) -> None:
    (note,) = upgraded.stage("argocd/known", "converge")["findings"]
    assert (note["rule"], note["severity"]) == ("status-pretended", "info")
    for named in (
        "Certificate known/certificate",
        "ExternalSecret known/externalsecret",
        "HTTPRoute known/httproute",
    ):
        assert named in note["message"]
    (note,) = upgraded.stage("argocd/own", "converge")["findings"]
    assert note["message"].startswith("Widget own/widget: the status is pretended")
    assert upgraded.report is not None
    pretended = upgraded.report["run"]["cluster"]["simulated"]
    assert any(p.startswith("Controllers of custom resources do not run") for p in pretended)


def test_kinds_that_nothing_defines_are_taken_on_every_cluster(upgraded: Outcome) -> None:
    """Also on the one of `upgrade`, which comes up later."""
    (note,) = upgraded.stage("argocd/stubbed", "converge")["findings"]
    assert note["message"].startswith("ScaledObject stubbed/scaledobject: the status is pretended")
    assert upgraded.stage("argocd/stubbed", "upgrade")["outcome"] == "passed"
    assert upgraded.report is not None
    assert (
        "Nothing defines Alarm (alarms.example.com), ScaledObject (keda.sh): any field of theirs is taken "
        "(unknown-kinds: stub)"
    ) in upgraded.report["run"]["cluster"]["simulated"]


# ---------------------------------------------------------------- Argo CD's own checks

CHECKED = {
    "*.cnrm.cloud.google.com/*": "sql.cnrm.cloud.google.com/Thing",
    "*.crossplane.io/*": "s3.aws.crossplane.io/Bucket",
    "*.services.k8s.aws/*": "s3.services.k8s.aws/Thing",
    "*.upbound.io/*": "s3.aws.upbound.io/Thing",
    "addons.projectcapsule.dev/*": "addons.projectcapsule.dev/SopsSecret",
    "capsule.clastix.io/*": "capsule.clastix.io/Tenant",
    "db.atlasgo.io/*": "db.atlasgo.io/AtlasSchema",
    "external-secrets.io/*": "external-secrets.io/ClusterExternalSecret",
    "grafana.integreatly.org/*": "grafana.integreatly.org/GrafanaDashboard",
    "k8s.mariadb.com/*": "k8s.mariadb.com/Database",
    "kafka.strimzi.io/*": "kafka.strimzi.io/KafkaTopic",
    "kro.run/*": "kro.run/Thing",
    "pkg.crossplane.io/*": "pkg.crossplane.io/Provider",
    "rabbitmq.com/*": "rabbitmq.com/Queue",
    "services.cloud.sap.com/*": "services.cloud.sap.com/ServiceBinding",
    "serving.kserve.io/*": "serving.kserve.io/InferenceService",
}
"""For patterns, one kind that Argo CD has a check for."""


@pytest.mark.parametrize("said", [True, False], ids=["said", "not said"])
def test_argo_cds_health_checks_are_content_with_what_is_said_and_with_nothing_less(
    toolbox: Mapping[str, Path], tmp_path: Path, said: bool
) -> None:
    settings = tmp_path / "argocd-cm.yaml"
    settings.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm}\ndata: {}\n")
    kinds = [CHECKED.get(pattern, pattern) for pattern in KNOWN]
    if not said:  # enough to see that the check can fail
        kinds = kinds[::8]

    def health(name: str) -> str:
        group, _, kind = name.partition("/")
        status = Statuses().of(group, kind)
        assert isinstance(status, Said)
        manifest: dict[str, Any] = {
            "apiVersion": f"{group}/v1",
            "kind": kind,
            "metadata": {"name": "a", "namespace": "b", "generation": 3},
            "spec": {"parentRefs": [{"name": "gateway"}]},
        }
        if said:
            manifest["status"] = status.of(manifest, at="2026-01-01T00:00:00Z")
        file = tmp_path / f"{group}-{kind}.json"
        file.write_text(json.dumps(manifest))
        words = ("admin", "settings", "resource-overrides", "health", file, "--argocd-cm-path", settings)
        found = run(toolbox["argocd"], *words, env=environment(), check=False)
        return next((line for line in found.stdout.splitlines() if line.startswith("STATUS")), found.stdout)

    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(kinds, pool.map(health, kinds), strict=True))
    healthy = {name for name, told in found.items() if told == "STATUS: Healthy"}
    assert healthy == ({*kinds} if said else set()), found


def test_every_pattern_is_checked() -> None:
    patterns = [p for p in KNOWN if "*" in p]
    assert {*patterns} == {*CHECKED}
    assert all(fnmatchcase(CHECKED[p], p) for p in patterns)
