"""Which Applications there are: none is lost, none is there twice, whoever creates it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytest

from pytest_gitops.model import Case, Origin
from pytest_gitops.planning import planner as module
from pytest_gitops.planning.plan import Generated, Plan
from pytest_gitops.planning.planner import Objects, Planner
from pytest_gitops.repository.discovery import Declarations, Declared, FileEntry, discover
from pytest_gitops.repository.manifest import dump

URL = "https://github.com/example/grid.git"
API = "argoproj.io/v1alpha1"


def app(
    name: str, path: str = "", *, namespace: str | None = "argocd", to: str = "argocd", **spec: Any
) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "Application",
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
        "spec": {
            "project": "default",
            "source": {"repoURL": URL, "path": path or f"src/{name}"},
            "destination": {"namespace": to},
            **spec,
        },
    }


def app_set(name: str, namespace: str | None = "argocd", **spec: Any) -> dict[str, Any]:
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": API, "kind": "ApplicationSet", "metadata": meta, "spec": spec}


CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}


class World:
    """A repository of files, and what its folders render to and its ApplicationSets generate: by "namespace/name", or
    by that and the `of` of their specification."""

    def __init__(
        self,
        files: Mapping[str, Any],
        renders: Mapping[str, Iterable[Mapping[str, Any]] | None] | None = None,
        sets: Mapping[str, Generated] | None = None,
    ) -> None:
        contents = {
            path: dump(*(content if isinstance(content, list) else [content])).encode()
            for path, content in files.items()
        }
        self.declarations: Declarations = discover(
            [FileEntry(path=p) for p in contents], lambda paths: {p: contents[p] for p in paths}
        )
        self.renders, self.sets = renders or {}, sets or {}
        self.rendered: list[str] = []
        self.rendered_paths: list[tuple[str, str]] = []
        self.generated: list[str] = []
        self.forgotten: list[str] = []
        self.reads: Callable[[Case], Sequence[str]] = lambda case: [s.path for s in case.sources]

    def render(self, cases: Sequence[Case]) -> list[Objects | None]:
        self.rendered += [c.name for c in cases]
        self.rendered_paths += [(c.name, c.sources[0].path) for c in cases]
        found = [self.renders.get(c.sources[0].path, [CONFIG_MAP]) for c in cases]
        return [None if f is None else list(f) for f in found]

    def generate(self, sets: Sequence[Declared]) -> Mapping[str, Generated]:
        self.generated += [s.name for s in sets]
        forms = {f"{s.namespace}/{s.name}": s.manifest["spec"].get("of") for s in sets}
        return {
            **self.sets,
            **{k: self.sets[f] for k, of in forms.items() if (f := f"{k} {of}") in self.sets},
        }

    def plan(self) -> Plan:
        return Planner(
            declarations=self.declarations,
            render=self.render,
            generate=self.generate,
            forget=lambda keys: self.forgotten.extend(sorted(keys)),
            reads=lambda c: self.reads(c),
        ).build()


def ids(plan: Plan) -> list[str]:
    return [c.id for c in plan.cases]


def rules(plan: Plan) -> list[tuple[str, str]]:
    return [(p.finding.rule, p.file) for p in plan.problems]


def test_what_is_declared_in_files_is_there_once_each() -> None:
    world = World({"b.yaml": app("b"), "a.yaml": [app("a2"), app("a1")]})
    plan = world.plan()
    assert ids(plan) == ["a.yaml::argocd/a2", "a.yaml::argocd/a1", "b.yaml::argocd/b"]
    assert all(c.origin is Origin.FILE and not c.parent for c in plan.cases)
    assert not plan.duplicates
    assert not plan.cycles
    assert sorted(world.rendered) == ["a1", "a2", "b"]
    assert plan.by_id["b.yaml::argocd/b"].name == "b"


def test_a_render_that_fails_loses_nothing_but_its_children() -> None:
    plan = World({"a.yaml": app("a"), "b.yaml": app("b")}, {"src/a": None}).plan()
    assert ids(plan) == ["a.yaml::argocd/a", "b.yaml::argocd/b"]


def test_what_a_chart_renders_to_is_a_child_at_its_parents_place() -> None:
    plan = World(
        {"root.yaml": [CONFIG_MAP, app("root", "chart")]}, {"chart": [app("one"), CONFIG_MAP, app("two")]}
    ).plan()
    root, one, two = plan.cases
    assert (one.id, one.line, one.origin, one.parent) == (
        "root.yaml::argocd/one",
        6,
        Origin.RENDERED,
        "argocd/root",
    )
    assert one.parent_kind == "Application"
    assert plan.parent_of(one) is root
    assert plan.parent_of(root) is None
    assert plan.with_ancestors([two]) == (root, two)


def test_children_of_children_are_rendered_too() -> None:
    world = World({"root.yaml": app("root", "1")}, {"1": [app("middle", "2")], "2": [app("leaf", "3")]})
    plan = world.plan()
    root, middle, leaf = (next(c for c in plan.cases if c.name == n) for n in ("root", "middle", "leaf"))
    assert plan.ancestors(leaf) == (middle, root)
    assert plan.with_ancestors([leaf]) == (root, leaf, middle)  # the plan's order
    assert world.rendered == ["root", "middle", "leaf"]


def test_a_child_without_a_namespace_is_where_its_parent_deploys_to() -> None:
    plan = World(
        {"root.yaml": app("root", "chart", to="team")},
        {"chart": [app("one", namespace=None), app("two", namespace="x")]},
    ).plan()
    assert [c.key for c in plan.cases] == ["argocd/root", "team/one", "x/two"]
    plan = World({"root.yaml": app("root", "chart", to="")}, {"chart": [app("one", namespace=None)]}).plan()
    assert [c.key for c in plan.cases] == ["argocd/root", "argocd/one"]


# ---------------------------------------------------------------- adopted: a file's Application that a parent creates


def test_an_application_in_a_folder_that_another_reads_is_its_child_under_its_own_file() -> None:
    child = app("one")
    world = World({"root.yaml": app("root", "apps"), "apps/one.yaml": child}, {"apps": [child]})
    plan = world.plan()
    assert ids(plan) == ["apps/one.yaml::argocd/one", "root.yaml::argocd/root"]
    one = plan.by_id["apps/one.yaml::argocd/one"]
    assert (one.origin, one.parent, one.line) == (Origin.FILE, "argocd/root", 1)
    assert not plan.duplicates
    assert world.rendered.count("one") == 1


def test_what_it_renders_to_is_what_is_judged_of_it() -> None:
    patched = app("one", "src/patched")
    world = World({"root.yaml": app("root", "apps"), "apps/one.yaml": app("one")}, {"apps": [patched]})
    plan = world.plan()
    one = plan.by_id["apps/one.yaml::argocd/one"]
    assert one.manifest == patched
    assert one.sources[0].path == "src/patched"
    assert world.rendered == ["one", "root", "one"]


@pytest.mark.parametrize("names", list(itertools.permutations("abc")))
def test_what_a_parent_changes_replaces_all_that_came_of_it_before(names: tuple[str, ...]) -> None:
    # `middle` is declared to read one folder and patched to read another: only what the latter has is real.
    root, middle, leaf = names
    world = World(
        {
            f"{root}.yaml": app("root", "apps"),
            f"apps/{middle}.yaml": app("middle", "plain"),
            f"plain/{leaf}.yaml": app("shared", "src/plain"),
        },
        {
            "apps": [app("middle", "patched")],
            "plain": [app("shared", "src/plain"), *[app("only-plain", "deeper")] * 3, app_set("only-plain")],
            "deeper": [app("deep")],
            "patched": [app("shared", "src/patched"), app("only-patched")],
        },
    )
    plan = world.plan()
    assert world.generated == []
    assert sorted(c.name for c in plan.cases) == ["middle", "only-patched", "root", "shared", "shared"]
    # `shared` is created by `middle` and stands, for nobody, in a file that nobody reads any more.
    assert {c.id for c in plan.duplicates["argocd/shared"]} == {
        f"apps/{middle}.yaml::argocd/shared", f"plain/{leaf}.yaml::argocd/shared",
    }  # fmt: skip
    assert list(plan.duplicates) == ["argocd/shared"]


def test_what_was_rendered_last_is_what_the_plan_has() -> None:
    # `late` is patched by `middle`, until it turns out that what `root` makes of `middle` does not create it.
    world = World(
        {
            "root.yaml": app("root", "chart"),
            "apps/middle.yaml": app("middle", "plain"),
            "plain/late.yaml": app("late", "src/own"),
        },
        {
            "chart": [app("between", "apps")],
            "apps": [app("middle", "patched")],
            "plain": [app("late", "src/patched")],
        },
    )
    (late,) = (c for c in world.plan().cases if c.name == "late")
    assert (late.parent, late.sources[0].path) == ("", "src/own")
    assert [p for n, p in world.rendered_paths if n == "late"] == ["src/own", "src/patched", "src/own"]


def test_what_one_parent_changes_leaves_what_is_twice_elsewhere() -> None:
    world = World(
        {
            "root.yaml": app("root", "apps"),
            "apps/middle.yaml": app("middle", "plain"),
            "twice.yaml": [app("x"), app("x")],
        },
        {"apps": [app("middle", "patched")]},
    )
    assert list(world.plan().duplicates) == ["argocd/x"]


def test_a_base_that_an_overlay_patches_is_the_overlays_child() -> None:
    world = World(
        {"root.yaml": app("root", "overlays/prod"), "base/one.yaml": app("one")},
        {"overlays/prod": [app("one", "x")]},
    )
    world.reads = lambda case: ["overlays/prod", "base"] if case.name == "root" else []
    assert ids(world.plan()) == ["base/one.yaml::argocd/one", "root.yaml::argocd/root"]
    world.reads = lambda case: ["overlays/prod", "base/one.yaml"] if case.name == "root" else []
    assert ids(world.plan()) == ["base/one.yaml::argocd/one", "root.yaml::argocd/root"]


def test_a_file_without_a_namespace_is_one_application_with_what_it_becomes() -> None:
    plain = app("one", namespace=None)
    world = World(
        {"root.yaml": app("root", "apps", to="openshift-gitops"), "apps/one.yaml": plain},
        {"apps": [plain], "src/one": [app("leaf", namespace=None)]},
    )
    plan = world.plan()
    assert [(c.id, c.parent) for c in plan.cases] == [
        ("apps/one.yaml::argocd/leaf", "openshift-gitops/one"),
        ("apps/one.yaml::openshift-gitops/one", "argocd/root"),
        ("root.yaml::argocd/root", ""),
    ]
    assert not plan.duplicates


def test_only_the_file_of_the_same_name_is_taken_for_it() -> None:
    world = World(
        {
            "root.yaml": app("root", "apps", to="team"),
            "apps/a.yaml": app("a", namespace=None),
            "apps/b.yaml": app("b", namespace=None),
        },
        {"apps": [app("b", namespace=None)]},
    )
    assert ids(world.plan()) == ["apps/a.yaml::argocd/a", "apps/b.yaml::team/b", "root.yaml::argocd/root"]


def test_of_two_files_the_one_that_says_the_namespace_is_the_one() -> None:
    files = {
        "root.yaml": app("root", "apps", to="team"),
        "apps/a.yaml": app("one", namespace=None),
        "apps/b.yaml": app("one", namespace="team"),
    }
    plan = World(files, {"apps": [app("one", namespace="team")]}).plan()
    assert [(c.id, c.parent) for c in plan.cases] == [
        ("apps/a.yaml::argocd/one", ""), ("apps/b.yaml::team/one", "argocd/root"), ("root.yaml::argocd/root", ""),
    ]  # fmt: skip


def test_what_becomes_of_a_file_twice_in_one_namespace_is_a_duplicate() -> None:
    files = {
        "root.yaml": app("root", "apps", to="team"),
        "apps/a.yaml": [app("one", namespace=None), app("one", namespace="team")],
    }
    plan = World(files, {"apps": [app("one", namespace=None), app("one", namespace="team")]}).plan()
    assert list(plan.duplicates) == ["team/one"]
    assert [c.line for c in plan.duplicates["team/one"]] == [13, 1]
    assert ids(plan) == ["apps/a.yaml::team/one", "root.yaml::argocd/root"]


def test_a_namespace_in_the_file_is_another_application() -> None:
    world = World(
        {"root.yaml": app("root", "apps"), "apps/one.yaml": app("one", namespace="team")},
        {"apps": [app("one")]},
    )
    assert sorted(c.key for c in world.plan().cases) == ["argocd/one", "argocd/root", "team/one"]


# ---------------------------------------------------------------- duplicates


@pytest.mark.parametrize(
    "files", [{"a.yaml": app("one"), "b.yaml": app("one")}, {"a.yaml": [app("one"), app("one")]}]
)
def test_two_of_one_name_in_files_are_duplicates(files: dict[str, Any]) -> None:
    plan = World(files).plan()
    assert len(plan.duplicates["argocd/one"]) == 2


def test_two_of_one_name_in_two_namespaces_are_not() -> None:
    assert not World({"a.yaml": app("one"), "b.yaml": app("one", namespace="team")}).plan().duplicates


def test_what_two_parents_create_is_a_duplicate() -> None:
    world = World(
        {"a.yaml": app("a", "apps"), "b.yaml": app("b", "apps"), "apps/one.yaml": app("one")},
        {"apps": [app("one")]},
    )
    plan = world.plan()
    assert {c.parent for c in plan.duplicates["argocd/one"]} == {"argocd/a", "argocd/b"}
    plan = World({"a.yaml": [app("a", "1"), app("b", "2")]}, {"1": [app("one")], "2": [app("one")]}).plan()
    assert len(plan.duplicates["argocd/one"]) == 2


def test_what_one_parent_creates_twice_is_a_duplicate() -> None:
    assert World({"a.yaml": app("a", "1")}, {"1": [app("one"), app("one")]}).plan().duplicates.keys() == {
        "argocd/one"
    }
    world = World({"a.yaml": app("a", "1"), "1/one.yaml": app("one")}, {"1": [app("one"), app("one")]})
    assert world.plan().duplicates.keys() == {"argocd/one"}


def test_what_is_declared_where_no_parent_reads_is_a_duplicate_of_what_is_created() -> None:
    plan = World({"a.yaml": app("a", "chart"), "other/one.yaml": app("one")}, {"chart": [app("one")]}).plan()
    assert {c.file for c in plan.duplicates["argocd/one"]} == {"a.yaml", "other/one.yaml"}


# ---------------------------------------------------------------- circles


def test_an_application_that_renders_itself_is_there_once() -> None:
    plan = World(
        {"apps/root.yaml": app("root", "apps"), "apps/b.yaml": app("b")},
        {"apps": [app("root", "apps"), app("b")]},
    ).plan()
    assert ids(plan) == ["apps/b.yaml::argocd/b", "apps/root.yaml::argocd/root"]
    assert not plan.cycles


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("changed", [False, True])
def test_applications_that_create_each_other_are_named_and_the_planning_ends(
    size: int, changed: bool
) -> None:
    after = {i: (i + 1) % size for i in range(size)}
    files = {f"f{before}/{i}.yaml": app(f"app{i}", f"f{i}") for before, i in after.items()}
    extra: dict[str, Any] = {"revisionHistoryLimit": 3} if changed else {}
    renders = {f"f{i}": [app(f"app{after[i]}", f"f{after[i]}", **extra)] for i in range(size)}
    plan = World(
        {**files, "f0/leaf.yaml": app("leaf")}, {**renders, "f0": [*renders["f0"], app("leaf")]}
    ).plan()
    assert {plan.by_id[i].name for i in plan.cycles} == {f"app{i}" for i in range(size)}
    assert len(plan.cases) == size + 1
    leaf = next(c for c in plan.cases if c.name == "leaf")
    assert {c.name for c in plan.ancestors(leaf)} == {f"app{i}" for i in range(size)}
    (first, *_) = (c for c in plan.cases if c.name == "app0")
    assert first not in plan.ancestors(first)


@pytest.mark.parametrize("file", ["a/root.yaml", "z/root.yaml"])
def test_who_is_above_a_circle_is_the_parent_wherever_its_file_is(file: str) -> None:
    both = [app("one", "apps"), app("two", "apps")]
    files = {file: app("root", "apps"), "apps/one.yaml": both[0], "apps/two.yaml": both[1]}
    plan = World(files, {"apps": both}).plan()
    assert {plan.by_id[f"apps/{n}.yaml::argocd/{n}"].parent for n in ("one", "two")} == {"argocd/root"}


@pytest.mark.parametrize("file", ["0.yaml", "a.yaml"])
def test_what_a_circle_creates_is_its_child_wherever_its_file_is(file: str) -> None:
    files = {f"1/{file}": app("leaf"), "1/9.yaml": app("two", "2"), "2/one.yaml": app("one", "1")}
    plan = World(files, {"1": [app("two", "2"), app("leaf")], "2": [app("one", "1")]}).plan()
    assert plan.by_id[f"1/{file}::argocd/leaf"].parent == "argocd/one"
    assert {plan.by_id[i].name for i in plan.cycles} == {"one", "two"}


def test_a_circle_that_a_parent_patches_away_is_none() -> None:
    files = {"root.yaml": app("root", "1"), "1/one.yaml": app("one", "2"), "2/two.yaml": app("two", "1")}
    plan = World(files, {"1": [app("one", "2")], "2": [app("two", "elsewhere")]}).plan()
    assert [(c.id, c.parent) for c in plan.cases] == [
        ("1/one.yaml::argocd/one", "argocd/root"), ("2/two.yaml::argocd/two", "argocd/one"), ("root.yaml::argocd/root", ""),
    ]  # fmt: skip
    assert not plan.cycles
    assert not plan.duplicates


def test_a_circle_by_way_of_an_application_set_is_named() -> None:
    files = {"apps/root.yaml": app("root", "chart")}
    made = {"argocd/s": Generated(manifests=(app("made", "apps"),))}
    plan = World(files, {"chart": [app_set("s")], "apps": [app("root", "chart")]}, made).plan()
    assert {plan.by_id[i].name for i in plan.cycles} == {"root", "made"}
    assert len(plan.cases) == 2


def test_a_folder_of_many_is_walked_in_any_order() -> None:
    names = [f"app{i}" for i in range(300)]
    files = {"z/root.yaml": app("root", "apps"), **{f"apps/{n}.yaml": app(n) for n in names}}
    world = World(files, {"apps": [app(n) for n in names]})
    assert {c.parent for c in world.plan().cases if c.name != "root"} == {"argocd/root"}
    assert len(world.rendered) == 301


def test_a_chart_that_renders_itself_under_new_names_has_an_end() -> None:
    world = World({"a.yaml": app("a", "0")}, {str(i): [app(f"a{i + 1}", str(i + 1))] for i in range(99)})
    plan = world.plan()
    assert len(plan.cases) == module.MAX_DEPTH
    last = max(plan.cases, key=lambda c: len(plan.ancestors(c)))
    assert plan.cycles == {last.id}


def test_as_many_generations_as_are_allowed_are_no_circle() -> None:
    depth = module.MAX_DEPTH - 1
    world = World({"a.yaml": app("a", "0")}, {str(i): [app(f"a{i + 1}", str(i + 1))] for i in range(depth)})
    plan = world.plan()
    assert len(plan.cases) == module.MAX_DEPTH
    assert not plan.cycles


def test_what_is_declared_stays_when_generations_have_no_end() -> None:
    depth = module.MAX_DEPTH
    files: dict[str, Any] = {"a.yaml": app("a", "0"), f"{depth - 1}/x.yaml": app(f"a{depth}", "declared")}
    renders = {str(i): [app(f"a{i + 1}", str(i + 1))] for i in range(99)}
    plan = World(files, renders).plan()
    assert f"{depth - 1}/x.yaml::argocd/a{depth}" in plan.by_id
    assert plan.cycles


def test_sets_and_applications_that_create_each_other_have_an_end() -> None:
    files = {"set.yaml": app_set("s0")}
    renders = {f"p{i}": [app_set(f"s{i + 1}")] for i in range(99)}
    sets = {f"argocd/s{i}": Generated(manifests=(app(f"a{i}", f"p{i}"),)) for i in range(99)}
    plan = World(files, renders, sets).plan()
    assert rules(plan) == [("application-cycle", "set.yaml")]
    plan = World({"a.yaml": app("a", "p0")}, renders, sets).plan()
    assert rules(plan) == [("application-cycle", "a.yaml")]


# ---------------------------------------------------------------- ApplicationSets


def test_what_a_set_generates_is_at_the_sets_place() -> None:
    made = Generated(manifests=(app("one", "x"), app("two", "y")))
    world = World({"set.yaml": [CONFIG_MAP, app_set("s", None)]}, {"x": [app("leaf")]}, {"argocd/s": made})
    plan = world.plan()
    assert ids(plan) == ["set.yaml::argocd/leaf", "set.yaml::argocd/one", "set.yaml::argocd/two"]
    leaf, one, _ = plan.cases
    assert (one.origin, one.parent, one.parent_kind, one.line) == (
        Origin.GENERATED,
        "argocd/s",
        "ApplicationSet",
        6,
    )
    assert plan.parent_of(one) is None
    assert rules(plan) == []
    assert plan.ancestors(leaf) == (one,)


def test_a_set_is_no_application_of_the_same_name() -> None:
    made = {"argocd/s": Generated(manifests=(app("one"), app("two")))}
    plan = World({"set.yaml": app_set("s"), "s.yaml": app("s")}, sets=made).plan()
    one = next(c for c in plan.cases if c.name == "one")
    assert plan.ancestors(one) == ()
    assert plan.with_ancestors([one]) == (one,)
    made = {"argocd/s": Generated(manifests=(app("s", "chart"),))}
    assert not World({"set.yaml": app_set("s")}, {"chart": [CONFIG_MAP]}, made).plan().cycles


def test_a_set_that_fails_or_makes_nothing_or_is_not_answered_is_a_problem() -> None:
    world = World(
        {"a.yaml": app_set("bad"), "b.yaml": app_set("empty"), "c.yaml": app_set("silent")},
        sets={"argocd/bad": Generated(error="no such folder"), "argocd/empty": Generated()},
    )
    plan = world.plan()
    assert rules(plan) == [
        ("applicationset-failed", "a.yaml"), ("applicationset-empty", "b.yaml"), ("applicationset-failed", "c.yaml"),
    ]  # fmt: skip
    messages = [p.finding.message for p in plan.problems]
    assert messages[0] == "ApplicationSet argocd/bad: no such folder"
    assert messages[2] == "ApplicationSet argocd/silent: the applicationset-controller said nothing of it"


def test_what_was_generated_before_an_error_is_not_lost() -> None:
    world = World(
        {"a.yaml": app_set("s")}, sets={"argocd/s": Generated(error="half", manifests=(app("one"),))}
    )
    plan = world.plan()
    assert ids(plan) == ["a.yaml::argocd/one"]
    assert rules(plan) == [("applicationset-failed", "a.yaml")]


def test_a_set_that_a_parent_renders_is_expanded_once() -> None:
    made = {"argocd/s": Generated(manifests=(app("one"),))}
    world = World({"root.yaml": app("root", "chart")}, {"chart": [app_set("s", None)]}, made)
    assert ids(world.plan()) == ["root.yaml::argocd/root", "root.yaml::argocd/one"]
    assert world.generated == ["s"]


def test_a_set_that_two_parents_render_in_two_rounds_is_expanded_once() -> None:
    world = World(
        {"root.yaml": app("root", "1")},
        {"1": [app_set("s"), app("next", "2")], "2": [app_set("s")]},
        {"argocd/s": Generated(manifests=(app("one"),))},
    )
    assert not world.plan().duplicates
    assert world.generated == ["s"]
    world = World(
        {"a.yaml": app("a", "1"), "b.yaml": app("b", "1")},
        {"1": [app_set("s")]},
        {"argocd/s": Generated(manifests=(app("one"),))},
    )
    assert not world.plan().duplicates
    assert world.generated == ["s"]


def test_a_set_is_where_it_says_else_where_its_parent_deploys_to() -> None:
    world = World(
        {"root.yaml": app("root", "1", to="team")},
        {"1": [app_set("s", "x"), app_set("t", None)]},
        {"x/s": Generated(manifests=(app("one"),)), "team/t": Generated(manifests=(app("two"),))},
    )
    assert rules(world.plan()) == []


@pytest.mark.parametrize("namespace", [None, "argocd"])
def test_a_set_in_a_folder_that_a_parent_reads_is_expanded_once(namespace: str | None) -> None:
    made = {"argocd/s": Generated(manifests=(app("one"),))}
    world = World(
        {"root.yaml": app("root", "apps"), "apps/s.yaml": app_set("s", namespace)},
        {"apps": [app_set("s")]},
        made,
    )
    assert ids(world.plan()) == ["apps/s.yaml::argocd/one", "root.yaml::argocd/root"]
    assert world.generated == ["s"]


def test_a_set_without_a_namespace_in_its_file_is_the_one_that_its_parent_puts_elsewhere() -> None:
    made = {"argocd/s prod": Generated(manifests=(app("one"),))}
    world = World(
        {"root.yaml": app("root", "apps", to="team"), "apps/s.yaml": app_set("s", None, of="dev")},
        {"apps": [app_set("s", None, of="prod")]},
        made,
    )
    plan = world.plan()
    assert ids(plan) == ["apps/s.yaml::argocd/one", "root.yaml::argocd/root"]
    assert world.generated == ["s"]
    assert [(s.namespace, s.name) for s in plan.file_sets] == [("argocd", "s")]


def test_a_set_without_a_namespace_where_no_parent_reads_is_another_one() -> None:
    made = {
        "team/s": Generated(manifests=(app("one", namespace="team"),)),
        "argocd/s": Generated(manifests=(app("two"),)),
    }
    plain = app_set("s", None)
    files = {"root.yaml": app("root", "apps", to="team"), "other/s.yaml": plain}
    assert ids(World(files, {"apps": [plain]}, made).plan()) == [
        "other/s.yaml::argocd/two", "root.yaml::argocd/root", "root.yaml::team/one",
    ]  # fmt: skip


OVERLAY = {
    "argocd/s dev": Generated(manifests=(app("app-dev"),)),
    "argocd/s prod": Generated(manifests=(app("app-prod"),)),
}
"""What becomes of one set by what stands in its generator."""


@pytest.mark.parametrize("file", ["a/s.yaml", "z/s.yaml"])
@pytest.mark.parametrize("namespace", [None, "argocd"])
def test_a_set_that_its_parent_patches_is_expanded_as_that_makes_it(file: str, namespace: str | None) -> None:
    world = World(
        {"root.yaml": app("root", "overlay"), file: [CONFIG_MAP, app_set("s", namespace, of="dev")]},
        {"overlay": [app_set("s", of="prod")]},
        OVERLAY,
    )
    world.reads = lambda case: ["overlay", file] if case.name == "root" else []
    plan = world.plan()
    (made,) = (c for c in plan.cases if c.name != "root")
    assert (made.id, made.line, made.parent) == (f"{file}::argocd/app-prod", 6, "argocd/s")
    assert world.generated == ["s"]
    assert world.forgotten == []
    ((one, manifest),) = ((s.file, s.manifest) for s in plan.file_sets)
    assert (one, manifest["spec"]) == (file, {"of": "prod"})


def test_a_set_that_is_patched_by_what_another_set_makes_is_expanded_again_and_alone() -> None:
    # Only once `first` is expanded it is known that somebody patches `s`.
    world = World(
        {"first.yaml": app_set("first"), "apps/s.yaml": app_set("s", of="dev")},
        {"overlay": [app_set("s", of="prod")]},
        {"argocd/first": Generated(manifests=(app("brings", "overlay"),)), **OVERLAY},
    )
    assert ids(world.plan()) == ["apps/s.yaml::argocd/app-prod", "first.yaml::argocd/brings"]
    assert world.generated == ["s", "first", "s"]
    assert world.forgotten == ["argocd/s"]


def test_what_stands_at_the_end_is_the_form_that_is_judged() -> None:
    # `first` makes what patches `s`, until it turns out that what `root` brings makes another thing of `first`.
    world = World(
        {"root.yaml": app("root", "r"), "first.yaml": app_set("first"), "s.yaml": app_set("s", of="dev")},
        {"r": [app_set("a")], "b": [app_set("b")], "c": [app_set("first", of="c")],
         "overlay": [app_set("s", of="prod"), app_set("gone")]},
        {
            "argocd/first None": Generated(manifests=(app("brings", "overlay"),)),
            "argocd/first c": Generated(manifests=(app("another"),)),
            "argocd/a": Generated(manifests=(app("makes-b", "b"),)),
            "argocd/b": Generated(manifests=(app("patches", "c"),)),
            "argocd/gone": Generated(),
            **OVERLAY,
        },
    )  # fmt: skip
    plan = world.plan()
    assert rules(plan) == []
    assert {c.name for c in plan.cases} == {"root", "makes-b", "patches", "another", "app-dev"}
    assert [n for n in world.generated if n == "s"] == ["s", "s", "s"]
    assert world.forgotten == ["argocd/s", "argocd/first", "argocd/s", "argocd/gone"]
    assert {s.name: s.manifest["spec"] for s in plan.file_sets} == {"first": {"of": "c"}, "s": {"of": "dev"}}


def test_a_set_that_patches_itself_by_what_it_makes_is_expanded_as_what_is_left() -> None:
    # It is brought by hand once; from then on the Application that it makes keeps it as the overlay has it.
    itself = app("itself", "overlay")
    made = {
        "argocd/s dev": Generated(manifests=(itself, app("app-dev"))),
        "argocd/s prod": Generated(manifests=(itself, app("app-prod"))),
    }
    world = World({"base/s.yaml": app_set("s", of="dev")}, {"overlay": [app_set("s", of="prod")]}, made)
    plan = world.plan()
    assert [c.name for c in plan.cases] == ["app-prod", "itself"]
    assert not plan.cycles
    assert world.forgotten == ["argocd/s"]
    assert [s.manifest["spec"] for s in plan.file_sets] == [{"of": "prod"}]


def test_a_set_that_brings_itself_unchanged_is_no_circle() -> None:
    made = {"argocd/s": Generated(manifests=(app("itself", "apps"),))}
    world = World({"apps/s.yaml": app_set("s")}, {"apps": [app_set("s")]}, made)
    plan = world.plan()
    assert ids(plan) == ["apps/s.yaml::argocd/itself"]
    assert not plan.cycles
    assert world.generated == ["s"]


def test_sets_that_patch_each_other_by_what_they_make_have_an_end() -> None:
    files = {"a.yaml": app_set("a", of="file"), "b.yaml": app_set("b", of="file")}
    renders = {"to-b": [app_set("b", of="a")], "to-a": [app_set("a", of="b")]}
    made = {
        "argocd/a": Generated(manifests=(app("a", "to-b"),)),
        "argocd/b": Generated(manifests=(app("b", "to-a"),)),
    }
    assert {c.name for c in World(files, renders, made).plan().cases} == {"a", "b"}
    made = {
        "argocd/a file": Generated(manifests=(app("x", "0"),)), "argocd/a even": Generated(manifests=(app("x", "1"),)),
        "argocd/a odd": Generated(manifests=(app("x", "0"),)),
    }  # fmt: skip
    renders = {"0": [app_set("a", of="even")], "1": [app_set("a", of="odd")]}
    assert [c.name for c in World({"a.yaml": files["a.yaml"]}, renders, made).plan().cases] == ["x"]


def test_a_root_that_is_created_by_way_of_a_patched_set_is_a_child() -> None:
    files = {
        "root.yaml": app("root", "overlay"), "base/s.yaml": app_set("s", of="dev"), "apps/leaf.yaml": app("leaf"),
    }  # fmt: skip
    world = World(
        files,
        {"overlay": [app_set("s", of="prod")], "apps": [app("leaf", "src/patched")]},
        {"argocd/s prod": Generated(manifests=(app("middle", "apps"),))},
    )
    plan = world.plan()
    assert ids(plan) == [
        "apps/leaf.yaml::argocd/leaf", "base/s.yaml::argocd/middle", "root.yaml::argocd/root",
    ]  # fmt: skip
    assert (plan.cases[0].parent, plan.cases[0].sources[0].path) == ("argocd/middle", "src/patched")


def test_two_files_of_one_set_are_two_also_where_a_parent_renders_one_of_them() -> None:
    files = {
        "root.yaml": app("root", "dev"), "dev/s.yaml": app_set("s", of="dev"), "prod/s.yaml": app_set("s", of="prod"),
    }  # fmt: skip
    plan = World(files, {"dev": [app_set("s", of="dev")]}, OVERLAY).plan()
    assert {c.file for c in plan.duplicates["argocd/app-dev"]} == {"dev/s.yaml", "prod/s.yaml"}
    del files["root.yaml"]
    assert len(World(files, sets=OVERLAY).plan().duplicates) == 1


def test_a_set_of_the_same_name_in_another_namespace_is_another_one() -> None:
    made = {"team/s": Generated(manifests=(app("one"),)), "argocd/s": Generated(manifests=(app("two"),))}
    world = World(
        {"root.yaml": app("root", "chart"), "s.yaml": app_set("s", "team")}, {"chart": [app_set("s")]}, made
    )
    assert sorted(c.name for c in world.plan().cases) == ["one", "root", "two"]
    assert world.generated == ["s", "s"]


def test_the_plan_has_the_sets_of_files_and_of_renders() -> None:
    files = {"root.yaml": app("root", "chart", to="team"), "s.yaml": app_set("s")}
    plan = World(files, {"chart": [app_set("made", None, strategy={"type": "RollingSync"})]}).plan()
    assert sorted(plan.sets) == ["argocd/s", "team/made"]
    assert plan.sets["team/made"].manifest["spec"] == {"strategy": {"type": "RollingSync"}}


def test_a_name_that_a_set_and_a_file_share_is_a_duplicate() -> None:
    made = {"argocd/s": Generated(manifests=(app("one"),))}
    plan = World({"a.yaml": app("one"), "s.yaml": app_set("s")}, sets=made).plan()
    assert {c.file for c in plan.duplicates["argocd/one"]} == {"a.yaml", "s.yaml"}
    plan = World({"s.yaml": [app("one"), app_set("s")]}, sets=made).plan()
    assert len(plan.duplicates["argocd/one"]) == 2


# ---------------------------------------------------------------- projects, and others' objects


def test_projects_are_those_of_files_and_of_renders() -> None:
    def project(name: str, **spec: Any) -> dict[str, Any]:
        return {
            "apiVersion": API,
            "kind": "AppProject",
            "metadata": {"name": name, "namespace": "argocd"},
            "spec": spec,
        }

    plan = World(
        {"p.yaml": project("a", description="file"), "root.yaml": app("root", "chart")},
        {"chart": [project("a", description="render"), project("b")]},
    ).plan()
    assert [(p["metadata"]["name"], p["spec"].get("description")) for p in plan.projects] == [
        ("a", "file"),
        ("b", None),
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"apiVersion": "app.k8s.io/v1beta1", "kind": "Application", "metadata": {"name": "x"}},
        {"apiVersion": API, "kind": "Rollout", "metadata": {"name": "x"}},
        {"apiVersion": None, "kind": "Application", "metadata": None},
        {"kind": "Application"},
    ],
)
def test_objects_of_others_are_no_children(other: dict[str, Any]) -> None:
    assert ids(World({"root.yaml": app("root", "chart")}, {"chart": [other]}).plan()) == [
        "root.yaml::argocd/root"
    ]


def test_problems_of_the_search_are_problems_of_the_plan() -> None:
    world = World({"a.yaml": {"apiVersion": API, "kind": "Application", "metadata": {}}, "b.yaml": app("b")})
    plan = world.plan()
    assert rules(plan) == [("no-name", "a.yaml")]
    assert ids(plan) == ["b.yaml::argocd/b"]


def test_an_empty_repository_makes_an_empty_plan() -> None:
    world = World({})
    assert world.plan().cases == ()
    assert world.generated == []
