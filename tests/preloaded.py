"""What every run imports, for the process that the suite's runs are forked from (see `forked`)."""

from __future__ import annotations

import gc
import importlib
import threading

import pytest_gitops

importlib.import_module("pytest")
for module in ("plugin.owner", "plugin.worker", "run.engine", "report.write"):
    importlib.import_module(f"pytest_gitops.{module}")

# pytest warns of a plugin that it finds imported, for it cannot rewrite it then; ours has nothing to rewrite.
pytest_gitops.__doc__ = f"{pytest_gitops.__doc__} PYTEST_DONT_REWRITE"

# A fork has the thread that forks and no other.
assert threading.active_count() == 1, threading.enumerate()

# What is imported stays as it is, and memory that nobody writes to is there once for all forks.
gc.collect()
gc.freeze()
