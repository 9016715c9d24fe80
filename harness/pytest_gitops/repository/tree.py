"""One commit's files as a tree: what lies where, where links lead, and what tells two trees apart below a path."""

from __future__ import annotations

import hashlib
import posixpath
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from pytest_gitops.repository.snapshot import GITLINK, Entry

LINK = "120000"
"""The mode of a symbolic link."""

MAX_LINKS = 40
"""Links on the way to one file, after which Linux gives up (path_resolution(7), ELOOP)."""

ATTRIBUTES, MODULES = ".gitattributes", ".gitmodules"
"""What changes the content of files that it does not touch: how git writes them, and where submodules are from."""


class Tree:
    """The files of one commit. Paths are relative to its top, as git writes them; "" is the top itself.

    `read_many` gives the contents of files by path, as Snapshot.read_many does; `early` says of a file's name that it
    will be asked for anyway, so that all such files are read at once.
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        read_many: Callable[[Iterable[str]], Mapping[str, bytes]],
        *,
        early: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.entries: Sequence[Entry] = sorted(entries, key=lambda e: e.path)
        self._paths = [e.path for e in self.entries]
        self._by_path = {e.path: e for e in self.entries}
        self._links = [e.path for e in self.entries if e.mode == LINK]
        self._modules = [e.path for e in self.entries if e.mode == GITLINK]
        self._read_many, self._early = read_many, early
        self._contents: dict[str, bytes] = {}
        self._digests: dict[str, bytes] = {}
        self._ending: dict[tuple[str, ...], list[str]] = {}

    # ------------------------------------------------------------------ what is there

    def below(self, path: str) -> Sequence[Entry]:
        """Every file in a folder, at any depth; the file itself where `path` is one."""
        if (entry := self._by_path.get(path)) is not None:
            return (entry,)
        first, last = _span(self._paths, path)
        return self.entries[first:last]

    def children(self, folder: str) -> Iterator[Entry]:
        """The files right in a folder."""
        prefix = f"{folder}/" if folder else ""
        at, end = _span(self._paths, folder)
        while at < end:
            name, slash, _ = self._paths[at].removeprefix(prefix).partition("/")
            if slash:
                at = bisect_left(self._paths, f"{prefix}{name}0", at, end)  # past all of "name/"
            else:
                yield self.entries[at]
                at += 1

    def ending(self, folder: str, endings: tuple[str, ...]) -> Sequence[str]:
        """The files in a folder, at any depth, whose names end like that."""
        if endings not in self._ending:
            self._ending[endings] = [p for p in self._paths if p.endswith(endings)]
        found = self._ending[endings]
        first, last = _span(found, folder)
        return found[first:last]

    def is_file(self, path: str) -> bool:
        """Whether a regular file is there."""
        entry = self._by_path.get(path)
        return entry is not None and entry.mode.startswith("100")

    def is_folder(self, path: str) -> bool:
        first, last = _span(self._paths, path)
        return first < last

    def has(self, path: str) -> bool:
        """Whether a file or folder is there, or may be behind a submodule, whose files are not known here."""
        return path in self._by_path or self.is_folder(path) or self._module_of(path) is not None

    def read(self, path: str) -> bytes | None:
        """The content of a regular file; None for anything else."""
        if not self.is_file(path):
            return None
        if path not in self._contents:
            if not self._contents:
                wanted = [e.path for e in self.entries if self._early(posixpath.basename(e.path))]
                self._contents.update(self._read_many([*wanted, path]))
            else:
                self._contents.update(self._read_many([path]))
        return self._contents.get(path)

    def contents(self, paths: Iterable[str]) -> Mapping[str, bytes]:
        """The contents of many files at once, as they are wanted only now."""
        return self._read_many(paths)

    def in_module(self, path: str) -> bool:
        """Whether `path` is, or lies in, a submodule."""
        return self._module_of(path) is not None

    def _module_of(self, path: str) -> str | None:
        if not self._modules:
            return None
        parts = path.split("/")
        ways = ("/".join(parts[: i + 1]) for i in range(len(parts)))
        return next((w for w in ways if w in self._by_path and self._by_path[w].mode == GITLINK), None)

    # ------------------------------------------------------------------ links

    def follow(self, path: str) -> tuple[str | None, tuple[str, ...]]:
        """Where `path` lies once every link on the way is followed, None for nowhere in this tree; and those links."""
        done: list[str] = []
        met: list[str] = []
        pending = path.split("/")[::-1]
        while pending:
            part = pending.pop()
            if part == "..":
                if not done:
                    return None, tuple(met)
                done.pop()
            elif part not in {"", "."}:
                done.append(part)
                here = "/".join(done)
                if here in self._targets:
                    met.append(here)
                    target = self._targets[here]
                    if len(met) > MAX_LINKS or target.startswith("/"):
                        return None, tuple(met)
                    done.pop()
                    pending += target.split("/")[::-1]
        return "/".join(done), tuple(met)

    @cached_property
    def _targets(self) -> dict[str, str]:
        if not self._links:
            return {}
        found = self._read_many(self._links)
        return {p: found[p].decode(errors="surrogateescape") for p in self._links if p in found}

    @cached_property
    def escaping(self) -> tuple[str, ...]:
        """Links that lead out of the tree: for one of them Argo CD refuses to render anything of the repository
        (util/app/path: CheckOutOfBoundsSymlinks, which looks at each step of a target)."""
        return tuple(f"{link} → {target}" for link, target in self._targets.items() if _escapes(link, target))

    # ------------------------------------------------------------------ what is read

    def reached(self, places: Iterable[str]) -> tuple[str, ...]:
        """`places` with everything that links on the way to them and below them lead to, and what says how git writes
        the files there. In order; what lies in another place is not named again."""
        found: set[str] = set()
        pending = list(places)
        while pending:
            real, met = self.follow(pending.pop())
            found.update(met)
            if real is None or real in found:
                continue
            found.add(real)
            first, last = _span(self._links, real)
            pending += [
                posixpath.join(posixpath.dirname(p), self._targets[p]) for p in self._links[first:last]
            ]
            if (module := self._module_of(real)) is not None:
                found.add(module)
        if any(self._has_module(p) for p in found):
            found.add(MODULES)
        found |= {a for p in found for a in self._attributes(p)}
        return tuple(sorted(p for p in found if found.isdisjoint(above(p))))

    def _has_module(self, place: str) -> bool:
        first, last = _span(self._modules, place)
        return first < last or place in self._modules

    def _attributes(self, place: str) -> Iterator[str]:
        ways = (posixpath.join(folder, ATTRIBUTES) for folder in above(place))
        return (w for w in ways if w in self._by_path)

    def digest(self, places: Iterable[str]) -> str:
        """A word for paths, modes and contents of everything at and below `places`: two trees with the same word have
        the same there."""
        whole = hashlib.sha256()
        for place in sorted(places):
            if place not in self._digests:
                self._digests[place] = self._hash(place)
            whole.update(self._digests[place])
        return whole.hexdigest()

    def _hash(self, place: str) -> bytes:
        entries = self.below(place)
        if not entries:
            return b""  # what is not there cannot tell two trees apart
        text = "".join(f"{e.mode} {e.sha} {e.path}\0" for e in entries)
        return hashlib.sha256(text.encode(errors="surrogateescape")).digest()


def changed(old: Tree, new: Tree) -> tuple[str, ...]:
    """The files that two trees do not have alike, by path."""
    was = {e.path: (e.mode, e.sha) for e in old.entries}
    now = {e.path: (e.mode, e.sha) for e in new.entries}
    return tuple(sorted(p for p in was.keys() | now.keys() if was.get(p) != now.get(p)))


def inside(path: str, place: str) -> bool:
    """Whether `path` is `place` or lies below it."""
    return place in {"", path} or path.startswith(f"{place}/")


def _span(paths: Sequence[str], folder: str) -> tuple[int, int]:
    """Where in sorted `paths` those below `folder` are."""
    if not folder:
        return 0, len(paths)
    first = bisect_left(paths, f"{folder}/")
    return first, bisect_left(paths, f"{folder}0", first)  # "0" is what comes after "/"


def above(path: str) -> Iterator[str]:
    """The folders that `path` is in, the innermost first, the top last."""
    while path:
        path = posixpath.dirname(path)
        yield path


def _escapes(link: str, target: str) -> bool:
    here = posixpath.dirname(link)
    for part in target.split("/"):
        here = posixpath.normpath(posixpath.join(here, part))
        if target.startswith("/") or here == ".." or here.startswith("../"):
            return True
    return False
