"""Packaged charts as an OCI registry has them: a manifest and blobs for each, and the answers for them.

The protocol is the part of OCI's distribution specification 1.1 that reads: the version check, tags, manifests
and blobs. Everybody may read, so no client is asked for credentials, and one that brings some is welcome, too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pytest_gitops.serving.wire import Exchange

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.cncf.helm.config.v1+json"
CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
PROVENANCE = "application/vnd.cncf.helm.chart.provenance.v1.prov"
"""Media types of what `helm push` makes (helm's pkg/registry/constants.go)."""

OF_THE_INDEX = {"created", "digest", "removed", "urls"}
"""What an entry of helm's index has beside the chart's own metadata (helm's pkg/repo/index.go, ChartVersion)."""

ENDPOINT = re.compile(r"(?P<name>.+)/(?:tags/list|(?P<what>manifests|blobs)/(?P<reference>[^/]+))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """All versions of one chart: tag → digest of its manifest, and digest → file of ours."""

    tags: Mapping[str, str]
    manifests: Mapping[str, Path]
    blobs: Mapping[str, Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """The charts below one name of a registry, ready to be served. `path` is what the paths of requests for
    them begin with; `charts` has them by name."""

    host: str
    path: str
    charts: Mapping[str, Chart]

    def covers(self, host: str, path: str) -> bool:
        """Whether a request for `path` (as sent) of `host` is for one of these charts, or asks whether this is
        a registry at all."""
        asked = unquote(path).strip("/")
        return host == self.host and (asked == "v2" or f"{asked}/".startswith(f"{self.path}/"))

    def answer(self, exchange: Exchange, path: str) -> None:
        """Answer from the known files alone: there is no way from a request's path to a file system's."""
        asked = unquote(path).strip("/")
        match = ENDPOINT.fullmatch(asked.removeprefix(self.path).lstrip("/"))
        chart = self.charts.get(match["name"]) if match else None
        if exchange.method not in {"GET", "HEAD"}:
            _refuse(exchange, 405, "UNSUPPORTED", "charts can only be read")
        elif asked == "v2":
            _reply(exchange, b"{}", "application/json")
        elif match is None or chart is None:
            known = ", ".join(sorted(self.charts))
            _refuse(exchange, 404, "NAME_UNKNOWN", f"no such chart; served from a folder are: {known}")
        elif match["what"] is None:
            # In one page: a client that asked for less is given all the same.
            tags = {"name": f"{self.path}/{match['name']}".removeprefix("v2/"), "tags": sorted(chart.tags)}
            _reply(exchange, json.dumps(tags).encode(), "application/json")
        else:
            _give(exchange, chart, match["what"], match["reference"])


def _give(exchange: Exchange, chart: Chart, what: str, reference: str) -> None:
    digest = chart.tags.get(reference, reference) if what == "manifests" else reference
    file = (chart.manifests if what == "manifests" else chart.blobs).get(digest)
    if file is None:
        code = "MANIFEST_UNKNOWN" if what == "manifests" else "BLOB_UNKNOWN"
        known = ", ".join(sorted(chart.tags))
        _refuse(exchange, 404, code, f"no {reference} of this chart; served from a folder are: {known}")
    else:
        kind = MANIFEST if what == "manifests" else "application/octet-stream"
        _reply(exchange, file.read_bytes(), kind, ("docker-content-digest", digest))


def _reply(exchange: Exchange, body: bytes, kind: str, *headers: tuple[str, str]) -> None:
    version = ("docker-distribution-api-version", "registry/2.0")
    exchange.reply(200, body, headers=(("content-type", kind), version, *headers))


def _refuse(exchange: Exchange, status: int, code: str, message: str) -> None:
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    exchange.reply(status, body, headers=(("content-type", "application/json"),))


def registry(host: str, path: str, folder: Path) -> Registry:
    """The packaged charts in `folder`, and the index.yaml that helm wrote there as JSON, as a registry has them
    below `path`. Manifests and configurations are written to `folder`."""
    index = json.loads((folder / "index.yaml").read_text("utf-8"))
    charts = {name: _chart(folder, entries) for name, entries in index["entries"].items()}
    return Registry(host=host, path=f"v2/{path}".rstrip("/"), charts=charts)


def _chart(folder: Path, entries: list[dict[str, Any]]) -> Chart:
    tags: dict[str, str] = {}
    manifests: dict[str, Path] = {}
    blobs: dict[str, Path] = {}

    def blob(file: Path, kind: str) -> dict[str, Any]:
        digest = _digest(file)
        blobs[digest] = file
        return {"mediaType": kind, "digest": digest, "size": file.stat().st_size}

    for entry in entries:
        package = folder / entry["urls"][0]
        metadata = {key: value for key, value in entry.items() if key not in OF_THE_INDEX}
        layers = [blob(package, CHART)]
        if (signature := package.with_name(f"{package.name}.prov")).is_file():
            layers.append(blob(signature, PROVENANCE))
        config = blob(_write(package, "config", metadata), CONFIG)
        file = _write(
            package,
            "manifest",
            {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers},
        )
        digest = _digest(file)
        manifests[digest] = file
        # A tag has no plus sign: helm writes an underscore for it, and reads it back.
        tags[entry["version"].replace("+", "_")] = digest
    return Chart(tags=tags, manifests=manifests, blobs=blobs)


def _write(package: Path, what: str, content: Mapping[str, Any]) -> Path:
    file = package.with_name(f"{package.name}.{what}.json")
    file.write_text(json.dumps(content), "utf-8")
    return file


def _digest(file: Path) -> str:
    return f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
