"""The fixtures of the plugin's tests, and what pytest runs inside pytest need."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import pytest
from plugin_support import FOLDER_AT_START, HERE, Repository, application

# pytester forgets the modules that a run imports, and some (yaml) cannot be imported twice.
for _module in ("bridge", "owner", "reporting", "worker"):
    import_module(f"pytest_gitops.plugin.{_module}")
for _module in ("fake_engine", "jsonschema", "pytest_gitops.run.engine", "pytest_gitops.report.terminal"):
    import_module(_module)


@pytest.fixture
def gitops(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Repository:
    given = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    paths = [str(FOLDER_AT_START / p) for p in (HERE, *given)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    # Workers get the module path that xdist saw when it was imported, before these tests were.
    for module in ("xdist.plugin", "xdist.workermanage"):
        if module in sys.modules:
            monkeypatch.setattr(f"{module}._sys_path", list(sys.path))
    return Repository(pytester)


@pytest.fixture
def two(gitops: Repository) -> Repository:
    """A repository with two Applications in one file and one in another."""
    gitops.write({"apps/omega.yaml": application("omega", "alpha"), "apps/beta.yaml": application("beta")})
    return gitops
