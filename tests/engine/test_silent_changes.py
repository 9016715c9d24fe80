"""Changes after which Argo CD is Synced and Healthy and that do nothing: of what `ignoreDifferences` hides, and of
configuration that no running Pod takes up. What `change` says of them, and what Argo CD and Kubernetes do with them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from runs import Outcome, gitops, pull_request, write

pytestmark = pytest.mark.engine

URL = "https://git.example.com/acme/hidden.git"

RESPECTS, ONLY = "RespectIgnoreDifferences=true", "ApplyOutOfSyncOnly=true"

BESIDE: dict[str, tuple[str, bool]] = {
    "alone": ("", False),
    "beside": ("", True),
    "respected": (RESPECTS, True),
    "passed-over": (ONLY, True),
}
"""By Application: a sync option, and whether something that is compared changes too."""

REACHES = {"beside"}

PROJECT = """\
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: signed, namespace: argocd}
spec:
  sourceRepos: ["*"]
  destinations: [{server: "*", namespace: "*"}]
  clusterResourceWhitelist: [{group: "", kind: Namespace}]
  signatureKeys: [{keyID: 4AEE18F83AFDEB23}]
"""
"""Argo CD would sync signed commits only."""

STARTED = {"goes-on": "", "replaced": "checksum/settings"}
"""Applications whose Pods have a ConfigMap as their environment, and the annotation by which their template has it."""

WAIVER = "{rule: change-ignored, application: argocd/passed-over, reason: it comes with the next one}"


def application(name: str, option: str = "") -> str:
    options = ", ".join(filter(None, ["CreateNamespace=true", "Validate=false", option]))
    return f"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: argocd}}
spec:
  project: {"signed" if name == "alone" else "default"}
  source: {{repoURL: "{URL}", path: sources/{name}, targetRevision: main}}
  destination: {{server: https://kubernetes.default.svc, namespace: {name}}}
  syncPolicy: {{automated: {{}}, syncOptions: [{options}]}}
  ignoreDifferences: [{{kind: ConfigMap, name: hidden, jsonPointers: [/data/colour]}}]
"""


def config_map(name: str, colour: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{colour: {colour}}}\n"


def deployment(name: str, colour: str) -> str:
    annotations = f"{{{STARTED[name]}: {colour}}}" if STARTED[name] else "{}"
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}, annotations: {annotations}}}
    spec:
      containers:
        - {{name: web, image: "registry.example.com/web:1.0.0", envFrom: [{{configMapRef: {{name: settings}}}}]}}
"""


def started(name: str) -> str:
    revision = "2" if STARTED[name] else "1"
    after = (
        "[{kind: ConfigMap, metadata: {name: settings}, data: {colour: green}}, {kind: Deployment, metadata: "
        f"{{name: web, annotations: {{deployment.kubernetes.io/revision: '{revision}'}}}}}}]"
    )
    return (
        f"- name: {name}\n  application: {name}\n  steps:\n  - {{checkout: base}}\n  - wait:\n"
        f"  - {{checkout: head}}\n  - wait:\n  - expect: {{sync: Synced, health: Healthy, objects: {after}}}\n"
    )


def scenario(name: str) -> str:
    colours = (("base", "blue"), ("head", "green" if name in REACHES else "blue"))
    steps = "".join(
        f"  - {{checkout: {revision}}}\n  - wait:\n"
        f"  - expect: {{sync: Synced, objects: [{{kind: ConfigMap, metadata: {{name: hidden}}, data: {{colour: {colour}}}}}]}}\n"
        for revision, colour in colours
    )
    return f"- name: {name}\n  application: {name}\n  steps:\n{steps}"


@pytest.fixture(scope="module")
def folder(toolbox: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {
        "signed.yaml": PROJECT,
        "pytest-gitops.yaml": f"repository: {{urls: ['{URL}']}}\nwaivers: [{WAIVER}]\n",
        "silent.gitops-test.yaml": "scenarios:\n" + "".join([*map(scenario, BESIDE), *map(started, STARTED)]),
    }
    head: dict[str, str | None] = {}
    for name, (option, more) in BESIDE.items():
        files[f"apps/{name}.yaml"] = application(name, option)
        files[f"sources/{name}/hidden.yaml"] = config_map("hidden", "blue")
        files[f"sources/{name}/plain.yaml"] = config_map("plain", "blue")
        head[f"sources/{name}/hidden.yaml"] = config_map("hidden", "green")
        if more:
            head[f"sources/{name}/plain.yaml"] = config_map("plain", "green")
    for name in STARTED:
        files[f"apps/{name}.yaml"] = application(name)
        for colour, side in (("blue", files), ("green", head)):
            side[f"sources/{name}/settings.yaml"] = config_map("settings", colour)
            side[f"sources/{name}/web.yaml"] = deployment(name, colour)
    return pull_request(write(tmp_path_factory.mktemp("hidden") / "repository", files), head)


def test_what_reaches_no_cluster_is_told_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    """A copy, for both runs write their reports."""
    mine = shutil.copytree(folder, tmp_path / "repository")
    words = ("--gitops-cluster", "none", "--gitops-stages", "policy,change")
    review = gitops(mine, "--gitops-base", "main", *words)
    told = {f for f in review.findings if f[1] == "change-ignored"}
    assert told == {
        (f"argocd/{name}", "change-ignored", "warning", f"sources/{name}/hidden.yaml", 1)
        for name in set(BESIDE) - REACHES
    }, review.output
    waived = {n for n in BESIDE for f in review.stage(f"argocd/{n}", "change")["findings"] if f["waiver"]}
    assert waived == {"passed-over"}
    assert "waiver-unknown-rule" not in {f[1] for f in review.findings}
    (unsigned,) = (f for f in review.findings if f[1] == "signatures-not-checked")
    assert unsigned == (None, "signatures-not-checked", "warning", "signed.yaml", 8)
    going_on = {f for f in review.findings if f[1] == "pods-not-restarted"}
    assert going_on == {
        ("argocd/goes-on", "pods-not-restarted", "warning", "sources/goes-on/settings.yaml", 1)
    }


def test_argo_cd_and_kubernetes_do_with_it_what_is_told(folder: Path) -> None:
    run: Outcome = gitops(folder, "silent.gitops-test.yaml", "--gitops-base", "main", "-rA")
    assert run.report is not None, run.output
    outcomes = {s["name"]: s["outcome"] for s in run.report["scenarios"]}
    assert outcomes == dict.fromkeys([*BESIDE, *STARTED], "passed"), run.output
