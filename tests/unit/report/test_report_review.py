from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from functools import cache

import pytest
from report_documents import case, grid, host, large, large_document, nasty, run, small, stage

from pytest_gitops.model import Finding, Outcome, Run, Severity, Verdict, Waiver
from pytest_gitops.report import document, review, verification
from pytest_gitops.report.document import Document
from pytest_gitops.report.markdown import LIMIT, size
from pytest_gitops.report.reading import worst_first

EMOJI = "🚀" * 1_000


@cache
def _written(writer: Callable[..., str], make: Callable[[], Document]) -> str:
    """What a writer makes of a large document, written once for all who read it."""
    return writer(make())


def _title(text: str) -> str:
    return text.splitlines()[1]


def _grid() -> Document:
    return document.build(grid())


def _nasty() -> Document:
    return document.build(nasty())


@cache
def _many() -> Document:
    return document.build(large(800, 800, 800, 40))


@cache
def _long() -> Document:
    return document.build(large(5, 5, 20, 70_000))


@cache
def _emoji() -> Document:
    findings = tuple(
        Finding(rule=f"r{n}", severity=Severity.ERROR, message=EMOJI, help=EMOJI, file=EMOJI, line=n + 1)
        for n in range(150)
    )
    verdicts = [
        Verdict(
            case=case(f"{n}{EMOJI}"),
            stages=(
                stage(
                    "source", Outcome.FAILED, message=f"{EMOJI}\n" * 30, findings=findings if n == 0 else ()
                ),
                stage("render", Outcome.ERROR, code=EMOJI, message=EMOJI),
                stage("converge", Outcome.FAILED, code=EMOJI, message=f"{EMOJI}\n" * 30),
            ),
        )
        for n in range(30)
    ]
    return document.build(
        run(*verdicts, repository=EMOJI, error=f"{EMOJI}\n" * 50, command=EMOJI, simulated=(EMOJI,) * 50)
    )


@pytest.mark.parametrize("writer", [review.render, verification.render])
@pytest.mark.parametrize("make", [large_document, _many, _long, _emoji])
def test_a_report_stays_below_githubs_limit(writer: Callable[..., str], make: Callable[[], Document]) -> None:
    assert size(_written(writer, make)) < LIMIT


@pytest.mark.parametrize("writer", [review.render, verification.render])
@pytest.mark.parametrize("make", [_grid, _nasty, large_document, _emoji])
def test_folds_and_fences_are_balanced(writer: Callable[..., str], make: Callable[[], Document]) -> None:
    fence, depth = "", 0
    for line in _written(writer, make).splitlines():
        if fence:
            fence = "" if line == fence else fence
        elif found := re.match(r"(`{3,})text$", line):
            fence = found[1]
        else:
            depth += line.count("<details") - line.count("</details>")
            assert depth in {0, 1}
    assert (fence, depth) == ("", 0)


