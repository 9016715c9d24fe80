"""In which form ApplicationSets of files are brought: what a parent patches is not brought as its file has it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_gitops.acting import ground as acting
from pytest_gitops.ground import upgrading
from pytest_gitops.planning.plan import Plan
from pytest_gitops.repository.discovery import Declared
from pytest_gitops.repository.manifest import Document

BASE, HEAD, OTHER = "0" * 40, "4" * 40, "5" * 40


def declared(*forms: str) -> tuple[Declared, ...]:
    """Sets `s0`, `s1` and so on, each with a word for its form."""
    return tuple(
        Declared(
            kind="ApplicationSet",
            namespace="argocd",
            name=f"s{i}",
            file="s.yaml",
            line=1,
            document=Document(value={"spec": {"of": form}}, line=1, _node=None),
        )
        for i, form in enumerate(forms)
    )


def plan(*forms: str) -> Plan:
    made = SimpleNamespace(parent_kind="ApplicationSet", key="argocd/made")
    parts: dict[str, Any] = {"duplicates": {}, "cycles": frozenset(), "projects": (), "problems": ()}
    return Plan(cases=(cast(Any, made),), file_sets=declared(*forms), **parts)


def side(commit: str, *forms: str) -> Any:
    """A commit, and what its files say."""
    found = SimpleNamespace(application_sets=declared(*forms), control="argocd")
    snapshot = SimpleNamespace(commit=commit, refs={}, bare=None)
    return SimpleNamespace(
        checkout=SimpleNamespace(snapshot=snapshot),
        declarations=found,
        serve_charts=lambda *_: None,
        start_sets=lambda *_: "controller",
        start_applications=lambda *_: "controller",
        world=None,
        generates=lambda _: True,
    )


class FakeInstaller:
    """Brings nothing."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def settings(self, _: object) -> None:
        pass

    def projects(self, _: object) -> None:
        pass


@pytest.fixture
def brought(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The form of each set that is brought."""
    found: list[str] = []

    def bring(_: object, sets: Sequence[Declared], *, control: str) -> None:
        assert control == "argocd"
        found.extend(s.manifest["spec"]["of"] for s in sets)

    for module in (upgrading, acting):
        monkeypatch.setattr(module, "bring", bring)
        monkeypatch.setattr(module, "refresh", lambda _, *, generates: None)
        monkeypatch.setattr(module, "point", lambda *_: None)
        monkeypatch.setattr(module, "Installer", FakeInstaller)
    return found


def test_an_upgrade_brings_each_side_as_it_was_planned(
    brought: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, head = side(BASE, "file", "file"), side(HEAD, "file", "file")
    ground = SimpleNamespace(
        base=base, head=head, paths={"helm": "", "argocd-config": ""}, serve_sets=lambda _: None
    )
    context = SimpleNamespace(
        plan=plan("head", "left out"),
        base=SimpleNamespace(plan=plan("base", "left out")),
        left_out={"argocd/s1"},
    )
    monkeypatch.setattr(upgrading.UpgradeGround, "up", lambda self: self)
    one = cast(Any, upgrading.upgrade_ground(cast(Any, ground), cast(Any, context), None, Future[Any]()))
    one.api, one._plane = None, SimpleNamespace(kubeconfig=None)
    one.start()
    one.move(to_head=True)
    one.move(to_head=False)
    assert brought == ["base", "head", "base"]


@pytest.mark.parametrize(("commit", "form"), [(HEAD, "head"), (BASE, "base"), (OTHER, "file")])
@pytest.mark.parametrize("compared", [True, False])
def test_scenarios_have_head_and_base_as_they_were_planned(
    brought: list[str], commit: str, form: str, compared: bool
) -> None:
    base = SimpleNamespace(snapshot=SimpleNamespace(commit=BASE), plan=plan("base"), base=None)
    context = SimpleNamespace(
        snapshot=SimpleNamespace(commit=HEAD), plan=plan("head"), base=base if compared else None
    )
    one = acting.ActingGround.__new__(acting.ActingGround)
    one._ground = cast(Any, SimpleNamespace(head=side(HEAD), paths={"helm": "", "argocd-config": ""}))
    one._context, one._sets, one.api = cast(Any, context), True, cast(Any, None)
    one._head, one._others = side(HEAD, "file"), {c: side(c, "file") for c in (BASE, OTHER)}
    one.move(commit)
    assert brought == [form if compared or commit != BASE else "file"]
