"""The repository under test as the run needs it: its snapshot, what it declares, what it is called, its files."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_gitops.errors import ConfigError
from pytest_gitops.repository.discovery import Declarations, Declared, FileEntry, discover
from pytest_gitops.repository.git import Repository, open_repository
from pytest_gitops.repository.kustomization import NAMES
from pytest_gitops.repository.manifest import ManifestError, parse
from pytest_gitops.repository.named_hosts import in_kustomization, in_manifest, in_modules, places
from pytest_gitops.repository.snapshot import Entry, Snapshot, take
from pytest_gitops.repository.tree import MODULES
from pytest_gitops.settings.settings import Settings, announced_branches
from pytest_gitops.world.urls import canonical

USUAL_BRANCHES = ("main", "master")


class Checkout:
    """One clone under test, its working tree or the commit `revision`; raises ConfigError if there is none.
    `repository` is that clone if it was looked at already. `snapshot` and `declarations` come with `take`."""

    snapshot: Snapshot
    declarations: Declarations

    def __init__(
        self, settings: Settings, *, revision: str = "", repository: Repository | None = None
    ) -> None:
        self._settings, self._revision = settings, revision
        self.repository = repository or open_repository(settings.root, environ=settings.environ)
        if self.repository.prefix and not settings.urls:
            raise ConfigError(
                f"it lies in {self.repository.prefix}/, expected at the top of the clone; only a folder that is a "
                "repository of its own to Argo CD may have one: then name its URL under repository: {urls: [...]}",
                where="pytest-gitops.yaml",
            )
        # The clone's remotes mean the whole clone; a folder of it is known by its own URLs alone.
        remotes = () if self.repository.prefix else self.repository.remote_urls
        self.urls = tuple(dict.fromkeys([*remotes, *settings.urls]))
        self._names = frozenset(name for u in self.urls if (name := canonical(u)))  # a path has none
        self.branches = self._branches()

    def take(self, bare: Path) -> None:
        """Make the snapshot in `bare`, and search it."""
        self.snapshot = take(
            self.repository,
            into=bare,
            branches=self.branches,
            environ=self._settings.environ,
            revision=self._revision,
        )
        entries = (FileEntry(path=e.path, size=e.size) for e in self.files())
        self.declarations = discover(entries, self.snapshot.read_many, ignore=self._settings.ignore)

    def files(self) -> Iterator[Entry]:
        """The regular files: links are not followed, so nothing outside is ever read."""
        return (e for e in self.snapshot.files() if e.mode.startswith("100"))

    def is_ours(self, url: str) -> bool:
        """Whether `url`, in any spelling, means this repository."""
        return canonical(url) in self._names

    @property
    def title(self) -> str:
        """What reports call it: its URL, else the name of its folder."""
        return canonical(self.urls[0]) if self.urls else self._settings.root.name

    def _branches(self) -> tuple[str, ...]:
        """The branches that the working tree stands for."""
        repository, announced = self.repository, announced_branches(self._settings.environ)
        known = [n for n in (repository.branch, repository.default_branch, self._target, *announced) if n]
        if not known or not repository.remote_urls:
            # A detached checkout that knows no branch, as CI systems make them, or a repository that was never
            # pushed: the usual names mean what lies here.
            known += USUAL_BRANCHES
        return tuple(dict.fromkeys([*known, *self._settings.branches]))

    @property
    def _target(self) -> str:
        """The branch that the change will be merged into, where the base is named by one."""
        base, remote = self._settings.base, self.repository.remote
        return base.name.removeprefix("refs/heads/").removeprefix(f"{remote}/") if base else ""

    def has_folder(self, path: str) -> bool:
        """Whether a folder of the snapshot has a regular file in it."""
        folder = _clean(path)
        return any(not folder or e.path.startswith(f"{folder}/") for e in self.files())

    def write_out(self, path: str, into: Path, *, where: str) -> None:
        """Write a folder of the snapshot to `into`: what is tested is what git has, not what else lies around.

        Raises ConfigError, naming `where` it is asked for, if there is no such folder.
        """
        folder = _clean(path)
        prefix = f"{folder}/" if folder else ""
        wanted = [e.path for e in self.files() if e.path.startswith(prefix)]
        if not wanted:
            raise ConfigError(f"expected a folder of the repository, saw no file in {path!r}", where=where)
        for name, content in self.snapshot.read_many(wanted).items():
            target = into / name.removeprefix(prefix)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            target.write_bytes(content)

    def manifests(self, paths: Iterable[str], *, where: str) -> list[dict[str, Any]]:
        """The manifests in files and folders of the snapshot. Raises ConfigError for a path without any, bad YAML.

        Each path is read once: definitions are large, and every cluster of a run is furnished with the same ones.
        """
        return [manifest for path in paths for manifest in self._manifests_in(path, where)]

    @cached_property
    def _manifests(self) -> dict[str, tuple[dict[str, Any], ...]]:
        return {}

    def _manifests_in(self, path: str, where: str) -> tuple[dict[str, Any], ...]:
        clean = _clean(path)
        if clean not in self._manifests:
            wanted = [
                e.path
                for e in self.files()
                if (not clean or e.path == clean or e.path.startswith(clean + "/"))
                and e.path.endswith((".yaml", ".yml", ".json"))
            ]
            if not wanted:
                raise ConfigError(f"expected manifests in {path!r}, saw none in the repository", where=where)
            found: list[dict[str, Any]] = []
            for name, content in sorted(self.snapshot.read_many(wanted).items()):
                try:
                    documents = parse(content)
                except ManifestError as error:
                    raise ConfigError(error.problem, where=f"{name}:{error.line}") from error
                found += [i.value for d in documents for i in d.items() if isinstance(i.value, dict)]
            self._manifests[clean] = tuple(found)
        return self._manifests[clean]

    @cached_property
    def spellings(self) -> tuple[str, ...]:
        """The URLs by which its own Applications and ApplicationSets call this repository."""
        return tuple(sorted(filter(self.is_ours, self.source_urls())))

    @property
    def _declared(self) -> tuple[Declared, ...]:
        return (*self.declarations.applications, *self.declarations.application_sets)

    def source_urls(self) -> tuple[str, ...]:
        """The URLs of sources as Applications and ApplicationSets write them."""
        return tuple(dict.fromkeys(url for d in self._declared for url, _ in places(d.manifest)))

    def source_hosts(self) -> tuple[str, ...]:
        """The hosts that the repository itself names as sources: in Applications, ApplicationSets, charts,
        kustomizations and submodules."""
        found = {h for d in self._declared for h in in_manifest(d.manifest)}
        paths = [e.path for e in self.files()]
        wanted = [p for p in paths if p == MODULES or p.rsplit("/", 1)[-1] in NAMES]
        for path, content in self.snapshot.read_many(wanted).items():
            found |= in_modules(content) if path == MODULES else in_kustomization(content)
        return tuple(sorted(found | self.chart_hosts(paths)))

    def chart_hosts(self, paths: Iterable[str]) -> set[str]:
        """The hosts of the dependencies of the charts whose files are among `paths`."""
        charts = [p for p in paths if p.rsplit("/", 1)[-1] in {"Chart.yaml", "requirements.yaml"}]
        found: set[str] = set()
        for content in self.snapshot.read_many(charts).values():
            try:
                found.update(h for d in parse(content) for h in in_manifest(d.value))
            except ManifestError:
                continue  # the Application that renders it will say so
        return found


def _clean(path: str) -> str:
    """A path of the repository as git writes it, empty for its top."""
    clean = posixpath.normpath(path.strip("/") or ".")
    return "" if clean == "." else clean
