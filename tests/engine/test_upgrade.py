"""upgrade, on the real Argo CD: each defect is one that only the way from base to head, or back, brings to light.

One pull request holds all of them, each Application with a namespace of its own, so none is another's fault.
"""

from __future__ import annotations

from typing import Any

import pytest
import upgrade_changes as changes
import upgrade_moves as moves
import upgrade_options as options
from runs import Outcome, gitops
from upgrade_support import joined, pull
from upgrade_twins import RED

from pytest_gitops.report.reading import cause_of

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = pull(
        tmp_path_factory.mktemp("pull-request") / "shop",
        base=joined(changes.BASE, moves.BASE, options.BASE),
        head=joined(changes.HEAD, moves.HEAD, options.HEAD),
    )
    return gitops(folder, "--gitops-base", "main", "--gitops-stages", "converge,upgrade", "-v")


def verdict(result: Outcome, name: str) -> tuple[str, str | None]:
    found = result.stage(f"argocd/{name}", "upgrade")
    return found["outcome"], found["code"]


def evidence(result: Outcome, name: str) -> dict[str, Any]:
    found: dict[str, Any] = result.stage(f"argocd/{name}", "upgrade")["evidence"]
    return found


def counting(result: Outcome, name: str) -> list[tuple[str, str, int]]:
    found = result.stage(f"argocd/{name}", "upgrade")["findings"]
    return [(f["rule"], f["file"], f["line"]) for f in found if f["severity"] == "error"]


GREEN = (
    *(
        "plain",
        "apart",
        "keeps",
        "manual",
        "hook-green",
        "leaves",
        "added",
        "parent",
        "child",
        "child-leaves",
    ),
    *("landlord", "landlord-fair", "lodger-stays"),
    *("hashed", "asks", "asks-at-its-end", "owned-claims", "careless"),
)
MOVED = (
    *("project", "passed-on", "handed-down", "parent-one", "parent-two"),
    *("city-lisbon", "city-porto", "city-evora", "town-tavira", "village-elvas"),
)


@pytest.mark.parametrize("name", GREEN)
def test_what_survives_the_merge_and_its_revert_passes(upgraded: Outcome, name: str) -> None:
    assert verdict(upgraded, name) == ("passed", None), upgraded.output


def test_what_head_does_not_have_is_pruned_and_nothing_else_is(upgraded: Outcome) -> None:
    assert evidence(upgraded, "plain")["pruned"] == ["ConfigMap plain/old"]
    assert "recreated" not in evidence(upgraded, "plain")
    for name in ("leaves", "child-leaves"):
        assert evidence(upgraded, name)["pruned"] == [f"ConfigMap {name}/settings"]


@pytest.mark.parametrize("name", ["keeps", "manual"])
def test_what_may_not_be_pruned_is_kept_and_said(upgraded: Outcome, name: str) -> None:
    assert evidence(upgraded, name)["kept"] == [f"ConfigMap {name}/old"]
    (finding,) = upgraded.stage(f"argocd/{name}", "upgrade")["findings"]
    assert (finding["rule"], finding["severity"]) == ("kept-object", "info")


def test_what_is_named_by_what_is_in_it_is_kept_where_nobody_prunes(upgraded: Outcome) -> None:
    (kept,) = evidence(upgraded, "hashed")["kept"]
    assert kept.startswith("ConfigMap hashed/settings-")
    (finding,) = upgraded.stage("argocd/hashed", "upgrade")["findings"]
    assert (finding["rule"], finding["severity"]) == ("kept-object", "info")


@pytest.mark.parametrize(("name", "gone"), [("asks", "old"), ("asks-at-its-end", "settings")])
def test_what_somebody_has_to_confirm_is_confirmed(upgraded: Outcome, name: str, gone: str) -> None:
    assert evidence(upgraded, name)["pruned"] == [f"ConfigMap {name}/{gone}"]
    assert evidence(upgraded, name)["confirmed"] is True
    assert "confirmed" not in evidence(upgraded, "plain")


def test_what_should_be_pruned_and_is_not_is_found(upgraded: Outcome) -> None:
    (finding,) = upgraded.stage("argocd/uncounted", "upgrade")["findings"]
    assert (
        "ConfigMap uncounted/old: expected it to be deleted, for head does not have it" in finding["message"]
    )
    assert "IgnoreExtraneous" in finding["help"]


def test_what_is_broken_at_base_is_no_fault_of_head(upgraded: Outcome) -> None:
    assert verdict(upgraded, "broken") == ("skipped", "base-broken")
    assert upgraded.stage("argocd/broken", "converge")["outcome"] == "passed"


@pytest.mark.parametrize("name", RED)
def test_a_defect_is_seen_by_upgrade_alone_with_its_place_and_its_cause(upgraded: Outcome, name: str) -> None:
    code, place, cause = RED[name]
    *before, last = upgraded.applications[f"argocd/{name}"]["stages"]
    assert {s["outcome"] for s in before} <= {"passed"}
    assert (last["stage"], last["outcome"], last["code"]) == ("upgrade", "failed", code), upgraded.output
    assert [(rule, f"{file}:{line}") for rule, file, line in counting(upgraded, name)] == [(code, place)]
    known = cause_of(last)  # as reports show it
    assert (known["class"] if known else "") == cause
    assert not known or f"  cause    {known['cause']}" in last["message"]


def test_claims_that_go_with_their_stateful_set_are_lost_when_it_is_made_anew(upgraded: Outcome) -> None:
    (found,) = upgraded.stage("argocd/replaced-set", "upgrade")["findings"]
    assert found["resource"] == "PersistentVolumeClaim replaced-set/data-db-0"


