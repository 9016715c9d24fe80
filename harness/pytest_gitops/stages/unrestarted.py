"""Changes of configuration that running Pods do not take up: what a ConfigMap or Secret gives to the environment.

A variable keeps the value that it had when its container started, and a file mounted by `subPath` its content; only
whole volumes are kept up to date (Kubernetes: concepts/configuration/configmap, "Mounted ConfigMaps are updated
automatically"). Pods are replaced when their template changes, and Argo CD does nothing else about it: it is Synced and
Healthy, and the program runs with what was before.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_gitops.changes.values import ApplicationChange, ChangeKind, ObjectChange
from pytest_gitops.model import Case, Finding, Severity
from pytest_gitops.repository.readings import listed
from pytest_gitops.shapes import mapping, some, title
from pytest_gitops.stages.placing import place

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

SOURCES = {
    "ConfigMap": ("configMapRef", "configMapKeyRef", "configMap", "name"),
    "Secret": ("secretRef", "secretKeyRef", "secret", "secretName"),
}
"""By kind: the fields of envFrom, of env and of a volume that name one, and the volume's field for its name."""

LONG_LIVED = frozenset(
    {
        ("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet"), ("apps", "ReplicaSet"),
        ("argoproj.io", "Rollout"),
    }
)  # fmt: skip
"""Workloads whose Pods go on running; a Job's next Pod takes what is there then."""

RELOADERS = (
    "reloader.stakater.com/", "configmap.reloader.stakater.com/", "secret.reloader.stakater.com/", "wave.pusher.com/",
)  # fmt: skip
"""How annotations begin that have a controller replace the Pods (Stakater's Reloader, Wave)."""

SHOWN = 3
"""As many keys and workloads as a message names."""

Place = tuple[str, str, str, str]
"""Cluster, namespace, kind and name."""


