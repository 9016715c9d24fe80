"""What OPA is asked and what it answers: the input document of a run, and the hits read from its results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_gitops.model import Finding, Severity
from pytest_gitops.rego.constraint import matches
from pytest_gitops.rego.inputs import Subject
from pytest_gitops.rego.module import MANIFEST, REVIEW
from pytest_gitops.rego.problems import Trouble
from pytest_gitops.rego.redact import redact, secret_values
from pytest_gitops.rego.rules import Rule, SubjectKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One thing that a rule found. `resource` is "Kind namespace/name", `pointer` a JSON pointer into the
    subject; `application` is the "namespace/name" of the Application concerned, where the subject is the
    whole repository, and `file` and `line` are set where the rule itself knows them."""

    rule: Rule
    message: str
    resource: str = ""
    pointer: str = ""
    application: str = ""
    file: str = ""
    line: int | None = None

    def finding(self, *, file: str = "", line: int | None = None) -> Finding:
        """The finding; `file` and `line` say where the subject stands, if the rule does not know better."""
        return Finding(
            rule=self.rule.code,
            severity=self.rule.severity,
            message=self.message,
            file=self.file or file,
            line=self.line if self.file else line,
            resource=self.resource,
            help=self.rule.help,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Everything that OPA is asked at once: the subjects, the input document that holds them, and, by subject, the
    numbers of the constraints of which nobody can say whether they match it."""

    subjects: tuple[Subject, ...]
    document: Mapping[str, Any]
    undecided: Mapping[int, tuple[int, ...]]

    def skipping(self, rules: Iterable[int]) -> dict[str, Any]:
        """The document without some of the rules, by number."""
        return {**self.document, "skip": {str(number): True for number in rules}}


def question(
    subjects: Sequence[Subject],
    rules: Sequence[Rule],
    inventories: Mapping[str, Mapping[str, Any]] | None = None,
) -> Question:
    """Subjects by kind, in their order, and a review for each that some constraint matches.

    `inventories` has, for each cluster, what Gatekeeper's templates see as `data.inventory`.
    """
    document: dict[str, list[Any]] = {}
    undecided: dict[int, tuple[int, ...]] = {}
    constraints = [(n, rule.constraint) for n, rule in enumerate(rules) if rule.constraint is not None]
    reviews: list[dict[str, Any]] = []
    for position, subject in enumerate(subjects):
        document.setdefault(subject.kind.value, []).append(subject.input)
        if subject.review is None or not constraints:
            continue
        told = {n: matches(constraint, subject.review) for n, constraint in constraints}
        undecided[position] = tuple(n for n, match in told.items() if match is None)
        if any(told.values()):
            reviews.append(
                {
                    "request": subject.review.request,
                    "cluster": subject.review.cluster,
                    "constraints": {str(n): True for n, match in told.items() if match},
                    "position": position,
                }
            )
    known = inventories or {}
    clusters = {r["cluster"]: known.get(r["cluster"], {}) for r in reviews}
    return Question(
        subjects=tuple(subjects),
        document={**document, REVIEW: reviews, "inventories": clusters, "skip": {}},
        undecided=undecided,
    )


def hits(answer: Mapping[str, Any], rules: Sequence[Rule], asked: Question) -> list[list[Hit]]:
    """For each subject what was found; an answer that is none is a hit of its own, with the rule's file and line."""
    counters: dict[SubjectKind, int] = {}
    reviewed = {r["position"]: str(index) for index, r in enumerate(asked.document[REVIEW])}
    found = []
    for position, subject in enumerate(asked.subjects):
        index = str(counters.get(subject.kind, 0))
        counters[subject.kind] = int(index) + 1
        parts = [(subject.kind.value, index)]
        parts += [(MANIFEST, index)] * (subject.kind is SubjectKind.OBJECT)
        if position in reviewed:
            parts.append((REVIEW, reviewed[position]))
        answers = {k: v for part, i in parts for k, v in answer.get(part, {}).get(i, {}).items()}
        mine = [h for number, values in answers.items() for h in _hits(rules[int(number)], values, subject)]
        mine += [_undecided(rules[n], subject) for n in asked.undecided.get(position, ())]
        found.append(mine)
    return found


def ordered(found: Iterable[Hit]) -> tuple[Hit, ...]:
    """Each hit once, in an order that is always the same."""
    return tuple(sorted(set(found), key=_order))


def _order(hit: Hit) -> tuple[str, str, str, int, str, str, str]:
    return hit.rule.code, hit.application, hit.file, hit.line or 0, hit.resource, hit.message, hit.pointer


def concerned(number: int, rule: Rule, asked: Question) -> list[int]:
    """The positions of the subjects that a rule is asked about."""
    if rule.constraint is not None:
        return [r["position"] for r in asked.document[REVIEW] if str(number) in r["constraints"]]
    return [n for n, subject in enumerate(asked.subjects) if subject.kind is rule.subject]


def troubled(rule: Rule, trouble: Trouble, message: str, *, severity: Severity = Severity.ERROR) -> Hit:
    """A hit that says that a rule could not be asked; it stands where the rule does."""
    help = "correct the rule" if severity is Severity.ERROR else ""
    return Hit(
        rule=Rule(
            code=trouble,
            title=rule.title,
            severity=severity,
            subject=rule.subject,
            package=rule.package,
            name=rule.name,
            file=rule.file,
            line=rule.line,
            help=help,
            builtin=rule.builtin,
        ),
        message=f"rule {rule.code}: {message}{_elsewhere(rule)}",
        file=rule.file,
        line=rule.line,
    )


def _elsewhere(rule: Rule) -> str:
    """Where else a rule of several parts may be to blame."""
    return f" (its parts are at {', '.join(rule.parts)})" if rule.parts else ""


def _undecided(rule: Rule, subject: Subject) -> Hit:
    review = subject.review
    namespace = str((review.request.get("namespace") if review else "") or "")
    return troubled(
        rule,
        Trouble.NOT_CHECKED,
        f"its namespaceSelector asks for labels of namespace {namespace}, whose manifest is not in the repository: "
        "objects in it were not checked",
        severity=Severity.WARNING,
    )


def _hits(rule: Rule, values: Any, subject: Subject) -> Iterator[Hit]:
    if values is True:
        values = [rule.title]
    if isinstance(values, str):
        values = [values]
    if not isinstance(values, list):
        yield _shape(rule, values)
        return
    # Our own rules are known to say no value; redacting them could only garble a name.
    hidden = frozenset[str]()
    if not rule.builtin:
        hidden = secret_values([subject.input, subject.review.request if subject.review else {}])
    for value in values:
        # (conftest v0.71.1, output/result.go: a result without a message has passed)
        said = value.get("msg") if isinstance(value, dict) else value
        if said != "" or not rule.conftest:
            yield _hit(rule, value, subject, hidden)


def _hit(rule: Rule, value: Any, subject: Subject, hidden: frozenset[str]) -> Hit:
    if isinstance(value, str):
        value = {"msg": value}
    if not isinstance(value, dict) or not isinstance(value.get("msg"), str):
        return _shape(rule, value)
    texts = {}
    for field in ("resource", "pointer", "application", "file"):
        texts[field] = value.get(field, "") or ""
        if not isinstance(texts[field], str):
            return _shape(rule, value)
    line = value.get("line")
    return Hit(
        rule=rule,
        message=redact(value["msg"], hidden),
        resource=redact(texts["resource"], hidden) or subject.resource,
        pointer=texts["pointer"],
        application=texts["application"],
        file=texts["file"],
        line=line if isinstance(line, int) and not isinstance(line, bool) and line > 0 else None,
    )


def _shape(rule: Rule, value: Any) -> Hit:
    # The value itself is not shown: it may hold a part of the subject, a secret's included.
    seen = {dict: "an object without a text `msg`", list: "an array", bool: "a boolean"}.get(
        type(value), "a number or null"
    )
    return troubled(
        rule, Trouble.WRONG_SHAPE, f"expected a set of texts or of objects with a text `msg`, saw {seen}"
    )
