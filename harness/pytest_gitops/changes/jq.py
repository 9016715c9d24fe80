"""jq path expressions, as `jqPathExpressions` have them: which fields of an object an expression leads to.

Argo CD runs `del(EXPRESSION)` with gojq, for at most a second. Expressions come from the pull request, so they are not
given to a jq here: what is understood is the language of paths, and every step is counted. jq's own library could not
be bounded in this process, and it reads the environment (`env`) and files (`import`). Understood are

    .a  ."a b"  ."a".b  .["a"]  .[0]  .[]  ..  E?  E | E  E, E  (E)  select(C)  recurse  empty  first(E)
    C:  E  C == C  C != C  C and C  C or C  (C)  not  has("a")  length  type  any  all  keys
        startswith("a")  endswith("a")  contains("a")  test("a")  "text"  1  true  false  null

`test` takes simple patterns. For anything else `compile` raises Unknown, and the expression is not applied.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pytest_gitops.changes import jqfunctions
from pytest_gitops.changes.jqfunctions import FUNCTIONS, TESTS, Failed, Unknown, truthy, type_of

Path = tuple[str | int, ...]
Found = tuple[Path | None, Any]
Step = Callable[[Found], Iterator[Found]]

MAX_LENGTH = 1_000
"""Characters of one expression."""

MAX_NESTING = 30

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?)|(?P<op>\.\.|==|!=|[.\[\]()|,?])"""
    r"""|(?P<word>[A-Za-z_][A-Za-z0-9_]*))"""
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", '"': '"', "\\": "\\", "/": "/"}


class TooLong(ValueError):
    """The steps that were allowed are used up."""


@dataclass(slots=True)
class Budget:
    """How many steps are left, for all expressions that share it. Raises TooLong at the end."""

    steps: int

    def spend(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise TooLong


def compile(expression: str, budget: Budget) -> Callable[[Any], list[Path]]:
    """A function from an object to the paths that `expression` leads to in it, in order.

    Raises Unknown; the function raises Failed and TooLong.
    """
    if len(expression) > MAX_LENGTH:
        raise Unknown(f"longer than {MAX_LENGTH} characters")
    parser = _Parser(_tokens(expression), budget)
    step = parser.pipe()
    if parser.peek() is not None:
        raise Unknown(f"unexpected {parser.peek()!r}")

    def paths(value: Any) -> list[Path]:
        found = []
        for path, _ in step(((), value)):
            if path is None:
                raise Failed("not a path")
            found.append(path)
        return found

    return paths


def _tokens(expression: str) -> list[tuple[str, str]]:
    found, at = [], 0
    end = len(expression.rstrip())
    while at < end:
        token = _TOKEN.match(expression, at)
        if token is None:
            raise Unknown(f"unexpected {expression[at : at + 10].strip()!r}")
        assert token.lastgroup is not None
        found.append((token.lastgroup, token[token.lastgroup]))
        at = token.end()
    return found


def _unquoted(token: str) -> str:
    if "\\(" in token or "\\u" in token:
        raise Unknown("text with \\( or \\u")
    return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), token[1:-1])


