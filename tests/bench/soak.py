"""The same verification again and again, and how many verdicts differ: `make soak`, or `python -m bench.soak [RUNS] [LANES]`.

Every fixture is run as a repository of its own, and what is right also as a pull request, so that `upgrade` has its turn.
A verdict is (Application, stage, outcome, code); each is compared with the first run's. Nothing but such a difference is a
failure here: the tests say what the verdicts have to be.

What each run said is a line of `build/soak.jsonl`. A soak that was ended goes on from there; without the file it begins. What
was said before is told by its checksum alone, so that the record can be kept in the repository (`tests/bench/soak.jsonl`). Of a run
that differs the report is kept beside it, `build/soak-FIXTURE-NUMBER.json`, for whoever has to find out why.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from runs import ROOT, commit, gitops, pull_request, write

from pytest_gitops.errors import EngineError
from pytest_gitops.processes.process import run

FIXTURES = (
    "converge-twins", "broken-grid", "twins", "rollouts", "layouts", "omega-grid", "two-clusters",
)  # fmt: skip
"""The long ones first, so that all lanes end together. `review-grid` is for the review alone."""

TAG = (r"\btag: \d+", "tag: 0")
IMAGE = (r"(registry\.example\.com/[a-z-]+):1\.", r"\1:0.")
BEFORE = {"omega-grid": TAG, "two-clusters": TAG, "layouts": IMAGE, "rollouts": IMAGE}
"""What a fixture was before the pull request that makes it what it is: pattern and replacement in all of its files."""

RUNS = 50

LANES = 1
"""Runs at once. Half of a run's time is waiting."""

LIMIT = 3600.0
"""Seconds after which a run hangs, however much else the machine has to do: a bare one takes some minutes."""

RECORD = ROOT / "build" / "soak.jsonl"

Verdicts = dict[str, str]
"""{"application stage": "outcome code"}"""

Report = dict[str, Any]
"""report.json; empty where there is none."""


def make(fixture: str, folder: Path) -> tuple[Path, tuple[str, ...]]:
    """A fixture as a repository, and what pytest is given for it."""
    shutil.copytree(ROOT / "fixtures" / fixture, folder)
    if fixture not in BEFORE:
        return commit(folder), ()
    pattern, earlier = BEFORE[fixture]
    texts = {str(p.relative_to(folder)): p.read_text("utf-8") for p in folder.rglob("*") if p.is_file()}
    write(folder, {path: re.sub(pattern, earlier, text) for path, text in texts.items()})
    return pull_request(folder, texts), ("--gitops-base", "main")


def seen(fixture: str, place: Path) -> Report | None:
    """What one whole run reports. None if it was interrupted."""
    with tempfile.TemporaryDirectory(dir=place) as made:
        folder, args = make(fixture, Path(made) / fixture)
        try:
            done = gitops(folder, "-q", *args, limit=LIMIT)
        except EngineError as error:
            print(f"{fixture}: {error}", flush=True)
            return {}
    if done.status == pytest.ExitCode.INTERRUPTED:
        return None
    return done.report or {}


def verdicts(report: Report) -> Verdicts:
    """Of a run; one without a report has none, which differs from everything."""
    return {
        f"{application['id']} {stage['stage']}": f"{stage['outcome']} {stage['code'] or ''}".strip()
        for application in report.get("applications", ())
        for stage in application["stages"]
    }


def differing(first: Verdicts, later: Verdicts) -> list[str]:
    """What is not as it was, in words."""
    return [
        f"{what}: {first.get(what, 'nothing')} → {later.get(what, 'nothing')}"
        for what in sorted({*first, *later})
        if first.get(what) != later.get(what)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One whole run of `fixture`: the `code` that made it, on which `day`, in how many `seconds`, and its `verdicts`."""

    fixture: str
    code: str
    day: str
    seconds: int
    verdicts: Verdicts


class Record:
    """What every run said, those of earlier soaks included. Raises ValueError for a file that contradicts itself."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._said: dict[str, Verdicts] = {}  # by checksum
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        self._runs = [self._read(json.loads(line)) for line in lines]

    def _read(self, line: dict[str, Any]) -> Run:
        said = line.pop("said")
        verdicts = line.pop("verdicts", None)
        if verdicts is not None and checksum(verdicts) != said:
            raise ValueError(f"{self._path}: {line}: these are not the verdicts of checksum {said}")
        if verdicts is None and said not in self._said:
            raise ValueError(f"{self._path}: {line}: no run before it has the checksum {said}")
        return Run(**line, verdicts=self._said.setdefault(said, verdicts))

    def count(self, fixture: str) -> int:
        return sum(r.fixture == fixture for r in self._runs)

    @property
    def verdicts(self) -> int:
        return sum(len(r.verdicts) for r in self._runs)

    def add(self, fixture: str, report: Report, seconds: float, *, code: str) -> None:
        """Write it down, and say it."""
        with self._lock:
            seen = verdicts(report)
            told = self._differing(fixture, seen)
            made = Run(
                fixture=fixture,
                code=code,
                day=date.today().isoformat(),
                seconds=round(seconds),
                verdicts=seen,
            )
            self._runs.append(made)
            self._write(made)
            number = self.count(fixture)
            print(f"{number} {fixture}: {len(seen)} verdicts in {seconds:.0f} s", flush=True)
            for line in told:
                print(f"  differs: {line}", flush=True)
            if told:
                kept = self._path.with_name(f"{self._path.stem}-{fixture}-{number}.json")
                kept.write_text(json.dumps(report), encoding="utf-8")

    def _write(self, made: Run) -> None:
        said = checksum(made.verdicts)
        line: dict[str, Any] = {"fixture": made.fixture, "code": made.code, "day": made.day}
        line |= {"seconds": made.seconds, "said": said}
        if said not in self._said:
            self._said[said] = line["verdicts"] = made.verdicts
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _differing(self, fixture: str, seen: Verdicts) -> list[str]:
        first = next((r.verdicts for r in self._runs if r.fixture == fixture), seen)
        return differing(first, seen) if seen else ["no report"]

    def sum(self) -> tuple[str, bool]:
        """All of it in words, and whether nothing differs."""
        total = self.verdicts
        different = sum(len(self._differing(r.fixture, r.verdicts)) for r in self._runs)
        runs = ", ".join(f"{self.count(f)} of {f}" for f in FIXTURES)
        return (
            f"{runs}: {total:,} verdicts, {different} of them differ from the first run's",
            bool(total) and not different,
        )


def checksum(said: Verdicts) -> str:
    """The same for the same verdicts."""
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def _code() -> str:
    """The commit of the checkout, and whether something is not in it."""
    return run("git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=10").stdout.strip()


def main() -> int:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    lanes = int(sys.argv[2]) if len(sys.argv) > 2 else LANES
    record = Record(RECORD)
    rest = [f for number in range(runs) for f in FIXTURES if record.count(f) <= number]
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(lanes) as pool:

        def one(fixture: str) -> None:
            began = time.monotonic()
            report = seen(fixture, Path(place))
            if report is None:
                raise KeyboardInterrupt
            record.add(fixture, report, time.monotonic() - began, code=_code())

        with suppress(KeyboardInterrupt):
            try:
                for done in [pool.submit(one, f) for f in rest]:
                    done.result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
    words, same = record.sum()
    print(words)
    return 0 if same else 1


if __name__ == "__main__":
    raise SystemExit(main())
