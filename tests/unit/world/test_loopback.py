"""The world as a whole: what it writes, to whom it is private, and what it hands to Argo CD."""

from __future__ import annotations

import os
import ssl
import stat
from pathlib import Path

import pytest

from pytest_gitops.errors import ConfigError
from pytest_gitops.world.certificates import Authority, system_roots
from pytest_gitops.world.charts import package
from pytest_gitops.world.loopback import World
from pytest_gitops.world.sshclient import repository, split


@pytest.fixture
def world(tmp_path):
    it = World(tmp_path / "world", environ={"PATH": os.environ["PATH"]})
    yield it
    it.stop()


def test_everything_it_writes_is_private(world, tmp_path):
    world.serve_repository(["https://github.com/o/r"], tmp_path / "bare")
    world.start()
    for path in [tmp_path / "world", *(tmp_path / "world").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert not any(b"PRIVATE KEY" in p.read_bytes() for p in (tmp_path / "world").rglob("*") if p.is_file())


def test_the_password_is_asked_for_in_every_way_in(world):
    password = world.url.split("@")[0].rsplit(":", 1)[1]
    assert len(password) > 20
    ways = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
    assert all(f":{password}@127.0.0.1:" in world.env[name] for name in ways)


def test_the_bundle_trusts_the_machines_roots_and_the_run(tmp_path):
    (tmp_path / "theirs").mkdir()
    theirs = tmp_path / "theirs.pem"
    theirs.write_bytes(Authority(tmp_path / "theirs").certificate)
    world = World(tmp_path / "world", environ={"SSL_CERT_FILE": str(theirs)})
    world.stop()
    trusted = ssl.create_default_context(cafile=world.env["SSL_CERT_FILE"]).get_ca_certs()
    assert len([c for c in trusted if "pytest-gitops loopback world" in str(c["subject"])]) == 2


def test_named_roots_come_first_and_what_is_no_certificate_is_left_out(tmp_path):
    (tmp_path / "a.pem").write_text("-----BEGIN CERTIFICATE-----\nA\n")
    (tmp_path / "b").write_text("not a certificate")
    assert system_roots(
        {"SSL_CERT_FILE": str(tmp_path / "a.pem"), "GIT_SSL_CAINFO": str(tmp_path / "b")}
    ) == ((tmp_path / "a.pem").read_bytes())
    assert b"BEGIN" not in system_roots({"SSL_CERT_FILE": str(tmp_path / "missing")})


def test_ssh_urls_get_a_key_for_the_served_repositories_alone(world, tmp_path):
    world.serve_repository(["https://github.com/O/r.git", "ssh://me@git.example.com:2222/x/y.git"], tmp_path)
    found = world.secrets("openshift-gitops")
    urls = {s["stringData"]["url"] for s in found}
    assert {
        "ssh://git@github.com/O/r",
        "ssh://git@github.com:22/O/r",
        "ssh://git@ssh.github.com:443/O/r",
    } <= urls
    assert {"ssh://me@git.example.com:2222/x/y", "ssh://git@git.example.com:2222/x/y"} <= urls
    assert all("r" in u.rsplit("/", 1)[1] or u.endswith("/x/y") for u in urls)
    first = found[0]
    assert first["metadata"]["namespace"] == "openshift-gitops"
    assert first["metadata"]["labels"] == {"argocd.argoproj.io/secret-type": "repo-creds"}
    assert first["stringData"]["sshPrivateKey"].startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert len({s["metadata"]["name"] for s in found}) == len(found)


def test_the_key_is_handed_out_for_ssh_urls_of_served_repositories_alone(world, tmp_path):
    world.serve_repository(["https://github.com/o/r"], tmp_path)
    key = world.secrets("argocd")[0]["stringData"]["sshPrivateKey"]
    assert world.credentials("git@GitHub.com:o/r.git") == {"sshPrivateKey": key}
    others = ["https://github.com/o/r", "git@github.com:o/other.git", "/srv/git", "git@gitlab.com:o/r.git"]
    assert [world.credentials(url) for url in others] == [{}, {}, {}, {}]


def test_known_hosts_name_each_host_and_port_once(world, tmp_path):
    world.serve_repository(["git@github.com:o/r.git", "ssh://git@git.example.com:2222/x/y"], tmp_path)
    lines = (Path(world.env["ARGOCD_SSH_DATA_PATH"]) / "ssh_known_hosts").read_text().splitlines()
    names = [line.split()[0] for line in lines]
    assert sorted(names) == [
        "[git.example.com]:2222", "[github.com]:443", "[ssh.github.com]:443", "git.example.com", "github.com",
        "ssh.github.com",
    ]  # fmt: skip
    assert len({line.split(" ", 1)[1] for line in lines}) == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["git@github.com", "git-upload-pack 'o/r.git'"], ("github.com", "git-upload-pack 'o/r.git'")),
        (["-p", "2222", "git@github.com", "x"], ("github.com", "x")),
        (["-p2222", "-46", "github.com", "x"], ("github.com", "x")),
        (["-4p", "22", "-o", "SendEnv=GIT_PROTOCOL", "github.com", "x", "y"], ("github.com", "x y")),
        (
            ["-i", "/key", "-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=/f", "g@h", "x"],
            ("h", "x"),
        ),
        (["--", "github.com", "x"], ("github.com", "x")),
        (["-V"], ("", "")),
        (["[::1]", "x"], ("::1", "x")),
    ],
)
def test_ssh_arguments_are_understood(arguments, expected):
    assert split(arguments) == expected


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("git-upload-pack 'o/r.git'", "o/r.git"),
        ("git upload-pack '/o/r'", "/o/r"),
        ("git-upload-pack '/with space'\\!'x'", "/with space!x"),
        ("git-receive-pack 'o/r.git'", ""),
        ("git-upload-pack --strict 'o/r'", ""),
        ("git-upload-pack 'o/r'; id", ""),
        ("git-upload-pack 'unbalanced", ""),
        ("", ""),
    ],
)
def test_only_reading_a_repository_is_run_locally(command, path):
    assert repository(command) == path


