"""Argo CD's own repo-server is the judge of what is read: each file is changed alone, on a branch of its own, and for
each Application all files that are not its inputs on another, which must not change what it renders to. The other way
round is told, too: what is chosen although it renders the same is counted, and known by name."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import git
import pytest
from input_trees import URL, case
from runs import commit, write

from pytest_gitops.argocd.options import from_config_map
from pytest_gitops.argocd.render import Rendered, RepoServer
from pytest_gitops.ground.boot import Ground
from pytest_gitops.model import Case
from pytest_gitops.repository.git import open_repository
from pytest_gitops.repository.inputs import Reader, early
from pytest_gitops.repository.ours import Ours
from pytest_gitops.repository.snapshot import Snapshot, take
from pytest_gitops.repository.solitary import KINDS, Solitary
from pytest_gitops.repository.tree import Tree
from pytest_gitops.settings.settings import Provider, Settings, default_cache, environment

pytestmark = pytest.mark.engine

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n  a: one\n"


def config_map(name: str) -> str:
    return CONFIG_MAP.format(name=name)


CHART = "apiVersion: v2\nname: {name}\nversion: 1.0.0\ndescription: one\n"
TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: chart}
data:
  description: {{ .Chart.Description }}
  values: {{ .Values | toJson | quote }}
  file: {{ .Files.Get "files/app.ini" | quote }}
"""

# The word "one" becomes "two" in each file in turn.
FILES = {
    "README.md": "one",
    "plain/a.yaml": config_map("a"),
    "plain/notes.txt": "one",
    "plain/deep/b.yaml": config_map("b"),
    "chart/Chart.yaml": CHART.format(name="chart")
    + "dependencies: [{name: lib, version: 1.0.0, repository: 'file://../lib'}]\n",
    "chart/values.yaml": "d: one\n",
    "chart/values-prod.yaml": "d: one\n",
    "chart/templates/web.yaml": TEMPLATE + "---\n" + config_map("second"),
    "chart/templates/_helpers.tpl": "{{- define \"unused\" }}one{{ end }}",
    "chart/files/app.ini": "one",
    "chart/.helmignore": "one.txt\n",
    "lib/Chart.yaml": CHART.format(name="lib"),
    "lib/values.yaml": "a: one\n",
    "lib/values-other.yaml": "a: one\n",
    "lib/values-more.json": '{"b": "one"}',
    "lib/templates/lib.yaml": config_map("lib") + "  values: {{ .Values | toJson | quote }}\n",
    "values/prod.yaml": "a: one\n",
    "values/helm-env.yaml": "c: one\n",
    "values/set.txt": "one",
    "values/many/x.yaml": "x: one\n",
    "values/many/y.txt": "one",
    "kust/base/kustomization.yaml": "resources: [web.yaml]\ncommonAnnotations: {a: one}\n",
    "kust/base/web.yaml": config_map("web"),
    "kust/base/unnamed.yaml.txt": "one",
    "kust/prod/kustomization.yaml": (
        "resources: [../base, plain.yaml]\ncomponents: [../parts]\npatches: [{path: patch.yaml}]\n"
        "configMapGenerator: [{name: c, files: [app.ini=conf/app.ini], envs: [conf/env]}]\n"
        "transformers: [labels.yaml]\nreplacements: [{path: replace.yaml}]\nconfigurations: [config.yaml]\ncommonAnnotations: {k: one}\n"
    ),
    "kust/prod/plain.yaml": config_map("plain"),
    "kust/prod/unlisted.yaml": config_map("unlisted"),
    "kust/prod/patch.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {b: one}\n",
    "kust/prod/conf/app.ini": "one",
    "kust/prod/conf/env": "A=one\n",
    "kust/prod/conf/unnamed": "one",
    "kust/prod/labels.yaml": (
        "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: one}\npath: conf/inner.yaml\n"
        "target: {kind: ConfigMap, name: plain}\n"
    ),
    "kust/prod/conf/inner.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\ndata: {c: one}\n",
    "kust/prod/config.yaml": "commonAnnotations: [{path: data/one, create: true, kind: ConfigMap}]\n",
    "kust/prod/replace.yaml": (
        "source: {kind: ConfigMap, name: plain, fieldPath: data.a}\n"
        "targets: [{select: {name: web}, fieldPaths: [data.one], options: {create: true}}]\n"
    ),
    "kust/parts/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [log.yaml]\ncommonAnnotations: {p: one}\n",
    "kust/parts/log.yaml": config_map("log"),
    "kust/extra/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [extra.yaml]\ncommonAnnotations: {e: one}\n",
    "kust/extra/extra.yaml": config_map("extra"),
    "json/main.jsonnet": "local a = import 'a.libsonnet'; [a, import 'lib.libsonnet'] // one",
    "json/a.libsonnet": (
        "{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'a'}, data: {t: importstr \"text.txt\", o: 'one'}}"
    ),
    "json/text.txt": "one",
    "json/unread.libsonnet": "'one'",
    "vendor/lib.libsonnet": "import @'deep/x.libsonnet' /* one */",
    "vendor/deep/x.libsonnet": "{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'x'}, data: {o: 'one'}}",
    "over/kustomization.yaml": "resources: [a.yaml]\ncommonLabels: {k: one}\n",
    "over/a.yaml": config_map("a"),
    "over/.argocd-source.yaml": "kustomize: {commonAnnotations: {x: one}}\n",
    "over/.argocd-source-over.yaml": "kustomize: {commonAnnotations: {w: one}}\n",
    "over/.argocd-source-another.yaml": "kustomize: {commonAnnotations: {z: one}}\n",
    "targets/real.yaml": config_map("real"),
    "targets/other.yaml": config_map("other"),
}  # fmt: skip

