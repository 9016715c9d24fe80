"""What the command line, pytest's ini file and pytest-gitops.yaml say, together."""

from __future__ import annotations

import pytest

from pytest_gitops.errors import ConfigError
from pytest_gitops.plugin import options


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
