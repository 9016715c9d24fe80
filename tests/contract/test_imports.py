"""What an interpreter loads when it imports the plugin, which every pytest user does, whether they use it or not."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from sources import HARNESS

from pytest_gitops.processes.process import run

pytestmark = pytest.mark.engine

HEAVY = (
    "asyncssh", "cryptography", "git", "google.protobuf", "grpc", "jsonschema", "kubernetes", "opa_client", "requests",
    "rich", "urllib3", "yaml",
)  # fmt: skip


@pytest.mark.parametrize(
    ("module", "needed"),
    [
        ("pytest_gitops.plugin", set()),
        ("pytest_gitops.plugin.worker", set()),
        ("pytest_gitops.plugin.owner", {"yaml"}),
    ],
)
def test_the_plugin_imports_nothing_heavy(module: str, needed: set[str]) -> None:
    # Every pytest user imports every pytest11 module; a worker of xdist only asks and shows; the owner starts at once.
    code = (
        f"import sys, pytest; before = set(sys.modules); import json, {module}; "
        f"print(json.dumps([m for m in sys.modules if m not in before]))"
    )
    path = os.pathsep.join([str(HARNESS.parent), *filter(None, sys.path)])
    done = run(sys.executable, "-c", code, env={"PYTHONPATH": path, "PATH": os.defpath}, limit=60)
    loaded = json.loads(done.stdout)
    assert module in loaded
    assert {h for h in HEAVY for m in loaded if m == h or m.startswith(f"{h}.")} <= needed
    if module == "pytest_gitops.plugin":
        assert {m for m in loaded if m.startswith("pytest_gitops")} == {
            "pytest_gitops",
            "pytest_gitops.plugin",
        }


def test_pytest_does_not_rewrite_the_package(tmp_path: Path) -> None:
    # It would for each run in an environment whose files are new, or may not be written.
    (tmp_path / "test_it.py").write_text(
        "import pytest_gitops.model as ours, pytest_gitops.plugin.owner as owner\n"
        "def test_it():\n"
        "    assert {type(m.__loader__).__name__ for m in (ours, owner)} == {'SourceFileLoader'}\n"
    )
    done = run(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path, check=False, limit=60
    )
    assert "1 passed" in done.stdout, done.stdout
