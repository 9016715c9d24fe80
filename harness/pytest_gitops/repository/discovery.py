"""What a repository declares: Applications, ApplicationSets, AppProjects, Argo CD's own configuration, and Secrets.

Reads files only, never fails as a whole: what cannot be read becomes a Problem beside everything that can.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_gitops.model import Case, Destination, Finding, Origin, Severity
from pytest_gitops.repository import charts, kustomization
from pytest_gitops.repository.endings import NOT_SEARCHED
from pytest_gitops.repository.globs import glob
from pytest_gitops.repository.manifest import Document, ManifestError, parse
from pytest_gitops.repository.sources import placed, sources_of

GROUP = "argoproj.io/"
OURS = ("Application", "ApplicationSet", "AppProject")
ENDINGS = (".yaml", ".yml", ".json")

MAX_BYTES = 10 * 1024 * 1024
"""Larger files are not searched; Argo CD itself refuses more than 10 MiB of manifests in a directory
(--max-combined-directory-manifests-size)."""

SETTINGS_NAMES = (
    "argocd-cm", "argocd-rbac-cm", "argocd-cmd-params-cm", "argocd-gpg-keys-cm", "argocd-tls-certs-cm",
)  # fmt: skip
"""Argo CD's own ConfigMaps that a repository may bring (operator manual, "Declarative setup"). That of ssh's known
hosts is ours: over ssh nobody outside is spoken to."""

# What can only be the kind of one of Argo CD's objects or the name of its settings, for files that are not
# YAML: at the beginning of a line, of a list's entry, or of an entry in braces.
OURS_LINE = re.compile(
    rb"(?:^|[{,])[\s\-]*[\"']?(?:kind[\"']?\s*:\s*[\"']?(?:Application|ApplicationSet|AppProject)"
    rb"|name[\"']?\s*:\s*[\"']?argocd-(?:cm|rbac-cm|cmd-params-cm|gpg-keys-cm|tls-certs-cm))(?![\w.-])",
    re.MULTILINE,
)
# RFC 1123, as the API server has it (apimachinery: validation.IsDNS1123Subdomain and IsDNS1123Label).
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
NAME = re.compile(rf"{LABEL.pattern}(\.{LABEL.pattern})*")

SHOWN = 80
"""As much of a bad name as a message shows."""

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
    """Everything found, in the order of files and lines. `control` is the namespace Argo CD lives in; `templates` are
    manifests of Helm charts that are none before somebody renders the chart."""

    control: str
    applications: tuple[Declared, ...]
    application_sets: tuple[Declared, ...]
    projects: tuple[Declared, ...]
    settings: tuple[Declared, ...]
    secrets: tuple[Declared, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Finding, ...]
    searched: int
    templates: tuple[charts.Template, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """A file as discovery needs it: its path, and its size in bytes where known."""

    path: str
    size: int = 0


def discover(
    entries: Iterable[FileEntry],
    read: Callable[[Sequence[str]], Mapping[str, bytes]],
    *,
    ignore: Sequence[str] = (),
) -> Declarations:
    """Search `entries` for what Declarations has; `read` gives the content of paths, in bulk. `ignore` are globs."""
    entries = sorted(entries, key=lambda e: e.path)
    folders = charts.folders(e.path for e in entries)
    wanted, templates, warnings = [], {}, []
    ignored = [glob(g) for g in ignore]
    for entry in entries:
        path, chart = entry.path, charts.chart_of(entry.path, folders)
        if not (path.endswith(ENDINGS) or posixpath.basename(path) in kustomization.NAMES):
            continue
        if path.endswith(NOT_SEARCHED) or any(pattern.fullmatch(path) for pattern in ignored):
            continue
        if chart is not None and entry.size <= MAX_BYTES:
            templates[path] = chart
        elif chart is None and not _is_template(path, folders):
            if entry.size <= MAX_BYTES:
                wanted.append(path)
            else:
                warnings.append(_too_large(entry))
    search = _Search()
    contents = read([*wanted, *templates])
    search.patches = kustomization.patch_files({p: contents.get(p, b"") for p in wanted})
    for path in wanted:
        search.file(path, contents.get(path, b""))
    found = (
        t for path, chart in templates.items() for t in charts.templates(path, contents.get(path, b""), chart)
    )
    return search.result(tuple(warnings), tuple(found))


def _is_template(path: str, folders: frozenset[str]) -> bool:
    """Templates and subcharts of a Helm chart are not manifests yet: they are found by rendering."""
    parts = path.split("/")
    return any(
        "/".join(parts[:i]) in folders and parts[i] in {"templates", "charts", "crds"}
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


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongName:
    """Why no control plane can have an object: the finding's words, and the key of metadata that is wrong."""

    rule: str
    key: str
    message: str
    help: str


