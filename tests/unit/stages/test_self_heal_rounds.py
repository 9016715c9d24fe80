"""self-heal: which drifts are made together, and what is told when one of them goes wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from stage_support import declare, make_context, make_plan
from test_self_heal import APPLICATION

from pytest_gitops.argocd.convergence import Observation, State
from pytest_gitops.model import Finding
from pytest_gitops.stages import self_heal
from pytest_gitops.stages.drifting import Tried
from pytest_gitops.stages.drifts import UNSAID, Choice, Drift, Expected, Sort
from pytest_gitops.stages.edits import Edit
from pytest_gitops.stages.following import Following
from pytest_gitops.stages.live import Ref

GOOD = Observation(state=State.CONVERGED)
BAD = Observation(state=State.STUCK, code="sync-failed", message="exceeded quota: few", sync="Synced")


class FakeDrifting:
    """Does what `says` of an object: "" (it is undone), "fails" (it is not), "ails" (it is, and the Application does not
    become Healthy), "crowd" (it fails beside others alone), "others" (something else undoes it). `lasting` says that
    what ails goes on."""

    def __init__(self, says: Mapping[str, str], *, lasting: bool = False) -> None:
        self.says, self.lasting = says, lasting
        self.did: list[str] = []
        self._now: list[str] = []  # what has drifted since it was made ready

    def ready(self) -> None:
        self.did.append("ready")
        self._now = []

    def make(self, drift: Drift) -> Tried | str:
        if self.says.get(drift.ref.name) == "refused":
            return "the API server does not take the drift"
        self.did.append(f"{drift.sort.name.lower()} {drift.ref.name}")
        self._now.append(drift.ref.name)
        return Tried(
            drift=drift,
            expected=drift.expected,
            before={},
            syncs=0,
            began=0.0,
            edit=next(iter(drift.edits), None),
        )

    def undone(self, tried: Tried) -> Observation:
        says = self.says.get(tried.ref.name, "")
        if says == "fails" or (says == "crowd" and len(self._now) > 1):
            return BAD
        tried.undone, tried.by_others = 1.0, says == "others"
        return BAD if says == "ails" else GOOD

    def left_alone(self, tried: Tried) -> bool:
        self.did.append(f"left {tried.ref.name}")
        return True

    def restore(self, tried: Tried) -> None:
        self.did.append(f"restore {tried.ref.name}")

    def settled(self) -> Observation:
        return BAD if self.lasting else GOOD


def drift(name: str, sort: Sort = Sort.EDITED, expected: Expected = Expected.UNDONE) -> Drift:
    ref = Ref(api_version="v1", kind="ConfigMap", namespace="web", name=name)
    edits = (Edit(path=("data", "mode"), old="grid", new="other"),) if sort is Sort.EDITED else ()
    return Drift(ref=ref, sort=sort, expected=expected, edits=edits)


def go(
    fake: FakeDrifting,
    *groups: Drift | tuple[Drift, ...],
    argocd_cm: Mapping[str, str] | None = None,
    choice: Choice | None = None,
) -> tuple[list[Finding], list[str], Choice]:
    """What is found, the objects of what was tried, and the choice, after all rounds."""
    context = make_context({}, api=SimpleNamespace(get=lambda *_, **__: {"items": []}))
    case = declare(context, APPLICATION)
    context.plan, context.argocd_cm = make_plan([case]), argocd_cm or {}
    check = self_heal._Check(context, cast(Any, None))
    choice = choice or Choice()
    choice.groups = [g if isinstance(g, tuple) else (g,) for g in groups]
    seen = self_heal._Seen([], {"selfHeal": True})
    for together in check._rounds(choice):
        if check._round(case, seen, cast(Any, fake), choice, together):
            break
    return seen.findings, [t.ref.name for t in seen.tried], choice


def test_fields_drift_together_then_objects_go_together() -> None:
    fake = FakeDrifting({})
    groups = [drift("a"), drift("b", Sort.SCALED), drift("c", Sort.DELETED), drift("d", Sort.DELETED)]
    findings, tried, _ = go(fake, *groups)
    assert fake.did == ["ready", "edited a", "scaled b", "ready", "deleted c", "deleted d"]
    assert (findings, tried) == ([], ["a", "b", "c", "d"])


def test_what_is_to_be_left_or_only_seen_drifts_alone() -> None:
    fake = FakeDrifting({})
    left = [drift("a", Sort.ADDED, Expected.LEFT), drift("b", expected=Expected.LEFT)]
    go(fake, *left, drift("c"))
    assert fake.did == ["ready", "added a", "left a", "ready", "edited b", "left b", "ready", "edited c"]


def test_where_argo_cd_is_not_told_of_some_updates_each_drifts_alone() -> None:
    fake = FakeDrifting({})
    config = {"resource.customizations": "v1/ConfigMap: {ignoreResourceUpdates: {jsonPointers: [/data]}}"}
    go(fake, drift("a"), drift("b"), argocd_cm=config)
    assert fake.did == ["ready", "edited a", "ready", "edited b"]


def test_what_cannot_be_made_has_a_substitute_and_holds_nobody_up() -> None:
    fake = FakeDrifting({"a": "refused", "c": "refused"})
    _, tried, choice = go(fake, (drift("a"), drift("b")), drift("c"))
    assert tried == ["b"]
    assert [r.name for refs in choice.peace.values() for r in refs] == ["a", "c"]


def test_what_was_tried_in_the_place_of_another_is_not_told_as_not_tried() -> None:
    choice = Choice(untried={Sort.EDITED: [drift(n).ref for n in "bcd"]})
    go(
        FakeDrifting({"a": "refused", "b": "refused"}),
        (drift("a"), drift("b"), drift("c"), drift("d")),
        choice=choice,
    )
    assert [r.name for r in choice.untried[Sort.EDITED]] == ["d"]


def test_of_several_the_one_that_goes_wrong_is_found_by_making_each_alone() -> None:
    fake = FakeDrifting({"b": "fails"})
    (finding,), tried, _ = go(fake, drift("a"), drift("b"), drift("c"), drift("d", Sort.DELETED))
    assert (finding.rule, finding.resource) == ("drift-not-undone", "ConfigMap web/b")
    assert "together" not in finding.message
    assert fake.did[4:] == [
        "restore a", "restore b", "restore c",
        "ready", "edited a", "ready", "edited b", "restore b",
    ]  # fmt: skip
    assert tried == ["a", "b"]


def test_what_goes_wrong_in_a_crowd_alone_is_no_failure() -> None:
    fake = FakeDrifting({"a": "crowd"})
    findings, tried, _ = go(fake, drift("a"), drift("b"), drift("c", Sort.DELETED))
    assert (findings, tried) == ([], ["a", "b", "c"])


@pytest.mark.parametrize("says", ["ails", "fails"])
def test_what_does_not_come_back_from_several_is_told_with_all_of_them(says: str) -> None:
    fake = FakeDrifting({"b": says}, lasting=True)
    (finding,), tried, _ = go(fake, drift("a", Sort.DELETED), drift("b", Sort.DELETED))
    assert finding.rule == {"ails": "unhealthy-after-drift", "fails": "drift-not-undone"}[says]
    assert finding.resource == "ConfigMap web/b"
    assert "  together with drift of ConfigMap web/a" in finding.message.splitlines()
    assert tried == ["a", "b"]


def test_what_others_undo_is_said_also_of_one_among_several() -> None:
    fake = FakeDrifting({"b": "others"})
    _, _, choice = go(fake, drift("a"), drift("b"))
    assert choice.peace == {(Sort.EDITED, "something else than Argo CD undoes it"): [drift("b").ref]}


def test_two_heals_of_one_second_are_two() -> None:
    context = make_context()
    case = declare(context, APPLICATION)
    following = Following(context, cast(Any, None), [case])
    for heals in (1, 1, None, 1, 1):  # between the two the count is taken back
        sync = {"autoHealAttemptsCount": heals, "resources": [{"kind": "ConfigMap", "name": "settings"}]}
        state = {"phase": "Succeeded", "startedAt": "2026-01-01T00:00:00Z", "operation": {"sync": sync}}
        following._note(case.key, {"metadata": {}, "status": {"operationState": state}})
    assert [s.heals for s in following.syncs(case)] == [1, 0, 1]


@pytest.mark.parametrize(
    ("sort", "why", "proven"),
    [
        (Sort.EDITED, "ignoreDifferences", True),
        (Sort.SCALED, "ignoreDifferences", True),
        (Sort.SCALED, UNSAID, False),
        (Sort.ADDED, "", False),
    ],
)
def test_what_nobody_wants_and_is_left_alone_proves_nothing(sort: Sort, why: str, proven: bool) -> None:
    made = replace(drift("a", sort, Expected.LEFT), why=why)
    tried = Tried(drift=made, expected=Expected.LEFT, before={}, syncs=0, began=0.0)
    assert self_heal._Seen([], {}, tried=[tried]).proven is proven
