"""What Jsonnet reads of a repository: the files that files import, which the language only takes as plain text."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Sequence

from pytest_gitops.repository.readings import Reading, within
from pytest_gitops.repository.tree import Tree

ENDINGS = (".jsonnet", ".libsonnet")

# The tokens that matter, in the order in which they begin (jsonnet.org, specification, "Lexing"): what looks like an
# import within a comment or a text is none.
_TOKENS = re.compile(
    r"""(?P<comment>//[^\n]*|\#[^\n]*|/\*.*?\*/)
      | (?P<block>\|\|\|-?[ \t]*\n.*?\n[ \t]*\|\|\|)
      | (?P<plain>@"(?:[^"]|"")*"|@'(?:[^']|'')*')
      | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<word>[A-Za-z_]\w*)
      | (?P<other>\S)""",
    re.DOTALL | re.VERBOSE,
)
_IMPORTS = frozenset({"import", "importstr", "importbin"})


class Jsonnet:
    """Reads the imports of one tree, each file once."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._imports: dict[str, tuple[str, ...]] = {}

    def imported(self, files: Sequence[str], *, libraries: Sequence[str]) -> Reading:
        """`files` and everything that they import, of each name every file that it may mean: beside the importing one,
        and in the folders `libraries`."""
        found, pending, seen = Reading(), list(files), set[str]()
        while pending:
            file = pending.pop()
            real, _ = self._tree.follow(file)
            if file in seen or real is None or not self._tree.has(real):
                continue
            seen.add(file)
            found.paths.add(file)
            if real not in self._imports:
                self._imports[real] = self._read(real)
            folders = (posixpath.dirname(file), posixpath.dirname(real), *libraries)
            pending += [p for n in self._imports[real] for f in folders if (p := within(f, n)) is not None]
        return found

    def _read(self, file: str) -> tuple[str, ...]:
        content = self._tree.read(file) or b""
        return tuple(imports(content.decode(errors="replace"))) if b"import" in content else ()


def imports(text: str) -> Iterator[str]:
    """The names that a file imports."""
    after = False
    for token in _TOKENS.finditer(text):
        kind, word = token.lastgroup, token[0]
        if kind == "comment":
            continue
        if after and kind == "plain":
            yield word[2:-1].replace(word[1] * 2, word[1])
        elif after and kind == "text":
            yield _unescaped(word)
        after = kind == "word" and word in _IMPORTS


def _unescaped(word: str) -> str:
    inner = word[1:-1]
    if "\\" not in inner:
        return inner
    try:
        # Jsonnet's escapes are JSON's, and that of the single quote.
        return str(json.loads('"' + inner.replace("\\'", "'").replace('\\"', '"').replace('"', '\\"') + '"'))
    except ValueError:
        return inner
