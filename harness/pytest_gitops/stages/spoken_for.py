"""Custom resources that say they are ready only because it was said for them: no controller of theirs runs on the
embedded cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.clusters.embedded.statuses import Statuses
from pytest_gitops.model import Case, Finding, Outcome, Severity, StageResult
from pytest_gitops.settings.settings import Provider
from pytest_gitops.shapes import mapping, some, title
from pytest_gitops.stages.base import Publish
from pytest_gitops.stages.placing import place

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

SHOWN = 3
"""As many objects as a message names."""


def told(context: Context, publish: Publish) -> Publish:
    """A `publish` that tells with what passed of such objects, in one note for each Application."""
    if context.settings.provider is not Provider.EMBEDDED:
        return publish
    statuses = Statuses(context.settings.statuses)

    def tell(case: Case, result: StageResult) -> None:
        named = _of(context, case, statuses) if result.outcome is Outcome.PASSED else []
        found = (_finding(context, case, named),) if named else ()
        publish(case, replace(result, findings=(*result.findings, *found)) if found else result)

    return tell


def _of(context: Context, case: Case, statuses: Statuses) -> list[str]:
    result, found = context.renders.get(case.id), []
    for each in result.objects if isinstance(result, Rendered) else ():
        version, kind = str(each.get("apiVersion")), str(each.get("kind"))
        group = version.rpartition("/")[0]
        if group and statuses.of(group, kind) is not None:
            metadata = mapping(each, "metadata")
            namespace = metadata.get("namespace") or case.destination.namespace
            # It passed, so the cluster knows the kind.
            within = namespace if context.api_of(case).is_namespaced(version, kind) else ""
            found.append(title(kind, metadata.get("name"), within))
    return found


def _finding(context: Context, case: Case, named: list[str]) -> Finding:
    file, line = place(context, case, named[0])
    return Finding(
        rule="status-pretended",
        severity=Severity.INFO,
        message=f"{some(named, SHOWN)}: the status is pretended, for no controller of custom resources "
        "runs on the embedded cluster; what becomes of them in production is not known",
        file=file,
        line=line,
        resource=named[0],
    )
