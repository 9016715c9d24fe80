"""Which scenarios are asked: by the stages that are, and, where only what changes is judged, by what they are about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from pytest_gitops.model import REVIEW_STAGES, VERIFY_STAGES
from pytest_gitops.scenarios.values import Scenario


def asked(scenarios: Iterable[Scenario], stages: Collection[str]) -> tuple[Scenario, ...]:
    """Those that need a cluster where a stage of the verification is asked, all others where one of the review is."""
    reviews, verifies = (any(s in stages for s in family) for family in (REVIEW_STAGES, VERIFY_STAGES))
    return tuple(s for s in scenarios if (verifies if s.acts else reviews))


def left_alone(
    scenarios: Sequence[Scenario], changed: Collection[str], *, differs: Callable[[str], bool]
) -> frozenset[str]:
    """The ids of those that are about none of the `changed` Applications ("namespace/name") and of whose files none
    differs from base. One that is about no Application, or about the revision of all, is not among them."""
    names = {*changed, *(k.rsplit("/", 1)[-1] for k in changed)}
    return frozenset(
        s.id
        for s in scenarios
        if s.applications
        and not s.checks_out
        and not names & {*s.applications}
        and not any(map(differs, s.files))
    )
