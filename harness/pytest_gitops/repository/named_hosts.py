"""The hosts that a repository names itself, in manifests and in what git and kustomize read: those may be asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_gitops.repository.kustomization import RESOURCES
from pytest_gitops.repository.readings import listed, mappings
from pytest_gitops.world.urls import parse as parse_url
from pytest_gitops.world.urls import parse_registry

_API_VERSION = re.compile(rb"^apiVersion:.*$", re.MULTILINE)
_MAY_BE_REMOTE = re.compile(rb"://|@|(?<![\w./-])[\w-]+(?:\.[\w-]+)+(?::\d+)?/")
_MODULE = re.compile(r"^\s*url\s*=\s*(?P<url>\S+)\s*$", re.MULTILINE)


def in_manifest(value: Any) -> Iterator[str]:
    """The hosts of every `repoURL` and `repository`, and of every value file that is a URL, below `value`."""
    for url, is_chart in places(value):
        address = parse_url(url) or (parse_registry(url) if is_chart else None)
        if address is not None:
            yield address.host


def places(value: Any) -> Iterator[tuple[str, bool]]:
    """Every `repoURL` and `repository` below `value`, and whether it stands beside a `chart`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in {"repoURL", "repository"} and isinstance(inner, str):
                yield inner, bool(value.get("chart"))
            elif key == "valueFiles" and isinstance(inner, list):
                yield from ((str(file), False) for file in inner if "://" in str(file))
            else:
                yield from places(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from places(inner)


def in_kustomization(content: bytes) -> set[str]:
    """The hosts that a kustomization reads from, as kustomize writes URLs: with a scheme, as ssh, or neither
    (github.com/owner/repository//path?ref=v1). What only looks like one names a host that nobody asks for."""
    if not _MAY_BE_REMOTE.search(_API_VERSION.sub(b"", content)):
        return set()  # as most of them: reading YAML takes long
    values = mappings(content) or ()  # of one that is no YAML the Application that renders it will speak
    urls = [e for value in values for key in RESOURCES for e in listed(value.get(key)) if isinstance(e, str)]
    charts = [c for value in values for c in listed(value.get("helmCharts")) if isinstance(c, Mapping)]
    urls += [str(chart.get("repo") or "") for chart in charts]
    addresses = [parse_url(url.removeprefix("git::")) for url in urls]
    addresses += [parse_url(f"https://{url}") for url in urls if "/" in url]
    return {a.host for a in addresses if a is not None and "." in a.host.strip(".")}


def in_modules(content: bytes) -> set[str]:
    """The hosts of a .gitmodules (gitmodules(5)); a relative URL is of this repository's own."""
    addresses = (parse_url(found["url"]) for found in _MODULE.finditer(content.decode(errors="replace")))
    return {a.host for a in addresses if a is not None}
