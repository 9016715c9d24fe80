"""Whether what is under test can take the place of what the base has: the old object is put there, and the API server
is asked for the new one on top of it, in the way in which Argo CD would send it. Away from everything else, so that
nothing but the two objects decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from pytest_gitops.admission import answers
from pytest_gitops.admission.definitions import Definitions
from pytest_gitops.admission.furniture import BINDINGS, CRD, NAMESPACE, POLICIES
from pytest_gitops.admission.items import by_identity, is_hook
from pytest_gitops.admission.merging import merged, replaced
from pytest_gitops.admission.values import Hit, Item, Manifest
from pytest_gitops.clusters.api import APPLY, MANAGER, Api
from pytest_gitops.clusters.apierror import ApiError, Reply
from pytest_gitops.shapes import mapping
from pytest_gitops.waiting import wait_until

SPACE = "pytest-gitops-base-"
"""What the names of the namespaces begin with in which base's objects lie."""

EXPANDABLE = "pytest-gitops-expandable"
"""The storage class of claims that leave it to the cluster, and of those whose class is not known."""

CLAIM = ("", "PersistentVolumeClaim")
POD = ("", "Pod")

GRANTS = frozenset({("rbac.authorization.k8s.io", kind) for kind in ("RoleBinding", "ClusterRoleBinding")})
"""What binds another role now is made anew (`kubectl auth reconcile`), unless it is applied server-side or replaced."""

WITHOUT = frozenset({NAMESPACE, *POLICIES, *BINDINGS})
"""Kinds that can be changed at will, and whose old ones would act on everything else."""

CLASSES = "/apis/storage.k8s.io/v1/storageclasses"

NO_RESIZE = "must support resize"
"""What is said of a claim whose class cannot be expanded, or is not known to admission yet."""

SYNC_SECONDS = 30.0

ASKING: dict[str, Any] = {"fieldManager": MANAGER, "dryRun": "All"}

TRIES = 5
"""So often an object is read once more that the API server has written to meanwhile (an APIService's status)."""


