"""What the addresses of an API server are made of."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit


def url(host: str, path: str, params: Mapping[str, Any]) -> str:
    words = {k: str(v).lower() if isinstance(v, bool) else v for k, v in params.items() if v is not None}
    return f"{host}{path}?{urlencode(words)}" if words else host + path


def tail(plural: str, namespace: str | None, name: str) -> str:
    within = f"/namespaces/{quote(namespace or 'default', safe='')}" if namespace is not None else ""
    return f"{within}/{plural}" + (f"/{quote(name, safe='')}" if name else "")


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
