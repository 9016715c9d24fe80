"""review.sarif: the review's findings as SARIF 2.1.0, for code scanning and editors.

One reporting descriptor for each rule, results at the file and line that is to be changed, waivers as suppressions.
The limits are GitHub's (docs.github.com, "SARIF support for code scanning": 25,000 results of a run, 10 MB gzipped);
what goes beyond them is left out, the least severe first, and a notification says so.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pytest_gitops.model import Outcome, Severity
from pytest_gitops.report.reading import (
    Application,
    Document,
    Family,
    FindingDict,
    grouped_findings,
    key_of,
    stages_of,
    unchecked,
)
from pytest_gitops.report.text import clip, counted, first_line, one_line

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MAX_RESULTS = 25_000
MAX_BYTES = 10_000_000
"""Gzipped."""

ROOT = "%SRCROOT%"
"""What the files' names are relative to, as GitHub spells it."""

_MESSAGE = 1_000
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_MOVES = re.compile(r"(?<=:)\d+\b|\bline \d+\b")
_LINK = re.compile(r"(?<=\])(?=\()")
_GAP = "\u200b"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """One finding and whose it is; `near` says that no more than the Application is known of its place."""

    finding: FindingDict
    keys: tuple[str, ...]
    near: bool = False
    gone: bool = False


def render(document: Document) -> str:
    """The text of review.sarif."""
    said = _said(document)
    kept = said[:MAX_RESULTS]
    while True:
        text = (
            json.dumps(_log(document, kept, left=len(said) - len(kept)), indent=1, ensure_ascii=False) + "\n"
        )
        # Gzip makes nothing of ours larger, so that most need not be tried.
        if len(text) * 4 < MAX_BYTES or len(gzip.compress(text.encode(), 6)) <= MAX_BYTES or not kept:
            return text
        kept = kept[: len(kept) * 3 // 4]


def _said(document: Document) -> list[_Said]:
    """The findings, and failures that have none, each once, the worst first."""
    applications = {key_of(a): a for a in document["applications"]}
    told = []
    for each in grouped_findings(document, Family.REVIEW):
        owners = [applications[k] for k in each.keys if k in applications]
        told.append(
            _Said(
                finding=each.finding,
                keys=tuple(k for k in each.keys if k),
                near=any(_is_near(each.finding, a) for a in owners),
                gone=bool(owners) and all(a["change"] == "removed" for a in owners),
            )
        )
    told += [
        _Said(finding=finding, keys=(key_of(a),), near=True, gone=a["change"] == "removed")
        for a in document["applications"]
        for finding in _without_findings(a)
    ]
    order = list(_LEVELS)
    return sorted(told, key=lambda s: (s.finding["waiver"] is not None, order.index(s.finding["severity"])))


def _is_near(finding: FindingDict, application: Application) -> bool:
    """Whether a finding about something else stands where the Application does: its own place is not known."""
    here = (finding["file"], finding["line"]) == (application["file"], application["line"])
    own = f"Application {key_of(application)}"
    return here and finding["resource"] not in {None, "", own, f"Application {application['name']}"}


def _without_findings(application: Application) -> list[FindingDict]:
    return [
        {
            "rule": stage["code"] or f"{stage['stage']}-failed",
            "severity": Severity.ERROR.value,
            "message": first_line(stage["message"]) or f"{stage['stage']} failed",
            "file": application["file"],
            "line": application["line"],
            "resource": f"Application {key_of(application)}",
            "help": None,
            "waiver": None,
        }
        for stage in stages_of(application, Family.REVIEW)
        if stage["outcome"] == Outcome.FAILED and not stage["findings"]
    ]


def _log(document: Document, said: Sequence[_Said], *, left: int) -> dict[str, Any]:
    rules = _rules(said)
    places = {rule["id"]: index for index, rule in enumerate(rules)}
    seen: Counter[str] = Counter()
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "pytest-gitops",
                "version": document["tool"]["version"],
                "informationUri": "https://pypi.org/project/pytest-gitops/",
                "rules": rules,
            }
        },
        "automationDetails": {"id": "pytest-gitops/review/"},
        "columnKind": "utf16CodeUnits",
        "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the repository"}}},
        "invocations": [_invocation(document, left)],
        "results": [_result(s, places, seen) for s in said],
    }
    repository, head = document["run"]["repository"], document["run"]["head"]
    if re.match(r"https?://\S+$", repository):
        revision = {"revisionId": head["commit"], "branch": head["name"]}
        run["versionControlProvenance"] = [
            {"repositoryUri": _uri(repository), **{k: v for k, v in revision.items() if v}}
        ]
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _uri(url: str) -> str:
    return quote(url, safe="%/:=&?~#+!$,;'@()*[]")


