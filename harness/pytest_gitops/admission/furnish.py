"""Creates what acts on other objects, for good and in the order in which it acts: namespaces, parameters, classes,
limits, quotas, accounts, policies. What the server refuses of it is said when it is asked about that very object."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from pytest_gitops.admission import settle
from pytest_gitops.admission.furniture import (
    ACCOUNT,
    BINDINGS,
    CLASSES,
    LIMITS,
    NAMESPACE,
    POLICIES,
    QUOTA,
    Scene,
    param_kinds,
)
from pytest_gitops.admission.needs import missing
from pytest_gitops.admission.values import Hit, Item, Manifest, kind_of
from pytest_gitops.clusters.api import MANAGER, Api
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.model import Severity

T = TypeVar("T")


class Furnishing:
    """Furnishes the API server of `api` for one scene. Raises ApiError if the server fails, WaitTimeout if it takes no
    notice of what it is given."""

    def __init__(self, api: Api, pool: ThreadPoolExecutor) -> None:
        self._api, self._pool = api, pool

    def furnish(self, scene: Scene, items: Sequence[Item]) -> list[tuple[str, Hit]]:
        """Create it all. Hits by case for what nobody brings, and for a namespace to be created that is refused."""
        params = param_kinds(items)
        by_kind: dict[tuple[str, str], list[Item]] = defaultdict(list)
        for item in items:
            by_kind[item.kind].append(item)
        used = sorted({i.namespace for i in items if i.namespace})
        hits = [h for found in self._each(lambda name: self._space(scene, name), used) for h in found]
        # A parameter is asked about for itself as well, and a quota that was there already would count it twice.
        self._each(self._create, [(i.path, i.body) for kind in params for i in by_kind[kind]])
        absent = missing(items, scene.spaces)
        hits += absent.hits
        first = [i for kind in (*CLASSES, LIMITS, QUOTA) for i in by_kind[kind]]
        self._each(self._create, [*((i.path, i.body) for i in first), *absent.classes])
        kinds = {i.kind for i in first} | {kind_of(body) for _, body in absent.classes}
        settle.settle(self._api, kinds)
        accounts = [(i.path, i.body) for i in by_kind[ACCOUNT]]
        defaults = [_default_account(name) for name in used]
        self._each(self._create, [*accounts, *defaults, *absent.accounts])
        self._each(self._create, [_root_certificates(i.namespace) for i in by_kind[QUOTA]])
        for kinds_of_policy in (POLICIES, BINDINGS):
            self._each(self._create, [(i.path, i.body) for kind in kinds_of_policy for i in by_kind[kind]])
        settle.settle(self._api, {kind for kind in POLICIES if by_kind[kind]})
        return hits

    def _space(self, scene: Scene, name: str) -> list[tuple[str, Hit]]:
        """Make a namespace: as it is told to be, or, where the server refuses that, a plain one in its place."""
        error = self._create(("/api/v1/namespaces", scene.spaces[name].body))
        if error is None or error.status == 409:
            return []
        self._create(("/api/v1/namespaces", {"metadata": {"name": name}}))
        if any(i.kind == NAMESPACE and i.name == name for i in scene.items):
            return []  # it is asked about for itself
        hit = Hit(
            rule="invalid-object",
            severity=Severity.ERROR,
            message=f"the namespace that Argo CD would create for it is refused: {error.message}",
            resource=f"Namespace {name}",
            help="correct spec.destination.namespace or spec.syncPolicy.managedNamespaceMetadata",
        )
        return [(r.id, hit) for r in scene.requests if r.creates and r.namespace == name]

    def _create(self, wanted: tuple[str, Manifest]) -> ApiError | None:
        """Create an object; the server's refusal, if it refuses."""
        path, body = wanted
        try:
            made = self._api.post(path, body, fieldManager=MANAGER)
        except ApiError as error:
            if error.failed:
                raise
            return error
        if path.endswith("/resourcequotas"):
            settle.open_quota(self._api, made)
        return None

    def _each(self, act: Callable[[Any], T], things: Iterable[Any]) -> list[T]:
        return list(self._pool.map(act, things))


def _default_account(namespace: str) -> tuple[str, dict[str, Any]]:
    """What the controller manager puts into every namespace, and every Pod needs."""
    return f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "default"}}


def _root_certificates(namespace: str) -> tuple[str, dict[str, Any]]:
    """The ConfigMap that the controller manager puts into every namespace: a quota counts it."""
    return f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "kube-root-ca.crt"}}
