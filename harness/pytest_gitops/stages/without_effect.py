"""Files that a pull request changes and that nothing comes of: whatever Argo CD then says is not about them.

A manifest that its kustomization does not list, one in a folder below a directory that is not read recursively, values
in a file of another name than the Application says: what is applied is Synced and Healthy, and the change is not in it.
It is not guessed what a file is for: both sides are rendered, and no Application that may read it renders otherwise.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_gitops.changes.values import ApplicationChange, ChangeKind
from pytest_gitops.model import Case, Finding, Severity
from pytest_gitops.repository import kustomization
from pytest_gitops.repository.charts import DEPENDENCIES
from pytest_gitops.repository.endings import NOT_SEARCHED
from pytest_gitops.repository.globs import glob
from pytest_gitops.repository.manifest import ManifestError, parse
from pytest_gitops.repository.readings import listed, named
from pytest_gitops.repository.tree import above, changed, inside
from pytest_gitops.shapes import behind, mapping, some

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

ENDINGS = (".yaml", ".yml", ".json", ".jsonnet", ".libsonnet", ".tpl")
"""What manifests are made of. Of anything else, such as a README, nobody expects that something comes."""

KUSTOMIZE = "kustomize.config.k8s.io/"

SHOWN = 3
"""As many Applications are named."""

MOST = 100
"""As many files are told one by one."""


def survey(context: Context, *, but: Collection[str] = ()) -> Iterator[Finding]:
    """A warning for a manifest that the pull request adds where an Application has its source, a note for whatever else
    it changes or adds, `but` for what we read ourselves. Nothing where it cannot be told: an Application that is not
    known, or reads what is not known, may be the one that is concerned."""
    base, comparison = context.base, context.comparison
    if base is None or comparison is None or context.plan.problems or base.plan.problems:
        return
    idle = [f for f in changed(base.reader.tree, context.reader.tree) if f.endswith(ENDINGS)]
    idle = [f for f in idle if context.reader.tree.is_file(f)]
    idle = list(_of_applications(context, base, [f for f in idle if f not in but])) if idle else []
    if not idle:
        return
    concerned, others = (_Readers(base), _Readers(context)), _Readers(context)
    for change in comparison.applications:
        if _is_same(change):
            if change.new is not None:
                others.add(change.new)
            continue
        for side, case in zip(concerned, (change.old, change.new), strict=True):
            if case is not None and not side.add(case):
                return
    idle = [f for f in idle if not any(side.of(f) for side in concerned)]
    found = [_finding(context, file, others.of(file)) for file in idle[:MOST]]
    yield from sorted(found, key=lambda f: f.severity is not Severity.WARNING)
    if len(idle) > MOST:
        yield _note(
            idle[MOST], f"{len(idle) - MOST} more files differ without effect, this the first of them"
        )


class _Readers:
    """The Applications of one side that may read a file, found by the folders that it is in."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._by_place: dict[str, list[tuple[Case, frozenset[str]]]] = {}

    def add(self, case: Case) -> bool:
        """Whether it is known what it reads."""
        inputs = self._context.reader.of(case)
        for place in inputs.paths:
            self._by_place.setdefault(place, []).append((case, frozenset(inputs.aside)))
        return not inputs.unknown

    def of(self, file: str) -> list[Case]:
        if not self._context.reader.tree.is_file(file):
            return []
        near = (each for place in (file, *above(file)) for each in self._by_place.get(place, ()))
        return [case for case, aside in near if file not in aside]


def _is_same(change: ApplicationChange) -> bool:
    """Whether nothing at all of an Application differs, not even what is ignored."""
    return change.kind is ChangeKind.UNCHANGED and not (change.fields or change.objects or change.moved_away)


# ------------------------------------------------------------------ what is for Applications to read


def _of_applications(context: Context, base: Context, files: Sequence[str]) -> Iterator[str]:
    """Those of `files` that nobody else than an Application would read, so far as is known."""
    settings, declared = context.settings, set[str]()
    for found in (context.checkout.declarations, base.checkout.declarations):
        for each in (*found.applications, *found.application_sets, *found.projects, *found.settings):
            declared.add(each.file)
    written = [*settings.crds, *settings.prerequisites, *(c.path for c in settings.charts)]
    places = named(written)
    for path in (*settings.policy_folders, *settings.policy_data_files):
        if path.is_relative_to(settings.root):
            places.append(path.relative_to(settings.root).as_posix())
    patterns = [glob(g) for g in settings.ignore]
    patterns += [glob(g) for side in (context, base) for g in _generators(side)]
    for file in files:
        hidden = any(part.startswith(".") for part in file.split("/"))
        ours = file in declared or file.endswith(NOT_SEARCHED) or any(inside(file, p) for p in places)
        if not hidden and not ours and not any(p.fullmatch(file) for p in patterns):
            yield file


def _generators(context: Context) -> Iterator[str]:
    """The patterns of the files that ApplicationSets are generated from."""
    for declared in context.plan.sets.values():
        for git in behind(declared.manifest.get("spec"), {"git"}):
            files = map(mapping, listed(mapping(git).get("files")))
            yield from (each["path"] for each in files if isinstance(each.get("path"), str))


# ------------------------------------------------------------------ what is said


def _finding(context: Context, file: str, readers: Sequence[Case]) -> Finding:
    assert context.base is not None, "there is a base to compare with"
    added = not context.base.reader.tree.is_file(file)
    near = _near(context, file) if added and _is_manifest(context, file) else None
    if near is not None and not readers:
        case, folder = near
        return Finding(
            rule="file-without-effect",
            severity=Severity.WARNING,
            message=f"the pull request adds this manifest to the source of Application {case.key}: expected an object "
            f"to come of it, saw none: {_why(context, file, folder)}",
            file=file,
            line=1,
            help="see that it is read; or, if it is not to be, put it elsewhere or name it under `ignore:` in "
            "pytest-gitops.yaml",
        )
    keys = [case.key for case in readers]
    told = f"though {some(keys, SHOWN)} may read it" if keys else "no Application here reads it"
    verb = "adds" if added else "changes"
    return _note(file, f"the pull request {verb} it, and no object of any Application differs: {told}")


def _note(file: str, message: str) -> Finding:
    return Finding(rule="file-without-effect", severity=Severity.INFO, message=message, file=file, line=1)


def _is_manifest(context: Context, file: str) -> bool:
    """Whether every document of it is an object for a cluster."""
    try:
        values = [d.value for d in parse(context.reader.tree.read(file) or b"")]
    except ManifestError:
        return False
    return bool(values) and all(
        isinstance(v, Mapping)
        and isinstance(v.get("kind"), str)
        and isinstance(version := v.get("apiVersion"), str)
        and not version.startswith(KUSTOMIZE)
        for v in values
    )


def _near(context: Context, file: str) -> tuple[Case, str] | None:
    """The Application whose source, other than the whole repository, `file` lies in, and its folder; the innermost."""
    found = [
        (case, folder)
        for case in context.plan.cases
        for folder in context.reads(case)
        if folder not in {"", ".", file} and inside(file, folder)
    ]
    return max(found, key=lambda each: len(each[1]), default=None)


def _why(context: Context, file: str, folder: str) -> str:
    tree, here = context.reader.tree, posixpath.dirname(file)
    listing = [p for name in kustomization.NAMES if tree.is_file(p := posixpath.join(folder, name))]
    if listing:
        return f"{listing[0]} does not lead to it"
    if tree.is_file(posixpath.join(folder, DEPENDENCIES[0])):
        return f"helm renders what is in {folder}/templates"
    if here != folder:
        return f"{folder} is read without directory.recurse"
    return "it is left out"
