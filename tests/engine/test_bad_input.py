"""Bad input: each gives one clear failed item with file and line, and everything beside it is still judged."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from runs import Outcome, commit, gitops, write

from pytest_gitops.process import run

pytestmark = pytest.mark.engine

URL = "https://git.example.com/swamp.git"

CONFIG = f"version: 1\nrepository: {{urls: [{URL}]}}\n"

TOO_LARGE = 50 * 1024 * 1024

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {greeting: hello}\n"

CHART = "apiVersion: v2\nname: chart\nversion: 1.0.0\n"


def application(name: str, path: str = "", *, source: str = "", namespace: str = "", options: str = "") -> str:
    """An Application whose lines are: 1 apiVersion, 3 metadata, 4 spec, 6 source, 7 repoURL, 8 targetRevision, 9 path."""
    where = source or f"    repoURL: {URL}\n    targetRevision: HEAD\n    path: {path}\n"
    return (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
        f"metadata: {{name: {name}, namespace: argocd, finalizers: [resources-finalizer.argocd.argoproj.io]}}\n"
        f"spec:\n  project: grid\n  source:\n{where}{options}"
        f"  destination: {{server: https://kubernetes.default.svc, namespace: {namespace or name}}}\n"
        "  syncPolicy: {automated: {}, syncOptions: [CreateNamespace=true]}\n"
    )


PROJECT = """\
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: grid, namespace: argocd}
spec:
  sourceRepos: ["*"]
  destinations: [{server: "*", namespace: "*"}]
  clusterResourceWhitelist: [{group: "*", kind: "*"}]
"""

ODD_NAMES = (
    "apps/mit leerzeichen.yaml",
    "apps/größe/日本語 🚀.yaml",
    "apps/line\nbreak.yaml",
    "apps/double::colon.yaml",
    "apps/[brackets] & $(ampersand) 'quotes' \"more\".yaml",
    "apps/-dash.yaml",
)
"""Files that each declare a good Application."""

FILES = {
    "pytest-gitops.yaml": CONFIG,
    "project.yaml": PROJECT,
    "good/settings.yaml": CONFIG_MAP,
    "apps/good.yaml": application("good", "good"),
    "apps/byte-order-mark.yaml": "\ufeff" + application("byte-order-mark", "good"),
    "apps/dos.yaml": application("dos", "good").replace("\n", "\r\n"),
    "apps/empty.yaml": "",
    "apps/not-yaml.yaml": application("not-yaml", "good") + "  broken: [\n",
    "apps/tabs.yaml": application("tabs", "good") + "\tinfo: []\n",
    "apps/text.yaml": "kind: Application apiVersion: argoproj.io/v1alpha1\n",
    "apps/list.yaml": "# entries, no documents\n- apiVersion: argoproj.io/v1alpha1\n  kind: Application\n",
    "apps/no-name.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {namespace: argocd}\n",
    "apps/spec-is-text.yaml": (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: spec-is-text, namespace: argocd}\nspec: all\n"
    ),
    "apps/no-source.yaml": re.sub(r"  source:\n(    .*\n)+", "", application("no-source", "good")),
    "apps/source-is-list.yaml": application("source-is-list", source="  - good\n"),
    "apps/missing-path.yaml": application("missing-path", "goood"),
    "apps/missing-revision.yaml": application("missing-revision", "good").replace("HEAD", "v9"),
    "apps/missing-value-file.yaml": application(
        "missing-value-file", "chart", options="    helm:\n      valueFiles:\n      - values.yaml\n      - prod.yaml\n"
    ),
    "chart/Chart.yaml": CHART,
    "chart/values.yaml": "{}\n",
    "chart/templates/settings.yaml": CONFIG_MAP,
    "apps/failing-template.yaml": application("failing-template", "failing"),
    "failing/Chart.yaml": CHART,
    "failing/templates/a.yaml": 'a: {{ required "Values.b is not set" .Values.b }}\n',
    "apps/not-a-chart.yaml": application("not-a-chart", "not-a-chart", options="    helm: {releaseName: x}\n"),
    "not-a-chart/readme.txt": "nothing\n",
    "apps/bad-manifest.yaml": application("bad-manifest", "bad-manifest"),
    "bad-manifest/one.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: [\n",
    "apps/chart-out-of-reach.yaml": application(
        "chart-out-of-reach",
        source="    repoURL: https://charts.unreachable.invalid/stable\n    chart: redis\n    targetRevision: 1.0.0\n",
    ),
    "apps/no-crd.yaml": application("no-crd", "no-crd"),
    "no-crd/thing.yaml": "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: thing}\n",
    "apps/same-name-1.yaml": application("same-name", "good"),
    "apps/same-name-2.yaml": "# the other one\n" + application("same-name", "good"),
    "itself/itself.yaml": application("itself", "itself", namespace="argocd"),
    "huge/huge.yaml": "",  # filled below
    "apps/huge.yaml": application("huge", "huge"),
    "odd names/größe 日本語/settings.yaml": CONFIG_MAP,
    **{
        file: application(f"odd-{n}", "odd names/größe 日本語", namespace=f"odd-{n}")
        for n, file in enumerate(ODD_NAMES)
    },
}


@pytest.fixture(scope="module")
def swamp(toolbox: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = write(tmp_path_factory.mktemp("swamp") / "swamp", FILES)
    with (folder / "huge" / "huge.yaml").open("w", encoding="utf-8") as file:
        file.write("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: huge}\ndata:\n  greeting: hello\n")
        file.write(f"  # {'x' * 100}\n" * (TOO_LARGE // 105))
    (folder / "apps" / "latin.yaml").write_bytes(application("latin", "good").encode() + b"  info: [{name: \xe9}]\n")
    (folder / "apps" / "nul.yaml").write_bytes(application("nul", "good").encode() + b"\0\n")
    (folder / "apps" / "utf-16.yaml").write_bytes(application("utf-16", "good").encode("utf-16"))
    (folder / "binary.dat").write_bytes(os.urandom(1024) * (TOO_LARGE // 1024))
    return gitops(commit(folder))
