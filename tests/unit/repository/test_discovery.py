"""What a repository declares; above all: that no Application is lost without a word."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pytest_gitops.model import IN_CLUSTER, Destination, Severity, Source
from pytest_gitops.repository import discovery
from pytest_gitops.repository.discovery import Declarations, FileEntry, case_of, discover
from pytest_gitops.repository.sources import sources_of

APP = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: {name}
  namespace: {namespace}
spec:
  project: omega
  source: {{repoURL: 'https://github.com/example/grid.git', path: apps, targetRevision: main}}
  destination: {{server: 'https://kubernetes.default.svc', namespace: web}}
"""


def app(name: str = "one", namespace: str = "argocd") -> str:
    return APP.format(name=name, namespace=namespace)


def search(
    files: Mapping[str, str | bytes], *, ignore: Sequence[str] = (), sizes: Mapping[str, int] | None = None
) -> Declarations:
    contents = {p: t.encode() if isinstance(t, str) else t for p, t in files.items()}
    entries = [FileEntry(path=p, size=(sizes or {}).get(p, len(c))) for p, c in contents.items()]
    return discover(entries, lambda paths: {p: contents[p] for p in paths}, ignore=ignore)


def names(found: Declarations) -> list[str]:
    return [d.name for d in found.applications]


def problems(found: Declarations) -> list[tuple[str, str, int | None]]:
    return [(p.finding.rule, p.file, p.finding.line) for p in found.problems]


AS_JSON = json.dumps({
    "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "one"}, "spec": {},
})  # fmt: skip


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.yaml", app()),
        ("a.yml", app()),
        ("deep/ly/a b/ä.yaml", app()),
        ("a.json", AS_JSON),
        ("a.json", json.dumps(json.loads(AS_JSON), indent="\t")),
        ("a.json", AS_JSON.replace("/", "\\/")),
        ("a.yaml", AS_JSON),
        ("a.yaml", app().replace("\n", "\r\n")),
        ("a.yaml", b"\xef\xbb\xbf" + app().encode()),
        ("a.yaml", app().encode("utf-16")),
        ("a.yaml", b"\xfe\xff" + app().encode("utf-16-be")),
        ("a.yaml", app() + "---\n"),
        ("a.yaml", "---\n---\n# x\n---\n" + app()),
        ("a.yaml", "a: 1\n---\n" + app() + "---\nb: 2\n"),
        ("a.yaml", "%YAML 1.1\n---\n" + app() + "...\n"),
        ("a.yaml", app().replace("argoproj.io/v1alpha1", "&v argoproj.io/v1alpha1")),
        ("a.yaml", app().replace("kind: Application", 'kind: "Application"')),
        ("a.yaml", app().replace("kind: Application", "'kind' : !!str Application")),
        ("a.yaml", "kind: ConfigMap\n" + app()),  # a key written twice: the last one counts
        ("a.yaml", "x: &x\n  kind: Application\n<<: *x\n" + app().replace("kind: Application\n", "")),
        ("a.yaml", f"apiVersion: v1\nkind: List\nitems:\n- {AS_JSON}\n"),
        ("a.yaml", f"apiVersion: argoproj.io/v1alpha1\nkind: ApplicationList\nitems:\n- {AS_JSON}\n"),
        ("a.yaml", f"kind: List\nitems: []\nitems:\n- kind: List\n  items: [{AS_JSON}]\n"),
        ("a.yaml", f"items: &i\n- {AS_JSON}\nkind: List\n"),
        ("templates/a.yaml", app()),
        ("charts/a.yaml", app()),
        ("crds/a.yaml", app()),
        ("kustomization.yaml", app()),
        (".hidden/a.yaml", app()),
        ("values.yaml", app()),
    ],
)
def test_an_application_is_found_however_it_is_written(path: str, content: str | bytes) -> None:
    found = search({path: content})
    assert names(found) == ["one"]
    assert found.problems == ()


def test_lines_are_those_of_the_document() -> None:
    found = search(
        {"a.yaml": "# x\n" + app("one") + "---\n" + app("two"), "b.yaml": "kind: List\nitems:\n- " + AS_JSON}
    )
    assert [(d.file, d.line, d.name) for d in found.applications] == [
        ("a.yaml", 2, "one"), ("a.yaml", 12, "two"), ("b.yaml", 3, "one"),
    ]  # fmt: skip
    assert [d.document.line_of("spec", "source") for d in found.applications] == [9, 19, 3]


