"""upgrade, on the real Argo CD: each defect is one that only the way from base to head, or back, brings to light.

One pull request holds all of them, each Application with a namespace of its own, so none is another's fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from runs import Outcome, commit, gitops, write

from pytest_gitops.processes.process import run

pytestmark = pytest.mark.engine

URL = "https://github.com/example/shop.git"
FINALIZER = "resources-finalizer.argocd.argoproj.io"


def application(
    name: str, *, finalizer: bool = False, sync: str = "", path: str = "", project: str = "default"
) -> str:
    policy = sync or "{automated: {prune: true, selfHeal: true}, syncOptions: [CreateNamespace=true]}"
    return f"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: argocd{f", finalizers: [{FINALIZER}]" if finalizer else ""}}}
spec:
  project: {project}
  source: {{repoURL: "{URL}", path: {path or name}, targetRevision: main}}
  destination: {{server: https://kubernetes.default.svc, namespace: {name}}}
  syncPolicy: {policy}
"""


MANUAL = "{syncOptions: [CreateNamespace=true]}"
ONCE = "{automated: {}, syncOptions: [CreateNamespace=true]}"
"""Automated, and what goes later does not come back by itself."""


def config_map(name: str, colour: str, *, options: str = "") -> str:
    notes = f', annotations: {{argocd.argoproj.io/sync-options: "{options}"}}' if options else ""
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}{notes}}}\ndata: {{colour: {colour}}}\n"


def namespace(name: str, *, options: str = "") -> str:
    notes = f', annotations: {{argocd.argoproj.io/sync-options: "{options}"}}' if options else ""
    return f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}{notes}}}\n"


def deployment(name: str, label: str) -> str:
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: {label}}}}}
  template:
    metadata: {{labels: {{app: {label}}}}}
    spec: {{containers: [{{name: main, image: "example.com/web:1"}}]}}
"""


def claim(name: str, size: str, *, mode: str = "ReadWriteOnce", options: str = "") -> str:
    notes = f', annotations: {{argocd.argoproj.io/sync-options: "{options}"}}' if options else ""
    return f"""\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: {name}{notes}}}
spec:
  accessModes: [{mode}]
  resources: {{requests: {{storage: {size}}}}}
"""


def stateful_set(name: str, size: str) -> str:
    return f"""\
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: {name}}}
spec:
  serviceName: {name}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: main, image: "example.com/db:1"}}]}}
  volumeClaimTemplates:
    - metadata: {{name: data}}
      spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: {size}}}}}}}
"""


def hook(image: str) -> str:
    return f"""\
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {{argocd.argoproj.io/hook: PreSync, argocd.argoproj.io/hook-delete-policy: BeforeHookCreation}}
spec:
  template: {{spec: {{restartPolicy: Never, containers: [{{name: main, image: "example.com/migrate:{image}"}}]}}}}
"""


QUOTA = """\
apiVersion: v1
kind: ResourceQuota
metadata: {name: no-jobs}
spec: {hard: {count/jobs.batch: "0"}}
"""
"""What a hook of the first sync comes before, and one of a later sync after."""


def definition(plural: str, kind: str, *versions: tuple[str, bool]) -> str:
    """A CRD with versions, each with whether it is the one that is stored."""
    lines = "".join(
        f"    - {{name: {name}, served: true, storage: {str(stored).lower()}, schema: "
        "{openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}\n"
        for name, stored in versions
    )
    return f"""\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.example.com}}
