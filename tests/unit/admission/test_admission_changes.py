"""How head's object is sent on top of base's, to an API server that only writes down what it is sent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
from admission_support import item

from pytest_gitops.admission.changes import Changes
from pytest_gitops.admission.values import Hit
from pytest_gitops.clusters.api import Api
from pytest_gitops.clusters.apierror import ApiError, Reply

OPTIONS = "argocd.argoproj.io/sync-options"
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: {0}}\n"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {a: {0}}\n"
BINDING = (
    "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: a}\nroleRef: {name: {0}}\n"
)


def error(status: int, reason: str, message: str = "no") -> ApiError:
    return ApiError(message, status=status, reason=reason)


class FakeApi:
    """Takes everything, but for what `refusals` say of the next questions, and `there` of creating."""

    def __init__(self, *refusals: ApiError | None, there: ApiError | None = None) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.applied = 0
        self._refusals, self._there, self._version = list(refusals), there, 0

    def path_of(self, version: str, kind: str, *, namespace: str, name: str) -> str:
        return f"/{version}/{kind}/{namespace}/{name}"

    def post(self, path: str, body: Any, **params: Any) -> Any:
        if self._there is not None and not path.startswith("/api/v1/namespaces"):
            raise self._there
        return self.get(path, body)

    def apply(self, body: Any) -> Any:
        self.applied += 1
        return self.get("", body)

    def get(self, path: str, body: Any = None) -> Any:
        self._version += 1
        return {**(body or {}), "metadata": {"name": "a", "resourceVersion": str(self._version)}}

    def ask(self, method: str, path: str, body: Any, **params: Any) -> Reply:
        self.asked.append((method, body["metadata"].get("resourceVersion")))
        return Reply(error=self._refusals.pop(0) if self._refusals else None)

    def delete(self, path: str, body: Any) -> None: ...


def ask(api: FakeApi, text: str = MAP, *, old: str = "1", new: str = "2", **more: Any) -> list[Hit]:
    base, head = (item(text.replace("{0}", word), **more) for word in (old, new))
    with ThreadPoolExecutor(1) as pool:
        changes = Changes(cast(Api, api), pool, cast(Any, None))
        return [hit for _, hit in changes.of_objects([head], [base])]


@pytest.mark.parametrize(
    ("text", "more", "method"),
    [
        (MAP, {}, "PUT"),
        (MAP, {"replace": True}, "PUT"),
        (MAP, {"server_side": True}, "PATCH"),
        (MAP, {"server_side": True, "force": True}, "PATCH"),
        (MAP, {"force": True}, ""),
        (POD, {}, "PATCH"),
        (POD, {"replace": True}, "PUT"),
        (BINDING, {}, ""),
        (BINDING, {"server_side": True}, "PATCH"),
        (BINDING, {"replace": True}, "PUT"),
    ],
)
def test_a_change_is_sent_as_argocd_would_send_it(text: str, more: dict[str, bool], method: str) -> None:
    api = FakeApi()
    assert ask(api, text, **more) == []
    assert [m for m, _ in api.asked] == [method] * bool(method)
    assert api.applied == (method == "PATCH")


def test_what_the_server_has_written_to_meanwhile_is_read_once_more() -> None:
    api = FakeApi(error(409, "Conflict"), error(409, "Conflict"))
    assert ask(api, replace=True) == []
    assert [version for _, version in api.asked] == [
        "3",
        "4",
        "5",
    ]  # the namespace and its account are the first two


def test_what_is_there_already_is_applied_over() -> None:
    api = FakeApi(there=error(409, "AlreadyExists"))
    assert (ask(api), api.applied) == ([], 1)


@pytest.mark.parametrize("failure", [error(0, "Unreachable"), error(429, "TooManyRequests"), error(500, "InternalError")])  # fmt: skip
def test_a_server_that_fails_is_no_refusal_of_the_bases_object(failure: ApiError) -> None:
    with pytest.raises(ApiError, match=r"^no$"):
        ask(FakeApi(there=failure))
    (hit,) = ask(FakeApi(there=error(422, "Invalid")))
    assert hit.rule == "change-not-asked"


def test_that_nobody_converts_is_no_failure_of_the_server() -> None:
    unconverted = error(500, "InternalError", "conversion webhook for example.com/v2, Kind=Box failed: no")
    assert ask(FakeApi(there=unconverted)) == []
