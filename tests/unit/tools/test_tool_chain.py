"""The order of the ways, and what is said when they do not work."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pytest_gitops.errors import ConfigError, EngineError, ToolError
from pytest_gitops.tools import Action, Origin, Progress, Tool, ensure, installed, locked
from pytest_gitops.tools.context import Cancelled, Context, NoWay, Passed
from pytest_gitops.tools.parts import Part
from pytest_gitops.tools.resolver import attempt, quick, resolve
from pytest_gitops.tools.store import Store

ETCD = next(p for p in locked() if p.name == "etcd")
CRDS = next(p for p in locked() if p.name == "argocd-crds")


@pytest.fixture
def heard() -> list[Progress]:
    return []


@pytest.fixture
def context(tmp_path: Path, heard: list[Progress]) -> Context:
    return Context(
        store=Store(tmp_path / "cache"), environ={"PATH": ""}, explicit={}, mirrors={}, report=heard.append
    )


def passes(part: Part, context: Context) -> Tool:
    raise Passed("the moon is out of reach")


def no_way(part: Part, context: Context) -> Tool:
    raise NoWay("not meant for it")


def works(part: Part, context: Context) -> Tool:
    return Tool(name=part.name, version=part.version, path=Path("/there"), origin=Origin.BUILD)


def fails(part: Part, context: Context) -> Tool:
    raise ToolError(part.name, "the checksum is wrong")


def breaks(part: Part, context: Context) -> Tool:
    raise EngineError("the disk is full")


def test_the_first_way_that_works_is_taken(context: Context, heard: list[Progress]) -> None:
    reasons: list[str] = []
    tool = attempt(
        ETCD, context, (("moon", passes), ("none", no_way), ("mars", works), ("x", fails)), reasons
    )
    assert tool is not None
    assert reasons == ["moon: the moon is out of reach"]
    assert [(p.action, p.detail) for p in heard] == [
        (Action.PASS, "moon: the moon is out of reach"),
        (Action.READY, "3.6.8 from mars"),
    ]


def test_a_wrong_checksum_is_the_end(context: Context) -> None:
    with pytest.raises(ToolError, match=r"^etcd: the checksum is wrong$"):
        attempt(ETCD, context, (("release", fails), ("build", works)), [])


def test_a_broken_way_is_a_reason(context: Context) -> None:
    reasons: list[str] = []
    assert attempt(ETCD, context, (("build", breaks),), reasons) is None
    assert reasons == ["build: the disk is full"]


def test_a_cancelled_run_tries_nothing_more(context: Context) -> None:
    context.cancelled.set()
    with pytest.raises(Cancelled):
        attempt(ETCD, context, (("build", works),), [])


def test_the_error_lists_every_way_and_why_it_did_not_work(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pytest_gitops.tools.build
    import pytest_gitops.tools.release

    monkeypatch.setattr(pytest_gitops.tools.release, "ReleaseWay", lambda fetcher: passes)
    monkeypatch.setattr(pytest_gitops.tools.build, "build", breaks)
    with pytest.raises(ToolError) as error:
        resolve([ETCD], context)
    assert str(error.value) == (
        "etcd: version 3.6.8 cannot be had:\n"
        "  - PATH: no etcd on PATH\n"
        "  - the official release: the moon is out of reach\n"
        "  - Go modules: the disk is full\n"
        "Give its path with PYTEST_GITOPS_TOOL_ETCD, and run it again."
    )


def test_one_wrong_checksum_stops_the_others(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    import pytest_gitops.tools.build
    import pytest_gitops.tools.release

    def one_fails(part: Part, context: Context) -> Tool:
        return fails(part, context) if part.name == "helm" else passes(part, context)

    built: list[str] = []
    monkeypatch.setattr(pytest_gitops.tools.release, "ReleaseWay", lambda fetcher: one_fails)
    monkeypatch.setattr(pytest_gitops.tools.build, "build", lambda part, context: built.append(part.name))
    with pytest.raises(ToolError, match="helm: the checksum is wrong"):
        resolve([p for p in locked() if p.name in {"etcd", "helm", "opa"}], context)
    assert built == []


def test_the_order_of_the_ways_that_start_nothing() -> None:
    assert [name for name, _ in quick()] == ["the path given", "the cache", "PATH", "a stand-in"]


def test_a_path_that_is_not_there_is_an_error_not_a_reason(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"etcd: the path given for it, .*/nowhere, is not a file"):
        ensure(["etcd"], cache=tmp_path, environ={"PATH": ""}, explicit={"etcd": tmp_path / "nowhere"})


def test_a_path_that_is_not_executable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "etcd").write_text("")
    with pytest.raises(ToolError, match="is not executable"):
        ensure(["etcd"], cache=tmp_path, environ={"PATH": ""}, explicit={"etcd": tmp_path / "etcd"})


def test_a_folder_given_for_the_crds_must_have_them_all(tmp_path: Path) -> None:
    (tmp_path / "application-crd.yaml").write_text("")
    with pytest.raises(ToolError, match=r"has no applicationset-crd\.yaml, appproject-crd\.yaml"):
        ensure(["argocd-crds"], cache=tmp_path, environ={"PATH": ""}, explicit={"argocd-crds": tmp_path})


def test_other_crds_than_the_locked_ones_are_taken_but_named_unknown(tmp_path: Path) -> None:
    assert CRDS.files is not None
    for name, digest in CRDS.files.sha256.items():
        (tmp_path / name).write_text("my own")
        assert hashlib.sha256(b"my own").hexdigest() != digest
    found = ensure(["argocd-crds"], cache=tmp_path, environ={"PATH": ""}, explicit={"argocd-crds": tmp_path})
    assert found["argocd-crds"] == Tool(
        name="argocd-crds", version="unknown", path=tmp_path, origin=Origin.EXPLICIT
    )


def test_an_unknown_name_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no tool 'etcdd'; there are argo-rollouts, .*redis"):
        ensure(["etcdd"], cache=tmp_path, environ={})


def test_an_explicit_path_for_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no tool 'kubecolor'"):
        ensure(["etcd"], cache=tmp_path, environ={}, explicit={"kubecolor": tmp_path})


def test_what_is_not_installed_is_not_named(tmp_path: Path) -> None:
    assert installed(["etcd", "argocd-crds"], cache=tmp_path, environ={"PATH": ""}) == {}
