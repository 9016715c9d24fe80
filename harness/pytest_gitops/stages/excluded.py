"""Objects that Argo CD renders and leaves out, for the settings exclude their kind (argocd-cm: `resource.exclusions`,
`resource.inclusions`): it neither applies nor compares them, and is Synced and Healthy without them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_gitops.model import Case, Finding, Severity, StageResult
from pytest_gitops.settings.waivers import apply
from pytest_gitops.shapes import mapping, title
from pytest_gitops.stages.base import Publish
from pytest_gitops.stages.placing import by_title, place
from pytest_gitops.waiting import utc

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

CONDITION = "ExcludedResourceWarning"

SETTINGS = ("resource.exclusions", "resource.inclusions")

HELP = (
    "take the kind out of resource.exclusions (argocd-cm), or the object out of the Application: Argo CD will bring it "
    "to no cluster"
)

# (controller/state.go; the other message of this condition is of an object that is applied, and not watched)
_WORDS = re.compile(r"^Resource (?P<group>[^/ ]*)/(?P<kind>[^ ]+) (?P<name>.+) is excluded in the settings$")


def excluded(application: Mapping[str, Any]) -> list[dict[str, str]]:
    """`group`, `kind` and `name` of each object that Argo CD says it leaves out; it names no namespace."""
    conditions = mapping(application, "status").get("conditions") or ()
    found = (_WORDS.match(str(c.get("message"))) for c in conditions if c.get("type") == CONDITION)
    return [match.groupdict() for match in found if match]


def told(context: Context, publish: Publish) -> Publish:
    """A `publish` that warns of each object that the result's evidence has as `excluded`."""

    def tell(case: Case, result: StageResult) -> None:
        found = (_finding(context, case, row) for row in result.evidence.get("excluded") or ())
        warned = apply(found, context.settings.waivers, application=case.key, today=utc().date())
        publish(case, replace(result, findings=(*result.findings, *warned)) if warned else result)

    return tell


def _finding(context: Context, case: Case, row: Mapping[str, str]) -> Finding:
    short = f"{row['kind']} {row['name']}"
    manifest = by_title(context, case).get(short)
    namespace = str(mapping(manifest or {}, "metadata").get("namespace") or "")
    named = title(row["kind"], row["name"], namespace)
    file, line = place(context, case, short)
    kind = f"{row['kind']}.{row['group']}" if row["group"] else row["kind"]
    settings = [s for s in SETTINGS if s in context.argocd_cm]
    by = f"{' and '.join(settings)} of argocd-cm" if settings else f"{SETTINGS[0]}, as Argo CD is installed"
    return Finding(
        rule="resource-excluded",
        severity=Severity.WARNING,
        message=f"expected Argo CD to apply it, saw it left out: it does not manage {kind}, by {by}",
        file=file,
        line=line,
        resource=named,
        help=HELP,
    )
