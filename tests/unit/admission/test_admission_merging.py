"""What an object on the server becomes when Argo CD changes it."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_gitops.admission.merging import merged, replaced

LIVE_META = {"name": "web", "uid": "u", "resourceVersion": "7", "creationTimestamp": "t"}


def made(spec: Any, *, kind: str = "Deployment", api: str = "apps/v1", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "web", **metadata}, "spec": spec}


@pytest.mark.parametrize(
    ("before", "after", "live", "expected"),
    [
        pytest.param({"a": 1}, {"a": 2}, {"a": 1, "filled": 0}, {"a": 2, "filled": 0}, id="changed"),
        pytest.param({"a": 1, "b": 1}, {"a": 1}, {"a": 1, "b": 1, "filled": 0}, {"a": 1, "filled": 0}, id="gone"),
        pytest.param({}, {"a": 1}, {"filled": 0}, {"a": 1, "filled": 0}, id="new"),
        pytest.param({"m": {"a": 1}}, {"m": {}}, {"m": {"a": 1, "filled": 0}}, {"m": {"filled": 0}}, id="gone-below"),
        pytest.param({"m": {"a": 1}}, {"m": 3}, {"m": {"a": 1}}, {"m": 3}, id="of-another-sort"),
        pytest.param({}, {"m": {"a": 1}}, {}, {"m": {"a": 1}}, id="not-there"),
        pytest.param({"l": [{"n": 1}]}, {"l": [{"n": 1}]}, {"l": [{"n": 1, "filled": 0}]}, {"l": [{"n": 1, "filled": 0}]}, id="same-list"),
        pytest.param({"l": [{"n": 1}]}, {"l": [{"n": 2}]}, {"l": [{"n": 1, "filled": 0}]}, {"l": [{"n": 2}]}, id="other-list"),
        pytest.param({"l": [1]}, {}, {"l": [1]}, {}, id="list-gone"),
        pytest.param({}, {"filled": None}, {"filled": 0}, {"filled": None}, id="said-to-be-nothing"),
        pytest.param({"text": "a"}, {"text": "a"}, {}, {"text": "a"}, id="write-only"),
    ],
)  # fmt: skip
def test_what_only_the_server_put_there_stays(before: Any, after: Any, live: Any, expected: Any) -> None:
    found = merged(made(before), made(after), {**made(live), "metadata": LIVE_META})
    assert (found["spec"], found["metadata"]) == (expected, LIVE_META)


@pytest.mark.parametrize(
    ("kind", "field", "kept"), [("Deployment", "strategy", {}), ("StatefulSet", "updateStrategy", {"rollingUpdate": {}})]
)  # fmt: skip
def test_only_a_deployments_strategy_keeps_nothing_that_head_does_not_say(
    kind: str, field: str, kept: dict[str, Any]
) -> None:
    live = made({field: {"type": "RollingUpdate", "rollingUpdate": {}}}, kind=kind)
    found = merged(made({}, kind=kind), made({field: {"type": "Other"}}, kind=kind), live)
    assert found["spec"] == {field: {"type": "Other", **kept}}


def test_nothing_that_it_is_made_of_is_changed() -> None:
    three = [made({"strategy": {"type": name}, "l": [1]}) for name in "abc"]
    merged(*three)
    assert three == [made({"strategy": {"type": name}, "l": [1]}) for name in "abc"]


def test_what_is_replaced_is_sent_as_it_is_for_the_object_that_is_there() -> None:
    found = replaced(made({"a": 1}, labels={"a": "b"}), {**made({"filled": 0}), "metadata": LIVE_META})
    assert found == made({"a": 1}, labels={"a": "b"}, resourceVersion="7")
