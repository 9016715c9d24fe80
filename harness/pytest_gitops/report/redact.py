"""What must never reach a report: Secrets' data, tokens, private keys and credentials inside URLs.

It is the last fence, not the first: stages leave Secrets out of what they say. This one also covers what
other programs say (git, helm, the API server), whose messages quote what they were given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "(hidden)"

_SENSITIVE = (
    r"(?:password|passwd|passphrase|pwd|token|api[-_]?key|secret[-_]?key|access[-_]?key|client[-_]?secret"
    r"|private[-_]?key|credentials?)"
)
_SENSITIVE_KEY = re.compile(rf"{_SENSITIVE}$", re.IGNORECASE)

# Most texts hold none of these words, and then nothing else has to be looked for.
_WORTH_A_LOOK = re.compile(
    r"://|bearer|basic|eyJ|gh[opsur]_|github_pat|glpat|xox|akia|asia|passw|passphrase|pwd|token|key|secret|credential",
    re.IGNORECASE,
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
    if not _WORTH_A_LOOK.search(text):
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


def redacted(value: Any) -> Any:
    """A JSON value, every text in it redacted; a Secret's data and what has a telling name is hidden."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, list):
        return [redacted(v) for v in value]
    if not isinstance(value, Mapping):
        return value
    secret = value.get("kind") == "Secret"
    named = isinstance(value.get("name"), str) and _SENSITIVE_KEY.search(value["name"])
    result: dict[str, Any] = {}
    for key, member in value.items():
        if secret and key in {"data", "stringData"} and isinstance(member, Mapping):
            result[key] = dict.fromkeys(member, HIDDEN)
        elif (
            isinstance(member, str) and member and (_SENSITIVE_KEY.search(key) or (named and key == "value"))
        ):
            result[key] = HIDDEN
        else:
            result[key] = redacted(member)
    return result


def _hide_value(found: re.Match[str]) -> str:
    value = found["value"]
    if value.lower() in _HARMLESS or value.strip("\\\"'") == HIDDEN:
        return found[0]
    quote = next((q for q in ('\\"', '"', "'") if value.startswith(q)), "")  # JSON stays JSON
    return f"{found['key']}{quote}{HIDDEN}{quote}"
