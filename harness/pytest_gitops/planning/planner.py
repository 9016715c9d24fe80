"""Builds the plan: asks Argo CD what Applications and ApplicationSets come to, until nothing new comes out.

Rendering and generating are asked of Argo CD through the functions given; here is only the bookkeeping. Each
round walks everything known so far from the roots down, and asks for what the walk came to and nobody knows yet. A
walk begins with nothing, so what turns out to be different needs no undoing; only an ApplicationSet stands in a cluster
while it is expanded, in one form at a time.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_gitops.model import Case, Finding, Origin, Severity
from pytest_gitops.planning.plan import Generated, Plan
from pytest_gitops.repository.discovery import OURS, Declarations, Declared, Problem, case_of, wrong_name
from pytest_gitops.repository.manifest import Document

MAX_DEPTH = 10
"""Generations of Applications that no file declares; a chart that renders itself under new names has no end."""

Objects = Sequence[Mapping[str, Any]]

Version = tuple[str, str]
"""A case's id, or the key of an ApplicationSet, and its specification as text: what comes of it depends on that."""

Root = Case | Declared
"""An Application or an ApplicationSet that stands in a file."""

UNKNOWN = Generated(unknown=True)
SILENT = Generated(error="the applicationset-controller said nothing of it")


@dataclass(slots=True)
class Planner:
    """Builds a Plan. `render` gives, for cases in bulk, their objects or None where there are none to be had;
    `generate` what each ApplicationSet makes, by "namespace/name", and `forget` takes those of such keys away again;
    `reads` gives the folders of this repository that a case's sources lie in."""

    declarations: Declarations
    render: Callable[[Sequence[Case]], Sequence[Objects | None]]
    generate: Callable[[Sequence[Declared]], Mapping[str, Generated]]
    forget: Callable[[Collection[str]], None]
    reads: Callable[[Case], Sequence[str]]
    _rendered: dict[Version, Objects] = field(default_factory=dict, init=False)
    _generated: dict[Version, Generated] = field(default_factory=dict, init=False)
    _latest: dict[str, Version] = field(default_factory=dict, init=False)  # of each case
    _standing: dict[str, Version] = field(default_factory=dict, init=False)  # of each set that was generated

    def build(self) -> Plan:
        """Ask, round by round, until a walk comes to nothing that was not asked yet."""
        found, control = self.declarations.applications, self.declarations.control
        cases = [case_of(d.manifest, control=control, file=d.file, line=d.line) for d in found]
        roots: list[Root] = [*self.declarations.application_sets, *cases]
        while True:
            walk, roots = self._walk(roots)
            # First all renders: they say what becomes of a set that stands in a file.
            if cases := [c for c in walk.cases.values() if _version(c) not in self._rendered]:
                self._render(cases)
            elif sets := walk.sets_but(self._generated):
                self._generate(sets)
            else:
                # The stages look at what was rendered last of a case, and act on what stands in the cluster.
                self._render([c for c in walk.cases.values() if self._latest[c.id] != _version(c)])
                self._generate(walk.sets_but(set(self._standing.values())))
                self._forget(self._standing.keys() - walk.sets.keys())
                return walk.plan()

    def _render(self, cases: Sequence[Case]) -> None:
        if cases:
            for case, objects in zip(cases, self.render(cases), strict=True):
                version = self._latest[case.id] = _version(case)
                self._rendered[version] = objects or ()

    def _generate(self, sets: Mapping[Version, Declared]) -> None:
        if sets:
            self._forget({_key(s) for s in sets.values()} & self._standing.keys())
            made = self.generate(list(sets.values()))
            for version, each in sets.items():
                self._standing[_key(each)] = version
                self._generated[version] = made.get(_key(each), SILENT)

    def _forget(self, keys: Collection[str]) -> None:
        if keys:
            self.forget(keys)
            for key in keys:
                del self._standing[key]

    def _walk(self, roots: Sequence[Root]) -> tuple[_Walk, list[Root]]:
        """A walk that meets every creator before what it creates, and its order of the roots.

        Only in a circle is there no such order; what is met first is as good as any there.
        """
        order = list(roots)
        becomes: dict[str, Declared] = {}
        for _ in range(MAX_DEPTH):
            walk = _Walk(self.declarations, self.reads, self._rendered, self._generated)
            walk.run([becomes.get(_id(r), r) for r in order])
            becomes |= walk.becomes
            order.sort(key=lambda r: walk.created.get(_id(r), -1))
            if not walk.late:
                break
        return walk, order


