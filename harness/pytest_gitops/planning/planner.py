"""Builds the plan: asks Argo CD what Applications and ApplicationSets come to, until nothing new comes out.

Rendering and generating are asked of Argo CD through the two functions given; here is only the bookkeeping. Each
round walks everything known so far from the roots down, and asks for what the walk came to and nobody knows yet. A
walk begins with nothing, so what turns out to be different needs no undoing.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
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
"""A case's id and its specification as text: what a render depends on."""

UNKNOWN = Generated(unknown=True)
SILENT = Generated(error="the applicationset-controller said nothing of it")


@dataclass(slots=True)
class Planner:
    """Builds a Plan. `render` gives, for cases in bulk, their objects or None where there are none to be had;
    `generate` what each ApplicationSet makes, by "namespace/name"; `reads` the folders of this repository that
    a case's sources lie in."""

    declarations: Declarations
    render: Callable[[Sequence[Case]], Sequence[Objects | None]]
    generate: Callable[[Sequence[Declared]], Mapping[str, Generated]]
    reads: Callable[[Case], Sequence[str]]
    _rendered: dict[Version, Objects] = field(default_factory=dict, init=False)
    _latest: dict[str, Version] = field(default_factory=dict, init=False)
    _generated: dict[str, Generated] = field(default_factory=dict, init=False)

    def build(self) -> Plan:
        """Ask, round by round, until a walk comes to nothing that was not asked yet."""
        found, control = self.declarations.applications, self.declarations.control
        roots = [case_of(d.manifest, control=control, file=d.file, line=d.line) for d in found]
        while True:
            walk, roots = self._walk(roots)
            cases = [c for c in walk.cases.values() if _version(c) not in self._rendered]
            sets = {key: s for key, s in walk.sets.items() if key not in self._generated}
            if not cases and not sets:
                # The stages look at what was rendered last of a case.
                self._render([c for c in walk.cases.values() if self._latest[c.id] != _version(c)])
                return walk.plan()
            self._render(cases)
            if sets:
                made = self.generate(list(sets.values()))
                self._generated.update({key: made.get(key, SILENT) for key in sets})

    def _render(self, cases: Sequence[Case]) -> None:
        if cases:
            for case, objects in zip(cases, self.render(cases), strict=True):
                version = self._latest[case.id] = _version(case)
                self._rendered[version] = objects or ()

    def _walk(self, roots: Sequence[Case]) -> tuple[_Walk, list[Case]]:
        """A walk that meets every creator before what it creates, and its order of the roots.

        Only in a circle is there no such order; what is met first is as good as any there.
        """
        order = list(roots)
        for _ in range(MAX_DEPTH):
            walk = _Walk(self.declarations, self.reads, self._rendered, self._generated)
            walk.run(order)
            order.sort(key=lambda r: walk.created.get(r.id, -1))
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

    `created` has the ids of the roots that something creates, numbered as they were met; `late` those among them that
    the walk had begun with already.
    """

    declarations: Declarations
    reads: Callable[[Case], Sequence[str]]
    rendered: Mapping[Version, Objects]
    generated: Mapping[str, Generated]
    cases: dict[str, Case] = field(default_factory=dict, init=False)
    sets: dict[str, Declared] = field(default_factory=dict, init=False)
    created: dict[str, int] = field(default_factory=dict, init=False)
    late: set[str] = field(default_factory=set, init=False)
    _roots: dict[str, list[Case]] = field(default_factory=dict, init=False)  # by name
    _pending: deque[_Step] = field(default_factory=deque, init=False)
    _repeated: list[Case] = field(default_factory=list, init=False)
    _cycles: set[str] = field(default_factory=set, init=False)
    _projects: dict[str, Mapping[str, Any]] = field(default_factory=dict, init=False)
    _problems: list[Problem] = field(default_factory=list, init=False)

    def run(self, roots: Sequence[Case]) -> None:
        """Go down from the ApplicationSets, and from each of `roots` that nothing met before creates."""
        for project in self.declarations.projects:
            self._projects.setdefault(project.name, project.manifest)
        for root in roots:
            self._roots.setdefault(root.name, []).append(root)
        for each in self.declarations.application_sets:
            self._expand(each, each.namespace or self.declarations.control)
            self._go_down()
        for root in roots:
            if root.id not in self.created:
                self._place(_Step(root))
                self._go_down()

    def plan(self) -> Plan:
        """What the walk came to."""
        cases = tuple(sorted(self.cases.values(), key=lambda c: (c.file, c.line, c.parent != "", c.key)))
        by_key: dict[str, list[Case]] = {}
        for case in (*cases, *self._repeated):
            by_key.setdefault(case.key, []).append(case)
        return Plan(
            cases=cases,
            duplicates={k: tuple(v) for k, v in by_key.items() if len(v) > 1},
            cycles=frozenset(self._cycles),
            projects=tuple(self._projects.values()),
            problems=(*self.declarations.problems, *self._problems),
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
                elif kind == "ApplicationSet":
                    self._bring(step, each, namespace, name)
                else:
                    folders = self.reads(step.case) if folders is None else folders
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

    def _bring(self, step: _Step, manifest: Mapping[str, Any], namespace: str, name: str) -> None:
        """An ApplicationSet that an Application renders, if it does not stand in a file too: one without a namespace
        there is where its parent says. That two bring the same is for Argo CD and the policies to say."""
        in_file = any(
            d.name == name and d.namespace in {"", namespace} for d in self.declarations.application_sets
        )
        if not in_file and f"{namespace}/{name}" not in self.sets:
            file, line = step.case.file, step.case.line
            document = Document(value=manifest, line=line, _node=None)
            declared = Declared(
                kind="ApplicationSet", namespace=namespace, name=name, file=file, line=line, document=document
            )
            self._expand(declared, namespace, step.path, step.depth + 1)

    def _expand(
        self, declared: Declared, namespace: str, above: tuple[str, ...] = (), depth: int = 0
    ) -> None:
        """Place what is known of what `declared` makes, `depth` generations down."""
        key = f"{namespace}/{declared.name}"
        self.sets[key] = declared
        made = self.generated.get(key, UNKNOWN)
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


def _version(case: Case) -> Version:
    return case.id, json.dumps(case.manifest.get("spec"), sort_keys=True, default=str)


def _has_namespace(case: Case) -> bool:
    return bool((case.manifest.get("metadata") or {}).get("namespace"))


def _inside(file: str, folder: str) -> bool:
    return folder in {"", ".", file} or file.startswith(folder.rstrip("/") + "/")
