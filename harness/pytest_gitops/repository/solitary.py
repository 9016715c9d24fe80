"""Which Applications concern nobody but themselves, as far as their files tell it without being rendered.

An Application that renders an AppProject, a CustomResourceDefinition, a Namespace or a Secret has a say in what others
are, or in what may be shown of them. One of which every kind that its files write down is a workload or something
beside one has none. Where a kind is not written down as a word (a template computes it, a package holds it) it may be
any, and the Application is none of these.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_gitops.model import Case
from pytest_gitops.repository.inputs import Inputs
from pytest_gitops.repository.snapshot import Entry
from pytest_gitops.repository.sources import KEYS
from pytest_gitops.repository.tree import LINK, Tree

KINDS = frozenset(
    {
        "ConfigMap", "ControllerRevision", "CronJob", "DaemonSet", "Deployment", "Endpoints", "EndpointSlice",
        "HorizontalPodAutoscaler", "Ingress", "Job", "NetworkPolicy", "PersistentVolumeClaim", "Pod",
        "PodDisruptionBudget", "ReplicaSet", "ReplicationController", "Role", "RoleBinding", "Service",
        "ServiceAccount", "StatefulSet",
        # named by objects of the above, or for many of them
        "ClusterRole", "Group", "List", "User",
        # what others bring, and acts on what it names only
        "Certificate", "ExternalSecret", "GRPCRoute", "HTTPRoute", "PodMonitor", "PrometheusRule", "Rollout",
        "SealedSecret", "ServiceMonitor",
        # of kustomize's files themselves
        "Component", "Kustomization",
    }
)  # fmt: skip
"""Kinds by which no object of another Application is judged, read or hidden. What refers to them is looked at where a
pull request changes more of an Application than what is its own (see `sparing`)."""

MAX_BYTES = 1 << 20
"""A larger file is not searched."""

PROSE = ("README.md", "CHANGELOG.md", "LICENSE", "NOTES.txt")
"""Files of a chart that hold words for people; in its templates/ only the last one is no template."""

_KIND = re.compile(rb"\bkind\b(?:[\"']?[ \t]*:{1,3}[ \t]*[\"']?([A-Za-z]+)[\"']?[ \t]*(?=[\r\n,}#]|$))?")
_OPAQUE = re.compile(
    # objects that nobody has to give a kind; texts that are something else once they are read
    rb"secretGenerator|b(?:64|32)dec|base64Decode|decodeUTF8|\bchar\(|\\[xuU]"
    # Argo CD's own settings, which are ConfigMaps
    rb"|argocd-[a-z]"
)


class Solitary:
    """Tells it of the Applications that read `tree`. Each file is searched once."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._known: dict[str, bool] = {}  # by git's name of the content

    def of(self, asked: Sequence[tuple[Case, Inputs]]) -> list[bool]:
        """Whether each of these cases, which read that, concerns itself only; what cannot be told is no."""
        read = {
            number: self._entries(inputs)
            for number, (case, inputs) in enumerate(asked)
            if not (inputs.unknown or inputs.pinned or inputs.elsewhere) and plain(_sources(case.manifest))
        }
        self._learn(e for entries in read.values() for e in entries)
        return [
            number in read and all(self._known.get(e.sha, False) for e in read[number])
            for number in range(len(asked))
        ]

    def _entries(self, inputs: Inputs) -> list[Entry]:
        return [
            e
            for place in inputs.paths
            for e in self._tree.below(place)
            if e.mode != LINK and not _prose(e.path, place)
        ]

    def _learn(self, entries: Iterable[Entry]) -> None:
        wanted = {e.sha: e for e in entries if e.sha not in self._known and e.size <= MAX_BYTES}
        found = self._tree.contents(e.path for e in wanted.values()) if wanted else {}
        self._known.update({sha: plain(found[e.path]) for sha, e in wanted.items() if e.path in found})


def plain(content: bytes) -> bool:
    """Whether a text names kinds as words, and such of `KINDS` only."""
    if b"\0" in content or _OPAQUE.search(content):
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return all((m[1] or b"").decode() in KINDS for m in _KIND.finditer(content))


def _prose(path: str, place: str) -> bool:
    """Whether a file of a folder that is read as a whole is one for people."""
    folder, name = posixpath.split(path)
    return path != place and (name == PROSE[-1] or (name in PROSE and "templates" not in folder.split("/")))


def _sources(manifest: Mapping[str, Any]) -> bytes:
    """What the Application itself says of its objects: values, patches, parameters."""
    spec = manifest.get("spec")
    given = {k: spec.get(k) for k in KEYS} if isinstance(spec, Mapping) else None
    texts = json.dumps(given, default=str, ensure_ascii=False)
    return texts.replace("\\n", "\n").replace('\\"', '"').encode(errors="replace")
