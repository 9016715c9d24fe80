"""What several versions say, as one judgement."""

from __future__ import annotations

from typing import Any

from pytest_gitops.admission.definitions import REMOVED
from pytest_gitops.admission.values import Hit, Judgement
from pytest_gitops.admission.versions import merged
from pytest_gitops.model import Severity

FIRST, SECOND = {"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}


def hit(message: str, *, rule: str = "odd", severity: Severity = Severity.ERROR, of: Any = FIRST) -> Hit:
    return Hit(rule=rule, severity=severity, message=message, manifest=of)


def judgement(version: str, *hits: Hit, objects: int = 2, pods: int = 1) -> Judgement:
    return Judgement(hits=hits, objects=objects, pods=pods, versions=(version,))


def test_what_all_say_is_said_once_and_what_one_says_with_its_version() -> None:
    both = hit("both")
    found = merged([judgement("1.36.3", both, hit("old")), judgement("1.37.2", both, hit("new"), pods=4)])
    assert [h.message for h in found.hits] == ["Kubernetes 1.36.3: old", "Kubernetes 1.37.2: new", "both"]
    assert (found.versions, found.objects, found.pods) == (("1.36.3", "1.37.2"), 2, 4)


def test_what_only_a_version_can_mean_always_names_it() -> None:
    gone = hit("gone", rule=REMOVED)
    assert merged([judgement("1.37.2", gone)]).hits[0].message == "Kubernetes 1.37.2: gone"
    (both,) = merged([judgement("1.36.3", gone), judgement("1.37.2", gone)]).hits
    assert both.message == "Kubernetes 1.36.3 and 1.37.2: gone"


def test_hits_come_in_the_order_of_the_objects_errors_first() -> None:
    wrong = hit("no object", of=None)
    mild = hit("mild", severity=Severity.WARNING)
    found = merged(
        [judgement("1.37.2", hit("second", of=SECOND), mild, hit("first"))],
        wrong=[wrong],
        objects=[FIRST, SECOND],
    )
    assert [h.message for h in found.hits] == ["no object", "first", "mild", "second"]


def test_nothing_asked_is_nothing_said() -> None:
    assert merged([]) == Judgement()
