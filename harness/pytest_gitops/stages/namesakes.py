"""Repositories that Applications name and that seem to be the one under test, by a URL that nobody has told.

What is called otherwise than the clone's remotes is another repository, and its content comes from the network: a
renamed repository, a fork or a mirror in CI would be judged by what is there, and not by the tree under test.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.model import Case, Finding, Severity
from pytest_gitops.repository.readings import within
from pytest_gitops.repository.sources import Place, placed
from pytest_gitops.shapes import some
from pytest_gitops.world.urls import canonical, parse

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

SHOWN = 3
"""As many Applications are named."""


@dataclass(slots=True)
class _Named:
    """A repository that is not known as ours: its URL, who takes what from it, and what came of that."""

    url: str
    uses: list[tuple[Case, Place]] = field(default_factory=list)
    paths: dict[str, None] = field(default_factory=dict)
    revisions: dict[str, None] = field(default_factory=dict)


def survey(context: Context) -> Iterator[Finding]:
    """Those that seem to be ours, once it is planned and rendered who takes what from where.

    A warning, and an error for whom what could not be checked is one; also an error if it is certain and no source is
    known as ours, for then nothing of the tree was judged. Repositories that the configuration calls others are left
    out.
    """
    known, found = bool(context.checkout.spellings), dict[str, _Named]()
    others = {canonical(url) for url in context.settings.others}
    for case in context.plan.cases:
        result = context.renders.get(case.id)
        for index, (place, source) in enumerate(placed(case.manifest)):
            url, address = str(source.get("repoURL") or ""), parse(str(source.get("repoURL") or ""))
            known |= context.is_ours(url)
            name = canonical(url)
            if source.get("chart") or address is None or address.scheme == "oci":
                continue
            if context.is_ours(url) or name in others:
                continue
            named = found.setdefault(name, _Named(url))
            named.uses.append((case, place))
            if path := within("", str(source.get("path") or "").strip("/")):
                named.paths[path] = None
            if isinstance(result, Rendered) and index < len(result.revisions):
                named.revisions[result.revisions[index]] = None
    for name, named in sorted(found.items()):
        certain = _certain(context, named)
        if why := certain or _likely(context, name, named, known=known):
            yield _finding(context, named, why, fails=bool(certain) and not known)


def _certain(context: Context, named: _Named) -> str:
    """That its history is ours."""
    shared = next((r for r in named.revisions if context.resolve(r) is not None), None)
    return f"the commit that it is at, {shared[:7]}, is in this clone" if shared else ""


def _likely(context: Context, name: str, named: _Named, *, known: bool) -> str:
    """That it has our name, or that nothing else is ours, and what is taken from it is here too."""
    here = [p for p in named.paths if context.checkout.has_folder(p)]
    if not here:
        return ""
    titles = [canonical(url) for url in context.checkout.urls] or [context.checkout.title]
    if name.rpartition("/")[2] in {title.rpartition("/")[2].lower() for title in titles}:
        return f"it has the name of this one, and its path {here[0]} is a folder here"
    if not known and 2 * len(here) > len(named.paths):
        return (
            f"no Application has a source that is known as this one, and its path {here[0]} is a folder here"
        )
    return ""


def _finding(context: Context, named: _Named, why: str, *, fails: bool) -> Finding:
    case, place = named.uses[0]
    keys = list(dict.fromkeys(c.key for c, _ in named.uses))
    return Finding(
        rule="repository-unrecognized",
        severity=Severity.ERROR if fails else context.settings.unchecked,
        message=f"repoURL {named.url}: expected a URL of this repository ({context.checkout.title}), for {why}; saw "
        f"one that is not known, so the sources of {some(keys, SHOWN)} were taken from there, and not from "
        "this tree",
        file=case.file,
        line=context.line(case, *place, "repoURL"),
        help="if it is this repository, write `repository: {urls: [URL]}` with that URL in pytest-gitops.yaml; if it "
        "is another one, `repository: {others: [URL]}`",
    )
