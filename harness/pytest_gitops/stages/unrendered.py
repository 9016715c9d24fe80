"""Applications that nobody sees as they will be: in the templates of a chart, or changed by a kustomization, that no
Application of this repository renders."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_gitops.model import Finding
from pytest_gitops.repository import kustomization
from pytest_gitops.repository.charts import DEPENDENCIES, Charts
from pytest_gitops.repository.discovery import Declared
from pytest_gitops.repository.globs import glob
from pytest_gitops.repository.overlays import changes

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

SHOWN = 3
"""As many Applications as a message names."""


def survey(context: Context) -> Iterator[Finding]:
    """What was not tested as it will be, once it is planned who renders what: a warning, and an error for whom that is
    one."""
    yield from _in_charts(context)
    yield from _in_overlays(context)


def _in_charts(context: Context) -> Iterator[Finding]:
    """What the templates of charts declare. A library chart is no chart to render, and one that the run serves as a
    chart repository may be rendered from there."""
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
            severity=context.settings.unchecked,
            message=f"{each.kind} in a template of the chart {each.chart or '.'}: expected an Application that renders "
            "the chart, saw none, so it was not tested",
            file=each.file,
            line=each.line,
            help="point an Application's source at the chart, or name the file under `ignore:` in pytest-gitops.yaml",
        )


def _in_overlays(context: Context) -> Iterator[Finding]:
    """What kustomizations change of Applications and ApplicationSets in files: whoever brings them by
    `kubectl apply -k` has others than those that were tested."""
    declarations = context.checkout.declarations
    declared: dict[str, list[Declared]] = {}
    for each in (*declarations.applications, *declarations.application_sets):
        declared.setdefault(each.file, []).append(each)
    if not declared:
        return
    ignored = [glob(g) for g in context.settings.ignore]
    read = {posixpath.normpath(place) for case in context.plan.cases for place in context.reads(case)}
    for path in (e.path for e in context.checkout.files()):
        folder, name = posixpath.split(path)
        if name not in kustomization.NAMES or posixpath.normpath(folder) in read:
            continue
        reached = [d for place in context.kustomizations.of(folder) for d in declared.get(place, ())]
        if reached and not any(pattern.fullmatch(path) for pattern in ignored):
            yield from _changed(context, path, reached)


def _changed(context: Context, path: str, reached: list[Declared]) -> Iterator[Finding]:
    """That the kustomization `path` changes some of those that it reaches."""
    found = list(changes(path, lambda file: context.snapshot.read_many([file]).get(file)))
    hit = sorted(
        (d for d in reached if any(c.concerns(d.kind, d.name) for c in found)),
        key=lambda d: (d.file, d.line),
    )
    if not hit:
        return
    folder = posixpath.dirname(path) or "."
    first = next(c for c in found if any(c.concerns(d.kind, d.name) for d in hit))
    names = [f"{d.kind} {d.name} ({d.file}:{d.line})" for d in hit[:SHOWN]]
    more = [f"{len(hit) - SHOWN} more"] if len(hit) > SHOWN else []
    yield Finding(
        rule="application-not-rendered",
        severity=context.settings.unchecked,
        message=f"`{first.field}` changes {', '.join((*names, *more))}: expected an Application that renders this "
        "kustomization, saw none, so what was tested is without the change",
        file=path,
        line=first.line,
        help=f"let an Application have {folder} as its source, and what comes of it is tested; or name this file under "
        "`ignore:` in pytest-gitops.yaml",
    )


def _inside(folder: str, other: str) -> bool:
    return other == "." or folder == other or folder.startswith(f"{other}/")
