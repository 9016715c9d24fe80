"""Kubernetes quantities: when two spellings mean the same amount (`1000m` and `1`, `1Gi` and `1024Mi`)."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

# (k8s.io/apimachinery/pkg/api/resource/quantity.go)
_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40}))"
    r"(?P<suffix>[eE][+-]?\d{1,2}|[KMGTPE]i|[numkMGTPE])?"
)
_SUFFIXES = {
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
    "m": Decimal("1e-3"),
    "u": Decimal("1e-6"),
    "n": Decimal("1e-9"),
}

_PARENTS = {"limits", "requests", "hard", "capacity", "min", "max", "default", "defaultRequest", "overhead"}
_FIELDS = {"sizeLimit", "averageValue"}


def amount(value: Any) -> Decimal | None:
    """The amount that a quantity means, None for what is no quantity."""
    if not isinstance(value, (str, int, float)):
        return None
    found = _QUANTITY.fullmatch(str(value))
    if found is None:
        return None
    number, suffix = Decimal(found["number"]), found["suffix"] or ""
    if suffix[:1] in {"e", "E"} and len(suffix) > 1 and suffix != "Ei":
        return number.scaleb(int(suffix[1:]))
    return number * _SUFFIXES.get(suffix, Decimal(1))


def is_quantity(path: tuple[str, ...]) -> bool:
    """Whether the field at `path` holds a quantity in Kubernetes' own kinds."""
    return path[-1] in _FIELDS or (len(path) > 1 and path[-2] in _PARENTS)
