"""What an object on the server becomes when Argo CD changes it: pure, of base's object, head's, and the server's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_gitops.admission.values import Manifest, kind_of, metadata_of
from pytest_gitops.shapes import mapping

DEPLOYMENT = ("apps", "Deployment")


def merged(before: Manifest, after: Manifest, live: Manifest) -> dict[str, Any]:
    """The object that a client-side apply of `after` makes of `live`, which was applied as `before`.

    What only the server put there stays, and what `before` has and `after` has not goes. A list that differs is
    taken whole: kubectl merges those of Kubernetes' own kinds by key, which keeps of each element what the server
    filled in, and that is filled in again.
    """
    body: dict[str, Any] = _merged(before, after, live)
    strategy = mapping(after, "spec").get("strategy")
    if kind_of(after) == DEPLOYMENT and strategy is not None:
        body["spec"]["strategy"] = (
            strategy  # the one mapping of which the patch keeps no other keys (retainKeys)
        )
    return body


def replaced(after: Manifest, live: Manifest) -> dict[str, Any]:
    """The object that `kubectl replace` sends: `after` as it is, in the place of this very `live`."""
    version = metadata_of(live).get("resourceVersion")
    return {**after, "metadata": {**metadata_of(after), "resourceVersion": version}}


def _merged(before: Any, after: Any, live: Any) -> Any:
    if not (isinstance(after, Mapping) and isinstance(live, Mapping)):
        return live if after == before and None not in (after, live) else after
    old = before if isinstance(before, Mapping) else {}
    kept = {key: value for key, value in live.items() if key not in old}
    return kept | {key: _merged(old.get(key), value, live.get(key)) for key, value in after.items()}
