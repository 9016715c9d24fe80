"""Which Applications a pull request changes, and why each: what `--gitops-changed` goes by.

Both sides are planned, so nothing is guessed: an Application is changed if it is new, if its manifest or what it
renders to differs, or if something differs that it reads or is judged by. What cannot be told is changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.changes.values import ApplicationChange, ChangeKind
from pytest_gitops.model import Case, Finding, Severity
from pytest_gitops.repository.generate_paths import ANNOTATION, covers, refresh_paths
from pytest_gitops.repository.manifest import ManifestError, parse
from pytest_gitops.repository.readings import named
from pytest_gitops.repository.tree import changed, inside
from pytest_gitops.settings.waivers import counts
from pytest_gitops.shapes import some
from pytest_gitops.stages.context import Context

SHOWN = 3
"""As many files or fields are named in a reason."""

OF_NAMESPACES = ("Namespace", "ResourceQuota", "LimitRange")
"""What the API server judges everything in a namespace by."""

OF_ALL = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
"""What it judges anything by."""

DEFINITION = "CustomResourceDefinition"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Why each changed Application counts as changed, by case id; and what was noticed on the way."""

    reasons: Mapping[str, tuple[str, ...]]
    findings: Mapping[str, Finding]


def survey(context: Context) -> None:
    """Look at every Application of head, once both sides are planned and compared, and what concerns the repository as
    a whole is known: put into the plan which are changed, if only those are asked about, and what was noticed."""
    assert context.base is not None and context.comparison is not None, "there is a base to compare with"
    choice = _Survey(context, context.base).choice()
    for case_id, finding in choice.findings.items():
        context.source_findings[case_id] = (*context.source_findings.get(case_id, ()), finding)
    if context.settings.changed:
        context.plan = replace(context.plan, changed=choice.reasons)


def laws(context: Context) -> tuple[str, ...]:
    """What differs by which the API server judges other objects, as "Kind namespace/name"."""
    assert context.base is not None and context.comparison is not None, "there is a base to compare with"
    return tuple(map(_title, _Survey(context, context.base).laws))


