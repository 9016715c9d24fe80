"""Gatekeeper's templates and constraints, unchanged, on the real OPA."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_gitops.model import Severity
from pytest_gitops.processes.process import Supervisor
from pytest_gitops.rego import bundle, inputs
from pytest_gitops.rego.bundle import Bundle
from pytest_gitops.rego.opa import Opa
from pytest_gitops.rego.reviews import Deployed, surroundings

pytestmark = pytest.mark.engine

APPLICATION: dict[str, Any] = {"kind": "Application", "metadata": {"name": "news", "namespace": "argocd"}}

TEMPLATE = """\
apiVersion: templates.gatekeeper.sh/{api}
kind: ConstraintTemplate
metadata: {{name: {lower}}}
spec:
  crd: {{spec: {{names: {{kind: {kind}}}}}}}
  targets:
    - target: admission.k8s.gatekeeper.sh
{code}
"""

LABELS = TEMPLATE.format(
    api="v1beta1",
    lower="neededlabels",
    kind="NeededLabels",
    code="""\
      rego: |
        package neededlabels

        import data.lib.labels

        violation[{"msg": msg, "details": {"absent": absent}}] {
          absent := labels.wanted(input.parameters.labels) - labels.given(input.review.object)
          count(absent) > 0
          msg := sprintf("%v of %v: no %v", [input.review.operation, input.review.kind.kind, absent])
        }
      libs:
        - |
          package lib.labels

          wanted(list) = {each | each := list[_]}

          given(object) = {key | object.metadata.labels[key]}
""",
)

HOSTS = TEMPLATE.format(
    api="v1",
    lower="uniquehost",
    kind="UniqueHost",
    code="""\
      code:
        - engine: Rego
          source:
            version: v1
            rego: |
              package uniquehost

              violation contains {"msg": msg} if {
                host := input.review.object.spec.rules[_].host
                other := data.inventory.namespace[namespace][_]["Ingress"][name]
                other.spec.rules[_].host == host
                [namespace, name] != [input.review.namespace, input.review.name]
                msg := sprintf("%s is taken by %s/%s", [host, namespace, name])
              }
""",
)

REPLICAS = TEMPLATE.format(
    api="v1",
    lower="nothingless",
    kind="NothingLess",
    code="""\
      operations: [UPDATE, DELETE]
      rego: |
        package nothingless

        violation[{"msg": "fewer replicas"}] {
          input.review.operation == "UPDATE"
          input.review.object.spec.replicas < input.review.oldObject.spec.replicas
        }

        violation[{"msg": msg}] {
          input.review.operation == "DELETE"
          msg := sprintf("%s is deleted", [input.review.oldObject.metadata.name])
        }
""",
)


def constraint(kind: str, name: str, spec: str) -> str:
    return f"apiVersion: constraints.gatekeeper.sh/v1beta1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"


Start = Callable[..., Opa]
Load = Callable[..., Bundle]


@pytest.fixture
def start(tmp_path: Path, toolbox: dict[str, Path]) -> Iterator[Start]:
    supervisor = Supervisor(tmp_path / "run", run_id=f"gatekeeper-{os.getpid()}-{tmp_path.name}")
    folder = tmp_path / "policies"
    folder.mkdir()

    def start(*documents: str, **options: Any) -> Opa:
        (folder / "all.yaml").write_text("---\n".join(documents), encoding="utf-8")
        opa = Opa(supervisor, supervisor.directory / "opa", toolbox["opa"], folders=[folder], **options)
        opa.start()
        return opa

    yield start
    supervisor.close()


@pytest.fixture
def load(tmp_path: Path, toolbox: dict[str, Path]) -> Load:
    """The bundle that an OPA would be started with."""
    folder = tmp_path / "policies"
    folder.mkdir()

    def load(*documents: str) -> Bundle:
        (folder / "all.yaml").write_text("---\n".join(documents), encoding="utf-8")
        return bundle.load(toolbox["opa"], tmp_path / "bundle", folders=[folder])

    return load


def named(kind: str, name: str, api: str = "v1", **more: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, **more}


def ask(opa: Opa, *objects: dict[str, Any], **review: Any) -> list[list[tuple[str, str]]]:
    """What Gatekeeper's rules say of each object, all of one Application."""
    deployed = Deployed(application=APPLICATION, cluster="here", namespace="news", objects=objects)
    around = surroundings([deployed])
    subjects = [
        inputs.object_subject(
            o, application=APPLICATION, review=around.review(o, cluster="here", namespace="news", **review)
        )
        for o in objects
    ]
    found = opa.judge(subjects, inventories=around.inventories)
    return [[(h.rule.code, h.message) for h in hits if not h.rule.builtin] for hits in found]


