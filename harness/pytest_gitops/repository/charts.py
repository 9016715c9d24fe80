"""Helm charts in the repository: Applications in their templates, which nobody sees before somebody renders them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pytest_gitops.repository.manifest import ManifestError, parse

FILE_NAME = "Chart.yaml"

DEPENDENCIES = (FILE_NAME, "requirements.yaml")
"""Where a chart names the charts that it depends on; the second one is of Helm 2."""

KINDS = ("Application", "ApplicationSet")
"""What a template declares that would be tested, if only it were rendered."""

_COMMENT = re.compile(rb"\{\{-?\s*/\*.*?\*/\s*-?\}\}", re.DOTALL)
_KEY = re.compile(rb"^(\s*)(kind|apiVersion)\s*:\s*[\"']?([\w./-]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A manifest of one of KINDS in a template of the chart in the folder `chart`."""

    kind: str
    file: str
    line: int
    chart: str


def folders(paths: Iterable[str]) -> frozenset[str]:
    """The folders of the charts among `paths`."""
    return frozenset(posixpath.dirname(p) for p in paths if posixpath.basename(p) == FILE_NAME)


def chart_of(path: str, charts: frozenset[str]) -> str | None:
    """The chart that `path` is a template of, the innermost one; None for any other file."""
    parts = path.split("/")
    found = ("/".join(parts[:i]) for i in range(len(parts) - 2, -1, -1) if parts[i] == "templates")
    return next((f for f in found if f in charts), None)


def templates(path: str, content: bytes, chart: str) -> Iterator[Template]:
    """The manifests in a template. It is not YAML yet, so a document is known by its outermost `kind`."""
    if b"argoproj.io/" not in content:
        return
    plain = _COMMENT.sub(lambda found: b"\n" * found[0].count(b"\n"), content)
    kind, line, depth, ours = "", 0, -1, False
    for number, text in enumerate([*plain.splitlines(), b"---"], 1):
        if text.startswith(b"---"):
            if ours and kind in KINDS:
                yield Template(kind=kind, file=path, line=line, chart=chart)
            kind, line, depth, ours = "", 0, -1, False
        elif found := _KEY.match(text):
            indent, key, value = len(found[1]), found[2], found[3].decode()
            if depth < 0 or indent < depth:
                kind, line, depth, ours = "", number, indent, False
            if indent == depth:
                kind = value if key == b"kind" else kind
                ours = ours or (key == b"apiVersion" and value.startswith("argoproj.io/"))


class Charts:
    """The charts of one repository; `contents` are their files of DEPENDENCIES, by path."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self.folders = folders(contents)
        self.libraries: set[str] = set()
        self._leads: dict[str, set[str]] = {}
        for path, content in contents.items():
            folder = posixpath.dirname(path)
            for value in _mappings(content):
                if value.get("type") == "library":
                    self.libraries.add(folder)
                dependencies = value.get("dependencies")
                for each in dependencies if isinstance(dependencies, list) else ():
                    where = each.get("repository") if isinstance(each, Mapping) else None
                    if isinstance(where, str) and where.startswith("file://"):
                        lead = posixpath.normpath(posixpath.join(folder, where.removeprefix("file://")))
                        self._leads.setdefault(folder, set()).add("" if lead == "." else lead)

    def rendered(self, places: Iterable[str]) -> frozenset[str]:
        """The charts that are rendered by whoever reads `places`: those there, what they depend on in this
        repository, and what lies in the folder `charts` of a chart or of a kustomization."""
        seen: set[str] = set()
        pending = ["" if p == "." else p for p in places]
        inside: dict[str, list[str]] = {}
        for folder in self.folders:
            inside.setdefault(posixpath.dirname(folder), []).append(folder)
        while pending:
            folder = pending.pop()
            if folder not in seen:
                seen.add(folder)
                pending += self._leads.get(folder, ())
                pending += inside.get(posixpath.join(folder, "charts"), ())
        return self.folders & seen


def _mappings(content: bytes) -> Iterator[Mapping[str, object]]:
    try:
        documents = parse(content)
    except ManifestError:
        return  # the Application that renders it will say so
    yield from (d.value for d in documents if isinstance(d.value, Mapping))
