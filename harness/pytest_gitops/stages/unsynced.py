"""Changes that no sync brings to the cluster: of fields that `ignoreDifferences` has Argo CD not compare.

Argo CD syncs what is OutOfSync, and by such a field nothing is. Where something else of the Application is, the sync
writes the whole object, unless the sync option RespectIgnoreDifferences keeps the field as the cluster has it, or
ApplyOutOfSyncOnly passes over the object (docs/user-guide/sync-options.md of Argo CD).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_gitops.changes.values import ApplicationChange, ChangeKind, ObjectChange
from pytest_gitops.model import Case, Finding, Severity
from pytest_gitops.repository.sources import sync_options
from pytest_gitops.shapes import some
from pytest_gitops.stages.placing import place

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

FILLED = "caBundle"
"""The field that others fill in, and that charts make anew with every rendering; so are Secrets."""

SHOWN = 3
"""As many fields as a message names."""

HELP = (
    "take the field out of ignoreDifferences where git is to decide it, or out of the manifest where others do; to "
    "have this change once, sync the Application by hand, without RespectIgnoreDifferences=true"
)


def unsynced(context: Context, case: Case, change: ApplicationChange) -> Iterator[Finding]:
    """A warning for each object of head with such a change."""
    options = sync_options(case.manifest)
    respected = "RespectIgnoreDifferences=true" in options
    alone = "ApplyOutOfSyncOnly=true" in options
    some = any(o.kind is not ChangeKind.UNCHANGED for o in change.objects)
    for each in change.objects:
        paths = [f.path for f in each.ignored if f.path and not f.path.endswith(FILLED)]
        if not paths or each.secret or each.hook:
            continue
        synced = each.kind is not ChangeKind.UNCHANGED if alone else some
        if respected or not synced:
            yield _finding(context, case, each, paths, respected=respected and synced)


def _finding(
    context: Context, case: Case, each: ObjectChange, paths: list[str], *, respected: bool
) -> Finding:
    named = each.resource.title
    why = (
        "the sync leaves it as it is (RespectIgnoreDifferences=true)" if respected else "no sync comes of it"
    )
    file, line = place(context, case, named)
    return Finding(
        rule="change-ignored",
        severity=Severity.WARNING,
        message=f"{some(paths, SHOWN)}: expected the change to reach the cluster, saw "
        f"ignoreDifferences keep Argo CD from comparing it: {why}",
        file=file,
        line=line,
        resource=named,
        help=HELP,
    )
