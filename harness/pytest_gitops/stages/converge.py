"""converge: does the Application become Synced and Healthy within its deadline, from nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_gitops.model import Case
from pytest_gitops.stages import excluded, spoken_for
from pytest_gitops.stages.base import Family, Publish
from pytest_gitops.stages.drive import Drive
from pytest_gitops.stages.hydrated import told_apart
from pytest_gitops.stages.prune import take_stock

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

name = "converge"
family = Family.VERIFY
question = "Does it become Synced and Healthy within its deadline?"
needs = ("render",)


def run(context: Context, cases: Sequence[Case], publish: Publish) -> None:
    """Create the roots, sync what nobody else syncs, and judge each Application as its states come in."""
    take_stock(context)
    noted = spoken_for.told(context, told_apart(context, publish))
    Drive(context, cases, excluded.told(context, noted), stage=name).run()