@dataclass(frozen=True, slots=True)
class _Step:
    """An Application on the way down: `above` are the ids of those that it comes from, `depth` counts the ones among
    them and itself that no file declares."""

    case: Case
    above: tuple[str, ...] = ()
    depth: int = 0

    @property
    def path(self) -> tuple[str, ...]:
        return (*self.above, self.case.id)


@dataclass(slots=True)
class _Walk:
    """One way through all that is known, from the roots down.

    `sets` are the ApplicationSets by key, in the form in which they are expanded; `written` those that stand in files.
    `created` has the ids of the roots that something creates, numbered as they were met; `late` those of which the
    walk has taken another form than is right; `becomes` what sets are made into by what they make themselves.
    """

    declarations: Declarations
    reads: Callable[[Case], Sequence[str]]
    rendered: Mapping[Version, Objects]
    generated: Mapping[Version, Generated]
    cases: dict[str, Case] = field(default_factory=dict, init=False)
    sets: dict[str, Declared] = field(default_factory=dict, init=False)
    written: list[Declared] = field(default_factory=list, init=False)
    created: dict[str, int] = field(default_factory=dict, init=False)
    late: set[str] = field(default_factory=set, init=False)
    becomes: dict[str, Declared] = field(default_factory=dict, init=False)
    _begun: set[str] = field(default_factory=set, init=False)  # sets that nothing met before creates
    _roots: dict[str, list[Case]] = field(default_factory=dict, init=False)  # by name
    _pending: deque[_Step] = field(default_factory=deque, init=False)
    _repeated: list[Case] = field(default_factory=list, init=False)
    _cycles: set[str] = field(default_factory=set, init=False)
    _projects: dict[str, Mapping[str, Any]] = field(default_factory=dict, init=False)
    _problems: list[Problem] = field(default_factory=list, init=False)

    def run(self, roots: Sequence[Root]) -> None:
        """Go down from each of `roots` that nothing met before creates."""
        for project in self.declarations.projects:
            self._projects.setdefault(project.name, project.manifest)
        for root in roots:
            if isinstance(root, Case):
                self._roots.setdefault(root.name, []).append(root)
        for root in roots:
            if _id(root) in self.created:
                continue
            if isinstance(root, Case):
                self._place(_Step(root))
            else:
                self._begun.add(_id(root))
                self.written.append(self._settled(root))
                self._expand(self._settled(root), (_id(root),), 0)
            self._go_down()

    def sets_but(self, versions: Collection[Version]) -> dict[Version, Declared]:
        """The sets, by version, that are in none of `versions`."""
        found = {_form(key, each.manifest): each for key, each in self.sets.items()}
        return {version: each for version, each in found.items() if version not in versions}

    def plan(self) -> Plan:
        """What the walk came to."""
        cases = tuple(sorted(self.cases.values(), key=lambda c: (c.file, c.line, c.parent != "", c.key)))
        by_key: dict[str, list[Case]] = {}
        for case in (*cases, *self._repeated):
            by_key.setdefault(case.key, []).append(case)
        return Plan(
            cases=cases,
            duplicates={k: tuple(v) for k, v in by_key.items() if len(v) > 1},
            cycles=frozenset(self._cycles & self.cases.keys()),  # what is in a circle may be a set
            projects=tuple(self._projects.values()),
            problems=(*self.declarations.problems, *self._problems),
            sets=dict(self.sets),
            file_sets=tuple(self.written),
        )

    def _place(self, step: _Step) -> None:
        if step.case.id in self.cases:
            self._repeated.append(step.case)
        else:
            self.cases[step.case.id] = step.case
            self._pending.append(step)

    def _go_down(self) -> None:
        while self._pending:
            step = self._pending.popleft()
            folders: Sequence[str] | None = None
            for each in self.rendered.get(_version(step.case), ()):
                if not creates(each):
                    continue
                kind, metadata = str(each["kind"]), each.get("metadata") or {}
                if wrong := wrong_name(kind, metadata):
                    message = f"rendered by Application {step.case.key}: {wrong.message}"
                    self._problem(step.case, wrong.rule, message, wrong.help)
                    continue
                name = str(metadata["name"])
                here = step.case.destination.namespace or self.declarations.control
                namespace = str(metadata.get("namespace") or here)
                if kind == "AppProject":
                    self._projects.setdefault(name, each)
                    continue
                folders = self.reads(step.case) if folders is None else folders
                if kind == "ApplicationSet":
                    self._bring(step, _rendered(step.case, each, namespace, name), folders)
                else:
                    self._create(step, each, namespace, folders)

    # ------------------------------------------------------------------ what an Application creates

    def _create(self, step: _Step, manifest: Mapping[str, Any], namespace: str, near: Sequence[str]) -> None:
        parent = step.case
        child = case_of(
            manifest,
            control=namespace,
            file=parent.file,
            line=parent.line,
            origin=Origin.RENDERED,
            parent=parent.key,
            parent_kind="Application",
        )
        if child.key == parent.key:
            return  # the policies say so: contains-itself
        root = self._root_of(child, near)
        if root is not None:
            self._adopt(root, step, child)
        elif step.depth + 1 < MAX_DEPTH:
            self._place(_Step(child, step.path, step.depth + 1))
        else:
            self._cycles.add(parent.id)

    def _root_of(self, child: Case, folders: Sequence[str]) -> Case | None:
        """The Application of a file in `folders` that `child` is what becomes of.

        One without a namespace in its file gets that of its parent's destination, as everything else does.
        """
        near = [
            r
            for r in self._roots.get(child.name, ())
            if r.id not in self.created and any(_inside(r.file, f) for f in folders)
        ]
        exact = [r for r in near if r.key == child.key]
        return next(iter(exact or [r for r in near if not _has_namespace(r)]), None)

    def _adopt(self, root: Case, step: _Step, child: Case) -> None:
        """One Application, known by its own file; what is judged is what its parent makes of it."""
        adopted = replace(child, file=root.file, line=root.line, origin=Origin.FILE)
        if root.id in step.path:
            # A circle: there is nothing above that could make something else of it. It is named as one.
            self._cycles.update(step.path[step.path.index(root.id) :])
            self.created[root.id] = len(self.created)
            self.cases[root.id] = replace(root, parent=child.parent, parent_kind=child.parent_kind)
        else:
            self.created[root.id] = len(self.created)
            if root.id in self.cases:
                self.late.add(root.id)
            else:
                self._place(_Step(adopted, step.path, step.depth))

    # ------------------------------------------------------------------ what an ApplicationSet makes

    def _bring(self, step: _Step, rendered: Declared, folders: Sequence[str]) -> None:
        """An ApplicationSet that an Application renders. One that stands in a file is known by that; what is expanded
        is what its parent makes of it. That two bring the same is for Argo CD and the policies to say."""
        files = self._files_of(rendered, folders)
        places = [replace(self._settled(f), document=rendered.document) for f in files]
        known = self.sets.get(_key(places[0] if places else rendered))
        if own := [f for f in files if _id(f) in step.path]:
            # It makes its own parent: nothing above brings it, and this is what is left of it.
            if known is not None and known.manifest.get("spec") != rendered.manifest.get("spec"):
                for each in own:
                    if _id(each) not in self.created:
                        self.becomes[_id(each)] = replace(each, document=rendered.document)
                        self.late.add(_id(each))
            return
        ids = tuple(dict.fromkeys(map(_id, files)))
        if self.created.keys() & ids or (not files and known is not None):
            return  # another one brings it already
        self.created.update({each: len(self.created) for each in ids})
        if early := self._begun.intersection(ids):
            self.late |= early
        else:
            self.written += places
            for each in places or [rendered]:
                self._expand(each, (*step.path, *ids), step.depth + 1)

    def _files_of(self, rendered: Declared, folders: Sequence[str]) -> list[Declared]:
        """The ApplicationSets of files that are this one: those of its name and namespace, wherever they are, for there
        can be only one; else those in `folders` that say no namespace. They stay in that of Argo CD, where it looks."""
        named = [d for d in self.declarations.application_sets if d.name == rendered.name]
        exact = [d for d in named if (d.namespace or self.declarations.control) == rendered.namespace]
        return exact or [d for d in named if not d.namespace and any(_inside(d.file, f) for f in folders)]

    def _settled(self, declared: Declared) -> Declared:
        """A set of a file in the namespace in which it is expanded."""
        return replace(declared, namespace=declared.namespace or self.declarations.control)

    def _expand(self, declared: Declared, above: tuple[str, ...], depth: int) -> None:
        """Place what is known of what `declared` makes, `depth` generations down."""
        key = _key(declared)
        # Of files that say one name and namespace, one is what there is.
        one = self.sets.setdefault(key, declared)
        made = self.generated.get(_form(key, one.manifest), UNKNOWN)
        if made.error:
            next_ = "correct the generator or the template; hosts that it asks must be in network.allow"
            self._problem(declared, "applicationset-failed", f"ApplicationSet {key}: {made.error}", next_)
        elif not made.manifests and not made.unknown:
            message = f"ApplicationSet {key} generates no Application"
            next_ = "check its generators' paths and revisions"
            self._problem(declared, "applicationset-empty", message, next_)
        if made.manifests and depth >= MAX_DEPTH:
            message = (
                f"ApplicationSet {key}: Applications create each other for more than {MAX_DEPTH} generations"
            )
            self._problem(declared, "application-cycle", message, "break the circle")
            return
        for manifest in made.manifests:
            case = case_of(
                manifest,
                control=self.declarations.control,
                file=declared.file,
                line=declared.line,
                origin=Origin.GENERATED,
                parent=key,
                parent_kind="ApplicationSet",
            )
            self._place(_Step(case, above, depth))

    def _problem(self, at: Declared | Case, rule: str, message: str, help_: str) -> None:
        finding = Finding(
            rule=rule, severity=Severity.ERROR, message=message, file=at.file, line=at.line, help=help_
        )
        self._problems.append(Problem(file=at.file, finding=finding))


