"""What the terminal says when a run is over: about ten lines of plain text, each with its style."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from pytest_gitops.model import Outcome, Severity
from pytest_gitops.report import scenarios
from pytest_gitops.report.parts import is_empty_part, part
from pytest_gitops.report.reading import (
    Document,
    FindingDict,
    State,
    bad_scenarios,
    by_urgency,
    findings_of,
    host_title,
    is_open,
    key_of,
    scenarios_of,
    state_of,
    unchecked,
    where,
)
from pytest_gitops.report.reading_changes import (
    changed_applications,
    going,
    is_compared,
    not_compared,
    selection,
    signs,
)
from pytest_gitops.report.text import clip, counted, first_line, joined, one_line, seconds

Line = tuple[str, str]
"""A line and its style: "red", "yellow", "green", "bold", or empty. No line holds a control character."""

Place = tuple[str, str, int]
"""What one of the repository's own problems is known by: rule, file, and line (1 where there is none)."""

_SHOWN = 5
_WIDTH = 180


def summary(
    document: Document, *, reports: Sequence[str] = (), failed: Collection[Place] | None = None
) -> list[Line]:
    """The lines: what was looked at, what failed and where, what nobody checked, where the reports are.

    `failed` are the repository's own problems that made this run fail; None stands for all. Others are of files that
    were not asked for, and no failures of this run.
    """
    broken = [f for f in document["findings"] if is_open(f) and f["severity"] == Severity.ERROR]
    ours = [f for f in broken if failed is None or _place(f) in failed]
    lines = [
        *_verdict(document, ours),
        *([(part(document), "")] if part(document) else []),
        *_selection(document),
        *_changes(document),
        *_failures(document, ours),
        *scenarios.terminal(document),
        *_findings(document),
        *_unchecked(document),
    ]
    if others := [f for f in broken if f not in ours]:
        places = _some([where(f) or f["rule"] for f in others], 3)
        lines.append(
            (f"not selected: {counted(len(others), 'error')} elsewhere in the repository ({places})", "")
        )
    hosts = [f"{host_title(h)} {h['reason']}" for h in document["run"]["hosts"]]
    if hosts:
        lines.append((f"hosts out of reach: {_some(hosts, 4)}", "yellow"))
    pretended = document["run"]["cluster"]["simulated"]
    if pretended:
        more = f" (and {len(pretended) - 1} more, see the report)" if len(pretended) > 1 else ""
        lines.append((f"simulated: {first_line(pretended[0]).rstrip('.')}{more}", ""))
    if reports:
        lines.append((f"reports: {' '.join(reports)}", "bold"))
    return [
        (clip(one_line(text), _WIDTH) if style != "bold" else one_line(text), style) for text, style in lines
    ]


def _place(finding: FindingDict) -> Place:
    return finding["rule"], finding["file"] or "", finding["line"] or 1


def _verdict(document: Document, broken: Sequence[FindingDict]) -> list[Line]:
    run, count = document["run"], document["summary"]
    total = counted(count["applications"], "Application")
    told = joined(
        [f"{n} {o}" if (n := count["outcomes"][o]) else "" for o in ("failed", "error", "passed", "skipped")]
    )
    style = _style(document, broken)
    provider = run["cluster"]["provider"]
    versions = f"Argo CD {document['tool']['argocd']}, {'no' if provider == 'none' else provider} cluster"
    if not count["applications"] and (played := scenarios_of(document)):
        total, told = counted(len(played), "scenario"), scenarios.tally(played)
    lines = [(f"{total}: {told or 'none'} in {seconds(run['durationSeconds'])} ({versions})", style)]
    if run["error"]:
        lines.append((f"the engine could not judge: {first_line(run['error'])}", "red"))
    return lines


