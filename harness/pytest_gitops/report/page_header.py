"""The strip at the top of the page: the verdict of the run, revisions, versions, what was simulated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pytest_gitops.report.markup import Content, Html, code, el, mark, spaced
from pytest_gitops.report.parts import is_empty_part, part
from pytest_gitops.report.reading import (
    Document,
    State,
    bad_scenarios,
    is_open,
    repository_title,
    scenarios_of,
    state_of,
)
from pytest_gitops.report.text import counted, one_line, seconds, sentences


def verdict(document: Document) -> tuple[State, str]:
    """The state of the whole run, and the sentence that says it."""
    states = Counter(state_of(a) for a in document["applications"])
    total = counted(len(document["applications"]), "Application")
    broken = [f for f in document["findings"] if is_open(f) and f["severity"] == "error"]
    if document["run"]["error"]:
        return State.ERROR, "The engine could not judge"
    if states[State.FAILED] or states[State.ERROR]:
        bad = states[State.FAILED] + states[State.ERROR]
        told = "failed" if not states[State.ERROR] else "failed or could not be judged"
        return (State.FAILED if states[State.FAILED] else State.ERROR), f"{bad} of {total} {told}"
    if wrong := bad_scenarios(document):
        failed = any(s["outcome"] == "failed" for s in wrong)
        played = counted(len(scenarios_of(document)), "scenario")
        return (State.FAILED if failed else State.ERROR), f"{len(wrong)} of {played} failed"
    if broken:
        return State.FAILED, f"{counted(len(broken), 'error')} in the repository"
    if not document["applications"] and (asked := scenarios_of(document)):
        good = sum(s["outcome"] == "passed" for s in asked)
        state = State.PASSED if good == len(asked) else State.SKIPPED
        return state, f"{good} of {counted(len(asked), 'scenario')} passed"
    if is_empty_part(document):
        return State.SKIPPED, "No Application is in this shard"
    if not document["applications"]:
        return State.SKIPPED, "No Application was found"
    passed = states[State.PASSED] + states[State.WARNING]
    if passed < len(document["applications"]):
        return State.SKIPPED, f"{passed} of {total} passed, the others were not checked"
    skipped = document["summary"]["stages"]["skipped"]
    checks = f", {counted(skipped, 'check')} skipped" if skipped else ""
    if states[State.WARNING] or any(is_open(f) and f["severity"] == "warning" for f in document["findings"]):
        return State.WARNING, f"{total} passed, with warnings{checks}"
    return State.PASSED, f"{total} passed{checks}"


def header(document: Document) -> Html:
    """The strip at the top: verdict, revisions, versions, and always what was simulated."""
    run, tool = document["run"], document["tool"]
    state, sentence = verdict(document)
    simulated = run["cluster"]["simulated"]
    versions = [f"Argo CD {tool['argocd']}", f"Kubernetes {tool['kubernetes']}", f"OPA {tool['opa']}"]
    return el(
        "header",
        el("h1", mark(state, label=""), el("span", sentence)),
        el(
            "ul",
            el("li", el("b", one_line(repository_title(document))), " ", _revisions(run)),
            el(
                "li",
                el("time", _date(run["started"]), datetime=run["started"]),
                f" · {seconds(run['durationSeconds'])}",
            ),
            el("li", " · ".join(versions)),
            el("li", el("b", part(document))) if part(document) else None,
            class_="run",
        ),
        el(
            "p",
            el("b", "Simulated"),
            f" ({run['cluster']['provider']} cluster): ",
            sentences(simulated) if simulated else "nothing",
            class_="simulated",
        ),
        class_=f"top {state}",
    )


def _date(started: str) -> str:
    return one_line(started)[:16].replace("T", " ") + (" UTC" if started.endswith(("Z", "+00:00")) else "")


def _revisions(run: Mapping[str, Mapping[str, str | None]]) -> list[Content]:
    return spaced(_revision(run["base"]), "→" if run["base"] else None, _revision(run["head"]))


def _revision(value: Mapping[str, str | None] | None) -> Content:
    if not value or not (value["name"] or value["commit"]):
        return None
    commit = (value["commit"] or "")[:7]
    return spaced(
        code("@".join(p for p in (value["name"], commit) if p)),
        "+ uncommitted changes" if value.get("dirty") else None,
    )
