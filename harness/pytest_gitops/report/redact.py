"""What must never reach a report: Secrets' data, tokens, private keys and credentials inside URLs.

It is the last fence, not the first: stages leave Secrets out of what they say, and the engine hides their values
wherever they are repeated (see `redaction`). This one also covers what no Secret has and what other programs say (git,
helm, the API server), whose messages quote what they were given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

HIDDEN = "(hidden)"

_SENSITIVE = (
    r"(?:password|passwd|passphrase|pwd|token|api[-_]?key|secret[-_]?key|access[-_]?key|client[-_]?secret"
    r"|private[-_]?key|credentials?)"
)
_SENSITIVE_KEY = re.compile(rf"{_SENSITIVE}$", re.IGNORECASE)

# Most texts, case folded, hold none of these words, and then nothing else has to be looked for. Folded beforehand it
# is ten times as fast as with re.IGNORECASE, which takes a dotless i for an i, and one with a dot that folding keeps.
_WORTH_A_LOOK = re.compile(
    r"://|bearer|bas[i\u0131]|eyj|gh[opsur]_|github_pat|glpat|xox|akia|asia|passw|passphrase|pwd|token|key|secret|credent"
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?P<kind>[A-Z0-9 ]{0,40}PRIVATE KEY)-----.*?(?:-----END (?P=kind)-----|\Z)", re.DOTALL
)
_URL_CREDENTIALS = re.compile(r"(?P<scheme>\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://)[^\s/@'\"<>]{1,500}@")
_AUTHORIZATION = re.compile(r"\b(?P<word>bearer|basic)[ \t]+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_TOKENS = re.compile(
    r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)?"  # JSON web token
    r"|\bgh[opsur]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{16,}"
    r"|\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bA(?:KIA|SIA)[A-Z0-9]{16}\b"
)
# An assignment (`token=…`), a flag (`--password …`), a line of YAML, a member of JSON.
_ASSIGNED = re.compile(rf"(?P<key>{_SENSITIVE}=)(?P<value>\"[^\"]*\"|'[^']*'|[^\s&,;'\"]+)", re.IGNORECASE)
_FLAG = re.compile(rf"(?P<key>--[a-z-]{{0,30}}{_SENSITIVE}[ \t]+)(?P<value>[^\s-]\S*)", re.IGNORECASE)
_YAML_LINE = re.compile(
    rf"^(?P<key>[ \t+>-]*[\w.-]{{0,60}}{_SENSITIVE}[ \t]*:[ \t]+)(?P<value>\S+)[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_JSON_MEMBER = re.compile(
    rf"(?P<key>\"[\w.-]{{0,60}}{_SENSITIVE}\"[ \t]*:[ \t]*)(?P<value>\"(?:[^\"\\]|\\.)*(?:\"|\Z))",
    re.IGNORECASE | re.DOTALL,
)
_QUOTED_JSON_MEMBER = re.compile(  # JSON inside a text inside JSON
    rf"(?P<key>\\\"[\w.-]{{0,60}}{_SENSITIVE}\\\"[ \t]*:[ \t]*)(?P<value>\\\".*?(?:\\\"|\Z))",
    re.IGNORECASE | re.DOTALL,
)
_HARMLESS = {"true", "false", "null", "{}", "[]", '""', "''", HIDDEN, f'"{HIDDEN}"'}

# Lines of a diff of YAML: a field with a telling name, and a member of a list with one, whose value comes after it.
_DIFF_FIELD = re.compile(
    rf"^(?P<key>(?P<margin>[+ -][ ]*(?:- )*)[\"']?[\w./-]{{0,80}}{_SENSITIVE}[\"']?:[ ]+)(?P<value>\S.*)$",
    re.IGNORECASE,
)
_DIFF_NAME = re.compile(rf"^[+ -][ ]*(?:- )*name: [\"']?[\w./-]{{0,80}}{_SENSITIVE}[\"']?$", re.IGNORECASE)
_DIFF_VALUE = re.compile(r"^(?P<key>(?P<margin>[+ -][ ]*(?:- )*)value: )(?P<value>\S.*)$")
_DIFF_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----")
_DIFF_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----")

# A field that was changed, and one that is not as it should be.
_PAIRS = (frozenset({"path", "op", "old", "new"}), frozenset({"path", "desired", "live"}))
_PATH_NAME = re.compile(rf"(?:^|[.\[])[^.\[\]]*{_SENSITIVE}\]?(?:\.value)?$", re.IGNORECASE)

_MENTIONS_SECRET = re.compile(r"\bkind\\*[\"']?\s*[:=]\s*\\*[\"']?Secret\b|\bSecret\b[ /]", re.IGNORECASE)
_JSON_DATA = re.compile(r"(?P<key>\\*\"(?:data|stringData)\\*\"\s*:\s*)\{[^{}]*\}?")
_YAML_DATA = re.compile(
    r"^(?P<margin>[ \t+>-]*)(?P<key>(?:data|stringData):)[ \t]*\n"
    r"(?:(?P=margin)[ \t]+\S.*(?:\n|\Z))+",
    re.MULTILINE,
)
_GO_VALUE = re.compile(r"(?P<key>\bValue:)[^}\n]*|(?P<key2>\bInvalid value: )(?:\"(?:[^\"\\]|\\.)*\"|\S+)")


def redact_text(text: str) -> str:
    """The text with everything that looks like a secret replaced by "(hidden)". Twice is as once."""
    if not _is_worth_a_look(text):
        return text
    text = _PRIVATE_KEY.sub(HIDDEN, text)
    text = _URL_CREDENTIALS.sub(rf"\g<scheme>{HIDDEN}@", text)
    if _MENTIONS_SECRET.search(text):
        text = _JSON_DATA.sub(rf"\g<key>{HIDDEN}", text)
        text = _YAML_DATA.sub(rf"\g<margin>\g<key> {HIDDEN}\n", text)
        text = _GO_VALUE.sub(lambda m: f"{m['key'] or m['key2']}{HIDDEN}", text)
    text = _AUTHORIZATION.sub(rf"\g<word> {HIDDEN}", text)
    text = _TOKENS.sub(HIDDEN, text)
    for pattern in (_ASSIGNED, _FLAG, _YAML_LINE, _JSON_MEMBER, _QUOTED_JSON_MEMBER):
        text = pattern.sub(_hide_value, text)
    return text


def _is_worth_a_look(text: str) -> bool:
    """Whether the text may have anything that a pattern of this module finds by itself."""
    return bool(_WORTH_A_LOOK.search(text.casefold()))


def redact_diff(lines: Sequence[str]) -> list[str]:
    """A unified diff of YAML, redacted line by line: as many lines as before, each with its sign and margin."""
    told: list[str] = []
    deeper: int | None = None  # what is indented deeper than this belongs to a field that is hidden
    named = in_key = False
    for line in lines:
        if line.startswith(("@@", "…")):
            deeper, named = None, False
            told.append(redact_text(line))
            continue
        depth, worth = _depth(line), _is_worth_a_look(line)
        if in_key or (worth and _DIFF_BEGIN.search(line)):
            in_key = not _DIFF_END.search(line)
            told.append(f"{line[:depth]}{HIDDEN}")
            continue
        if deeper is not None and (depth > deeper or not line[1:].strip()):
            told.append(f"{line[:depth]}{HIDDEN}")
            continue
        deeper = None
        found = (worth and _DIFF_FIELD.match(line)) or (named and _DIFF_VALUE.match(line))
        if found and not _is_harmless(found["value"]):
            deeper = len(found["margin"]) if found["value"].startswith(("|", ">")) else None
            told.append(f"{found['key']}{HIDDEN}")
        else:
            told.append(redact_text(line) if worth else line)
        if worth and _DIFF_NAME.match(line):
            named = True
        elif named and not _DIFF_VALUE.match(line):
            named = False
    return told


def _told_apart(lines: list[str], before: Sequence[str]) -> list[str]:
    """The lines of a redacted diff; those that look like what they replace, now that it is hidden, say so."""
    gone: set[str] = set()
    for place, (line, was) in enumerate(zip(lines, before, strict=True)):
        if line.startswith("-"):
            gone.add(line[1:])
        elif not line.startswith("+"):
            gone.clear()
        elif line != was and line[1:] in gone:
            lines[place] = f"{line} (changed)"
    return lines


def _depth(line: str) -> int:
    return len(line) - len(line[1:].lstrip(" ")) if line else 0


def redacted(value: Any, *, hide: Callable[[str], str] = str) -> Any:
    """A JSON value, every text in it redacted; a Secret's data and what has a telling name is hidden.

    `hide` is done to every text as well: it knows the values that are Secrets' here.
    """
    if isinstance(value, str):
        return hide(redact_text(value))
    if isinstance(value, list):
        return [redacted(v, hide=hide) for v in value]
    if not isinstance(value, dict):
        return value
    secret = value.get("kind") == "Secret"
    field = (
        "path" in value and any(value.keys() >= p for p in _PAIRS) and _PATH_NAME.search(str(value["path"]))
    )
    named = isinstance(value.get("name"), str) and _is_sensitive(value["name"])
    result: dict[str, Any] = {}
    for key, member in value.items():
        if secret and key in {"data", "stringData"} and isinstance(member, dict):
            result[key] = dict.fromkeys(member, HIDDEN)
        elif key == "diff" and isinstance(member, list) and all(isinstance(v, str) for v in member):
            result[key] = _told_apart([hide(line) for line in redact_diff(member)], member)
        elif _is_telling(key, member, named=named, field=bool(field)):
            result[key] = HIDDEN
        else:
            result[key] = redacted(member, hide=hide)
    return result


def _is_harmless(value: str) -> bool:
    """Whether a value says nothing: a constant, or what was hidden before."""
    bare = value.strip("\\\"'")
    return value.lower() in _HARMLESS or bare.lower() in _HARMLESS or bare.startswith("(value hidden")


def _is_telling(key: str, member: Any, *, named: bool, field: bool) -> bool:
    """Whether a member's name, or that of what it is the value of, says that it is a secret."""
    if field and key in {"old", "new", "desired", "live"}:
        return isinstance(member, (str, int, float)) and not isinstance(member, bool)
    if not isinstance(member, str) or not member:
        return False
    return _is_sensitive(key) or (named and key == "value")


@lru_cache(maxsize=1_000)
def _is_sensitive(name: str) -> bool:
    """Whether a name is that of a secret. The same few stand in every object."""
    return bool(_SENSITIVE_KEY.search(name))


def _hide_value(found: re.Match[str]) -> str:
    value = found["value"]
    if _is_harmless(value):
        return found[0]
    quote = next((q for q in ('\\"', '"', "'") if value.startswith(q)), "")  # JSON stays JSON
    return f"{found['key']}{quote}{HIDDEN}{quote}"
