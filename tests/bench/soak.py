"""The same verification again and again, and how many verdicts differ: `make soak`, or `python -m bench.soak [RUNS]`.

Every fixture is run as a repository of its own. A verdict is (Application, stage, outcome, code); each is compared with the
first run's. Nothing but such a difference is a failure here: the tests say what the verdicts have to be.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from runs import ROOT, commit, gitops

FIXTURES = ("omega-grid", "layouts", "twins", "broken-grid")

RUNS = 50

Verdicts = dict[tuple[str, str], tuple[str, str]]
"""(outcome, code) by (Application's id, stage)."""


def verdicts(folder: Path) -> Verdicts:
    """One whole run's. A run without a report has none, which differs from everything."""
    report = gitops(folder, "-q").report
    return {
        (application["id"], stage["stage"]): (stage["outcome"], stage["code"] or "")
        for application in (report or {"applications": []})["applications"]
        for stage in application["stages"]
    }


def differing(first: Verdicts, later: Verdicts) -> list[str]:
    """What is not as it was, in words."""
    return [
        f"{application} {stage}: {' '.join(first.get((application, stage), ('nothing',)))} → "
        f"{' '.join(later.get((application, stage), ('nothing',)))}"
        for application, stage in sorted({*first, *later})
        if first.get((application, stage)) != later.get((application, stage))
    ]


def main() -> int:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    counted: Counter[str] = Counter()
    different = 0
    with tempfile.TemporaryDirectory() as place:
        folders = [commit(shutil.copytree(ROOT / "fixtures" / f, Path(place) / f)) for f in FIXTURES]
        known: dict[Path, Verdicts] = {}
        for number in range(runs):
            for folder in folders:
                began = time.monotonic()
                seen = verdicts(folder)
                told = differing(known.setdefault(folder, seen), seen)
                counted[folder.name] += len(seen)
                different += len(told)
                seconds = time.monotonic() - began
                print(
                    f"{number + 1}/{runs} {folder.name}: {len(seen)} verdicts in {seconds:.0f} s", flush=True
                )
                for line in told:
                    print(f"  differs: {line}", flush=True)
    total = sum(counted.values())
    print(
        f"{runs} runs of {', '.join(FIXTURES)}: {total} verdicts, {different} of them differ from the first run's"
    )
    return 1 if different or not total else 0


if __name__ == "__main__":
    raise SystemExit(main())
