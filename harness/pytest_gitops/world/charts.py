"""Chart repositories made from folders: charts packaged by helm, an index, and the answers for them.

A classic repository answers from here, an OCI one as `registry` says.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from pytest_gitops.errors import ConfigError, EngineError
from pytest_gitops.processes.process import run
from pytest_gitops.serving.wire import Exchange
from pytest_gitops.world.registry import Registry, registry
from pytest_gitops.world.urls import parse

TYPES = {".yaml": "text/yaml", ".tgz": "application/gzip", ".prov": "text/plain"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartRepository:
    """A classic repository that is ready to be served. `files` are names, as an URL has them, → files of
    ours."""

    host: str
    path: str
    files: Mapping[str, Path]

    def covers(self, host: str, path: str) -> bool:
        """Whether a request for `path` (as sent) of `host` is for this repository."""
        return host == self.host and (
            not self.path or f"{unquote(path).strip('/')}/".startswith(f"{self.path}/")
        )

    def answer(self, exchange: Exchange, path: str) -> None:
        """Answer from the known files alone: there is no way from a request's path to a file system's."""
        name = unquote(path).strip("/").removeprefix(self.path).lstrip("/")
        file = self.files.get(name)
        if exchange.method not in {"GET", "HEAD"}:
            exchange.reply(405, b"Charts can only be read.\n")
        elif file is None:
            exchange.reply(404, f"{name}: no such chart in this repository.\n".encode())
        else:
            exchange.reply(
                200,
                file.read_bytes(),
                headers=(("content-type", TYPES.get(file.suffix, "application/octet-stream")),),
            )


Charts = ChartRepository | Registry
"""What requests for charts are answered by."""


def package(url: str, folder: Path, *, into: Path, helm: Path, environ: Mapping[str, str]) -> Charts:
    """Package the charts in `folder` (chart folders and .tgz files, one level deep) into `into`, with an
    index: a classic repository, or for an oci:// URL a registry.

    `folder` is not changed. Raises ConfigError for a URL that is none, a folder without charts, a chart that
    helm refuses, and a symlink that leads out of `folder`.
    """
    address = parse(url)
    if address is None or address.scheme not in {"http", "https", "oci"}:
        raise ConfigError(f"charts: {url}: expected the https:// or oci:// address of a chart repository")
    if not folder.is_dir():
        raise ConfigError(f"charts: {url}: expected a folder of charts, saw none at {folder.name}")
    _stay_inside(url, folder)
    into.mkdir(parents=True, mode=0o700)
    ready = [p for p in sorted(folder.iterdir()) if p.suffix in {".tgz", ".prov"} and p.is_file()]
    sources = [p for p in sorted(folder.iterdir()) if (p / "Chart.yaml").is_file()]
    if not sources and not any(p.suffix == ".tgz" for p in ready):
        raise ConfigError(
            f"charts: {url}: expected charts in {folder.name}, saw no Chart.yaml and no .tgz one level below"
        )
    for file in ready:
        shutil.copyfile(file, into / file.name)
    oci = address.scheme == "oci"
    home = into / ".helm"
    env = {
        **{k: v for k, v in environ.items() if not k.startswith("HELM_")},
        **{f"HELM_{what}_HOME": str(home / what.lower()) for what in ("CACHE", "CONFIG", "DATA")},
    }
    try:
        if sources:
            run(helm, "package", *sources, "--destination", into, env=env, limit=120)
        form = ("--json",) if oci else ("--url", url.rstrip("/"))
        run(helm, "repo", "index", into, *form, env=env, limit=120)
    except EngineError as error:
        raise ConfigError(f"charts: {url}: helm cannot package {folder.name}. {error}") from error
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if oci:
        return registry(address.host, address.path, into)
    files = {p.name: p for p in sorted(into.iterdir()) if p.is_file()}
    return ChartRepository(host=address.host, path=address.path, files=files)


def _stay_inside(url: str, folder: Path) -> None:
    """helm follows symlinks, so what leads out of the folder must not be there."""
    inside = folder.resolve()
    for path in folder.rglob("*"):
        if path.is_symlink() and not path.resolve().is_relative_to(inside):
            raise ConfigError(
                f"charts: {url}: {path.relative_to(folder)} is a symlink that leads out of {folder.name}. "
                "Replace it by a copy: files outside the repository are never read"
            )
