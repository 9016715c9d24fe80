"""namespace-not-enabled: what lives where Argo CD does not look is told, by Argo CD's own patterns."""

from __future__ import annotations

import pytest

from pytest_gitops.argocd.namespaces import are_usable, is_enabled, not_enabled, patterns
from pytest_gitops.model import Severity
from pytest_gitops.repository.discovery import FileEntry, discover


@pytest.mark.parametrize(
    ("said", "namespace", "enabled"),
    [
        ("", "team-a", True),  # it is said elsewhere
        ("team-a", "team-a", True),
        ("team-a", "argocd", True),
        ("team-a", "team-b", False),
        ("team", "team-a", False),
        ("other,  team-a ", "team-a", True),
        ("team-*", "team-a", True),
        ("team-?", "team-a", True),
        ("team-[!b]", "team-b", False),
        ("*", "team-a", True),
        ("/^team-/", "team-a", True),
        ("/a$/", "team-a", True),
        ("/^a/", "team-a", False),
        ("/^((?!team-a).)*$/", "team-a", False),
        ("/^((?!team-a).)*$/", "team-b", True),
        ("//", "team-a", False),
        ("/[/", "team-a", False),
    ],
)
def test_a_namespace_is_looked_at_as_argo_cd_has_it(said: str, namespace: str, enabled: bool) -> None:
    # util/glob/list.go: MatchStringInList with REGEXP
    assert is_enabled(namespace, patterns(said), control="argocd") is enabled


@pytest.mark.parametrize(
    ("said", "usable"),
    [
        ("team-a, team-b", True),
        ("*", True),
        ("/^team-(news|ops)$/", True),
        ("/^((?!not-allowed).)*$/", True),  # Argo CD's documentation has it
        ("/^(?!kube-).*$/", True),
        ("/^(a+)+$/", False),
        ("/(a|aa)*b/", False),
        ("/a*a*a*a*b/", False),
        ("/a?a?a?a?a?a?a?aaaaaaa/", False),
        (r"/(a)\1/", False),
        ("a\nb", False),
        ('"', False),
        ("--debug", True),  # a name like any other: it is never a word of its own
        ("a" * 3000, False),
    ],
)
def test_an_expression_that_may_never_end_is_used_by_nobody(said: str, usable: bool) -> None:
    assert are_usable(said) is usable


@pytest.mark.parametrize(
    ("kind", "setting"),
    [("Application", "application.namespaces"), ("ApplicationSet", "applicationsetcontroller.namespaces")],
)
def test_it_is_told_with_the_setting_that_passes_over_it(kind: str, setting: str) -> None:
    text = (
        f"apiVersion: argoproj.io/v1alpha1\nkind: {kind}\nmetadata: {{name: a, namespace: team-b}}\n".encode()
    )
    found = discover([FileEntry(path="a.yaml")], lambda _: {"a.yaml": text})
    (declared,) = found.applications or found.application_sets
    said = {setting: "team-a,ops-*"}
    finding = not_enabled(kind, "team-b/a", said, control="argocd", at=declared)
    assert finding is not None
    assert (finding.rule, finding.severity, finding.file, finding.line) == (
        "namespace-not-enabled", Severity.ERROR, "a.yaml", 1,
    )  # fmt: skip
    assert finding.message == (
        f"{kind} team-b/a: expected a namespace that Argo CD looks at, its own (argocd) or one that {setting} in "
        "argocd-cmd-params-cm lists (team-a, ops-*), saw team-b: Argo CD passes over it without a word"
    )
    assert not_enabled(kind, "argocd/a", said, control="argocd", at=declared) is None
    assert not_enabled(kind, "team-b/a", {}, control="argocd", at=declared) is None
