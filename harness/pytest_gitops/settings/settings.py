"""One frozen Settings for a run, and the only reader of the environment.

Precedence, first one that says something:
1. the command line            --gitops-timeout 60
2. pytest's ini file           gitops_timeout = 60
3. pytest-gitops.yaml          timeout: 60
4. the environment             PYTEST_GITOPS_CACHE, PYTEST_GITOPS_TOOL_<NAME>, PYTEST_GITOPS_SHARD,
                               PYTEST_GITOPS_CREDENTIALS; branch names that CI systems announce
5. the default
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pytest_gitops.model import Severity
from pytest_gitops.settings.credentials import Credential
from pytest_gitops.settings.expectations import Expectation
from pytest_gitops.settings.nodes import NodePool
from pytest_gitops.settings.registered import RegisteredCluster
from pytest_gitops.settings.shards import Shard
from pytest_gitops.settings.waivers import WaiverEntry

DEFAULT_TIMEOUT = 300.0
"""Seconds that an Application may take to become Synced and Healthy."""

DEFAULT_KUBERNETES = "1.37"
"""The version whose API server judges objects: that of the embedded cluster."""

DEFAULT_CLUSTER_LIMIT = 4
"""Control planes that may stand in for destination clusters at once: each takes 700 MB."""

DEFAULT_TIMEOUT_LIMIT = 1800.0
"""Seconds up to which an Application's own annotation may lengthen its deadline."""

DEFAULT_POLICY_TIMEOUT = 10.0
"""Seconds that one policy rule may take for everything it is asked about at once."""

TARGET_BRANCH_VARIABLES = (
    "GITHUB_BASE_REF",  # GitHub Actions, pull requests
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME",  # GitLab
    "CHANGE_TARGET",  # Jenkins
    "BITBUCKET_PR_DESTINATION_BRANCH",
    "SYSTEM_PULLREQUEST_TARGETBRANCHNAME",  # Azure DevOps
    "CI_DEFAULT_BRANCH",  # GitLab, outside merge requests
)
"""Where CI systems name the branch that the change will be merged into."""


class Provider(StrEnum):
    """Who provides the cluster."""

    EMBEDDED = "embedded"
    KIND = "kind"
    KUBECONFIG = "kubeconfig"
    NONE = "none"


Network = Literal["deny", "allow"]