def test_what_cannot_go_back_is_found_though_it_upgrades(upgraded: Outcome) -> None:
    assert evidence(upgraded, "one-way")["head"]["outcome"] == "passed"


@pytest.mark.parametrize("name", ["orphans", "child-orphans", "left-alone"])
def test_what_a_removed_application_leaves_behind_is_named(upgraded: Outcome, name: str) -> None:
    found = [f["resource"] for f in upgraded.stage(f"argocd/{name}", "upgrade")["findings"]]
    assert found == [f"ConfigMap {name}/settings"]


def test_a_removed_root_that_does_not_go_is_found_with_what_holds_it(upgraded: Outcome) -> None:
    assert verdict(upgraded, "held") == ("failed", "not-deleted"), upgraded.output
    assert counting(upgraded, "held") == [("not-deleted", "held/settings.yaml", 1)]
    message = upgraded.stage("argocd/held", "upgrade")["message"]
    assert (
        "Application argocd/held: expected it to end when it is deleted, saw it still there 24 s after the last that "
        "went: ConfigMap held/settings is held by the finalizer example.com/hold, which nobody takes away"
    ) in message
    assert "pruned" not in evidence(upgraded, "held")
    assert evidence(upgraded, "held")["rollback"] == {}  # what has not ended cannot come back


def test_what_goes_with_the_namespace_of_another_one_is_found(upgraded: Outcome) -> None:
    assert (
        "ConfigMap lodger/settings: expected it to live on, for head has it, saw it deleted by the upgrade with "
        "Namespace lodger, which Application argocd/landlord had at base"
    ) in upgraded.stage("argocd/lodger", "upgrade")["message"]
    assert evidence(upgraded, "landlord-fair")["kept"] == ["Namespace lodger-stays"]


def test_each_phase_keeps_its_timeline(upgraded: Outcome) -> None:
    for phase in ("base", "head", "rollback"):
        told = evidence(upgraded, "plain")[phase]
        assert (told["outcome"], told["sync"], told["health"]) == ("passed", "Synced", "Healthy")
        assert told["timeline"][-1]["health"] == "Healthy"


@pytest.mark.parametrize("name", MOVED)
def test_what_moves_well_passes(upgraded: Outcome, name: str) -> None:
    assert verdict(upgraded, name) == ("passed", None), upgraded.output


def test_what_the_old_parent_deletes_before_the_new_one_has_it_is_lost(upgraded: Outcome) -> None:
    assert set(evidence(upgraded, "handed-over")["recreated"]) == {
        "Deployment handed-over/db",
        "PersistentVolumeClaim handed-over/data",
    }
    assert "recreated" not in evidence(upgraded, "handed-down")
    assert (
        "its data is gone. argocd/parent-one deleted Application argocd/handed-over, and argocd/parent-two made it anew"
        in upgraded.stage("argocd/handed-over", "upgrade")["message"]
    )


def test_what_a_generator_lets_go_is_deleted_with_its_objects(upgraded: Outcome) -> None:
    assert evidence(upgraded, "city-porto")["pruned"] == ["ConfigMap city-porto/settings"]
    assert evidence(upgraded, "city-porto")["rollback"]["outcome"] == "passed"


def test_what_a_generator_lets_go_and_means_to_leave_stays(upgraded: Outcome) -> None:
    assert evidence(upgraded, "town-tavira")["kept"] == ["ConfigMap town-tavira/settings"]
    (finding,) = upgraded.stage("argocd/town-tavira", "upgrade")["findings"]
    assert "as ApplicationSet argocd/towns says" in finding["message"]


def test_what_a_set_may_not_change_is_not_waited_for(upgraded: Outcome) -> None:
    assert verdict(upgraded, "hamlet-sortelha") == ("skipped", "not-updated"), upgraded.output
    assert (
        "stays as it was made: ApplicationSet argocd/hamlets changes no Application that is there "
        "(applicationsSync: create-only)"
    ) in upgraded.stage("argocd/hamlet-sortelha", "upgrade")["message"]
    colours = [r for r in evidence(upgraded, "village-elvas")["head"]["timeline"] if r["sync"] == "OutOfSync"]
    assert colours  # what is in its folder it does get


@pytest.mark.parametrize("name", ["allowed", "partly", "last", "served"])
def test_what_may_be_changed_is_changed_where_it_is(upgraded: Outcome, name: str) -> None:
    assert verdict(upgraded, name) == ("passed", None), upgraded.output
    assert "recreated" not in evidence(upgraded, name)


def test_only_what_is_out_of_sync_is_applied(upgraded: Outcome) -> None:
    applied = [o["object"] for o in evidence(upgraded, "partly")["head"]["operationObjects"]]
    assert applied == ["ConfigMap partly/changes"]


def test_what_is_to_go_last_goes(upgraded: Outcome) -> None:
    assert evidence(upgraded, "last")["pruned"] == ["ConfigMap last/old"]


def test_what_is_to_go_last_stays_if_the_rest_never_gets_healthy(upgraded: Outcome) -> None:
    """It has the room that the rest waits for."""
    assert upgraded.stage("argocd/last-full", "converge")["outcome"] == "passed"
    assert verdict(upgraded, "last-full") == ("failed", "sync-failed"), upgraded.output
    assert counting(upgraded, "last-full")[0] == ("sync-failed", "last-full/new.yaml", 1)
    head = evidence(upgraded, "last-full")["head"]
    assert head["cause"]["class"] == "quota-exceeded"
    assert "Deployment last-full/old" in {r["object"] for r in head["tree"]}
    assert "pruned" not in evidence(upgraded, "last-full")
