"""Why Argo CD says what it says: known causes behind its messages, and what to do about each.

`cause_of` is a pure function. The first pattern that fits counts, and last what only comes of something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from pytest_gitops.argocd.known_causes import KNOWN, Cause
from pytest_gitops.argocd.symptoms import MISSING, SYMPTOMS

_OURS = re.compile(
    r"failed to initialize sync context|failed to generate temp file|code = Unavailable|transport: Error while dialing"
    r"|error synchronizing cache state : .*(?:context deadline exceeded|Client\.Timeout exceeded|i/o timeout)"
)
"""What Argo CD says when it is it that cannot work: its own files, its repo-server, the way to a cluster, or one that
does not answer in time."""

_BY_CODE = {
    "slow": Cause(
        id="deadline-exceeded",
        name="it is slow: it was still getting on when its time was up",
        next="give it more time: `timeouts:` in pytest-gitops.yaml, or the annotation pytest-gitops/timeout on the "
        "Application; or see what it waits for",
    ),
    "sync-window": Cause(
        id="sync-window",
        name="a sync window of its AppProject is closed",
        next="run the test when the window is open, or keep windows out of the AppProject that is tested",
    ),
    "out-of-sync": Cause(
        id="differs-after-sync",
        name="the live object differs from the manifest after every apply",
        next="something changes it after each sync, or the API server drops a field: compare with `argocd"
        " app diff`, remove the field, or add an ignoreDifferences entry",
    ),
    "never-created": Cause(
        id="parent",
        name="its parent did not create it",
        next="see the parent's own verdict: its sync failed or did not reach this wave",
    ),
    "hooks-never-run": Cause(
        id="hooks-only",
        name="automation never begins a sync of nothing but hooks: Argo CD compares none, so it is Synced at once",
        next="give it an object that is compared too, or make the hook an ordinary object; or leave automation out: a "
        "sync that somebody starts runs them",
    ),
    "suspended": Cause(id="paused", name="it is paused", next="resume it: a paused object is never Healthy"),
    "progressing": Cause(
        id="not-coming-up",
        name="it did not come up",
        next="see the object's events; on the embedded cluster Pods become ready at once, and of a custom resource "
        "that waits for its controller `statuses:` in pytest-gitops.yaml says what it would say",
    ),
    "syncing": Cause(
        id="sync-unfinished",
        name="the sync does not end",
        next="see what it waits for: a hook, a wave that is not healthy, a deletion",
    ),
    "missing": MISSING,
    "degraded": Cause(
        id="degraded",
        name="the object itself says that it is broken",
        next="see its status; where the health is Lua of argocd-cm, see that",
    ),
    "deleted": Cause(
        id="deleted",
        name="somebody deleted the Application",
        next="see what deletes it: a hook, its parent's prune, or Kubernetes, for want of an owner (ownerReferences)",
    ),
    "deleting": Cause(
        id="finalizer",
        name="an object that is deleted does not go",
        next="see its finalizers, and whoever should take them away",
    ),
}


def is_ours(message: str) -> bool:
    """Whether `message` blames Argo CD's surroundings, which here are ours, and not what it was given."""
    return bool(_OURS.search(message))


@lru_cache(maxsize=256)  # asked at each look at an Application that waits
def is_for_good(message: str) -> bool:
    """Whether a sync that failed with `message` fails again whatever other Applications do meanwhile."""
    cause = cause_of("", message)
    return cause is not None and cause.for_good


def cause_of(code: str, message: str, events: Iterable[str] = ()) -> Cause | None:
    """The known cause behind `message`, else behind the newest of `events`; else what `message` says of what only
    comes of a cause (a rollout that is not done in time), else what `code` says. Slowness has no symptoms."""
    warned = tuple(events)
    for patterns, texts in (
        (KNOWN, (message, *reversed(warned))),
        (SYMPTOMS, () if code == "slow" else (message,)),
    ):
        for text in texts:
            for pattern, cause in patterns:
                if re.search(pattern, text):
                    return cause
    return _BY_CODE.get(code)
