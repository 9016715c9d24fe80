"""One repository, many spellings."""

import pytest

from pytest_gitops.world.urls import canonical, locate, parse, parse_registry


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/Owner/Repo",
        "https://github.com/Owner/Repo.git",
        "https://github.com/owner/repo/",
        "https://github.com/owner/repo.GIT",
        "https://github.com/owner/repo.git/",
        "HTTPS://GitHub.com//owner/repo",
        "http://github.com/owner/repo",
        "https://github.com:443/owner/repo",
        "https://token@github.com/owner/repo.git",
        "https://user:p%40ss@github.com/owner/repo.git",
        "https://github.com./owner/repo",
        "git@github.com:owner/repo.git",
        "git@github.com:/owner/repo",
        "github.com:owner/repo",
        "org-123@github.com:owner/repo.git",
        "ssh://git@github.com/owner/repo.git",
        "ssh://git@github.com:22/owner/repo",
        "ssh://git@ssh.github.com:443/owner/repo.git",
        "git+ssh://git@github.com/owner/repo",
        "git://github.com/owner/repo",
        "  https://github.com/owner/repo\n",
        "https://github.com/own%65r/repo",
    ],
)
def test_every_spelling_is_the_same_repository(url):
    assert canonical(url) == "github.com/owner/repo"


@pytest.mark.parametrize(
    "url",
    ["", "/srv/git/repo", "../repo", "./a:b", "file:///srv/repo", "https://", "https:///x", "https://[::1",
     "C:", "https://host:port/x", "git@github.com:", "https://host:99999/x"],
)  # fmt: skip
def test_what_has_no_host_is_nobodys_repository(url):
    assert canonical(url) == ""


def test_different_repositories_stay_different():
    assert canonical("https://github.com/o/r.github") != canonical("https://github.com/o/r")
    assert canonical("https://github.com/o/r") != canonical("https://gitlab.com/o/r")
    assert canonical("https://github.com/o/r/sub") != canonical("https://github.com/o/r")


@pytest.mark.parametrize(
    "url",
    [
        "https://dev.azure.com/org/project/_git/repo",
        "https://org@dev.azure.com/Org/project/_git/repo",
        "git@ssh.dev.azure.com:v3/org/project/repo",
        "https://org.visualstudio.com/project/_git/repo",
        "https://Org.VisualStudio.com/DefaultCollection/project/_git/repo",
        "org@vs-ssh.visualstudio.com:v3/org/project/repo",
    ],
)
def test_azures_ways_of_writing_a_repository_are_one(url):
    assert canonical(url) == "dev.azure.com/org/project/repo"


@pytest.mark.parametrize(
    "url",
    [
        "https://dev.azure.com/org/_git/repo",
        "https://org.visualstudio.com/_git/repo",
        "git@ssh.dev.azure.com:v3/org/repo/repo",
    ],
)
def test_the_repository_that_is_called_like_its_project_may_be_written_without_it(url):
    assert canonical(url) == "dev.azure.com/org/repo/repo"


@pytest.mark.parametrize(
    ("https", "ssh"),
    [
        ("https://bb.example.com/scm/PRJ/grid.git", "ssh://git@bb.example.com:7999/PRJ/grid.git"),
        ("https://bb.example.com/scm/~me/grid.git", "ssh://git@bb.example.com:7999/~me/grid.git"),
    ],
)
def test_bitbucket_servers_two_ways_of_writing_a_repository_are_one(https, ssh):
    assert canonical(https) == canonical(ssh) != ""


def test_a_group_that_is_called_scm_is_one():
    assert canonical("https://git.example.com/scm/grid") == "git.example.com/scm/grid"
    assert canonical("https://git.example.com/scm/a/b/grid") == "git.example.com/scm/a/b/grid"


def test_a_requests_host_and_path_are_found_like_a_url():
    assert locate("GitHub.com", "/o/R.git") == canonical("git@github.com:o/r")


def test_the_parts_of_a_url_are_kept_as_written():
    address = parse("ssh://me@Git.example.com:2222/Group/Sub/Repo.git")
    assert address is not None
    assert (address.scheme, address.user, address.host, address.port, address.path) == (
        "ssh", "me", "git.example.com", 2222, "Group/Sub/Repo.git",
    )  # fmt: skip
    assert parse("https://[::1]:8443/x").host == "::1"


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("registry.example.com/team/charts", ("registry.example.com", 443, "team/charts")),
        ("Registry.example.com:5000/charts/", ("registry.example.com", 5000, "charts")),
        ("registry.example.com", ("registry.example.com", 443, "")),
        ("localhost:5000/charts", ("localhost", 5000, "charts")),
        ("[::1]/charts", ("::1", 443, "charts")),
    ],
)
def test_a_registry_is_named_without_a_scheme(name, parts):
    address = parse_registry(name)
    assert address
    assert (address.scheme, address.host, address.port, address.path) == ("oci", *parts)


@pytest.mark.parametrize(
    "name", ["", "oci://registry.example.com/x", "https://x/y", "git@github.com:o/r", "/charts", "./charts", "../x"]
)  # fmt: skip
def test_what_has_a_scheme_or_no_host_is_no_registrys_name(name):
    assert parse_registry(name) is None
