"""The objects on an Application's cluster that scenarios name: by kind and name, as people know them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd.applications import Application
from pytest_gitops.clusters.apierror import ApiError, suppress_gone
from pytest_gitops.model import Case
from pytest_gitops.scenarios.api import GitOpsFailure
from pytest_gitops.stages.live import Ref, managed

if TYPE_CHECKING:
    from pytest_gitops.argocd.appstate import Key
    from pytest_gitops.clusters.api import Api

MANAGER = "pytest-gitops-drift"
"""The field manager of what a drift writes."""

USUAL = {
    "Pod": "v1", "Event": "v1", "Namespace": "v1", "ConfigMap": "v1", "Secret": "v1", "Service": "v1",
    "ServiceAccount": "v1", "PersistentVolumeClaim": "v1", "PersistentVolume": "v1", "Node": "v1",
    "Deployment": "apps/v1", "ReplicaSet": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1",
    "Job": "batch/v1", "CronJob": "batch/v1", "Ingress": "networking.k8s.io/v1",
    "Application": "argoproj.io/v1alpha1", "AppProject": "argoproj.io/v1alpha1",
}  # fmt: skip
"""The apiVersion of kinds that everybody means the same by."""


def is_going(manifest: Mapping[str, Any]) -> bool:
    """Whether it is being deleted."""
    return bool((manifest.get("metadata") or {}).get("deletionTimestamp"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one object is, or was."""

    api: Api = field(repr=False)
    ref: Ref

    @property
    def title(self) -> str:
        return self.ref.title

    @property
    def key(self) -> Key:
        group = self.ref.api_version.rpartition("/")[0]
        return group, self.ref.kind, self.ref.namespace, self.ref.name

    @property
    def _path(self) -> str:
        ref = self.ref
        return self.api.path_of(ref.api_version, ref.kind, ref.namespace, ref.name)

    def read(self) -> dict[str, Any] | None:
        """The object, None if it is not there. Raises ApiError."""
        with suppress_gone():
            return self.api.get(self._path)
        return None

    def patch(self, patch: Mapping[str, Any]) -> dict[str, Any]:
        """Merge `patch` into it; returns what it then is. Raises ApiError."""
        return self.api.patch(self._path, dict(patch), fieldManager=MANAGER)

    def scale(self, replicas: int) -> dict[str, Any]:
        """Set the number of replicas; returns the Scale, with the object's resourceVersion. Raises ApiError."""
        return self.api.patch(f"{self._path}/scale", {"spec": {"replicas": replicas}}, fieldManager=MANAGER)

    def put(self, manifest: Mapping[str, Any]) -> None:
        """Replace it. Raises ApiError."""
        self.api.put(self._path, dict(manifest), fieldManager=MANAGER)

    def delete(self) -> None:
        """Delete it as `kubectl delete` does. Raises ApiError."""
        self.api.delete(self._path, {"propagationPolicy": "Background"})


class Objects:
    """`clusters` gives the way to an Application's cluster, `control` to the one that Argo CD runs in."""

    def __init__(self, clusters: Callable[[Case], Api], control: Api) -> None:
        self._clusters, self._control = clusters, control

    def place(self, case: Case, state: Application, reference: Mapping[str, Any]) -> Place:
        """The one object that an Application manages and that `reference` means. Raises GitOpsFailure."""
        there = managed(state)
        found = [r for r in there if _is(r, reference)]
        if len(found) != 1:
            known = ", ".join(r.title for r in (found or there)) or "nothing"
            wanted = " ".join(str(reference[k]) for k in ("kind", "namespace", "name") if k in reference)
            raise GitOpsFailure(
                f"expected one {wanted} that Application {case.key} manages, saw {len(found) or 'none'}; "
                f"it manages {known}",
                help="name one of these, with its namespace where there are two",
            )
        return Place(api=self._clusters(case), ref=found[0])

    def matching(
        self,
        case: Case,
        state: Application,
        references: Sequence[Mapping[str, Any]],
        *,
        known: bool = False,
    ) -> list[dict[str, Any]]:
        """Everything on the cluster that one of `references`, partial objects or references, may mean; each once. A
        kind has to be `known` there where nothing is expected of it: a slip of the pen would be met always."""
        found: dict[str, dict[str, Any]] = {}
        for each in references:
            metadata = each.get("metadata") or {}
            flat = {**{k: metadata[k] for k in ("name", "namespace") if k in metadata}, **each}
            for manifest in self.find(case, state, flat, known=known):
                found[str(manifest["metadata"]["uid"])] = manifest
        return list(found.values())

    def find(
        self, case: Case, state: Application, reference: Mapping[str, Any], *, known: bool = False
    ) -> list[dict[str, Any]]:
        """What there is of a kind: of one name, or all in a namespace. Raises GitOpsFailure, and ApiError."""
        kind, there = str(reference["kind"]), managed(state)
        name, namespace = _text(reference.get("name")), _text(reference.get("namespace"))
        of_kind = [r for r in there if r.kind == kind]
        version = (
            _text(reference.get("apiVersion"))
            or next((r.api_version for r in of_kind), "")
            or USUAL.get(kind, "")
        )
        if not version:
            raise GitOpsFailure(
                f"expected the apiVersion of {kind}, which Application {case.key} does not manage, saw none"
            )
        place = next((r.namespace for r in of_kind if r.name == name), "")
        namespace = namespace or place or case.destination.namespace
        # Argo CD's own objects are where it runs, everything else where the Application deploys to.
        api = self._control if version.startswith("argoproj.io/") else self._clusters(case)
        if version.startswith("argoproj.io/") and "namespace" not in reference and not place:
            namespace = case.namespace
        try:
            answer = api.get(api.path_of(version, kind, namespace, name))
        except ApiError as error:
            if error.status != 404:
                raise
            if known and error.reason == "UnknownKind":
                raise GitOpsFailure(
                    f"the cluster of Application {case.key} knows no kind {kind} in {version}"
                ) from error
            return []
        if name:
            return [answer]
        return [{"apiVersion": version, "kind": kind, **i} for i in answer.get("items") or ()]

    def events(self, case: Case) -> list[dict[str, Any]]:
        """Events of the Application's namespace on its cluster, and those about the Application. Raises ApiError."""
        found: list[dict[str, Any]] = []
        if namespace := case.destination.namespace:
            found += self._clusters(case).get(f"/api/v1/namespaces/{namespace}/events").get("items") or ()
        about = f"involvedObject.kind=Application,involvedObject.name={case.name}"
        path = f"/api/v1/namespaces/{case.namespace}/events"
        found += self._control.get(path, fieldSelector=about).get("items") or ()
        return found


def _is(ref: Ref, reference: Mapping[str, Any]) -> bool:
    has = {"kind": ref.kind, "name": ref.name, "namespace": ref.namespace, "apiVersion": ref.api_version}
    return all(k not in reference or reference[k] == v for k, v in has.items())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
