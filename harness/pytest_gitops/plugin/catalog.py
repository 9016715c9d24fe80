"""What there is to collect, as plain data: the same for pytest's own process and for every xdist worker."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pytest_gitops.model import Case, Finding


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Everything that can be collected below `root`. `stages` are the chosen ones, in order."""

    root: Path
    stages: tuple[str, ...]
    strict: bool
    entries: tuple[Entry, ...]
    faults: tuple[Fault, ...]

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(sorted([*(e.file for e in self.entries), *(f.file for f in self.faults)])))

    def relative(self, path: Path) -> str | None:
        """`path` relative to the root, None if it lies outside."""
        try:
            return path.relative_to(self.root).as_posix()
        except ValueError:
            return None

    def dumps(self) -> str:
        return json.dumps({**asdict(self), "root": str(self.root)})

    @classmethod
    def loads(cls, text: str) -> Catalog:
        data = json.loads(text)
        return cls(
            root=Path(data["root"]),
            stages=tuple(data["stages"]),
            strict=data["strict"],
            entries=tuple(Entry(**e) for e in data["entries"]),
            faults=tuple(Fault(**f) for f in data["faults"]),
        )


def catalog(
    root: Path, *, stages: Sequence[str], strict: bool, cases: Iterable[Case], faults: Iterable[tuple[str, Finding, str]]
) -> Catalog:
    """The catalog of `cases` and `faults`, the latter as (file, finding, text)."""
    return Catalog(
        root=root,
        stages=tuple(stages),
        strict=strict,
        entries=tuple(Entry(id=c.id, key=c.key, file=c.file, line=c.line) for c in cases),
        faults=tuple(
            Fault(name=f"{finding.rule}:{finding.line or 1}", file=file, line=finding.line or 1, text=text)
            for file, finding, text in faults
        ),
    )
