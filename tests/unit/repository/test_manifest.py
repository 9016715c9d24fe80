"""YAML as Kubernetes reads it, and the lines of things."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_gitops.repository.manifest import Document, ManifestError, dump, parse


def one(text: str | bytes) -> Document:
    (document,) = parse(text)
    return document


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("22:22", "22:22"),
        ("1:30:45", "1:30:45"),
        ("1e3", 1000),
        ("1E-2", 0.01),
        ("1e999", "1e999"),
        ("08", 8),
        ("0777", 511),
        ("0o17", 15),
        ("-0x1F", -31),
        ("0b11", 3),
        ("+5", 5),
        ("1_000", 1000),
        ("1.0", 1),
        ("1.5", 1.5),
        (".5", 0.5),
        ("12.", 12),
        ("-.inf", float("-inf")),
        ("y", True),
        ("On", True),
        ("no", False),
        ("N", False),
        ("~", None),
        ("", None),
        ("Null", None),
        ("=", "="),
        (".", "."),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T10:00:00Z", "2024-01-01T10:00:00Z"),
        ("v1.2", "v1.2"),
        ("1.2.3", "1.2.3"),
        ("'1'", "1"),
        ('"yes"', "yes"),
        ("!!str 12", "12"),
        ("!!timestamp 2024-01-01", "2024-01-01"),
        ("!!float 3", 3),
    ],
)
def test_a_plain_word_means_what_it_means_to_kubernetes(written: str, read: Any) -> None:
    value = one(f"key: {written}").value["key"]
    assert (type(value), value) == (type(read), read)


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        ("a: 1\nb: [", "did not find expected node content", 2),
        ("a: 1\nb: c: d", "mapping values are not allowed in this context", 2),
        ("a:\n\tb: 1", "found character that cannot start any token", 2),
        ("a: 1\n--- x: y", "mapping values are not allowed in this context", 2),
        ("? [a]\n: b", "found unhashable key", 1),
        ("a: *nowhere", "found undefined alias", 1),
        ("a: !vault x", "could not determine a constructor for the tag '!vault'", 1),
        ("a: !!bool perhaps", "'perhaps' is no boolean", 1),
        ("a: !!int x", "not YAML: ValueError", 1),
        ("a: 1\nb: 2\nc: \x01", "a character YAML does not allow: control characters are not allowed", 3),
        (b"\xff\xfea", "not YAML: UnicodeDecodeError", 1),
        ("a:\n- &a [*a]", "an anchor that contains itself", 2),
        ("a: &a\n  b: *a", "an anchor that contains itself", 1),
    ],
)
def test_what_is_not_yaml_is_said_with_its_line(text: str | bytes, problem: str, line: int) -> None:
    with pytest.raises(ManifestError) as caught:
        parse(text)
    assert (caught.value.problem, caught.value.line) == (problem, line)
    assert str(caught.value) == f"line {line}: {problem}"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        "{a: " * 100_000,
        "- " * 100_000 + "x",
        "? " * 100_000 + "x",
        "[{a: " * 100_000,
        "".join(" " * i + "a:\n" for i in range(1000)),
        "a: 'x'\nb: " + "[" * 201 + "]" * 201,
    ],
    ids=["flow", "mappings", "entries", "keys", "mixed", "indented", "closed"],
)
def test_a_bottomless_file_is_a_problem_and_not_the_end_of_the_process(text: str) -> None:
    with pytest.raises(ManifestError, match="nested deeper than 200 levels"):
        parse(text)


def test_brackets_in_texts_are_no_depth() -> None:
    assert one("a: '" + "[" * 5000 + "'").value == {"a": "[" * 5000}
    assert one("a: |\n  " + "- " * 5000).value["a"].startswith("- - ")


def test_a_long_file_under_suspicion_is_not_deep() -> None:
    text = f"a: '{'[' * 500}'\n" + "".join(f"k{i}: [1, {{b: 2}}]\n" for i in range(300))
    assert len(one(text).value) == 301


def test_aliases_that_expand_without_measure_are_refused_before_they_expand() -> None:
    lines = ["x0: &x0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 10)}]" for i in range(1, 30)]
    with pytest.raises(ManifestError, match="aliases that expand to more than 1000000 values") as caught:
        parse("\n".join(lines))
    assert caught.value.line == 6


def test_anchors_and_merges_are_resolved() -> None:
    document = one("base: &b\n  x: 1\n  y2: 2\nown:\n  <<: *b\n  x: 3\n")
    assert document.value["own"] == {"x": 3, "y2": 2}
    assert document.repeated == ()
    assert document.line_of("own", "x") == 6
    assert document.line_of("own", "y2") == 3


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_encodings_with_a_mark_are_read(encoding: str) -> None:
    mark = b"\xff\xfe" if encoding == "utf-16-le" else b""
    assert one(mark + "name: Größe\n".encode(encoding)).value == {"name": "Größe"}


def test_windows_line_ends_keep_their_lines() -> None:
    first, second = parse(b"a: 1\r\nb: 2\r\n---\r\nc: 3\r\n")
    assert (first.value, first.line_of("b")) == ({"a": 1, "b": 2}, 2)
    assert (second.value, second.line) == ({"c": 3}, 4)


def test_json_is_read_with_tabs_and_escaped_slashes() -> None:
    document = one('{\n\t"apiVersion": "argoproj.io\\/v1alpha1",\n\t"a": ["\\u00e9"]\n}')
    assert document.value == {"apiVersion": "argoproj.io/v1alpha1", "a": ["é"]}
    assert document.line_of("a") == 3


def test_empty_documents_are_left_out() -> None:
    assert [d.value for d in parse("---\n# nothing\n---\na: 1\n---\n---\nnull\n...\n---\nb: 2")] == [
        {"a": 1},
        {"b": 2},
    ]
    assert parse("") == ()
    assert parse("# only a comment\n") == ()


def test_a_key_that_is_written_twice_is_noted_and_the_last_one_counts() -> None:
    document = one("a: 1\nb:\n  c: 1\n  c: 2\na:\n  d: 3\n")
    assert document.value == {"a": {"d": 3}, "b": {"c": 2}}
    assert set(document.repeated) == {("a", 5), ("c", 4)}
    assert document.line_of("a") == 5
    assert document.line_of("a", "d") == 6
    assert parse("a: 1\na: 2\n---\nb: 1\n")[1].repeated == ()


def test_the_line_is_that_of_the_last_part_of_the_path_that_exists() -> None:
    document = one("# x\nspec:\n  sources:\n  - a: 1\n  - b: 2\n    c: 3\n")
    assert document.line == 2
    assert document.line_of() == 2
    assert document.line_of("spec") == 2
    assert document.line_of("spec", "sources", 1, "c") == 6
    assert document.line_of("spec", "sources", 1, "nowhere", "deeper") == 5
    assert document.line_of("spec", "sources", 9) == 3
    assert document.line_of("spec", "sources", -1) == 3
    assert document.line_of("nowhere") == 2


@pytest.mark.parametrize("kind", ["List", "ApplicationList"])
def test_the_items_of_a_list_are_documents_with_lines(kind: str) -> None:
    document = one(f"kind: {kind}\nitems:\n- a: 1\n- kind: List\n  items:\n  - b: 2\n  - c: 3\n- d: 4\n")
    assert [(d.value, d.line) for d in document.items()] == [
        ({"a": 1}, 3), ({"b": 2}, 6), ({"c": 3}, 7), ({"d": 4}, 8),
    ]  # fmt: skip
    assert [d.line_of("c") for d in document.items()] == [3, 6, 7, 8]


def test_no_item_is_lost_where_items_are_written_twice_or_shared() -> None:
    twice = one("kind: List\nitems: [{a: 1}]\nitems: [{a: 1}, {b: 2}]\n")
    assert [d.value for d in twice.items()] == [{"a": 1}, {"b": 2}]
    shared = one("x: &x\n- a: 1\n- b: 2\nkind: List\nitems: *x\n")
    assert [d.value for d in shared.items()] == [{"a": 1}, {"b": 2}]
    merged = one("x: &x\n  items:\n  - a: 1\nkind: List\n<<: *x\n")
    assert [(d.value, d.line) for d in merged.items()] == [({"a": 1}, 3)]
    made = Document(value={"kind": "List", "items": [{"a": 1}, {"b": 2}]}, line=7, _node=None)
    assert [(d.value, d.line) for d in made.items()] == [({"a": 1}, 7), ({"b": 2}, 7)]


@pytest.mark.parametrize(
    "text",
    [
        "kind: List\n",
        "kind: List\nitems: x\n",
        "kind: Checklist\nsteps: []\n",
        "kind: Menu\nitems: [{a: 1}]\n",
        "[1, 2]",
        "x",
    ],
)
def test_what_is_no_list_is_itself(text: str) -> None:
    document = one(text)
    assert list(document.items()) == [document]


def test_dumped_values_come_back() -> None:
    value = {"b": "22:22", "a": ["1e3x", None, True, "é"]}
    assert [d.value for d in parse(dump(value, {"c": 1}))] == [value, {"c": 1}]
    assert dump(value).startswith("b:")


def test_a_large_file_is_not_searched_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    def passes(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("an exact pass without suspicion")

    monkeypatch.setattr("pytest_gitops.repository.manifest.yaml.parse", passes)
    assert len(one("items:\n" + "- {a: [1, {b: 2}]}\n" * 2000).value["items"]) == 2000
