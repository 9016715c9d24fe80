"""What an Application's sources really read of the repository, so that what reads nothing that differs is left alone.

An Application that is left alone though it changed would be an unearned green: where something may be read it counts
as read, and where that cannot be told it is said why.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_gitops.errors import EngineError
from pytest_gitops.model import Case
from pytest_gitops.repository.globs import glob
from pytest_gitops.repository.helm_inputs import EXACT, Helm, value_files
from pytest_gitops.repository.jsonnet_inputs import ENDINGS, Jsonnet, imports
from pytest_gitops.repository.kustomize_inputs import Kustomize
from pytest_gitops.repository.ours import Ours, serves
from pytest_gitops.repository.readings import REVISION, Reading, Remote, listed, mappings, within
from pytest_gitops.repository.revisions import COMMIT
from pytest_gitops.repository.sources import placed
from pytest_gitops.repository.tree import Tree, inside
from pytest_gitops.settings.settings import ChartRepository
from pytest_gitops.shapes import mapping
from pytest_gitops.world.urls import canonical

PARAMETERS, ENDING = ".argocd-source", ".yaml"
"""Parameters beside an Application's files; with the Application's name in it, for that one alone (Argo CD:
reposerver/repository, mergeSourceParameters)."""

MANIFEST = re.compile(r".*\.(yaml|yml|json|jsonnet)", re.DOTALL)
"""What Argo CD takes for a manifest in a folder of plain ones (reposerver/repository, manifestFile)."""

TOOLS = ("Helm", "Kustomize")
"""What a folder is built with that is not one of plain manifests."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*)|(\$))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a case reads. `paths` are files and folders with everything below, "" being all; `pinned` says what else
    decides, such as the commits of other revisions; `unknown` why more may be read, empty where nothing is; `elsewhere`
    what comes from other places, and `floating` what of it may be another thing tomorrow. `aside` are files among
    `paths` that are not read, as far as can be told."""

    paths: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    pinned: tuple[str, ...] = ()
    unknown: str = ""
    elsewhere: tuple[str, ...] = ()
    floating: tuple[str, ...] = ()


class _Files:
    """The tools' readers over one commit."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.helm, self.kustomize, self.jsonnet = Helm(tree), Kustomize(tree), Jsonnet(tree)


