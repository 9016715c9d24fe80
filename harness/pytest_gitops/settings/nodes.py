"""The nodes that production has, as `nodes:` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePool:
    """`count` nodes of one kind, as `nodes:` of the configuration has them; `where` is its file and line."""

    count: int = 1
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Mapping[str, str], ...] = ()
    resources: Mapping[str, str | int] = field(default_factory=dict)
    where: str = ""
