"""Which objects ask for Argo Rollouts, and which definitions a cluster is given."""

from __future__ import annotations

import pytest

from pytest_gitops.rollouts.kinds import is_ours, to_bring


@pytest.mark.parametrize(
    ("api_version", "kind", "ours"),
    [
        ("argoproj.io/v1alpha1", "Rollout", True),
        ("argoproj.io/v1alpha1", "AnalysisTemplate", True),
        ("argoproj.io/v1alpha1", "Application", False),
        ("example.com/v1", "Rollout", False),
        ("apps/v1", "Deployment", False),
    ],
)
def test_the_group_is_shared_with_argo_cd(api_version: str, kind: str, ours: bool) -> None:
    assert is_ours({"apiVersion": api_version, "kind": kind}) is ours


def test_a_definition_that_the_repository_brings_is_left_to_it() -> None:
    def definition(name: str, kind: str = "CustomResourceDefinition") -> dict[str, object]:
        return {"kind": kind, "metadata": {"name": name}}

    known = [definition("rollouts.argoproj.io"), definition("experiments.argoproj.io")]
    own = [definition("rollouts.argoproj.io"), definition("experiments.argoproj.io", "ConfigMap"), {}]
    assert to_bring(known, own) == (known[1],)
