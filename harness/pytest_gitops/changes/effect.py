"""What Argo CD does with what head no longer has, and what becomes of the data: one word and one sentence.

From Argo CD v3.6: gitops-engine/pkg/sync/sync_context.go (pruneObject, isPruningDisabled), controller/appcontroller.go
(autoSync, shouldBeDeleted, finalizeApplicationDeletion), docs/user-guide/sync-options.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_gitops.changes.identity import (
    SYNC_OPTIONS,
    csv,
    group_kind,
    hook_of,
    metadata,
    notes_of,
    text,
)
from pytest_gitops.changes.values import DELETING, ON_CONFIRM, Data, Effect, Fate
from pytest_gitops.model import Case
from pytest_gitops.shapes import mapping

FINALIZER = "resources-finalizer.argocd.argoproj.io"
FINALIZERS = {FINALIZER, f"{FINALIZER}/foreground", f"{FINALIZER}/background"}
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


class Volumes:
    """Knows what reclaim policy a claim's volume has, from the StorageClasses and PersistentVolumes in `objects`."""

    def __init__(self, objects: Iterable[Mapping[str, Any]]) -> None:
        self._classes: dict[str, str] = {}
        self._volumes: dict[str, str] = {}
        self._default = ""
        for manifest in objects:
            kind, name = manifest.get("kind"), text(metadata(manifest).get("name"))
            if kind == "StorageClass":
                self._classes[name] = text(manifest.get("reclaimPolicy")) or "Delete"
                if notes_of(manifest).get(DEFAULT_CLASS) == "true":
                    self._default = name
            elif kind == "PersistentVolume":
                policy = mapping(manifest.get("spec")).get("persistentVolumeReclaimPolicy")
                self._volumes[name] = text(policy) or "Retain"

    def of_claim(self, spec: Mapping[str, Any]) -> tuple[Data, str]:
        """What becomes of the volume's data when its claim is deleted, and why."""
        volume, named = text(spec.get("volumeName")), spec.get("storageClassName")
        if volume in self._volumes:
            return _policy(self._volumes[volume], f"PersistentVolume {volume}")
        storage = text(named) or (self._default if named is None else "")
        if storage in self._classes:
            return _policy(self._classes[storage], f"StorageClass {storage}")
        where = (
            f"of StorageClass {storage}, which is" if storage else "of its volume or default StorageClass,"
        )
        return Data.UNKNOWN, (
            f"whether its data goes is up to the reclaimPolicy {where} not in what is rendered "
            "(Delete, unless said otherwise)"
        )


def pruned(manifest: Mapping[str, Any], by: Case, volumes: Volumes, *, last: bool = False) -> Fate:
    """What happens to an object that `by`, as it is at head, no longer renders. `last`: it renders nothing at all."""
    if hook_of(manifest):
        return Fate(
            effect=Effect.KEPT_HOOK,
            text="It is a hook: it no longer runs, and what its last run left is not pruned.",
        )
    option = _option(manifest, by, "Prune")
    automated = _automated(by)
    if option == "false":
        return Fate(
            effect=Effect.KEPT_PRUNE_FALSE,
            text="Prune=false: it stays in the cluster, and nothing in git owns it.",
        )
    if automated is None or automated.get("prune") is not True:
        why = (
            "the Application is not automated" if automated is None else "automated sync does not prune here"
        )
        return Fate(
            effect=Effect.KEPT_NO_PRUNE,
            text=f"It stays, as OutOfSync, until somebody syncs with prune: {why}.",
        )
    if last and automated.get("allowEmpty") is not True:
        return Fate(
            effect=Effect.KEPT_EMPTY,
            text="It stays: the Application would be left with nothing, and automated sync refuses that "
            "without allowEmpty.",
        )
    data, more = _data(manifest, volumes)
    if option == "confirm":
        return Fate(
            effect=Effect.PRUNED_ON_CONFIRM,
            text=f"Prune=confirm: the sync waits until somebody confirms, then deletes it{more}.",
            data=data,
        )
    return Fate(effect=Effect.PRUNED, text=f"The next automated sync deletes it (prune){more}.", data=data)


def with_application(
    manifest: Mapping[str, Any],
    by: Case,
    going: Fate,
    volumes: Volumes,
    *,
    made_by: Mapping[str, Any] | None = None,
) -> Fate:
    """What happens to an object of `by`, an Application that head no longer has, when `going` happens to that;
    `made_by` is the ApplicationSet that generated `by`, if one did."""
    name = f"Application {by.key}"
    if going.effect not in {*DELETING, Effect.MOVED}:
        return Fate(effect=going.effect, text=f"It stays as long as {name} does. {going.text}")
    if not cascades(by):
        if mapping(made_by, "spec", "syncPolicy").get("preserveResourcesOnDeletion") is True:
            return Fate(
                effect=Effect.KEPT_POLICY,
                text=f"It stays, and nothing owns it, as ApplicationSet {by.parent} says "
                "(preserveResourcesOnDeletion).",
            )
        return Fate(
            effect=Effect.ORPHANED,
            text=f"It stays, and nothing owns it: {name} is deleted without a finalizer that deletes its objects.",
        )
    option = _option(manifest, by, "Delete")
    if option == "false":
        return Fate(
            effect=Effect.KEPT_DELETE_FALSE,
            text=f"Delete=false: it stays when {name} is deleted, and nothing owns it.",
        )
    if notes_of(manifest).get("helm.sh/resource-policy") == "keep":
        return Fate(
            effect=Effect.KEPT_DELETE_FALSE,
            text=f"helm.sh/resource-policy=keep: it stays when {name} is deleted, and nothing owns it.",
        )
    if group_kind(manifest) == ("apiextensions.k8s.io", "CustomResourceDefinition"):
        return Fate(
            effect=Effect.KEPT_CRD,
            text=f"It stays: Argo CD deletes no CustomResourceDefinition together with an Application ({by.key}).",
        )
    data, more = _data(manifest, volumes)
    if going.effect in ON_CONFIRM or option == "confirm":
        return Fate(
            effect=Effect.DELETED_ON_CONFIRM,
            text=f"It is deleted with {name}, once somebody confirms{more}.",
            data=data,
        )
    return Fate(effect=Effect.DELETED_WITH_APPLICATION, text=f"It is deleted with {name}{more}.", data=data)


