"""Whom the generators of ApplicationSets outside the control namespace may ask."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_gitops.argocd.scm import ALLOWED, ENABLED, NO_OTHER, flags

LAB = "https://gitlab.example.com/api/v4"
TEA = "https://gitea.example.com/"


def application_set(*generators: Any) -> dict[str, Any]:
    return {"kind": "ApplicationSet", "spec": {"generators": list(generators)}}


SETS = [
    application_set({"pullRequest": {"gitea": {"owner": "acme", "api": TEA}, "requeueAfterSeconds": 60}}),
    application_set(
        {"matrix": {"generators": [{"git": {}}, {"scmProvider": {"gitlab": {"group": "acme", "api": LAB}}}]}}
    ),
]


@pytest.mark.parametrize(
    ("parameters", "sets", "expected"),
    [
        ({}, SETS, f"--allowed-scm-providers={TEA},{LAB}"),
        ({ALLOWED: ""}, SETS, f"--allowed-scm-providers={TEA},{LAB}"),
        ({ENABLED: "true"}, SETS, f"--allowed-scm-providers={TEA},{LAB}"),
        ({}, [application_set({"scmProvider": {"github": {"organization": "acme"}}})], f"--allowed-scm-providers={NO_OTHER}"),
        ({}, [{"spec": {"generators": [{"list": {"elements": [{"api": LAB}]}}]}}], f"--allowed-scm-providers={NO_OTHER}"),
        ({}, [{}], f"--allowed-scm-providers={NO_OTHER}"),
        # With these the controller would not start.
        ({}, [application_set({"pullRequest": {"gitea": {"api": 'https://a.example.com/"'}}})], f"--allowed-scm-providers={NO_OTHER}"),
        ({}, [application_set({"pullRequest": {"gitea": {"api": "https://a\0"}}})], f"--allowed-scm-providers={NO_OTHER}"),
    ],
)  # fmt: skip
def test_they_may_ask_what_is_said_or_else_what_they_name(
    parameters: dict[str, str], sets: list[dict[str, Any]], expected: str
) -> None:
    assert flags(parameters, sets) == (expected,)


@pytest.mark.parametrize("parameters", [{ALLOWED: LAB}, {ENABLED: "false"}, {ENABLED: "False", ALLOWED: LAB}])
def test_what_the_repository_says_of_it_has_the_controller_as_a_variable(parameters: dict[str, str]) -> None:
    assert flags(parameters, SETS) == ()
