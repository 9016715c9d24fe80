"""Definitions that the configuration names by URL: what may be named, what is taken, what is kept, what is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_gitops.errors import ConfigError
from pytest_gitops.keeping import Kept
from pytest_gitops.model import Severity
from pytest_gitops.repository.remote import Fetched, fetch, is_pinned, is_url, remote_file
from pytest_gitops.settings.settings import RemoteFile
from pytest_gitops.world.download import NotDownloaded, shown

MOVING = "https://example.com/main/crds.yaml?token=hidden"
SHOWN = "https://example.com/main/crds.yaml?…"
PINNED = "https://example.com/v1.2.3/crds.yaml"

CRD = b"kind: CustomResourceDefinition\nmetadata: {name: as.example.com}\n"
OTHER = CRD.replace(b"as.", b"bs.")


def named(url: str, line: int = 3) -> RemoteFile:
    return remote_file(url, where=f"pytest-gitops.yaml:{line}", file="pytest-gitops.yaml", line=line)


class Web:
    """Answers with `content`, or raises it, and counts."""

    def __init__(self, content: bytes | NotDownloaded) -> None:
        self.content, self.asked = content, list[str]()

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        if isinstance(self.content, NotDownloaded):
            raise self.content
        return self.content


@pytest.fixture
def get(tmp_path: Path) -> Callable[..., Fetched]:
    def one(web: Web, *urls: str) -> Fetched:
        return fetch([named(u) for u in urls], download=web, kept=Kept(tmp_path / "downloads"))

    return one


def names(fetched: Fetched) -> list[str]:
    return [d["metadata"]["name"] for d in fetched.definitions]


AWAY = NotDownloaded("example.com (port 443) is out of reach: Connection refused", away=True)


# ---------------------------------------------------------------------- what may be named


@pytest.mark.parametrize("entry", ["crds", "./crds/a.yaml", "https/crds", "a:b"])
def test_a_path_is_no_url(entry: str) -> None:
    assert not is_url(entry)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a",
        "file:///etc/passwd",
        "HTTPS:///a",
        "ftp://x/y",
        "oci://x/y",
        "https://[x",
        "https://a:b/c",
    ],
)
def test_nothing_but_https_is_fetched(url: str) -> None:
    assert is_url(url)
    with pytest.raises(
        ConfigError,
        match=r"^pytest-gitops\.yaml:3: crds: expected an https:// URL or a path of the repository, saw ",
    ):
        named(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://me:hidden@example.com/a",
        "https://hidden@example.com/a",
        "http://me:hidden@example.com/a?x=hidden",
        "https://me:hidden@[x",
    ],
)
def test_credentials_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError) as error:
        named(url)
    assert "hidden" not in str(error.value)


@pytest.mark.parametrize(
    "url", ["https://example.com/a b", "https://example.com/ä", "https://example.com/a\tb"]
)
def test_a_url_is_written_percent_encoded(url: str) -> None:
    with pytest.raises(ConfigError, match="expected a URL of ASCII characters without spaces"):
        named(url)


def test_a_url_is_known_by_its_host_and_place() -> None:
    assert named(" https://Raw.Example.COM./a?b#c ") == RemoteFile(
        url="https://Raw.Example.COM./a?b",
        host="raw.example.com",
        where="pytest-gitops.yaml:3",
        file="pytest-gitops.yaml",
        line=3,
    )


def test_people_are_not_shown_what_may_be_secret() -> None:
    assert shown("https://me:hidden@example.com:8443/a?sig=hidden#hidden") == "https://example.com:8443/a?…"


# ---------------------------------------------------------------------- once, or in every run


@pytest.mark.parametrize(
    ("path", "pinned"),
    [
        ("v1.2.3/a.yaml", True),
        ("1.2.3/a.yaml", True),
        ("refs/tags/v1.2.3-rc.1+b/a.yaml", True),
        ("app%2Fv1.2.3/a.yaml", True),
        ("kube-prometheus-stack-65.1.0/a.yaml", True),
        ("crds-1.2.3.yaml", True),
        ("0123456789abcdef0123456789abcdef01234567/a.yaml", True),
        ("main/a.yaml", False),
        ("release-1.30/a.yaml", False),
        ("v1/a.yaml", False),
        ("0123456789abcdef/a.yaml", False),
        ("latest/a.yaml?v=1.2.3", False),
    ],
)
def test_a_release_or_a_commit_means_the_same_for_ever(path: str, pinned: bool) -> None:
    assert is_pinned(f"https://example.com/{path}") is pinned


def test_what_is_pinned_is_fetched_once(get: Callable[..., Fetched]) -> None:
    web = Web(CRD)
    assert names(get(web, PINNED)) == names(get(web, PINNED)) == ["as.example.com"]
    assert web.asked == [PINNED]


def test_what_moves_is_fetched_in_every_run(get: Callable[..., Fetched]) -> None:
    web = Web(CRD)
    get(web, MOVING)
    web.content = OTHER
    assert names(get(web, MOVING)) == ["bs.example.com"]


def test_a_url_that_is_named_twice_is_fetched_once_and_order_is_kept(get: Callable[..., Fetched]) -> None:
    web = Web(CRD)
    assert names(get(web, MOVING, PINNED, MOVING)) == ["as.example.com"] * 2
    assert sorted(web.asked) == sorted([MOVING, PINNED])


def test_out_of_reach_means_as_last_time_and_is_said(get: Callable[..., Fetched]) -> None:
    web = Web(CRD)
    get(web, MOVING)
    web.content = AWAY
    again = get(web, MOVING)
    assert names(again) == ["as.example.com"]
    (finding,) = again.findings
    assert (finding.rule, finding.severity, finding.where) == (
        "crds-not-fresh",
        Severity.WARNING,
        "pytest-gitops.yaml:3",
    )
    assert finding.message == (
        f"{SHOWN} was taken as an earlier run had it: expected an answer, saw "
        "example.com (port 443) is out of reach: Connection refused"
    )


@pytest.mark.parametrize(
    "answer", [NotDownloaded("HTTP 404 Not Found", status=404), NotDownloaded("x", refused=True)]
)
def test_what_is_gone_or_refused_is_not_replaced_by_what_was(
    get: Callable[..., Fetched], answer: NotDownloaded
) -> None:
    web = Web(CRD)
    get(web, MOVING)
    web.content = answer
    with pytest.raises(ConfigError):
        get(web, MOVING)


def test_only_what_can_be_used_is_kept(get: Callable[..., Fetched]) -> None:
    with pytest.raises(ConfigError):
        get(Web(b"kind: Service\n"), PINNED)
    assert names(get(Web(CRD), PINNED)) == ["as.example.com"]


# ---------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (NotDownloaded("HTTP 404 Not Found", status=404), "saw HTTP 404 Not Found. Correct the URL, or put a copy of the file into the repository and name its path"),
        (NotDownloaded("HTTP 401 Unauthorized", status=401), "saw HTTP 401 Unauthorized. Only public files are fetched, without credentials: name a public one, or put a copy of the file into the repository and name its path"),
        (NotDownloaded("x is not allowed by pytest-gitops", refused=True), "saw x is not allowed by pytest-gitops. Name that host under network.allow, or put a copy of the file into the repository and name its path"),
        (AWAY, "saw example.com (port 443) is out of reach: Connection refused. Check the network and try again (what was had once is kept for such times), or put a copy of the file into the repository and name its path"),
        (b"\n<!doctype html><html>", "saw a page of HTML. Name the address of the file itself (in a forge: Raw), or put a copy of the file into the repository and name its path"),
        (b"a: 1\nb: c: d\n", "saw, in its line 2: mapping values are not allowed in this context. Correct the URL, or put a copy of the file into the repository and name its path"),
        (b"\x1f\x8b\x08\x00", "saw, in its line 1: a character YAML does not allow: control characters are not allowed. Correct the URL, or put a copy of the file into the repository and name its path"),
        (b"", "saw no manifest at all. Name the file of the release that has them"),
        (b"just words\n", "saw no manifest at all. Name the file of the release that has them"),
        (b"kind: Service\n---\nkind: Deployment\n", "saw Deployment, Service. Name the file of the release that has them"),
        (b"kind: CustomResourceDefinition\n", "saw 1 of 1 without metadata.name. Correct the URL, or put a copy of the file into the repository and name its path"),
    ],
)  # fmt: skip
def test_what_is_wrong_names_the_url_the_place_and_what_to_do(
    get: Callable[..., Fetched], answer: bytes | NotDownloaded, seen: str
) -> None:
    with pytest.raises(ConfigError) as error:
        get(Web(answer), MOVING)
    assert (
        str(error.value) == f"pytest-gitops.yaml:3: crds: {SHOWN}: expected CustomResourceDefinitions, {seen}"
    )


def test_of_a_release_only_the_definitions_are_taken(get: Callable[..., Fetched]) -> None:
    release = (
        b"kind: Deployment\nmetadata: {name: d}\n---\n"
        + CRD
        + b"---\nkind: List\nitems:\n- {kind: CustomResourceDefinition, metadata: {name: cs}}\n"
    )
    assert names(get(Web(release), PINNED)) == ["as.example.com", "cs"]
