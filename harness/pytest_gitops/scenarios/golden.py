"""Golden files: all that an Application renders to, written down, and held against what it renders to now."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_gitops.repository.manifest import dump
from pytest_gitops.scenarios.api import GitOpsFailure
from pytest_gitops.scenarios.comparing import HIDDEN
from pytest_gitops.scenarios.values import GOLDEN

SHOWN = 60
"""As many lines of a difference as a message shows."""


def canonical(objects: Iterable[Mapping[str, Any]]) -> str:
    """The objects as YAML in an order of their own, keys sorted, what Secrets hold hidden."""
    return dump(*sorted(map(_sorted, map(without_secrets, objects)), key=_order))


def without_secrets(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The object; of a Secret only the keys."""
    if manifest.get("kind") != "Secret":
        return dict(manifest)
    hidden: dict[str, Any] = {
        field: dict.fromkeys(manifest[field], HIDDEN)
        for field in ("data", "stringData")
        if isinstance(manifest.get(field), Mapping)
    }
    metadata = manifest.get("metadata")
    if isinstance(metadata, Mapping) and isinstance(metadata.get("annotations"), Mapping):
        # What was applied last repeats all of it.
        kept = {
            k: v for k, v in metadata["annotations"].items() if not k.endswith("last-applied-configuration")
        }
        hidden["metadata"] = {**metadata, "annotations": kept}
    return {**manifest, **hidden}


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _sorted(value[k]) for k in sorted(value, key=str)}
    return [_sorted(v) for v in value] if isinstance(value, (list, tuple)) else value


def _order(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    metadata = manifest.get("metadata") or {}
    about = (
        manifest.get("apiVersion"),
        manifest.get("kind"),
        metadata.get("namespace"),
        metadata.get("name"),
    )
    return tuple(str(a or "") for a in about)


def hold(file: str, was: str | None, now: str, *, key: str) -> None:
    """Raise GitOpsFailure unless a golden file has what Application `key` renders to `now`."""
    if was == now:
        return
    if was is None:
        raise GitOpsFailure(
            f"expected the golden file {file}, saw none in the repository",
            help="write it with --gitops-update, look at it, and commit it",
        )
    lines = difflib.unified_diff(
        was.splitlines(), now.splitlines(), file, f"rendered {key}", lineterm="", n=2
    )
    raise GitOpsFailure(
        f"Application {key} does not render to what {file} holds:\n{_shown(list(lines))}",
        help="if it is meant, write the file anew with --gitops-update",
    )


def _shown(lines: Sequence[str]) -> str:
    left = len(lines) - SHOWN
    told = [f"    {line}" for line in lines[:SHOWN]]
    return "\n".join([*told, *([f"    … {left} more lines"] if left > 0 else [])])


def checked(file: str) -> PurePosixPath:
    """The path of a golden file from the root. Raises GitOpsFailure for one that leads out or is called otherwise."""
    path = PurePosixPath(file)
    parts = path.parts
    if path.is_absolute() or ".." in parts or ".git" in parts or "\\" in file or not file.isprintable():
        raise GitOpsFailure(f"expected a golden file in the repository, saw {file!r}")
    if not path.name.endswith(GOLDEN) or path.name == GOLDEN:
        raise GitOpsFailure(f"expected a golden file to be called NAME{GOLDEN}, saw {file!r}")
    return path


def write(root: Path, file: str, text: str) -> None:
    """Write a golden file below `root`. Raises GitOpsFailure where a link stands in the way: nothing outside the
    repository is ever written."""
    path = checked(file)
    target = root / path
    for place in (target, *target.parents):
        if place == root:
            break
        if place.is_symlink() or (place.exists() and place != target and not place.is_dir()):
            name = place.relative_to(root)
            raise GitOpsFailure(f"{file} is not written: {name} is a link or no folder")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
        with os.fdopen(os.open(target, flags, 0o644), "w", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise GitOpsFailure(f"{file} cannot be written: {error.strerror}") from error