def test_files_are_searched_in_the_order_of_their_paths() -> None:
    assert names(search({"b.yaml": app("b"), "a.yaml": app("a"), "a/z.yaml": app("z")})) == ["a", "z", "b"]


@pytest.mark.parametrize("path", ["a.txt", "a.yaml.bak", "a", "README.md", "a.YAML"])
def test_only_files_that_argo_cd_would_read_are_searched(path: str) -> None:
    assert search({path: app()}).searched == 0


# ---------------------------------------------------------------- charts


@pytest.mark.parametrize("folder", ["templates", "templates/sub", "charts/redis/templates", "crds"])
@pytest.mark.parametrize("chart", ["", "apps/", "a/b/"])
def test_what_a_chart_has_inside_is_found_by_rendering(chart: str, folder: str) -> None:
    found = search({f"{chart}Chart.yaml": "name: x", f"{chart}{folder}/a.yaml": "{{ if .x }}\n" + app()})
    assert names(found) == []
    assert found.problems == ()


@pytest.mark.parametrize(
    "path", ["chart/a.yaml", "chart/files/templates.yaml", "templates/a.yaml", "other/templates/a.yaml"]
)
def test_beside_a_charts_own_folders_manifests_are_manifests(path: str) -> None:
    assert names(search({"chart/Chart.yaml": "name: x", "x.yaml": "", path: app()})) == ["one"]


# ---------------------------------------------------------------- kustomize

PATCH = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: one}\nspec: {source: {targetRevision: v2}}\n"


@pytest.mark.parametrize("name", ["kustomization.yaml", "kustomization.yml", "Kustomization"])
@pytest.mark.parametrize(
    "entry", ["patches: [{path: p.yaml}]", "patches: [{path: ./p.yaml}]", "patchesStrategicMerge: [p.yaml]"]
)
def test_a_patch_is_no_application(name: str, entry: str) -> None:
    found = search({f"o/{name}": entry, "o/p.yaml": PATCH, "base/one.yaml": app()})
    assert names(found) == ["one"]


@pytest.mark.parametrize(
    "spec", ["{project: p}", "{destination: {namespace: x}}", "[]", "{source: {repoURL: x}, project: p}"]
)
def test_a_patch_that_says_much_but_not_all_is_still_one(spec: str) -> None:
    patch = f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: one}}\nspec: {spec}\n"
    whole = "spec: {project: p, destination: {namespace: x}, sources: [null, {path: x}]}\n"
    files = {"kustomization.yaml": "patches: [{path: p.yaml}, {path: q.yaml}]", "p.yaml": patch}
    files["q.yaml"] = patch.replace(f"spec: {spec}\n", whole)
    assert names(search(files)) == []


def test_a_broken_patch_is_the_renders_to_tell() -> None:
    assert (
        search({"kustomization.yaml": "patches: [{path: p.yaml}]", "p.yaml": PATCH + "a: b: c"}).problems
        == ()
    )


def test_calling_an_application_a_patch_does_not_hide_it() -> None:
    assert names(search({"x/kustomization.yaml": "patches: [{path: ../one.yaml}]", "one.yaml": app()})) == [
        "one"
    ]
    many = app().replace("source: {", "sources: [{").replace("main}", "main}]")
    assert names(search({"x/kustomization.yaml": "patches: [{path: ../one.yaml}]", "one.yaml": many})) == [
        "one"
    ]


@pytest.mark.parametrize(
    "content", ["[", "- x", "patches: {path: p.yaml}", "patches: 3", "patches: [3, {path: 4}, null]"]
)
def test_an_odd_kustomization_stops_nothing(content: str) -> None:
    assert names(search({"kustomization.yaml": content, "p.yaml": app()})) == ["one"]


# ---------------------------------------------------------------- what cannot be understood


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (app() + "a: b: c\n", 10),
        ("{{ if .Values.x }}\n" + app(), 1),
        (app().replace("  name", "\tname"), 4),
        (AS_JSON + "}", 1),
        ("[" + AS_JSON, 1),
        ("- apiVersion: argoproj.io/v1alpha1\n- kind: AppProject\n- [", 3),
        ("x: 1\n---\n" + app() + "---\na: [\n", 13),
        ("kind: 'ApplicationSet' # argoproj.io\na: *b", 2),
        (app() + "b: " + "[" * 1000, 10),
        ("kind: ConfigMap\nmetadata:\n  name: argocd-cm\na: b: c", 4),
    ],
)
def test_a_file_that_is_not_yaml_is_a_problem_with_its_line(content: str, line: int) -> None:
    found = search({"a.yaml": content})
    assert problems(found) == [("yaml-invalid", "a.yaml", line)]
    assert found.problems[0].finding.severity is Severity.ERROR
    assert found.problems[0].finding.message.startswith("not YAML: ")


