"""Applications that nobody sees: in the templates of a chart that no Application of this repository renders."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_gitops.model import Finding, Severity
from pytest_gitops.repository.charts import DEPENDENCIES, Charts

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context


def survey(context: Context) -> Iterator[Finding]:
    """What the templates of such charts declare, once it is planned who renders what.

    It was not tested: a warning, and an error for whom that is one. A library chart is no chart to render, and one
    that the run serves as a chart repository may be rendered from there.
    """
    templates = context.checkout.declarations.templates
    if not templates:
        return
    paths = [e.path for e in context.checkout.files() if posixpath.basename(e.path) in DEPENDENCIES]
    charts = Charts(context.snapshot.read_many(paths))
    known = charts.rendered(place for case in context.plan.cases for place in context.reads(case))
    served = [posixpath.normpath(c.path) for c in context.settings.charts]
    for each in templates:
        if (
            each.chart in known
            or each.chart in charts.libraries
            or any(_inside(each.chart, s) for s in served)
        ):
            continue
        yield Finding(
            rule="application-not-rendered",
            severity=Severity.ERROR if context.settings.strict else Severity.WARNING,
            message=f"{each.kind} in a template of the chart {each.chart or '.'}: expected an Application that renders "
            "the chart, saw none, so it was not tested",
            file=each.file,
            line=each.line,
            help="point an Application's source at the chart, or name the file under `ignore:` in pytest-gitops.yaml",
        )


def _inside(folder: str, other: str) -> bool:
    return other == "." or folder == other or folder.startswith(f"{other}/")
