"""Writes the golden reports anew: `python tests/unit/report/regenerate.py`, then read the difference."""

from __future__ import annotations

from pathlib import Path

from change_documents import shop
from report_documents import grid, nasty, small

from pytest_gitops.report import document, write

GOLDENS = Path(__file__).with_name("goldens")
RUNS = {"small": small, "grid": grid, "nasty": nasty, "shop": shop}

if __name__ == "__main__":
    for name, run in RUNS.items():
        write.write(document.build(run()), GOLDENS / name)
    from test_report_merge import merged, parts, shards

    one = merged(parts(shards(grid())))
    for name in ("review.md", "verification.md"):
        (GOLDENS / "merged").mkdir(exist_ok=True)
        (GOLDENS / "merged" / name).write_text(write.WRITERS[name](one), "utf-8")
