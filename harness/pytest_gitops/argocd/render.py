"""Rendering by Argo CD's own repo-server, over gRPC. The only importer of grpc."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import grpc

from pytest_gitops.argocd.messages import decode, encode
from pytest_gitops.argocd.options import Options
from pytest_gitops.errors import EngineError
from pytest_gitops.model import Case
from pytest_gitops.repository.sources import is_hydrated, placed

METHOD = "/repository.RepoServerService/GenerateManifest"

OURS = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
"""Answers that blame the repo-server and not the repository."""

MAX_BYTES = 100 << 20
"""The largest answer that Argo CD's own processes take from each other (ARGOCD_GRPC_MAX_SIZE_MB)."""


class Taken(StrEnum):
    """Where a render comes from that the repo-server was not asked for again."""

    BASE = "base"  # the other side of this run
    CACHE = "cache"  # an earlier run


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What an Application means: its objects in the order of its sources, what each source resolved to and is
    (Helm, Kustomize, Directory, Plugin), and the commands that the repo-server ran; `taken` says where all that was
    taken over from, None if it was asked for now."""

    objects: tuple[Mapping[str, Any], ...]
    revisions: tuple[str, ...] = ()
    source_types: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    taken: Taken | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRendered:
    """The repo-server's refusal: which source (from 0), and its words without gRPC's wrapping."""

    source: int
    message: str


class RepoServer:
    """Asks one repo-server. `address` is host:port; `control` the namespace that Argo CD lives in."""

    def __init__(self, address: str, *, control: str, options: Options, limit: float = 120) -> None:
        self._control, self._options, self._limit = control, options, limit
        self._channel = grpc.insecure_channel(
            address,
            options=[
                ("grpc.max_receive_message_length", MAX_BYTES),
                ("grpc.max_send_message_length", -1),
                # A refusal's words travel among the headers, and a template may fail at great length.
                ("grpc.max_metadata_size", MAX_BYTES),
                ("grpc.absolute_max_metadata_size", MAX_BYTES),
            ],
        )
        self._generate = self._channel.unary_unary(
            METHOD,
            request_serializer=lambda request: encode("ManifestRequest", request),
            response_deserializer=lambda data: decode("ManifestResponse", data),
        )

    def ready(self) -> bool:
        """Whether it answers calls (connected within a moment)."""
        try:
            grpc.channel_ready_future(self._channel).result(timeout=0.5)
        except grpc.FutureTimeoutError:
            return False
        return True

    def close(self) -> None:
        self._channel.close()

    def render(
        self,
        case: Case,
        *,
        kube_version: str = "",
        api_versions: Sequence[str] = (),
        project: Mapping[str, Any] | None = None,
        fresh: bool = False,
    ) -> Rendered | NotRendered:
        """Render every source of `case` as the application-controller would ask for it; `fresh` as after a hard
        refresh, without what the repo-server remembers.

        Raises EngineError if the repo-server cannot answer.
        """
        places = placed(case.manifest)
        sources = [source for _, source in places]
        multiple = any("sources" in place for place, _ in places)
        if is_hydrated(case.manifest):
            # What is written to a branch must not depend on a cluster (hydrator_dependencies.go: GetRepoObjs).
            kube_version, api_versions = "", ()
        objects: list[Mapping[str, Any]] = []
        revisions, types, commands = [], [], []
        for index, source in enumerate(sources):
            request = {
                "repo": self._options.repository(str(source.get("repoURL", ""))),
                "repos": [],
                "revision": str(source.get("targetRevision") or ""),
                "noCache": fresh,
                "appLabelKey": self._options.label_key,
                "appName": case.name if case.namespace == self._control else f"{case.namespace}_{case.name}",
                "namespace": case.destination.namespace,
                "applicationSource": wire_source(source),
                "kubeVersion": kube_version,
                "apiVersions": list(api_versions),
                "trackingMethod": self._options.tracking_method,
                "enabledSourceTypes": self._options.enabled_source_types,
                "helmOptions": {"valuesFileSchemes": list(self._options.values_file_schemes)},
                "kustomizeOptions": {"buildOptions": self._options.kustomize_build_options},
                "hasMultipleSources": multiple,
                "refSources": self._references(sources),
                "projectName": case.project,
                "projectSourceRepos": _source_repos(project),
                "installationID": self._options.installation_id,
            }
            try:
                answer = self._generate(request, timeout=self._limit)
            except grpc.RpcError as error:
                if error.code() in OURS:
                    raise EngineError(f"argocd-repo-server did not answer: {error.details()}") from error
                if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                    message = f"not rendered within {self._limit:g} s: {error.details()}"
                    return NotRendered(source=index, message=message)
                return NotRendered(source=index, message=plain(error.details() or ""))
            objects += [json.loads(m) for m in answer.get("manifests", ())]
            revisions.append(answer.get("revision", ""))
            types.append(answer.get("sourceType", ""))
            commands += answer.get("commands", ())
        return Rendered(
            objects=tuple(_flat(objects)),
            revisions=tuple(revisions),
            source_types=tuple(types),
            commands=tuple(commands),
        )

    def _references(self, sources: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {
            f"${s['ref']}": {
                "repo": self._options.repository(str(s.get("repoURL", ""))),
                "targetRevision": str(s.get("targetRevision") or ""),
                "chart": str(s.get("chart") or ""),
            }
            for s in sources
            if s.get("ref")
        }


def _flat(objects: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    flat: list[Mapping[str, Any]] = []
    for each in objects:
        items = each.get("items")
        if each.get("kind") == "List" and isinstance(items, list):
            flat += _flat([i for i in items if isinstance(i, Mapping)])
        else:
            flat.append(each)
    return flat


def _source_repos(project: Mapping[str, Any] | None) -> list[str]:
    spec = (project or {}).get("spec")
    repos = spec.get("sourceRepos") if isinstance(spec, Mapping) else None
    return [str(r) for r in repos] if isinstance(repos, list) else ["*"]


def wire_source(source: Mapping[str, Any]) -> dict[str, Any]:
    """An Application's source as the wire has it: the places where its JSON and its protobuf differ."""
    wire = json.loads(json.dumps(source))
    helm, kustomize = wire.get("helm"), wire.get("kustomize")
    if isinstance(helm, dict) and "valuesObject" in helm:
        raw = json.dumps(helm["valuesObject"]).encode()
        helm["valuesObject"] = {"raw": base64.b64encode(raw).decode()}
    if isinstance(kustomize, dict):
        for replica in kustomize.get("replicas") or ():
            count = replica.get("count")
            replica["count"] = (
                {"type": 1, "strVal": count} if isinstance(count, str) else {"type": 0, "intVal": count}
            )
        for patch in kustomize.get("patches") or ():
            if isinstance(target := patch.get("target"), dict):
                patch["target"] = {
                    "resId": {
                        "gvk": {k: target[k] for k in ("group", "version", "kind") if k in target},
                        **{k: target[k] for k in ("name", "namespace") if k in target},
                    },
                    **{k: target[k] for k in ("annotationSelector", "labelSelector") if k in target},
                }
    plugin = wire.get("plugin")
    for parameter in plugin.get("parameters") or () if isinstance(plugin, dict) else ():
        for kind in ("map", "array"):
            if kind in parameter:
                parameter[kind] = {kind: parameter[kind]}
    return dict(wire)