def _changes(document: Document) -> list[Line]:
    """What the pull request does, in a line; and what Argo CD will delete, in another."""
    if not is_compared(document):
        return []
    changes, touched = document["changes"], len(changed_applications(document))
    total = counted(len(document["applications"]), "Application")
    told = joined(
        [
            f"{touched} of {total}" if touched else "none",
            f"objects {signs(changes['counts'])}" if signs(changes["counts"]) else "",
            counted(len(changes["images"]), "image") if changes["images"] else "",
        ]
    )
    lost = len(not_compared(document))
    lines = [
        (f"changes: {told}" + (f"; {lost} could not be compared" if lost else ""), "yellow" if lost else "")
    ]
    gone = [g for g in going(document) if g.deletes]
    if gone:
        data = sum(g.data == "lost" for g in gone)
        loss = f", {data} with {'its' if data == 1 else 'their'} data" if data else ""
        lines.append(
            (
                f"Argo CD will delete {len(gone):,}{loss}: {_some([g.title for g in gone], 4)}",
                "red" if data else "yellow",
            )
        )
    return lines


def _selection(document: Document) -> list[Line]:
    told = selection(document)
    return [(told, "")] if told else []


def _style(document: Document, broken: Sequence[FindingDict]) -> str:
    outcomes, findings = document["summary"]["outcomes"], document["summary"]["findings"]
    bad = outcomes[Outcome.FAILED] or outcomes[Outcome.ERROR] or bad_scenarios(document)
    if bad or broken or document["run"]["error"]:
        return "red"
    passed = outcomes[Outcome.PASSED] or any(s["outcome"] == Outcome.PASSED for s in scenarios_of(document))
    nothing = not passed and not is_empty_part(document)
    doubtful = findings[Severity.WARNING] or outcomes[Outcome.SKIPPED] or nothing
    return "yellow" if doubtful else "green"


def _failures(document: Document, broken: Sequence[FindingDict]) -> list[Line]:
    bad = [a for a in by_urgency(document["applications"]) if state_of(a) in {State.FAILED, State.ERROR}]
    lines = []
    for application in bad[:_SHOWN]:
        stage = next(s for s in application["stages"] if s["outcome"] in {Outcome.FAILED, Outcome.ERROR})
        worst = next((f for f in stage["findings"] if is_open(f) and f["severity"] == Severity.ERROR), None)
        why = (worst["message"] if worst else first_line(stage["message"])) or stage["code"] or ""
        place = (where(worst) if worst else "") or where(application)
        word = "✗" if stage["outcome"] == Outcome.FAILED else "!"
        head, tail = f"{word} {clip(key_of(application), 60)} {stage['stage']}: ", f" [{clip(place, 60)}]"
        lines.append((head + clip(one_line(why), max(20, _WIDTH - len(head) - len(tail))) + tail, "red"))
    if len(bad) > _SHOWN:
        lines.append((f"… and {counted(len(bad) - _SHOWN, 'more Application')}", "red"))
    lines += [
        (f"✗ repository: {one_line(f['message'])} [{where(f) or f['rule']}]", "red") for f in broken[:2]
    ]
    if len(broken) > 2:
        lines.append((f"… and {counted(len(broken) - 2, 'more error')} in the repository", "red"))
    return lines


def _findings(document: Document) -> list[Line]:
    count = document["summary"]["findings"]
    told = joined(
        [
            counted(count[Severity.WARNING], "warning") if count[Severity.WARNING] else "",
            f"{count['waived']} waived" if count["waived"] else "",
        ]
    )
    if not told:
        return []
    everything = [*document["findings"], *(f for a in document["applications"] for f in findings_of(a))]
    rules = Counter(f["rule"] for f in everything if is_open(f) and f["severity"] == Severity.WARNING)
    common = [f"{rule} {n}" for rule, n in sorted(rules.items(), key=lambda r: (-r[1], r[0]))]
    return [(f"{told}{f' ({_some(common, 4)})' if common else ''}", "yellow")]


def _unchecked(document: Document) -> list[Line]:
    groups = Counter[str]()
    for group in unchecked(document):
        groups[group.code or group.stage] += len(group.keys)
    if not groups:
        return []
    told = [f"{code} {n}" for code, n in sorted(groups.items(), key=lambda g: (-g[1], g[0]))]
    return [(f"could not check: {counted(groups.total(), 'check')} ({_some(told, 4)})", "yellow")]


def _some(words: Sequence[str], most: int) -> str:
    left = f", {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + left
