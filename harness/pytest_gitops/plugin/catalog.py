"""What there is to collect, as plain data: the same for pytest's own process and for every xdist worker."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from pytest_gitops.model import Case, Finding
from pytest_gitops.report.text import one_line
from pytest_gitops.scenarios.values import Scenario
from pytest_gitops.settings.expectations import Answered
from pytest_gitops.settings.shards import Shard, weights
from pytest_gitops.stages import OF_REMOVED
from pytest_gitops.stages.base import told


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One Application to collect: its case id, "namespace/name", file relative to the root, line, and its stages.
    `gone` says that head does not have it, and so maybe not its file; `left_alone` that it does not differ from base
    and only those are judged that do. `lot` is the name of what stays together where a run is split, `weight` what it
    weighs there."""

    id: str
    key: str
    file: str
    line: int
    stages: tuple[str, ...]
    gone: bool = False
    left_alone: bool = False
    lot: str = ""
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One expectation of `rbac:`: an item that passes, or fails with `text` and the code of what is wrong. `note` is
    what a passing one has to say."""

    name: str
    file: str
    line: int
    code: str = ""
    text: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioEntry:
    """One scenario to collect: its id, its name, file and line, its tags, and whether it acts on a cluster.
    `left_alone` says that it is about nothing that differs from base, and only what does is judged."""

    id: str
    name: str
    file: str
    line: int
    tags: tuple[str, ...]
    acts: bool
    left_alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with the repository and no Application's alone: one item that fails with `text`. `file` is
    relative to the root, absolute where it lies outside of it, empty where no file says it."""

    name: str
    file: str
    line: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """Everything that can be collected below `root`.

    `stages` are the chosen ones, in order; `start` is the folder that pytest was started in, and `again` the
    command that shows one item again, without the item. `shard` is the part that is judged here, None for all.
    """

    root: Path
    start: Path
    again: str
    stages: tuple[str, ...]
    strict: bool
    entries: tuple[Entry, ...]
    faults: tuple[Fault, ...]
    checks: tuple[Check, ...] = ()
    shard: Shard | None = None
    scenarios: tuple[ScenarioEntry, ...] = ()

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """The tags of all scenarios."""
        return tuple(sorted({t for s in self.scenarios for t in s.tags}))

    @cached_property
    def files(self) -> frozenset[str]:
        """The files that something of this is in, as that says them."""
        found = (*(e.file for e in self.entries), *(f.file for f in self.faults))
        found += (*(c.file for c in self.checks), *(s.file for s in self.scenarios))
        return frozenset(found)

    @cached_property
    def apart(self) -> tuple[str, ...]:
        """Those that pytest does not find below the root: base's that head does not have (of removed Applications,
        expectations, rules), those that lie outside, and "", where something is said of no file."""
        found = ((f, self.root / f) for f in sorted(self.files))
        return tuple(f for f, path in found if not (path.is_relative_to(self.root) and path.is_file()))

    @cached_property
    def folders(self) -> frozenset[str]:
        """The folders that those files are in, at any depth, relative to the root."""
        parents = (p.as_posix() for f in self.files for p in Path(f).parents)
        return frozenset(p for p in parents if p != ".")

    def place(self, file: str) -> Path:
        """What has to be asked for, for the items of `file` to be: the file, and the root where it lies outside."""
        path = self.root / file
        return path if path.is_relative_to(self.root) else self.root

    def relative(self, path: Path) -> str | None:
        """`path` relative to the root, None if it lies outside."""
        if path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        # pytest keeps the links on the way to where it was started; our root has none.
        real = path.parent.resolve() / path.name
        return real.relative_to(self.root).as_posix() if real.is_relative_to(self.root) else None

    def arguments(self) -> list[str]:
        """Everything of this that pytest finds, as arguments to it."""
        files = (self.root / f for f in sorted(self.files.difference(self.apart)))
        # What pytest would take for a node id cannot be given as a file; its folder can.
        return [str(f.parent if "[" in str(f) or "::" in str(f) else f) for f in files]

    def dumps(self) -> str:
        """The catalog as text, for another process of this run."""
        return json.dumps({**asdict(self), "root": str(self.root), "start": str(self.start)})

    @classmethod
    def loads(cls, text: str) -> Catalog:
        """The catalog that `dumps` wrote."""
        data = json.loads(text)
        return cls(
            root=Path(data["root"]),
            start=Path(data["start"]),
            again=data["again"],
            stages=tuple(data["stages"]),
            strict=data["strict"],
            entries=tuple(Entry(**{**e, "stages": tuple(e["stages"])}) for e in data["entries"]),
            faults=tuple(Fault(**f) for f in data["faults"]),
            checks=tuple(Check(**c) for c in data["checks"]),
            shard=Shard(**data["shard"]) if data["shard"] else None,
            scenarios=tuple(ScenarioEntry(**{**s, "tags": tuple(s["tags"])}) for s in data["scenarios"]),
        )