class _Parser:
    """Recursive descent; each method gives a step from a found value to found values."""

    def __init__(self, tokens: list[tuple[str, str]], budget: Budget) -> None:
        self._tokens, self._at, self._depth = tokens, 0, 0
        self._budget = budget

    def peek(self) -> str | None:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else None

    def _take(self, expected: str = "") -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise Unknown("it ends too early")
        token = self._tokens[self._at]
        if expected and token[1] != expected:
            raise Unknown(f"expected {expected!r}, saw {token[1]!r}")
        self._at += 1
        return token

    def _next_is(self, *words: str) -> bool:
        if self.peek() in words and self._tokens[self._at][0] != "text":
            self._at += 1
            return True
        return False

    def pipe(self) -> Step:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise Unknown(f"nested deeper than {MAX_NESTING}")
        step = self._comma()
        while self._next_is("|"):
            step = _then(step, self._comma())
        self._depth -= 1
        return step

    def _comma(self) -> Step:
        steps = [self._or()]
        while self._next_is(","):
            steps.append(self._or())
        return steps[0] if len(steps) == 1 else lambda at: (f for s in steps for f in s(at))

    def _or(self) -> Step:
        step = self._and()
        while self._next_is("or"):
            step = self._either(step, self._and(), stops=True)
        return step

    def _and(self) -> Step:
        step = self._compared()
        while self._next_is("and"):
            step = self._either(step, self._compared(), stops=False)
        return step

    def _either(self, left: Step, right: Step, *, stops: bool) -> Step:
        def step(at: Found) -> Iterator[Found]:
            for _, value in left(at):
                if truthy(value) is stops:
                    yield None, stops
                else:
                    for _, other in right(at):
                        self._budget.spend()
                        yield None, truthy(other)

        return step

    def _compared(self) -> Step:
        left = self._postfix()
        if not self._next_is("==", "!="):
            return left
        wanted = self._tokens[self._at - 1][1] == "=="
        right = self._postfix()

        def step(at: Found) -> Iterator[Found]:
            for _, theirs in right(at):
                for _, ours in left(at):
                    self._budget.spend()
                    yield None, jqfunctions.equal(ours, theirs) is wanted

        return step

    def _postfix(self) -> Step:
        step = self._term()
        while True:
            if self._next_is("?"):
                step = _tried(step)
            elif self.peek() == "[" and self._tokens[self._at][0] == "op":
                step = _then(step, self._bracket())
            elif self.peek() == "." and self._tokens[self._at][0] == "op":
                self._take(".")
                step = _then(step, self._after_dot(required=True))
            else:
                return step

    def _term(self) -> Step:
        sort, token = self._take()
        if sort == "text":
            return _constant(_unquoted(token))
        if sort == "number":
            return _constant(float(token) if "." in token else int(token))
        if sort == "word":
            return self._word(token)
        if token == ".":
            return self._after_dot(required=False)
        if token == "..":
            return self._recurse
        if token == "(":
            step = self.pipe()
            self._take(")")
            return step
        raise Unknown(f"unexpected {token!r}")

    def _after_dot(self, *, required: bool) -> Step:
        if self._at < len(self._tokens):
            sort, token = self._tokens[self._at]
            if sort in {"word", "text"}:
                self._at += 1
                return self._field(_unquoted(token) if sort == "text" else token)
            if token == "[":
                return self._bracket()
        if required:
            raise Unknown("a dot without a name")
        return lambda at: iter((at,))

    def _bracket(self) -> Step:
        self._take("[")
        sort, token = self._take()
        if token == "]" and sort == "op":
            return self._each
        if sort == "text":
            step = self._field(_unquoted(token))
        elif sort == "number" and "." not in token:
            step = self._index(int(token))
        else:
            raise Unknown(f"[{token}")
        self._take("]")
        return step

    def _word(self, word: str) -> Step:
        constants: dict[str, Any] = {"true": True, "false": False, "null": None}
        if word in constants:
            return _constant(constants[word])
        if word in FUNCTIONS and self.peek() != "(":
            function = FUNCTIONS[word]
            return lambda at: iter(((None, function(at[1])),))
        if word == "recurse" and self.peek() != "(":
            return self._recurse
        if word == "empty":
            return lambda at: iter(())
        if word in {"select", "first"} or word in TESTS:
            self._take("(")
            inner = self.pipe()
            self._take(")")
            if word == "select":
                return lambda at: (at for _, value in inner(at) if truthy(value))
            if word == "first":
                return lambda at: islice(inner(at), 1)
            test = TESTS[word]
            return lambda at: ((None, test(at[1], value)) for _, value in inner(at))
        raise Unknown(f"{word!r} is not understood here")

    def _field(self, name: str) -> Step:
        def step(at: Found) -> Iterator[Found]:
            self._budget.spend()
            path, value = at
            if value is not None and not isinstance(value, Mapping):
                raise Failed(f"{name!r} of a {type_of(value)}")
            yield (None if path is None else (*path, name)), (value or {}).get(name)

        return step

    def _index(self, index: int) -> Step:
        def step(at: Found) -> Iterator[Found]:
            self._budget.spend()
            path, value = at
            if value is not None and not isinstance(value, list):
                raise Failed(f"[{index}] of a {type_of(value)}")
            items = value or []
            place = index + len(items) if index < 0 else index
            inside = 0 <= place < len(items)
            yield (None if path is None else (*path, place)), items[place] if inside else None

        return step

    def _each(self, at: Found) -> Iterator[Found]:
        path, value = at
        if not isinstance(value, (Mapping, list)):
            raise Failed(f"[] of a {type_of(value)}")
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, item in pairs:
            self._budget.spend()
            yield (None if path is None else (*path, key)), item

    def _recurse(self, at: Found) -> Iterator[Found]:
        todo = [at]
        while todo:
            self._budget.spend()
            path, value = todo.pop()
            yield path, value
            if isinstance(value, (Mapping, list)) and value:
                todo.extend(reversed([*self._each((path, value))]))


def _then(first: Step, second: Step) -> Step:
    return lambda at: (found for middle in first(at) for found in second(middle))


def _constant(value: Any) -> Step:
    return lambda at: iter(((None, value),))


def _tried(step: Step) -> Step:
    def tried(at: Found) -> Iterator[Found]:
        try:
            yield from step(at)
        except Failed:
            return

    return tried
