"""Applications in the templates of charts: each is seen, where it stands, and nothing is taken for one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pytest_gitops.repository.charts import Charts, chart_of
from pytest_gitops.repository.discovery import Declarations, FileEntry, discover

APP = (
    "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: {{ .Release.Name }}\nspec: {}\n"
)

CHART = "apiVersion: v2\nname: x\nversion: 1.0.0\n"


def search(files: dict[str, str], ignore: Sequence[str] = ()) -> Declarations:
    contents = {p: t.encode() for p, t in files.items()}
    entries = [FileEntry(path=p, size=len(c)) for p, c in contents.items()]
    return discover(entries, lambda paths: {p: contents[p] for p in paths}, ignore=ignore)


def found(text: str, path: str = "c/templates/a.yaml") -> list[tuple[str, int]]:
    return [(t.kind, t.line) for t in search({"c/Chart.yaml": CHART, path: text}).templates]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (APP, [("Application", 1)]),
        ("# why\n{{- if .Values.on }}\n" + APP + "{{- end }}\n", [("Application", 3)]),
        ("{{- range .Values.apps }}\n---\n" + APP + "{{- end }}\n", [("Application", 3)]),
        (APP + "---\n" + APP, [("Application", 1), ("Application", 7)]),
        (APP.replace("Application", "ApplicationSet"), [("ApplicationSet", 1)]),
        ("kind: Application\napiVersion: 'argoproj.io/v1alpha1'\n", [("Application", 1)]),
        ('kind: "Application"\nmetadata: {}\napiVersion: argoproj.io/v1alpha1\n', [("Application", 1)]),
        ("  apiVersion: argoproj.io/v1alpha1\n  kind: Application\n", [("Application", 1)]),
        (APP.replace("\n", "\r\n"), [("Application", 1)]),
    ],
)
def test_what_a_template_declares_is_seen_with_its_line(text: str, expected: list[tuple[str, int]]) -> None:
    assert found(text) == expected


EMBEDDED = APP.replace("\n", "\n    ")


@pytest.mark.parametrize(
    "text",
    [
        APP.replace("Application", "AppProject"),
        APP.replace("Application", "Rollout"),
        APP.replace("argoproj.io/v1alpha1", "app.k8s.io/v1beta1"),
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  app: |\n    " + EMBEDDED,
        "data:\n  app: |\n    " + EMBEDDED + "\nkind: ConfigMap\napiVersion: v1\n",
        "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nspec:\n  kind: Application\n",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: applications.argoproj.io}\n",
        "{{/*\n" + APP + "*/}}\n",
        "{{- /* " + APP + " */ -}}\nkind: ConfigMap\n",
        "#" + APP.replace("\n", "\n#"),
        "apiVersion: argoproj.io/v1alpha1\n---\nkind: Application\n",
        "",
    ],
)
def test_what_is_no_application_is_not_taken_for_one(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("path", "chart"),
    [
        ("c/templates/a.yaml", "c"),
        ("c/templates/deep/a.yml", "c"),
        ("templates/a.yaml", ""),
        ("c/charts/sub/templates/a.yaml", "c/charts/sub"),
        ("c/templates/sub/templates/a.yaml", "c/templates/sub"),
        ("c/a.yaml", None),
        ("c/crds/a.yaml", None),
        ("other/templates/a.yaml", None),
        ("c/other/templates/a.yaml", None),
    ],
)
def test_a_template_belongs_to_the_innermost_chart(path: str, chart: str | None) -> None:
    assert chart_of(path, frozenset({"", "c", "c/charts/sub", "c/templates/sub"})) == chart


@pytest.mark.parametrize(
    "path", ["c/templates/NOTES.txt", "c/templates/_helpers.tpl", "c/crds/a.yaml", "c/charts/a.yaml"]
)
def test_files_that_helm_makes_no_objects_of_are_not_searched(path: str) -> None:
    assert found(APP, path) == []


def test_what_is_ignored_is_not_searched() -> None:
    files = {"c/Chart.yaml": CHART, "c/templates/a.yaml": APP}
    assert search(files, ["c/**"]).templates == ()
    assert len(search(files, ["other/**"]).templates) == 1


def test_a_template_is_no_application_yet_and_no_problem() -> None:
    declared = search({"c/Chart.yaml": CHART, "c/templates/a.yaml": APP + "broken: [\n"})
    assert (declared.applications, declared.problems) == ((), ())
    (template,) = declared.templates
    assert (template.file, template.chart) == ("c/templates/a.yaml", "c")


# ---------------------------------------------------------------- who renders what


def charts(**contents: str) -> Charts:
    return Charts({f"{folder}/Chart.yaml".lstrip("/"): text.encode() for folder, text in contents.items()})


def lead(*where: str) -> str:
    return CHART + "dependencies:\n" + "".join(f"- {{name: x, repository: '{w}'}}\n" for w in where)


def test_a_chart_is_rendered_by_who_reads_its_folder_and_by_no_other() -> None:
    made = charts(a=CHART, b=CHART)
    assert made.rendered(["a"]) == {"a"}
    assert made.rendered(["a/templates", "ab", "."]) == set()
    assert Charts({"Chart.yaml": CHART.encode()}).rendered(["."]) == {""}


def test_what_a_rendered_chart_depends_on_in_the_repository_is_rendered_too() -> None:
    made = Charts({
        "a/Chart.yaml": lead("file://../lib/b", "https://charts.example.com").encode(),
        "lib/b/Chart.yaml": CHART.encode(),
        "lib/b/requirements.yaml": b"dependencies: [{name: c, repository: 'file://../../a'}, {name: d, repository: 'file://../c/'}]\n",
        "lib/c/Chart.yaml": CHART.encode(),
        "lib/d/Chart.yaml": CHART.encode(),
    })  # fmt: skip
    assert made.rendered(["a"]) == {"a", "lib/b", "lib/c"}


def test_the_folder_charts_is_rendered_with_the_chart_or_kustomization_beside_it() -> None:
    made = Charts(
        {p: CHART.encode() for p in ("a/Chart.yaml", "a/charts/sub/Chart.yaml", "k/charts/x/Chart.yaml")}
    )
    assert made.rendered(["a"]) == {"a", "a/charts/sub"}
    assert made.rendered(["k"]) == {"k/charts/x"}
    assert made.rendered([]) == set()


def test_a_library_is_known_as_one() -> None:
    assert charts(a=CHART + "type: library\n", b=CHART + "type: application\n").libraries == {"a"}


@pytest.mark.parametrize(
    "text", ["a: [", "- list\n", "dependencies: text\n", "dependencies: [text, {repository: 5}]\n", ""]
)
def test_a_chart_that_cannot_be_read_is_still_a_chart(text: str) -> None:
    assert charts(a=text).rendered(["a"]) == {"a"}
