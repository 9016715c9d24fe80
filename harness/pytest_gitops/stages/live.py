"""The objects that an Application manages, as they are on its cluster, and what differs between two looks at them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd.applications import operation_state
from pytest_gitops.changes.fields import differences
from pytest_gitops.changes.identity import SYNC_OPTIONS
from pytest_gitops.changes.noise import Scene
from pytest_gitops.changes.shorten import short
from pytest_gitops.changes.values import HIDDEN, FieldChange, is_secret_field
from pytest_gitops.clusters.apierror import suppress_gone
from pytest_gitops.repository.sources import sync_options
from pytest_gitops.stages.peace import APPLICATIONS

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api

Manifest = Mapping[str, Any]

SYNCER = "argocd-controller"
"""The field manager of what a sync writes (argo-cd common/common.go: ArgoCDSSAManager)."""

SYNCERS = frozenset({SYNCER, "argocd"})
"""The same, and that of what kubectl writes for a sync without a name of its own: `replace` (Replace=true) and, for
RBAC, `auth reconcile` (gitops-engine/pkg/utils/kube/resource_ops.go, v3.6.1). There the API server takes the program's
name, which is `argocd` here."""

BOOKKEEPING = ("resourceVersion", "generation", "managedFields", "creationTimestamp", "selfLink", "uid")
"""Metadata that says nothing of what an object is."""

ASKED = (
    "argocd.argoproj.io/refresh",
    "argocd.argoproj.io/refresh-timestamp",
    "argocd.argoproj.io/hydrate",
    "argocd.argoproj.io/hydrate-timestamp",
)
"""Annotations of an Application by which somebody asks for something; Argo CD takes them off again."""

NOISE = {"status", "server-field", "last-applied", "empty", "quantity"}
"""Differences (see `changes.noise`) that are none to an object as the API server stores it."""

RECREATED_ON_PURPOSE = {"Force=true", "Replace=true"}
"""Sync options by which a Job, which cannot be changed, is made anew by each sync."""

SHOWN = 3
"""As many fields of one object as a message names; the evidence has them all."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Ref:
    """An object, by what Argo CD's status.resources says of it."""

    kind: str
    namespace: str
    name: str
    api_version: str

    @property
    def title(self) -> str:
        """ "Kind namespace/name", or "Kind name"."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happened to one object between two looks. `word` is "recreated", "gone", "created", "changed", or
    "rewritten" for one that is as before though a sync wrote it; `by` are the field managers that wrote."""

    ref: Ref
    word: str
    fields: tuple[FieldChange, ...] = ()
    by: tuple[str, ...] = ()

    @property
    def synced(self) -> bool:
        """Whether Argo CD's sync did it. What is gone or new nobody has signed, and nobody else was asked to act."""
        return self.word in {"recreated", "gone", "created"} or _is_synced(self.ref, self.by)

    def to_dict(self) -> dict[str, Any]:
        hide = self.ref.kind == "Secret"
        return {
            "object": self.ref.title,
            "change": self.word,
            "by": list(self.by),
            "fields": [f.to_dict(hide=hide and is_secret_field(f.path)) for f in self.fields],
        }


def managed(application: Mapping[str, Any]) -> tuple[Ref, ...]:
    """The objects of an Application, hooks left out."""
    resources = (application.get("status") or {}).get("resources") or ()
    return tuple(
        sorted(
            Ref(
                kind=str(r.get("kind", "")),
                namespace=str(r.get("namespace") or ""),
                name=str(r.get("name", "")),
                api_version=f"{r['group']}/{r.get('version', '')}"
                if r.get("group")
                else str(r.get("version", "")),
            )
            for r in resources
            if not r.get("hook") and not r.get("requiresPruning")
        )
    )


def read(api: Api, refs: Sequence[Ref]) -> dict[Ref, Manifest]:
    """Each object as it is now, those that are not there left out. Raises ApiError."""
    found: dict[Ref, Manifest] = {}
    for ref in refs:
        with suppress_gone():
            found[ref] = api.get(api.path_of(ref.api_version, ref.kind, ref.namespace, ref.name))
    return found


def content(manifest: Manifest) -> dict[str, Any]:
    """What an object is: without status, bookkeeping, and what asks Argo CD for something."""
    kept = {k: v for k, v in manifest.items() if k not in {"status", "operation"}}
    metadata = {k: v for k, v in (manifest.get("metadata") or {}).items() if k not in BOOKKEEPING}
    if metadata.get("annotations"):
        metadata["annotations"] = {k: v for k, v in metadata["annotations"].items() if k not in ASKED}
    return {**kept, "metadata": {k: v for k, v in metadata.items() if v}}


