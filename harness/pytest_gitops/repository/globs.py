"""Globs over a repository's paths, as git and CI systems read them."""

from __future__ import annotations

import re

_TOKENS = re.compile(r"\*\*/|\*\*|\*|\?|\[[!^]?\]?[^\]]*\]|.", re.DOTALL)
_MEANT = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def glob(pattern: str) -> re.Pattern[str]:
    """What `pattern` matches in full: `*` and `?` stay within a folder, `**` does not; a folder means all in it."""
    tokens = _TOKENS.findall(pattern.removeprefix("./").strip("/"))
    return re.compile("".join(map(_expression, tokens)) + "(?:/.*)?", re.DOTALL)


def _expression(token: str) -> str:
    if token in _MEANT:
        return _MEANT[token]
    if len(token) == 1:
        return re.escape(token)
    negated = token[1] in "!^"
    inner = re.sub(r"([\\\[\]^])", r"\\\1", token[2 if negated else 1 : -1])
    return f"(?!/)[{'^' if negated else ''}{inner}]"