def chart(folder: Path, name: str = "redis") -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n")
    return folder / name


def packaged(tmp_path: Path, url: str = "https://charts.example.com/stable"):
    return package(
        url, tmp_path / "charts", into=tmp_path / "into", helm=Path("/nonexistent/helm"), environ={}
    )


def test_a_symlink_out_of_the_charts_folder_is_refused(tmp_path):
    (tmp_path / "secret").write_text("do not read me")
    (chart(tmp_path / "charts") / "values.yaml").symlink_to(tmp_path / "secret")
    with pytest.raises(ConfigError, match=r"redis/values.yaml is a symlink that leads out of charts"):
        packaged(tmp_path)


@pytest.mark.parametrize("url", ["git@github.com:o/r.git", "/charts", "charts.example.com/x", ""])
def test_charts_are_served_at_http_and_oci_addresses_only(tmp_path, url):
    chart(tmp_path / "charts")
    expected = "expected the https:// or oci:// address of a chart repository"
    with pytest.raises(ConfigError, match=expected):
        packaged(tmp_path, url)


def test_a_folder_without_charts_is_a_clear_error(tmp_path):
    (tmp_path / "charts").mkdir()
    with pytest.raises(ConfigError, match=r"expected charts in charts, saw no Chart.yaml and no .tgz"):
        packaged(tmp_path)


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path):
    with pytest.raises(ConfigError, match="expected a folder of charts, saw none at charts"):
        packaged(tmp_path)


def test_helms_own_words_are_shown_when_it_refuses(tmp_path):
    chart(tmp_path / "charts")
    with pytest.raises(ConfigError, match=r"helm cannot package charts. /nonexistent/helm: no such program"):
        packaged(tmp_path)


def test_a_port_of_bitbuckets_ssh_is_known_where_an_application_names_it(world, tmp_path):
    url = "ssh://git@bb.example.com:7999/PRJ/grid.git"
    world.serve_repository(["https://bb.example.com/scm/PRJ/grid.git", url], tmp_path)
    assert world.credentials(url)
    assert "ssh://git@bb.example.com:7999/PRJ/grid" in {
        s["stringData"]["url"] for s in world.secrets("argocd")
    }
    known = (Path(world.env["ARGOCD_SSH_DATA_PATH"]) / "ssh_known_hosts").read_text()
    assert "[bb.example.com]:7999 " in known
