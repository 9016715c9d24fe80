"""Reports of shards become one, which says what one run would have said; what is missing or strange is refused."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from report_documents import case, grid, host, run, stage

from pytest_gitops.commands import cli
from pytest_gitops.model import Finding, Outcome, Run, Severity, Verdict
from pytest_gitops.report import document, schema
from pytest_gitops.report.merge import Part, fails, merged, problems
from pytest_gitops.report.write import WRITERS, write

SPLIT = "sha256:" + "0" * 64
GOLDENS = Path(__file__).with_name("goldens")

Document = dict[str, Any]


def shard_of(
    whole: Run, index: int, total: int, verdicts: tuple[Verdict, ...], *, failed: int = 0, **other: Any
) -> Document:
    answers = sum(len(v.stages) for v in verdicts)
    shard = {
        "index": index, "total": total, "split": SPLIT, "applications": len(verdicts), "of": len(whole.verdicts),
        "answers": answers, "items": answers, "selected": answers, "lots": len(verdicts), "ofLots": len(whole.verdicts),
        "exitStatus": 1 if failed else 0, "failed": failed,
    }  # fmt: skip
    return document.build(replace(whole, verdicts=verdicts, shard=shard, **other))


def shards(whole: Run, total: int = 3) -> list[Document]:
    """The run as if `total` shards had run it."""
    failed = [
        sum(s.outcome is Outcome.FAILED for v in whole.verdicts[k::total] for s in v.stages)
        for k in range(total)
    ]
    return [
        shard_of(whole, k + 1, total, whole.verdicts[k::total], failed=failed[k], duration=10.0 * (k + 1))
        for k in range(total)
    ]


@cache
def of_the_grid() -> list[Document]:
    """The reports of the grid's three shards; they are not to be changed."""
    return shards(grid())


def parts(documents: list[Document]) -> list[Part]:
    return [Part(name=f"s{n}/report.json", document=d) for n, d in enumerate(documents, 1)]


def test_many_say_what_one_run_says() -> None:
    whole, documents = grid(), of_the_grid()
    for each in documents:
        schema.validate(each)
    assert problems(parts(documents)) == ()
    one = merged(parts(documents))
    schema.validate(one)
    expected = document.build(whole)
    for member in ("schemaVersion", "tool", "summary", "changes", "findings", "applications"):
        assert one[member] == expected[member], member
    differ = {k for k, v in one["run"].items() if v != expected["run"][k]}
    assert differ == {"durationSeconds", "shards"} | ({"hosts"} if whole.hosts else set())
    assert one["run"]["durationSeconds"] == 30.0
    assert [s["durationSeconds"] for s in one["run"]["shards"]] == [10.0, 20.0, 30.0]
    assert fails(one)
    assert list(one) == list(expected)


def test_the_order_of_the_reports_does_not_show() -> None:
    documents = of_the_grid()
    assert merged(parts(documents)) == merged(parts(documents[::-1]))


@pytest.mark.parametrize("report", [n for n in WRITERS if n != "report.json"])
def test_every_report_of_it_says_that_it_was_merged_and_a_shards_that_it_is_a_part(report: str) -> None:
    documents = of_the_grid()
    if report == "review.sarif":
        assert json.loads(WRITERS[report](merged(parts(documents))))["runs"]
        return
    text = WRITERS[report](merged(parts(documents)))
    assert "erged from 3 shards, which took 10 s, 20 s, 30 s (60 s in all)" in text
    assert "hard 2 of 3: 3 of 9 Applications; the others are in the other shards" in WRITERS[report](
        documents[1]
    )


def test_the_merged_goldens() -> None:
    one = merged(parts(of_the_grid()))
    for name in ("review.md", "verification.md"):
        assert WRITERS[name](one).encode() == (GOLDENS / "merged" / name).read_bytes()


def test_hosts_are_added_up_and_phases_are_as_long_as_the_longest() -> None:
    whole = run(
        Verdict(case=case("a"), stages=(stage("source"),)), Verdict(case=case("b"), stages=(stage("source"),))
    )
    first = shard_of(
        whole, 1, 2, whole.verdicts[:1], hosts=(host("a.example", count=2),), timings={"plan": 3.0}
    )
    second = shard_of(
        whole, 2, 2, whole.verdicts[1:], hosts=(host("a.example", count=5), host("b.example")),
        timings={"plan": 1.0, "converge": 9.0}, simulated=("more",), started="2026-08-14T09:20:00Z",
    )  # fmt: skip
    one = merged(parts([first, second]))
    assert {h["host"]: h["count"] for h in one["run"]["hosts"]} == {"a.example": 7, "b.example": 2}
    assert one["run"]["timings"] == {"plan": 3.0, "converge": 9.0}
    assert one["run"]["cluster"]["simulated"] == [*whole.simulated, "more"]
    assert one["run"]["started"] == "2026-08-14T09:20:00Z"


