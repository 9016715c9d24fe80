"""What there is to collect, as plain data: the same for pytest's own process and for every xdist worker."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from pytest_gitops.model import Case, Finding
from pytest_gitops.stages.base import told


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One Application to collect: its case id, "namespace/name", file relative to the root, and line."""

    id: str
    key: str
    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A manifest that cannot be understood: one item that fails with `text`."""

    name: str
    file: str
    line: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """Everything that can be collected below `root`.

    `stages` are the chosen ones, in order; `start` is the folder that pytest was started in, and `again` the
    command that shows one item again, without the item.
    """

    root: Path
    start: Path
    again: str
    stages: tuple[str, ...]
    strict: bool
    entries: tuple[Entry, ...]
    faults: tuple[Fault, ...]

    @cached_property
    def files(self) -> frozenset[str]:
        """The files that something of this is in, relative to the root."""
        return frozenset([*(e.file for e in self.entries), *(f.file for f in self.faults)])

    @cached_property
    def folders(self) -> frozenset[str]:
        """The folders that those files are in, at any depth, relative to the root."""
        parents = (p.as_posix() for f in self.files for p in Path(f).parents)
        return frozenset(p for p in parents if p != ".")

    def relative(self, path: Path) -> str | None:
        """`path` relative to the root, None if it lies outside."""
        if path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        # pytest keeps the links on the way to where it was started; our root has none.
        real = path.parent.resolve() / path.name
        return real.relative_to(self.root).as_posix() if real.is_relative_to(self.root) else None

    def arguments(self) -> list[str]:
        """Everything of this as arguments to pytest."""
        files = (self.root / f for f in sorted(self.files))
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
            entries=tuple(Entry(**e) for e in data["entries"]),
            faults=tuple(Fault(**f) for f in data["faults"]),
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
) -> Catalog:
    """The catalog of `cases` and of `faults`, the latter as (file, finding)."""
    return Catalog(
        root=root,
        start=start,
        again=again,
        stages=tuple(stages),
        strict=strict,
        entries=tuple(Entry(id=c.id, key=c.key, file=c.file, line=c.line) for c in cases),
        faults=tuple(_faults(faults)),
    )


def _faults(found: Iterable[tuple[str, Finding]]) -> Iterable[Fault]:
    """Each under a name of its own: two on one line would else be one node id."""
    seen: dict[tuple[str, str], int] = {}
    for file, finding in found:
        line = finding.line or 1
        name = f"{finding.rule}:{line}"
        count = seen[file, name] = seen.get((file, name), 0) + 1
        yield Fault(name=name if count == 1 else f"{name}:{count}", file=file, line=line, text=told(finding))