def catalog(
    root: Path,
    *,
    start: Path,
    again: str,
    stages: Sequence[str],
    strict: bool,
    cases: Iterable[Case],
    faults: Iterable[tuple[str, Finding]],
    removed: Iterable[Case] = (),
    answered: Iterable[Answered] = (),
    changed: Collection[str] | None = None,
    shard: Shard | None = None,
    lots: Mapping[str, str] | None = None,
    durations: Mapping[str, float] | None = None,
    scenarios: Iterable[Scenario] = (),
    left_alone: Collection[str] = (),
) -> Catalog:
    """The catalog of `cases`, of those `removed` by head, of `faults` as (file, finding), of expectations and of
    `scenarios`; `changed` has the ids of the only cases that are judged, None where all are, and `left_alone` those of
    scenarios that are not. Of `shard`, `lots` say which keys stay
    together, each alone where nothing is said, and `durations` what keys weigh."""
    cases, removed = list(cases), list(removed)
    left = tuple(s for s in stages if s in OF_REMOVED)
    weight = weights(durations or {}, dict.fromkeys(c.key for c in (*cases, *removed)))

    def entry(case: Case, stages: tuple[str, ...], *, gone: bool = False) -> Entry:
        return Entry(
            id=case.id,
            key=case.key,
            file=case.file,
            line=case.line,
            stages=stages,
            gone=gone,
            left_alone=not gone and changed is not None and case.id not in changed,
            lot=(lots or {}).get(case.key, case.key),
            weight=weight[case.key],
        )

    return Catalog(
        root=root,
        start=start,
        again=again,
        stages=tuple(stages),
        strict=strict,
        entries=(
            *(entry(c, tuple(stages)) for c in cases),
            *(entry(c, left, gone=True) for c in removed if left),
        ),
        faults=tuple(_faults(faults)),
        checks=tuple(_checks(answered)),
        shard=shard,
        scenarios=tuple(
            ScenarioEntry(
                id=s.id,
                name=s.name,
                file=s.file,
                line=s.line,
                tags=s.tags,
                acts=s.acts,
                left_alone=s.id in left_alone,
            )
            for s in scenarios
        ),
    )


def _faults(found: Iterable[tuple[str, Finding]]) -> Iterable[Fault]:
    """Each under a name of its own: two on one line would else be one node id."""
    seen: dict[tuple[str, str], int] = {}
    for file, finding in found:
        line = finding.line or 1
        name = f"{finding.rule}:{line}"
        count = seen[file, name] = seen.get((file, name), 0) + 1
        yield Fault(name=name if count == 1 else f"{name}:{count}", file=file, line=line, text=told(finding))


def _checks(answered: Iterable[Answered]) -> Iterable[Check]:
    """Each under a name of its own, which says what is asked."""
    seen: dict[str, int] = {}
    for each in answered:
        asked, finding = each.expectation, each.finding
        # pytest divides node ids at two colons.
        name = one_line(f"rbac:{asked.line} {asked.title}").replace("::", ": :")
        count = seen[name] = seen.get(name, 0) + 1
        failed = finding is not None and finding.counts
        yield Check(
            name=name if count == 1 else f"{name} ({count})",
            file=asked.file,
            line=asked.line,
            code=finding.rule if finding and failed else "",
            text=told(finding) if finding and failed else "",
            note=f"waived: {finding.message} ({finding.rule})" if finding and not failed else "",
        )
