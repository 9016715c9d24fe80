"""How Applications are let go that Argo CD cannot let go itself."""

from __future__ import annotations

from typing import Any, cast

import pytest

from pytest_gitops.changes.effect import FINALIZER
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.stages.departing import Departing


class Cluster:
    """Refuses every write with `status`, 0 for none."""

    def __init__(self, status: int = 0) -> None:
        self._status = status
        self.written: list[Any] = []

    def patch(self, path: str, body: Any, **_: Any) -> None:
        self.written.append(body)
        if self._status:
            raise ApiError("no", status=self._status, reason="")

        return body


GOING = {
    "metadata": {
        "namespace": "argocd",
        "name": "readers",
        "resourceVersion": "7",
        "deletionTimestamp": "now",
        "finalizers": [FINALIZER, "foregroundDeletion"],
    }
}
"""As it was seen last, before Kubernetes took its own finalizer away."""


def let_go(cluster: Cluster, state: dict[str, Any] = GOING) -> None:
    Departing(cast(Any, None), cast(Any, cluster), ())._let_go(state)


def test_argo_cds_finalizers_are_taken_from_what_it_was_when_it_was_seen_and_nothing_later() -> None:
    cluster = Cluster()
    let_go(cluster)
    assert cluster.written == [{"metadata": {"finalizers": ["foregroundDeletion"], "resourceVersion": "7"}}]


@pytest.mark.parametrize("status", [404, 409])
def test_what_has_changed_meanwhile_is_left_to_the_next_look(status: int) -> None:
    let_go(Cluster(status))


def test_any_other_refusal_is_told() -> None:
    with pytest.raises(ApiError):
        let_go(Cluster(403))


def test_what_is_not_being_deleted_keeps_its_finalizers() -> None:
    cluster = Cluster()
    let_go(cluster, {"metadata": {**GOING["metadata"], "deletionTimestamp": None}})
    assert cluster.written == []