@pytest.mark.parametrize(
    "content",
    [
        "see argoproj.io: [",
        "# kind: Application\n# argoproj.io\n{{ template }}",
        "kind: ApplicationX # argoproj.io\n[",
        "name: argocd-cm-backup\n[",
        "kind: Secret\n[",
    ],
)
def test_what_is_not_yaml_and_not_argo_cds_is_somebody_elses(content: str) -> None:
    assert search({"a.yaml": content}).problems == ()


def test_a_bad_file_loses_no_other_one() -> None:
    found = search({"a.yaml": app("a"), "b.yaml": app("b") + "a: b: c", "c.yaml": app("c")})
    assert names(found) == ["a", "c"]
    assert problems(found) == [("yaml-invalid", "b.yaml", 10)]


@pytest.mark.parametrize(
    "metadata",
    [
        "{}",
        "null",
        "[]",
        "x",
        "{name: 123}",
        "{name: null}",
        "{name: ''}",
        "{name: [a]}",
        "{generateName: a-}",
        "{name: yes}",
    ],
)
@pytest.mark.parametrize("kind", ["Application", "ApplicationSet", "AppProject"])
def test_an_object_without_a_name_is_a_problem(kind: str, metadata: str) -> None:
    found = search({"a.yaml": f"apiVersion: argoproj.io/v1alpha1\nkind: {kind}\nmetadata: {metadata}\n"})
    assert problems(found) == [("no-name", "a.yaml", 3)]
    assert found.problems[0].finding.message == f"{kind} without metadata.name"


def test_a_list_of_applications_is_a_problem() -> None:
    found = search({"a.yaml": f"- {AS_JSON}\n- {AS_JSON}\n"})
    assert problems(found) == [("not-a-mapping", "a.yaml", 1)]
    assert "saw a list" in found.problems[0].finding.message
    assert search({"a.yaml": "- argoproj.io/v1alpha1\n"}).problems == ()


@pytest.mark.parametrize("word", ["[Application]", "{a: b}", "null", "3", "true"])
@pytest.mark.parametrize("key", ["kind", "apiVersion"])
def test_a_kind_that_is_no_text_stops_nothing(key: str, word: str) -> None:
    odd = f"apiVersion: argoproj.io/v1alpha1\nkind: Application\n{key}: {word}\nmetadata: {{name: odd}}\n"
    assert names(search({"a.yaml": odd + "---\n" + app()})) == ["one"]


def test_another_groups_application_is_not_argo_cds() -> None:
    assert (
        names(search({"a.yaml": app().replace("argoproj.io/v1alpha1", "app.k8s.io/v1beta1 # argoproj.io/")}))
        == []
    )


def test_a_file_beyond_the_limit_is_said_loudly() -> None:
    found = search({"a.yaml": app("a"), "big.yaml": app("b")}, sizes={"big.yaml": 50 * 1024 * 1024})
    assert names(found) == ["a"]
    (warning,) = found.warnings
    assert (warning.rule, warning.severity, warning.file) == ("file-too-large", Severity.WARNING, "big.yaml")
    assert "big.yaml has 50 MiB and was not searched for Applications (the limit is 10 MiB" in warning.message


def test_a_file_at_the_limit_is_searched() -> None:
    assert names(search({"a.yaml": app()}, sizes={"a.yaml": discovery.MAX_BYTES})) == ["one"]


def test_ignored_files_are_not_searched_and_no_others() -> None:
    files = {"docs/a.yaml": app("a"), "docs/x/b.yaml": app("b"), "c.yaml": app("c")}
    assert names(search(files, ignore=["docs/*.yaml"])) == ["c", "b"]
    assert names(search(files, ignore=["docs"])) == ["c"]
    assert names(search(files, ignore=["nowhere", "**/b.yaml"])) == ["c", "a"]


# ---------------------------------------------------------------- the others


def test_sets_projects_settings_and_secrets_are_told_apart() -> None:
    found = search({
        "a.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: set}\n---\n"
        "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: omega, namespace: cd}\n---\n"
        "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: roll}\n",
        "b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm}\n---\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-other}\n---\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-ssh-known-hosts-cm}\n",
        "c.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\n---\napiVersion: x/v1\nkind: Secret\nmetadata: {name: other}\n",
        "d.json": '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"json"}}',
    })  # fmt: skip
    assert [d.name for d in found.application_sets] == ["set"]
    assert [(d.name, d.namespace) for d in found.projects] == [("omega", "cd")]
    assert [d.name for d in found.settings] == ["argocd-cm"]
    assert [d.name for d in found.secrets] == ["db", "json"]
    assert names(found) == []


