"""What the repository's `argocd-cmd-params-cm` says to Argo CD's processes.

None of them reads that ConfigMap: the pods of an installation get its keys as environment variables (configMapKeyRef in
Argo CD's manifests/base, v3.6.1), and so do our processes. TABLE has the keys that decide what is rendered, compared,
generated or synced. Addresses, trust, logs and pace are the run's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_gitops.argocd import namespaces, progressive, scm

NAME = "argocd-cmd-params-cm"

CONTROLLER = "argocd-application-controller"
SETS = "argocd-applicationset-controller"
SERVER = "argocd-repo-server"

SHOWN = 80
"""As much of a value as a message shows."""


@dataclass(frozen=True, slots=True)
class Takes:
    """Which values are handed on: `expected` in words. By others a process would end, or do to the machine what only
    an administrator may allow."""

    expected: str
    fits: Callable[[str], Any]


TEXT = Takes("at most 2000 printable characters", re.compile(r"[ -~]{0,2000}").fullmatch)
"""What Argo CD makes nothing of it takes for its default, as in production."""

POLICY = Takes(
    "sync, create-only, create-update or create-delete",
    re.compile(r"|sync|create-only|create-update|create-delete").fullmatch,
)

SECONDS = Takes(
    "a time below 100s, such as 5s",
    re.compile(r"|\d{1,2}(\.\d{1,3})?s|\d{1,5}ms").fullmatch,
)

MANIFESTS = Takes(
    "a size of at most 100M, such as 20M",
    re.compile(r"|[1-9]\d{0,7}|[1-9]\d{0,4}(k|Ki)|([1-9]\d?|100)Mi?").fullmatch,
)
"""Argo CD warns of three hundred times as much memory; 0 would be without a limit."""

ARCHIVE = Takes(
    "a size of at most 1G, such as 500M",
    re.compile(r"|[1-9]\d{0,8}|[1-9]\d{0,5}(k|Ki)|[1-9]\d{0,2}Mi?|1Gi?").fullmatch,
)

PATTERNS = Takes(
    "names of namespaces, globs, or simple regular expressions between slashes", namespaces.are_usable
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A key that is handed on, and the variable that has it in `process`; without one it is made a flag of."""

    key: str
    process: str = ""
    variable: str = ""
    takes: Takes = TEXT


TABLE = (
    Parameter(namespaces.APPLICATIONS, takes=PATTERNS),
    Parameter(namespaces.SETS, takes=PATTERNS),
    Parameter(progressive.PARAMETER),
    Parameter("controller.diff.server.side", CONTROLLER, "ARGOCD_APPLICATION_CONTROLLER_SERVER_SIDE_DIFF"),
    Parameter(
        "controller.ignore.normalizer.jq.timeout", CONTROLLER, "ARGOCD_IGNORE_NORMALIZER_JQ_TIMEOUT", SECONDS
    ),
    Parameter("applicationsetcontroller.policy", SETS, "ARGOCD_APPLICATIONSET_CONTROLLER_POLICY", POLICY),
    Parameter(
        "applicationsetcontroller.enable.policy.override",
        SETS,
        "ARGOCD_APPLICATIONSET_CONTROLLER_ENABLE_POLICY_OVERRIDE",
    ),
    Parameter(
        "applicationsetcontroller.enable.new.git.file.globbing",
        SETS,
        "ARGOCD_APPLICATIONSET_CONTROLLER_ENABLE_NEW_GIT_FILE_GLOBBING",
    ),
    Parameter("applicationsetcontroller.enable.git.submodule", SETS, "ARGOCD_GIT_MODULES_ENABLED"),
    Parameter(
        "applicationsetcontroller.global.preserved.annotations",
        SETS,
        "ARGOCD_APPLICATIONSET_CONTROLLER_GLOBAL_PRESERVED_ANNOTATIONS",
    ),
    Parameter(
        "applicationsetcontroller.global.preserved.labels",
        SETS,
        "ARGOCD_APPLICATIONSET_CONTROLLER_GLOBAL_PRESERVED_LABELS",
    ),
    Parameter(
        "applicationsetcontroller.enable.tokenref.strict.mode",
        SETS,
        "ARGOCD_APPLICATIONSET_CONTROLLER_TOKENREF_STRICT_MODE",
    ),
    Parameter(scm.ENABLED, SETS, "ARGOCD_APPLICATIONSET_CONTROLLER_ENABLE_SCM_PROVIDERS"),
    Parameter(scm.ALLOWED, SETS, "ARGOCD_APPLICATIONSET_CONTROLLER_ALLOWED_SCM_PROVIDERS"),
    Parameter("reposerver.enable.git.submodule", SERVER, "ARGOCD_GIT_MODULES_ENABLED"),
    Parameter(
        "reposerver.include.hidden.directories", SERVER, "ARGOCD_REPO_SERVER_INCLUDE_HIDDEN_DIRECTORIES"
    ),
    Parameter("reposerver.allow.oob.symlinks", SERVER, "ARGOCD_REPO_SERVER_ALLOW_OUT_OF_BOUNDS_SYMLINKS"),
    Parameter("reposerver.oci.layer.media.types", SERVER, "ARGOCD_REPO_SERVER_OCI_LAYER_MEDIA_TYPES"),
    Parameter(
        "reposerver.max.combined.directory.manifests.size",
        SERVER,
        "ARGOCD_REPO_SERVER_MAX_COMBINED_DIRECTORY_MANIFESTS_SIZE",
        MANIFESTS,
    ),
    Parameter(
        "reposerver.helm.manifest.max.extracted.size",
        SERVER,
        "ARGOCD_REPO_SERVER_HELM_MANIFEST_MAX_EXTRACTED_SIZE",
        ARCHIVE,
    ),
    Parameter(
        "reposerver.oci.manifest.max.extracted.size",
        SERVER,
        "ARGOCD_REPO_SERVER_OCI_MANIFEST_MAX_EXTRACTED_SIZE",
        ARCHIVE,
    ),
)

