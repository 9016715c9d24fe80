"""What need not be rendered: an Application is left alone only where nothing of it can be another's concern."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from input_trees import case
from sides import BASE, HEAD, config_map, side

from pytest_gitops.errors import EngineError
from pytest_gitops.model import Case, Finding, Severity
from pytest_gitops.rego.rules import SubjectKind
from pytest_gitops.selection.sparing import Sparing, fits
from pytest_gitops.settings.settings import Settings
from pytest_gitops.stages import policy
from pytest_gitops.stages.context import Context

FILES = {f"{n}/c.yaml": "kind: ConfigMap\nmetadata: {name: c}\n" for n in ("web", "api", "db")}


def application(name: str, namespace: str = "", **source: Any) -> Case:
    made = case(name, {"path": name, **source})
    return dataclasses.replace(
        made, destination=dataclasses.replace(made.destination, namespace=namespace or name)
    )


WEB, API, DB = (application(n) for n in ("web", "api", "db"))


class Side:
    """A side's rendering that has everything at hand, and notes what it is asked for."""

    spare: Any = None

    def __init__(self, context: Context) -> None:
        self.context, self.asked = context, list[str]()
        self._all = dict(context.renders)

    def key(self, case: Case) -> str | None:
        inputs = self.context.reader.of(case)
        given = json.dumps(case.manifest["spec"], sort_keys=True)
        return None if inputs.unknown else given + self.context.reader.digest(inputs)

    def render(self, cases: Sequence[Case]) -> None:
        self.asked += [c.name for c in cases]
        self.context.spared.difference_update(c.id for c in cases)
        self.context.renders |= {c.id: self._all[c.id] for c in cases}

    def plan(self) -> None:
        """What is done while a plan is made."""
        cases = self.context.plan.cases
        for each, is_spared in zip(
            cases, self.spare(cases) if self.spare else [False] * len(cases), strict=True
        ):
            if is_spared:
                self.context.spared.add(each.id)
                del self.context.renders[each.id]
            else:
                self.asked.append(each.name)


def spared(head: Context, base: Context | None = None, *, on: bool = True) -> set[str]:
    """The names of those that were not rendered on either side, once all is decided."""
    head.base = base or side(BASE, head.plan.cases, FILES)
    sides = [Side(head.base), Side(head)]
    sparing = Sparing(*cast(Any, sides), on=on)
    for each in sides:
        each.plan()
    sparing.compare()
    sparing.select()
    left = {c.name for c in head.plan.cases if c.id in head.spared}
    for each in sides:
        assert len(each.asked) == len(set(each.asked)), "nothing is rendered twice"
        assert not left & set(each.asked)
    assert not set(head.plan.changed or ()) & head.spared, "what is judged is rendered"
    return left


def changes(
    old: Mapping[str, Any], new: Mapping[str, Any], *, cases: Sequence[Case] = (WEB, API, DB), **options: Any
) -> set[str]:
    """The same where web/ differs, and renders to `old` and `new`."""
    base = side(BASE, cases, FILES, renders={"web": [old]})
    return spared(
        side(
            HEAD, cases, {**FILES, "web/c.yaml": "kind: ConfigMap # other"}, renders={"web": [new]}, **options
        ),
        base,
    )


def workload(image: str = "a:1", **container: Any) -> dict[str, Any]:
    found = {"name": "main", "image": image, **container}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [found]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"template": template},
    }


def test_where_nothing_differs_nothing_is_rendered() -> None:
    assert spared(side(HEAD, (WEB, API), FILES)) == {"web", "api"}


def test_without_it_all_is_rendered() -> None:
    assert spared(side(HEAD, (WEB, API), FILES), on=False) == set()