@pytest.mark.parametrize("writer", [review.render, verification.render])
def test_hostile_text_is_never_html(writer: Callable[..., str]) -> None:
    text = re.sub(r"(?ms)^(`{3,})text$.*?^\1$", "", writer(document.build(nasty())))  # fenced text is text
    text = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", re.sub(r"\\`", "", text))  # and so are code spans
    assert set(re.findall(r"<(\w+)", text)) <= {"details", "summary", "b", "br"}
    assert "@everyone" not in text
    assert not re.search(r"https?://", text)
    assert "](" not in text


def test_what_is_left_out_is_counted() -> None:
    text = _written(review.render, large_document)
    shown = text.count("- ❌ ")
    [left] = re.findall(r"… ([\d,]+) errors left out here: see the full report", text)
    assert shown + int(left.replace(",", "")) == 134 * 12


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (small, "### ✅ GitOps review · 1 Application passed"),
        (grid, "### ❌ GitOps review · 3 of 9 Applications need attention, 1 check skipped"),
        (run, "### ⚠️ GitOps review · no Application found"),
        (
            lambda: run(error="etcd died"),
            "### ⛔ GitOps review · the engine could not judge (0 Applications)",
        ),
        (lambda: dataclasses.replace(small(), stages=("converge",)), "### ⏭️ GitOps review · not asked for"),
        (
            lambda: run(Verdict(case=case("a"), stages=(stage("source", Outcome.SKIPPED, code="x"),))),
            "### ⚠️ GitOps review · 0 of 1 Application passed, 1 could not be checked",
        ),
        (
            lambda: run(Verdict(case=case("a"), stages=(stage("converge"),))),
            "### ⚠️ GitOps review · 0 of 1 Application passed, 1 not run",
        ),
        (
            lambda: run(Verdict(case=case("a"), stages=(stage("source"), stage("policy", Outcome.SKIPPED)))),
            "### ✅ GitOps review · 1 Application passed, 1 check skipped",
        ),
        (
            lambda: dataclasses.replace(
                small(), findings=(Finding(rule="r", severity=Severity.ERROR, message="m"),)
            ),
            "### ❌ GitOps review · 1 error in the repository",
        ),
    ],
)
def test_the_title_says_the_verdict(make: Callable[[], Run], expected: str) -> None:
    assert _title(review.render(document.build(make()))) == expected


def test_what_needs_attention_comes_before_what_passed() -> None:
    text = review.render(document.build(grid()))
    order = [
        "| ❌ |",
        "| ⛔ |",
        "| ⚠️ |",
        "6 Applications passed",
        "**What failed**",
        "**Dangers**",
        "**Warnings**",
        "**Could not check**",
        "**Hosts out of reach**",
        "**Waived**",
        "To see this again",
    ]
    places = [text.index(word) for word in order]
    assert places == sorted(places)


def test_a_waived_finding_is_shown_with_reason_and_end_and_does_not_count() -> None:
    waived = Finding(
        rule="r",
        severity=Severity.ERROR,
        message="m",
        file="a.yaml",
        line=7,
        waiver=Waiver(reason="agreed", expires="2027-01-31"),
    )
    text = review.render(
        document.build(run(Verdict(case=case("a"), stages=(stage("policy", findings=(waived,)),))))
    )
    assert _title(text) == "### ✅ GitOps review · 1 Application passed"
    assert "**Dangers**" not in text
    assert "- `r` m · `argocd/a` · `a.yaml:7`<br>waived: agreed (until 2027-01-31)" in text


def test_what_could_not_be_checked_is_named_with_code_and_reason() -> None:
    text = review.render(document.build(grid()))
    assert (
        "- ⏭️ policy `render-failed` · `argocd/omega-fibonacci`: There is nothing to judge: render failed"
        in text
    )
    assert "- ⛔ policy `tool-died` · `argocd/omega-rasta-api`: opa was killed by signal 9." in text
    assert "Could not check: nothing." not in text
    assert "Could not check: nothing." in review.render(document.build(small()))


def test_expectations_are_counted_and_listed_those_that_are_not_met_first() -> None:
    text = review.render(document.build(grid()))
    assert "**RBAC** 1 of 3 expectations met" in text
    _, _, listed = text.partition("<summary>3 expectations</summary>")
    assert listed.split("</details>")[0].strip().splitlines() == [
        "- ❌ somebody of acme:ops delete clusters \\*: deny `rbac-expectation`",
        "- ✅ role:dev sync applications grid/\\*: allow",
        "- ✅ alice get logs \\*: deny (waived, `rbac-expectation`)",
    ]
    assert "RBAC" not in review.render(document.build(small()))


def test_a_finding_said_of_many_applications_is_one_line() -> None:
    finding = Finding(
        rule="r", severity=Severity.WARNING, message="shared values", file="values.yaml", line=2
    )
    verdicts = [Verdict(case=case(f"a{n}"), stages=(stage("policy", findings=(finding,)),)) for n in range(5)]
    text = review.render(document.build(run(*verdicts)))
    assert text.count("shared values") == 1
    assert "`argocd/a0`, `argocd/a1`, `argocd/a2` and 2 more · `values.yaml:2`" in text


def test_an_uncommitted_tree_is_said() -> None:
    made = dataclasses.replace(small(), head={"name": "main", "commit": "a" * 40, "dirty": True})
    assert "`main@aaaaaaa` with uncommitted changes" in review.render(document.build(made))


def test_open_findings_come_before_waived_ones_and_errors_before_warnings() -> None:
    built = document.build(
        run(
            findings=(
                Finding(rule="a", severity=Severity.ERROR, message="m", waiver=Waiver(reason="r")),
                Finding(rule="b", severity=Severity.INFO, message="m"),
                Finding(rule="c", severity=Severity.WARNING, message="m"),
                Finding(rule="d", severity=Severity.ERROR, message="m"),
            )
        )
    )
    assert [f["rule"] for f in worst_first(built["findings"])] == ["d", "c", "b", "a"]


def test_a_host_is_named_with_its_port_path_and_detail() -> None:
    text = review.render(
        document.build(
            run(
                *small().verdicts,
                hosts=(
                    host("b.example", port=5000, reason="unreachable", detail="Connection refused"),
                    host("a.example", path="owner/other.git"),
                ),
            )
        )
    )
    assert (
        "- `a.example/owner/other.git` refused\n- `b.example:5000` unreachable: Connection refused\n" in text
    )