LINKS = {"linked/web.yaml": "../targets/real.yaml", "linked-folder": "targets"}

VALUES = ["/values/prod.yaml", "../values/${ARGOCD_APP_NAME}-env.yaml", "../values/many/*.yaml"]

CASES = (
    case("plain", {"path": "plain"}),
    case("recursed", {"path": "plain", "directory": {"recurse": True}}),
    case("chart", {"path": "chart"}),
    # A chart that depends on none: each render of the other is three commands.
    case("helm", {"path": "lib", "helm": {
        "valueFiles": VALUES, "fileParameters": [{"name": "set", "path": "/values/set.txt"}]}}),
    case("refs", {"path": "lib", "helm": {"valueFiles": ["$v/values/prod.yaml"]}}, {"ref": "v"}),
    case("more", {"path": "lib", "helm": {"valueFiles": ["values-more.json"]}}),
    case("overlay", {"path": "kust/prod"}),
    case("base", {"path": "kust/base"}),
    case("component", {"path": "kust/base", "kustomize": {"components": ["../extra"]}}),
    case("jsonnet", {"path": "json", "directory": {"jsonnet": {"libs": ["vendor"]}}}),
    case("over", {"path": "over"}),
    case("linked", {"path": "linked"}),
    case("linked-folder", {"path": "linked-folder"}),
)  # fmt: skip

NEEDLESS = {
    # A chart is read as a whole, and so is a folder with all below it.
    "chart/.helmignore": {"chart"},
    "chart/templates/_helpers.tpl": {"chart"},
    "chart/values-prod.yaml": {"chart"},
    "lib/Chart.yaml": {"chart", "helm", "refs", "more"},
    "lib/values-other.yaml": {"chart", "helm", "refs", "more"},
    "lib/values-more.json": {"chart", "helm", "refs"},
    "kust/prod/unlisted.yaml": {"overlay"},
    "plain/notes.txt": {"recursed"},
    # Another file has the last word.
    "lib/values.yaml": {"helm", "refs"},
    # A file differs, and not what it says.
    "json/main.jsonnet": {"jsonnet"},
    "vendor/lib.libsonnet": {"jsonnet"},
    "kust/prod/labels.yaml": {"overlay"},
    # Argo CD finds nothing at a path that is itself a link.
    "targets/real.yaml": {"linked-folder"},
    "targets/other.yaml": {"linked-folder"},
}
"""What is chosen although it renders the same."""


ASIDE = {
    "helm": {"lib/values-other.yaml", "lib/values-more.json"},
    "refs": {"lib/values-other.yaml", "lib/values-more.json"},
    "more": {"lib/values-other.yaml"},
    "overlay": {"kust/prod/unlisted.yaml"},
}
"""What is chosen for no more than caution, and said to be read by nobody. A template of `chart` reads files."""

BRANCHES = {f"change-{n}": path for n, path in enumerate(FILES)}
"""The file that is changed on each."""


def at(each: Case, branch: str) -> Case:
    """The Application with that branch for its revision."""
    manifest = dict(each.manifest)
    spec = dict(manifest["spec"])
    if "sources" in spec:
        spec["sources"] = [{**s, "targetRevision": branch} for s in spec["sources"]]
    else:
        spec["source"] = {**spec["source"], "targetRevision": branch}
    return dataclasses.replace(each, manifest={**manifest, "spec": spec})


