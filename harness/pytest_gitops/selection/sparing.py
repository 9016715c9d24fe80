"""What a review of the changed Applications alone need not render: those that read the same on both sides, and concern
nobody but themselves.

Whatever they render to, it is the same on both sides. What differs in others could still concern them. So those that
deploy to the same namespace are rendered; and where more differs than what nobody else refers to (an image, an
argument, a value), or a rule misses something, all are. Then nothing that the pull request brings is missed. What was
wrong between the others and it before is not looked at, and the report says how many they are.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pytest_gitops.admission.furniture import POLICIES, QUOTA
from pytest_gitops.argocd.render import Rendered
from pytest_gitops.changes.values import ApplicationChange, ChangeKind, ObjectChange
from pytest_gitops.errors import EngineError
from pytest_gitops.model import VERIFY_STAGES, Case
from pytest_gitops.planning.planner import creates
from pytest_gitops.rego.rules import SubjectKind
from pytest_gitops.renders.rendering import Rendering
from pytest_gitops.repository.solitary import Solitary
from pytest_gitops.selection import changed
from pytest_gitops.settings.settings import Settings
from pytest_gitops.shapes import mapping
from pytest_gitops.stages import admit, change, policy
from pytest_gitops.stages.context import Context

log = logging.getLogger(__name__)

_CONTAINER = r"(.+\.)?(containers|initContainers)\[[^]]*\]"

OWN = re.compile(
    rf"{_CONTAINER}\.(image|imagePullPolicy|workingDir|env\[[^]]*\]\.value)"
    rf"|{_CONTAINER}\.(resources|command|args)[.\[].+"
    # of a ConfigMap
    r"|(data|binaryData)[.\[].+"
)
"""Fields whose values nothing but their own object is judged by; that there is one may matter to others, such as a key
of a ConfigMap to who reads it. No rule on the repository as a whole looks at them
(see tests/unit/selection/test_sparing.py)."""

MISSING = ("gitops", "references")
"""The package of the rules that tell of what is missing, and so are wrong where not all is rendered."""

ANNOTATION = re.compile(r'(.+\.)?metadata\.annotations(\.[^.]+|\["[^"]+"\])?')
"""Nobody refers to an annotation; one that makes a hook of an object makes it another resource here."""


def fits(settings: Settings) -> bool:
    """Whether a run may do with less: a review of what is changed alone. Where Applications are put on a cluster, or
    dealt out to shards, it must be known who is needed by whom; and `strict` wants everything looked at."""
    verifies = not {*settings.stages}.isdisjoint(VERIFY_STAGES)
    return settings.changed and not settings.strict and settings.shard is None and not verifies


class Sparing:
    """Keeps the two sides' rendering to what is needed, where `on`; else all is rendered, and nothing is different."""

    def __init__(self, base: Rendering, head: Rendering, *, on: bool) -> None:
        self._sides = (base, head)
        self._solitary = Solitary(head.context.reader.tree)
        if on:
            base.spare = head.spare = self._same

    @property
    def _head(self) -> Context:
        return self._sides[1].context

    def _same(self, cases: Sequence[Case]) -> list[bool]:
        """Whether each of `cases` means the same on both sides, and nothing to others. The pull request decides, so it
        is head's tree that is searched; where it is the same, so is base's."""
        keys = [[side.key(case) for case in cases] for side in self._sides]
        reader = self._head.reader
        alone = self._solitary.of([(case, reader.of(case)) for case in cases])
        return [a is not None and a == b and by_itself for a, b, by_itself in zip(*keys, alone, strict=True)]

    # ------------------------------------------------------------------ once both sides are planned

    def compare(self) -> None:
        """Compare the sides, with all that the comparison needs rendered."""
        base, head = (side.context for side in self._sides)
        manifests = {c.id: c.manifest for c in base.plan.cases if c.id in base.spared}
        twins = {c.id for c in head.plan.cases if c.id in head.spared and manifests.get(c.id) == c.manifest}
        self._render(lambda case: case.id not in twins)
        change.survey(head)
        near = {place for each in self._changed for place in self._places(each)}
        self._render(lambda case: _place(case) in near)
        if head.spared and (why := next(self._reasons(), "")):
            log.info("rendering %d more: %s", len(head.spared), why)
            self._render(lambda _: True)
        change.survey(head)

    def select(self) -> None:
        """Say which Applications are changed, with those rendered."""
        changed.survey(self._head)
        chosen = self._head.plan.changed or {}
        if any(case in self._head.spared for case in chosen):
            self._render(lambda case: case.id in chosen)
            change.survey(self._head)

    def _render(self, wanted: Callable[[Case], bool]) -> None:
        for side in self._sides:
            spared = side.context.spared
            cases = [c for c in side.context.plan.cases if c.id in spared and wanted(c)]
            side.render(cases)
            for case in cases:
                result = side.context.renders.get(case.id)
                if isinstance(result, Rendered) and any(creates(o) for o in result.objects):
                    raise EngineError(
                        f"Application {case.key} renders Argo CD's own objects, which its files do not say: "
                        "run without --gitops-changed"
                    )

    # ------------------------------------------------------------------ what concerns others

    def _reasons(self) -> Iterator[str]:
        """Why those that were spared must be rendered too."""
        head = self._head
        for law in changed.laws(head):
            yield f"{law} differs, by which others may be judged"
        for each in self._changed:
            if not _only_own(each):
                yield f"others may refer to what differs in {each.case.key}"
        if admit.name in head.settings.stages and any(map(_counts_others, self._objects())):
            yield "a quota, or a policy with parameters, is about more than one object"
        if policy.name in head.settings.stages:
            yield from self._of_rules()

    def _of_rules(self) -> Iterator[str]:
        head = self._head
        assert head.opa is not None, "policy is not run without OPA"
        whole = [r for r in head.opa.rules if r.subject is SubjectKind.REPOSITORY]
        if head.opa.reviews or not all(r.builtin for r in whole):
            yield "there are rules of the repository's own on all of it"
            return
        codes = {r.code for r in whole if r.package[: len(MISSING)] == MISSING}
        found = [f.rule for f in policy.survey(head)] + [f.rule for fs in head.surveyed.values() for f in fs]
        head.surveyed.clear()
        if told := codes.intersection(found):
            yield f"{', '.join(sorted(told))}: what it is about may be found where all is rendered"

    @property
    def _changed(self) -> list[ApplicationChange]:
        assert self._head.comparison is not None
        return [c for c in self._head.comparison.applications if c.kind is not ChangeKind.UNCHANGED]

    def _places(self, change: ApplicationChange) -> Iterator[tuple[str, str]]:
        """Where a changed Application deploys to, and every other namespace that its objects name."""
        for side, case in zip(self._sides, (change.old, change.new), strict=True):
            if case is not None:
                yield _place(case)
                result = side.context.renders.get(case.id)
                for each in result.objects if isinstance(result, Rendered) else ():
                    yield case.destination.cluster, str(mapping(each, "metadata").get("namespace") or "")

    def _objects(self) -> Iterator[Mapping[str, Any]]:
        for context in (side.context for side in self._sides):
            yield from context.checkout.manifests(context.settings.prerequisites, where="prerequisites")
            for result in context.renders.values():
                yield from result.objects if isinstance(result, Rendered) else ()


def _place(case: Case) -> tuple[str, str]:
    return case.destination.cluster, case.destination.namespace


def _only_own(change: ApplicationChange) -> bool:
    """Whether all that differs in an Application is of nobody else's concern."""
    return (
        change.kind is ChangeKind.CHANGED
        and all(re.match(r"spec\.sources?\b", f.path) for f in change.fields)
        and all(map(_is_own, change.objects))
    )


def _is_own(change: ObjectChange) -> bool:
    if change.kind not in {ChangeKind.CHANGED, ChangeKind.UNCHANGED} or change.old != change.new:
        return False
    return all(
        ANNOTATION.fullmatch(f.path) or (f.op == "replace" and OWN.fullmatch(f.path)) for f in change.fields
    )


def _counts_others(manifest: Mapping[str, Any]) -> bool:
    group, kind = str(manifest.get("apiVersion") or "").rpartition("/")[0], str(manifest.get("kind"))
    return (group, kind) == QUOTA or (
        (group, kind) in POLICIES and bool(mapping(manifest, "spec", "paramKind"))
    )
