"""What the repository's own settings may not say here: nothing of a pull request runs a program on this machine.

In a cluster an administrator applies those ConfigMaps; here whoever opens a pull request could. What is left out is
told, so that nobody wonders why a render is another one than in production.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_gitops.argocd import parameters
from pytest_gitops.model import Finding, Severity
from pytest_gitops.repository.discovery import Declared
from pytest_gitops.repository.manifest import ManifestError, dump, parse

NAME = "argocd-cm"

PROGRAMS = ("kustomize.path.", "kustomize.version.")
"""Keys that name a program to run (Argo CD: util/settings/settings.go)."""

OPEN_LIBRARIES = "resource.customizations.useOpenLibs."
"""Keys that give Lua scripts the libraries for files and programs."""

CUSTOMIZATIONS = "resource.customizations"
"""All of them as one text of YAML, as they were written before Argo CD 1.2."""

BUILD_OPTIONS = "kustomize.buildOptions"

FLAGS = {
    "--enable-helm": False,
    "--helm-debug": False,
    "--helm-api-versions": True,
    "--helm-kube-version": True,
    "--load-restrictor": True,
    "--as-current-user": False,
    "--stack-trace": False,
    "--reorder": True,
    "--enable-managedby-label": False,
}
"""The flags of `kustomize build` that only say how to build, and whether they take a value. All others run programs
or containers, or write files."""

UNRESTRICTED = "LoadRestrictionsNone"

LEFT_OUT = (
    "is left out of this run: it would run programs, or read files, of the machine that tests the change"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The repository's ConfigMaps as they are applied, and what is said of that which was left out."""

    manifests: tuple[Mapping[str, Any], ...] = ()
    findings: tuple[Finding, ...] = ()


def tame(declared: Sequence[Declared], *, confined: bool) -> Settings:
    """The ConfigMaps of `declared` without what would run programs, and of Argo CD's parameters only what its processes
    get. Where the repo-server is `confined` to its own files, kustomize may read all that it can."""
    manifests, findings = [], []
    for each in declared:
        data = each.manifest.get("data")
        if each.name not in {NAME, parameters.NAME} or not isinstance(data, Mapping):
            manifests.append(each.manifest)
            continue
        kept: dict[str, Any] = {}
        if each.name == parameters.NAME:
            kept, unused = parameters.judged(data, confined=confined)
            findings += [_finding(each, u.key, f"{u.key}: {u.why}") for u in unused]
        else:
            for key, value in data.items():
                allowed, left_out = _allowed(str(key), value, confined=confined)
                if allowed is not None:
                    kept[key] = allowed
                findings += [_finding(each, str(key), f"{what} {LEFT_OUT}") for what in left_out]
        manifests.append({**each.manifest, "data": kept})
    return Settings(manifests=tuple(manifests), findings=tuple(findings))


def _allowed(key: str, value: Any, *, confined: bool) -> tuple[Any, list[str]]:
    """What of a value may stay, None for nothing, and what is left out of it."""
    if key.startswith(PROGRAMS):
        return None, [f"{key}: {value}"]
    if key.startswith(OPEN_LIBRARIES):
        return None, [f"{key}: {value}"] if str(value).lower() not in {"false", "f", "0"} else []
    if key == CUSTOMIZATIONS:
        return _customizations(str(value))
    if key == BUILD_OPTIONS or key.startswith(f"{BUILD_OPTIONS}."):
        kept, left_out = [], []
        for words in _flags(str(value)):
            flag, _, given = words.replace(" ", "=", 1).partition("=")
            unrestricted = flag == "--load-restrictor" and given != "LoadRestrictionsRootOnly"
            if flag in FLAGS and (confined or not unrestricted):
                kept.append(words)
            else:
                left_out.append(f"{key}: {words}")
        return " ".join(kept), left_out
    return value, []


def _flags(text: str) -> Iterator[str]:
    """Each flag with its value, divided where Argo CD divides: at white space."""
    words = iter(text.split())
    for word in words:
        if FLAGS.get(word):
            value = next(words, "")
            yield f"{word} {value}".rstrip()
        else:
            yield word


def _customizations(text: str) -> tuple[str | None, list[str]]:
    if "useopenlibs" not in text.lower():
        return text, []
    what = f"{CUSTOMIZATIONS}: health.lua.useOpenLibs"
    try:
        (document,) = parse(text)
        value = document.value
        # Go takes the key in any case.
        kept = {
            kind: {k: v for k, v in each.items() if "useopenlibs" not in str(k).lower()}
            for kind, each in value.items()
        }
    except (ManifestError, ValueError, AttributeError):
        return None, [what]
    return dump(kept), [what]


def _finding(declared: Declared, key: str, what: str) -> Finding:
    return Finding(
        rule="setting-not-applied",
        severity=Severity.WARNING,
        message=f"ConfigMap {declared.name}: {what}",
        file=declared.file,
        line=declared.document.line_of("data", key),
        help="what needs it may be judged differently here than in production",
    )