class Unrestarted:
    """Looks at the comparison of one pull request."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def findings(self, case: Case, change: ApplicationChange) -> Iterator[Finding]:
        """A warning for each ConfigMap or Secret of the Application that differs, and without which Pods go on."""
        for each in change.objects:
            keys = _changed(each)
            if not keys:
                continue
            named = each.resource
            takers = self._takers.get((case.destination.cluster, named.namespace, named.kind, named.name), ())
            told = {who: taken for who, own in takers if (taken := sorted(keys & own if own else keys))}
            if told:
                yield self._finding(case, each, told)

    def _finding(self, case: Case, each: ObjectChange, told: Mapping[str, Sequence[str]]) -> Finding:
        keys = sorted({key for taken in told.values() for key in taken})
        named, fields = each.resource.title, [f"data.{key}" for key in keys]
        file, line = place(self._context, case, named)
        kind, _, where = next(iter(told)).partition(" ")
        namespace, _, name = where.rpartition("/")
        return Finding(
            rule="pods-not-restarted",
            severity=Severity.WARNING,
            message=f"{some(fields, SHOWN)}: expected the Pods that start with it to be replaced, "
            f"saw the Pod template of {some(list(told), SHOWN)} as before, so they go on with what it was",
            file=file,
            line=line,
            resource=named,
            help="let the Pod template change with it: an annotation with a checksum of it, or kustomize's "
            "configMapGenerator, whose names have one; or restart by hand after the merge: "
            f"kubectl rollout restart {kind.lower()}/{name}{f' --namespace {namespace}' if namespace else ''}",
        )

    @cached_property
    def _takers(self) -> Mapping[Place, Sequence[tuple[str, frozenset[str]]]]:
        """The workloads whose Pods start with a ConfigMap or Secret, and which nothing replaces: their titles, and the
        keys that they take, none for all."""
        found: dict[Place, list[tuple[str, frozenset[str]]]] = {}
        for place_, who, manifest in self._staying:
            cluster, namespace, _, _ = place_
            taken: dict[tuple[str, str], list[frozenset[str]]] = {}
            for kind, name, keys in _started_with(manifest):
                taken.setdefault((kind, name), []).append(keys)
            for (kind, name), each in taken.items():
                keys = frozenset().union(*each) if all(each) else frozenset()
                found.setdefault((cluster, namespace, kind, name), []).append((who, keys))
        return found

    @property
    def _staying(self) -> Iterator[tuple[Place, str, Mapping[str, Any]]]:
        """The workloads that were there before, and whose Pods nothing replaces."""
        context, comparison = self._context, self._context.comparison
        assert context.base is not None and comparison is not None, "there is a base to compare with"
        replaced = {
            (c.case.destination.cluster, o.resource.namespace, o.resource.kind, o.resource.name)
            for c in comparison.applications
            for o in c.objects
            if o.rollout or o.kind not in {ChangeKind.CHANGED, ChangeKind.UNCHANGED}
        }
        before = {place_ for place_, _, _ in _workloads(context.base)}
        for place_, who, manifest in _workloads(context):
            runs = mapping(manifest, "spec").get("replicas") != 0 and not _is_reloaded(manifest)
            if runs and place_ in before and place_ not in replaced:
                yield place_, who, manifest


def _workloads(context: Context) -> Iterator[tuple[Place, str, Mapping[str, Any]]]:
    for case, objects in context.rendered():
        for manifest in objects:
            kind, metadata = str(manifest.get("kind")), mapping(manifest, "metadata")
            if (str(manifest.get("apiVersion")).rpartition("/")[0], kind) in LONG_LIVED:
                namespace = str(metadata.get("namespace") or case.destination.namespace)
                name = str(metadata.get("name"))
                yield (
                    (case.destination.cluster, namespace, kind, name),
                    title(kind, name, namespace),
                    manifest,
                )


def _is_reloaded(manifest: Mapping[str, Any]) -> bool:
    both = (mapping(manifest, "metadata"), mapping(manifest, "spec", "template", "metadata"))
    return any(
        str(key).startswith(RELOADERS) for metadata in both for key in mapping(metadata, "annotations")
    )


def _started_with(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str, frozenset[str]]]:
    """What the containers of a workload start with: kind, name, and the keys, none for all."""
    pod = mapping(manifest, "spec", "template", "spec")
    volumes = {str(v.get("name")): v for v in map(mapping, listed(pod.get("volumes")))}
    for container in map(mapping, [*listed(pod.get("containers")), *listed(pod.get("initContainers"))]):
        for kind, (whole, one, _, _) in SOURCES.items():
            for each in map(mapping, listed(container.get("envFrom"))):
                if name := mapping(each, whole).get("name"):
                    yield kind, str(name), frozenset()
            for each in map(mapping, listed(container.get("env"))):
                source = mapping(each, "valueFrom", one)
                if source.get("name"):
                    yield kind, str(source["name"]), frozenset({str(source.get("key"))})
        for mount in map(mapping, listed(container.get("volumeMounts"))):
            if path := mount.get("subPath"):
                yield from _mounted(volumes.get(str(mount.get("name")), {}), str(path).split("/", 1)[0])


def _mounted(volume: Mapping[str, Any], path: str) -> Iterator[tuple[str, str, frozenset[str]]]:
    """What a volume has at `path`."""
    for kind, (_, _, field, named) in SOURCES.items():
        parts = [(mapping(volume, field), named)]
        parts += [
            (mapping(s, field), "name")
            for s in map(mapping, listed(mapping(volume, "projected").get("sources")))
        ]
        for source, key in parts:
            items = {str(i.get("path")): str(i.get("key")) for i in map(mapping, listed(source.get("items")))}
            if source.get(key) and (not items or path in items):
                yield kind, str(source[key]), frozenset({items.get(path, path)})


def _changed(each: ObjectChange) -> frozenset[str]:
    """The keys of a ConfigMap or Secret whose values differ, where it keeps its name."""
    old, new = each.old_object, each.new_object
    kept = each.kind is ChangeKind.CHANGED and each.old is not None and each.new is not None
    if not kept or each.resource.kind not in SOURCES or old is None or new is None or each.old != each.new:
        return frozenset()
    was, now = _values(old), _values(new)
    return frozenset(key for key in was.keys() | now.keys() if was.get(key) != now.get(key))


def _values(manifest: Mapping[str, Any]) -> dict[str, bytes]:
    is_secret = manifest.get("kind") == "Secret"
    found = {str(k): _decoded(v) if is_secret else _text(v) for k, v in mapping(manifest, "data").items()}
    found |= {str(k): _decoded(v) for k, v in mapping(manifest, "binaryData").items()}
    return found | {str(k): _text(v) for k, v in mapping(manifest, "stringData").items()}


def _text(value: Any) -> bytes:
    return str(value).encode(errors="surrogateescape")


def _decoded(value: Any) -> bytes:
    try:
        return base64.b64decode(_text(value))
    except binascii.Error:
        return _text(value)
