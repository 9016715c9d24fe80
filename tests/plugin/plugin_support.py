"""GitOps repositories made of a few lines, and pytest runs on them with the fake engine."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_gitops.configuration.file import FILE_NAME
from pytest_gitops.processes.process import run

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: {name}
  namespace: argocd
spec:
  project: default
  source: {{repoURL: https://git.example.com/grid.git, path: sources, targetRevision: HEAD}}
  destination: {{server: https://kubernetes.default.svc, namespace: {name}}}
"""

BOTH = pytest.mark.parametrize("workers", ["-n0", "-n2"])
"""In pytest's own process and in two xdist workers, where a selection or an order may differ between the two.

Workers are the dearest that these tests have: two interpreters a run. What a worker only hands on is asked of one
(EITHER), and what many tests say of a run in this process, one run says of workers (Repository.alike).
"""

EITHER = pytest.mark.parametrize("workers", ["-n0", "-n1"])
"""In pytest's own process and in one xdist worker."""

STAGES = ("source", "render", "policy", "converge")
"""What these repositories ask for: what the plugin does is the same for four stages and for all."""

HERE = Path(__file__).parent
FOLDER_AT_START = Path.cwd()  # pytester changes it


def application(*names: str) -> str:
    """A file with these Applications."""
    return "---\n".join(APPLICATION.format(name=n) for n in names)


class Repository:
    """A git repository in pytester's folder. Nothing is committed: what is tested is the working tree."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester, self.path = pytester, pytester.path

    def write(self, files: Mapping[str, str], *, into: str = ".") -> None:
        folder = self.path / into
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")
        if not (folder / FILE_NAME).exists():
            (folder / FILE_NAME).write_text(f"stages: [{', '.join(STAGES)}]\n", "utf-8")
        if not (folder / ".git").exists():
            run("git", "init", "--quiet", "--initial-branch=main", cwd=folder)

    def script(self, **script: Any) -> None:
        """What the fake engine does, see fake_engine.py."""
        (self.path / "fake-engine.json").write_text(json.dumps(script), "utf-8")

    def run(self, *args: str) -> pytest.RunResult:
        """pytest --gitops in this process."""
        return self.pytester.runpytest_inprocess("--gitops", *ARGS, *args)

    def alike(self, *args: str) -> dict[str, str]:
        """Run in this process and in two workers, expect the same of both, and give what became of the items."""
        seen = []
        for workers in ("-n0", "-n2"):
            result = self.run(workers, *args)
            seen.append((result.ret, ran(result), told(result), self.outcomes(), self.report()["findings"]))
        assert seen[1] == seen[0]
        return seen[0][1]

    def run_apart(self, *args: str) -> pytest.RunResult:
        """pytest --gitops in a process of its own."""
        return self.pytester.run(sys.executable, "-m", "pytest", "--gitops", *ARGS, *args, timeout=60)

    def report(self, folder: str = "gitops-report") -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.path / folder / "report.json").read_text("utf-8"))
        return found

    def outcomes(self, folder: str = "gitops-report") -> dict[str, str]:
        """{"argocd/name stage": outcome} as report.json has it."""
        return {
            f"{a['namespace']}/{a['name']} {s['stage']}": s["outcome"]
            for a in self.report(folder)["applications"]
            for s in a["stages"]
        }


ARGS = ("-p", "fake_engine")


def told(result: pytest.RunResult) -> list[list[str]]:
    """What a person reads below the progress: [title, lines] of each section. No times, nothing that xdist adds, and no
    order, which is the workers'."""
    text = re.sub(r"\d+\.\d+ ?s\b|(?m:^\[gw\d\] .*$)|, \d+ deselected", "", result.stdout.str())
    sections = [s.strip().splitlines() for s in re.split(r"(?m)^(?=[=_-]{3,} .+ [=_-]{3,}$)", text)]
    found = [[s[0].strip("=_- "), *sorted(filter(None, s[1:]))] for s in sections if s]
    return sorted(s for s in found if s[0] != "test session starts")


def ran(result: pytest.RunResult) -> dict[str, str]:
    """The items that ran, by node id, with pytest's word for what became of each."""
    found = {}
    for report in result.reprec.getreports("pytest_runtest_logreport"):  # type: ignore[attr-defined]
        if report.failed:
            found[report.nodeid] = "failed" if report.when == "call" else "error"
        elif report.skipped:
            found[report.nodeid] = "skipped"
        elif report.when == "call":
            found[report.nodeid] = "passed"
    return found
