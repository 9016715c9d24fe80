"""How Argo CD's controllers are told of what the repository says, and of what is planned."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_gitops.argocd.scm import NO_OTHER
from pytest_gitops.ground.side import Side
from pytest_gitops.repository.discovery import Declared, FileEntry, discover
from pytest_gitops.repository.manifest import dump
from pytest_gitops.settings.settings import Settings

API = "argoproj.io/v1alpha1"


def manifest(kind: str, name: str, namespace: str = "argocd", **more: Any) -> dict[str, Any]:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name, "namespace": namespace}, **more}


def parameters(**data: str) -> dict[str, Any]:
    found = {key.replace("_", "."): value for key, value in data.items()}
    metadata = {"name": "argocd-cmd-params-cm", "namespace": "argocd"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": found}


def side(*manifests: dict[str, Any]) -> Side:
    """A side that has taken a repository of these, and an Argo CD that tells how it was started."""
    text = dump(*manifests, manifest("AppProject", "default")).encode()
    settings = Settings(root=Path(), report=Path(), cache=Path(), environ={})
    made = Side.__new__(Side)
    made.settings, made.name = settings, "head"
    declarations = discover([FileEntry(path="a.yaml")], lambda _: {"a.yaml": text})
    made.checkout = cast(Any, SimpleNamespace(take=lambda _: None, declarations=declarations))
    made.take(Path())
    made.argocd = cast(
        Any, SimpleNamespace(start_application_controller=lambda kubeconfig, *, namespaces: namespaces)
    )
    return made


def rendered(name: str, namespace: str = "argocd", **spec: Any) -> Declared:
    text = dump(manifest("ApplicationSet", name, namespace, spec=spec)).encode()
    (declared,) = discover([FileEntry(path="x.yaml")], lambda _: {"x.yaml": text}).application_sets
    return declared


ROLLS = {"type": "RollingSync"}


def watched(each: Side, *others: Side) -> Any:
    return each.start_applications(Path("kubeconfig"), *others)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, "rendered-there,team-a,team-sets"),
        ({"application_namespaces": ""}, "rendered-there,team-a,team-sets"),
        ({"application_namespaces": "team-a, team-*"}, "team-*,team-a"),
    ],
)
def test_applications_are_looked_at_where_the_repository_says_or_else_where_they_are(
    said: dict[str, str], expected: str
) -> None:
    each = side(manifest("Application", "root", "team-a"), parameters(**said))
    each.note(sets=[rendered("set", "team-sets")], homes=["rendered-there", "argocd"])
    assert watched(each) == expected


def test_each_side_of_an_upgrade_is_looked_at_as_it_says() -> None:
    base = side(manifest("Application", "root", "team-a"))
    head = side(manifest("Application", "root", "team-b"), parameters(application_namespaces="team-c"))
    assert watched(base, head) == "team-a,team-c"


def test_sets_that_an_application_renders_count() -> None:
    each = side()
    assert each.flags_for_sets() == ()
    each.note(sets=[rendered("one", strategy=ROLLS)])
    assert each.flags_for_sets() == ("--enable-progressive-syncs",)
    each.note(sets=[rendered("two", "team-a")])
    assert each.flags_for_sets() == (
        "--enable-progressive-syncs",
        "--applicationset-namespaces=team-a",
        f"--allowed-scm-providers={NO_OTHER}",
    )


def test_progressive_syncs_that_are_switched_off_stay_so() -> None:
    each = side(parameters(applicationsetcontroller_enable_progressive_syncs="false"))
    each.note(sets=[rendered("one", strategy=ROLLS)])
    assert each.flags_for_sets() == ()


def test_sets_are_generated_where_the_repository_says() -> None:
    each = side(parameters(applicationsetcontroller_namespaces="team-a,/^ops-/"))
    each.note(sets=[rendered("two", "team-b")])
    assert each.flags_for_sets()[0] == "--applicationset-namespaces=/^ops-/,team-a"
    assert [n for n in ("argocd", "team-a", "team-b", "ops-1") if each.generates(n)] == [
        "argocd", "team-a", "ops-1",
    ]  # fmt: skip


def test_namespaces_are_there_before_unless_the_repository_makes_them() -> None:
    each = side(manifest("Application", "root", "team-a"))
    assert each.namespaces == {"team-a"}
    each.note(
        sets=[rendered("set", "team-sets")], homes=["argocd", "team-a", "child", "own"], brought=["own"]
    )
    assert each.namespaces == {"team-a", "team-sets", "child"}


def test_what_is_not_handed_on_is_told_at_its_line() -> None:
    each = side(parameters(application_namespaces="/(a+)+/", server_insecure="true", hydrator_enabled="true"))
    assert each.parameters == {}
    assert [(f.rule, f.file, f.counts) for f in each.findings] == [
        ("setting-not-applied", "a.yaml", False)
    ] * 2
    assert each.findings[1].message == (
        "ConfigMap argocd-cmd-params-cm: hydrator.enabled: 'true' is left out of this run: Argo CD's processes run "
        "without it here"
    )