class Changes:
    """Asks about all objects that differ between base and what is under test."""

    def __init__(self, api: Api, pool: ThreadPoolExecutor, definitions: Definitions) -> None:
        self._api, self._pool, self._definitions = api, pool, definitions
        self._spaces: dict[tuple[str, str], str] = {}
        self._classes: Mapping[str, Item] = {}

    def of_definitions(self, items: Sequence[Item], base: Sequence[Item]) -> list[tuple[Item, Hit]]:
        """What the server says of changed CustomResourceDefinitions; to be asked before any of them is there."""
        found: list[tuple[Item, Hit]] = []
        mine, before = ([replace(i, namespace="") for i in each if i.kind == CRD] for each in (items, base))
        for old, new in _pairs(mine, before):
            if (error := self._definitions.change(old, new)) is not None:
                found += [(new, hit) for hit in answers.immutable(new, error)]
        return found

    def of_objects(self, items: Sequence[Item], base: Sequence[Item]) -> list[tuple[Item, Hit]]:
        """What the server says of all other changed objects; to be asked before anything acts on them."""
        pairs = [
            (old, new) for old, new in _pairs(items, base) if new.kind != CRD and new.kind not in WITHOUT
        ]
        self._classes = {i.name: i for i in items if i.kind == ("storage.k8s.io", "StorageClass")}
        for _, new in pairs:
            self._space(new)
        return [found for each in self._pool.map(self._ask, pairs) for found in each]

    def _space(self, item: Item) -> None:
        """A namespace for the old objects of one namespace of one cluster."""
        key = (item.cluster, item.namespace)
        if item.namespace and key not in self._spaces:
            name = self._spaces[key] = f"{SPACE}{len(self._spaces)}"
            self._api.post("/api/v1/namespaces", {"metadata": {"name": name}})
            self._api.post(f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})

    def _ask(self, pair: tuple[Item, Item]) -> list[tuple[Item, Hit]]:
        old, new = pair
        if new.kind == CLAIM:
            return self._ask_claim(old, new)
        before, after = self._moved(old), self._moved(new)
        try:
            live = self._put(new, before)
        except ApiError as error:
            return _not_asked(new, error)
        try:
            return self._said(new, after, live, self._change(new, before, after, live))
        finally:
            self._delete(self._path(new))

    def _ask_claim(self, old: Item, new: Item) -> list[tuple[Item, Hit]]:
        """A claim as it is in use: bound, of the size that it asked for."""
        before, after = self._moved(old), self._moved(new)
        chosen = mapping(before, "spec").get("storageClassName")
        expandable = self._storage_class(str(chosen or EXPANDABLE))
        if not chosen:
            for body in (before, after):
                body["spec"] = {"storageClassName": EXPANDABLE, **mapping(body, "spec")}
        path = self._path(new)
        try:
            self._put(new, before)
        except ApiError as error:
            return _not_asked(new, error)
        try:
            size = mapping(before, "spec", "resources", "requests")
            live = self._api.patch(f"{path}/status", {"status": {"phase": "Bound", "capacity": dict(size)}})

            def answer() -> Reply | None:
                said = self._change(new, before, after, live)
                waits = expandable and said.error is not None and NO_RESIZE in said.error.message
                return None if waits else said

            reply = wait_until(answer, limit=SYNC_SECONDS, what="a storage class known to admission")
            return self._said(new, after, live, reply)
        finally:
            self._delete(path)

    def _storage_class(self, name: str) -> bool:
        """Have a storage class, the rendered one or one that can be expanded; whether it can."""
        item = self._classes.get(name)
        stand_in = {"metadata": {"name": name}, "provisioner": EXPANDABLE, "allowVolumeExpansion": True}
        body: Manifest = item.body if item is not None else stand_in
        try:
            self._api.post(CLASSES, body)
        except ApiError as error:
            if error.status not in {409, 422}:
                raise
        return body.get("allowVolumeExpansion") is True

    def _put(self, new: Item, body: Manifest) -> Manifest:
        """Base's object as the server then has it. Raises ApiError."""
        if not _server_side(new):
            try:
                return self._api.post(self._path(new).rpartition("/")[0], body, fieldManager=MANAGER)
            except ApiError as error:
                if error.reason != "AlreadyExists":  # a namespace's account, a role of Kubernetes' own
                    raise
        return self._api.apply(body)

    def _change(self, new: Item, before: Manifest, after: Manifest, live: Manifest) -> Reply:
        """What the server says of `after` in the place of `live`, which it made of `before`."""
        path = self._path(new)
        if _server_side(new):
            return self._api.ask("PATCH", path, after, content_type=APPLY, force=True, **ASKING)
        for _ in range(TRIES):
            body = replaced(after, live) if new.replace else merged(before, after, live)
            reply = self._api.ask("PUT", path, body, **ASKING)
            if reply.error is None or reply.error.reason != "Conflict":
                break
            live = self._api.get(path)
        return reply

    def _said(self, new: Item, after: Manifest, live: Manifest, reply: Reply) -> list[tuple[Item, Hit]]:
        if reply.error is None:
            return []
        alone = self._api.ask("PUT", self._path(new), replaced(after, live), **ASKING)
        return [(new, hit) for hit in answers.immutable(new, reply.error, kept=alone.error is None)]

    def _delete(self, path: str) -> None:
        try:
            self._api.delete(path, {"gracePeriodSeconds": 0, "propagationPolicy": "Background"})
        except ApiError as error:
            if error.status in {0, 500, 503}:
                raise

    def _path(self, item: Item) -> str:
        manifest = item.manifest
        return self._api.path_of(
            str(manifest["apiVersion"]), str(manifest["kind"]), namespace=self._place(item), name=item.name
        )

    def _moved(self, item: Item) -> dict[str, Any]:
        body = item.body
        if item.namespace:
            body["metadata"]["namespace"] = self._place(item)
        return body

    def _place(self, item: Item) -> str:
        return self._spaces.get((item.cluster, item.namespace), "")


def _pairs(items: Sequence[Item], base: Sequence[Item]) -> Iterator[tuple[Item, Item]]:
    """(old, new) of what differs, each object once. What Argo CD makes anew each time is not changed."""
    before = by_identity(base)
    for key, new in by_identity(items).items():
        old = before.get(key)
        if old is None or not new.asked or not isinstance(new.manifest, Mapping) or _made_anew(old, new):
            continue
        if old.manifest.get("apiVersion") == new.manifest.get("apiVersion") and old.body != new.body:
            yield old, new


def _made_anew(old: Item, new: Item) -> bool:
    """Whether Argo CD deletes what is there, if need be. Server-side apply knows no force."""
    other = old.manifest.get("roleRef") != new.manifest.get("roleRef")
    granted = new.kind in GRANTS and other and not (new.server_side or new.replace)
    return is_hook(new.manifest) or (new.force and not new.server_side) or granted


def _server_side(item: Item) -> bool:
    """Whether it is asked about by server-side apply: where Argo CD does so, and for Pods, into whose lists the API
    server puts what only a merge by key leaves alone."""
    return item.server_side or (item.kind == POD and not item.replace)


def _not_asked(new: Item, error: ApiError) -> list[tuple[Item, Hit]]:
    """That base's object is refused; where none of its kind can be converted, that is said of head's. Raises the error
    if it is the server that failed."""
    if error.unconverted:
        return []
    if not error.refused or error.status == 429:
        raise error
    return [(new, answers.not_asked(new, error))]