UnknownKinds = Literal["error", "stub"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartRepository:
    """A chart repository that is served from a folder of the repository: `path` is relative to its root."""

    url: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file of the web that the configuration names: by its https:// URL, in `line` of `file`. `host` is the URL's;
    `where` is what errors call the place."""

    url: str
    host: str
    where: str
    file: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeout:
    """Seconds for the Applications whose "namespace/name" fits the glob `application`."""

    application: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What head is compared with: the merge base of HEAD and the revision `name`."""

    name: str
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How `--gitops-cluster kind` makes its cluster: `config` is the text of kind's own configuration, empty for its
    default; `node_image` what nodes run, empty for kind's own; `images` what is loaded into them. `name` is that of a
    cluster that stays, empty for one of the run's own."""

    name: str = ""
    config: str = ""
    node_image: str = ""
    images: tuple[str, ...] = ()

    @property
    def context(self) -> str:
        """The context that kind gives the cluster that stays; empty without one."""
        return f"kind-{self.name}" if self.name else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a run can be told. Paths of the repository are relative to `root`, its directory under test."""

    root: Path
    report: Path
    cache: Path
    environ: Mapping[str, str] = field(repr=False)
    stages: tuple[str, ...] = ()
    provider: Provider = Provider.EMBEDDED
    base: Base | None = None
    network: Network = "deny"
    allowed_hosts: tuple[str, ...] = ()
    timeout: float = DEFAULT_TIMEOUT
    timeouts: tuple[Timeout, ...] = ()
    timeout_limit: float = DEFAULT_TIMEOUT_LIMIT
    strict: bool = False
    keep: bool = False
    changed: bool = False
    shard: Shard | None = None
    only_tests: bool = False  # pytest is given nothing that may have an Application
    durations: Mapping[str, float] = field(
        default_factory=dict
    )  # seconds by "namespace/name", of a run before
    update: bool = False
    keep_renders: bool = True
    urls: tuple[str, ...] = ()
    others: tuple[str, ...] = ()  # URLs of repositories that only look like this one
    branches: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    charts: tuple[ChartRepository, ...] = ()
    clusters: tuple[RegisteredCluster, ...] = ()
    cluster_limit: int = DEFAULT_CLUSTER_LIMIT
    contexts: tuple[str, ...] = ()
    kind: Kind = field(default_factory=Kind)
    allow_shared: bool = False
    crds: tuple[str, ...] = ()
    crd_urls: tuple[RemoteFile, ...] = ()
    prerequisites: tuple[str, ...] = ()
    kubernetes: tuple[str, ...] = (DEFAULT_KUBERNETES,)
    unknown_kinds: UnknownKinds = "error"
    nodes: tuple[NodePool, ...] = ()
    statuses: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)  # by "group/Kind", a glob
    argo_rollouts: bool | None = None  # None: where something of its is rendered
    policy_folders: tuple[Path, ...] = ()
    policy_data: Mapping[str, Any] = field(default_factory=dict)
    policy_data_files: tuple[Path, ...] = ()
    policy_namespaces: tuple[str, ...] = ("*",)
    policy_timeout: float = DEFAULT_POLICY_TIMEOUT
    fail_on: Severity = Severity.ERROR
    waivers: tuple[WaiverEntry, ...] = ()
    rbac: tuple[Expectation, ...] = ()
    tools: Mapping[str, Path] = field(default_factory=dict)
    mirrors: Mapping[str, str] = field(default_factory=dict)
    credentials: tuple[Credential, ...] = ()
    command: str = "pytest --gitops"

    @property
    def unchecked(self) -> Severity:
        """How much it weighs that something could not be checked."""
        return Severity.ERROR if self.strict else Severity.WARNING


def environment() -> dict[str, str]:
    """A copy of the process's environment."""
    return dict(os.environ)


def kubeconfig(environ: Mapping[str, str]) -> str:
    """Where kubectl would look for contexts: files, divided by ":"."""
    return environ.get("KUBECONFIG") or str(Path(environ.get("HOME") or Path.home()) / ".kube" / "config")


def default_cache(environ: Mapping[str, str]) -> Path:
    """Where tools are kept between runs: PYTEST_GITOPS_CACHE, else the platform's cache folder."""
    if chosen := environ.get("PYTEST_GITOPS_CACHE"):
        return Path(chosen).expanduser()
    home = Path(environ.get("HOME") or Path.home())
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "pytest-gitops"
    return Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "pytest-gitops"


def explicit_tools(environ: Mapping[str, str]) -> dict[str, Path]:
    """The tools whose paths are given: PYTEST_GITOPS_TOOL_KUBE_APISERVER=/path names kube-apiserver."""
    prefix = "PYTEST_GITOPS_TOOL_"
    return {
        name.removeprefix(prefix).lower().replace("_", "-"): Path(value).expanduser()
        for name, value in environ.items()
        if name.startswith(prefix) and value
    }


SHARD_VARIABLE = "PYTEST_GITOPS_SHARD"
"""What stands for `--gitops-shard` where neither the command line nor an ini file says anything."""


def tool_mirrors(environ: Mapping[str, str]) -> dict[str, str]:
    """Release hosts that are replaced: PYTEST_GITOPS_MIRRORS="dl.k8s.io=https://mirror.example/k8s …"."""
    pairs = (word.partition("=") for word in environ.get("PYTEST_GITOPS_MIRRORS", "").split())
    return {host: url for host, _, url in pairs if url}


def announced_branches(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The branches that CI says the working tree will become part of, most specific first."""
    names = (environ.get(v, "").removeprefix("refs/heads/") for v in TARGET_BRANCH_VARIABLES)
    return tuple(dict.fromkeys(n for n in names if n))
