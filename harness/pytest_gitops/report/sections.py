"""The parts that review.md and verification.md share: header, causes, what could not be checked, hosts."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pytest_gitops.model import VERIFY_STAGES, Outcome
from pytest_gitops.report import markdown as md
from pytest_gitops.report.markdown_evidence import steps, tables
from pytest_gitops.report.parts import is_empty_part, part
from pytest_gitops.report.reading import (
    Application,
    Document,
    Family,
    Stage,
    State,
    Unchecked,
    again,
    asked_for,
    bad_scenarios,
    by_urgency,
    grouped_findings,
    host_title,
    is_open,
    key_of,
    repository_title,
    resource_title,
    scenarios_of,
    stages_of,
    state_of,
    unchecked,
    unhealthy,
    where,
)
from pytest_gitops.report.text import clip, counted, joined, seconds, since

MARKS = {
    State.FAILED: "❌",
    State.ERROR: "⛔",
    State.WARNING: "⚠️",
    State.SKIPPED: "⏭️",
    State.PASSED: "✅",
    State.ABSENT: "–",
}


def header(page: md.Page, document: Document, family: Family) -> None:
    """The title with its verdict, and the line that says what was looked at, with what."""
    mark, verdict = _verdict(document, family)
    run, tool = document["run"], document["tool"]
    page.add(f"<!-- pytest-gitops:{family} -->\n### {mark} GitOps {family} · {verdict}")
    revisions = joined([revision(run["base"]), revision(run["head"])], by=" → ")
    page.add(
        joined(
            [
                md.prose(repository_title(document), 120),
                revisions,
                f"Argo CD {md.prose(tool['argocd'], 30)}",
                f"Kubernetes {md.prose(tool['kubernetes'], 30)}",
                f"OPA {md.prose(tool['opa'], 30)}",
                seconds(run["durationSeconds"]),
            ],
            by=" · ",
        )
    )
    if told := part(document):
        page.add(f"> **{told[0].upper()}{told[1:]}.**")
    if run["error"]:
        page.add("⛔ **The engine could not judge:**\n\n" + md.block(run["error"], lines=12, width=160))


def revision(value: Any) -> str:
    """ "`main@6864734`", with a word when the working tree differs from it; empty without a value."""
    if not value:
        return ""
    name, commit = value["name"] or "", (value["commit"] or "")[:7]
    text = md.code(f"{clip(name, 60)}@{commit}" if name and commit else name or commit)
    return f"{text} with uncommitted changes" if value.get("dirty") else text


def _verdict(document: Document, family: Family) -> tuple[str, str]:
    applications = document["applications"]
    states = Counter(state_of(a, family) for a in applications)
    total = counted(len(applications), "Application")
    bad = states[State.FAILED] + states[State.ERROR]
    repository = [s for s in grouped_findings(document, family) if "" in s.keys and is_open(s.finding)]
    broken = sum(s.finding["severity"] == "error" for s in repository)
    skipped = sum(s["outcome"] == Outcome.SKIPPED for a in applications for s in stages_of(a, family))
    checks = f", {counted(skipped, 'check')} skipped" if skipped else ""
    played, gone_wrong = scenarios_of(document, family), bad_scenarios(document, family)
    failing = f"{len(gone_wrong)} of {counted(len(played), 'scenario')} failed" if gone_wrong else ""
    not_played = sum(s["outcome"] == Outcome.SKIPPED for s in played)
    checks += f", {counted(not_played, 'scenario')} skipped" if not_played else ""
    attention = bad + states[State.WARNING] + states[State.SKIPPED]
    if document["run"]["error"]:
        return "⛔", f"the engine could not judge ({total})"
    if not asked_for(document, family):
        return "⏭️", "not asked for"
    if played and not (applications or failing or broken):
        return ("⚠️" if not_played else "✅"), f"{counted(len(played), 'scenario')} asked{checks}"
    if not applications and broken and not failing:
        return "❌", f"{counted(broken, 'error')} in the repository"
    if not applications and not failing:
        return (
            ("⏭️", "no Application in this shard")
            if is_empty_part(document)
            else ("⚠️", "no Application found")
        )
    if bad or broken or failing:
        of = f"{attention} of {total} {'needs' if attention == 1 else 'need'} attention" if attention else ""
        errors = f"{counted(broken, 'error')} in the repository" if broken else ""
        return "❌", joined([of, errors, failing]) + checks
    good = {Family.REVIEW: "passed", Family.VERIFICATION: "Synced and Healthy"}[family]
    passed = states[State.PASSED] + states[State.WARNING]
    if passed < len(applications):
        doubt = f"{states[State.SKIPPED]} could not be checked" if states[State.SKIPPED] else ""
        absent = f"{states[State.ABSENT]} not run" if states[State.ABSENT] else ""
        return "⚠️", joined([f"{passed} of {total} {good}", doubt, absent])
    warned = states[State.WARNING] or repository
    return ("⚠️" if warned else "✅"), f"{total} {good}{', with warnings' if warned else ''}{checks}"


def causes(page: md.Page, document: Document, family: Family, *, share: int) -> None:
    """Why each failed stage failed: its own text, what is not healthy, and the command to see it again."""
    failed = [
        (a, s)
        for a in by_urgency(document["applications"], family)
        for s in stages_of(a, family)
        if s["outcome"] == Outcome.FAILED and (s["message"] or family is Family.VERIFICATION)
    ]
    items = md.Each(lambda n: _cause(document, *failed[n], first=n == 0), range(len(failed)))
    page.blocks(items, share=share, title="**What failed**", noun="failure")


def _cause(document: Document, application: Application, stage: Stage, *, first: bool) -> str:
    title = joined([key_of(application), stage["stage"], stage["code"] or "", where(application)], by=" · ")
    body = [md.block(stage["message"], lines=24, width=200)] if stage["message"] else []
    if family_is_live(stage):
        body.extend(_not_healthy(application))
        body.extend(timeline(application))
        body.extend(steps(stage))
        body.extend(tables(stage))
    body.append("again: " + md.code(again(document, application, stage["stage"]), 400))
    text = "\n\n".join(body)
    summary = f"❌ <b>{md.html_text(title, 200)}</b>"
    return (
        md.fold(summary, text).replace("<details>", "<details open>", 1) if first else md.fold(summary, text)
    )


def family_is_live(stage: Stage) -> bool:
    """True if the stage acted on a cluster, so that objects and the timeline say something about it."""
    return stage["stage"] in VERIFY_STAGES


def _not_healthy(application: Application) -> list[str]:
    bad = unhealthy(application["resources"])
    if not bad:
        return []
    rows = [
        [
            md.code(resource_title(r), 120, cell=True),
            md.prose(r["sync"] or "–", 30),
            md.prose(r["health"] or "–", 30),
            md.prose(r["message"] or "–", 200),
        ]
        for r in bad[:8]
    ]
    left = f"\n\n… {counted(len(bad) - 8, 'more object')} not Synced and Healthy." if len(bad) > 8 else ""
    return [md.table(["object", "sync", "health", "message"], rows) + left]


def timeline(application: Application, *, most: int = 6) -> list[str]:
    """The course of sync and health on one line: its beginning and its end."""
    moments = application["timeline"]
    if not moments:
        return []
    told = [
        f"{since(m['at'])} {md.prose(m['sync'] or '–', 20)}/{md.prose(m['health'] or '–', 20)}"
        for m in moments
    ]
    if len(told) > most:
        told = [*told[: most // 2], f"({len(told) - most} steps)", *told[-(most - most // 2) :]]
    return ["timeline: " + " → ".join(told)]


def not_checked(page: md.Page, document: Document, family: Family, *, share: int) -> None:
    """What nobody looked at, and why; never silent, because not checked is not passed."""
    groups = unchecked(document, family)
    page.items(md.Each(_unchecked, groups), share=share, shown=8, title="**Could not check**", noun="reason")
    if not groups and document["applications"]:
        page.add("Could not check: nothing.")


def _unchecked(group: Unchecked) -> str:
    names = md.cells(lambda k: md.code(k, 80), group.keys[:3])
    rest = f" and {len(group.keys) - 3} more" if len(group.keys) > 3 else ""
    mark = MARKS[State(group.outcome)]
    text = joined(
        [f"- {mark} {md.prose(group.stage, 40)}", md.code(group.code, 60), f"· {names}{rest}"], by=" "
    )
    return f"{text}: {md.prose(group.reason, 400)}" if group.reason else text


def hosts(page: md.Page, document: Document, *, share: int) -> None:
    """The hosts that a manifest wanted and did not get."""
    items = [
        joined(
            [
                f"- {md.code(host_title(h), 120)} {md.prose(h['reason'], 20)}",
                md.prose(h["detail"] or "", 200),
            ],
            by=": ",
        )
        for h in document["run"]["hosts"]
    ]
    page.items(items, share=share, shown=6, title="**Hosts out of reach**", noun="host")


def again_line(document: Document) -> str:
    """The last line: where everything is, and how to see it again."""
    return f"Everything is in `index.html`. To see this again: {md.code(document['run']['command'], 400)}"
