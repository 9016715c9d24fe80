"""How a clone becomes a bare repository of ours: its work tree as a commit, its refs, its objects borrowed.

Nothing is copied, and nothing of the clone is changed: its index is copied, new objects go to the bare
repository, no ref is written, no hook runs.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from pytest_gitops.errors import ConfigError
from pytest_gitops.processes.process import run
from pytest_gitops.repository.git import Repository, git, git_environment

MESSAGE = "The working tree"
IDENTITY = "pytest-gitops <pytest-gitops@localhost> 946684800 +0000"
"""Author and committer of our commits, always the same, so that the same tree is the same commit."""

FALLBACK_BRANCH = "main"
"""What HEAD names when the clone says nothing: detached, and without a remote."""

SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")

# What gitrevisions(7) would take for more than a name; a targetRevision is never that.
NOT_A_NAME = re.compile(r"[~^:?*\[\\\s\x00-\x1f\x7f]|@\{|\.\.|^-|^$")


class Capture:
    """The steps in the order of their calls: create, one of the commits, refs, write_refs."""

    def __init__(self, repository: Repository, into: Path, environ: Mapping[str, str]) -> None:
        self.repository, self.into = repository, into
        self.user = git_environment(environ)
        # Our own bare repository is nobody's configuration's business.
        self.own = git_environment(environ, GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_NOSYSTEM="1")
        self.dirty = False

    def create(self) -> None:
        into, clone = self.into, self.repository
        into.mkdir(parents=True, mode=0o700)
        run(
            "git", "-c", "init.defaultRefFormat=files", "-c", "init.defaultBranch=main", "init", "--quiet",
            "--bare", "--template=", f"--object-format={clone.object_format}", into, env=self.own,
        )  # fmt: skip
        with (into / "config").open("a") as config:
            config.write(
                "[uploadpack]\n\tallowAnySHA1InWant = true\n\tallowFilter = true\n[gc]\n\tauto = 0\n"
            )
        (into / "objects" / "info").mkdir(exist_ok=True)
        (into / "objects" / "info" / "alternates").write_bytes(
            os.fsencode(clone.common_dir / "objects") + b"\n"
        )
        if clone.shallow:
            shutil.copyfile(clone.common_dir / "shallow", into / "shallow")

    def commit_of_work_tree(self) -> str:
        tree, clone = self._work_tree(), self.repository
        head = f"{clone.commit}:{clone.prefix}" if clone.commit else ""
        was = (
            git(clone.top, "rev-parse", "--verify", "--quiet", head, env=self.user, check=False)
            if head
            else None
        )
        self.dirty = was is None or was.stdout.strip() != tree
        if not self.dirty and not clone.prefix:
            return clone.commit
        return self._commits([tree])[tree]

    def commit_of(self, revision: str) -> str:
        clone = self.repository
        found = git(
            clone.top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}",
            env=self.user, check=False,
        ).stdout.strip()  # fmt: skip
        if not found:
            hint = f"git fetch {clone.remote or 'origin'}"
            raise ConfigError(
                f"revision {revision}: expected a commit of this clone, saw none of that name. "
                f"Get it first: {hint}" + (" --unshallow" if clone.shallow else "")
            )
        if not clone.prefix:
            return found
        tree = git(
            clone.top,
            "rev-parse",
            "--verify",
            "--quiet",
            f"{found}:{clone.prefix}",
            env=self.user,
            check=False,
        ).stdout.strip()
        tree = tree or git(self.into, "mktree", env=self.own, stdin="").stdout.strip()
        return self._commits([tree])[tree]

    def complete(self, commit: str) -> None:
        """Get the files of `commit` that a partial clone (`--filter`) has left out, as `git diff` would: from where it
        was cloned, all at once. Raises ConfigError if they cannot be had."""
        if not self.repository.partial or not (missing := self._missing(commit)):
            return
        remote = self.repository.remote
        env = {**self.user, "GIT_OBJECT_DIRECTORY": str(self.into / "objects")}
        fetched = git(
            self.repository.top, "-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags",
            "--no-write-fetch-head", "--recurse-submodules=no", "--filter=blob:none", "--stdin", remote,
            env=env, stdin="".join(f"{sha}\n" for sha in missing), check=False,
        )  # fmt: skip
        if self._missing(commit):
            why = fetched.stderr.strip().splitlines()
            raise ConfigError(
                f"this clone is a partial one, and lacks files of commit {commit[:7]}: expected to get {len(missing)} "
                f"from {remote}, saw {why[-1] if why else 'that it has them not'}. Clone without --filter, or get them "
                "first: git backfill"
            )

    def _missing(self, commit: str) -> list[str]:
        argv = ("rev-list", "--objects", "--missing=print", f"{commit}^{{tree}}")
        listing = git(self.into, *argv, env=self.own).stdout.splitlines()
        return [line[1:] for line in listing if line.startswith("?")]

    def _work_tree(self) -> str:
        """Write the working tree as a tree object and return its name."""
        clone, private = self.repository, self.into / "work-tree.index"
        if (index := clone.git_dir / "index").is_file():
            # With its time: by that alone git notices a file changed in the moment the index was written.
            shutil.copy2(index, private)
        env = {
            **self.user,
            "GIT_INDEX_FILE": str(private),
            "GIT_OBJECT_DIRECTORY": str(self.into / "objects"),
        }
        settings = ("core.splitIndex=false", "core.safecrlf=false", "core.bigFileThreshold=16m")
        options = [word for setting in settings for word in ("-c", setting)]

        def here(*argv: str, stdin: bytes | None = None) -> bytes:
            return git(clone.top, *options, "--literal-pathspecs", *argv, env=env, stdin=stdin).raw

        scope = clone.prefix or "."
        if private.is_file():
            here("add", "--update", "--", scope)
        new = here("ls-files", "-z", "--others", "--exclude-standard", "--", scope)
        # What ends in a slash is a repository of its own that nobody has made a submodule: it is ignored.
        here("update-index", "-z", "--add", "--remove", "--stdin", stdin=new)
        try:
            if not clone.prefix:
                return here("write-tree", "--missing-ok").decode().strip()
            if not here("ls-files", "-z", "--", scope):
                return git(self.into, "mktree", env=self.own, stdin="").stdout.strip()
            return here("write-tree", "--missing-ok", f"--prefix={clone.prefix}/").decode().strip()
        finally:
            private.unlink(missing_ok=True)

    def _commits(self, trees: Sequence[str]) -> dict[str, str]:
        """One commit for each tree, without a parent: the same tree is always the same commit."""
        unique = list(dict.fromkeys(trees))
        with TemporaryDirectory(dir=self.into) as folder:
            paths = []
            for number, tree in enumerate(unique):
                path = Path(folder) / str(number)
                path.write_text(f"tree {tree}\nauthor {IDENTITY}\ncommitter {IDENTITY}\n\n{MESSAGE}\n")
                paths.append(f"{path}\n")
            made = git(
                self.into,
                "hash-object",
                "-t",
                "commit",
                "-w",
                "--stdin-paths",
                env=self.own,
                stdin="".join(paths),
            ).stdout.split()
        return dict(zip(unique, made, strict=True))

    def refs(self, commit: str, branches: Sequence[str]) -> tuple[dict[str, str], str]:
        """What is served, and the branch that HEAD names."""
        known = self._known_refs()
        clone = self.repository
        head = clone.default_branch or clone.branch or FALLBACK_BRANCH
        names = [n.removeprefix("refs/heads/") for n in (*branches, clone.branch, clone.default_branch, head)]
        ours = {
            f"refs/heads/{name}": commit
            for name in names
            if name and name != "HEAD" and self._is_branch(name, known)
        }
        # A ref cannot be a folder too ("release" and "release/1"); what is under test wins.
        for ref in [*known]:
            if any(ref.startswith(f"{mine}/") or mine.startswith(f"{ref}/") for mine in ours):
                del known[ref]
        return dict(sorted({**known, **ours}.items())), head

    def _is_branch(self, name: str, known: Mapping[str, str]) -> bool:
        if SHA.fullmatch(name) or name.startswith("refs/"):
            return False
        if f"refs/tags/{name}" in known and f"refs/heads/{name}" not in known:
            return False
        return not NOT_A_NAME.search(name) and not re.search(r"//|/$|^/|\.$|(^|/)\.|\.lock(/|$)|^@$", name)

    def _known_refs(self) -> dict[str, str]:
        clone = self.repository
        patterns = ["refs/heads/", "refs/tags/"] + ([f"refs/remotes/{clone.remote}/"] if clone.remote else [])
        listing = git(
            clone.top, "for-each-ref", "--format=%(objectname) %(refname)", *patterns, env=self.user
        ).stdout.splitlines()
        found = {ref: sha for sha, _, ref in (line.partition(" ") for line in listing)}
        remote = f"refs/remotes/{clone.remote}/"
        result = {r: s for r, s in found.items() if not r.startswith("refs/remotes/")}
        for ref, sha in found.items():
            if ref.startswith(remote) and ref != f"{remote}HEAD":
                name = f"refs/heads/{ref.removeprefix(remote)}"
                # The remote's word counts, and a local branch that stands in a remote one's way was never
                # pushed.
                for other in [r for r in result if r.startswith(f"{name}/") or name.startswith(f"{r}/")]:
                    del result[other]
                result[name] = sha
        return self._below_prefix(result) if clone.prefix else result

    def _below_prefix(self, refs: dict[str, str]) -> dict[str, str]:
        """Each ref as a commit of its subtree; refs without it are left out."""
        prefix = self.repository.prefix
        asked = "".join(f"{sha}:{prefix}\n" for sha in refs.values())
        answers = git(
            self.repository.top,
            "cat-file",
            "--batch-check",
            env=self.user,
            stdin=asked.encode(errors="surrogateescape"),
        ).stdout.splitlines()
        trees = {}
        for ref, answer in zip(refs, answers, strict=True):
            sha, _, rest = answer.partition(" ")
            if rest.startswith("tree "):
                trees[ref] = sha
        commits = self._commits(list(trees.values())) if trees else {}
        return {ref: commits[tree] for ref, tree in trees.items()}

    def write_refs(self, refs: Mapping[str, str], head: str) -> None:
        # One file, not one process or one file for each of thousands.
        lines = "".join(f"{sha} {ref}\n" for ref, sha in sorted(refs.items()))
        (self.into / "packed-refs").write_bytes(lines.encode(errors="surrogateescape"))
        (self.into / "HEAD").write_bytes(f"ref: refs/heads/{head}\n".encode(errors="surrogateescape"))