spec:
  group: example.com
  scope: Namespaced
  names: {{plural: {plural}, singular: {kind.lower()}, kind: {kind}}}
  versions:
{lines}"""


BASE: dict[str, str] = {
    "pytest-gitops.yaml": f"repository: {{urls: ['{URL}']}}\n",
    # changed, and something removed
    "apps/plain.yaml": application("plain"),
    "plain/settings.yaml": config_map("settings", "green"),
    "plain/old.yaml": config_map("old", "green"),
    "plain/claim.yaml": claim("data", "1Gi"),
    # the same, but nobody may prune
    "apps/keeps.yaml": application("keeps"),
    "keeps/settings.yaml": config_map("settings", "green"),
    "keeps/old.yaml": config_map("old", "green", options="Prune=false"),
    "apps/manual.yaml": application("manual", sync=MANUAL),
    "manual/settings.yaml": config_map("settings", "green"),
    "manual/old.yaml": config_map("old", "green"),
    # what Argo CD does not count as a difference, so nothing syncs, and it stays
    "apps/uncounted.yaml": application("uncounted"),
    "uncounted/settings.yaml": config_map("settings", "green"),
    "uncounted/old.yaml": config_map("old", "green").replace(
        "{name: old}", '{name: old, annotations: {argocd.argoproj.io/compare-options: "IgnoreExtraneous"}}'
    ),
    # broken before
    "apps/broken.yaml": application("broken"),
    "broken/settings.yaml": "apiVersion: example.com/v1\nkind: Nobody\nmetadata: {name: nobody}\n",
    # what cannot be changed
    "apps/selector.yaml": application("selector"),
    "selector/web.yaml": f"{config_map('settings', 'green')}---\n{deployment('web', 'web')}",
    "apps/templates.yaml": application("templates"),
    "templates/db.yaml": stateful_set("db", "1Gi"),
    "apps/shrunk.yaml": application("shrunk"),
    "shrunk/claim.yaml": claim("data", "2Gi"),
    "apps/replaced.yaml": application("replaced"),
    "replaced/claim.yaml": claim("data", "1Gi", options="Replace=true,Force=true"),
    "apps/hook.yaml": application("hook"),
    "hook/settings.yaml": config_map("settings", "green"),
    "hook/quota.yaml": QUOTA,
    "apps/hook-green.yaml": application("hook-green"),
    "hook-green/settings.yaml": config_map("settings", "green"),
    "hook-green/migrate.yaml": hook("1"),
    "apps/stored.yaml": application("stored"),
    "stored/crd.yaml": definition("lamps", "Lamp", ("v1", True)),
    # the way back
    "apps/one-way.yaml": application("one-way"),
    "one-way/crd.yaml": definition("doors", "Door", ("v1", True)),
    # removed
    "apps/leaves.yaml": application("leaves", finalizer=True),
    "leaves/settings.yaml": config_map("settings", "green"),
    "apps/orphans.yaml": application("orphans"),
    "orphans/settings.yaml": config_map("settings", "green"),
    "apps/held.yaml": application("held", finalizer=True),
    "held/settings.yaml": config_map("settings", "green").replace(
        "{name: settings}", "{name: settings, finalizers: [example.com/hold]}"
    ),
    # removed, with the namespace that another one lives in
    "apps/landlord.yaml": application("landlord", finalizer=True),
    "landlord/namespace.yaml": namespace("lodger"),
    "apps/lodger.yaml": application("lodger", sync=ONCE),
    "lodger/settings.yaml": config_map("settings", "green"),
    "apps/landlord-fair.yaml": application("landlord-fair", finalizer=True),
    "landlord-fair/namespace.yaml": namespace("lodger-stays", options="Delete=false"),
    "apps/lodger-stays.yaml": application("lodger-stays", sync=ONCE),
    "lodger-stays/settings.yaml": config_map("settings", "green"),
    # one that makes others
    "apps/parent.yaml": application("parent").replace("namespace: parent", "namespace: argocd"),
    "parent/child.yaml": application("child"),
    "parent/child-leaves.yaml": application("child-leaves", finalizer=True),
    "parent/child-orphans.yaml": application("child-orphans"),
    "child/settings.yaml": config_map("settings", "green"),
    "child-leaves/settings.yaml": config_map("settings", "green"),
    "child-orphans/settings.yaml": config_map("settings", "green"),
}

HEAD: dict[str, str | None] = {
    "plain/settings.yaml": config_map("settings", "red"),
    "plain/old.yaml": None,
    "keeps/settings.yaml": config_map("settings", "red"),
    "keeps/old.yaml": None,
    "manual/settings.yaml": config_map("settings", "red"),
    "manual/old.yaml": None,
    "uncounted/old.yaml": None,
    "broken/settings.yaml": config_map("settings", "green"),
    "selector/web.yaml": f"{config_map('settings', 'green')}---\n{deployment('web', 'other')}",
    "templates/db.yaml": stateful_set("db", "2Gi"),
    "shrunk/claim.yaml": claim("data", "1Gi"),
    "replaced/claim.yaml": claim("data", "1Gi", mode="ReadOnlyMany", options="Replace=true,Force=true"),
    "hook/migrate.yaml": hook("2"),
    "hook/settings.yaml": config_map("settings", "red"),
    "hook-green/migrate.yaml": hook("2"),
    "hook-green/settings.yaml": config_map("settings", "red"),
    "stored/crd.yaml": definition("lamps", "Lamp", ("v2", True)),
    "one-way/crd.yaml": definition("doors", "Door", ("v1", False), ("v2", True)),
    "apps/leaves.yaml": None,
    "leaves/settings.yaml": None,
    "apps/orphans.yaml": None,
    "orphans/settings.yaml": None,
    "apps/held.yaml": None,
    "held/settings.yaml": None,
    "apps/landlord.yaml": None,
    "landlord/namespace.yaml": None,
    "lodger/settings.yaml": config_map("settings", "red"),
    "apps/landlord-fair.yaml": None,
    "landlord-fair/namespace.yaml": None,
    "lodger-stays/settings.yaml": config_map("settings", "red"),
    "apps/added.yaml": application("added"),
    "added/settings.yaml": config_map("settings", "green"),
    "parent/child.yaml": application("child", path="child-next"),
    "child/settings.yaml": None,
    "child-next/settings.yaml": config_map("settings", "red"),
    "parent/child-leaves.yaml": None,
    "parent/child-orphans.yaml": None,
}


def pull(folder: Path, base: Mapping[str, str], head: Mapping[str, str | None]) -> Path:
    """A clone whose branch `change` makes `head` of `base`, which is `main`; None removes a file."""
    commit(write(folder, base))
    run("git", "-C", folder, "switch", "-q", "-c", "change")
    for path in (p for p, text in head.items() if text is None):
        (folder / path).unlink()
    write(folder, {p: text for p, text in head.items() if text is not None})
    return commit(folder, branch="change")


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = pull(tmp_path_factory.mktemp("pull-request") / "shop", BASE, HEAD)
    return gitops(folder, "--gitops-base", "main", "--gitops-stages", "converge,upgrade", "-v")


def verdict(result: Outcome, name: str) -> tuple[str, str | None]:
    found = result.stage(f"argocd/{name}", "upgrade")
    return found["outcome"], found["code"]


def evidence(result: Outcome, name: str) -> dict[str, Any]:
    found: dict[str, Any] = result.stage(f"argocd/{name}", "upgrade")["evidence"]
    return found


def counting(result: Outcome, name: str) -> list[tuple[str, str, int]]:
    found = result.stage(f"argocd/{name}", "upgrade")["findings"]
    return [(f["rule"], f["file"], f["line"]) for f in found if f["severity"] == "error"]


GREEN = (
    *("plain", "keeps", "manual", "hook-green", "leaves", "added", "parent", "child", "child-leaves"),
    *("landlord", "landlord-fair", "lodger-stays"),
)


@pytest.mark.parametrize("name", GREEN)
def test_what_survives_the_merge_and_its_revert_passes(upgraded: Outcome, name: str) -> None:
    assert verdict(upgraded, name) == ("passed", None), upgraded.output


def test_what_head_does_not_have_is_pruned_and_nothing_else_is(upgraded: Outcome) -> None:
    assert evidence(upgraded, "plain")["pruned"] == ["ConfigMap plain/old"]
    assert "recreated" not in evidence(upgraded, "plain")


@pytest.mark.parametrize("name", ["keeps", "manual"])
def test_what_may_not_be_pruned_is_kept_and_said(upgraded: Outcome, name: str) -> None:
    assert evidence(upgraded, name)["kept"] == [f"ConfigMap {name}/old"]
    (finding,) = upgraded.stage(f"argocd/{name}", "upgrade")["findings"]
    assert (finding["rule"], finding["severity"]) == ("kept-object", "info")


def test_what_should_be_pruned_and_is_not_is_found(upgraded: Outcome) -> None:
    assert upgraded.stage("argocd/uncounted", "converge")["outcome"] == "passed"
    assert verdict(upgraded, "uncounted") == ("failed", "not-pruned"), upgraded.output
    assert counting(upgraded, "uncounted") == [("not-pruned", "uncounted/old.yaml", 1)]
    (finding,) = upgraded.stage("argocd/uncounted", "upgrade")["findings"]
    assert (
        "ConfigMap uncounted/old: expected it to be deleted, for head does not have it" in finding["message"]
    )
    assert "IgnoreExtraneous" in finding["help"]


def test_what_is_broken_at_base_is_no_fault_of_head(upgraded: Outcome) -> None:
    assert verdict(upgraded, "broken") == ("skipped", "base-broken")
    assert upgraded.stage("argocd/broken", "converge")["outcome"] == "passed"


@pytest.mark.parametrize(
    ("name", "place", "cause"),
    [
        ("selector", ("selector/web.yaml", 6), "immutable field"),
        ("templates", ("templates/db.yaml", 1), "immutable field"),
        ("shrunk", ("shrunk/claim.yaml", 1), "a claim that has data cannot be changed so"),
        ("hook", ("hook/migrate.yaml", 1), "the namespace's quota is used up"),
        (
            "stored",
            ("stored/crd.yaml", 1),
            "objects may be stored in a version that the CustomResourceDefinition does not have",
        ),
    ],
)
def test_what_works_from_nothing_and_not_from_base_is_found(
    upgraded: Outcome, name: str, place: tuple[str, int], cause: str
) -> None:
    assert upgraded.stage(f"argocd/{name}", "converge")["outcome"] == "passed"
    assert verdict(upgraded, name) == ("failed", "sync-failed")
    assert counting(upgraded, name) == [("sync-failed", *place)]
    assert f"cause    {cause}" in upgraded.stage(f"argocd/{name}", "upgrade")["message"]


def test_a_claim_that_is_made_anew_is_an_error_of_its_own(upgraded: Outcome) -> None:
    assert verdict(upgraded, "replaced") == ("failed", "claim-replaced")
    assert counting(upgraded, "replaced") == [("claim-replaced", "replaced/claim.yaml", 1)]


def test_what_cannot_go_back_is_found_though_it_upgrades(upgraded: Outcome) -> None:
    assert verdict(upgraded, "one-way") == ("failed", "rollback-failed")
    assert counting(upgraded, "one-way") == [("rollback-failed", "one-way/crd.yaml", 1)]
    assert evidence(upgraded, "one-way")["head"]["outcome"] == "passed"


@pytest.mark.parametrize("name", ["orphans", "child-orphans"])
def test_what_a_removed_application_leaves_behind_is_named(upgraded: Outcome, name: str) -> None:
    assert verdict(upgraded, name) == ("failed", "orphaned-object")
    found = [f["resource"] for f in upgraded.stage(f"argocd/{name}", "upgrade")["findings"]]
    assert found == [f"ConfigMap {name}/settings"]


def test_a_removed_root_that_does_not_go_is_found_with_what_holds_it(upgraded: Outcome) -> None:
    assert verdict(upgraded, "held") == ("failed", "not-deleted"), upgraded.output
    assert counting(upgraded, "held") == [("not-deleted", "held/settings.yaml", 1)]
    message = upgraded.stage("argocd/held", "upgrade")["message"]
    assert (
        "Application argocd/held: expected it to end when it is deleted, saw it still there 12 s after the last that "
        "went: ConfigMap held/settings is held by the finalizer example.com/hold, which nobody takes away"
    ) in message
    assert "pruned" not in evidence(upgraded, "held")
    assert evidence(upgraded, "held")["rollback"] == {}  # what has not ended cannot come back


def test_what_goes_with_the_namespace_of_another_one_is_found(upgraded: Outcome) -> None:
    assert upgraded.stage("argocd/lodger", "converge")["outcome"] == "passed"
    assert verdict(upgraded, "lodger") == ("failed", "lost-object"), upgraded.output
    assert counting(upgraded, "lodger") == [("lost-object", "lodger/settings.yaml", 1)]
    assert (
        "ConfigMap lodger/settings: expected it to live on, for head has it, saw it deleted by the upgrade with "
        "Namespace lodger, which Application argocd/landlord had at base"
    ) in upgraded.stage("argocd/lodger", "upgrade")["message"]
    assert evidence(upgraded, "landlord-fair")["kept"] == ["Namespace lodger-stays"]


def test_each_phase_keeps_its_timeline(upgraded: Outcome) -> None:
    for phase in ("base", "head", "rollback"):
        told = evidence(upgraded, "plain")[phase]
        assert (told["outcome"], told["sync"], told["health"]) == ("passed", "Synced", "Healthy")
        assert told["timeline"][-1]["health"] == "Healthy"
