"""Moves the branches of a bare repository of ours to where another one has them, as a merge or its revert does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pytest_gitops.repository.snapshot import Snapshot

PACKED = "packed-refs"


def lend(lender: Snapshot, bare: Path) -> None:
    """Let `bare` use the objects of `lender`, beside those that it has."""
    with (bare / "objects" / "info" / "alternates").open("ab") as alternates:
        alternates.write(os.fsencode(lender.bare / "objects") + b"\n")


def point(bare: Path, refs: Mapping[str, str]) -> None:
    """Let every ref of `bare` be what `refs` say, at once: who asks meanwhile sees all of the old or all of the new."""
    lines = "".join(f"{sha} {ref}\n" for ref, sha in sorted(refs.items()))
    new = bare / f"{PACKED}.new"
    new.write_bytes(lines.encode(errors="surrogateescape"))
    new.replace(bare / PACKED)
