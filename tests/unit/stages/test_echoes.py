"""What Kubernetes' controllers write to counts once they have come to it: who is asked, and what is made of the answer."""

from __future__ import annotations

from typing import Any, cast

import pytest
from drive_support import LIMIT, Driver, case, manifest, state
from stage_support import OLD, make_context, make_plan

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.clusters.echo import Controller
from pytest_gitops.model import Case, Outcome
from pytest_gitops.repository.discovery import case_of
from pytest_gitops.stages import echoes, tracks
from pytest_gitops.stages.context import Context
from pytest_gitops.stages.echoes import Echoes

GATHERS = {"kind": "ClusterRole", "metadata": {"name": "reader"}, "aggregationRule": {}}
OWNED = {"kind": "ConfigMap", "metadata": {"name": "settings", "ownerReferences": [{"name": "gone"}]}}
PLAIN = {"kind": "ClusterRole", "metadata": {"name": "part"}, "rules": []}
REMOTE = "https://remote.example.com"


class FakeEcho:
    """Hears nothing until the test says so."""

    made: list[FakeEcho]

    def __init__(self, api: Any, controller: Controller) -> None:
        self.api, self.controller = api, controller
        self.answered, self.mute, self.closed = 0.0, "", False
        self.made.append(self)

    def heard(self, at: float) -> bool:
        return self.answered > at

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> list[FakeEcho]:
    monkeypatch.setattr(FakeEcho, "made", [], raising=False)
    monkeypatch.setattr(echoes, "Echo", FakeEcho)
    return FakeEcho.made


def context_of(
    one: Case,
    *objects: dict[str, Any],
    destinations: dict[str, Any] | None = None,
    bounds: dict[str, Any] | None = None,
) -> Context:
    context = make_context(api=cast(Any, "own"))
    context.destinations, context.bounds = destinations or {}, bounds or {}
    context.plan = make_plan([one])
    context.renders = {one.id: Rendered(objects=objects)}
    return context


@pytest.mark.parametrize(
    ("objects", "asked"),
    [
        ((PLAIN, {"kind": "ConfigMap"}, {"kind": "Secret", "metadata": None}), []),
        ((GATHERS,), [Controller.AGGREGATION]),
        ((OWNED, OWNED), [Controller.COLLECTOR]),
    ],
)
def test_who_writes_to_what_it_renders_is_asked(
    made: list[FakeEcho], objects: tuple[dict[str, Any], ...], asked: list[Controller]
) -> None:
    one = case("web")
    found = Echoes(context_of(one, *objects))
    silent = found.silent(one, 1.0, 2.0)
    assert silent == (asked[0].value if asked else "")
    assert [(e.controller, e.api) for e in made] == [(c, "own") for c in asked]
    for each in made:
        each.answered = 1.5
    assert found.silent(one, 1.0, 2.0) == ""
    assert len(made) == len(asked)
    found.close()
    assert all(e.closed for e in made)


def placed(destination: dict[str, str]) -> Case:
    application = manifest("web")
    application["spec"]["destination"] = {"namespace": "web", **destination}
    return case_of(application, control="argocd", file="web.yaml", line=1)


def test_it_is_asked_where_the_object_is(made: list[FakeEcho]) -> None:
    one = placed({"server": REMOTE})
    found = Echoes(context_of(one, GATHERS, destinations={REMOTE: "remote"}))
    assert found.silent(one, 1.0, 2.0)
    assert [e.api for e in made] == ["remote"]


def test_on_a_cluster_that_others_use_nothing_is_written(made: list[FakeEcho]) -> None:
    one = placed({"server": REMOTE})
    found = Echoes(context_of(one, GATHERS, destinations={REMOTE: "remote"}, bounds={REMOTE: "bounds"}))
    assert found.silent(one, 1.0, 2.0) == ""
    assert made == []


def test_an_application_that_is_owned_may_be_deleted_where_argo_cd_is(made: list[FakeEcho]) -> None:
    application = manifest("web")
    application["metadata"]["ownerReferences"] = [{"name": "gone"}]
    one = case_of(application, control="argocd", file="web.yaml", line=1)
    context = context_of(one)
    context.renders = {}
    assert Echoes(context).silent(one, 1.0, 2.0) == Controller.COLLECTOR.value
    assert [e.api for e in made] == ["own"]


def test_who_cannot_be_asked_is_waited_for_for_long(made: list[FakeEcho]) -> None:
    one = case("web")
    found = Echoes(context_of(one, GATHERS))
    assert found.silent(one, 1.0, 1.0 + tracks.QUIET)
    made[0].mute = "a policy is against it"
    assert found.silent(one, 1.0, tracks.QUIET)
    assert found.silent(one, 1.0, 1.0 + tracks.QUIET) == ""


def test_it_is_green_once_they_have_come_to_it(monkeypatch: pytest.MonkeyPatch, made: list[FakeEcho]) -> None:
    driver = Driver(monkeypatch, [case("web"), case("plain")], renders={"web": [GATHERS], "plain": [PLAIN]})
    for name in ("web", "plain"):
        driver.see(name, state(name))
    driver.after(10 * tracks.SETTLE)
    assert [key for key, _ in driver.answers.given] == ["argocd/plain"]
    made[0].answered = driver.at
    driver.after(1)
    assert driver.of("web").outcome is Outcome.PASSED


def test_an_answer_to_before_it_was_in_order_again_does_not_count(
    monkeypatch: pytest.MonkeyPatch, made: list[FakeEcho]
) -> None:
    driver = Driver(monkeypatch, [case("web")], renders={"web": [GATHERS]})
    driver.see("web", state("web"))
    driver.after(1)
    made[0].answered = driver.at
    driver.see("web", state("web", sync="OutOfSync"))
    driver.after(1)
    driver.see("web", state("web"))
    driver.after(10 * tracks.SETTLE)
    assert driver.none_given()


def test_who_never_comes_to_it_is_named_and_it_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("web")], renders={"web": [GATHERS]})
    driver.see("web", state("web"))
    driver.after(LIMIT + 2 * tracks.ASK_AGAIN)
    result = driver.of("web")
    assert (result.outcome, result.code) == (Outcome.ERROR, "not-reconciled")
    assert result.message.startswith(f"{Controller.AGGREGATION.value} has not got to it within 30")


def test_who_was_waited_for_earlier_is_not_blamed_for_what_argo_cd_has_not_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = Driver(monkeypatch, [case("web")], renders={"web": [GATHERS]})
    driver.see("web", state("web"))
    driver.after(1)
    driver.see("web", state("web", revision=OLD))
    driver.after(LIMIT + 2 * tracks.ASK_AGAIN)
    result = driver.of("web")
    assert (result.outcome, result.code) == (Outcome.ERROR, "not-reconciled")
    assert result.message.startswith("Argo CD has not got to it within ")
