"""What an API server says of a request: the error with what it refused and why, and its warnings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pytest_gitops.errors import EngineError

_CONVERSION = re.compile(r"conversion webhook for .+ failed: .*", re.DOTALL)


class ApiError(EngineError):
    """The API server refused, or could not be reached (`status` 0).

    `reason` is Kubernetes' one-word reason, `message` its sentence, `details` what it says of single fields.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        reason: str,
        request: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        self.status, self.reason, self.message = status, reason, message
        self.details: Mapping[str, Any] = details or {}
        super().__init__(f"{request}: {message}" if request else message)

    @property
    def refused(self) -> bool:
        """Whether it is what was asked that is wrong, and not the server."""
        return 400 <= self.status < 500

    @property
    def failed(self) -> bool:
        """Whether it is no opinion of what was asked: there was no answer, or the server itself failed."""
        return (self.status == 0 or self.status >= 500) and not self.unconverted

    @property
    def unconverted(self) -> str:
        """What is said of a CRD's conversion webhook that does not answer, which is no fault of what was asked, and not
        the server's; empty where it is something else."""
        found = _CONVERSION.search(self.message) if self.status == 500 else None
        return found.group() if found else ""


class suppress_gone(suppress):
    """Does nothing about an object that is not there any more."""

    statuses = frozenset({404})

    def __init__(self) -> None:
        super().__init__(ApiError)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        return isinstance(error, ApiError) and error.status in self.statuses


class suppress_overtaken(suppress_gone):
    """Does nothing about an object that is not there any more, or is not as it was when it was read: for writes that
    name the resourceVersion, of who watches the object and will see it as it is."""

    statuses = frozenset({404, 409})


UNFIT = "failed to create typed patch object"
"""How the server begins its sentence about an applied object that does not fit the schema."""


def refusal(status: int, body: Mapping[str, Any], request: str) -> ApiError:
    """The error of a Status object, or of whatever else came with an HTTP status that is one."""
    message, reason = str(body.get("message") or f"HTTP {status}"), str(body.get("reason") or "Unknown")
    if status == 500 and message.startswith(UNFIT):
        # Server-side apply calls an unknown field an internal error. It is the object's, and no retry helps.
        status, reason = 422, "Invalid"
    return ApiError(
        message,
        status=status,
        reason=reason,
        request=request,
        details=body.get("details"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of a write: `error` if it was refused, and what the server warns of either way."""

    error: ApiError | None = None
    warnings: tuple[str, ...] = ()


def warnings_of(headers: Iterable[str]) -> tuple[str, ...]:
    """The texts of `Warning` headers (RFC 7234, 5.5), each once.

    >>> warnings_of(['299 - "v1 Endpoints is deprecated"'])
    ('v1 Endpoints is deprecated',)
    """
    quoted = (text for header in headers for text in _QUOTED.findall(header))
    return tuple(dict.fromkeys(_ESCAPED.sub(r"\1", text) for text in quoted))


_QUOTED = re.compile(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


def loaded(content: bytes, request: str) -> dict[str, Any]:
    """The object of an answer to `request`; what is no JSON is its message. Raises ApiError for JSON that is no
    object."""
    try:
        data = json.loads(content) if content else {}
    except ValueError:
        data = {"message": content.decode(errors="replace").strip()}
    if not isinstance(data, dict):
        raise ApiError(
            f"expected a JSON object, saw {content[:80]!r}", status=0, reason="Unreadable", request=request
        )
    return data
