"""What becomes of an expectation: met, not met, not judged, about nobody, waived."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stage_support import declare, make_context, make_plan

from pytest_gitops.argocd import rbac as argocd
from pytest_gitops.argocd.rbac import Answer
from pytest_gitops.argocd.render import Rendered
from pytest_gitops.repository.discovery import FileEntry, discover
from pytest_gitops.settings.expectations import Expectation
from pytest_gitops.settings.waivers import WaiverEntry
from pytest_gitops.stages import rbac
from pytest_gitops.stages.codes import WAIVABLE
from pytest_gitops.stages.context import Context

APPLICATION = (
    "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web}\nspec: {project: default}\n"
)
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-rbac-cm}\ndata: {policy.csv: a}\n"

ASKED = Expectation(
    subject="role:dev", action="sync", resource="applications", object="shop/*", allowed=True,
    file="pytest-gitops.yaml", line=7,
)  # fmt: skip


class FakeRbac:
    """Gives one answer to everything."""

    given = Answer(allowed=True)
    nobody = ""
    data: Any = None

    def __init__(self, program: Path, directory: Path, *, data: Any, projects: Any) -> None:
        del program, directory, projects
        type(self).data = data

    def unknown(self, expectation: Expectation) -> str:
        del expectation
        return self.nobody

    def answer(self, expectation: Expectation) -> Answer:
        del expectation
        return self.given


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeRbac]:
    made = type("Fake", (FakeRbac,), {})
    monkeypatch.setattr(argocd, "Rbac", made)
    return made


def context_of(*expectations: Expectation, file: str = "", rendered: str = "", **settings: Any) -> Context:
    context = make_context()
    context.settings = replace(context.settings, rbac=expectations, **settings)
    case = declare(context, APPLICATION)
    context.plan = make_plan([case])
    texts = {"rbac.yaml": file.encode()} if file else {}
    found = discover([FileEntry(path=p) for p in texts], lambda paths: {p: texts[p] for p in paths})
    context.checkout.declarations = found
    if rendered:
        objects = [
            {"kind": "ConfigMap", "metadata": {"name": "argocd-rbac-cm"}, "data": {"policy.csv": rendered}}
        ]
        context.renders[case.id] = Rendered(objects=tuple(objects), source_types=(), revisions=())
    return context


def ask(context: Context) -> Any:
    (answered,) = rbac.survey(context, Path("argocd"), Path("run"))
    return answered.finding


def test_an_expectation_that_is_met_makes_no_finding(fake: type[FakeRbac]) -> None:
    assert ask(context_of(ASKED, file=CONFIG_MAP)) is None
    fake.given = Answer(allowed=False)
    assert ask(context_of(replace(ASKED, allowed=False), file=CONFIG_MAP)) is None


def test_an_expectation_that_is_not_met_says_what_was_expected_and_seen(fake: type[FakeRbac]) -> None:
    fake.given = Answer(allowed=False)
    finding = ask(context_of(ASKED, file=CONFIG_MAP))
    assert (finding.rule, finding.severity, finding.where) == (
        "rbac-expectation",
        "error",
        "pytest-gitops.yaml:7",
    )
    assert finding.message == "role:dev sync applications shop/*: expected allow, saw deny, by rbac.yaml:1"
    fake.given = Answer(allowed=True)
    finding = ask(context_of(replace(ASKED, allowed=False), file=CONFIG_MAP))
    assert finding.message == "role:dev sync applications shop/*: expected deny, saw allow, by rbac.yaml:1"


def test_what_argo_cd_does_not_judge_is_not_met_whatever_is_expected(fake: type[FakeRbac]) -> None:
    fake.given = Answer(trouble="'syn' is not a valid action for applications")
    for allowed in (True, False):
        finding = ask(context_of(replace(ASKED, allowed=allowed), file=CONFIG_MAP))
        assert finding.rule == "rbac-not-judged"
        assert "expected Argo CD to answer, saw: 'syn' is not a valid action" in finding.message


def test_an_expectation_about_nobody_is_not_met(fake: type[FakeRbac]) -> None:
    fake.nobody, fake.given = "role:dev", Answer(allowed=False)
    finding = ask(context_of(replace(ASKED, allowed=False), file=CONFIG_MAP))
    assert finding.rule == "rbac-subject-unknown"
    assert "expected a role that rbac.yaml:1 or an AppProject defines, saw role:dev" in finding.message


def test_what_an_application_renders_counts_before_a_file(fake: type[FakeRbac]) -> None:
    fake.given = Answer(allowed=False)
    finding = ask(context_of(ASKED, file=CONFIG_MAP, rendered="b"))
    assert fake.data == {"policy.csv": "b"}
    assert finding.message.endswith("by argocd-rbac-cm of Application argocd/web")
    ask(context_of(ASKED, file=CONFIG_MAP))
    assert fake.data == {"policy.csv": "a"}


def test_without_a_config_map_the_built_in_policy_answers(fake: type[FakeRbac]) -> None:
    fake.given = Answer(allowed=False)
    finding = ask(context_of(ASKED))
    assert fake.data == {}
    assert finding.message.endswith("by Argo CD's built-in policy (there is no argocd-rbac-cm)")


def test_a_waiver_holds_for_an_expectation(fake: type[FakeRbac]) -> None:
    fake.given = Answer(allowed=False)
    waivers = (WaiverEntry(rule="rbac-expectation", reason="until friday"),)
    finding = ask(context_of(ASKED, file=CONFIG_MAP, waivers=waivers))
    assert not finding.counts
    assert {"rbac-expectation", "rbac-not-judged", "rbac-subject-unknown"} <= set(WAIVABLE)


def test_nothing_is_started_where_nothing_is_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(argocd, "Rbac", None)
    assert rbac.survey(context_of(), Path("argocd"), Path("run")) == ()
