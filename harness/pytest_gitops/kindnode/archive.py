"""Container images of one layer each, written as one OCI archive; no container engine is needed."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MADE = "2026-01-01T00:00:00Z"  # the same for all, so that the same content has the same digest

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"

GO_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image under all its `names`. `files` maps a path in it to the file on this machine; `links` to what a
    symbolic link there says; `folders` are empty ones, writable by all where that is `/tmp`."""

    names: tuple[str, ...]
    files: Mapping[str, Path] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()


def write(images: Sequence[Image], target: Path, *, architecture: str) -> None:
    """The archive of `images` at `target`; `architecture` is Go's name for it."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="oci-") as made:
        blobs = Path(made) / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        entries = [e for image in images for e in _entries(image, blobs, architecture)]
        index = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": entries,
        }
        (Path(made) / "index.json").write_text(json.dumps(index), "utf-8")
        (Path(made) / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}', "utf-8")
        with tarfile.open(target, "w") as tar:
            for name in ("oci-layout", "index.json", "blobs"):
                tar.add(Path(made) / name, name)


def _entries(image: Image, blobs: Path, architecture: str) -> list[dict[str, Any]]:
    layer = _layer(image, blobs)
    platform = {"architecture": architecture, "os": "linux"}
    config = {
        **platform,
        "created": MADE,
        "config": {"Entrypoint": list(image.entrypoint) or None, "Env": [PATH], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        "history": [{"created": MADE, "created_by": "pytest-gitops kind-node build"}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _blob(config, CONFIG, blobs),
        "layers": [layer],
    }
    described = _blob(manifest, MANIFEST, blobs)
    return [
        {
            **described,
            "platform": platform,
            "annotations": {
                "io.containerd.image.name": name,
                "org.opencontainers.image.ref.name": name.rpartition(":")[2],
            },
        }
        for name in image.names
    ]


def _layer(image: Image, blobs: Path) -> dict[str, Any]:
    packed = blobs / "layer"
    with tarfile.open(packed, "w", format=tarfile.GNU_FORMAT) as tar:
        made: set[str] = set()

        def folder(path: str) -> None:
            if path in {"", "."} or path in made:
                return
            folder(path.rpartition("/")[0])
            made.add(path)
            entry = tarfile.TarInfo(path)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if path == "tmp" else 0o755
            tar.addfile(entry)

        for path in sorted(image.folders):
            folder(path.strip("/"))
        for path, source in sorted(image.files.items()):
            folder(path.strip("/").rpartition("/")[0])
            entry = tarfile.TarInfo(path.strip("/"))
            entry.size, entry.mode = source.stat().st_size, 0o755
            with source.open("rb") as file:
                tar.addfile(entry, file)
        for path, to in sorted(image.links.items()):
            folder(path.strip("/").rpartition("/")[0])
            entry = tarfile.TarInfo(path.strip("/"))
            entry.type, entry.linkname = tarfile.SYMTYPE, to
            tar.addfile(entry)
    with packed.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = packed.stat().st_size
    shutil.move(packed, blobs / digest)
    return {"mediaType": LAYER, "digest": f"sha256:{digest}", "size": size}


def _blob(value: Any, kind: str, blobs: Path) -> dict[str, Any]:
    data = io.BytesIO(json.dumps(value, sort_keys=True).encode())
    digest = hashlib.file_digest(data, "sha256").hexdigest()
    (blobs / digest).write_bytes(data.getvalue())
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data.getvalue())}