ENV = {"env": [{"name": "A", "value": "1"}]}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (workload(), workload("a:2")),
        (workload(args=["a"]), workload(args=["b"])),
        (workload(resources={"limits": {"memory": "1Gi"}}), workload(resources={"limits": {"memory": "2Gi"}})),
        (workload(**ENV), workload(env=[{"name": "A", "value": "2"}])),
        (config_map(a="1"), config_map(a="2")),
        (config_map(a="1"), {**config_map(a="1"), "metadata": {"name": "c", "annotations": {"team": "x"}}}),
        (config_map(a="1"), config_map(a="1")),
    ],
)  # fmt: skip
def test_what_is_nobody_elses_concern_leaves_the_others_alone(
    old: Mapping[str, Any], new: Mapping[str, Any]
) -> None:
    assert changes(old, new) == {"api", "db"}


def named(**metadata: Any) -> dict[str, Any]:
    made = config_map(a="1")
    return {**made, "metadata": {**made["metadata"], **metadata}}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(config_map(a="1"), config_map(a="1", b="2"), id="a key that is new"),
        pytest.param(config_map(a="1", b="2"), config_map(a="1"), id="a key that goes"),
        pytest.param(named(), named(name="d"), id="another name"),
        pytest.param(named(), named(namespace="api"), id="another namespace"),
        pytest.param(named(), named(labels={"app": "x"}), id="a label"),
        pytest.param(named(), named(annotations={"argocd.argoproj.io/hook": "PreSync"}), id="a hook"),
        pytest.param(named(), named(annotations={"argocd.argoproj.io/hook": "Skip"}), id="no object at all"),
        pytest.param(
            named(name="c-7b8gk9t2h5"), {**named(name="c-9f4k6m8t2d"), "data": {"a": "2"}}, id="a hash in the name",
        ),
        pytest.param(named(), named(annotations={"helm.sh/hook": "pre-install"}), id="a hook of Helm's"),
        pytest.param(workload(), workload(ports=[{"containerPort": 80}]), id="a port"),
        pytest.param(workload(), workload(resources={"limits": {"memory": "1Gi"}}), id="resources that are new"),
        pytest.param(workload(), workload(**ENV), id="a variable that is new"),
        pytest.param(
            {**config_map(), "kind": "Service", "spec": {"selector": {"a": "b"}}},
            {**config_map(), "kind": "Service", "spec": {"selector": {"a": "c"}}}, id="a selector",
        ),
        pytest.param(
            workload(), {**workload(), "spec": {**workload()["spec"], "replicas": 2}}, id="replicas",
        ),
    ],
)  # fmt: skip
def test_what_others_may_refer_to_has_them_rendered(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    assert changes(old, new) == set()
    assert changes(new, old) == set()


def test_what_deploys_to_the_same_namespace_is_rendered() -> None:
    near = application("api", "web")
    assert changes(workload(), workload("a:2"), cases=(WEB, near, DB)) == {"db"}


def test_what_deploys_to_a_namespace_that_an_object_names_is_rendered() -> None:
    there = {**workload(), "metadata": {"name": "web", "namespace": "api"}}
    new = {**workload("a:2"), "metadata": {"name": "web", "namespace": "api"}}
    assert changes(there, new) == {"db"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"stages": ("source", "policy", "change")}, True),
        ({"stages": ("source", "converge")}, False),
        ({"stages": ("source",), "strict": True}, False),
        ({"stages": ("source",), "changed": False}, False),
        ({"stages": ("source",), "shard": "1/2"}, False),
    ],
)
def test_only_a_review_of_what_is_changed_does_with_less(options: dict[str, Any], expected: bool) -> None:
    given = {"changed": True, **options}
    settings = Settings(root=Path(), report=Path(), cache=Path(), environ={}, **given)
    assert fits(settings) is expected


@pytest.mark.parametrize("kind", ["Secret", "Application", "CustomResourceDefinition"])
def test_what_concerns_others_is_rendered_whether_it_differs_or_not(kind: str) -> None:
    files = {**FILES, "api/c.yaml": f"kind: {kind}"}
    assert spared(side(HEAD, (WEB, API), files), side(BASE, (WEB, API), files)) == {"web"}


def test_what_is_on_one_side_only_is_rendered_there() -> None:
    assert spared(side(HEAD, (WEB, API), FILES), side(BASE, (WEB,), FILES)) == set()