def fields(old: Manifest, new: Manifest) -> tuple[FieldChange, ...]:
    """The fields of `content` that differ."""
    group = str(new.get("apiVersion") or "").rpartition("/")[0]
    scene = Scene(group=group, kind=str(new.get("kind") or ""))
    found = differences(content(old), content(new), scene, show_noise=True).fields
    return tuple(f for f in found if f.noise not in NOISE)


def changes(before: Mapping[Ref, Manifest], after: Mapping[Ref, Manifest]) -> tuple[Change, ...]:
    """What happened between two looks at the objects of one Application."""
    found = []
    for ref in sorted({*before, *after}):
        old, new = before.get(ref), after.get(ref)
        if new is None:
            found.append(Change(ref=ref, word="gone"))
        elif old is None:
            found.append(Change(ref=ref, word="created"))
        elif old["metadata"].get("uid") != new["metadata"].get("uid"):
            found.append(Change(ref=ref, word="recreated", fields=fields(old, new)))
        elif old["metadata"].get("resourceVersion") != new["metadata"].get("resourceVersion"):
            by, differ = _writers(old, new), fields(old, new)
            if differ:
                found.append(Change(ref=ref, word="changed", fields=differ, by=by))
            elif _is_synced(ref, by) and content(old) == content(new):
                # Else it wrote down only what it applied last.
                found.append(Change(ref=ref, word="rewritten", by=by))
    return tuple(found)


def _is_synced(ref: Ref, by: Collection[str]) -> bool:
    """Whether a sync is among those who wrote an object. Under the program's name Argo CD's controllers write too."""
    ours = (ref.api_version.rpartition("/")[0], ref.kind) in APPLICATIONS
    return not ({SYNCER} if ours else SYNCERS).isdisjoint(by)


def _writers(old: Manifest, new: Manifest) -> tuple[str, ...]:
    """The field managers whose entry is another than before; status is not theirs to be blamed for."""
    before = {_key(e): e for e in old["metadata"].get("managedFields") or ()}
    return tuple(
        sorted(
            {
                str(e.get("manager"))
                for e in new["metadata"].get("managedFields") or ()
                if e.get("subresource") != "status" and before.get(_key(e)) != e
            }
        )
    )


def _key(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    return entry.get("manager"), entry.get("operation"), entry.get("subresource"), entry.get("apiVersion")


def told(kind: str, found: Sequence[FieldChange]) -> str:
    """The first fields with both values: "spec.replicas was 1 and is 3"; of a Secret's values only the names."""
    texts = []
    for each in found[:SHOWN]:
        if kind == "Secret" and is_secret_field(each.path):
            texts.append(f"{each.path} is another {HIDDEN}")
        else:
            texts.append(f"{each.path} was {_value(each.old)} and is {_value(each.new)}")
    more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(texts) + more


def _value(value: Any) -> str:
    return "not there" if value is None else repr(short(value))


def operation_of(application: Mapping[str, Any]) -> dict[str, Any]:
    """What Argo CD says of the sync: its phase, kubectl's words for the objects, and the hooks that ran again."""
    state = operation_state(application)
    results = (state.get("syncResult") or {}).get("resources") or []
    words = Counter(
        str(r.get("message") or "").rpartition(" ")[2].partition(".")[0]
        for r in results
        if not r.get("hookType") and r.get("status") == "Synced"
    )
    return {
        "phase": state.get("phase"),
        "objects": dict(sorted(words.items())),
        "hooksRunAgain": sorted(f"{r.get('kind')} {r.get('name')}" for r in results if r.get("hookType")),
    }


def is_meant(change: Change, manifest: Manifest | None, application: Mapping[str, Any]) -> bool:
    """Whether an object is made anew by each sync because somebody wants it so: a Job with Force or Replace."""
    if change.word != "recreated" or change.ref.kind not in {"Job", "Pod"} or manifest is None:
        return False
    own = str((manifest["metadata"].get("annotations") or {}).get(SYNC_OPTIONS) or "").split(",")
    return bool(RECREATED_ON_PURPOSE & {*(o.strip() for o in own), *sync_options(application)})
