"""What the environment says, and nothing else of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_gitops.settings import settings
from pytest_gitops.settings.settings import (
    Settings,
    announced_branches,
    default_cache,
    explicit_tools,
    tool_mirrors,
)


def test_settings_are_frozen_and_keep_the_environment_out_of_their_text() -> None:
    made = Settings(root=Path("r"), report=Path("p"), cache=Path("c"), environ={"TOKEN": "hunter2"})
    assert "hunter2" not in repr(made)
    with pytest.raises(AttributeError):
        made.root = Path()  # type: ignore[misc]


def test_an_environment_that_changes_later_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    copy = settings.environment()
    monkeypatch.setenv("PYTEST_GITOPS_CACHE", "/later")
    assert copy.get("PYTEST_GITOPS_CACHE") != "/later"
    assert settings.environment()["PYTEST_GITOPS_CACHE"] == "/later"


@pytest.mark.parametrize(
    ("platform", "environ", "cache"),
    [
        ("linux", {"HOME": "/h"}, "/h/.cache/pytest-gitops"),
        ("linux", {"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "/x/pytest-gitops"),
        ("linux", {"HOME": "/h", "XDG_CACHE_HOME": ""}, "/h/.cache/pytest-gitops"),
        ("linux", {"HOME": "/h", "XDG_CACHE_HOME": "/x", "PYTEST_GITOPS_CACHE": "/c"}, "/c"),
        ("darwin", {"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "/h/Library/Caches/pytest-gitops"),
    ],
)
def test_the_cache_is_where_it_is_said_else_where_the_platform_has_it(
    monkeypatch: pytest.MonkeyPatch, platform: str, environ: dict[str, str], cache: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert default_cache(environ) == Path(cache)


def test_a_tilde_in_a_path_means_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/h")
    assert default_cache({"PYTEST_GITOPS_CACHE": "~/c"}) == Path("/h/c")
    assert explicit_tools({"PYTEST_GITOPS_TOOL_OPA": "~/opa"}) == {"opa": Path("/h/opa")}


def test_a_tools_variable_is_its_name_in_capitals() -> None:
    environ = {
        "PYTEST_GITOPS_TOOL_KUBE_APISERVER": "/k",
        "PYTEST_GITOPS_TOOL_OPA": "",
        "PYTEST_GITOPS_TOOLS": "/x",
    }
    assert explicit_tools(environ) == {"kube-apiserver": Path("/k")}


def test_mirrors_are_pairs_of_host_and_url() -> None:
    environ = {
        "PYTEST_GITOPS_MIRRORS": " dl.k8s.io=https://m.example/k8s?a=b  get.helm.sh=https://m.example junk empty= "
    }
    assert tool_mirrors(environ) == {
        "dl.k8s.io": "https://m.example/k8s?a=b",
        "get.helm.sh": "https://m.example",
    }
    assert tool_mirrors({}) == {}


def test_the_branch_that_ci_announces_is_the_one_merged_into() -> None:
    assert announced_branches({}) == ()
    assert announced_branches({"GITHUB_BASE_REF": ""}) == ()
    assert announced_branches({"SYSTEM_PULLREQUEST_TARGETBRANCHNAME": "refs/heads/release/1"}) == (
        "release/1",
    )
    environ = {
        "CI_DEFAULT_BRANCH": "main",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "next",
        "CHANGE_TARGET": "next",
    }
    assert announced_branches(environ) == ("next", "main")
