"""Whatever an Application reads and that differs has it looked at, and nothing else does."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from input_trees import HEAD, OLD, URL, case, reader, tree

from pytest_gitops.errors import EngineError
from pytest_gitops.model import Case
from pytest_gitops.repository.inputs import Inputs
from pytest_gitops.repository.jsonnet_inputs import imports
from pytest_gitops.repository.ours import Ours
from pytest_gitops.repository.tree import changed, inside

FILES = {
    "README.md": "grid",
    "pytest-gitops.yaml": "version: 1",
    # plain folders
    "plain/web.yaml": "kind: Service",
    "plain/README.md": "words",
    "plain/deep/more.yaml": "kind: Service",
    # charts
    "charts/web/Chart.yaml": "name: web\ndependencies:\n- {name: lib, version: 1.0.0, repository: 'file://../lib'}",
    "charts/web/values.yaml": "a: 1",
    "charts/web/templates/web.yaml": "{{ .Values.a }}",
    "charts/web/files/app.ini": "x",
    "charts/web/charts/inner/Chart.yaml": "name: inner\ndependencies: [{name: t, repository: 'file://../../../tool'}]",
    "charts/lib/Chart.yaml": "name: lib",
    "charts/lib/requirements.yaml": "dependencies: [{name: deep, version: 1.0.0, repository: 'file://../deep'}]",
    "charts/deep/Chart.yaml": "name: deep",
    "charts/tool/Chart.yaml": "name: tool",
    "charts/other/Chart.yaml": "name: other",
    # values
    "values/common.yaml": "a: 1",
    "values/prod.yaml": "a: 2",
    "values/env/helm-env.yaml": "a: 3",
    "values/set.txt": "text",
    "values/many/one.yaml": "a: 1",
    "values/many/two.txt": "no",
    # kustomize
    "kust/base/kustomization.yaml": "resources: [web.yaml]\nnamespace: overlays",
    "kust/base/web.yaml": "kind: Deployment",
    "kust/base/unnamed.txt": "nobody reads it",
    "kust/base/overlays/not-read.yaml": "a namespace has this name",
    "kust/prod/kustomization.yaml": (
        "resources: [../base]\ncomponents: [../parts]\npatches: [{path: patch.yaml}]\n"
        "configMapGenerator: [{name: c, files: [app.ini=conf/app.ini], envs: [conf/env]}]\n"
        "transformers: [labels.yaml]\nhelmCharts: [{name: web, valuesFile: helm.yaml}]\n"
        "openapi: {path: schema.json}\nreplacements: [{path: ../replace.yaml}]\n"
    ),
    "kust/prod/patch.yaml": "p",
    "kust/prod/conf/app.ini": "i",
    "kust/prod/conf/env": "A=1",
    "kust/prod/conf/unnamed": "x",
    "kust/prod/labels.yaml": "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\npath: conf/inner.yaml",
    "kust/prod/conf/inner.yaml": "inner",
    "kust/prod/helm.yaml": "values",
    "kust/prod/charts/web/Chart.yaml": "name: web",
    "kust/prod/schema.json": "{}",
    "kust/replace.yaml": "r",
    "kust/parts/kustomization.yaml": "kind: Component\nresources: [log.yaml]",
    "kust/parts/log.yaml": "log",
    "kust/extra/kustomization.yaml": "kind: Component\nresources: [extra.yaml]",
    "kust/extra/extra.yaml": "extra",
    # jsonnet
    "json/main.jsonnet": "local a = import 'a.libsonnet'; // import 'unread.libsonnet'\nimport 'lib.libsonnet'",
    "json/a.libsonnet": 'importstr "text.txt"',
    "json/text.txt": "t",
    "json/unread.libsonnet": "u",
    "vendor/lib.libsonnet": "import @'deep/x.libsonnet'",
    "vendor/deep/x.libsonnet": "import 'back.libsonnet'",
    "json/back.libsonnet": "{}",
    "vendor/coded.libsonnet": "{}",
    # overrides
    "over/kustomization.yaml": "resources: []",
    "over/.argocd-source.yaml": "kustomize: {components: [../kust/extra]}",
    "own/kustomization.yaml": "resources: []",
    "own/.argocd-source-own.yaml": "kustomize: {images: ['a:1']}",
    "own/.argocd-source-another.yaml": "kustomize: {images: ['a:1']}",
    "own/.argocd-source-team_own.yaml": "kustomize: {images: ['a:1']}",
    # links and modules
    "linked/web.yaml": "-> ../targets/real.yaml",
    "targets/real.yaml": "real",
    "targets/other.yaml": "other",
    "linked-folder": "-> targets",
    "below/x/y.yaml": "-> ../../targets/far.yaml",
    "below/x/z.jsonnet": "import '../../imported/z.libsonnet'",
    "imported/z.libsonnet": "{}",
    "targets/far.yaml": "far",
    "module": "module 1",
    ".gitmodules": "url",
    # what git does to files
    "attributes/.gitattributes": "*.yaml text eol=crlf",
    "attributes/app/web.yaml": "a",
}

HELM = {"path": "charts/web"}
VALUES = {
    "valueFiles": ["/values/common.yaml", "../../values/prod.yaml", "/values/env/${ARGOCD_APP_NAME}-env.yaml"]
}

CASES = {
    c.name: c
    for c in (
        case("plain", {"path": "plain"}),
        case("recursed", {"path": "plain", "directory": {"recurse": True}}),
        case("chart", HELM),
        case("helm", {**HELM, "helm": {**VALUES, "fileParameters": [{"name": "x", "path": "/values/set.txt"}]}}),
        case("globs", {**HELM, "helm": {"valueFiles": ["../../values/many/*.yaml"]}}),
        case("refs", {"repoURL": "https://charts.example.com", "chart": "redis", "targetRevision": "1.0.0",
                      "helm": {"valueFiles": ["$values/values/prod.yaml"]}}, {"ref": "values"}),
        case("overlay", {"path": "kust/prod"}),
        case("base", {"path": "kust/base"}),
        case("component", {"path": "kust/base", "kustomize": {"components": ["../extra"]}}),
        case("jsonnet", {"path": "json", "directory": {"jsonnet": {"libs": ["vendor"]}}}),
        case("coded", {"path": "plain", "directory": {"jsonnet": {
            "libs": ["vendor"], "extVars": [{"name": "a", "code": True, "value": "import 'coded.libsonnet'"}]}}}),
        case("over", {"path": "over"}),
        case("own", {"path": "own"}),
        case("linked", {"path": "linked"}),
        case("linked-folder", {"path": "linked-folder"}),
        case("below", {"path": "below", "directory": {"recurse": True}}),
        case("attributes", {"path": "attributes/app"}),
        case("pinned", {"path": "plain", "targetRevision": "v1"}),
        case("foreign", {"repoURL": "https://git.example.com/them/base.git", "path": "plain"}),
    )
}  # fmt: skip

WEB = {"chart", "helm", "globs"}
BASE = {"overlay", "base", "component"}
PLAIN = {"plain", "recursed", "coded"}


def inputs(files: Mapping[str, str], each: Case, **more: Any) -> Inputs:
    return reader(files, **more).of(each)


def digests(files: Mapping[str, str], commit: str) -> dict[str, str]:
    each = reader(files, commit=commit)
    return {n: each.digest(each.of(c)) for n, c in CASES.items()}


@cache
def before() -> dict[str, str]:
    return digests(FILES, HEAD)


def touched(files: Mapping[str, str]) -> set[str]:
    """The names of the cases that read what differs between FILES and `files`."""
    return {n for n, digest in digests(files, "5" * 40).items() if digest != before()[n]}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("README.md", set()),
        ("pytest-gitops.yaml", set()),
        ("plain/web.yaml", PLAIN),
        ("plain/README.md", {"recursed"}),
        ("plain/deep/more.yaml", {"recursed"}),
        ("charts/web/Chart.yaml", WEB),
        ("charts/web/values.yaml", WEB),
        ("charts/web/templates/web.yaml", WEB),
        ("charts/web/files/app.ini", WEB),
        ("charts/lib/Chart.yaml", WEB),
        ("charts/deep/Chart.yaml", WEB),
        ("charts/tool/Chart.yaml", WEB),
        ("charts/other/Chart.yaml", set()),
        ("values/common.yaml", {"helm"}),
        ("values/prod.yaml", {"helm", "refs"}),
        ("values/env/helm-env.yaml", {"helm"}),
        ("values/set.txt", {"helm"}),
        ("values/many/one.yaml", {"globs"}),
        ("values/many/two.txt", set()),
        ("kust/base/kustomization.yaml", BASE),
        ("kust/base/web.yaml", BASE),
        ("kust/base/unnamed.txt", set()),
        ("kust/base/overlays/not-read.yaml", set()),
        *((f"kust/{p}", {"overlay"}) for p in (
            "prod/kustomization.yaml", "prod/patch.yaml", "prod/conf/app.ini", "prod/conf/env", "prod/labels.yaml",
            "prod/conf/inner.yaml", "prod/helm.yaml", "prod/charts/web/Chart.yaml", "prod/schema.json", "replace.yaml",
            "parts/kustomization.yaml", "parts/log.yaml")),
        ("kust/prod/conf/unnamed", set()),
        ("kust/extra/kustomization.yaml", {"component", "over"}),
        ("kust/extra/extra.yaml", {"component", "over"}),
        *((p, {"jsonnet"}) for p in (
            "json/main.jsonnet", "json/a.libsonnet", "json/text.txt", "vendor/lib.libsonnet", "vendor/deep/x.libsonnet")),
        ("json/unread.libsonnet", set()),
        ("json/back.libsonnet", {"jsonnet"}),
        ("vendor/coded.libsonnet", {"coded"}),
        ("over/.argocd-source.yaml", {"over"}),
        ("own/.argocd-source-own.yaml", {"own"}),
        ("own/.argocd-source-another.yaml", set()),
        ("own/.argocd-source-team_own.yaml", set()),
        ("linked/web.yaml", {"linked"}),
        ("targets/real.yaml", {"linked", "linked-folder"}),
        ("targets/other.yaml", {"linked-folder"}),
        ("linked-folder", {"linked-folder"}),
        ("targets/far.yaml", {"linked-folder", "below"}),
        ("imported/z.libsonnet", {"below"}),
        ("module", set()),
        ("attributes/.gitattributes", {"attributes"}),
    ],
)  # fmt: skip
def test_a_file_that_differs_is_that_of_exactly_those_that_read_it(path: str, expected: set[str]) -> None:
    text = FILES[path]
    # Comments: what is read because of a file's content stays the same.
    other = (
        f"{text}/" if text.startswith("-> ") else f"{text} 2" if text.startswith("module") else f"{text}\n# 2"
    )
    assert touched({**FILES, path: other}) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("plain/new.yaml", PLAIN),
        ("plain/new.txt", {"recursed"}),
        ("plain/Kustomization", PLAIN),
        ("json/lib.libsonnet", {"jsonnet"}),
        ("vendor/a.libsonnet", {"jsonnet"}),
        ("values/many/three.yaml", {"globs"}),
        ("charts/web/templates/new.yaml", WEB),
        ("kust/base/charts/x/Chart.yaml", BASE),
        ("plain/.argocd-source.yaml", PLAIN),
        ("plain/.argocd-source-plain.yaml", PLAIN),
        ("kust/base/.argocd-source-base.yaml", {"base"}),
        (".gitattributes", set(CASES) - {"pinned", "foreign"}),
        ("new/web.yaml", set()),
    ],
)
def test_a_file_that_is_new_or_gone_counts_too(path: str, expected: set[str]) -> None:
    assert touched({**FILES, path: "x: 1"}) == expected


def test_a_file_that_is_gone_counts() -> None:
    assert touched({p: t for p, t in FILES.items() if p != "values/prod.yaml"}) == {"helm", "refs"}


def test_a_link_that_leads_out_keeps_argo_cd_from_rendering_anything_and_so_concerns_all() -> None:
    for target in ("/etc/passwd", "../../x", "a/../../../x"):
        assert touched({**FILES, "any/link": f"-> {target}"}) == set(CASES) - {"pinned", "foreign"}
    assert touched({**FILES, "any/link": "-> ../README.md"}) == set()


def test_links_in_a_circle_lead_nowhere() -> None:
    files = {"a": "-> b", "b": "-> a", "plain/x.yaml": "-> ../a"}
    assert inputs(files, case("x", {"path": "plain"})).paths == ("a", "b", "plain/x.yaml")


def test_a_submodule_is_known_by_its_commit_and_by_where_it_is_from() -> None:
    within = case("x", {"path": "module/app"})
    assert inputs(FILES, within).paths == (".gitmodules", "module")
    assert "submodule" in inputs(FILES, within).unknown
    whole = case("y", {"path": ".", "directory": {"recurse": True}})
    assert inputs(FILES, whole).paths == ("",)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ({"path": "plain", "plugin": {}}, "plugin"),
        ({"path": "charts/web", "helm": {"parameters": [{"name": "a", "value": "$ARGOCD_APP_REVISION"}]}}, "commit"),
        ({"path": "kust/base", "kustomize": {"images": ["a:${ARGOCD_APP_REVISION_SHORT}"]}}, "commit"),
        ({"path": "charts/web", "helm": {"valueFiles": ["/values/$ARGOCD_APP_REVISION.yaml"]}}, "commit"),
        ({"path": "charts/web", "helm": {"valueFiles": ["/values/${.yaml"]}}, "build environment"),
        ({"path": "charts/web", "helm": {"valueFiles": [f"{URL}/raw/main/a.yaml"]}}, "by way of"),
        ({"path": "plain", "targetRevision": "1.*"}, "for Argo CD to resolve"),
    ],
)  # fmt: skip
def test_what_cannot_be_known_is_said(source: dict[str, Any], why: str) -> None:
    assert why in inputs(FILES, case("x", source)).unknown


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/us/grid//kust/base?ref=main",
        "git@git.example.com:us/grid.git//kust/base",
        "git::https://git.example.com/us/grid.git",
        "ssh://git@git.example.com/us/grid/kust?ref=v1",
        "git.example.com/us/grid//kust",
        "git.example.com/us/grid/kust",
        "https://GIT.example.com/us/%67rid/raw/main/a.yaml",
    ],
)
def test_a_kustomization_that_reads_the_repository_by_its_url_may_read_anything(url: str) -> None:
    files = {"a/kustomization.yaml": f"resources: ['{url}']"}
    assert "by way of" in inputs(files, case("x", {"path": "a"})).unknown


def test_another_repository_of_that_host_is_another_one() -> None:
    files = {"a/kustomization.yaml": "resources: ['https://git.example.com/us/gridlock//a?ref=v1']"}
    found = inputs(files, case("x", {"path": "a"}))
    assert (found.unknown, found.floating) == ("", ("https://git.example.com/us/gridlock//a?ref=v1",))


def test_an_env_file_that_takes_the_commit_makes_every_commit_another() -> None:
    files = {
        "a/kustomization.yaml": "configMapGenerator: [{name: x, envs: [e]}]",
        "a/e": "ARGOCD_APP_REVISION",
    }
    assert "build environment" in inputs(files, case("x", {"path": "a"})).unknown


def test_a_kustomization_that_is_no_yaml_may_read_anything() -> None:
    assert (
        inputs({"a/kustomization.yaml": "a: ["}, case("x", {"path": "a"})).unknown
        == "a/kustomization.yaml is no YAML"
    )


def test_charts_that_a_folder_stands_in_for_are_inputs() -> None:
    files = {
        "stand-ins/redis/Chart.yaml": "name: redis",
        "c/Chart.yaml": "dependencies: [{name: redis, version: ^1.0, repository: 'https://charts.example.com/x'}]",
        "k/kustomization.yaml": "helmCharts: [{name: redis, repo: 'https://charts.example.com/x'}]",
        "alias/Chart.yaml": "dependencies: [{name: redis, version: ^1.0, repository: '@x'}]",
    }
    charts = {"https://charts.example.com/x": "stand-ins/"}
    for source in (
        {"repoURL": "https://charts.example.com/x", "chart": "redis", "targetRevision": "*"},
        {"path": "c"},
        {"path": "k"},
        {"path": "alias"},
    ):
        found = inputs(files, case("x", source), charts=charts)
        assert "stand-ins" in found.paths, source
        assert found.floating == (("@x",) if source.get("path") == "alias" else ())
    assert "stand-ins" not in inputs(files, case("x", {"path": "stand"}), charts=charts).paths


@pytest.mark.parametrize(
    ("source", "floating"),
    [
        ({"repoURL": "https://git.example.com/them/x", "path": "a"}, True),
        ({"repoURL": "https://git.example.com/them/x", "path": "a", "targetRevision": "v1"}, True),
        ({"repoURL": "https://git.example.com/them/x", "path": "a", "targetRevision": "c" * 40}, False),
        ({"repoURL": "https://charts.example.com", "chart": "a", "targetRevision": "1.2.3"}, False),
        ({"repoURL": "https://charts.example.com", "chart": "a", "targetRevision": "1.2"}, True),
        ({"repoURL": "registry.example.com/charts", "chart": "a", "targetRevision": "*"}, True),
        ({"path": "plain", "helm": {"valueFiles": ["https://values.example.com/a.yaml"]}}, True),
    ],
)
def test_what_may_be_another_thing_tomorrow_is_said(source: dict[str, Any], floating: bool) -> None:
    assert bool(inputs(FILES, case("x", source)).floating) is floating


@pytest.mark.parametrize(
    ("lock", "version", "floating"), [("", "1.2.3", False), ("", "^1.2", True), ("Chart.lock", "^1.2", False)]
)
def test_a_chart_of_elsewhere_is_fixed_by_its_version_or_by_a_lock(
    lock: str, version: str, floating: bool
) -> None:
    chart = f"dependencies: [{{name: a, version: {version}, repository: 'https://charts.example.com'}}]"
    files = {"c/Chart.yaml": chart, **({f"c/{lock}": "x"} if lock else {})}
    assert bool(inputs(files, case("x", {"path": "c"})).floating) is floating


PLUGIN = "kind: HelmChartInflationGenerator\nmetadata: {name: x}\nrepo: https://charts.example.com\n"


@pytest.mark.parametrize(
    ("files", "floating"),
    [
        (
            {
                "kustomization.yaml": "helmCharts: [{name: a, repo: 'https://charts.example.com', version: 1.2.3}]"
            },
            False,
        ),
        ({"kustomization.yaml": "helmCharts: [{name: a, repo: 'https://charts.example.com'}]"}, True),
        ({"kustomization.yaml": "generators: [g.txt]", "g.txt": PLUGIN}, True),
        ({"kustomization.yaml": "generators: [g.txt]", "g.txt": PLUGIN + "version: 1.2.3\n"}, False),
        ({"kustomization.yaml": f"generators:\n- |-\n  {PLUGIN.replace(chr(10), chr(10) + '  ')}"}, True),
        ({"kustomization.yaml": "resources: ['https://git.example.com/them/x//a?ref=v1']"}, True),
        ({"kustomization.yaml": f"resources: ['https://git.example.com/them/x//a?ref={'c' * 40}']"}, False),
        ({"kustomization.yaml": "resources: [them.example.com/x/y]"}, True),
        ({"kustomization.yaml": "resources: [them.example.com/x/y]", "them.example.com/x/y": "here"}, False),
    ],
)
def test_what_a_kustomization_takes_from_elsewhere_is_fixed_by_a_version_or_a_commit(
    files: dict[str, str], floating: bool
) -> None:
    found = inputs({f"k/{p}": t for p, t in files.items()}, case("x", {"path": "k"}))
    assert (found.unknown, bool(found.floating)) == ("", floating)


def test_another_commit_of_ours_is_pinned_as_a_whole() -> None:
    found = inputs(FILES, CASES["pinned"], old={"plain/x.yaml": ""})
    assert (found.paths, found.pinned) == ((), (f"commit {OLD}",))
    moved = reader(FILES, tags={"v1": "6" * 40, "6" * 40: "6" * 40})
    with pytest.raises(KeyError):
        moved.of(CASES["pinned"])  # its files are asked for: what they name may be this very repository
    old = {"plain/kustomization.yaml": f"resources: ['{URL}//kust/base?ref=main']"}
    assert "by way of" in inputs(FILES, CASES["pinned"], old=old).unknown


def test_what_git_has_lost_is_unknown_and_not_our_end(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = reader(FILES)

    def read(path: str) -> bytes:
        raise EngineError(f"{path}: git has lost its object")

    monkeypatch.setattr(lost.tree, "read", read)
    assert lost.of(CASES["base"]).unknown.endswith("git has lost its object")


def test_an_application_elsewhere_has_its_namespace_in_its_parameters_name() -> None:
    theirs = case("own", {"path": "own"}, namespace="team")
    assert "own/.argocd-source-team_own.yaml" in inputs(FILES, theirs).paths
    assert "own/.argocd-source-own.yaml" not in inputs(FILES, theirs).paths


def test_the_dry_source_of_a_hydrator_is_read() -> None:
    hydrated = case("x", {})
    manifest = {
        **hydrated.manifest,
        "spec": {"sourceHydrator": {"drySource": {"repoURL": URL, "path": "plain"}}},
    }
    assert "plain/web.yaml" in inputs(FILES, dataclasses.replace(hydrated, manifest=manifest)).paths


def test_a_tag_prefix_counts_for_what_is_rendered_and_not_for_what_is_referred_to() -> None:
    tags = {"app/1.0.0": HEAD, "1.0.0": HEAD}
    there = reader(FILES, tags={"app/1.0.0": HEAD})
    web = case("web", {"path": "plain", "targetRevision": "1.0.0", "tagPrefix": "app/"})
    assert "plain/web.yaml" in there.of(web).paths
    referring = case(
        "web",
        {"path": "charts/web", "helm": {"valueFiles": ["$values/values/prod.yaml"]}},
        {"ref": "values", "targetRevision": "1.0.0", "tagPrefix": "app/"},
    )
    assert "values/prod.yaml" not in there.of(referring).paths
    assert "values/prod.yaml" in reader(FILES, tags=tags).of(referring).paths


def test_what_leads_out_is_not_read() -> None:
    for source in ({"path": "../x"}, {"path": "plain", "helm": {"valueFiles": ["../../../x"]}}):
        assert not [p for p in inputs(FILES, case("x", source)).paths if ".." in p]


def test_the_whole_repository_may_be_an_input() -> None:
    assert inputs(FILES, case("x", {"path": ".", "directory": {"recurse": True}})).paths == ("",)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("import 'a'", ["a"]),
        ('importstr "a/b.txt"', ["a/b.txt"]),
        ("importbin @'a''b'", ["a'b"]),
        ("import /* x */ 'a'", ["a"]),
        ("import # x\n 'a'", ["a"]),
        ("// import 'a'\n# import 'b'\n/* import 'c' */ 1", []),
        ("'import \"a\"' + \"import 'b'\"", []),
        ("local url = 'https://x'; import 'a'", ["a"]),
        ("|||\n  import 'a'\n||| + import 'b'", ["b"]),
        ("import 'a\\u002fb'", ["a/b"]),
        ("{ important: 1, 'import': 2 }", []),
    ],
)
def test_imports_are_read_as_the_language_has_them(text: str, names: list[str]) -> None:
    assert list(imports(text)) == names


def test_two_trees_differ_in_the_files_that_they_do_not_have_alike() -> None:
    assert changed(tree({"a": "1", "b": "1", "c": "1"}), tree({"a": "1", "b": "2", "d": "1"})) == (
        "b",
        "c",
        "d",
    )


def test_a_folder_is_not_another_one_that_begins_alike() -> None:
    files = tree({"a/x": "", "a-b/x": "", "a.yaml": "", "a0/x": "", "a/y/z": ""})
    assert [e.path for e in files.below("a")] == ["a/x", "a/y/z"]
    assert [e.path for e in files.children("a")] == ["a/x"]
    assert [e.path for e in files.children("")] == ["a.yaml"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("https://org.visualstudio.com/project/_git/grid?ref=main", True),
        ("git::https://dev.azure.com/org/project/_git/grid", True),
        ("https://other.visualstudio.com/project/_git/grid", False),
        ("https://org.visualstudio.com/project/_git/other", False),
    ],
)
def test_azures_old_hosts_may_mean_this_repository(text: str, meant: bool) -> None:
    url = "git@ssh.dev.azure.com:v3/org/project/grid"
    ours = Ours(commit=HEAD, urls=(url,), refs={}, resolve=lambda *_: None, tree_at=lambda _: tree({}))
    assert ours.is_meant(text) is meant


ASIDE = {
    "k/kustomization.yaml": "resources: [a.yaml]\n",
    "k/a.yaml": "",
    "k/b.yaml": "",
    "c/Chart.yaml": "",
    "c/values.yaml": "",
    "c/values-a.yaml": "",
    "c/values-b.yaml": "",
    "c/templates/t.yaml": "",
    "both/Chart.yaml": "",
    "both/kustomization.yaml": "",
    "both/values-a.yaml": "",
}
NAMING = {"path": "c", "helm": {"valueFiles": ["values-a.yaml"]}}


@pytest.mark.parametrize(
    ("sources", "aside"),
    [
        ([{"path": "k"}], ("k/b.yaml",)),
        ([{"path": "k", "directory": {}}], ()),
        ([{"path": "k", "kustomize": {"components": ["b.yaml"]}}], ()),
        ([{"path": "k"}, {"path": "k", "directory": {"recurse": True}}], ()),
        ([{"path": "c"}], ("c/values-a.yaml", "c/values-b.yaml")),
        ([NAMING], ("c/values-b.yaml",)),
        ([NAMING, {"path": "c", "helm": {"valueFiles": ["/c/values-b.yaml"]}}], ()),
        ([{"path": "c", "helm": {"valueFiles": ["values-?.yaml"]}}], ()),
        ([{"path": "k", "targetRevision": "v1"}], ()),
        ([{"path": "both"}], ()),
        ([{"path": "c", "directory": {}}], ()),
    ],
)
def test_what_no_tool_reads_is_set_aside_and_counts_as_read_all_the_same(
    sources: list[dict[str, Any]], aside: tuple[str, ...]
) -> None:
    found = reader(ASIDE, old=ASIDE).of(case("web", *sources))
    assert found.aside == aside
    assert all(any(inside(file, place) for place in found.paths) for file in aside)