def test_argo_cd_lives_where_the_projects_are_else_where_most_applications_are() -> None:
    assert search({"a.yaml": "a: 1"}).control == "argocd"
    assert search({"a.yaml": app(namespace="''")}).control == "argocd"
    assert (
        search({"a.yaml": app("a", "cd"), "b.yaml": app("b", "team"), "c.yaml": app("c", "cd")}).control
        == "cd"
    )
    assert search({"a.yaml": app("a", "zz"), "b.yaml": app("b", "aa")}).control == "aa"
    project = "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: p, namespace: ops}\n"
    assert search({"a.yaml": app("a", "x"), "b.yaml": app("b", "x"), "p.yaml": project}).control == "ops"
    settings = "kind: ConfigMap\nmetadata: {name: argocd-cmd-params-cm, namespace: cd}\n"
    assert search({"a.yaml": app("a", "x"), "b.yaml": app("b", "x"), "s.yaml": settings}).control == "cd"
    assert search({"a.yaml": app("a", "x"), "p.yaml": project, "s.yaml": settings}).control == "ops"


def test_nothing_is_lost_where_nothing_is_read() -> None:
    assert discover([FileEntry(path="a.yaml")], lambda paths: {}).applications == ()


# ---------------------------------------------------------------- cases


@pytest.mark.parametrize(
    ("spec", "paths"),
    [
        ({"source": {"path": "a"}}, ["a"]),
        ({"sources": [{"path": "a"}, {"path": "b"}]}, ["a", "b"]),
        ({"source": {"path": "a"}, "sources": [{"path": "b"}]}, ["b"]),
        ({"source": {"path": "a"}, "sources": []}, ["a"]),
        ({"sources": [None, {"path": "b"}, "x"]}, ["b"]),
        ({"source": "x"}, []),
        ({"sources": "x"}, []),
        ({}, []),
        (None, []),
    ],
)
def test_sources_are_those_that_argo_cd_looks_at(spec: Any, paths: list[str]) -> None:
    assert [s.path for s in sources_of({"spec": spec})] == paths


def test_a_case_is_what_its_manifest_says() -> None:
    (declared,) = search({"apps/one.yaml": app()}).applications
    case = case_of(declared.manifest, control="argocd", file=declared.file, line=declared.line)
    assert case.id == "apps/one.yaml::argocd/one"
    assert case.project == "omega"
    assert case.sources == (
        Source(repo_url="https://github.com/example/grid.git", path="apps", target_revision="main"),
    )
    assert case.destination == Destination(server=IN_CLUSTER, namespace="web")


@pytest.mark.parametrize(
    "manifest",
    [{}, {"metadata": None, "spec": None}, {"metadata": [], "spec": "x"}, {"spec": {"destination": []}}],
)
def test_an_incomplete_manifest_makes_a_case_too(manifest: dict[str, Any]) -> None:
    case = case_of(manifest, control="argocd", file="a.yaml", line=3)
    assert (case.key, case.project, case.destination.cluster) == ("argocd/", "default", IN_CLUSTER)


def test_a_namespace_of_its_own_outweighs_the_control_one() -> None:
    manifest = {"metadata": {"name": "a", "namespace": "team"}}
    assert case_of(manifest, control="argocd", file="a.yaml", line=1).key == "team/a"


def test_what_speaks_of_nothing_of_ours_is_not_parsed() -> None:
    assert search({"a.yaml": "a: 1", "b.yaml": "[", "c.yaml": app()}).searched == 1
    odd = "apiVersion: v1\nkind: Service\nmetadata: {name: argocd-cm}\n---\nkind: ConfigMap\nmetadata: argocd-cm\n"
    assert search({"a.yaml": odd}).settings == ()


def test_values_of_another_type_become_text() -> None:
    manifest = {
        "metadata": {"name": 5},
        "spec": {"project": 7, "source": {"targetRevision": 1.5, "chart": None}},
    }
    case = case_of(manifest, control="argocd", file="a.yaml", line=1)
    assert (case.name, case.project) == ("5", "7")
    assert (case.sources[0].target_revision, case.sources[0].chart) == ("1.5", "")