_WRAPPINGS = re.compile(
    r"rpc error: code = \w+ desc = |Manifest generation error \(cached\): |"
    r"failed to generate manifest for source \d+ of \d+: "
)
SHOWN = 8_000
"""As many characters of a message are told."""

_CLONES = re.compile(r"\S*/_argocd-repo/[0-9a-f-]{36}")
_CAPABILITIES = re.compile(r"(?: --helm-api-versions [^\s`]+)+")
"""What kustomize tells helm of the cluster, 50 kinds and more: what it says comes after that. Argo CD leaves it out of
helm's own commands, with these words (util/helm/cmd.go)."""

_DEPRECATED = re.compile(r"^(?P<command>.*?)(?:# Warning: [^\n]*\n)+(?=Error: )")
"""What kustomize would have written otherwise, before it says why it failed."""


def plain(message: str) -> str:
    """Argo CD's message without gRPC's wrappings and without the paths of its clones; of a long one both ends."""
    text = _CLONES.sub("<repository>", _WRAPPINGS.sub("", message)).strip()
    text = _DEPRECATED.sub(r"\g<command>", _CAPABILITIES.sub(" <api versions removed>", text))
    if len(text) <= SHOWN:
        return text
    return f"{text[: SHOWN // 2]}\n… {len(text) - SHOWN:,} characters left out …\n{text[-SHOWN // 2 :]}"
