"""CustomResourceDefinitions that an API server of ours has taken before: the next one finds them in its etcd.

To take a definition, an API server validates it, and does so again each time that its own controllers add a condition:
3 CPU seconds for Argo CD's ApplicationSet, half a megabyte. What it has stored at the end is the same in every cluster,
so it is kept, and put where it would have put it; it is served as soon as the API server sees it there.
"""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from pytest_gitops.clusters.embedded.etcd import Store
from pytest_gitops.keeping import Kept
from pytest_gitops.waiting import utc

WRITERS = frozenset({"pytest-gitops", "kube-apiserver"})
"""The field managers of a definition that is as it was created."""

KEYS = "/registry/apiextensions.k8s.io/customresourcedefinitions/"


class Shelf:
    """Definitions for the API server of Kubernetes `version` that keeps its objects in `store`. Safe to use from many
    threads. It never fails: what is not on it, or cannot be put in place, is created as ever."""

    def __init__(self, store: Store, kept: Kept, *, version: str) -> None:
        self._store, self._kept, self._version = store, kept, version
        self._created: dict[str, str] = {}
        self._lock = threading.Lock()

    def bring(self, definition: Mapping[str, Any], *, applied: bool) -> bool:
        """Put a definition in place as one that is established. False if it has to be created, by server-side apply
        where it is `applied`: the fields' owners differ."""
        name = str((definition.get("metadata") or {}).get("name"))
        content = json.dumps([self._version, applied, definition])
        key = hashlib.sha256(content.encode()).hexdigest()
        kept = self._kept.get(key)
        if kept is None:
            with self._lock:
                self._created[name] = key
            return False
        stored = json.loads(kept)
        # As each new object has: an API server tells definitions of one name by it.
        stored["metadata"] |= {"uid": str(uuid.uuid4()), "creationTimestamp": f"{utc():%Y-%m-%dT%H:%M:%SZ}"}
        try:
            return self._store.add(KEYS + name, json.dumps(stored, separators=(",", ":")).encode())
        except OSError:
            return False

    def keep(self, names: Iterable[str]) -> None:
        """Keep those of `names`, which are served now, that had to be created."""
        for name in names:
            with self._lock:
                key = self._created.pop(name, None)
            if key is None:
                continue
            # No answer of etcd, or a Kubernetes that stores something else than JSON.
            with suppress(OSError, ValueError):
                stored = self._store.get(KEYS + name)
                if stored is not None and _is_ours(json.loads(stored)):
                    self._kept.put(key, stored)


def _is_ours(stored: Mapping[str, Any]) -> bool:
    """Whether a definition is established as it was created, and nobody but us and the API server has written it."""
    metadata = stored["metadata"]
    conditions = {c["type"]: c["status"] for c in (stored.get("status") or {}).get("conditions") or ()}
    return (
        conditions.get("Established") == conditions.get("NamesAccepted") == "True"
        and {f.get("manager") for f in metadata.get("managedFields") or ()} <= WRITERS
        and metadata.get("generation") == 1
        and not metadata.get("deletionTimestamp")
    )
