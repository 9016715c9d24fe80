"""Where hosts send their clients."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest

from pytest_gitops.world.following import led_to, packages, realm


@pytest.mark.parametrize(
    ("status", "location", "expected"),
    [
        (302, "https://store.example.com/x", {"store.example.com"}),
        (301, "http://Store.example.com:8080/x", {"store.example.com"}),
        (308, "/elsewhere", set()),
        (303, "//store.example.com/x", set()),
        (307, "ftp://store.example.com/x", set()),
        (302, "https://[::1/x", set()),
        (302, "", set()),
        (200, "https://store.example.com/x", set()),
        (201, "https://store.example.com/x", set()),
    ],
)
def test_a_redirect_leads_to_its_host(status: int, location: str, expected: set[str]) -> None:
    assert led_to(status, location, []) == expected


def test_a_registry_leads_to_where_it_gives_tokens() -> None:
    challenge = 'Bearer service="it",realm="https://auth.example.com/token",scope="x"'
    assert led_to(401, "", ['Basic realm="https://basic.example.com"', challenge]) == {"auth.example.com"}
    assert led_to(403, "", [challenge]) == led_to(401, "", ["Bearer", ""]) == set()
    assert realm(challenge) == "https://auth.example.com/token"


ENTRY = "  - urls: [%s]\n    home: https://home.example.com\n    icon: https://icons.example.com/x.png\n"
INDEX = "apiVersion: v1\nentries:\n" + "".join(
    ENTRY % url
    for url in (
        "https://one.example.com/charts/a-1.0.0.tgz",
        "'https://Two.example.com:8443/a/b/c-1.0.0.tgz'",
        "http://three.example.com/d.tgz",
        "own-1.0.0.tgz",
    )
)
EXPECTED = {"one.example.com", "Two.example.com", "three.example.com"}


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 7, 65536])
@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_an_index_leads_to_the_hosts_of_packages_and_to_no_others(size: int, encoding: str) -> None:
    data = gzip.compress(INDEX.encode()) if encoding else INDEX.encode()
    found = list(packages(cut(data, size), encoding=encoding))
    assert b"".join(piece for piece, _ in found) == data
    assert set().union(*(hosts for _, hosts in found)) == EXPECTED


def test_the_piece_that_ends_a_url_comes_with_its_host() -> None:
    pieces = [b"urls: [https://one.example.com/a-1", b".0.0.tgz]"]
    assert list(packages(pieces, encoding="")) == [(pieces[0], set()), (pieces[1], {"one.example.com"})]


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_what_cannot_be_read_is_passed_on_as_it_is(encoding: str) -> None:
    assert list(packages([b"no zip", b"at all"], encoding=encoding)) == [
        (b"no zip", set()),
        (b"at all", set()),
    ]
