"""A cluster that exists: reached by a context of the user's kubeconfig, whose containers run; nothing is started."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.errors import EngineError

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api

HTTPS = 443

OLDER = 3
"""Minor versions that a cluster may be behind our API server: Kubernetes supports as many."""


class Existing:
    """The cluster of `context` in the kubeconfig `file` (several, divided by ":", as kubectl has it).

    `directory` is private to the run: `kubeconfig`, written there by `start`, names this one cluster and holds what it
    takes to reach it. `api` is there after `start`.
    """

    provider = "kubeconfig"
    simulated: tuple[str, ...] = ()
    api: Api

    def __init__(self, file: str, context: str, *, directory: Path) -> None:
        self._file, self.context = file, context
        self.kubeconfig = directory / f"{re.sub(r'[^A-Za-z0-9.-]', '_', context)}.kubeconfig"
        self.version = ""

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.api.host)
        return parts.hostname or "", parts.port or HTTPS

    def start(self) -> None:
        """Return when the API server has answered. Raises EngineError, with what to do, if the kubeconfig cannot be
        used, nobody answers, or the credentials are refused."""
        from pytest_gitops.clusters.api import Api  # late: it takes a quarter of a second

        try:
            api = Api(Path(self._file), context=self.context)
        except EngineError as error:
            raise EngineError(
                f"context {self.context}: {error}. See `kubectl config get-contexts`, and what KUBECONFIG names"
            ) from error
        try:
            self.version = api.server_version()
            # Anybody may ask for the version; who we are is said by this.
            api.post(
                "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
                {
                    "apiVersion": "authorization.k8s.io/v1",
                    "kind": "SelfSubjectRulesReview",
                    "spec": {"namespace": "default"},
                },
            )
        except ApiError as error:
            raise EngineError(_refused(self.context, api.host, error)) from error
        self.api = api
        self._write(_access(api))

    def is_there(self) -> bool:
        """Whether the API server still answers."""
        try:
            self.api.server_version()
        except ApiError as error:
            return error.status not in {0, 502, 503, 504}
        return True

    def access(self, *, proxy: str) -> dict[str, Any]:
        """The access of a cluster Secret of Argo CD's that leads through `proxy`."""
        known = _access(self.api)
        tls = {
            "insecure": known["insecure"],
            **{
                name: base64.b64encode(known[what]).decode()
                for name, what in (("caData", "ca"), ("certData", "certificate"), ("keyData", "key"))
                if known[what] and not (what == "ca" and known["insecure"])
            },
        }
        if not known["insecure"]:
            tls["serverName"] = known["serverName"]
        return {
            "proxyUrl": proxy,
            "tlsClientConfig": tls,
            **({"bearerToken": known["token"]} if known["token"] else {}),
        }

    def _write(self, known: dict[str, Any]) -> None:
        """The kubeconfig of this cluster alone, readable by its owner (0600)."""
        cluster: dict[str, Any] = {"server": self.api.host}
        if known["insecure"]:
            cluster["insecure-skip-tls-verify"] = True
        elif known["ca"]:
            cluster["certificate-authority-data"] = base64.b64encode(known["ca"]).decode()
        if known["serverName"] != urlsplit(self.api.host).hostname:
            cluster["tls-server-name"] = known["serverName"]
        user = {
            name: base64.b64encode(known[what]).decode()
            for name, what in (("client-certificate-data", "certificate"), ("client-key-data", "key"))
            if known[what]
        }
        user |= {"token": known["token"]} if known["token"] else {}
        name = self.context
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        }
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(json.dumps(document, indent=2), "utf-8")


def _access(api: Api) -> dict[str, Any]:
    """How an API server is reached: `serverName`, `ca`, `certificate` and `key` (PEM), `token`, `insecure`; empty where
    there is none. What a helper of the kubeconfig gives is taken as it is now."""
    known = api.configuration

    def pem(path: str | None) -> bytes:
        return Path(path).read_bytes() if path else b""

    header = next((s["value"] for s in known.auth_settings().values() if s["in"] == "header"), "") or ""
    scheme, _, token = str(header).partition(" ")
    return {
        "serverName": known.tls_server_name or urlsplit(api.host).hostname or "",
        "ca": pem(known.ssl_ca_cert),
        "certificate": pem(known.cert_file),
        "key": pem(known.key_file),
        "token": token if scheme == "Bearer" else "",
        "insecure": not known.verify_ssl,
    }


def _refused(context: str, host: str, error: ApiError) -> str:
    """What an answer, or none, means, and what to do."""
    if error.status in {401, 403}:
        return (
            f"context {context}: {host} does not take its credentials ({error.message}): a token or certificate of "
            f"another day, or of another cluster. Log in again; `kubectl --context {context} auth whoami` has to work"
        )
    return (
        f"context {context}: {host} does not answer as an API server ({error.message}). Is the cluster up, and is the "
        f"kubeconfig of today? `kubectl --context {context} version` has to work"
    )


def skew(version: str, pinned: str) -> str:
    """What is to be said of a cluster's version, for who tests with `pinned`; empty if they fit. Raises EngineError for
    one that is too old for this Argo CD's client.

    >>> skew("1.36.2", "1.37.2")
    ''
    """
    theirs, ours = _minor(version), _minor(pinned)
    if theirs < ours - OLDER:
        raise EngineError(
            f"Kubernetes {version} is older than what Argo CD's client can be relied on with: expected "
            f"1.{ours - OLDER} or newer. Test on a newer cluster, or on the embedded one"
        )
    if abs(theirs - ours) > 1:
        return (
            f"it runs Kubernetes {version}, and `admit` asks {pinned}: more than a minor version apart, so objects may "
            "be taken by one and refused by the other (see `kubernetes:`)"
        )
    return ""


def _minor(version: str) -> int:
    found = re.match(r"v?1\.(\d+)", version)
    if found is None:
        raise EngineError(f"expected a version of Kubernetes, saw {version!r}")
    return int(found[1])
