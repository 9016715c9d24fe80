"""Runs a scenario with the API that tests in Python have, and says what became of each step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_gitops.errors import GitOpsError
from pytest_gitops.model import Outcome
from pytest_gitops.scenarios import comparing
from pytest_gitops.scenarios.api import App, GitOpsFailure, GitOpsRun, Unmet, in_namespace, title
from pytest_gitops.scenarios.comparing import differences
from pytest_gitops.scenarios.values import Action, Scenario, Step, StepResult
from pytest_gitops.waiting import now

SHOWN = 12
"""As many parts of an expectation as a message names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What became of a scenario. `message` is the whole text for a person, empty when it passed."""

    outcome: Outcome
    code: str
    message: str
    steps: tuple[StepResult, ...]


def run(scenario: Scenario, gitops: GitOpsRun) -> Ran:
    """Every step in its order, up to the first that fails; then those that come always. Raises nothing."""
    results = [*_steps(scenario.steps, gitops, first=1, stops=True)]
    results += _steps(scenario.always, gitops, first=len(scenario.steps) + 1, stops=False)
    bad = [r for r in results if r.outcome in {Outcome.FAILED, Outcome.ERROR}]
    message = "\n".join(r.message for r in bad)
    if any(r.outcome is Outcome.FAILED for r in bad):
        return Ran(outcome=Outcome.FAILED, code="scenario-failed", message=message, steps=tuple(results))
    if bad:
        return Ran(outcome=Outcome.ERROR, code="scenario-not-judged", message=message, steps=tuple(results))
    return Ran(outcome=Outcome.PASSED, code="", message="", steps=tuple(results))


def _steps(steps: Sequence[Step], gitops: GitOpsRun, *, first: int, stops: bool) -> Iterator[StepResult]:
    over = False
    for number, step in enumerate(steps, first):
        began = now()
        outcome, message = Outcome.PASSED, ""
        if over:
            outcome = Outcome.SKIPPED
        else:
            try:
                _perform(step, gitops)
            except GitOpsFailure as failure:
                outcome, message = Outcome.FAILED, told(step, number, failure)
            except GitOpsError as error:
                outcome = Outcome.ERROR
                message = f"{step.file}:{step.line}: step {number}, {step.name}: could not be asked: {error}"
        over = over or (stops and outcome is not Outcome.PASSED)
        yield StepResult(name=step.name, outcome=outcome, seconds=now() - began, message=message)


def told(step: Step, number: int, failure: GitOpsFailure) -> str:
    """A failure's text: which step, what of it does not hold and where that is written, Argo CD's words, what to do."""
    lines = [f"{step.file}:{step.line}: step {number}, {step.name}: {failure.message}"]
    unmet = sorted(failure.unmet, key=lambda u: step.line_of(*u.path))
    for each in unmet[:SHOWN]:
        lines.append(f"  line {step.line_of(*each.path)}: {each}")
    if len(failure.unmet) > SHOWN:
        lines.append(f"  … and {len(failure.unmet) - SHOWN} more")
    lines += [f"  Argo CD  {words}" for words in failure.said]
    if failure.help:
        lines.append(f"  next     {failure.help}")
    return "\n".join(lines)


def _perform(step: Step, gitops: GitOpsRun) -> None:
    given = dict(step.arguments)
    match step.action:
        case Action.SYNC:
            _sync(gitops.app(step.application), step)
        case Action.WAIT:
            gitops.app(step.application).wait_healthy(within=step.within)
        case Action.EXPECT:
            given.pop("application")
            gitops.app(step.application).expect(within=step.within, **given)
        case Action.DRIFT:
            reference = given["object"]
            gitops.app(step.application).drift(
                reference["kind"],
                reference["name"],
                namespace=reference.get("namespace", ""),
                api_version=reference.get("apiVersion", ""),
                patch=given.get("patch"),
                scale=given.get("scale"),
                delete=given.get("delete", False),
                within=step.within,
            )
        case Action.CHECKOUT:
            gitops.checkout(given["revision"], within=step.within)
        case Action.RENDER:
            _render(gitops, step)
        case Action.RBAC:
            _rbac(gitops, step)


def _sync(app: App, step: Step) -> None:
    given = step.arguments
    phase = given.get("phase", "Succeeded")
    done = app.sync(prune=given.get("prune", False), within=step.within, phase=phase)
    if "message" in given:
        found = differences(given["message"], done.message, path=("message",))
        if found:
            unmet = [unmet_of(d, "the sync") for d in found]
            raise GitOpsFailure(f"the sync of Application {app.key} says something else", unmet=unmet)


def _render(gitops: GitOpsRun, step: Step) -> None:
    given = step.arguments
    rendered = gitops.rendered(step.application)
    where = f"what Application {rendered.key} renders to"
    place = rendered.namespace
    unmet = unmet_objects(given.get("objects", ()), rendered, where=where, namespace=place)
    unmet += unmet_absence(given.get("absent", ()), rendered, where=where, namespace=place)
    if unmet:
        raise GitOpsFailure(
            f"Application {rendered.key} does not render to what is expected",
            unmet=unmet,
            help="correct the manifests, or what is expected of them",
        )
    if "golden" in given:
        rendered.matches(given["golden"])


def _rbac(gitops: GitOpsRun, step: Step) -> None:
    given = dict(step.arguments)
    expected = given.pop("expect")
    allowed = gitops.can(
        given.get("subject", ""),
        given["action"],
        given["resource"],
        given.get("object", "*"),
        groups=given.get("groups", ()),
        default_role=given.get("default-role"),
    )
    answer = "allow" if allowed else "deny"
    if answer != expected:
        raise GitOpsFailure(
            f"expected {expected}, saw {answer}",
            help="correct the policy in argocd-rbac-cm or the AppProject, or what is expected of it",
        )


def unmet_objects(
    expected: Sequence[Any], there: Sequence[Any], *, where: str, namespace: str = ""
) -> list[Unmet]:
    """What of the partial objects `expected` none of the objects that are `there` meets; one that says no namespace is
    in `namespace`."""
    found: list[Unmet] = []
    for index, each in enumerate(expected):
        asks = "namespace" in (each.get("metadata") or {})
        placed = [in_namespace(o, namespace) for o in there] if asks else there
        candidates = [o for o in placed if is_meant(each, o)]
        best = comparing.closest(each, candidates, path=("objects", index))
        if best is None:
            of_kind = sorted(title(o) for o in there if o.get("kind") == each["kind"])
            seen = ", ".join(of_kind) or f"no {each['kind']} at all"
            path = ("objects", index)
            found.append(Unmet(path=path, what=where, field="", expected=title(each).strip(), seen=seen))
        elif best:
            closest = next(o for o in candidates if len(comparing.of_object(each, o, path=())) == len(best))
            found += [unmet_of(d, title(closest)) for d in best]
    return found


def unmet_absence(
    expected: Sequence[Any], there: Sequence[Any], *, where: str, namespace: str = ""
) -> list[Unmet]:
    """Which of the objects that are not to be are `there`; one that says no namespace is in `namespace`."""
    found = []
    for index, each in enumerate(expected):
        whole = {"metadata": {k: each[k] for k in ("name", "namespace") if k in each}, **each}
        if seen := [title(o) for o in there if is_meant(whole, in_namespace(o, namespace))]:
            path = ("absent", index)
            wanted = f"no {title(whole).strip()}"
            found.append(
                Unmet(path=path, what=where, field="", expected=wanted, seen=", ".join(sorted(seen)))
            )
    return found


def is_meant(partial: Any, manifest: Any) -> bool:
    """Whether a partial object speaks of this one: by kind, and by apiVersion, name and namespace where given as
    texts."""
    metadata, wanted = manifest.get("metadata") or {}, partial.get("metadata") or {}
    pairs = [
        (partial.get("kind"), manifest.get("kind")),
        (partial.get("apiVersion"), manifest.get("apiVersion")),
    ]
    pairs += [(wanted.get(k), metadata.get(k)) for k in ("name", "namespace")]
    return all(not isinstance(want, str) or want == has for want, has in pairs)


def unmet_of(difference: comparing.Difference, what: str) -> Unmet:
    """A difference as part of a failure."""
    return Unmet(
        path=difference.path,
        what=what,
        field=difference.field,
        expected=difference.expected,
        seen=difference.seen,
    )
