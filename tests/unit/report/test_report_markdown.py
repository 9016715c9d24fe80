from __future__ import annotations

import pytest

from pytest_gitops.report import markdown as md


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a | b", r"a \| b"),
        ("`x`", r"\`x\`"),
        ("<script>", "&lt;script&gt;"),
        ("&lt;", "&amp;lt;"),
        ("@everyone", "@\u200beveryone"),
        ("a@b.example", "a@\u200bb.example"),
        ("fixes #12", "fixes \\#\u200b12"),
        ("GH-12", "GH\u200b-12"),
        ("https://evil.example", "https:\u200b//evil.example"),
        ("www.evil.example", "www\u200b.evil.example"),
        ("[a](javascript:x)", r"\[a\]\(javascript:x\)"),
        ("![a](x)", r"\!\[a\]\(x\)"),
        ("**b** _i_ ~~s~~ $x$", r"\*\*b\*\* \_i\_ \~\~s\~\~ \$x\$"),
        ("one\ntwo\r\n# three", r"one two \# three"),
        ("back\\slash", r"back\\slash"),
        ("a\u202eb\x00c", "a\ufffdb\ufffdc"),
    ],
)
def test_text_of_a_repository_is_never_markup(text: str, expected: str) -> None:
    assert md.prose(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "`plain`"),
        ("a`b", "``a`b``"),
        ("`a``", "``` `a`` ```"),
        ("a\nb", "`a b`"),
        ("", ""),
        ("<b> @x", "`<b> @x`"),
    ],
)
def test_a_code_span_cannot_be_closed_from_inside(text: str, expected: str) -> None:
    assert md.code(text) == expected


def test_a_pipe_in_a_cell_does_not_end_it() -> None:
    assert md.code("a|b", cell=True) == r"`a\|b`"
    assert md.code("a|b") == "`a|b`"


def test_a_block_cannot_be_closed_from_inside() -> None:
    assert md.block("a\n`````\nb") == "``````text\na\n`````\nb\n``````"


def test_a_long_block_says_what_is_missing() -> None:
    assert md.block("1\n2\n3\n4", lines=2) == "```text\n1\n2\n… 2 more lines\n```"


def test_items_beyond_the_room_are_counted() -> None:
    page = md.Page()
    page.items([f"- {n} " + "x" * 96 for n in range(50)], share=1_500, shown=3, title="**T**", noun="error")
    text = page.text()
    assert "<details><summary>7 more errors</summary>" in text
    assert "… 40 errors left out here: see the full report, `index.html`." in text
    assert md.size(text) <= 1_500


def test_what_is_beyond_the_room_is_not_even_written() -> None:
    written: list[int] = []

    def write(n: int) -> str:
        written.append(n)
        return f"- {n} " + "x" * 96

    lazy, eager = md.Page(), md.Page()
    lazy.items(md.Each(write, range(50)), share=1_500, shown=3, title="**T**", noun="error")
    assert written == list(range(11))  # the one that does not fit is seen not to
    eager.items([write(n) for n in range(50)], share=1_500, shown=3, title="**T**", noun="error")
    assert lazy.text() == eager.text()


def test_room_that_one_section_leaves_goes_to_the_next() -> None:
    items = ["- " + "x" * 98] * 20
    tight, roomy = md.Page(), md.Page()
    roomy.grant(2_000)
    for page in (tight, roomy):
        page.items(items, share=1_000, shown=20, title="**T**", noun="error")
    assert tight.text().count("- x") < roomy.text().count("- x") == 20


def test_size_counts_as_github_does() -> None:
    assert md.size("a✅") == 2
    assert md.size("🚀") == 2
    assert md.size("\ud800") == 1