def wrong_name(kind: str, metadata: Any) -> WrongName | None:
    """What is wrong with the name or namespace of one of Argo CD's objects, None if nothing is."""
    known = metadata if isinstance(metadata, Mapping) else {}
    name, namespace = known.get("name"), known.get("namespace")
    if not isinstance(name, str) or not name:
        return WrongName(
            rule="no-name",
            key="name",
            message=f"{kind} without metadata.name",
            help="give it a name; Argo CD needs one",
        )
    for key, value, pattern, longest in (("name", name, NAME, 253), ("namespace", namespace, LABEL, 63)):
        if value and not (isinstance(value, str) and len(value) <= longest and pattern.fullmatch(value)):
            saw = repr(value) if len(repr(value)) <= SHOWN else f"{repr(value)[:SHOWN]}…"
            return WrongName(
                rule="invalid-name",
                key=key,
                message=f"{kind}: metadata.{key}: expected a name of at most {longest} characters as Kubernetes "
                f"takes it, saw {saw}",
                help="use lower-case letters, digits and hyphens; the API server accepts nothing else",
            )
    return None


class _Search:
    def __init__(self) -> None:
        self.found: list[Declared] = []
        self.problems: list[Problem] = []
        self.warnings: list[Finding] = []
        self.patches: frozenset[str] = frozenset()
        self.searched = 0

    def file(self, path: str, content: bytes) -> None:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            content = content.decode("utf-16", "replace").encode()
        # Without the slash: JSON may write it as "\\/".
        ours = GROUP.rstrip("/").encode() in content
        if not ours and b"argocd-" not in content and not SECRET_LINE.search(content):
            return
        self.searched += 1
        try:
            documents = parse(content)
        except ManifestError as error:
            if OURS_LINE.search(content) and path not in self.patches:
                self._problem(
                    "yaml-invalid", path, error.line, f"not YAML: {error.problem}", "correct the YAML"
                )
            return
        for document in documents:
            for item in document.items():
                if path not in self.patches or _is_complete(item.value):
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
        elif isinstance(api, str) and api.startswith(GROUP) and isinstance(kind, str) and kind in OURS:
            wrong = wrong_name(kind, metadata)
            if wrong is not None:
                self._problem(
                    wrong.rule, path, document.line_of("metadata", wrong.key), wrong.message, wrong.help
                )
            elif isinstance(metadata, Mapping):
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
        finding = Finding(
            rule=rule, severity=Severity.ERROR, message=message, file=path, line=line, help=help_
        )
        self.problems.append(Problem(file=path, finding=finding))

    def result(self, warnings: tuple[Finding, ...], templates: tuple[charts.Template, ...]) -> Declarations:
        def of(*kinds: str) -> tuple[Declared, ...]:
            return tuple(d for d in self.found if d.kind in kinds)

        return Declarations(
            control=control_namespace(of("Application", "ApplicationSet", "AppProject", "ConfigMap")),
            applications=of("Application"),
            application_sets=of("ApplicationSet"),
            projects=of("AppProject"),
            settings=of("ConfigMap"),
            secrets=of("Secret"),
            problems=tuple(self.problems),
            warnings=warnings + tuple(self.warnings),
            searched=self.searched,
            templates=templates,
        )


def _is_ours(value: Any) -> bool:
    return isinstance(value, Mapping) and str(value.get("apiVersion", "")).startswith(GROUP)


def _is_complete(value: Any) -> bool:
    """Whether an Application says where from, where to and for whom: a patch that does is one in its own right."""
    spec = value.get("spec") if isinstance(value, Mapping) and value.get("kind") == "Application" else None
    if not isinstance(spec, Mapping) or not spec.get("destination") or not spec.get("project"):
        return False
    return any(source.get("repoURL") for _, source in placed(value))


def _yaml_word(value: Any) -> str:
    return {list: "list", str: "text", int: "number", bool: "boolean"}.get(type(value), type(value).__name__)


def control_namespace(declared: Iterable[Declared]) -> str:
    """The namespace that Argo CD lives in: where the AppProjects are, else its ConfigMaps, else most Applications."""
    # The first two exist in the control namespace only, so one of them outweighs any number of Applications.
    weights = {"AppProject": 10**9, "ConfigMap": 10**6}
    counts: dict[str, int] = {}
    for each in declared:
        if each.namespace:
            counts[each.namespace] = counts.get(each.namespace, 0) + weights.get(each.kind, 1)
    return max(sorted(counts), key=lambda n: counts[n]) if counts else "argocd"


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
