"""One scene on one API server: what has to exist is created there, and everything else is asked by dry-run."""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from pytest_gitops.admission import answers, pods, settle
from pytest_gitops.admission.changes import Changes
from pytest_gitops.admission.definitions import Definitions
from pytest_gitops.admission.furnish import Furnishing
from pytest_gitops.admission.furniture import (
    BINDINGS,
    LIMITS,
    QUOTA,
    Scene,
)
from pytest_gitops.admission.values import LEVELS, Hit, Item, Judgement, Manifest
from pytest_gitops.clusters.api import APPLY, MANAGER, Api
from pytest_gitops.clusters.apierror import ApiError, Reply
from pytest_gitops.model import Severity
from pytest_gitops.waiting import wait_until

PARALLEL = 12
"""Requests at once: with more, two cores only switch between them."""

ETCD_BYTES = 1_572_864
"""What etcd takes for one object (--max-request-bytes). A dry-run stores nothing, so only we can say it."""

LARGE_BYTES = 200_000
"""From here on an object is asked with the copy of itself that client-side apply adds to its annotations."""

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

MOST_REPLICAS = 500
"""So many Pods of one workload are counted against a quota; a quota that lets more pass is not what stops it."""

NOT_SYNCED = "not yet synced to use for admission"
"""What is said of a policy whose parameters' kind is not watched yet."""

SYNC_SECONDS = 30.0

ALWAYS = {"fieldValidation": "Strict", "fieldManager": MANAGER}
DRY = {**ALWAYS, "dryRun": "All"}

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one object of the request `case`; `pods` is how many Pods were asked about for it."""

    case: str
    hits: Sequence[Hit]
    pods: int = 0


class Room:
    """Judges one scene on the API server of `api`, which nothing else uses. `definitions` say which kinds there can
    be. Raises ApiError if the server fails, WaitTimeout if it takes no notice of what it is given."""

    def __init__(self, api: Api, definitions: Definitions, *, version: str) -> None:
        self._api, self._definitions, self._version = api, definitions, version
        self._hits: dict[str, list[Hit]] = defaultdict(list)
        self._answers: dict[str, list[Answer]] = defaultdict(list)
        self._guarded: set[str] = set()

    def judge(self, scene: Scene) -> dict[str, Judgement]:
        """The judgement of each of its requests."""
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="admit") as pool:
            self._pool = pool
            settle.prepare(self._api)
            changes = Changes(self._api, pool, self._definitions)
            changed = changes.of_definitions(scene.items, scene.base)
            self._definitions.bring(scene.items, scene.base)
            items = list(self._placed(scene.items, self._hits))
            changed += changes.of_objects(items, list(self._placed(scene.base, {})))
            self._take(Furnishing(self._api, pool).furnish(scene, items))
            self._guarded = _guarded(scene, items)
            quotas = {i.namespace for i in items if i.kind == QUOTA}
            loose = [i for i in items if i.asked and i.namespace not in quotas]
            counted = [[i for i in items if i.namespace == q] for q in sorted(quotas)]
            for answer in self._each(self._ask, loose):
                self._answers[answer.case].append(answer)
            for answer in (a for each in self._each(self._count, counted) for a in each):
                self._answers[answer.case].append(answer)
            self._take((a.case, hit) for each in self._answers.values() for a in each for hit in a.hits)
            self._take_changed(changed)
        return {
            case: Judgement(
                hits=_once(self._hits[case]),
                objects=len(self._answers[case]),
                pods=sum(answer.pods for answer in self._answers[case]),
                versions=(self._version,),
            )
            for case in {r.id for r in scene.requests} | {i.case for i in scene.items}
        }

    def _each(self, act: Callable[[Any], T], things: Iterable[Any]) -> list[T]:
        return list(self._pool.map(act, things))

    def _take(self, found: Iterable[tuple[str, Hit]]) -> None:
        for case, hit in found:
            self._hits[case].append(hit)

    def _take_changed(self, changed: Iterable[tuple[Item, Hit]]) -> None:
        """What is said of changes, for the objects that are fine by themselves."""
        wrong = {(case, h.resource) for case, hits in self._hits.items() for h in hits if _is_error(h)}
        self._take((item.case, hit) for item, hit in changed if (item.case, hit.resource) not in wrong)

    # ------------------------------------------------------------------ what exists

    def _placed(self, items: Iterable[Item], hits: dict[str, list[Hit]]) -> Iterator[Item]:
        """The items whose kind is served, with their place in the API; hits for the others."""
        for item in items:
            namespaced = self._definitions.namespaced(item.manifest)
            if namespaced is None:
                for hit in self._definitions.unknown(item):
                    hits.setdefault(item.case, []).append(hit)
            elif namespaced and not item.namespace:
                hit = item.hit(
                    "no-namespace",
                    Severity.ERROR,
                    "it has no namespace, and neither has the Application's destination",
                    help_="set spec.destination.namespace, or metadata.namespace of the object",
                )
                hits.setdefault(item.case, []).append(hit)
            else:
                for hit in self._definitions.stubbed(item):
                    hits.setdefault(item.case, []).append(hit)
                namespace = item.namespace if namespaced else ""
                path = self._api.path_of(
                    str(item.manifest["apiVersion"]), str(item.manifest["kind"]), namespace=namespace
                )
                yield dataclasses.replace(item, namespace=namespace, path=path)

    # ------------------------------------------------------------------ asking

    def _ask(self, item: Item) -> Answer:
        """What the server says of an object, and of the Pod and claims that would be made of it."""
        reply = self._reply(item, DRY)
        hits, made = list(self._said(item, reply)), 0
        if not _refused(reply) and item.namespace in self._guarded:
            for body in _made_of(item):
                made += body["kind"] == "Pod"
                hits += self._made(item, body, DRY)
        return Answer(case=item.case, hits=hits, pods=made)

    def _count(self, items: Sequence[Item]) -> list[Answer]:
        """The same for the objects of a namespace with a quota, one after the other and for good: the API server keeps
        count itself, of every replica."""
        return [self._count_one(item) for item in items]

    def _count_one(self, item: Item) -> Answer:
        reply = self._reply(item, ALWAYS)
        hits, made = list(self._said(item, reply)), 0
        wanted = 0 if _refused(reply) else min(pods.replicas(item.manifest), MOST_REPLICAS)
        for number in range(wanted):
            several = f"{number + 1} of {wanted} replicas: " if wanted > 1 else ""
            for body in _made_of(item, number):
                if any(map(_is_error, hits)):  # one is enough: the next ones would only repeat it
                    return Answer(case=item.case, hits=hits, pods=made)
                made += body["kind"] == "Pod"
                hits += self._made(item, body, ALWAYS, several=several)
        return Answer(case=item.case, hits=hits, pods=made)

    def _reply(self, item: Item, params: Mapping[str, str]) -> Reply:
        body = item.body
        content = _encoded(body)
        if len(content) > ETCD_BYTES:
            message = f"it has {len(content):,} bytes, and etcd takes {ETCD_BYTES:,} at most"
            return Reply(error=ApiError(message, status=413, reason="RequestEntityTooLarge"))
        if len(content) > LARGE_BYTES and not item.server_side and not item.replace and item.name:
            content = _encoded(_with_copy(body, content))
        if item.server_side and isinstance(body["metadata"].get("name"), str):
            path = self._api.path_of(
                body["apiVersion"], body["kind"], namespace=item.namespace, name=item.name
            )
            return self._patiently("PATCH", path, content, content_type=APPLY, force=True, **params)
        return self._patiently("POST", item.path, content, **params)

    def _patiently(self, method: str, path: str, body: bytes | Manifest, **params: Any) -> Reply:
        """The server's answer, once it can give one."""

        def answer() -> Reply | None:
            reply = self._api.ask(method, path, body, **params)
            return None if reply.error and NOT_SYNCED in reply.error.message else reply

        return answer() or wait_until(
            answer, limit=SYNC_SECONDS, what="a policy's parameters known to admission"
        )

    def _said(self, item: Item, reply: Reply) -> Iterator[Hit]:
        if reply.error is not None and _refused(reply):
            yield from answers.refused(
                item, reply.error, validations=self._definitions.validations(item.kind)
            )
        yield from answers.warned(item, reply.warnings)

    def _made(
        self, item: Item, body: dict[str, Any], params: Mapping[str, str], *, several: str = ""
    ) -> list[Hit]:
        """What the server says of something that a controller makes of an object. Its warnings are the object's own,
        but for a Rollout, into whose template the server does not look."""
        plural = "pods" if body["kind"] == "Pod" else "persistentvolumeclaims"
        reply = self._patiently("POST", f"/api/v1/namespaces/{item.namespace}/{plural}", body, **params)
        if reply.error is not None and _refused(reply):
            return answers.refused(item, reply.error, subject=several)
        return [*answers.warned(item, reply.warnings)] if item.kind == pods.ROLLOUT else []