def creates(manifest: Mapping[str, Any]) -> bool:
    """Whether a rendered object is one of Argo CD's own, of which a plan is made."""
    return str(manifest.get("apiVersion", "")).startswith("argoproj.io/") and manifest.get("kind") in OURS


def _rendered(case: Case, manifest: Mapping[str, Any], namespace: str, name: str) -> Declared:
    """An ApplicationSet that `case` renders, at its place."""
    return Declared(
        kind="ApplicationSet",
        namespace=namespace,
        name=name,
        file=case.file,
        line=case.line,
        document=Document(value=manifest, line=case.line, _node=None),
    )


def _id(root: Root) -> str:
    return root.id if isinstance(root, Case) else f"{root.file}::{root.kind} {_key(root)}"


def _key(application_set: Declared) -> str:
    return f"{application_set.namespace}/{application_set.name}"


def _version(case: Case) -> Version:
    return _form(case.id, case.manifest)


def _form(identity: str, manifest: Mapping[str, Any]) -> Version:
    return identity, json.dumps(manifest.get("spec"), sort_keys=True, default=str)


def _has_namespace(case: Case) -> bool:
    return bool((case.manifest.get("metadata") or {}).get("namespace"))


def _inside(file: str, folder: str) -> bool:
    return folder in {"", ".", file} or file.startswith(folder.rstrip("/") + "/")
