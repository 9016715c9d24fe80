"""Runs with so many Applications that the memory of a control plane counts for more than the time that it saves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_gitops.errors import EngineError
from pytest_gitops.repository.git import git, git_environment

if TYPE_CHECKING:
    from pytest_gitops.settings.settings import Settings

CROWD = 25
"""As many Applications for each processor are a crowd: two control planes at once would be through no earlier than one
after the other, and 100 Applications on two processors would take 3.4 GB in place of 2.1."""

FRUGAL = {"GOGC": "60"}
"""What the programs of a control plane for a crowd see: they collect their garbage when 60 % of what they hold has come
on top of it, not 100 %. With 100 Applications 0.25 GB less, for a twentieth more of all computing."""

DECLARED = r"^[[:space:]]*kind:[[:space:]]*[\"']?Application[\"']?[[:space:]]*$"

GLANCE_SECONDS = 1.0
"""A repository that takes longer to look through is not waited for: the control plane is to come up."""


def is_crowd(count: int) -> bool:
    """Whether so many Applications are a crowd on this machine."""
    return count >= CROWD * (os.cpu_count() or 1)


def at_a_glance(settings: Settings) -> Mapping[str, str]:
    """What to add to the environment of the first control plane, which begins before anybody knows the Applications: by
    how many the files declare, rendered and generated ones are not among them."""
    try:
        found = git(
            settings.root, "grep", "--untracked", "-h", "-c", "-E", DECLARED,
            env=git_environment(settings.environ), check=False, limit=GLANCE_SECONDS,
        )  # fmt: skip
    except EngineError:
        return {}
    counts = [int(line) for line in found.stdout.split() if line.isdigit()]
    return frugal(settings) if is_crowd(sum(counts)) else {}


def frugal(settings: Settings) -> Mapping[str, str]:
    """What to add to the environment of a crowd's control plane; nothing where the user has said it."""
    return {} if "GOGC" in settings.environ else FRUGAL
