"""Shards: which part of a run is this one's, and how everything is split into parts. Pure values and functions.

A split is of lots: Applications that have to be judged together. Every shard computes the whole split from the same
inputs, and takes its own part; what it came to is told as a digest, so that whoever merges can tell two splits apart.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pytest_gitops.errors import ConfigError

MOST = 1000
"""As many shards are taken for meant; a larger number is a slip of the pen."""

AUTO = "auto"

NODES: tuple[tuple[str, str, int], ...] = (
    # index, total (empty: nobody tells it), what the index counts from
    ("CI_NODE_INDEX", "CI_NODE_TOTAL", 1),  # GitLab, `parallel:`
    ("CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL", 0),  # CircleCI, `parallelism:`
    ("BUILDKITE_PARALLEL_JOB", "BUILDKITE_PARALLEL_JOB_COUNT", 0),  # Buildkite, `parallelism:`
    ("BITBUCKET_PARALLEL_STEP", "BITBUCKET_PARALLEL_STEP_COUNT", 0),  # Bitbucket, `parallel:`
    ("JOB_COMPLETION_INDEX", "", 0),  # Kubernetes, a Job with completionMode: Indexed
)
"""Where CI systems and Kubernetes say which of how many equal jobs this one is; the first that is set counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Part `index` of `total`, counted from 1."""

    index: int
    total: int

    def __str__(self) -> str:
        return f"{self.index}/{self.total}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one shard has to judge: `applications` of `of`, in `lots` of `of_lots`, with `answers` (a stage of an
    Application each) among its `items`, of which `selected` are left, None while that is not known. `split` is the
    digest of the whole split."""

    index: int
    total: int
    split: str
    applications: int
    of: int
    answers: int
    items: int
    lots: int
    of_lots: int
    selected: int | None = None

    @property
    def title(self) -> str:
        """ "shard 2/4: 12 of 48 Applications, 3 of 9 lots"."""
        told = f"{self.applications or 'none'} of {self.of} Applications"
        return f"shard {self.index}/{self.total}: {told}, {self.lots or 'none'} of {self.of_lots} lots"

    def to_dict(self) -> dict[str, Any]:
        return {"ofLots" if name == "of_lots" else name: value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Share:
        """The share that `to_dict` wrote."""
        given = dict(data)
        return cls(of_lots=given.pop("ofLots"), **given)


def parse(text: str, *, environ: Mapping[str, str], where: str) -> Shard:
    """The shard that `text` means: `K/N`, `auto` (as CI says), or `auto/N` where only the index is told.

    Raises ConfigError, which calls the place of the text `where`.
    """
    given = text.strip()
    word, _, number = given.partition("/")
    if word == AUTO and (given == AUTO or number):
        total = _number(number) if number else None
        if number and total is None:
            raise _wrong(text, where)
        return _announced(environ, total, where=where)
    index, total = _number(word), _number(number)
    if index is None or total is None:
        raise _wrong(text, where)
    return _checked(index, total, text, where)


def _announced(environ: Mapping[str, str], total: int | None, *, where: str) -> Shard:
    for name, of, first in NODES:
        if not (said := environ.get(name)):
            continue
        known = environ.get(of) if of else None
        index, told = _number(said), _number(known or "")
        if index is None or (known and told is None):
            raise ConfigError(
                f"expected numbers in {name}{f' and {of}' if of else ''}, saw {said!r} and {known!r}",
                where=where,
            )
        if told is not None and total is not None and told != total:
            raise ConfigError(f"expected {total} shards, saw {of}={known}", where=where)
        count = total if total is not None else told
        if count is None:
            missing = f"{of} beside {name}" if of else f"how many there are beside {name}"
            raise ConfigError(f"expected {missing}, saw nothing. Say it: auto/N", where=where)
        return _checked(index - first + 1, count, f"{name}={said}", where)
    names = ", ".join(name for name, _, _ in NODES)
    raise ConfigError(
        f"auto: expected one of {names} in the environment, saw none. Say which shard this is: K/N",
        where=where,
    )


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text.strip()) else None


def _checked(index: int, total: int, text: str, where: str) -> Shard:
    if not 1 <= total <= MOST or not 1 <= index <= total:
        raise _wrong(text, where)
    return Shard(index=index, total=total)


def _wrong(text: str, where: str) -> ConfigError:
    return ConfigError(
        f"expected K/N, part K of N (1 to N, at most {MOST}), or auto, or auto/N; saw {text!r}", where=where
    )


def split(lots: Mapping[str, float], total: int) -> tuple[tuple[str, ...], ...]:
    """The names of `lots`, whose weights are given (seconds, or any other unit), dealt to `total` parts.

    The heaviest first, each to the part that has the least so far; what is equal goes by name, then by number of the
    part. So it depends on nothing but its arguments, not even on their order.
    """
    parts: list[list[str]] = [[] for _ in range(total)]
    least = [(0.0, number) for number in range(total)]  # a heap as it is
    for name in sorted(lots, key=lambda n: (-lots[n], n)):
        weight, number = heapq.heappop(least)
        parts[number].append(name)
        heapq.heappush(least, (weight + lots[name], number))
    return tuple(tuple(sorted(part)) for part in parts)


def digest(parts: Iterable[Sequence[str]]) -> str:
    """What a split came to, as a word that differs where anything of it does: the names of everything, by part."""
    text = json.dumps([sorted(part) for part in parts], ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def weights(measured: Mapping[str, float], names: Iterable[str]) -> dict[str, float]:
    """What each of `names` weighs: as `measured`, else as much as those do on average; all the same where none is."""
    wanted = list(names)
    known = [measured[n] for n in wanted if n in measured]
    usual = sum(known) / len(known) if known else 1.0
    # Rounded, so that no sum depends on its order.
    return {n: round(measured.get(n, usual), 3) for n in wanted}
