"""Keys that are written twice in one mapping: of a YAML file that is read so, the last one counts and nobody says it.

Argo CD's and helm's reader of YAML takes the last one (sigs.k8s.io/yaml, Unmarshal), so half of what a file says is on
no cluster, and what is there is Synced and Healthy. The API server, which would refuse it, sees what is left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_gitops.model import Finding, Severity
from pytest_gitops.repository.manifest import ManifestError, parse

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

MOST = 100
"""As many keys are told one by one."""

MAX_BYTES = 1024 * 1024
"""Larger files are not looked into."""

KEY = re.compile(
    rb"""^( *)((?:- +)*)([^\s#:{}\[\],&*!|>%@`"'-][^\s:]*|"[^"\n]*"|'[^'\n]*') *:(?=\s|$)""", re.MULTILINE
)
"""A key in block style: the blanks before it, the dashes of entries that begin with it, and itself."""


def survey(context: Context) -> Iterator[Finding]:
    """A warning for each such key in what Applications read, and in the files of Argo CD's own objects; of very many
    the first ones, and how many more there are."""
    found = list(_all(context))
    yield from found[:MOST]
    if len(found) > MOST:
        first, more = found[MOST], len(found) - MOST
        yield replace(first, message=f"{more} more keys are written twice, this the first of them")


def _all(context: Context) -> Iterator[Finding]:
    declared, tree = context.checkout.declarations, context.reader.tree
    objects = (
        *declared.applications, *declared.application_sets, *declared.projects, *declared.settings,
    )  # fmt: skip
    files = {d.file for d in objects}
    places = {place for case in context.plan.cases for place in context.reader.of(case).paths}
    for place in places:
        files.update(e.path for e in tree.below(place) if e.size <= MAX_BYTES)
    wanted = [f for f in files if f.endswith((".yaml", ".yml")) and tree.is_file(f)]
    for file, content in sorted(tree.contents(wanted).items()):
        # A template is no YAML yet.
        if b"{{" not in content and _may_repeat(content):
            yield from _repeated(file, content)


def _repeated(file: str, content: bytes) -> Iterator[Finding]:
    try:
        documents = parse(content)
    except ManifestError:
        return  # whoever reads it says so
    for key, line in (each for document in documents for each in document.repeated):
        yield Finding(
            rule="repeated-key",
            severity=Severity.WARNING,
            message=f"{key}: expected the key once in its mapping, saw it again: this one counts, and what stands "
            "under the one before is dropped",
            file=file,
            line=line,
            help="make one of both, or take one out",
        )


def _may_repeat(content: bytes) -> bool:
    """Whether two keys stand one below the other in one column with nothing further left between them: fifteen times
    as fast as to read the YAML, which then decides. What is written in one line, in braces, is not seen."""
    seen: dict[int, set[bytes]] = {}
    for found in KEY.finditer(content):
        blanks, dashes, key = found.groups()
        column = len(blanks) + len(dashes)
        for other in [c for c in seen if c > column or (dashes and c > len(blanks))]:
            del seen[other]
        if key in seen.setdefault(column, set()):
            return True
        seen[column].add(key)
    return False
