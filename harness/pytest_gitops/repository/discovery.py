"""What a repository declares: Applications, ApplicationSets, AppProjects, Argo CD's own configuration, and Secrets.

Reads files only, never fails as a whole: what cannot be read becomes a Problem beside everything that can.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_gitops.model import Case, Destination, Finding, Origin, Severity, Source
from pytest_gitops.repository.manifest import Document, ManifestError, parse

GROUP = "argoproj.io/"
ENDINGS = (".yaml", ".yml", ".json")

MAX_BYTES = 10 * 1024 * 1024
"""Larger files are not searched; Argo CD itself refuses more than 10 MiB of manifests in a directory
(--max-combined-directory-manifests-size)."""

SETTINGS_NAMES = ("argocd-cm", "argocd-rbac-cm", "argocd-cmd-params-cm", "argocd-gpg-keys-cm")
"""Argo CD's own ConfigMaps that a repository may bring (operator manual, "Declarative setup").
The TLS and SSH known-hosts ones hold trust for hosts of the outside and are ours."""

# A line that can only be the kind of one of Argo CD's objects, for files that are not YAML.
KIND_LINE = re.compile(rb"^\s*[\"']?kind[\"']?\s*:\s*[\"']?(Application|ApplicationSet|AppProject)\b", re.MULTILINE)


SECRET_LINE = re.compile(rb"kind[\"']?\s*:\s*[\"']?Secret\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One object of Argo CD's, or a Secret, as it stands in a file."""

    kind: str
    namespace: str
    name: str
    file: str
    line: int
    document: Document

    @property
    def manifest(self) -> Mapping[str, Any]:
        value: Mapping[str, Any] = self.document.value
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A file, or a document in one, that cannot be understood."""

    file: str
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Declarations:
    """Everything found, in the order of files and lines. `control` is the namespace Argo CD lives in."""

    control: str
    applications: tuple[Declared, ...]
    application_sets: tuple[Declared, ...]
    projects: tuple[Declared, ...]
    settings: tuple[Declared, ...]
    secrets: tuple[Declared, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Finding, ...]
    searched: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """A file as discovery needs it: its path, and its size in bytes where known."""

    path: str
    size: int = 0


def discover(
    entries: Iterable[FileEntry], read: Callable[[Sequence[str]], Mapping[str, bytes]], *, ignore: Sequence[str] = ()
) -> Declarations:
    """Search `entries` for what Declarations has; `read` gives the content of paths, in bulk. `ignore` are globs."""
    entries = sorted(entries, key=lambda e: e.path)
    folders = {posixpath.dirname(e.path) for e in entries if posixpath.basename(e.path) == "Chart.yaml"}
    wanted, warnings = [], []
    for entry in entries:
        if not entry.path.endswith(ENDINGS) or _ignored(entry.path, ignore) or _is_template(entry.path, folders):
            continue
        if entry.size > MAX_BYTES:
            warnings.append(_too_large(entry))
            continue
        wanted.append(entry.path)
    search = _Search()
    contents = read(wanted)
    search.patches = _patch_files(contents)
    for path in wanted:
        search.file(path, contents.get(path, b""))
    return search.result(tuple(warnings))


def _ignored(path: str, globs: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, g) for g in globs)


def _is_template(path: str, charts: set[str]) -> bool:
    """Templates and subcharts of a Helm chart are not manifests yet: they are found by rendering."""
    parts = path.split("/")
    return any(
        "/".join(parts[:i]) in charts and parts[i] in {"templates", "charts", "crds"}
        or (i == 0 and "" in charts and parts[0] in {"templates", "charts", "crds"})
        for i in range(len(parts) - 1)
    )


def _too_large(entry: FileEntry) -> Finding:
    return Finding(
        rule="file-too-large",
        severity=Severity.WARNING,
        message=f"{entry.path} has {entry.size / 1048576:.0f} MiB and was not searched for Applications "
        f"(the limit is {MAX_BYTES // 1048576} MiB, Argo CD's own for a directory)",
        file=entry.path,
        help="move Applications into smaller files, or name the file under `ignore:` in pytest-gitops.yaml",
    )


def _patch_files(contents: Mapping[str, bytes]) -> set[str]:
    """Files that a kustomization uses as patches: they look like Applications, but are parts of some."""
    found = set()
    for path, content in contents.items():
        folder, name = posixpath.split(path)
        if name not in {"kustomization.yaml", "kustomization.yml"}:
            continue
        try:
            documents = parse(content)
        except ManifestError:
            continue  # the Application that renders it will say so
        for document in documents:
            if isinstance(document.value, dict):
                found.update(posixpath.normpath(posixpath.join(folder, p)) for p in _patches(document.value))
    return found


def _patches(kustomization: Mapping[str, Any]) -> Iterable[str]:
    for key in ("patches", "patchesStrategicMerge", "patchesJson6902", "transformers", "replacements"):
        for entry in kustomization.get(key) or ():
            path = entry.get("path") if isinstance(entry, dict) else entry
            if isinstance(path, str) and "\n" not in path:
                yield path


class _Search:
    def __init__(self) -> None:
        self.found: list[Declared] = []
        self.problems: list[Problem] = []
        self.warnings: list[Finding] = []
        self.patches: set[str] = set()
        self.searched = 0

    def file(self, path: str, content: bytes) -> None:
        if GROUP.encode() not in content and b"argocd-" not in content and not SECRET_LINE.search(content):
            return
        if path in self.patches:
            return
        self.searched += 1
        try:
            documents = parse(content)
        except ManifestError as error:
            if KIND_LINE.search(content):
                self._problem("yaml-invalid", path, error.line, f"not YAML: {error.problem}", "correct the YAML")
            return
        for document in documents:
            for item in document.items():
                self.document(path, item)

    def document(self, path: str, document: Document) -> None:
        value = document.value
        if not isinstance(value, Mapping):
            if isinstance(value, list) and any(_is_ours(v) for v in value):
                self._problem(
                    "not-a-mapping",
                    path,
                    document.line,
                    f"expected a manifest, a mapping with apiVersion and kind; saw a {_yaml_word(value)}",
                    "write each Application as a document of its own, divided by ---",
                )
            return
        kind, api = value.get("kind"), value.get("apiVersion")
        metadata = value.get("metadata")
        if kind == "Secret" and api == "v1" and isinstance(metadata, Mapping) and metadata.get("name"):
            self._declare("Secret", metadata, path, document)
        elif kind == "ConfigMap" and isinstance(metadata, Mapping) and metadata.get("name") in SETTINGS_NAMES:
            self._declare("ConfigMap", metadata, path, document)
        elif isinstance(api, str) and api.startswith(GROUP) and kind in {"Application", "ApplicationSet", "AppProject"}:
            if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str):
                self._problem(
                    "no-name",
                    path,
                    document.line_of("metadata"),
                    f"{kind} without metadata.name",
                    "give it a name; Argo CD needs one",
                )
            else:
                self._declare(str(kind), metadata, path, document)

    def _declare(self, kind: str, metadata: Mapping[str, Any], path: str, document: Document) -> None:
        namespace = metadata.get("namespace")
        self.found.append(
            Declared(
                kind=kind,
                namespace=namespace if isinstance(namespace, str) else "",
                name=str(metadata["name"]),
                file=path,
                line=document.line,
                document=document,
            )
        )

    def _problem(self, rule: str, path: str, line: int, message: str, help_: str) -> None:
        finding = Finding(rule=rule, severity=Severity.ERROR, message=message, file=path, line=line, help=help_)
        self.problems.append(Problem(file=path, finding=finding))

    def result(self, warnings: tuple[Finding, ...]) -> Declarations:
        def of(*kinds: str) -> tuple[Declared, ...]:
            return tuple(d for d in self.found if d.kind in kinds)

        return Declarations(
            control=control_namespace(of("Application", "ApplicationSet", "AppProject")),
            applications=of("Application"),
            application_sets=of("ApplicationSet"),
            projects=of("AppProject"),
            settings=of("ConfigMap"),
            secrets=of("Secret"),
            problems=tuple(self.problems),
            warnings=warnings + tuple(self.warnings),
            searched=self.searched,
        )


def _is_ours(value: Any) -> bool:
    return isinstance(value, Mapping) and str(value.get("apiVersion", "")).startswith(GROUP)


def _yaml_word(value: Any) -> str:
    return {list: "list", str: "text", int: "number", bool: "boolean"}.get(type(value), type(value).__name__)


def control_namespace(declared: Iterable[Declared]) -> str:
    """The namespace that Argo CD lives in: where the AppProjects are, else where most Applications are."""
    counts: dict[str, int] = {}
    for each in declared:
        if each.namespace:
            # AppProjects exist in the control namespace only, so one of them outweighs any number of Applications.
            counts[each.namespace] = counts.get(each.namespace, 0) + (10**6 if each.kind == "AppProject" else 1)
    return max(sorted(counts), key=lambda n: counts[n]) if counts else "argocd"


def sources_of(manifest: Mapping[str, Any]) -> tuple[Source, ...]:
    """spec.sources, or spec.source alone; entries that are no mappings are left out."""
    spec = manifest.get("spec")
    spec = spec if isinstance(spec, Mapping) else {}
    many = spec.get("sources")
    raw = many if isinstance(many, list) and many else [spec.get("source")]
    return tuple(
        Source(
            repo_url=_text(s.get("repoURL")),
            target_revision=_text(s.get("targetRevision")),
            path=_text(s.get("path")),
            chart=_text(s.get("chart")),
            ref=_text(s.get("ref")),
        )
        for s in raw
        if isinstance(s, Mapping)
    )


def case_of(
    manifest: Mapping[str, Any],
    *,
    control: str,
    file: str,
    line: int,
    origin: Origin = Origin.FILE,
    parent: str = "",
    parent_kind: str = "",
) -> Case:
    """The case of an Application's manifest, however incomplete the manifest is."""
    metadata = manifest.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    spec = manifest.get("spec")
    spec = spec if isinstance(spec, Mapping) else {}
    to = spec.get("destination")
    to = to if isinstance(to, Mapping) else {}
    return Case(
        name=_text(metadata.get("name")),
        namespace=_text(metadata.get("namespace")) or control,
        project=_text(spec.get("project")) or "default",
        file=file,
        line=line,
        origin=origin,
        parent=parent,
        parent_kind=parent_kind,
        sources=sources_of(manifest),
        destination=Destination(
            server=_text(to.get("server")), name=_text(to.get("name")), namespace=_text(to.get("namespace"))
        ),
        manifest=manifest,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
