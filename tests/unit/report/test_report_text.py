"""Text as a terminal and a log may have it: no secret, nothing that moves a cursor, nobody's command."""

from __future__ import annotations

import pytest

from pytest_gitops.report.text import clean, for_log


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("::error file=a::b", ": :error file=a::b"),
        ("a\n  ::add-mask::b", "a\n  : :add-mask::b"),
        ("a ##vso[task.setvariable variable=a]b", "a # #vso[task.setvariable variable=a]b"),
        ("##[group]a", "# #[group]a"),
        ("##teamcity[testFailed]", "# #teamcity[testFailed]"),
        ("std::string apps/a.yaml::argocd/a::source", "std::string apps/a.yaml::argocd/a::source"),
        ("## title", "## title"),
        ("\x1b]0;title\x07\x1b[31mred\x1b[0m", "\ufffd]0;title\ufffdred"),
        ("https://me:hunter2@git.example.com/x", "https://(hidden)@git.example.com/x"),
    ],
)
def test_a_log_gets_neither_commands_nor_secrets(given: str, told: str) -> None:
    assert for_log(given) == told


def test_twice_is_as_once() -> None:
    text = "::a\n##[b]\n\x1b[31mc"
    assert for_log(for_log(text)) == for_log(text)


def test_the_runs_directory_is_not_told() -> None:
    text = "open /tmp/pytest-gitops-20261123145951-211d1897/argocd/tmp/helm18/index.yaml: no such file"
    assert clean(text) == "open <run>/argocd/tmp/helm18/index.yaml: no such file"
    assert clean("/home/me/pytest-gitops-demo/x") == "/home/me/pytest-gitops-demo/x"
