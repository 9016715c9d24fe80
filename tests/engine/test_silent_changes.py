"""What becomes of a change that `ignoreDifferences` hides: what `change` says of it, and what Argo CD does with it."""

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

WAIVER = "{rule: change-ignored, application: argocd/passed-over, reason: it comes with the next one}"


def application(name: str, option: str) -> str:
    options = ", ".join(filter(None, ["CreateNamespace=true", "Validate=false", option]))
    return f"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: argocd}}
spec:
  project: default
  source: {{repoURL: "{URL}", path: sources/{name}, targetRevision: main}}
  destination: {{server: https://kubernetes.default.svc, namespace: {name}}}
  syncPolicy: {{automated: {{}}, syncOptions: [{options}]}}
  ignoreDifferences: [{{kind: ConfigMap, name: hidden, jsonPointers: [/data/colour]}}]
"""


def config_map(name: str, colour: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{colour: {colour}}}\n"


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
        "pytest-gitops.yaml": f"repository: {{urls: ['{URL}']}}\nwaivers: [{WAIVER}]\n",
        "hidden.gitops-test.yaml": "scenarios:\n" + "".join(map(scenario, BESIDE)),
    }
    head: dict[str, str | None] = {}
    for name, (option, more) in BESIDE.items():
        files[f"apps/{name}.yaml"] = application(name, option)
        files[f"sources/{name}/hidden.yaml"] = config_map("hidden", "blue")
        files[f"sources/{name}/plain.yaml"] = config_map("plain", "blue")
        head[f"sources/{name}/hidden.yaml"] = config_map("hidden", "green")
        if more:
            head[f"sources/{name}/plain.yaml"] = config_map("plain", "green")
    return pull_request(write(tmp_path_factory.mktemp("hidden") / "repository", files), head)


def test_what_reaches_no_cluster_is_told_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    """A copy, for both runs write their reports."""
    mine = shutil.copytree(folder, tmp_path / "repository")
    review = gitops(mine, "--gitops-base", "main", "--gitops-cluster", "none", "--gitops-stages", "change")
    told = {f for f in review.findings if f[1] == "change-ignored"}
    assert told == {
        (f"argocd/{name}", "change-ignored", "warning", f"sources/{name}/hidden.yaml", 1)
        for name in set(BESIDE) - REACHES
    }, review.output
    waived = {n for n in BESIDE for f in review.stage(f"argocd/{n}", "change")["findings"] if f["waiver"]}
    assert waived == {"passed-over"}


def test_argo_cd_does_with_it_what_is_told(folder: Path) -> None:
    run: Outcome = gitops(folder, "hidden.gitops-test.yaml", "--gitops-base", "main", "-rA")
    assert run.report is not None, run.output
    outcomes = {s["name"]: s["outcome"] for s in run.report["scenarios"]}
    assert outcomes == dict.fromkeys(BESIDE, "passed"), run.output
