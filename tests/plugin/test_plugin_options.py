"""What the command line, pytest's ini file and pytest-gitops.yaml say, together."""

from __future__ import annotations

import json

import pytest
from plugin_support import ARGS, Repository, application, ran

from pytest_gitops.errors import ConfigError
from pytest_gitops.plugin import options
from pytest_gitops.settings.credentials import VARIABLE


def test_folders_with_policies_add_up_wherever_they_are_named(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("given", "ini", "yaml", "below"):
        pytester.mkdir(name)
    pytester.path.joinpath("pytest-gitops.yaml").write_text("policy: {folders: [yaml, given]}\n")
    pytester.makeini("[pytest]\ngitops_policy = ini\n")
    monkeypatch.chdir(pytester.path / "below")  # what the command line names is seen from here
    config = pytester.parseconfig("--gitops", "--gitops-policy=../given")
    assert [folder.name for folder in options.read(config).policy_folders] == ["given", "ini", "yaml"]


def test_a_folder_of_the_ini_file_that_is_none_is_said_to_be_its(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ngitops_policy = nothing\n")
    pytester.mkdir("given")
    with pytest.raises(ConfigError) as error:
        options.read(pytester.parseconfig("--gitops", "--gitops-policy=given"))
    assert error.value.where == "gitops_policy"


SKIPPED = {"argocd/a converge": {"outcome": "skipped", "code": "no-cluster", "message": "not asked"}}


@pytest.fixture
def strict(gitops: Repository, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A repository in a folder of its own, whose ini file says that a skip fails, and one that is skipped."""
    gitops.write(
        {"apps/a.yaml": application("a"), "pytest.ini": "[pytest]\ngitops_strict = true\n"}, into="grid"
    )
    (gitops.path / "grid/fake-engine.json").write_text(json.dumps({"verdicts": SKIPPED}))
    monkeypatch.chdir(gitops.path / "grid")
    return gitops


@pytest.mark.parametrize("given", [("--gitops-report", "../out"), ("--gitops-report", "../out", "apps")])
def test_the_same_command_twice_never_loses_the_ini_file(strict: Repository, given: tuple[str, ...]) -> None:
    # What pytest finds above both paths, it takes for what it looked for.
    strict.pytester.makeini("[pytest]\n")
    assert strict.run(*given).ret == 1
    again = strict.run(*given)
    assert again.ret == 4
    again.stderr.fnmatch_lines(
        [
            "ERROR: gitops: --gitops-report ../out: expected pytest to read */grid/pytest.ini, saw it read "
            "*/tox.ini. It looks for it before *Write it in one word: --gitops-report=../out"
        ]
    )
    joined = strict.run("--gitops-report=../out", *given[2:])
    assert joined.ret == 1
    assert ran(joined)["apps/a.yaml::argocd/a::converge"] == "failed"


def test_an_ini_file_that_says_gitops_is_not_lost_either(
    strict: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict.write(
        {"pytest.ini": "[pytest]\naddopts = --gitops\n", "policies/x.rego": "package x\n"}, into="grid"
    )
    strict.pytester.mkdir("org")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--gitops-policy ../org")
    result = strict.pytester.runpytest_inprocess(*ARGS)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*: expected pytest to read */grid/pytest.ini, saw it read no ini file.*"])


@pytest.mark.parametrize(
    "given",
    [
        ("--gitops-policy", "policies"),
        ("--gitops-policy", "../grid/policies", "apps/a.yaml"),
        ("-c", "pytest.ini", "--gitops-report", ".."),
        ("--gitops-report", "..", "--rootdir", ".", "-c", "/dev/null"),
    ],
)
def test_a_path_in_the_repository_leads_astray_nobody(strict: Repository, given: tuple[str, ...]) -> None:
    strict.write({"policies/x.rego": "package x\n"}, into="grid")
    assert strict.run(*given).ret == (0 if "/dev/null" in given else 1)


def test_an_ini_file_that_says_nothing_of_ours_is_pytests_own_business(strict: Repository) -> None:
    strict.write({"pytest.ini": "[pytest]\naddopts = -q\n"}, into="grid")
    assert [strict.run("--gitops-report", "../out").ret for _ in range(2)] == [0, 0]


def test_credentials_are_of_the_environment_and_go_no_further(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "https://ci:Gr8Secret@charts.example.com/stable")
    settings = options.read(pytester.parseconfig("--gitops"))
    assert [c.place for c in settings.credentials] == ["https://charts.example.com/stable"]
    assert "charts.example.com" in settings.allowed_hosts
    assert VARIABLE not in settings.environ
    assert "Gr8Secret" not in repr(settings)


def test_a_wrong_line_of_credentials_ends_the_run_before_it_begins(
    gitops: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    gitops.write({"apps/a.yaml": application("a")})
    monkeypatch.setenv(VARIABLE, "\nhttp://ci:Gr8Secret@charts.example.com/stable")
    result = gitops.run()
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        [f"ERROR: gitops: {VARIABLE}, line 2: expected *, saw http://: a password is not sent in the clear.*"]
    )
    result.stderr.no_fnmatch_line("*Gr8Secret*")
