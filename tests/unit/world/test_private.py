"""Which request is completed with which credential, and which with none."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import pytest

from pytest_gitops.settings.credentials import VARIABLE, read
from pytest_gitops.world.private import Private

LINES = """
https://git:whole@git.example.com
https://git:acme@git.example.com/acme
https://git:deep@git.example.com/Acme/Deep
https://git:port@git.example.com:8443/acme
oci://robot:pull@registry.example.com/team
oci://robot:deep@registry.example.com/team/deep
https://hub:all@hub.example.com
"""


@pytest.fixture
def private(tmp_path: Path) -> Private:
    return Private(read({VARIABLE: LINES}), tmp_path / "private", environ={})


def password(authorization: str) -> str:
    assert not authorization or authorization.startswith("Basic ")
    return b64decode(authorization.removeprefix("Basic ")).decode().partition(":")[2]


@pytest.mark.parametrize(
    ("host", "port", "target", "expected"),
    [
        ("git.example.com", 443, "/other/r.git/info/refs?service=git-upload-pack", "whole"),
        ("git.example.com", 443, "/acme/r.git/info/refs?service=git-upload-pack", "acme"),
        ("git.example.com", 443, "/ACME/r.git/info/refs", "acme"),
        ("git.example.com", 443, "//acme//r.git/info/refs", "acme"),
        ("git.example.com", 443, "/%61cme/r", "acme"),
        ("git.example.com", 443, "/acme/deep", "deep"),
        ("git.example.com", 443, "/acme/deep-too/r", "acme"),
        ("git.example.com", 443, "/acme-too/r", "whole"),
        ("git.example.com", 8443, "/acme/r", "port"),
        ("git.example.com", 8443, "/other/r", ""),
        ("git.example.com", 80, "/acme/r", ""),
        ("evil.example.com", 443, "/acme/r", ""),
        ("git.example.com.evil.org", 443, "/acme/r", ""),
        # What a server might take for another path.
        ("git.example.com", 443, "/acme/../other/r", ""),
        ("git.example.com", 443, "/acme/%2e%2e/other/r", ""),
        ("git.example.com", 443, "/acme/%252e%252e/other/r", ""),
        ("git.example.com", 443, "/acme/..\\other", ""),
        # A registry says itself what it wants.
        ("registry.example.com", 443, "/v2/team/app/manifests/1.0.0", ""),
        ("hub.example.com", 443, "/v2/team/app/manifests/1.0.0", ""),
        ("hub.example.com", 443, "/index.yaml", "all"),
    ],
)
def test_the_longest_prefix_of_its_own_host_and_port_counts(
    private: Private, host: str, port: int, target: str, expected: str
) -> None:
    assert password(private.authorization(host, port, target)) == expected


def test_a_registry_that_wants_a_password_is_asked_again_with_it(private: Private) -> None:
    def asked(path: str, host: str = "registry.example.com") -> str:
        return password(private.challenged(host, 443, path, ['Basic realm="it"']))

    assert asked("/v2/team/app/manifests/1.0.0") == "pull"
    assert asked("/v2/team/deep/app/manifests/1.0.0") == "deep"
    assert asked("/v2/other/app/manifests/1.0.0") == asked("/team/app") == ""
    assert asked("/v2/team/app/manifests/1.0.0", host="evil.example.com") == ""
    assert asked("/v2/team/../other/manifests/1.0.0") == ""
    assert private.token_hosts == ()


REALM = 'Bearer realm="https://auth.example.com/token",service="registry",scope="repository:team/app:pull"'


def test_a_token_is_asked_for_where_the_registry_says_and_for_what_the_credential_covers(
    private: Private,
) -> None:
    def asked(query: str, host: str = "auth.example.com", path: str = "/token") -> str:
        return password(private.authorization(host, 443, f"{path}?service=registry&{query}"))

    assert asked("scope=repository:team/app:pull") == ""
    assert not private.answers("auth.example.com")
    assert private.challenged("registry.example.com", 443, "/v2/team/app/manifests/1", [REALM]) == ""
    assert private.answers("auth.example.com")
    assert asked("scope=repository:team/app:pull") == "pull"
    assert asked("scope=repository%3Ateam%2Fapp%3Apull") == "pull"
    assert asked("scope=repository:team/app:pull&scope=repository:team/base:pull") == "pull"
    assert asked("scope=repository:other/app:pull") == ""
    assert asked("scope=repository:team/app:pull&scope=repository:other/app:pull") == ""
    assert asked("scope=registry:catalog:*") == asked("") == ""
    assert asked("scope=repository:team/app:pull", path="/other") == ""
    assert asked("scope=repository:team/app:pull", host="evil.example.com") == ""


@pytest.mark.parametrize(
    "challenge",
    ['Bearer realm="http://auth.example.com/token"', 'Bearer realm="https://[::1/token"', "Bearer", "",
     'Bearer realm="https:///token"', 'Negotiate realm="https://auth.example.com/token"'],
)  # fmt: skip
def test_a_password_goes_nowhere_that_is_no_https_url(private: Private, challenge: str) -> None:
    assert private.challenged("registry.example.com", 443, "/v2/team/app/manifests/1", [challenge]) == ""
    assert private.token_hosts == ()


def test_of_other_hosts_a_registry_cannot_make_places_for_tokens(private: Private) -> None:
    assert private.challenged("evil.example.com", 443, "/v2/team/app/manifests/1", [REALM]) == ""
    assert private.challenged("registry.example.com", 443, "/v2/other/app/manifests/1", [REALM]) == ""
    assert not private.answers("auth.example.com")


def test_what_is_secret_is_told_as_it_is_sent_as_well(private: Private) -> None:
    assert "acme" in private.secrets
    assert "Z2l0OmFjbWU=" in private.secrets