class Reader:
    """Tells what cases read. `charts` are the chart repositories that folders of the repository stand in for;
    `control` is the namespace that Argo CD lives in, `tools` are those that it builds with (argocd-cm may take one
    away)."""

    def __init__(
        self, ours: Ours, *, charts: Sequence[ChartRepository], control: str, tools: Collection[str] = TOOLS
    ) -> None:
        self._ours, self._charts, self._control, self._tools = ours, charts, control, tools
        self._files = {ours.commit: _Files(ours.tree_at(ours.commit))}
        self._known: dict[tuple[str, ...], Inputs] = {}

    @property
    def tree(self) -> Tree:
        return self._files[self._ours.commit].tree

    def of(self, case: Case) -> Inputs:
        """What the sources of `case` read."""
        spec = json.dumps(case.manifest.get("spec"), sort_keys=True, default=str)
        key = (case.namespace, case.name, case.destination.namespace, case.project, spec)
        if key not in self._known:
            try:
                self._known[key] = self._read(case)
            except EngineError as error:  # a clone that has not all of its objects
                self._known[key] = Inputs(unknown=str(error))
        return self._known[key]

    def _read(self, case: Case) -> Inputs:
        found, pinned = Reading(), dict[str, None]()
        sources = [source for _, source in placed(case.manifest)]
        references = {f"${s['ref']}": s for s in sources if s.get("ref")}
        for source in sources:
            reading = Reading()
            commit = self._revision(source, pinned, reading)
            if commit is not None and not (source.get("ref") and not source.get("path")):
                self._folder(self._at(commit), case, source, reading)
            if commit != self._ours.commit:
                reading.paths.clear()  # another commit is pinned as a whole
                reading.aside.clear()
            merged = source if commit is None else self._merged(self._at(commit).tree, case, source)
            self._values(case, merged, commit, references, reading)
            if commit == self._ours.commit and REVISION in json.dumps(merged, default=str):
                reading.cannot_know(f"it uses {REVISION}, which is another one for each commit")
            found.add(reading)
            if commit == self._ours.commit and (leading := self.tree.escaping):
                # One such link keeps Argo CD from rendering anything.
                pinned["links that lead out: " + ", ".join(leading)] = None
        elsewhere = self._elsewhere(found)
        return Inputs(
            paths=self.tree.reached({*found.paths, *found.aside}),
            aside=tuple(self._aside(found)),
            pinned=tuple(pinned),
            unknown="; ".join(found.unknown),
            elsewhere=tuple(sorted({r.url for r in elsewhere})),
            floating=tuple(sorted({r.url for r in elsewhere if not r.fixed})),
        )

    def digest(self, inputs: Inputs) -> str:
        """A word for the content of `inputs`: the same for two commits where everything that is read is the same.
        What is unknown is not in it."""
        text = json.dumps([self.tree.digest(inputs.paths), sorted(inputs.pinned)])
        return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()

    def _aside(self, found: Reading) -> Iterator[str]:
        """What is set aside and read by none of the other ways."""
        if found.aside:
            read = self.tree.reached(found.paths.difference(found.aside.values()))
            yield from sorted(f for f in found.aside if not any(inside(f, p) for p in read))

    # ------------------------------------------------------------------ which commit

    def _revision(self, source: Mapping[str, Any], pinned: dict[str, None], found: Reading) -> str | None:
        """The commit of our repository that a source reads, None for what is not ours or cannot be resolved here."""
        url, revision = str(source.get("repoURL") or ""), str(source.get("targetRevision") or "HEAD")
        if source.get("chart"):
            found.remotes.add(Remote(url=url, fixed=bool(EXACT.fullmatch(revision))))
            return None
        if not self._ours.is_ours(url):
            found.remotes.add(Remote(url=url, fixed=bool(COMMIT.fullmatch(revision))))
            return None
        commit = self._ours.resolve(revision, str(source.get("tagPrefix") or ""))
        if commit is None:
            # A range of versions, which Argo CD looks up among the tags, or nothing at all.
            refs = json.dumps(sorted(self._ours.refs.items()))
            pinned[f"{revision} among {hashlib.sha256(refs.encode()).hexdigest()}"] = None
            found.cannot_know(f"revision {revision} is for Argo CD to resolve")
        elif commit != self._ours.commit:
            pinned[f"commit {commit}"] = None
        return commit

    def _at(self, commit: str) -> _Files:
        if commit not in self._files:
            self._files[commit] = _Files(self._ours.tree_at(commit))
        return self._files[commit]

    # ------------------------------------------------------------------ a folder of ours

    def _folder(self, files: _Files, case: Case, source: Mapping[str, Any], found: Reading) -> None:
        tree, folder = files.tree, within("", str(source.get("path") or "").lstrip("/"))
        if folder is None:
            return  # it leads out; Argo CD refuses it
        source = self._merged(tree, case, source)
        found.paths.update(p for p in self._overrides(case, folder) if _there(tree, p))
        if source.get("plugin") is not None:
            found.cannot_know("a config management plugin decides what it reads")
        # A link on the way: what is relative may be meant from either end of it.
        real, met = tree.follow(folder)
        found.paths.update(met)
        if real is not None and tree.in_module(real):
            found.paths.add(real)
            found.cannot_know(f"{folder} lies in a submodule, which may lead to other files")
        for each in dict.fromkeys(p for p in (folder, real) if p is not None):
            self._kinds(files, each, source, found)

    def _kinds(self, files: _Files, folder: str, source: Mapping[str, Any], found: Reading) -> None:
        """Every kind of source that the folder may be taken for; Argo CD decides by the same files."""
        tree = files.tree
        right_here = [e.path for e in tree.children(folder)]
        helm, kustomize, directory = (mapping(source.get(k)) for k in ("helm", "kustomize", "directory"))
        is_chart = any(map(_is_chart, right_here))
        if helm or is_chart:
            found.add(files.helm.chart(folder))
        kustomized = bool(kustomize) or files.kustomize.is_kustomized(folder)
        if kustomized:
            found.add(files.kustomize.build(folder))
            found.add(files.kustomize.named_by(kustomize, folder))
        if directory.get("recurse"):
            found.paths.add(folder)
            programs = [*tree.ending(folder, ENDINGS)]
        else:
            # Also with a kustomization: the settings can switch kustomize off. Other Applications' parameters are
            # manifests to nobody then.
            manifests = [
                p
                for p in right_here
                if (MANIFEST.fullmatch(p) or directory.get("disableExtensionFilter"))
                and not (kustomized and posixpath.basename(p).startswith(PARAMETERS))
            ]
            tool = self._tool(source, is_chart=is_chart, is_kustomized=kustomized)
            unlisted = set(filter(tree.is_file, manifests)) if tool == "Kustomize" else set()
            found.aside |= dict.fromkeys(unlisted, "")
            if tool != "Helm":  # it has the folder
                found.paths.update(p for p in manifests if p not in unlisted)
            programs = [p for p in manifests if p.endswith(ENDINGS)]
        self._jsonnet(files, folder, programs, directory, found)

    def _tool(self, source: Mapping[str, Any], *, is_chart: bool, is_kustomized: bool) -> str:
        """The tool that builds a folder, "" for none or where it is not certain (util/app/discovery: Discover)."""
        given = {key for key in ("helm", "kustomize", "directory", "plugin") if source.get(key) is not None}
        tool = "" if is_chart == is_kustomized else "Helm" if is_chart else "Kustomize"
        return tool if tool in self._tools and given <= {tool.lower()} else ""

    def _jsonnet(
        self, files: _Files, folder: str, entries: list[str], directory: Mapping[str, Any], found: Reading
    ) -> None:
        options = mapping(directory.get("jsonnet"))
        named = [within("", str(lib).lstrip("/")) for lib in listed(options.get("libs"))]
        libraries = [folder, *(lib for lib in named if lib is not None)]
        variables = [*listed(options.get("extVars")), *listed(options.get("tlas"))]
        code = [str(v.get("value")) for v in map(mapping, variables) if v.get("code")]
        for name in (n for text in code for n in imports(text)):
            places = [p for lib in libraries if (p := within(lib, name)) is not None and files.tree.has(p)]
            found.paths.update(places)
            entries = [*entries, *places]
        found.add(files.jsonnet.imported(entries, libraries=libraries))

    def _overrides(self, case: Case, folder: str) -> tuple[str, str]:
        names = (f"{PARAMETERS}{ENDING}", f"{PARAMETERS}-{self._name(case)}{ENDING}")
        first, second = (posixpath.join(folder, name) for name in names)
        return first, second

    def _merged(self, tree: Tree, case: Case, source: Mapping[str, Any]) -> Mapping[str, Any]:
        """The source with the parameters that lie beside its files."""
        folder = within("", str(source.get("path") or "").lstrip("/"))
        for path in self._overrides(case, folder) if folder is not None else ():
            real, _ = tree.follow(path)
            for patch in (mappings(tree.read(real) or b"") if real is not None else None) or ():
                kept = {k: source[k] for k in ("chart", "path", "repoURL", "targetRevision") if k in source}
                source = {**_merge(source, patch), **kept}
        return source

    def _name(self, case: Case) -> str:
        """What Argo CD calls an Application when it asks for its manifests."""
        return case.name if case.namespace == self._control else f"{case.namespace}_{case.name}"

    # ------------------------------------------------------------------ value files

    def _values(
        self,
        case: Case,
        source: Mapping[str, Any],
        commit: str | None,
        references: Mapping[str, Mapping[str, Any]],
        found: Reading,
    ) -> None:
        """The files that `helm:` names: of the source itself, read at `commit`, and of sources that it refers to."""
        folder = within("", str(source.get("path") or "").lstrip("/")) or ""
        for written in value_files(mapping(source.get("helm"))):
            name, _, rest = written.partition("/")
            reference = references.get(name)
            if reference is not None:
                other = Reading()
                # Argo CD puts no tagPrefix before the revision of what is referred to (resolveReferencedSources).
                referred = {**reference, "tagPrefix": ""}
                if self._revision(referred, {}, other) == self._ours.commit:
                    self._file(case, source, f"/{rest}", "", found)
            elif _SCHEME.match(written):
                found.remotes.add(Remote(url=written))
            elif commit == self._ours.commit:
                self._file(case, source, written, folder, found)

    def _file(self, case: Case, source: Mapping[str, Any], written: str, folder: str, found: Reading) -> None:
        path = self._substituted(case, source, written)
        if path is None:
            found.cannot_know(f"value file {written} depends on the build environment")
            return
        place = within("", path.lstrip("/")) if path.startswith("/") else within(folder, path)
        if place is not None:
            found.paths.update(self._matching(place))

    def _matching(self, place: str) -> Iterator[str]:
        """The files that a path means, which may be a pattern."""
        if not any(c in place for c in "*?["):
            yield place
            return
        parts = place.split("/")
        count = next(i for i, part in enumerate(parts) if any(c in part for c in "*?[{\\"))
        top = "/".join(parts[:count])
        real, met = self.tree.follow(top)
        links = met or any(not e.mode.startswith("100") for e in self.tree.below(real or ""))
        if real is None or links or any(c in place for c in "{\\"):
            yield top
            return
        pattern = glob(place)
        yield from (e.path for e in self.tree.below(real) if pattern.fullmatch(e.path))

    def _substituted(self, case: Case, source: Mapping[str, Any], text: str) -> str | None:
        """`text` with Argo CD's build variables put in; None where that cannot be told."""
        if "$" not in text:
            return text
        known = {
            "ARGOCD_APP_NAME": self._name(case),
            "ARGOCD_APP_NAMESPACE": case.destination.namespace,
            "ARGOCD_APP_PROJECT_NAME": case.project,
            "ARGOCD_APP_SOURCE_REPO_URL": str(source.get("repoURL") or ""),
            "ARGOCD_APP_SOURCE_PATH": str(source.get("path") or ""),
            "ARGOCD_APP_SOURCE_TARGET_REVISION": str(source.get("targetRevision") or ""),
        }
        if REVISION in text or _VARIABLE.sub("", text).count("$"):
            return None
        return _VARIABLE.sub(lambda m: "$" if m[3] else known.get(m[1] or m[2], ""), text)

    # ------------------------------------------------------------------ other places

    def _elsewhere(self, found: Reading) -> list[Remote]:
        """Take the remotes apart: what a folder of ours stands in for is an input, what may be ourselves is unknown,
        and all others are returned."""
        others = []
        for remote in sorted(found.remotes, key=lambda r: r.url):
            if self._ours.is_meant(remote.url):
                found.cannot_know(f"it reads this repository by way of {remote.url}")
            near = [c for c in self._charts if serves(c.url, remote.url)]
            found.paths.update(within("", c.path.strip("/")) or "" for c in near)
            if not any(canonical(c.url) == canonical(remote.url) for c in near):
                others.append(remote)
        return others


def _is_chart(path: str) -> bool:
    """Whether Argo CD takes the folder of this file for a chart (util/app/discovery: Discover)."""
    return path.endswith("Chart.yaml")


def _there(tree: Tree, path: str) -> bool:
    real, _ = tree.follow(path)
    return real is not None and tree.has(real)


def _merge(value: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON merge patch (RFC 7386)."""
    merged = dict(value)
    for key, new in patch.items():
        if new is None:
            merged.pop(key, None)
        elif isinstance(new, Mapping):
            merged[key] = _merge(mapping(merged.get(key)), new)
        else:
            merged[key] = new
    return merged


def early(name: str) -> bool:
    """Whether a file of this name is looked into, so that all of them are read at once."""
    known: Collection[str] = (
        "Chart.yaml", "requirements.yaml", "kustomization.yaml", "kustomization.yml", "Kustomization",
    )  # fmt: skip
    return name in known or name.startswith(PARAMETERS) or name.endswith(ENDINGS)