def test_another_manifest_is_another_render_though_its_files_are_the_same() -> None:
    other = application("web", "web", directory={"recurse": True})
    base = side(BASE, (WEB, API), FILES, renders={"web": [workload()]})
    assert spared(side(HEAD, (other, API), FILES, renders={"web": [workload("a:2")]}), base) == {"api"}


def test_another_manifest_that_comes_to_something_else_for_others_has_them_rendered() -> None:
    other = application("web", "web", directory={"recurse": True})
    base = side(BASE, (WEB, API), FILES, renders={"web": [workload()]})
    ports = workload(ports=[{"containerPort": 80}])
    assert spared(side(HEAD, (other, API), FILES, renders={"web": [ports]}), base) == set()


def test_a_destination_that_differs_concerns_others() -> None:
    moved = dataclasses.replace(
        WEB, manifest={**WEB.manifest, "spec": {**WEB.manifest["spec"], "destination": {"name": "x"}}}
    )
    assert spared(side(HEAD, (moved, API), FILES), side(BASE, (WEB, API), FILES)) == set()


def test_who_is_changed_for_another_reason_is_rendered() -> None:
    api = dataclasses.replace(API, project="another")
    projects = [
        {"kind": "AppProject", "metadata": {"name": "another"}, "spec": {"sourceRepos": repos}}
        for repos in (["*"], [])
    ]
    base = side(BASE, (WEB, api), FILES, projects=projects[:1])
    assert spared(side(HEAD, (WEB, api), FILES, projects=projects[1:]), base) == {"web"}


def test_a_law_that_differs_by_an_annotation_alone_has_all_rendered() -> None:
    old, new = (
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "db", "annotations": {"scheduler.alpha.kubernetes.io/node-selector": n}},
        }
        for n in "12"
    )
    assert changes(old, new) == set()


def test_a_law_in_a_file_that_nobody_renders_has_all_rendered() -> None:
    base = side(
        BASE, (WEB, API), {**FILES, "crds/a.yaml": "kind: CustomResourceDefinition\nmetadata: {name: a}"}
    )
    head = side(
        HEAD, (WEB, API), {**FILES, "crds/a.yaml": "kind: CustomResourceDefinition\nmetadata: {name: b}"}
    )
    assert spared(head, base) == set()


def test_what_is_unknown_on_one_side_has_all_rendered() -> None:
    base = side(BASE, (WEB, API), FILES, renders={"web": None})
    assert spared(side(HEAD, (WEB, API), {**FILES, "web/c.yaml": "kind: ConfigMap # x"}), base) == set()


def test_one_that_was_spared_and_creates_applications_is_an_error() -> None:
    made = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "x"}}
    cases = (WEB, application("api", "web"))
    base = side(BASE, cases, FILES, renders={"web": [workload()], "api": [made]})
    head = side(
        HEAD,
        cases,
        {**FILES, "web/c.yaml": "kind: ConfigMap # x"},
        renders={"web": [workload("a:2")], "api": [made]},
    )
    with pytest.raises(
        EngineError, match="Application argocd/api renders Argo CD's own objects, which its files do not say"
    ):
        spared(head, base)


# ---------------------------------------------------------------------- rules, and what the API server is asked


def rules(*packages: tuple[str, ...], builtin: bool = True, reviews: bool = False) -> Any:
    found = [
        SimpleNamespace(code=".".join(p), package=p, subject=SubjectKind.REPOSITORY, builtin=builtin)
        for p in packages
    ]
    return SimpleNamespace(rules=found, reviews=reviews)


OURS = rules(("gitops", "references", "config"), ("gitops", "repository"))


