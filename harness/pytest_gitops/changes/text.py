"""YAML as it is shown: a value on one line, or a block of lines. For reading; files are `repository.manifest`'s.

Characters that cannot be seen, or that make text look like other text (line and direction marks), are spelled out.
"""

from __future__ import annotations

import json
import re
from typing import Any

_HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_PLAIN = re.compile(r"[A-Za-z_/.$(][^\t\n]*")
_NOT_PLAIN = re.compile(r": |:$| #| $|^\.(?:\d|inf|nan)", re.IGNORECASE)
_WORDS = {"y", "yes", "n", "no", "true", "false", "on", "off", "null"}


def visible(text: str) -> str:
    r"""The text with what cannot be seen spelled as JSON does (`\u202e`)."""
    return _HIDDEN.sub(lambda m: f"\\u{ord(m[0]):04x}", text) if _HIDDEN.search(text) else text


def scalar(value: Any) -> str:
    """A value as it stands after its key."""
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and not _NOT_PLAIN.search(value) and not _HIDDEN.search(value)
        if plain and value.lower() not in _WORDS:
            return value
        return visible(json.dumps(value, ensure_ascii=False))
    if value == {} or value == []:
        return "{}" if isinstance(value, dict) else "[]"
    return json.dumps(value, ensure_ascii=False, default=str)


def block(value: Any) -> tuple[str, list[str]] | None:
    """The header ("|", "|-", "|+", with a 2 before what begins with spaces) and lines of a text of more than one line;
    None for anything else."""
    if not isinstance(value, str) or "\n" not in value or "\n" not in value.rstrip("\n"):
        return None
    indent = "2" if value.lstrip("\n").startswith(" ") else ""
    if not value.endswith("\n"):
        return f"|{indent}-", value.split("\n")
    keep = "+" if value.endswith("\n\n") else ""
    return f"|{indent}{keep}", value[:-1].split("\n")
