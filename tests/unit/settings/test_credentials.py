"""What a line of credentials means, and that none is ever quoted."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_gitops.errors import ConfigError
from pytest_gitops.settings.credentials import VARIABLE, Credential, read, without

LINES = """
# one for each kind of source
https://ci:t%2Fk%40n@charts.example.com/stable/
https://x-access-token:abc@GitHub.com/Acme
oci://robot%24ci:pw@registry.example.com:5000/team/charts
https://git.example.com
ssh://git@git.example.com:7999/PRJ
"""


def test_lines_mean_places_and_what_they_are_read_by() -> None:
    found = read({VARIABLE: LINES})
    assert [(c.scheme, c.host, c.port, c.path, c.user, c.password) for c in found] == [
        ("https", "charts.example.com", 443, "stable", "ci", "t/k@n"),
        ("https", "github.com", 443, "Acme", "x-access-token", "abc"),
        ("https", "registry.example.com", 5000, "team/charts", "robot$ci", "pw"),
        ("https", "git.example.com", 443, "", "", ""),
        ("ssh", "git.example.com", 7999, "PRJ", "git", ""),
    ]
    assert found[1].where == f"{VARIABLE}, line 4"
    assert [c.place for c in found][2:] == [
        "https://registry.example.com:5000/team/charts",
        "https://git.example.com/",
        "ssh://git.example.com:7999/PRJ",
    ]


def test_nothing_is_given_where_the_variable_is_not_there_or_empty() -> None:
    assert read({}) == read({VARIABLE: " \n"}) == ()


@pytest.mark.parametrize("home", [False, True])
def test_a_file_of_lines_is_named_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: bool
) -> None:
    (tmp_path / "store").write_text(LINES)
    monkeypatch.setenv("HOME", str(tmp_path))
    given = "~/store" if home else str(tmp_path / "store")
    assert len(read({VARIABLE: given})) == 5
    assert read({VARIABLE: given})[0].where == f"{given}, line 3"


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xff")
    for name, why in (("missing", "No such file"), ("binary", "it is no text")):
        with pytest.raises(ConfigError, match=why) as caught:
            read({VARIABLE: str(tmp_path / name)})
        assert str(caught.value).startswith(
            f"{VARIABLE}: expected lines such as https://<user>:<password>@<host>/<prefix>"
        )


WRONG = {
    "in the clear": ("http://ci:S3cretWord@charts.example.com/", "http://: a password is not sent in the clear"),
    "no URL": ("ci:S3cretWord@charts.example.com", "neither an https:// nor an ssh:// URL"),
    "no host": ("https:///S3cretWord", "neither an https:// nor an ssh:// URL with a host"),
    "a slash in a password": ("https://ci:S3cret/Word@charts.example.com/", "a URL that cannot be"),
    "a slash and digits": ("https://ci:12/S3cretWord@charts.example.com/", "a URL that cannot be divided"),
    "a hash in a password": ("https://ci:12#S3cretWord@charts.example.com/", "a URL that cannot be divided"),
    "a line break": ("https://ci:S3cretWord%0ahost=evil@charts.example.com/", "a character that does not belong"),
    "upwards": ("https://ci:S3cretWord@charts.example.com/acme/%2e%2e/other", "a character that does not belong"),
    "a password over ssh": ("ssh://git:S3cretWord@git.example.com/acme", "ssh:// with a password"),
    "a port": ("https://ci:S3cretWord@charts.example.com:port/", "a URL that cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize(("line", "why"), WRONG.values(), ids=WRONG)
def test_a_line_that_is_none_is_named_and_not_quoted(line: str, why: str) -> None:
    with pytest.raises(ConfigError, match=f"^{VARIABLE}, line 2: expected .*, saw ") as caught:
        read({VARIABLE: f"https://a:b@c.example.com/\n{line}\n"})
    assert why in str(caught.value)
    assert "S3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_what_is_secret_is_in_no_text_of_a_credential() -> None:
    shown = repr(Credential(scheme="https", host="h", port=443, user="Somebody", password="S3cretWord"))
    assert "S3cret" not in shown
    assert "Somebody" not in shown


def test_others_get_an_environment_without_them() -> None:
    assert without({VARIABLE: "x", "PATH": "/bin"}) == {"PATH": "/bin"}
