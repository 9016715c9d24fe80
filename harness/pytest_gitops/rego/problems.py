"""What is said of policies that are wrong themselves: findings with the policy's own file and line."""

from __future__ import annotations

from enum import StrEnum

from pytest_gitops.model import Finding, Severity


class Trouble(StrEnum):
    """Codes of what keeps a policy, or a rule of it, from being asked."""

    NOT_COMPILING = "policy-not-compiling"
    INVALID = "policy-invalid"
    NOT_CHECKED = "policy-not-checked"
    FAILING = "policy-failing"
    TOO_SLOW = "policy-too-slow"
    WRONG_SHAPE = "policy-wrong-shape"


def not_compiling(message: str, *, file: str, line: int | None) -> Finding:
    """A file that OPA does not take. All rules of other files are still asked."""
    return Finding(
        rule=Trouble.NOT_COMPILING,
        severity=Severity.ERROR,
        message=f"the policy does not compile, so no rule of this file is asked: {message}",
        file=file,
        line=line,
        help="correct it; `pytest-gitops policy test` compiles it without a run",
    )


def invalid(message: str, *, file: str, line: int | None, help: str = "correct it at the line") -> Finding:
    """A rule, template or constraint that cannot be understood."""
    return Finding(
        rule=Trouble.INVALID, severity=Severity.ERROR, message=message, file=file, line=line, help=help
    )


def not_checked(message: str, *, file: str, line: int | None, help: str = "") -> Finding:
    """What is all right as far as we know, and is not asked here; an error for who wants everything checked."""
    return Finding(
        rule=Trouble.NOT_CHECKED, severity=Severity.WARNING, message=message, file=file, line=line, help=help
    )