def test_a_waiver_is_idle_only_if_no_shard_uses_it() -> None:
    def idle(name: str) -> Finding:
        return Finding(rule="waiver-unused", severity=Severity.INFO, message=name)

    whole = grid()
    documents = [
        shard_of(whole, 1, 2, whole.verdicts[:3], idle_waivers=(idle("never"), idle("second uses it"))),
        shard_of(whole, 2, 2, whole.verdicts[3:], idle_waivers=(idle("first uses it"), idle("never"))),
    ]
    told = [f["message"] for f in merged(parts(documents))["findings"] if f["rule"] == "waiver-unused"]
    assert told == ["never"]


def test_what_all_shards_say_of_the_repository_is_said_once() -> None:
    documents = shards(replace(grid(), findings=(Finding(rule="r", severity=Severity.WARNING, message="m"),)))
    assert [f["rule"] for f in merged(parts(documents))["findings"]] == ["r"]


def test_an_empty_shard_counts() -> None:
    whole = run(Verdict(case=case("a"), stages=(stage("source"),)))
    documents = [shard_of(whole, 1, 2, whole.verdicts), shard_of(whole, 2, 2, ())]
    assert problems(parts(documents)) == ()
    one = merged(parts(documents))
    assert one["summary"]["applications"] == 1
    assert not fails(one)
    assert "no Application in this shard" in WRITERS["review.md"](documents[1])
    assert "No Application is in this shard" in WRITERS["index.html"](documents[1])


def test_what_failed_without_being_an_application_fails_the_whole() -> None:
    whole = run(Verdict(case=case("a"), stages=(stage("source"),)))
    assert not fails(merged(parts([shard_of(whole, 1, 1, whole.verdicts)])))
    assert fails(merged(parts([shard_of(whole, 1, 1, whole.verdicts, failed=1)])))
    broken = merged(parts([shard_of(whole, 1, 1, whole.verdicts, error="etcd ended")]))
    assert fails(broken)
    assert broken["run"]["error"] == "shard 1: etcd ended"


def _set(*path: Any, value: Any) -> Callable[[list[Document]], None]:
    def act(documents: list[Document]) -> None:
        target: Any = documents[1]
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = value

    return act


def _drop_two(documents: list[Document]) -> None:
    del documents[1:]


def _one_twice(documents: list[Document]) -> None:
    documents.append(copy.deepcopy(documents[1]))


def _elsewhere_too(documents: list[Document]) -> None:
    documents[1]["applications"][0] = documents[0]["applications"][0]


def _fewer(documents: list[Document]) -> None:
    documents[1]["applications"].pop()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_drop_two, ["shard 2 of 3 is missing: no report of it was given", "shard 3 of 3 is missing"]),
        (_one_twice, ["shard 2 of 3 is there 2 times: s2/report.json, s4/report.json"]),
        (
            _set("run", "shard", value=None),
            ["s2/report.json: expected a shard's report, saw one of a whole run"],
        ),
        (
            _set("run", "head", "commit", value="ffff"),
            ["s2/report.json: expected commit 7d9c31e", "saw ffff"],
        ),
        (
            _set("run", "base", value={"name": "main", "commit": "b"}),
            ["s2/report.json: expected base 6864734", "as in s1/report.json, saw b"],
        ),
        (_set("run", "repository", value="x"), ["expected repository https://github.com", "saw x"]),
        (
            _set("run", "stages", value=["source"]),
            ["expected stages source, render, policy, converge", "saw source"],
        ),
        (_set("run", "cluster", "provider", value="none"), ["expected cluster embedded", "saw none"]),
        (
            _set("tool", "version", value="0.0.9"),
            ["expected versions version 0.1.0, argocd 3.6.1", "version 0.0.9"],
        ),
        (_set("run", "shard", "total", value=4), ["expected number of shards 3", "shard 4 of 4 is missing"]),
        (_set("run", "shard", "split", value="sha256:" + "1" * 64), ["expected split", "--gitops-durations"]),
        (
            _set("run", "shard", "selected", value=3),
            ["items of the shard, saw 3 selected. Next: run it without -k, -m"],
        ),
        (
            _fewer,
            [
                "s2/report.json: expected 12 answers about 3 Applications, saw 8 about 2. Next: run the shard again"
            ],
        ),
        (_elsewhere_too, ["expected in one shard, saw it in s1/report.json, s2/report.json"]),
    ],
)
def test_what_is_not_all_of_one_run_is_refused(
    change: Callable[[list[Document]], None], told: list[str]
) -> None:
    documents = [copy.deepcopy(d) for d in of_the_grid()]
    change(documents)
    text = "\n".join(problems(parts(documents)))
    for each in told:
        assert each in text


