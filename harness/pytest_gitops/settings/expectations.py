"""What a repository expects of Argo CD's RBAC: the entries of `rbac:`, and what came of each. Pure values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_gitops.errors import ConfigError
from pytest_gitops.model import Finding, Outcome

RESOURCES = (
    "accounts",
    "applications",
    "applicationsets",
    "certificates",
    "clusters",
    "exec",
    "extensions",
    "gpgkeys",
    "logs",
    "projects",
    "repositories",
    "write-repositories",
)
"""What Argo CD asks its RBAC about (util/rbac/rbac.go: Resources); which actions each has, it says itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One question to Argo CD's RBAC, and the answer that is expected.

    `subject` is a user, a role (`role:…`), a project's role (`proj:<project>:<role>`) or a group (`<org>:<team>`),
    empty for somebody of whom only the `groups` are known; `default_role` stands in for policy.default, None to leave
    that; `file` and `line` say where the expectation is written.
    """

    action: str
    resource: str
    allowed: bool
    subject: str = ""
    groups: tuple[str, ...] = ()
    object: str = "*"
    default_role: str | None = None
    file: str = ""
    line: int = 1

    @property
    def who(self) -> str:
        """Who is asked about: "alice", "alice of acme:ops, acme:dev", "somebody of acme:ops"."""
        groups = ", ".join(self.groups)
        return f"{self.subject or 'somebody'} of {groups}" if groups else self.subject

    @property
    def title(self) -> str:
        """Who does what: "role:dev sync applications shop/*"."""
        return f"{self.who} {self.action} {self.resource} {self.object}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An expectation, and the finding that it makes, None if it is met. A finding that is waived fails nothing."""

    expectation: Expectation
    finding: Finding | None = None

    def to_dict(self) -> dict[str, Any]:
        """An entry of `expectations` in report.json."""
        asked, found = self.expectation, self.finding
        return {
            "title": asked.title,
            "expect": "allow" if asked.allowed else "deny",
            "outcome": (Outcome.FAILED if found is not None and found.counts else Outcome.PASSED).value,
            "code": found.rule if found is not None else None,
            "waived": found is not None and found.waiver is not None,
            "file": asked.file or None,
            "line": asked.line,
        }


def parse(
    entries: Sequence[Mapping[str, Any]], *, file: str = "", lines: Sequence[int] = ()
) -> tuple[Expectation, ...]:
    """The expectations of a configuration that fits its schema; `lines` has each one's line in `file`.

    Raises ConfigError for one that is about nobody.
    """
    for number, entry in enumerate(entries):
        if not entry.get("subject") and not entry.get("groups"):
            where = f"{file}:{lines[number]}" if number < len(lines) else file
            raise ConfigError(f"rbac.{number}: expected a subject or groups, saw neither", where=where)
    return tuple(
        Expectation(
            subject=entry.get("subject", ""),
            groups=tuple(entry.get("groups", ())),
            action=entry["action"],
            resource=entry["resource"],
            object=entry.get("object", "*"),
            allowed=entry["expect"] == "allow",
            default_role=entry.get("default-role"),
            file=file,
            line=lines[number] if number < len(lines) else 1,
        )
        for number, entry in enumerate(entries)
    )
