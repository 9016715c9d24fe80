"""The working tree as a commit in a bare repository of our own, beside everything else the clone knows.

Nothing is copied: the bare repository borrows the clone's objects. Nothing of the clone is changed: its index
is copied, new objects go to the bare repository, no ref is written, no hook runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pytest_gitops.errors import EngineError
from pytest_gitops.repository.capture import Capture
from pytest_gitops.repository.git import Repository, git
from pytest_gitops.repository.revisions import name_of

GITLINK = "160000"
"""The mode of a submodule."""

TAGS = "refs/tags/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the tree. `mode` is git's, six octal digits; `size` is in bytes, 0 for a submodule."""

    path: str
    mode: str
    sha: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A bare repository to serve. `commit` is the tree under test, `refs` are full ref names → commit or tag;
    `dirty` says that the tree is not the clone's HEAD."""

    bare: Path
    commit: str
    refs: Mapping[str, str]
    dirty: bool
    environ: Mapping[str, str] = field(repr=False)
    entries: tuple[Entry, ...] = field(repr=False)

    def files(self) -> tuple[Entry, ...]:
        """Every file, symlink and submodule of the tree, by path."""
        return self.entries

    def read(self, path: str) -> bytes:
        """The content of a file; for a symlink the text of its target, it is never followed.

        Raises FileNotFoundError for a path that is no file of the tree.
        """
        found = self.read_many([path])
        if path not in found:
            raise FileNotFoundError(path)
        return found[path]

    def read_many(self, paths: Iterable[str]) -> dict[str, bytes]:
        """The contents of many files with one git process; paths that are no files of the tree are left
        out."""
        wanted = set(paths)
        blobs = [(e.path, e.sha) for e in self.entries if e.path in wanted and e.mode != GITLINK]
        if not blobs:
            return {}
        # By object, not by path: a path may hold a line break, which would divide the request.
        asked = "".join(f"{sha}\n" for _, sha in blobs)
        answer = memoryview(self._git("cat-file", "--batch", stdin=asked))
        contents, at = {}, 0
        for path, sha in blobs:
            end = bytes(answer[at : at + 200]).index(b"\n") + at
            words = bytes(answer[at:end]).split()
            if len(words) != 3:
                raise EngineError(
                    f"{path}: git has lost its object {sha}. Fetch it, or clone without a filter"
                )
            size = int(words[2])
            contents[path] = bytes(answer[end + 1 : end + 1 + size])
            at = end + 1 + size + 1
        return contents

    def resolve(self, revision: str, tag_prefix: str = "") -> str | None:
        """The commit that a targetRevision names: HEAD, a branch, a tag, a ref or a commit, also a short one;
        `tag_prefix` is the source's, which Argo CD puts before versions.

        None if there is no such commit, and for what only Argo CD can resolve (semantic version ranges).
        """
        tags = (ref.removeprefix(TAGS) for ref in self.refs if ref.startswith(TAGS))
        name = name_of(revision or "HEAD", tags, prefix=tag_prefix)
        if name is None:
            return None
        # Branches before tags, as Argo CD reads the list of refs; git itself has it the other way round.
        refs = [name] if name in self.refs else [f"refs/heads/{name}", f"{TAGS}{name}"]
        for ref in (r for r in refs if r in self.refs):
            return self._commit(self.refs[ref])
        return self._commit(name) if name == "HEAD" or re.fullmatch(r"[0-9A-Fa-f]{7,64}", name) else None

    def at(self, commit: str) -> Snapshot:
        """The same repository with another of its commits as the tree. Raises EngineError if git lacks it."""
        return replace(self, commit=commit, entries=_entries(self.bare, commit, self.environ))

    def exists(self, revision: str) -> bool:
        """Whether `revision` names a commit, as `resolve` has it."""
        return self.resolve(revision) is not None

    def has_path(self, revision: str, path: str) -> bool:
        """Whether a file or folder `path` is in `revision`; "" and "." are the top. False for a path that
        leads out."""
        commit = self.resolve(revision)
        parts = [p for p in path.split("/") if p not in {"", "."}]
        if commit is None or path.startswith("/"):
            return False
        return self._ends_well("cat-file", "-e", f"{commit}:{'/'.join(parts)}")

    def mentions(self, word: str) -> bool:
        """Whether any file of the tree has `word` in it, be it text or not."""
        return self._ends_well("grep", "--quiet", "--fixed-strings", "-e", word, self.commit)

    def _commit(self, name: str) -> str | None:
        found = git(
            self.bare, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}",
            env=self.environ, check=False,
        )  # fmt: skip
        return found.stdout.strip() or None if found.status == 0 else None

    def _ends_well(self, *argv: str) -> bool:
        return git(self.bare, *argv, env=self.environ, check=False).status == 0

    def _git(self, *argv: str, stdin: str) -> bytes:
        return git(self.bare, *argv, env=self.environ, stdin=stdin).raw


def take(
    repository: Repository,
    *,
    into: Path,
    branches: Iterable[str],
    environ: Mapping[str, str],
    revision: str = "",
) -> Snapshot:
    """Make the bare repository `into` (a folder that does not exist yet) of what `repository` is now.

    HEAD, the current and the default branch and `branches` are the working tree, or `revision` of the clone
    where one is given; a name in `branches` that is a tag of the clone stays that tag. Everything else is as
    in the clone. Raises ConfigError for a `revision` that the clone does not have, or not all of.
    """
    capture = Capture(repository, into, environ)
    capture.create()
    commit = capture.commit_of(revision) if revision else capture.commit_of_work_tree()
    capture.complete(commit)
    refs, head = capture.refs(commit, tuple(branches))
    capture.write_refs(refs, head)
    return Snapshot(
        bare=into,
        commit=commit,
        refs=refs,
        dirty=not revision and capture.dirty,
        environ=capture.own,
        entries=_entries(into, commit, capture.own),
    )


def _entries(bare: Path, commit: str, env: Mapping[str, str]) -> tuple[Entry, ...]:
    listing = git(bare, "ls-tree", "-r", "-z", "--long", "--full-tree", commit, env=env).raw
    found = []
    for line in listing.split(b"\0")[:-1]:
        about, _, path = line.partition(b"\t")
        mode, _, sha, size = about.decode().split()
        if size == "BAD":  # of a partial clone, or one that is broken
            raise EngineError(
                f"commit {commit[:7]}: git does not have {path.decode(errors='replace')}. Fetch it, or clone without "
                "--filter"
            )
        found.append(
            Entry(
                path=path.decode(errors="surrogateescape"),
                mode=mode,
                sha=sha,
                size=0 if size == "-" else int(size),
            )
        )
    return tuple(sorted(found, key=lambda e: e.path))
