"""Deals the items of a run to its shards: the same in every process of every shard, for only the items count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import pytest

from pytest_gitops.plugin.items import CheckItem, FaultItem, ScenarioItem, StageItem
from pytest_gitops.settings.shards import Shard, Share, digest, split


def share_of(shard: Shard, items: Sequence[pytest.Item]) -> tuple[Share, list[pytest.Item]]:
    """What of `items`, all that are collected, is this shard's, and the items of ours that are not.

    What belongs to no Application (an unreadable file, an expectation of `rbac:`), and what may be about several (a
    scenario), is the first shard's.
    """
    stages = [i for i in items if isinstance(i, StageItem)]
    alone = [i for i in items if isinstance(i, FaultItem | CheckItem | ScenarioItem)]
    entries = {i.entry.id: i.entry for i in stages}
    lots: defaultdict[str, float] = defaultdict(float)
    for entry in sorted(entries.values(), key=lambda e: e.id):
        lots[entry.lot] += entry.weight
    parts = split(lots, shard.total)
    where = {lot: number for number, part in enumerate(parts, 1) for lot in part}
    named: list[list[str]] = [[] for _ in parts]
    for item in stages:
        named[where[item.entry.lot] - 1].append(f"{item.entry.id}::{item.stage}")
    for each in alone:
        named[0].append(f"{each.parent.name if each.parent else ''}::{each.name}")
    mine = [i for i in stages if where[i.entry.lot] == shard.index]
    share = Share(
        index=shard.index,
        total=shard.total,
        split=digest(named),
        applications=len({i.entry.id for i in mine}),
        of=len(entries),
        answers=len(mine),
        items=len(mine) + (len(alone) if shard.index == 1 else 0),
        lots=len(parts[shard.index - 1]),
        of_lots=len(lots),
    )
    others = [i for i in stages if where[i.entry.lot] != shard.index]
    return share, others + (list(alone) if shard.index != 1 else [])