def with_rules(monkeypatch: pytest.MonkeyPatch, opa: Any, *found: str) -> set[str]:
    """What is spared of a change of an image where these rules find something in it."""

    def survey(context: Context) -> tuple[Finding, ...]:
        findings = [Finding(rule=code, severity=Severity.WARNING, message="x") for code in found]
        context.surveyed = {WEB.id: findings}
        return ()

    monkeypatch.setattr(policy, "survey", survey)
    base = side(BASE, (WEB, API), FILES, renders={"web": [workload()]})
    head = side(
        HEAD,
        (WEB, API),
        {**FILES, "web/c.yaml": "kind: ConfigMap # x"},
        renders={"web": [workload("a:2")]},
        stages=("policy",),
    )
    head.opa = opa
    left = spared(head, base)
    assert head.surveyed == {}
    return left


def test_rules_that_find_nothing_missing_leave_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert with_rules(monkeypatch, OURS) == {"api"}
    assert with_rules(monkeypatch, OURS, "gitops.repository") == {"api"}


def test_what_a_rule_misses_may_be_found_where_all_is_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    assert with_rules(monkeypatch, OURS, "gitops.references.config") == set()


@pytest.mark.parametrize("opa", [rules(("mine",), builtin=False), rules(reviews=True)])
def test_the_repositorys_own_rules_on_all_of_it_see_all_of_it(
    monkeypatch: pytest.MonkeyPatch, opa: Any
) -> None:
    assert with_rules(monkeypatch, opa) == set()


def law(kind: str, version: str = "v1", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "x", "namespace": "db"}, "spec": spec}


ADMISSION = "admissionregistration.k8s.io/v1"


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (law("ResourceQuota", hard={"pods": "1"}), set()),
        (law("ValidatingAdmissionPolicy", ADMISSION, paramKind={"apiVersion": "v1", "kind": "ConfigMap"}), set()),
        (law("ValidatingAdmissionPolicy", ADMISSION), {"api"}),
        (law("LimitRange"), {"api"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("written", ["rendered", "prerequisites"])
def test_what_counts_the_objects_of_all_has_all_rendered(
    manifest: dict[str, Any], expected: set[str], written: str
) -> None:
    files = {**FILES, "db/c.yaml": f"kind: {manifest['kind']}"}
    objects = [manifest] if written == "rendered" else [config_map()]
    cases = (WEB, API, DB)
    base = side(BASE, cases, files, renders={"web": [workload()], "db": objects})
    head = side(
        HEAD, cases, {**files, "web/c.yaml": "kind: ConfigMap # x"}, renders={"web": [workload("a:2")], "db": objects},
        stages=("admit",),
    )  # fmt: skip
    if written == "prerequisites":
        cast(Any, head.checkout).manifests = lambda paths, *, where: [manifest]
    assert spared(head, base) == expected


# ---------------------------------------------------------------------- the rules themselves

POLICIES = Path(__file__).parents[3] / "policies"


def test_rules_on_the_whole_that_look_at_objects_are_those_that_were_thought_of() -> None:
    """One more has to be thought of: does it tell of what is missing (then it belongs to gitops.references), and does
    it look at a field of `sparing.OWN`?"""
    found = set()
    for path in POLICIES.rglob("*.rego"):
        text = path.read_text("utf-8")
        whole = "subject: repository" in text and not path.name.endswith("_test.rego")
        if whole and re.search(r"\.objects\b|lib\.cluster\b", text):
            found.add(path.relative_to(POLICIES).as_posix())
    assert found == {
        "argocd/permissions.rego",
        "references/access.rego", "references/config.rego", "references/monitors.rego", "references/network.rego",
        "references/scaling.rego", "references/storage.rego",
        "repository/applications.rego", "repository/secrets.rego",
    }  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        *(POLICIES / "references").glob("*.rego"),
        POLICIES / "lib" / "cluster.rego",
        POLICIES / "argocd" / "permissions.rego",
    ],
    ids=lambda p: p.name,
)
def test_they_look_at_no_value_of_an_image_an_argument_or_a_variable(path: Path) -> None:
    if not path.name.endswith("_test.rego"):
        code = re.sub(r"(?m)^\s*#.*$", "", path.read_text("utf-8"))
        assert not re.findall(r"\.(image|imagePullPolicy|workingDir|command|args|binaryData)\b", code)