def _rules(said: Sequence[_Said]) -> list[dict[str, Any]]:
    """A descriptor for each rule, by name. A rule's own severity is the worst that it was told with."""
    found: dict[str, list[FindingDict]] = {}
    for each in said:
        found.setdefault(each.finding["rule"], []).append(each.finding)
    order = list(_LEVELS)
    return [
        {
            "id": rule,
            "name": "".join(word.capitalize() for word in re.split(r"\W+", rule) if word) or rule,
            "shortDescription": {"text": rule.replace("-", " ").capitalize()},
            "help": {
                "text": _plain(next((f["help"] for f in told if f["help"]), None) or told[0]["message"])
            },
            "defaultConfiguration": {
                "level": _LEVELS[Severity(min((f["severity"] for f in told), key=order.index))]
            },
            "properties": {"tags": ["gitops", "argocd"]},
        }
        for rule, told in sorted(found.items())
    ]


def _result(said: _Said, places: Mapping[str, int], seen: Counter[str]) -> dict[str, Any]:
    finding, waiver = said.finding, said.finding["waiver"]
    others = f" ({counted(len(said.keys), 'Application')}: {', '.join(said.keys[:3])})" if said.keys else ""
    about = finding["resource"]
    text = (
        f"{about}: {finding['message']}" if about and about not in finding["message"] else finding["message"]
    )
    note = " [the place is the Application's: where this is written is not known]" if said.near else ""
    stable = _fingerprint(finding, said.keys)
    seen[stable] += 1
    result: dict[str, Any] = {
        "ruleId": finding["rule"],
        "ruleIndex": places[finding["rule"]],
        "level": _LEVELS[Severity(finding["severity"])],
        "message": {"text": f"{_plain(text)}{clip(others, 300)}{note}"},
        "locations": _locations(finding),
        "partialFingerprints": {
            "primaryLocationLineHash": f"{stable}:{seen[stable]}",  # the one that GitHub reads
            "pytestGitops/v1": f"{stable}:{seen[stable]}",
        },
        "suppressions": [_suppression(waiver)] if waiver else [],
        "properties": {
            "applications": list(said.keys[:100]),
            "place": "application" if said.near else "source" if finding["file"] else "unknown",
            **({"revision": "base"} if said.gone else {}),
        },
    }
    return result


def _locations(finding: FindingDict) -> list[dict[str, Any]]:
    file = finding["file"] or ""
    if not file or file.startswith("/") or ".." in file.split("/"):
        return []
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(file), "uriBaseId": ROOT}}
    place["region"] = {"startLine": finding["line"] or 1}
    names = (
        [{"fullyQualifiedName": clip(finding["resource"], 200), "kind": "resource"}]
        if finding["resource"]
        else []
    )
    return [{"physicalLocation": place, **({"logicalLocations": names} if names else {})}]


def _fingerprint(finding: FindingDict, keys: Sequence[str]) -> str:
    """The same as long as it is the same finding, wherever in its file it moves to."""
    message = _MOVES.sub("", finding["message"])
    parts = (finding["rule"], finding["file"] or "", finding["resource"] or "", message, *sorted(keys)[:1])
    return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()[:32]


def _suppression(waiver: Mapping[str, Any]) -> dict[str, Any]:
    until = f" (until {waiver['expires']})" if waiver["expires"] else ""
    return {
        "kind": "external",
        "justification": _plain(waiver["reason"]) + until,
    }


def _invocation(document: Document, left: int) -> dict[str, Any]:
    """How the run went: what could not be judged or checked is a notification, never a missing result."""
    run = document["run"]
    told = [("error", "engine", run["error"])] if run["error"] else []
    told += [
        (
            "error" if u.outcome == Outcome.ERROR else "warning",
            u.code or u.stage,
            f"{u.stage} could not be checked for {counted(len(u.keys), 'Application')}"
            f" ({', '.join(u.keys[:3])}): {u.reason or u.code}",
        )
        for u in unchecked(document, Family.REVIEW)[:200]
    ]
    if left:
        told.append(
            ("warning", "results-left-out", f"{counted(left, 'result')} left out here: see report.json")
        )
    invocation: dict[str, Any] = {"executionSuccessful": not run["error"]}
    if told:
        invocation["toolExecutionNotifications"] = [
            {"level": level, "descriptor": {"id": code}, "message": {"text": _plain(text)}}
            for level, code, text in told
        ]
    return invocation


def _plain(text: str) -> str:
    """Text of a repository's as a message: one line, and no link that SARIF would make of it."""
    return _LINK.sub(_GAP, clip(one_line(text), _MESSAGE))
