"""The error that says what an API server refused, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_gitops.errors import EngineError


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
