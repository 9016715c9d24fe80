"""How a report says that it is a part of a run, or was merged from parts: nobody must take a part for the whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_gitops.report.text import counted, seconds


def part(document: Mapping[str, Any]) -> str:
    """One sentence without a full stop; empty for a run that was never split."""
    shard, shards = document["run"]["shard"], document["run"]["shards"]
    if shard:
        mine = f"{shard['applications'] or 'none'} of {counted(shard['of'], 'Application')}"
        others = (
            "" if shard["applications"] == shard["of"] else "; the others are in the other shards' reports"
        )
        return f"shard {shard['index']} of {shard['total']}: {mine}{others}"
    if shards:
        spans = ", ".join(seconds(s["durationSeconds"]) for s in shards[:12])
        more = ", …" if len(shards) > 12 else ""
        total = seconds(sum(s["durationSeconds"] for s in shards))
        red = [
            f"shard {s['index']} (exit status {s['exitStatus']})"
            for s in shards
            if s["exitStatus"] or s["failed"]
        ]
        failed = f"; failed: {', '.join(red[:12])}{', …' if len(red) > 12 else ''}" if red else ""
        return (
            f"merged from {counted(len(shards), 'shard')}, which took {spans}{more} ({total} in all){failed}"
        )
    return ""


def is_empty_part(document: Mapping[str, Any]) -> bool:
    """Whether nothing was judged because everything is other shards'."""
    shard = document["run"]["shard"]
    return bool(shard and not shard["applications"] and shard["of"])
