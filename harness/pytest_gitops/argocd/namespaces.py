"""Where Applications and ApplicationSets may live beside Argo CD's own namespace ("Applications in any namespace").

Patterns are globs, and between slashes regular expressions (Argo CD: util/glob/list.go). Its controllers pass over what
lives elsewhere without a word, so nobody can be asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from pytest_gitops.model import Case, Finding, Severity
from pytest_gitops.repository.discovery import Declared

APPLICATIONS = "application.namespaces"
SETS = "applicationsetcontroller.namespaces"
"""The keys of argocd-cmd-params-cm."""

LONGEST = 2000

_GLOB = re.compile(r"[a-z0-9.*?!\[\]-]{0,253}")
_EXPRESSION = re.compile(r"/[a-z0-9.*+?^$|():!=\[\]\\-]{1,200}/")

_ALL_BUT = re.compile(r"\((\?:)?\(\?![a-z0-9|-]+\)\.\)[*+]")
"""Everything but some words, as Argo CD's documentation has it: `((?!not-allowed).)*`."""

_ENDLESS = re.compile(r"\)[*+?]|\\[0-9k]")
"""What an expression can be tried with for ever: something repeated that has choices of its own, and what was matched
before."""

REPEATED, OPTIONAL = 3, 6
"""As many times an expression may say "more of it", and as many question marks it may have."""


def are_usable(said: str) -> bool:
    """Whether a list is one that a process may be given: of names, globs, and expressions that come to an end."""
    return len(said) <= LONGEST and all(_is_usable(p) for p in patterns(said))


def _is_usable(pattern: str) -> bool:
    if not pattern.startswith("/"):
        return bool(_GLOB.fullmatch(pattern))
    expression = _ALL_BUT.sub(".*", pattern)
    if not _EXPRESSION.fullmatch(pattern) or _ENDLESS.search(expression):
        return False
    repeated = expression.count("*") + expression.count("+")
    return repeated <= REPEATED and expression.count("?") <= OPTIONAL


def patterns(said: str) -> tuple[str, ...]:
    """The entries of a list as it is written, divided by commas."""
    return tuple(p for each in said.split(",") if (p := each.strip()))


def listed(parameters: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """The patterns that the data of argocd-cmd-params-cm has under `key`. Empty: nothing is said there, and it is said
    elsewhere (a chart's values, a variable)."""
    return patterns(str(parameters.get(key) or ""))


def is_enabled(namespace: str, listed: Sequence[str], *, control: str) -> bool:
    """Whether Argo CD, which lives in `control`, looks at what is in `namespace`; where nothing is listed, it is said
    elsewhere, and whoever puts something there means it."""
    return not listed or namespace == control or any(_matches(p, namespace) for p in listed)


def not_enabled(
    kind: str, key: str, parameters: Mapping[str, Any], *, control: str, at: Case | Declared
) -> Finding | None:
    """The finding of an Application or ApplicationSet, `key` being its "namespace/name", that Argo CD passes over; None
    if it does not."""
    setting, namespace = SETS if kind == "ApplicationSet" else APPLICATIONS, key.partition("/")[0]
    allowed = listed(parameters, setting)
    if is_enabled(namespace, allowed, control=control):
        return None
    return Finding(
        rule="namespace-not-enabled",
        severity=Severity.ERROR,
        message=f"{kind} {key}: expected a namespace that Argo CD looks at, its own ({control}) or one that "
        f"{setting} in argocd-cmd-params-cm lists ({', '.join(allowed)}), saw {namespace}: Argo CD passes over it "
        "without a word",
        file=at.file,
        line=at.line,
        help=f"add the namespace to {setting}, or move it to one that is listed",
    )


def _matches(pattern: str, namespace: str) -> bool:
    if len(pattern) > 2 and pattern.startswith("/") and pattern.endswith("/"):
        try:
            return bool(re.search(pattern[1:-1], namespace))
        except re.error:
            return False  # Argo CD says so in its log, and goes on
    return fnmatchcase(namespace, pattern)