def generated(case: Case, policy: str, name: str) -> Fate:
    """What happens to an Application that the ApplicationSet `name`, which has this `policy`, no longer generates."""
    if policy in {"create-only", "create-update"}:
        return Fate(
            effect=Effect.KEPT_POLICY,
            text=f"It stays: ApplicationSet {name} deletes no Applications (applicationsSync: {policy}).",
        )
    return Fate(effect=Effect.PRUNED, text=f"ApplicationSet {name} deletes it{_cascade(case)}.")


def root(case: Case, what: str = "") -> Fate:
    """What happens to an Application that nothing in the repository deletes; `what`: the ApplicationSet it is of."""
    return Fate(
        effect=Effect.KEPT_ROOT,
        text=f"Nothing in the repository deletes {what or f'Application {case.key}'}: "
        f"it stays in the cluster until somebody does{_cascade(case)}.",
    )


def removed_application(case: Case, fate: Fate) -> Fate:
    """The fate of an Application that its parent prunes, with what that means for its objects."""
    if fate.effect not in DELETING:
        return fate
    return Fate(effect=fate.effect, text=f"{fate.text.removesuffix('.')}{_cascade(case)}.", data=fate.data)


def moved(manifest: Mapping[str, Any], old: Case, new: Case, going: Fate) -> Fate:
    """What happens to an object that goes from one Application to another; `going` if the second did not have it."""
    deletes = going.effect in DELETING
    risk = (
        f"If {old.key} is synced first, it is deleted and made anew."
        if deletes
        else "Whichever syncs first, it is not deleted."
    )
    return Fate(
        effect=Effect.MOVED,
        text=f"It goes from Application {old.key} to {new.key}. {risk}",
        data=Data.UNKNOWN if deletes and going.data in {Data.LOST, Data.UNKNOWN} else None,
    )


def cascades(case: Case) -> bool:
    """Whether deleting the Application deletes its objects."""
    finalizers = metadata(case.manifest).get("finalizers")
    return isinstance(finalizers, list) and any(f in FINALIZERS for f in finalizers if isinstance(f, str))


def _cascade(case: Case) -> str:
    return (
        ", and its objects with it (finalizer)"
        if cascades(case)
        else "; without a finalizer its objects stay, and nothing owns them"
    )


def _automated(case: Case) -> Mapping[str, Any] | None:
    automated = mapping(mapping(case.manifest.get("spec")).get("syncPolicy")).get("automated")
    if not isinstance(automated, Mapping) or automated.get("enabled") is False:
        return None
    return automated


def _option(manifest: Mapping[str, Any], case: Case, key: str) -> str:
    """The value of a sync option: the object's own, or the Application's."""
    options = mapping(mapping(case.manifest.get("spec")).get("syncPolicy")).get("syncOptions")
    every = [text(o).strip() for o in options] if isinstance(options, list) else []
    for each in (*csv(notes_of(manifest).get(SYNC_OPTIONS)), *every):
        if each.startswith(f"{key}="):
            return each.removeprefix(f"{key}=")
    return ""


def _data(manifest: Mapping[str, Any], volumes: Volumes) -> tuple[Data | None, str]:
    """What becomes of data when the object is deleted, and the rest of the sentence that says so."""
    spec = mapping(manifest.get("spec"))
    match group_kind(manifest):
        case ("", "PersistentVolumeClaim"):
            data, why = volumes.of_claim(spec)
            return data, f"; {why}"
        case ("", "Namespace"):
            return Data.LOST, ", and with it everything in the namespace, also what is not in this repository"
        case ("apiextensions.k8s.io", "CustomResourceDefinition"):
            kind = text(mapping(spec.get("names")).get("kind")) or "its kind"
            return Data.LOST, f", and with it every {kind} in the cluster"
        case ("", "PersistentVolume"):
            return Data.UNKNOWN, "; whether the storage behind it goes is up to its reclaimPolicy and driver"
        case ("apps", "StatefulSet"):
            return _claims(spec, volumes)
    return None, ""


def _claims(spec: Mapping[str, Any], volumes: Volumes) -> tuple[Data | None, str]:
    templates = spec.get("volumeClaimTemplates")
    claims = [mapping(mapping(t).get("spec")) for t in templates] if isinstance(templates, list) else []
    if not claims:
        return None, ""
    if mapping(spec.get("persistentVolumeClaimRetentionPolicy")).get("whenDeleted") != "Delete":
        return Data.KEPT, "; its claims and their data stay (persistentVolumeClaimRetentionPolicy)"
    fates = [volumes.of_claim(c) for c in claims]
    data, why = next((f for wanted in Data for f in fates if f[0] is wanted), fates[0])
    return data, f" and its claims too (whenDeleted: Delete); {why}"


def _policy(policy: str, where: str) -> tuple[Data, str]:
    if policy == "Retain":
        return Data.KEPT, f"its data stays (reclaimPolicy Retain of {where})"
    return Data.LOST, f"its data is deleted (reclaimPolicy {policy} of {where})"
