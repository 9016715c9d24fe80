"""converge, where two Applications own one object: both fail, whichever of them Argo CD tells, and whenever."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from drive_support import LIMIT, Driver, case, state

from pytest_gitops.model import Outcome
from pytest_gitops.stages import tracks

SETTINGS = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}

CODE = "shared-resource"


def warned(name: str, other: str, what: str = "ConfigMap/settings", **more: Any) -> dict[str, Any]:
    """What Argo CD says to the one that does not have the object just now."""
    found = state(name, "OutOfSync", **more)
    message = f"{what} is part of applications argocd/{name} and {other}"
    found["status"]["conditions"] = [{"type": "SharedResourceWarning", "message": message}]
    return found


def test_what_the_owners_say_differently_is_named_with_its_path_and_both_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    renders = {
        "one": [{**SETTINGS, "data": {"mode": "day", "level": "1", "password": "a"}}],
        "two": [{**SETTINGS, "metadata": {"name": "settings", "namespace": "web"}, "data": {"mode": "night", "level": "2", "password": "b"}}],
    }  # fmt: skip
    driver = Driver(monkeypatch, [case("one"), case("two")], renders=renders)
    for name in ("one", "two"):
        driver.see(name, state(name))
    driver.see("two", warned("two", "one"))
    driver.after(1)
    for name in ("one", "two"):
        (finding,) = driver.of(name).findings
        assert finding.message.endswith(
            ", saw argocd/one and argocd/two, which differ in data.mode: argocd/one says 'day', argocd/two 'night', "
            "and in 2 more"
        )
        assert "  differs  data.level: argocd/one says '1', argocd/two '2'\n" in driver.of(name).message
        assert (
            "  differs  data.password: argocd/one and argocd/two each have another (value hidden)"
            in driver.of(name).message
        )


def driver_of(monkeypatch: pytest.MonkeyPatch, *names: str, **more: Any) -> Driver:
    return Driver(monkeypatch, [case(n) for n in names], renders={n: [SETTINGS] for n in names}, **more)


@pytest.mark.parametrize(("told", "other"), list(itertools.permutations(["one", "two"])))
@pytest.mark.parametrize("first", ["one", "two"])
def test_both_owners_fail_whichever_is_told_and_whichever_comes_first(
    monkeypatch: pytest.MonkeyPatch, told: str, other: str, first: str
) -> None:
    driver = driver_of(monkeypatch, "one", "two")
    driver.see(first, state(first))
    driver.after(tracks.SETTLE + 5)
    assert driver.none_given()  # the other one has not come yet
    driver.see(other, state(other))
    driver.see(told, warned(told, other))
    driver.after(1)
    for name in ("one", "two"):
        result = driver.of(name)
        assert (result.outcome, result.code) == (Outcome.FAILED, CODE)
        (finding,) = result.findings
        assert (finding.rule, finding.file, finding.line) == (CODE, f"{name}.yaml", 1)
        assert finding.resource == "ConfigMap web/settings"
        assert finding.message == (
            "ConfigMap web/settings: expected one Application to own it, saw argocd/one and argocd/two"
        )
        assert finding.help == "keep the object in one of them"
        assert result.message == (
            f"{name}.yaml:1: Application argocd/{name} claims an object that another one claims too\n"
            f"  Argo CD  SharedResourceWarning: ConfigMap/settings is part of applications argocd/{told} and {other}\n"
            f"  object   {finding.message}\n"
            "  cause    two Applications own one object\n"
            "  next     keep the object in one of them"
        )


def test_what_argo_cd_says_once_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = driver_of(monkeypatch, "one", "two")
    driver.see("one", state("one"))
    driver.see("two", warned("two", "one", phase="Running"))  # seen while it works, and gone before we look
    driver.see("two", state("two"))
    driver.after(1)
    assert {driver.of(n).code for n in ("one", "two")} == {CODE}


def test_a_third_owner_that_is_not_there_yet_fails_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = driver_of(monkeypatch, "one", "two", "three")
    driver.see("two", warned("two", "one"))
    driver.after(1)
    owners = "saw argocd/one, argocd/three and argocd/two"
    assert all(owners in driver.of(n).message for n in ("one", "two", "three"))


def test_an_owner_waits_for_the_other_and_passes_when_argo_cd_has_nothing_to_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = driver_of(monkeypatch, "one", "two")
    driver.see("one", state("one"))
    driver.after(tracks.QUIET + 5)
    driver.see("two", state("two"))
    driver.after(tracks.QUIET - 1)
    assert driver.none_given()
    driver.after(2)
    assert {driver.of(n).outcome for n in ("one", "two")} == {Outcome.PASSED}


def test_an_owner_does_not_wait_for_one_that_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = driver_of(monkeypatch, "one", "two")
    driver.see("one", state("one"))
    driver.see("two", state("two", "OutOfSync", "Missing", "Failed"))
    driver.after(2 * tracks.QUIET)
    assert driver.of("two").code == "sync-failed"
    assert driver.of("one").outcome is Outcome.PASSED


def test_an_owner_that_came_late_has_its_time_beyond_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = driver_of(monkeypatch, "one", "two")
    driver.see("one", state("one"))
    driver.see("two", state("two", health="Progressing"))
    driver.after(tracks.STILL - 1)
    for number in range(int((LIMIT - tracks.STILL) / 10)):
        driver.see("two", state("two", health="Progressing", phase=f"Running{number}"))
        driver.after(9.9)
    driver.see("two", state("two"))
    driver.after(tracks.QUIET + 5)
    assert {driver.of(n).outcome for n in ("one", "two")} == {Outcome.PASSED}


def test_a_warning_about_an_object_that_no_other_render_has_is_of_the_one_that_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = driver_of(monkeypatch, "one", "two")
    driver.see("one", state("one"))
    driver.see("two", warned("two", "elsewhere", "Secret/made"))
    driver.after(tracks.QUIET + 1)
    assert driver.of("two").code == CODE
    assert "SharedResourceWarning: Secret/made is part of applications" in driver.of("two").message
    assert driver.of("one").outcome is Outcome.PASSED


def test_who_shares_nothing_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch, [case("one"), case("two")], renders={"one": [SETTINGS]})
    driver.see("one", state("one"))
    driver.after(tracks.SETTLE)
    assert driver.of("one").outcome is Outcome.PASSED


def test_one_that_is_there_for_others_only_counts_and_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [case("parent"), case("child", "parent")]
    renders = {c.name: [SETTINGS] for c in cases}
    driver = Driver(monkeypatch, cases, judged=["child"], renders=renders)
    driver.see("child", state("child"))
    driver.see("parent", warned("parent", "child"))
    driver.after(1)
    assert [k for k, _ in driver.answers.given] == ["argocd/child"]
    assert driver.of("child").code == CODE
