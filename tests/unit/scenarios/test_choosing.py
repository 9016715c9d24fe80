"""Which scenarios are asked."""

from __future__ import annotations

from pytest_gitops.scenarios.choosing import asked, left_alone
from pytest_gitops.scenarios.parsing import parse
from pytest_gitops.scenarios.values import Scenario


def scenario(step: str) -> Scenario:
    text = f"scenarios:\n- name: s\n  steps:\n  - {step}\n"
    (found,) = parse(text.encode(), file="a.gitops-test.yaml", applications=["argocd/a"])
    return found


LIVE, DRAWN = scenario("wait: a"), scenario("render: {application: a, absent: [{kind: Secret}]}")


def test_a_scenario_goes_with_the_family_of_stages_that_it_belongs_to() -> None:
    both = [LIVE, DRAWN]
    assert asked(both, ["converge"]) == (LIVE,)
    assert asked(both, ["source", "policy"]) == (DRAWN,)
    assert asked(both, ["render", "idempotent"]) == (LIVE, DRAWN)


def test_what_is_about_nothing_that_changes_is_left_alone() -> None:
    def alone(step: str, *changed: str, differs: bool = False) -> bool:
        return bool(left_alone([scenario(step)], changed, differs=lambda _: differs))

    assert alone("wait: a", "argocd/b")
    assert not alone("wait: a", "argocd/a")
    assert not alone("wait: argocd/a", "argocd/a")
    assert not alone("wait: a", "argocd/b", differs=True)
    assert not alone("checkout: base", "argocd/b")
    assert not alone("rbac: {subject: x, action: get, resource: logs, expect: deny}", "argocd/b")


def test_the_golden_files_of_a_scenario_are_its_own() -> None:
    held = scenario("render: {application: a, golden: a.gitops-golden.yaml}")
    assert held.files == ("a.gitops-test.yaml", "a.gitops-golden.yaml")
    for file in held.files:
        assert (
            left_alone([held], ["argocd/b"], differs=lambda f, differing=file: f == differing) == frozenset()
        )
    assert left_alone([held], ["argocd/b"], differs=lambda _: False) == {held.id}
