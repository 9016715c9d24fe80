"""Bad input: each gives one clear failed item with file and line, and everything beside it is still judged."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from runs import Outcome, commit, gitops, write

pytestmark = pytest.mark.engine

URL = "https://git.example.com/swamp.git"

CONFIG = f"version: 1\nrepository: {{urls: [{URL}]}}\n"

TOO_LARGE = 11 * 1024 * 1024
"""Both we and Argo CD read up to ten."""

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {greeting: hello}\n"

CHART = "apiVersion: v2\nname: chart\nversion: 1.0.0\n"


def application(
    name: str, path: str = "", *, source: str = "", namespace: str = "", options: str = ""
) -> str:
    """An Application whose lines are: 3 metadata, 4 spec, 6 source, 7 repoURL, 8 targetRevision, 9 path."""
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

REFUSED_PROJECT = "# Its destinations are no list.\n" + PROJECT.replace(
    "name: grid", "name: refused"
).replace('[{server: "*", namespace: "*"}]', "all")

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
        "missing-value-file",
        "chart",
        options="    helm:\n      valueFiles:\n      - values.yaml\n      - prod.yaml\n",
    ),
    "chart/Chart.yaml": CHART,
    "chart/values.yaml": "{}\n",
    "chart/templates/settings.yaml": CONFIG_MAP,
    "apps/failing-template.yaml": application("failing-template", "failing"),
    "failing/Chart.yaml": CHART,
    "failing/templates/a.yaml": 'a: {{ required "Values.b is not set" .Values.b }}\n',
    "apps/not-a-chart.yaml": application(
        "not-a-chart", "not-a-chart", options="    helm: {releaseName: x}\n"
    ),
    "not-a-chart/readme.txt": "nothing\n",
    "apps/bad-manifest.yaml": application("bad-manifest", "bad-manifest"),
    "bad-manifest/one.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: [\n",
    "apps/chart-out-of-reach.yaml": application(
        "chart-out-of-reach",
        source="    repoURL: https://charts.unreachable.invalid/stable\n    chart: redis\n    targetRevision: 1.0.0\n",
    ),
    "apps/no-crd.yaml": application("no-crd", "no-crd"),
    "no-crd/thing.yaml": "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: thing}\n",
    "apps/many.yaml": application("many", "many"),
    "many/objects.jsonnet": (
        # Of an API group that is small, as Argo CD reads all of it at each apply.
        "[{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'n-%03d' % n }, rules: [] } "
        "for n in std.range(1, 40)]"
    ),
    "apps/same-name-1.yaml": application("same-name", "good"),
    "apps/same-name-2.yaml": "# the other one\n" + application("same-name", "good"),
    "itself/itself.yaml": application("itself", "itself", namespace="argocd"),
    "argocd/argocd-cm.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm, namespace: argocd}\ndata: {admin.enabled: false}\n"
    ),
    "argocd/refused.yaml": REFUSED_PROJECT,
    "apps/repeated.yaml": application("repeated", "repeated") + "  project: grid\n",
    "repeated/settings.yaml": CONFIG_MAP + "data:\n  other: the first data are dropped\n",
    "forgotten/Chart.yaml": CHART,
    "forgotten/templates/app.yaml": application("{{ .Release.Name }}-app", "good"),
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
    (folder / "apps" / "latin.yaml").write_bytes(
        application("latin", "good").encode() + b"  info: [{name: \xe9}]\n"
    )
    (folder / "apps" / "nul.yaml").write_bytes(application("nul", "good").encode() + b"\0\n")
    (folder / "apps" / "utf-16.yaml").write_bytes(application("utf-16", "good").encode("utf-16"))
    (folder / "binary.dat").write_bytes(os.urandom(1024) * (TOO_LARGE // 1024))
    return gitops(commit(folder), "--gitops-stages", "source,render,policy,converge")


FINDINGS = {
    ("argocd/bad-manifest", "render-failed", "apps/bad-manifest.yaml", 6),
    ("argocd/chart-out-of-reach", "host-unreachable", "apps/chart-out-of-reach.yaml", 6),
    ("argocd/failing-template", "render-failed", "apps/failing-template.yaml", 6),
    ("argocd/huge", "render-failed", "apps/huge.yaml", 6),
    ("argocd/itself", "contains-itself", "itself/itself.yaml", 1),
    ("argocd/missing-path", "missing-path", "apps/missing-path.yaml", 9),
    ("argocd/missing-revision", "missing-revision", "apps/missing-revision.yaml", 8),
    ("argocd/missing-value-file", "missing-value-file", "apps/missing-value-file.yaml", 13),
    ("argocd/no-crd", "sync-failed", "no-crd/thing.yaml", 1),
    (None, "project-any-cluster-resource", "argocd/refused.yaml", 2),
    (None, "project-any-source", "argocd/refused.yaml", 2),
    (None, "project-any-cluster-resource", "project.yaml", 1),
    (None, "project-any-destination", "project.yaml", 1),
    (None, "project-any-source", "project.yaml", 1),
    ("argocd/no-source", "no-source", "apps/no-source.yaml", 4),
    ("argocd/not-a-chart", "render-failed", "apps/not-a-chart.yaml", 6),
    ("argocd/same-name", "duplicate-name", "apps/same-name-1.yaml", 1),
    ("argocd/same-name", "duplicate-name", "apps/same-name-2.yaml", 2),
    ("argocd/source-is-list", "schema-invalid", "apps/source-is-list.yaml", 6),
    ("argocd/spec-is-text", "no-source", "apps/spec-is-text.yaml", 4),
    (None, "repeated-key", "apps/repeated.yaml", 12),
    (None, "repeated-key", "repeated/settings.yaml", 5),
    (None, "application-not-rendered", "forgotten/templates/app.yaml", 1),
    (None, "file-too-large", "huge/huge.yaml", None),
    (None, "no-name", "apps/no-name.yaml", 3),
    (None, "not-a-mapping", "apps/list.yaml", 2),
    (None, "not-accepted", "argocd/argocd-cm.yaml", 1),
    (None, "not-accepted", "argocd/refused.yaml", 2),
    (None, "yaml-invalid", "apps/latin.yaml", 12),
    (None, "yaml-invalid", "apps/not-yaml.yaml", 12),
    (None, "yaml-invalid", "apps/nul.yaml", 12),
    (None, "yaml-invalid", "apps/tabs.yaml", 12),
    (None, "yaml-invalid", "apps/text.yaml", 1),
}
"""Everything that is found, (Application, rule, file, line), and nothing else is."""

GOOD = {
    "argocd/good",
    "argocd/many",
    "argocd/repeated",
    "argocd/byte-order-mark",
    "argocd/dos",
    "argocd/utf-16",
    *(f"argocd/odd-{n}" for n in range(len(ODD_NAMES))),
}


WARNINGS = {
    "application-not-rendered",
    "file-too-large",
    "project-any-cluster-resource",
    "project-any-destination",
    "project-any-source",
    "repeated-key",
}
"""What is told and fails nothing."""


def test_each_is_found_with_its_file_and_line_and_nothing_else(swamp: Outcome) -> None:
    assert swamp.status == 1
    assert swamp.report
    found = {(None, f["rule"], f["file"], f["line"]) for f in swamp.report["findings"]}
    for application in swamp.report["applications"]:
        key = f"{application['namespace']}/{application['name']}"
        found |= {
            (key, f["rule"], f["file"], f["line"]) for s in application["stages"] for f in s["findings"]
        }
    assert found == FINDINGS


def test_every_other_application_is_judged(swamp: Outcome) -> None:
    assert {k for k, a in swamp.applications.items() if a["outcome"] == "passed"} == GOOD, swamp.output
    assert {a["outcome"] for a in swamp.applications.values()} == {"passed", "failed"}


def test_no_application_is_lost(swamp: Outcome) -> None:
    assert swamp.report
    found = sorted(a["file"] for a in swamp.report["applications"])
    assert found == sorted(
        {
            f
            for f, text in FILES.items()
            if "kind: Application" in text.splitlines() and "metadata: {name:" in text
        }
        - {"apps/not-yaml.yaml", "apps/tabs.yaml", "forgotten/templates/app.yaml"}
        | {"apps/utf-16.yaml"}
    )


def test_each_is_one_item_that_failed(swamp: Outcome) -> None:
    """What is found fails one item, and what needs it is skipped, not failed."""
    failed = re.findall(r"^FAILED (.*?) - ", swamp.output, re.MULTILINE)
    assert len(failed) == len({(a, f, rule) for a, rule, f, _ in FINDINGS if rule not in WARNINGS}), failed
    assert "ERROR" not in swamp.output
    assert "Traceback" not in swamp.output


def test_a_project_that_the_api_server_refuses_is_one_failed_item_at_its_place(swamp: Outcome) -> None:
    failed = [
        line for line in swamp.output.splitlines() if "refused.yaml" in line and line.startswith("FAILED")
    ]
    assert [line.split(" - ")[0] for line in failed] == ["FAILED argocd/refused.yaml::not-accepted:2"]
    assert "argocd/refused.yaml:2: the API server does not accept AppProject refused: " in swamp.output
    assert "spec.destinations" in swamp.output


def test_a_stage_that_was_not_asked_names_the_one_that_it_needs(swamp: Outcome) -> None:
    for application, need in (("argocd/missing-path", "source"), ("argocd/failing-template", "render")):
        skipped = swamp.stage(application, "converge")
        assert (skipped["outcome"], skipped["code"]) == ("skipped", f"needs-{need}")


def test_what_went_wrong_is_said_in_the_tools_own_words(swamp: Outcome) -> None:
    for said in (
        "Values.b is not set",
        "charts.unreachable.invalid could not be reached",
        "did you mean 'good'?",
        "also in apps/same-name-2.yaml:2",
        "exceeded max combined manifest file size",
        'Make sure the "Thing" CRD is installed',
        "bring its CustomResourceDefinition",
    ):
        assert said in swamp.output, said


def test_a_file_with_a_line_break_in_its_name_stays_on_its_line(swamp: Outcome) -> None:
    assert "\nbreak.yaml" not in swamp.output
    assert "\napps/line break.yaml ." in swamp.output  # the progress may come between the dots
