"""What the API server's refusals and warnings are called: pure, its own words into rules."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pytest_gitops.admission.values import UNCONVERTED, Hit, Item
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.model import Severity

MANY = 20
"""So many causes of one refusal are told one by one; what comes after them is counted."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A refusal's code, the words by which it is known, and what to do."""

    code: str
    words: re.Pattern[str]
    help: str


TOO_LARGE = Rule(
    "object-too-large",
    re.compile(
        r"Too long: (may not be more than|must have at most) (1048576|262144) bytes|etcdserver: request is too large"
    ),
    "split it, or take what is large out of it; what is only too large for an annotation is taken with the "
    "sync option ServerSideApply=true",
)

REFUSALS = (
    Rule(
        "pod-security",
        re.compile(r"is forbidden: violates PodSecurity"),
        "meet the level of the namespace's pod-security.kubernetes.io/enforce label, or lower it there",
    ),
    Rule(
        "admission-policy",
        re.compile(r"ValidatingAdmissionPolicy '|^policy '[^']+' with binding '[^']+' denied request: "),
        "meet the policy, or change what it or its binding matches",
    ),
    Rule(
        "quota-exceeded",
        re.compile(r"is forbidden: (exceeded|failed) quota: "),
        "raise the ResourceQuota, or ask for less",
    ),
    Rule(
        "limit-range",
        re.compile(r"is forbidden: .*((minimum|maximum) \S+ usage|max limit to request ratio) per "),
        "stay within the namespace's LimitRange, or widen it",
    ),
    TOO_LARGE,
    Rule(
        "unknown-field",
        re.compile(r"strict decoding error: |: field not declared in schema"),
        "correct the field's name or place; without a strict check the API server drops it silently, and the "
        "Application stays OutOfSync",
    ),
)

_ARGOCDS = re.compile(r"^metadata\.finalizers: .*argocd\.argoproj\.io")
"""The server would have the finalizers named otherwise that Argo CD knows by these very names."""

INVALID = "invalid-object"
INVALID_HELP = "correct the object; `kubectl apply --dry-run=server` says the same"

IMMUTABLE_HELP = (
    "leave the field as it is, give the object another name, or have it made anew with the sync options "
    "Replace=true,Force=true, which loses what the old one holds"
)
KEPT_HELP = "what the server had filled in where the base says nothing is kept, and does not go with it: "
REPLACED_HELP = "use the sync option Replace=true"
UNSET_HELP = f"write that as null, or {REPLACED_HELP}"

_ECHO = re.compile(r"(\bgot |\b[Vv]alue: ?).*", re.DOTALL)
_VALUE = re.compile(r"(?<=Invalid value: )[{\[].{200,}[}\]](?=: )", re.DOTALL)


def refused(
    item: Item, error: ApiError, *, subject: str = "", validations: Collection[str] = ()
) -> list[Hit]:
    """The hits that a refusal makes, one for each cause that it names. `subject` is what is put before its words
    where the server was asked about something that was made of the object; `validations` are the messages of the CEL
    rules that its kind's definition has, by which alone they can be told from other refusals."""
    if error.unconverted:
        return [
            item.hit(
                UNCONVERTED,
                Severity.WARNING,
                "its schema takes it; whether it can be stored was not asked, for its CRD has a webhook convert it, "
                "and no container runs here that could answer",
                help_="written in the version that its CRD stores, it needs no conversion",
            )
        ]
    return [
        item.hit(rule, Severity.ERROR, f"{subject}{text}", help_=help_)
        for rule, text, help_ in _causes(item, error, validations)
    ]


def immutable(item: Item, error: ApiError, *, kept: bool = False) -> list[Hit]:
    """The hit of an object that is fine by itself, and cannot take the place of what base has; `kept` says that only
    what the server had filled in itself is in its way, which in server-side apply no null takes away."""
    help_ = KEPT_HELP + (REPLACED_HELP if item.server_side else UNSET_HELP)
    return [
        item.hit(
            "immutable-field",
            Severity.ERROR,
            f"cannot be changed to this from what the base has: {_words(item, error)}",
            help_=help_ if kept else IMMUTABLE_HELP,
        )
    ]


def not_asked(item: Item, error: ApiError) -> Hit:
    """The hit of an object whose change cannot be asked about, for base's own is refused."""
    return item.hit(
        "change-not-asked",
        Severity.INFO,
        "whether it can take the place of what the base has was not asked: base's own is refused: "
        f"{_words(item, error)}",
    )


def warned(item: Item, warnings: Sequence[str]) -> Iterator[Hit]:
    """The hits that the server's warnings make."""
    for text in warnings:
        if _ARGOCDS.search(text):
            continue
        rule, help_ = _warning(text)
        yield item.hit(rule, Severity.WARNING, _hide(item, text), help_=help_)


def _warning(text: str) -> tuple[str, str]:
    if "PodSecurity" in text:
        return "pod-security-warned", "meet the level that the namespace warns of"
    if "AdmissionPolicy" in text:
        return "admission-policy-warned", "meet the policy; its binding only warns of it yet"
    if re.search(r"^\S+ \S+ is deprecated", text):
        return "deprecated-api", "move to the API version that the message names, before it is removed"
    return "api-warning", ""


def _causes(item: Item, error: ApiError, validations: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """(rule, text, help) of each cause."""
    message = _words(item, error)
    if error.status == 413:
        yield "object-too-large", message, TOO_LARGE.help
        return
    known = next((r for r in REFUSALS if r.words.search(message)), None)
    if known is not None:
        yield known.code, message, known.help
        return
    if item.kind == ("apiextensions.k8s.io", "CustomResourceDefinition"):
        yield "invalid-crd", message, "correct the definition; until then none of its objects can exist"
        return
    causes = [c for c in error.details.get("causes") or () if c.get("field")]
    if not causes:
        rule, help_ = (INVALID, INVALID_HELP) if error.status in {400, 422} else ("not-admitted", "")
        yield rule, message, help_
        return
    for cause in causes[:MANY]:
        field, said = str(cause["field"]), _hide(item, str(cause.get("message") or ""))
        yield (
            _rule_of(field, said, validations),
            f"{field}: {said}" if field != "<nil>" else said,
            INVALID_HELP,
        )
    if len(causes) > MANY:
        yield INVALID, f"and {len(causes) - MANY} more of the same kind", INVALID_HELP


def _rule_of(field: str, said: str, validations: Collection[str]) -> str:
    if field in {"metadata.name", "metadata.generateName"}:
        return "invalid-object-name"
    cel = "failed rule: " in said or said.endswith(tuple(f": {text}" for text in validations))
    return "cel-rule" if cel else INVALID


def _words(item: Item, error: ApiError) -> str:
    return _hide(item, error.message)


def _hide(item: Item, text: str) -> str:
    """Without what a Secret holds, for the server quotes what it cannot take; and without quotations of whole objects,
    which it fills with defaults and random ids before."""
    text = _VALUE.sub("{…}", text)
    return _ECHO.sub(r"\1***", text) if item.kind == ("", "Secret") else text
