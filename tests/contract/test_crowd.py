"""Whether a run is a crowd: at a glance, before anybody has read a manifest."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs import commit, write

from pytest_gitops.ground import crowd
from pytest_gitops.settings.settings import Settings

APPLICATION = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\n"


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)


def settings(root: Path, **environ: str) -> Settings:
    return Settings(root=root, report=root, cache=root, environ={"PATH": "/usr/bin:/bin", **environ})


def repository(folder: Path, count: int) -> Path:
    """`count` Applications: most in one file, one quoted, one that git does not know yet; and what is none."""
    write(folder, {
        "most.yaml": "---\n".join([APPLICATION] * (count - 2)),
        "quoted.yaml": APPLICATION.replace("kind: Application", 'kind: "Application"  '),
        "others.yaml": "kind: ApplicationSet\n---\nkind: AppProject\n---\n# kind: Application\n",
    })  # fmt: skip
    commit(folder)
    return write(folder, {"new.yaml": APPLICATION})


def test_fifty_on_two_processors_are_one(tmp_path: Path) -> None:
    assert crowd.at_a_glance(settings(repository(tmp_path / "many", 50))) == {"GOGC": "60"}
    assert crowd.at_a_glance(settings(repository(tmp_path / "fewer", 49))) == {}
    assert [crowd.is_crowd(n) for n in (49, 50)] == [False, True]


def test_what_the_user_says_goes_before(tmp_path: Path) -> None:
    assert crowd.at_a_glance(settings(repository(tmp_path, 60), GOGC="100")) == {}


def test_what_takes_too_long_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "GLANCE_SECONDS", 0.0)
    assert crowd.at_a_glance(settings(repository(tmp_path, 60))) == {}


def test_a_folder_that_is_no_repository_is_none(tmp_path: Path) -> None:
    assert crowd.at_a_glance(settings(tmp_path)) == {}