def test_constraints_are_asked_about_what_they_match_with_their_parameters(start: Start) -> None:
    opa = start(
        LABELS,
        constraint(
            "NeededLabels", "pods", "{match: {kinds: [{kinds: [Pod]}]}, parameters: {labels: [owner]}}"
        ),
        constraint("NeededLabels", "all", "{enforcementAction: warn, parameters: {labels: [team]}}"),
    )
    assert opa.problems == ()
    assert opa.reviews
    severities = {r.code: r.severity for r in opa.rules if r.constraint}
    assert severities == {"neededlabels-all": Severity.WARNING, "neededlabels-pods": Severity.ERROR}
    team = ("neededlabels-all", 'CREATE of {}: no {{"team"}}')
    assert ask(opa, named("Pod", "p"), named("Service", "s")) == [
        [(team[0], team[1].format("Pod")), ("neededlabels-pods", 'CREATE of Pod: no {"owner"}')],
        [(team[0], team[1].format("Service"))],
    ]


def test_templates_of_one_library_name_do_not_mix(start: Start) -> None:
    other = LABELS.replace("neededlabels", "otherlabels").replace("NeededLabels", "OtherLabels")
    other = other.replace("{key | object.metadata.labels[key]}", '{"owner"}')
    spec = "{parameters: {labels: [owner]}}"
    opa = start(LABELS, other, constraint("NeededLabels", "a", spec), constraint("OtherLabels", "b", spec))
    assert ask(opa, named("Pod", "p")) == [[("neededlabels-a", 'CREATE of Pod: no {"owner"}')]]


def test_the_inventory_has_what_all_render_to(start: Start) -> None:
    opa = start(HOSTS, constraint("UniqueHost", "hosts", "{match: {kinds: [{kinds: [Ingress]}]}}"))
    rules = {"rules": [{"host": "a.example"}]}
    first, second = (named("Ingress", n, "networking.k8s.io/v1", spec=rules) for n in ("first", "second"))
    assert ask(opa, first, second) == [
        [("uniquehost-hosts", "a.example is taken by news/second")],
        [("uniquehost-hosts", "a.example is taken by news/first")],
    ]
    assert ask(opa, first) == [[]]


def test_an_update_and_a_deletion_are_asked_about_with_the_old_object(start: Start) -> None:
    opa = start(REPLICAS, constraint("NothingLess", "replicas", "{}"))
    small, large = (named("Deployment", "web", "apps/v1", spec={"replicas": n}) for n in (1, 3))
    assert ask(opa, small) == [[]]
    assert ask(opa, small, operation="UPDATE", old=large) == [[("nothingless-replicas", "fewer replicas")]]
    assert ask(opa, large, operation="UPDATE", old=small) == [[]]
    assert ask(opa, small, operation="DELETE") == [[("nothingless-replicas", "web is deleted")]]


def test_a_template_that_does_not_compile_is_named_by_its_line_in_the_yaml(
    load: Load, tmp_path: Path
) -> None:
    broken = LABELS.replace("count(absent) > 0", "missing(absent)")
    loaded = load(
        broken, constraint("NeededLabels", "a", "{}"), HOSTS, constraint("UniqueHost", "hosts", "{}")
    )
    (problem,) = loaded.problems
    assert problem.where == f"{tmp_path}/policies/all.yaml:15"
    assert "undefined function missing" in problem.message
    assert [r.code for r in loaded.rules if r.constraint] == ["uniquehost-hosts"]


def test_a_template_has_no_network(load: Load, tmp_path: Path) -> None:
    asking = LABELS.replace("count(absent) > 0", 'http.send({"url": "u", "method": "get"})')
    (problem,) = load(asking, constraint("NeededLabels", "a", "{}")).problems
    assert problem.where == f"{tmp_path}/policies/all.yaml:15"
    assert "http.send is not there" in problem.message


def test_a_template_that_asks_a_provider_is_named(load: Load) -> None:
    asking = LABELS.replace("count(absent) > 0", 'external_data({"provider": "p", "keys": []})')
    (problem,) = load(asking, constraint("NeededLabels", "a", "{}")).problems
    assert "external_data is not there (it is a function of Gatekeeper, OPA has none)" in problem.message


def test_a_template_without_an_end_is_cut_off_where_it_was_asked_only(start: Start) -> None:
    endless = LABELS.replace(
        "count(absent) > 0",
        "numbers.range(1, 100000)[a] * numbers.range(1, 100000)[b] < 0",
    )
    spec = "{match: {kinds: [{kinds: [Pod]}]}, parameters: {labels: []}}"
    opa = start(endless, constraint("NeededLabels", "slow", spec), rule_limit=0.5)
    pod, service = ask(opa, named("Pod", "p"), named("Service", "s"))
    assert [code for code, _ in pod] == ["policy-too-slow"]
    assert service == []
