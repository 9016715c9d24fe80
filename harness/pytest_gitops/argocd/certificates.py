"""The authorities that an installation trusts beside the machine's own: argocd-tls-certs-cm, a host in each key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_gitops.argocd.install import data_of

NAME = "argocd-tls-certs-cm"

_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")  # a key becomes the name of a file
_BEGINS = "-----BEGIN CERTIFICATE-----"


def certificates(config_maps: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """PEM by host. What is no name of a host, or no certificate, is left out: Argo CD would not use it either."""
    data = data_of(config_maps, NAME)
    return {str(h): str(pem) for h, pem in data.items() if _HOST.fullmatch(str(h)) and _BEGINS in str(pem)}


def write(folder: Path, found: Mapping[str, str], *, more: str) -> None:
    """Put them where Argo CD's processes look (util/cert: ARGOCD_TLS_DATA_PATH), `more` with each: of a host that has a
    file there nothing else is trusted, and here some hosts are stood in for."""
    for host, pem in found.items():
        (folder / host).write_text(f"{pem.rstrip()}\n{more}", "utf-8")