def _made_of(item: Item, number: int = 0) -> Iterator[dict[str, Any]]:
    """The claims and the Pod with this number that a controller would make of an object."""
    yield from pods.claims(item.manifest, number)
    if (pod := pods.pod(item.manifest, number)) is not None:
        yield pod


def _is_error(hit: Hit) -> bool:
    return hit.severity is Severity.ERROR


def _guarded(scene: Scene, items: Sequence[Item]) -> set[str]:
    """The namespaces in which Pods are held to more than their workload's own schema."""
    used = {i.namespace for i in items}
    if any(i.kind in BINDINGS for i in items):
        return used
    limited = {i.namespace for i in items if i.kind in {LIMITS, QUOTA}}
    labelled = {n for n in used if n and any(key.startswith(LEVELS) for key in scene.spaces[n].labels)}
    return limited | labelled


def _refused(reply: Reply) -> bool:
    """Whether the object itself is refused. One that is there already was let in by everything that could refuse it."""
    return reply.error is not None and reply.error.reason != "AlreadyExists"


def _once(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """Each hit once; what a workload is warned of is left out where its Pods are refused for it."""
    refused = {h.resource for h in hits if h.rule == "pod-security"}
    kept = {h.key: h for h in hits if not (h.rule == "pod-security-warned" and h.resource in refused)}
    return tuple(kept.values())


def _encoded(body: Manifest) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def _with_copy(body: dict[str, Any], content: bytes) -> dict[str, Any]:
    metadata = dict(body["metadata"])
    annotations = metadata.get("annotations")
    kept = annotations if isinstance(annotations, Mapping) else {}
    metadata["annotations"] = {**kept, LAST_APPLIED: content.decode() + "\n"}
    return {**body, "metadata": metadata}