def branch_off(root: Path, branch: str, paths: Iterable[str]) -> None:
    """A branch of main on which these files are changed."""
    with git.Repo(root) as repository:
        identity = {
            f"GIT_{w}_{x}": "t@example.com" for w in ("AUTHOR", "COMMITTER") for x in ("NAME", "EMAIL")
        }
        repository.git.switch("main", create=branch)
        for path in paths:
            (root / path).write_text(re.sub(r"\bone\b", "two", FILES[path]))
        repository.git.commit(all=True, quiet=True, message=branch, env=identity)
        repository.git.switch("main")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository, with a branch for each file."""
    root = write(tmp_path_factory.mktemp("oracle") / "repository", FILES)
    for path, target in LINKS.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).symlink_to(target)
    commit(root)
    for branch, path in BRANCHES.items():
        branch_off(root, branch, [path])
    return root


def reader_at(snapshot: Snapshot, branch: str) -> Reader:
    sha = snapshot.resolve(branch)
    assert sha is not None
    there = snapshot.at(sha)
    ours = Ours(
        commit=sha,
        urls=(URL,),
        refs=snapshot.refs,
        resolve=lambda *_: sha,
        tree_at=lambda _: Tree(there.files(), there.read_many, early=early),
    )
    return Reader(ours, charts=(), control="argocd")


def digests(snapshot: Snapshot, branch: str) -> dict[str, str]:
    """What each Application's inputs are on that branch."""
    reader = reader_at(snapshot, branch)
    found = {each.name: reader.of(each) for each in CASES}
    assert not [i.unknown for i in found.values() if i.unknown]
    return {name: reader.digest(inputs) for name, inputs in found.items()}


@pytest.fixture(scope="module")
def chosen(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """By file, the Applications whose inputs a change of it changes."""
    environ = environment()
    bare = tmp_path_factory.mktemp("chosen") / "bare"
    snapshot = take(open_repository(root, environ=environ), into=bare, branches=(), environ=environ)
    main = digests(snapshot, "main")
    return {
        path: {name for name, digest in digests(snapshot, branch).items() if digest != main[name]}
        for branch, path in BRANCHES.items()
    }


def others(each: Case, chosen: Mapping[str, set[str]]) -> list[str]:
    """The files that are no input of an Application."""
    return [path for path, names in chosen.items() if each.name not in names]


@pytest.fixture(scope="module")
def ground(root: Path, chosen: dict[str, set[str]]) -> Iterator[Ground]:
    for each in CASES:
        branch_off(root, f"others-{each.name}", others(each, chosen))
        if each.name in ASIDE:
            branch_off(root, f"aside-{each.name}", ASIDE[each.name])
    settings = Settings(
        root=root,
        report=root / "gitops-report",
        cache=default_cache(environment()),
        environ=environment(),
        stages=("source", "render"),
        urls=(URL,),
        provider=Provider.NONE,
    )
    ground = Ground(settings, say=lambda _: None, died=lambda _: None)
    try:
        ground.up()
        yield ground
    finally:
        ground.close()


@pytest.fixture(scope="module")
def render(ground: Ground) -> Iterator[Callable[[Case, str], Any]]:
    """What an Application renders to on a branch."""
    server = RepoServer(ground.head.argocd.repo_server, control="argocd", options=from_config_map({}))

    def render(each: Case, branch: str) -> Any:
        result = server.render(at(each, branch))
        assert isinstance(result, Rendered), (branch, each.name, result)
        return result.objects

    yield render
    server.close()


def test_no_change_of_a_render_is_without_a_change_of_inputs(
    chosen: dict[str, set[str]], render: Callable[[Case, str], Any]
) -> None:
    def differs(each: Case, branch: str) -> bool:
        return bool(render(each, branch) != render(each, "main"))

    def missed(each: Case) -> list[str]:
        """The files that change what an Application renders to and are none of its inputs. They are changed at once;
        one by one only where that changes something, to name them."""
        if not differs(each, f"others-{each.name}"):
            return []
        alone = {path: branch for branch, path in BRANCHES.items()}
        return [path for path in others(each, chosen) if differs(each, alone[path])] or ["all at once"]

    def needless(branch: str) -> set[str]:
        return {c.name for c in CASES if c.name in chosen[BRANCHES[branch]] and not differs(c, branch)}

    with ThreadPoolExecutor(8) as pool:
        assert {c.name: m for c, m in zip(CASES, pool.map(missed, CASES), strict=True) if m} == {}
        found = dict(zip(BRANCHES.values(), pool.map(needless, BRANCHES), strict=True))
    assert {path: names for path, names in found.items() if names} == NEEDLESS


def test_what_is_said_to_be_read_by_nobody_changes_no_render(
    ground: Ground, render: Callable[[Case, str], Any]
) -> None:
    reader = reader_at(ground.checkout.snapshot, "main")
    assert {c.name: {*found} for c in CASES if (found := reader.of(c).aside)} == ASIDE
    for each in (c for c in CASES if c.name in ASIDE):
        assert render(each, f"aside-{each.name}") == render(each, "main"), each.name


def test_what_is_held_to_concern_nobody_renders_nothing_else(
    ground: Ground, render: Callable[[Case, str], Any]
) -> None:
    reader = reader_at(ground.checkout.snapshot, "main")
    alone = Solitary(reader.tree).of([(each, reader.of(each)) for each in CASES])
    found = {}
    for each in (c for c, is_alone in zip(CASES, alone, strict=True) if is_alone):
        found[each.name] = {o["kind"] for o in render(each, "main")}
    assert {kind for kinds in found.values() for kind in kinds} <= KINDS
    assert len(found) > len(CASES) / 2, "most of them are of that sort"
