"""The repository under test, as what reads it must know it: at which commit, and under which names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from pytest_gitops.repository.tree import Tree
from pytest_gitops.world.urls import AZURE, OLD_AZURE, SSH_HOSTS, canonical, parse, parse_registry

_OLD_AZURE = re.compile(rf"([\w-]+){re.escape(OLD_AZURE)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """The repository at the commit that is looked at. `urls` are its names, `refs` its branches and tags; `resolve`
    gives the commit of a revision and a tagPrefix or None, `tree_at` the files of a commit."""

    commit: str
    urls: Sequence[str]
    refs: Mapping[str, str]
    resolve: Callable[[str, str], str | None]
    tree_at: Callable[[str], Tree]

    def is_ours(self, url: str) -> bool:
        """Whether `url`, in any spelling, means this repository."""
        name = canonical(url)
        return bool(name) and any(name == canonical(u) for u in self.urls)

    def is_meant(self, text: str) -> bool:
        """Whether a URL of any tool's making may name this repository: its host and each word of its path are in
        it."""
        low = _OLD_AZURE.sub(rf"{AZURE}/\1", unquote(text).lower())
        words = {w.removesuffix(".git") for w in re.findall(r"[\w.-]+", low)}
        for name in filter(None, map(canonical, self.urls)):
            host, _, path = name.partition("/")
            hosts = (host, *(alias for alias, known in SSH_HOSTS.items() if known == host))
            if any(h in low for h in hosts) and words.issuperset(path.split("/")):
                return True
        return False


def serves(stand_in: str, url: str) -> bool:
    """Whether what is asked of the chart repository `url` may be answered by `stand_in`; an alias may mean any."""
    if url.startswith(("@", "alias:")):
        return True
    mine, asked = parse(stand_in), parse(url) or parse_registry(url)
    return mine is not None and asked is not None and mine.host == asked.host
