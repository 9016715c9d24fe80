"""The stages, in their order. A stage is a file of this folder and a line of this list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_gitops.errors import ConfigError
from pytest_gitops.stages.base import Family, Stage


def all_stages() -> tuple[Stage, ...]:
    """Every stage there is."""
    from pytest_gitops.stages import (
        admit,
        change,
        converge,
        idempotent,
        policy,
        prune,
        render,
        self_heal,
        source,
        upgrade,
    )

    return (
        source,  # parses, fits Argo CD's CRD, and what it names exists
        render,  # the repo-server makes objects of it
        admit,  # the API server would take every object
        policy,  # OPA allows it
        change,  # what the pull request does, base against head
        converge,  # the real Argo CD makes it Synced and Healthy
        idempotent,  # and nothing changes when it is asked again
        self_heal,  # and drift is undone, or at least seen
        upgrade,  # what base settled at survives the change, and its revert
        prune,  # deleting it leaves nothing behind, and touches nothing else
    )


# Names alone, for collection: a worker never imports what a stage needs to run.
NAMES = (
    "source",
    "render",
    "admit",
    "policy",
    "change",
    "converge",
    "idempotent",
    "self-heal",
    "upgrade",
    "prune",
)
FAMILIES = {
    "source": Family.REVIEW,
    "render": Family.REVIEW,
    "admit": Family.REVIEW,
    "policy": Family.REVIEW,
    "change": Family.REVIEW,
    "converge": Family.VERIFY,
    "idempotent": Family.VERIFY,
    "self-heal": Family.VERIFY,
    "upgrade": Family.VERIFY,
    "prune": Family.VERIFY,
}

IN_TURN = ("converge", "idempotent", "self-heal", "prune")
"""Stages that act on one cluster: each begins when those before it are through for all, whatever they said."""

OF_BASE = ("change", "upgrade")
"""Stages that compare: without a base they are asked by name only."""

EMPTYING = ("prune",)
"""Stages that leave nothing to look at: where the cluster is kept they are asked by name only."""

OF_REMOVED = ("policy", "change", "upgrade")
"""Stages that are also asked of an Application that head does not have any more."""


def chosen(
    words: Iterable[str], *, where: str = "--gitops-stages", compares: bool = False, keeps: bool = False
) -> tuple[str, ...]:
    """The names that `words` mean (stages, `review`, `verify`, `all`), in the stages' order; `compares` says that
    there is a base, `keeps` that the cluster is to be looked at afterwards. Raises ConfigError."""
    named: set[str] = set()
    wanted: set[str] = set()
    for word in words:
        if word == "all":
            wanted.update(NAMES)
        elif word in {f.value for f in Family}:
            wanted.update(n for n in NAMES if FAMILIES[n].value == word)
        elif word in NAMES:
            named.add(word)
        else:
            known = ", ".join([*NAMES, *(f.value for f in Family), "all"])
            raise ConfigError(f"expected stages of {known}; saw {word!r}", where=where)
    if not compares:
        wanted.difference_update(OF_BASE)
    if keeps:
        wanted.difference_update(EMPTYING)
    return tuple(n for n in NAMES if n in wanted | named)


def with_needs(name: str, stages: Sequence[Stage]) -> tuple[str, ...]:
    """The stages that must have passed before `name` is asked, the first ones first."""
    by_name = {s.name: s for s in stages}
    found: list[str] = []
    for need in by_name[name].needs:
        found += [n for n in (*with_needs(need, stages), need) if n not in found]
    return tuple(found)


def before(name: str, stages: Sequence[Stage]) -> tuple[str, ...]:
    """The stages that must be through, whatever they said, before `name` begins: what it needs, and whose turn on the
    cluster comes first."""
    needed = with_needs(name, stages)
    turn = IN_TURN[: IN_TURN.index(name)] if name in IN_TURN else ()
    return tuple(s.name for s in stages if s.name in {*needed, *turn})
