"""Talking to a cluster's API server: the one importer of `kubernetes`, which reads the kubeconfig.

Objects are plain dicts, as the API server sends them. Importing this takes a quarter of a second: do it late.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import urllib3
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import ConfigException, load_kube_config

from pytest_gitops.clusters.apierror import ApiError, Reply, loaded, refusal, warnings_of
from pytest_gitops.clusters.embedded.shelf import Shelf
from pytest_gitops.clusters.paths import is_loopback, tail, url
from pytest_gitops.clusters.watching import METADATA, METADATA_LIST, Bare, Stream, Watch
from pytest_gitops.errors import EngineError
from pytest_gitops.waiting import wait_until

MANAGER = "pytest-gitops"
"""The field manager of everything we apply."""

JSON = "application/json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"

DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
"""Every kind of a cluster in one answer (Kubernetes 1.30: aggregated discovery v2)."""

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
"""Where the API server has its CustomResourceDefinitions."""

ALL = 1 << 30
"""A limit that is none: with one, what an API server cannot keep in memory, yet or ever, comes from etcd (KEP 4568)."""

CONNECTIONS = 32
"""Connections kept open; more threads than these work too, on connections closed after use."""

CHUNK_BYTES = 1 << 16
CONNECT_SECONDS = 5
READ_SECONDS = 60

SILENCE_SECONDS = 90
"""The server writes a bookmark into a watch every minute: one that says nothing for longer is dead."""


class Api:
    """The API server that `kubeconfig` names, in `context` or the file's current one.

    `shelf` has definitions that need not be taken once more. Safe to use from many threads. Raises EngineError if the
    file cannot be used.
    """

    def __init__(
        self,
        kubeconfig: Path,
        *,
        context: str = "",
        connections: int = CONNECTIONS,
        shelf: Shelf | None = None,
    ) -> None:
        configuration = Configuration()
        try:
            load: Any = load_kube_config  # untyped
            load(str(kubeconfig), context or None, configuration, persist_config=False)
        except (ConfigException, OSError) as error:
            raise EngineError(f"{kubeconfig.name}: not a kubeconfig that can be used: {error}") from error
        if is_loopback(configuration.host):
            configuration.proxy = None  # the environment's proxy cannot reach our loopback
        configuration.connection_pool_maxsize = connections
        self.host, self.kubeconfig = str(configuration.host), kubeconfig
        self.configuration: Any = configuration  # what the kubeconfig and its helper say
        self._pool: urllib3.PoolManager = ApiClient(configuration).rest_client.pool_manager
        self._shelf = shelf
        self._kinds: dict[str, dict[str, tuple[str, bool]]] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of the connections that are kept; a later request opens new ones."""
        self._pool.clear()

    def get(self, path: str, *, accept: str = JSON, **params: Any) -> dict[str, Any]:
        """Read an object or a list. Raises ApiError."""
        return self._call("GET", path, params, accept=accept)

    def text(self, path: str, **params: Any) -> str:
        """Read what is no object: a log. Raises ApiError."""
        response = self._send("GET", path, params, accept="*/*")
        if response.status >= 400:
            raise refusal(response.status, loaded(response.data, path), f"GET {path}")
        return response.data.decode(errors="replace")

    def metadata(self, path: str) -> list[dict[str, Any]]:
        """The metadata of each object at the collection `path`. Raises ApiError."""
        return [i["metadata"] for i in self.get(path, limit=ALL, accept=METADATA_LIST).get("items") or []]

    def kinds(self) -> tuple[tuple[str, str], ...]:
        """(apiVersion, kind) of everything that can be listed and deleted, each kind once, in the version that the
        server prefers. Raises ApiError."""
        found: dict[tuple[str, str], str] = {}
        for path in ("/api", "/apis"):
            for group in self._call("GET", path, {}, accept=DISCOVERY).get("items") or ():
                name = str((group.get("metadata") or {}).get("name") or "")
                for version in group.get("versions") or ():
                    for each in version.get("resources") or ():
                        kind = str((each.get("responseKind") or {}).get("kind") or "")
                        if kind and {"list", "delete"} <= set(each.get("verbs") or ()):
                            written = f"{name}/{version['version']}" if name else str(version["version"])
                            found.setdefault((name, kind), written)
        return tuple((version, kind) for (_, kind), version in found.items())

    def post(self, path: str, body: Any, **params: Any) -> dict[str, Any]:
        """Create an object. Raises ApiError."""
        return self._call("POST", path, params, body)

    def put(self, path: str, body: Any, **params: Any) -> dict[str, Any]:
        """Replace an object. Raises ApiError."""
        return self._call("PUT", path, params, body)

    def patch(self, path: str, body: Any, *, content_type: str = MERGE, **params: Any) -> dict[str, Any]:
        """Change an object. Raises ApiError."""
        return self._call("PATCH", path, params, body, content_type=content_type)

    def delete(self, path: str, body: Any = None, **params: Any) -> dict[str, Any]:
        """Delete an object; `body` is a DeleteOptions. Raises ApiError."""
        return self._call("DELETE", path, params, body)

    def ask(self, method: str, path: str, body: Any, *, content_type: str = JSON, **params: Any) -> Reply:
        """Send a write of which only the server's opinion is wanted; `body` may be JSON already.

        A refusal is returned, also that nobody converts the object. Raises ApiError if there is no answer, or one that
        is no opinion: the server's own failure (5xx), or too many requests.
        """
        response = self._send(method, path, params, body, content_type=content_type, accept=METADATA)
        warnings = warnings_of(response.headers.getlist("Warning"))
        if response.status < 400:
            return Reply(warnings=warnings)
        error = refusal(response.status, loaded(response.data, ""), "")
        if error.failed or error.status == 429:
            raise ApiError(
                error.message, status=error.status, reason=error.reason, request=f"{method} {path}"
            )
        return Reply(error=error, warnings=warnings)

    def ready(self) -> bool:
        """True if the API server answers and says that all of it is ready."""
        try:
            return self._send("GET", "/readyz", {}, tries=1).status == 200
        except ApiError:
            return False

    def server_version(self) -> str:
        """Kubernetes' version, without its leading "v". Raises ApiError."""
        return str(self.get("/version")["gitVersion"]).removeprefix("v")

    def apply(
        self, obj: Mapping[str, Any], *, dry_run: bool = False, strict: bool = False, force: bool = True
    ) -> dict[str, Any]:
        """Create or change `obj` by server-side apply and return it as it then is.

        `dry_run` stores nothing; `strict` refuses unknown and doubled fields; `force` takes over fields that
        others own. An object with `generateName` alone is created. Raises ApiError; an unknown kind has
        status 404.
        """
        metadata = obj.get("metadata") or {}
        name = str(metadata.get("name") or "")
        path = self.path_of(
            str(obj.get("apiVersion") or ""),
            str(obj.get("kind") or ""),
            namespace=str(metadata.get("namespace") or ""),
            name=name,
        )
        params: dict[str, Any] = {"fieldManager": MANAGER}
        if dry_run:
            params["dryRun"] = "All"
        if strict:
            params["fieldValidation"] = "Strict"
        if not name:
            return self._call("POST", path, params, obj)
        return self._call("PATCH", path, {**params, "force": force}, obj, content_type=APPLY)

    def path_of(self, api_version: str, kind: str, namespace: str = "", name: str = "") -> str:
        """The path of an object, or of its collection without a `name`.

        A namespaced kind without a namespace is in `default`; the namespace of a cluster-scoped one is
        dropped. Raises ApiError (status 404, reason UnknownKind) for a kind that the server does not know.
        """
        plural, namespaced = self._kind(api_version, kind)
        return self._base(api_version) + tail(plural, namespace if namespaced else None, name)

    def is_namespaced(self, api_version: str, kind: str) -> bool:
        """Whether objects of this kind live in namespaces. Raises ApiError like `path_of`."""
        return self._kind(api_version, kind)[1]

    def collection(self, api_version: str, kind: str) -> str:
        """The path of all objects of a kind, in every namespace. Raises ApiError like `path_of`."""
        return f"{self._base(api_version)}/{self._kind(api_version, kind)[0]}"

    def define(self, definition: Mapping[str, Any], *, applied: bool = False) -> None:
        """Create a CustomResourceDefinition, by server-side apply where it is to be `applied`; `wait_established` says
        when it is served. Raises ApiError."""
        if self._shelf is None or not self._shelf.bring(definition, applied=applied):
            if applied:
                self.apply(definition)
            else:
                self.post(DEFINITIONS, definition)

    def wait_established(self, crd_names: Iterable[str], limit: float) -> None:
        """Wait until these CustomResourceDefinitions are established and served.

        Raises WaitTimeout after `limit` seconds, also for one that does not exist.
        """
        names = frozenset(crd_names)
        pending = set(names)

        def established() -> bool:
            for name in sorted(pending):
                if self._serves(name):
                    pending.discard(name)
            return not pending

        wait_until(
            established,
            limit=limit,
            what="CustomResourceDefinitions established",
            seen=lambda: "not yet " + ", ".join(sorted(pending)),
        )
        if self._shelf is not None:
            self._shelf.keep(names)

    def watch(
        self,
        path: str,
        act: Callable[[str, dict[str, Any]], None],
        *,
        stop: threading.Event,
        bare: bool = False,
        **params: Any,
    ) -> None:
        """Call `act(type, object)` for all at the collection `path`, then for each change, until `stop` is
        set; with the metadata alone of objects that are to be `bare`.

        Types are ADDED, MODIFIED and DELETED. A connection that drops is taken up where it ended; when the
        server has forgotten that place, everything is listed again, and what has gone meanwhile comes as
        DELETED with its metadata alone. `params` are selectors. What `act` raises ends the watch. Raises
        ApiError if the server refuses.
        """
        Watch(Bare(self) if bare else self, path, act, stop=stop, params=params).run()

    def stream(self, path: str, params: Mapping[str, Any], *, accept: str = JSON) -> Stream:
        """Open a watch; each line of it is an event in JSON. Raises ApiError."""
        response = self._send("GET", path, params, stream=True, read_limit=SILENCE_SECONDS, accept=accept)
        if response.status >= 400:
            with contextlib.closing(response):
                raise refusal(response.status, loaded(response.data, f"GET {path}"), f"GET {path}")
        return _Stream(response)

    def _serves(self, crd: str) -> bool:
        """Whether the kind is in discovery, where it comes when it is established, and can be listed.

        The definition itself is not asked for: that of a large schema costs the API server half a second.
        """
        plural, _, group = crd.partition(".")
        try:
            versions = [v["groupVersion"] for v in self.get(f"/apis/{group}")["versions"]]
            served = [
                f"/apis/{version}/{plural}"
                for version in versions
                if any(r["name"] == plural for r in self.get(f"/apis/{version}").get("resources") or ())
            ]
            return bool(served) and all(self.get(path, limit=1)["kind"] for path in served)
        except ApiError as error:
            if error.status not in {404, 503}:
                raise
            return False

    @staticmethod
    def _base(api_version: str) -> str:
        return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"

    def _kind(self, api_version: str, kind: str) -> tuple[str, bool]:
        """The plural of a kind and whether it is namespaced; the server is asked for what is not known."""
        with self._lock:
            known = self._kinds.get(api_version, {}).get(kind)
        if known:
            return known
        try:
            resources = self.get(self._base(api_version)).get("resources") or []
        except ApiError as error:
            if error.status != 404:
                raise
            resources = []
        kinds = {
            r["kind"]: (str(r["name"]), bool(r["namespaced"])) for r in resources if "/" not in r["name"]
        }
        with self._lock:
            self._kinds[api_version] = kinds
        if kind in kinds:
            return kinds[kind]
        raise ApiError(
            f'the cluster does not know the kind "{kind}" in "{api_version}"; '
            "is its CustomResourceDefinition missing?",
            status=404,
            reason="UnknownKind",
        )

    def _call(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any],
        body: Any = None,
        *,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> dict[str, Any]:
        response = self._send(method, path, params, body, content_type=content_type, accept=accept)
        data = loaded(response.data, f"{method} {path}")
        if response.status >= 400:
            raise refusal(response.status, data, f"{method} {path}")
        return data

    def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any],
        body: Any = None,
        *,
        content_type: str = JSON,
        stream: bool = False,
        read_limit: float = READ_SECONDS,
        tries: int = 3,
        accept: str = JSON,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": accept, "User-Agent": MANAGER, **self._authorization()}
        content = None
        if body is not None:
            content = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
            headers["Content-Type"] = content_type
        # The server may have closed a connection that we kept: ask again, but after a request that was sent
        # only where asking twice does no harm.
        harmless = frozenset({"GET", "PATCH"} if content_type == APPLY else {"GET"})
        retries = urllib3.Retry(tries - 1, redirect=0, status=0, backoff_factor=0.1, allowed_methods=harmless)
        try:
            return self._pool.request(
                method,
                url(self.host, path, params),
                body=content,
                headers=headers,
                preload_content=not stream,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=read_limit),
                retries=retries,
            )
        except urllib3.exceptions.HTTPError as error:
            cause = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else error
            raise ApiError(
                f"no answer: {cause}", status=0, reason="Unreachable", request=f"{method} {path}"
            ) from error

    def _authorization(self) -> dict[str, str]:
        settings: Any = self.configuration.auth_settings()
        return {s["key"]: s["value"] for s in settings.values() if s["in"] == "header" and s["value"]}


class _Stream:
    """The lines of an answer that goes on; `shutdown` ends it from another thread."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        rest = b""
        try:
            for chunk in self._response.stream(CHUNK_BYTES):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise ApiError(f"the connection ended: {error}", status=0, reason="Unreachable") from error

    def shutdown(self) -> None:
        with contextlib.suppress(OSError, RuntimeError, ValueError):  # it has ended by itself
            self._response.shutdown()

    def close(self) -> None:
        self._response.close()