class _Survey:
    def __init__(self, context: Context, base: Context) -> None:
        self.head, self.base = context, base
        self.files = changed(base.reader.tree, context.reader.tree)
        assert context.comparison is not None
        self.changes = {c.new.id: c for c in context.comparison.applications if c.new is not None}

    def choice(self) -> Choice:
        reasons, findings = {}, {}
        for case in self.head.plan.cases:
            found = list(self._reasons(case, self.changes.get(case.id)))
            if found:
                reasons[case.id] = tuple(dict.fromkeys(found))
            if missed := self._missed(case, self.changes.get(case.id)):
                findings[case.id] = missed
        return Choice(reasons=reasons, findings=findings)

    def _reasons(self, case: Case, change: ApplicationChange | None) -> Iterator[str]:
        yield from self._everywhere
        old = change.old if change is not None else None
        if change is None or old is None:
            yield "it is new"
            return
        own = list(self._own(case, old, change))
        yield from own
        if change.kind is None and not own:
            yield f"it cannot be told whether it changes: {change.unknown}"
        elif change.kind is not ChangeKind.UNCHANGED and not own:
            yield "what it renders to differs"
        yield from self._judged_by(case)
        if any(counts(f, self.head.settings.fail_on) for f in self.head.surveyed.get(case.id, ())):
            yield "a rule on the repository as a whole finds something in it"

    def _own(self, case: Case, old: Case, change: ApplicationChange) -> Iterator[str]:
        if old.manifest != case.manifest:
            fields = [f.path for f in change.fields]
            yield f"its manifest differs{f': {some(fields, SHOWN)}' if fields else ''}"
        then, now = self.base.reader.of(old), self.head.reader.of(case)
        places = {*then.paths, *now.paths}
        files = [f for f in self.files if any(inside(f, p) for p in places)]
        if files:
            yield f"it reads {some(files, SHOWN)}, which {'differ' if len(files) > 1 else 'differs'}"
        elif self.base.reader.digest(then) != self.head.reader.digest(now):
            differs = sorted({*then.pinned} ^ {*now.pinned})
            yield f"what it reads differs: {some(differs, SHOWN) or 'other files than before'}"
        elif (unknown := now.unknown or then.unknown) and self.files and self._noticed(case):
            yield f"it cannot be told what it reads: {unknown}"

    # ------------------------------------------------------------------ the annotation

    def _noticed(self, case: Case) -> bool:
        """Whether Argo CD itself would look at the Application again for what differs."""
        paths = [
            refresh_paths(case.manifest, s.path)
            for s in case.sources
            if self.head.is_ours(s.repo_url) and not s.chart
        ]
        return not paths or any(covers(p, self.files) for p in paths)

    def _missed(self, case: Case, change: ApplicationChange | None) -> Finding | None:
        old = change.old if change is not None else None
        if old is None or old.manifest != case.manifest or self._noticed(case):
            return None
        places = {*self.base.reader.of(old).paths, *self.head.reader.of(case).paths}
        files = [f for f in self.files if any(inside(f, p) for p in places)]
        if not files:
            return None
        return Finding(
            rule="generate-paths-miss",
            severity=Severity.WARNING,
            message=f"{ANNOTATION}: expected it to name all that Application {case.key} reads, saw it miss "
            f"{some(files, SHOWN)}, so Argo CD would not look at the Application for this change",
            file=case.file,
            line=self.head.line(case, "metadata", "annotations", ANNOTATION),
            help="name the file or its folder in the annotation, or leave the annotation out",
        )

    # ------------------------------------------------------------------ what it is judged by

    @cached_property
    def _everywhere(self) -> tuple[str, ...]:
        """What concerns every Application."""
        found = []
        then, now = (_settings(c) for c in (self.base, self.head))
        differ = sorted(n for n in then.keys() | now.keys() if then.get(n) != now.get(n))
        found += [f"Argo CD's ConfigMap {name} differs" for name in differ]
        settings = self.head.settings
        for key, given in (("crds", settings.crds), ("prerequisites", settings.prerequisites)):
            if files := [f for f in self.files if any(inside(f, p) for p in named(given))]:
                found.append(f"the configuration's {key} differ: {some(files, SHOWN)}")
        found += [
            f"{_title(m)}, by which everything is judged, differs"
            for m in self.laws
            if m.get("kind") in OF_ALL
        ]
        return tuple(dict.fromkeys(found))

    def _judged_by(self, case: Case) -> Iterator[str]:
        then, now = (_project(c, case.project) for c in (self.base, self.head))
        if then != now:
            yield f"its AppProject {case.project} differs"
        result = self.head.renders.get(case.id)
        objects = result.objects if isinstance(result, Rendered) else ()
        kinds = {(str(o.get("apiVersion")).rpartition("/")[0], o.get("kind")) for o in objects}
        names = {(o.get("metadata") or {}).get("namespace") for o in objects} | {case.destination.namespace}
        for law in self.laws:
            spec, metadata = law.get("spec") or {}, law.get("metadata") or {}
            if law.get("kind") == DEFINITION:
                if (spec.get("group"), (spec.get("names") or {}).get("kind")) in kinds:
                    yield f"{_title(law)}, of which it has objects, differs"
            elif law.get("kind") in OF_NAMESPACES:
                where = metadata.get("name") if law["kind"] == "Namespace" else metadata.get("namespace")
                if where in names:
                    yield f"{_title(law)}, by which its objects are judged, differs"

    @cached_property
    def laws(self) -> tuple[Mapping[str, Any], ...]:
        """The objects among all that differs by which the API server judges others: rendered ones, and those in files
        that differ."""
        found: list[Mapping[str, Any]] = []
        assert self.head.comparison is not None
        for change in self.head.comparison.applications:
            for each in (o for o in change.objects if o.kind is not ChangeKind.UNCHANGED):
                namespace = each.resource.namespace
                for manifest in (each.old_object, each.new_object):
                    if manifest is not None:
                        metadata = {"namespace": namespace, **(manifest.get("metadata") or {})}
                        found.append({**manifest, "metadata": metadata})
        for context in (self.base, self.head):
            contents = context.snapshot.read_many(
                [f for f in self.files if f.endswith((".yaml", ".yml", ".json"))]
            )
            for content in contents.values():
                found += _manifests(content)
        laws = {DEFINITION, *OF_NAMESPACES, *OF_ALL}
        return tuple(m for m in found if m.get("kind") in laws)


def _manifests(content: bytes) -> Sequence[Mapping[str, Any]]:
    if not any(kind.encode() in content for kind in (DEFINITION, *OF_NAMESPACES, *OF_ALL)):
        return ()
    try:
        items = [i.value for d in parse(content) for i in d.items()]
    except ManifestError:
        return ()
    return [i for i in items if isinstance(i, Mapping) and isinstance(i.get("metadata"), Mapping)]


def _settings(context: Context) -> dict[str, Any]:
    return {d.name: d.manifest.get("data") for d in context.checkout.declarations.settings}


def _project(context: Context, name: str) -> Any:
    projects = context.plan.projects
    return next(
        (p.get("spec") for p in projects if (p.get("metadata") or {}).get("name") == name),
        None,
    )


def _title(manifest: Mapping[str, Any]) -> str:
    metadata = manifest.get("metadata") or {}
    place = "/".join(str(w) for w in (metadata.get("namespace"), metadata.get("name")) if w)
    return f"{manifest.get('kind')} {place}"
