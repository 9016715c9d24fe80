"""A cluster of containers, made by kind for one run and deleted with it: what is on it really runs.

FOLDER/NAME    one empty file for each cluster of ours, under flock for as long as its run lives. Whoever can lock it
               knows that the run is dead, and deletes the cluster.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.errors import EngineError
from pytest_gitops.processes import process
from pytest_gitops.waiting import wait_until

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api

PREFIX = "pytest-gitops-"
"""What the name of each cluster of ours begins with."""

RECORDS = "kind-clusters"
"""The folder of the cache in which the kind clusters of all runs are written down."""

CREATE_SECONDS = 600.0
"""Seconds that kind may take; the first time it pulls its node image."""

NODE_SECONDS = 120
"""Seconds that the nodes may take to be Ready, kind's own `--wait`."""

DNS_SECONDS = 120.0
"""Seconds that CoreDNS may take after that; without it Pods that ask for names fail at first."""

KIND_SECONDS = 120.0
"""Seconds that any other command of kind may take."""

ENGINE = ("DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST", "KIND_EXPERIMENTAL_PROVIDER")
"""What says in the environment which container engine there is."""

LOAD_SECONDS = 600.0
"""Seconds that loading one image may take."""

PODMAN = "enabling experimental podman provider"
"""What kind says where it takes Podman."""

ARCHIVES = (".tar", ".tar.gz", ".tgz")

INSTEAD = "or leave --gitops-cluster out: the embedded cluster needs no container engine"


NO_ENGINE = re.compile(
    r"Cannot connect to (?:the Docker daemon|Podman)|failed to connect to the docker API|Is the docker daemon running|"
    r'exec: "(?:docker|podman|nerdctl)": executable file not found|permission denied while trying to connect to the'
)
"""What kind quotes where there is no container engine, or none that we may use."""


class Kind:
    """The cluster `name`, made by `tool` from `config`, the text of a kind configuration (empty: kind's default).

    `node_image` is what its nodes run, empty for kind's own; `images` are loaded into them: names that the container
    engine has, or archives. `directory` is private to the run and holds the kubeconfig; `records` is where the
    clusters of all runs are written down.
    """

    provider = "kind"
    simulated: tuple[str, ...] = ()

    def __init__(
        self,
        tool: Path,
        *,
        name: str,
        directory: Path,
        records: Path,
        environ: Mapping[str, str],
        config: str = "",
        node_image: str = "",
        images: Sequence[str] = (),
    ) -> None:
        self._tool, self.name, self._directory = tool, name, directory
        self.records, self._environ = records, {k: v for k, v in environ.items() if k != "KUBECONFIG"}
        self._config, self._node_image, self._images = config, node_image, images
        self._record: IO[bytes] | None = None
        self._podman = False
        self.kubeconfig = directory / "kubeconfig"
        self.version = ""
        self._host = ""

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self._host)
        return parts.hostname or "", parts.port or 443

    def start(self) -> None:
        """Return when the nodes are Ready and the images are there; names are answered after `settle`. Raises
        EngineError, with what to do, if there is no container engine, or the cluster does not come up; nothing is left
        of it then."""
        self._directory.mkdir(mode=0o700, parents=True)
        self.remove_dead()
        if self.name in self._clusters():
            raise EngineError(
                f"kind has a cluster {self.name} already, which is not of this run, so it is neither used nor deleted. "
                f"Delete it if nobody needs it: kind delete cluster --name {self.name}"
            )
        self._record = _locked(self.records / self.name)
        if self._record is not None:
            self._record.write(self._engine.encode())
            self._record.flush()
        try:
            self._create()
            self._reach()
        except BaseException:
            with contextlib.suppress(EngineError):  # why it did not come up is the news
                self.close()
            raise

    def stay(self) -> None:
        """Return when the cluster is there as it was, made if there was none of that name, with the images. `close`
        leaves it. Raises EngineError like `start`."""
        self._directory.mkdir(mode=0o700, parents=True)
        with (
            _locked(self.records.parent / "locks" / f"kind-{self.name}", wait=True)
            or contextlib.nullcontext()
        ):
            # Of two runs that begin at once, one makes it.
            if self.name not in self._clusters():
                self._create()
            else:
                self.kubeconfig.touch(mode=0o600)
                self.kubeconfig.write_text(self._kind("get", "kubeconfig", "--name", self.name), "utf-8")
            self._reach()
            self.settle()

    def connect(self) -> Api:
        """The way to its API server, with full rights. Raises EngineError."""
        from pytest_gitops.clusters.api import Api  # late: it takes a quarter of a second

        return Api(self.kubeconfig)

    def settle(self) -> None:
        """Return when names are answered: CoreDNS comes up some seconds after the nodes. Raises EngineError."""
        api = self.connect()
        wait_until(
            lambda: _answers_names(api), limit=DNS_SECONDS, what=f"CoreDNS of the kind cluster {self.name}"
        )

    def _reach(self) -> None:
        for image in self._images:
            self._load(image)
        api = self.connect()
        try:
            self._host, self.version = api.host, api.server_version()
        except ApiError as error:
            raise EngineError(
                f"the kind cluster {self.name} is there, and its API server does not answer ({error.message}). Start "
                f"its nodes (`docker start {self.name}-control-plane`), or delete it: kind delete cluster --name "
                f"{self.name}"
            ) from error

    def remove_dead(self) -> tuple[str, ...]:
        """Delete the clusters that runs left which were killed; those of runs that go on stay. Returns their names.
        Raises EngineError if the container engine does not answer."""
        removed = []
        for record in sorted(self.records.glob(f"{PREFIX}*")):
            held = _locked(record)
            if held is None:
                continue
            with held:
                if record.read_text("utf-8") not in {"", self._engine}:
                    continue  # it is with another container engine
                self._delete(record.name)
                record.unlink(missing_ok=True)
                removed.append(record.name)
        return tuple(removed)

    def export_logs(self, folder: Path) -> None:
        """Write what the nodes and all containers said below `folder`. Raises EngineError."""
        folder.mkdir(parents=True, exist_ok=True)
        self._kind("export", "logs", folder, "--name", self.name)

    def close(self, *, keep: bool = False) -> None:
        """Delete the cluster, or, with `keep`, leave it to the user; safe to call more than once."""
        if self._record is None:
            return
        record, self._record = self._record, None
        with record:
            if not keep:
                self._delete(self.name)
            (self.records / self.name).unlink(missing_ok=True)

    def _create(self) -> None:
        words: list[str | Path] = ["--name", self.name, "--kubeconfig", self.kubeconfig]
        words += ["--wait", f"{NODE_SECONDS}s"]
        if self._config:
            file = self._directory / "kind-config.yaml"
            file.write_text(self._config, "utf-8")
            words += ["--config", file]
        if self._node_image:
            words += ["--image", self._node_image]
        self._kind("create", "cluster", *words, limit=CREATE_SECONDS)
        self.kubeconfig.chmod(0o600)

    def _load(self, image: str) -> None:
        if image.endswith(ARCHIVES) or not self._podman:
            how = "image-archive" if image.endswith(ARCHIVES) else "docker-image"
            self._kind("load", how, image, "--name", self.name, limit=LOAD_SECONDS)
            return
        packed = self._directory / "image.tar"
        words = ("podman", "save", "--quiet", "--output", packed, image)
        saved = process.run(*words, env=self._environ, check=False, limit=LOAD_SECONDS)
        if saved.status != 0:
            raise EngineError(said("load docker-image", saved.stderr))
        self._kind("load", "image-archive", packed, "--name", self.name, limit=LOAD_SECONDS)
        packed.unlink()

    def _delete(self, name: str) -> None:
        """Delete a cluster, and see that it is gone: one whose node was just being started has outlived its deletion.
        Raises EngineError."""

        def gone() -> bool:
            self._kind("delete", "cluster", "--name", name)
            return name not in self._clusters()

        wait_until(gone, limit=KIND_SECONDS, what=f"the end of the kind cluster {name}", pause=1)

    @property
    def _engine(self) -> str:
        """Which container engine has the clusters, as the environment says."""
        return " ".join(f"{name}={self._environ[name]}" for name in ENGINE if self._environ.get(name))

    def _clusters(self) -> list[str]:
        return self._kind("get", "clusters").split()

    def _kind(self, *words: str | Path, limit: float = KIND_SECONDS) -> str:
        done = process.run(self._tool, *words, env=self._environ, check=False, limit=limit)
        # Its `load docker-image` asks Docker, whatever engine it has.
        self._podman = self._podman or PODMAN in done.stderr
        if done.status != 0:
            raise EngineError(said(" ".join(map(str, words[:2])), done.stderr or done.stdout))
        return done.stdout