OUTSIDE = "reposerver.allow.oob.symlinks"
"""Lets links lead out of the repository: only where the repo-server can read nothing but its own."""

OURS = re.compile(
    r"(server|notificationscontroller|dexserver|commitserver|redis|otlp|log|repo|commit)\..*"
    # where they listen, whom they trust, what they write down
    r"|(controller|reposerver|applicationsetcontroller)\."
    r"(log|grpc\.enable|k8s|k8sclient|metrics|profile|tls|client|repo\.server|scm\.root\.ca)\..*"
    r"|reposerver\.(listen\.address|disable\.tls|helm\.user\.agent|enable\.builtin\.git\.config)"
    r"|applicationsetcontroller\.(debug|enable\.leader\.election|enable\.github\.api\.metrics)"
    r"|controller\.(resource\.health\.persist|sharding\.algorithm)"
    # how fast they work, and what they keep
    r"|controller\.(status|operation|hydration)\.processors|controller\.kubectl\.parallelism\.limit"
    r"|controller\.(self\.heal|sync\.wave\.delay|repo\.error\.grace\.period)\..*"
    r"|(controller|reposerver)\.(app\.state|cluster|default|repo|revision)\.cache\..*"
    r"|reposerver\.(git\..*|parallelism\.limit)"
    r"|applicationsetcontroller\.(concurrent|requeue|status|webhook|wq)\..*"
    # what nobody asks for here: plugins, and manifests from a person's own machine
    r"|reposerver\.(plugin|streamed)\..*"
)
"""Keys that say where and how fast a process works: they change no verdict, and are left out without a word."""

LEFT_OUT = "is left out of this run"

UNSAID = {"", "0", "false"}
"""Values with which a key that is not handed on says nothing: they are its default."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A key that is not handed on, and why."""

    key: str
    why: str


def judged(data: Mapping[Any, Any], *, confined: bool) -> tuple[dict[str, str], list[LeftOut]]:
    """What of the ConfigMap's `data` is handed on, and what is left out though it might change a verdict. Where the
    repo-server is `confined` to its own files, links may lead to wherever it can read."""
    known = {p.key: p for p in TABLE}
    kept, left_out = {}, []
    for key, given in data.items():
        name, value = str(key), "" if given is None else str(given)
        parameter = known.get(name)
        shown = repr(value if len(value) <= SHOWN else f"{value[:SHOWN]}…")
        if parameter is None:
            if not OURS.fullmatch(name) and value.strip().lower() not in UNSAID:
                left_out.append(LeftOut(name, f"{shown} {LEFT_OUT}: Argo CD's processes run without it here"))
        elif not parameter.takes.fits(value):
            left_out.append(LeftOut(name, f"{shown} {LEFT_OUT}: expected {parameter.takes.expected}"))
        elif name == OUTSIDE and value.lower() == "true" and not confined:
            left_out.append(LeftOut(name, f"{shown} {LEFT_OUT}: links would lead to files of this machine"))
        else:
            kept[name] = value
    return kept, left_out


def of(config_maps: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What a repository's ConfigMaps, as they are kept, say. Of several, as several Argo CDs have, the first counts;
    but each says for itself where Applications may live."""
    found = [
        m["data"] for m in config_maps if m["metadata"]["name"] == NAME and isinstance(m.get("data"), Mapping)
    ]
    said = dict(found[0]) if found else {}
    for key in (namespaces.APPLICATIONS, namespaces.SETS):
        lists = [namespaces.listed(data, key) for data in found]
        if key in said:
            said[key] = ",".join(p for each in lists for p in each) if all(lists) else ""
    return said


def environment(process: str, data: Mapping[str, Any]) -> dict[str, str]:
    """The variables by which `process`, by its name, has what `data`, the ConfigMap's as it is kept, says."""
    return dict(_variables(process, data))


def _variables(process: str, data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for parameter in TABLE:
        if parameter.variable and parameter.process == process and data.get(parameter.key):
            yield parameter.variable, str(data[parameter.key])


def policy(data: Mapping[str, Any]) -> tuple[str, bool]:
    """What the applicationset-controller may do to Applications, empty for everything, and whether a set's own
    `applicationsSync` goes before it (Argo CD: applicationset/utils/policy.go)."""
    own = str(data.get("applicationsetcontroller.policy") or "")
    said = str(data.get("applicationsetcontroller.enable.policy.override") or "").lower()
    return own, said == "true" if said in {"true", "false"} else not own