def test_a_merged_report_and_one_that_judged_nothing_are_no_shards() -> None:
    one = merged(parts(of_the_grid()))
    assert problems(parts([one])) == (
        "s1/report.json: expected a shard's report, saw one that was merged already",
    )
    died = document.build(run(error="etcd ended with exit code 1\nwords"))
    assert "saw one of a run that judged nothing: etcd ended with exit code 1" in problems(parts([died]))[0]
    assert problems([]) == ("expected reports of shards, saw none",)


# ---------------------------------------------------------------------- the command


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The grid's shards with all their reports, in folders s1, s2, s3; they are not to be changed."""
    place = tmp_path_factory.mktemp("shards")
    for number, each in enumerate(of_the_grid(), 1):
        write(each, place / f"s{number}")
    return place


@pytest.fixture
def folders(written: Path, tmp_path: Path) -> list[Path]:
    """The same with what is merged alone, to do with as one likes."""
    found = [tmp_path / name for name in ("s1", "s2", "s3")]
    for folder in found:
        folder.mkdir()
        shutil.copy(written / folder.name / "report.json", folder)
    return found


def test_the_command_writes_all_reports_and_fails_as_the_run_did(
    folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "all"
    assert cli.main(["report", "merge", *map(str, folders), "--output", str(out)]) == 1
    assert {p.name for p in out.iterdir()} == set(WRITERS)
    told = capsys.readouterr()
    assert told.err == ""
    assert (
        "9 Applications:" in told.out
        and "merged from 3 shards" in told.out
        and f"reports: {out / 'index.html'} (beside it: review.md, " in told.out
    )


def test_the_command_is_green_where_the_run_was(tmp_path: Path) -> None:
    whole = run(Verdict(case=case("a"), stages=(stage("source"),)))
    write(shard_of(whole, 1, 1, whole.verdicts), tmp_path / "one")
    assert cli.main(["report", "merge", str(tmp_path / "one"), "--output", str(tmp_path / "all")]) == 0


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (
            lambda f: (f / "report.json").unlink(),
            "s2/report.json: expected a report of pytest --gitops, saw no such file",
        ),
        (
            lambda f: (f / "report.json").write_text((f / "report.json").read_text()[:-400]),
            "s2/report.json: expected JSON, saw: ",
        ),
        (
            lambda f: (f / "report.json").write_text('{"schemaVersion": "1"}'),
            "s2/report.json: the document: 'tool' is a required property. It does not fit report.schema.json.",
        ),
        (lambda f: (f / "report.json").write_bytes(b"\xff\xfe"), "s2/report.json: expected JSON, saw: "),
    ],
)
def test_a_report_that_cannot_be_read_is_named_and_nothing_is_written(
    folders: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    break_it: Callable[[Path], object],
    told: str,
) -> None:
    break_it(folders[1])
    out = tmp_path / "all"
    assert cli.main(["report", "merge", *map(str, folders), "--output", str(out)]) == 1
    text = capsys.readouterr().err
    assert told in text
    assert "shard 2 of 3 is missing: no report of it was given" in text
    assert not out.exists()


def test_a_report_is_rendered_again_as_it_was(written: Path, folders: list[Path], tmp_path: Path) -> None:
    assert cli.main(["report", "render", str(folders[0]), "--output", str(tmp_path / "again")]) == 0
    for name in WRITERS:
        assert (tmp_path / "again" / name).read_bytes() == (written / "s1" / name).read_bytes()
    assert not (folders[0] / "index.html").exists()
    assert cli.main(["report", "render", str(folders[0])]) == 0
    assert (folders[0] / "index.html").is_file()


def test_to_render_what_is_not_there_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", "render", str(tmp_path)]) == 1
    assert "expected a report of pytest --gitops, saw no such file" in capsys.readouterr().err