def said(command: str, text: str) -> str:
    """What a failure of kind means, and what to do. `command` is what was asked, `text` what kind wrote.

    >>> said("get clusters", "Cannot connect to the Docker daemon at unix:///x").partition(": ")[0]
    'no container engine answers'
    """
    tail = process.last_lines(text)
    if NO_ENGINE.search(text):
        return (
            f"no container engine answers: start Docker or Podman, {INSTEAD}. kind said:\n{tail}\n"
            "Beside Docker's command kind takes Podman with KIND_EXPERIMENTAL_PROVIDER=podman only"
        )
    if "no space left on device" in text:
        return f"kind {command}: no space left on device. Make room where the container engine keeps images " \
            f"(`docker system df` shows what takes it), {INSTEAD}. kind said:\n{tail}"  # fmt: skip
    if re.search(
        r"image: \"[^\"]+\" not present locally|no such image|pull access denied|failed to pull image"
        r"|image not known",
        text,
    ):
        return (
            f"kind {command}: the container engine has no such image, and could not get it. Pull or build it first; a "
            f"node image is made without any registry by `pytest-gitops kind-node build`. kind said:\n{tail}"
        )
    return f"kind {command} failed:\n{tail or 'It wrote nothing.'}"


def _locked(record: Path, *, wait: bool = False) -> IO[bytes] | None:
    """The file, open and locked; None if a run that goes on has it, and nobody is to `wait` for that."""
    record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = record.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        file.close()
        return None
    return file


def _answers_names(api: Api) -> bool:
    """Whether CoreDNS is there; a cluster whose configuration leaves it out is not waited for."""
    path = "/apis/apps/v1/namespaces/kube-system/deployments"
    with contextlib.suppress(ApiError):
        found = [d for d in api.get(path)["items"] if d["metadata"]["name"] == "coredns"]
        return all((d.get("status") or {}).get("availableReplicas") for d in found)
    return False
