"""A pull request with more Applications than two control planes at once are good for: `upgrade` comes after the first one."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs import Outcome, gitops
from upgrade_support import application, config_map, pull

pytestmark = pytest.mark.engine

CONFTEST = """\
from pytest_gitops.ground import crowd
from pytest_gitops.run import engine

crowd.CROWD = 0  # any are one
begin_plane = engine.begin_plane


def begin(ground, **how):
    with open("beside.txt", "a") as file:
        print(*sorted(d.name for d in ground.supervisor._daemons), file=file)
    with open("environ.txt", "a") as file:
        print(ground.own.cluster._env.get("GOGC") if ground.own else None, file=file)
    return begin_plane(ground, **how)


engine.begin_plane = begin
"""


@pytest.fixture(scope="module")
def outcome(toolbox: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("crowded") / "shop"
    names = ("web", "db")
    files = {f"apps/{n}.yaml": application(n, finalizer=True) for n in names}
    files |= {f"{n}/settings.yaml": config_map("settings", "red") for n in names}
    pull(folder, {**files, "conftest.py": CONFTEST}, {"web/settings.yaml": config_map("settings", "blue")})
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("GOGC", raising=False)  # what the user says goes before
        return gitops(folder, "--gitops-base", "main", "--gitops-stages", "converge,upgrade,prune")


def test_every_stage_is_answered(outcome: Outcome) -> None:
    assert outcome.status == 0, outcome.output
    said = {s["stage"]: s["outcome"] for s in outcome.applications["argocd/web"]["stages"]}
    assert said == dict.fromkeys(("converge", "upgrade", "prune"), "passed")
    assert outcome.stage("argocd/web", "upgrade")["evidence"]["rollback"] != {}


def test_the_first_control_plane_has_ended_before_that_of_upgrade_begins(outcome: Outcome) -> None:
    _, second = (outcome.folder / "beside.txt").read_text("utf-8").splitlines()
    own = {"kube-apiserver", "etcd", "kube-controller-manager", "argocd-application-controller"}
    assert own.isdisjoint(second.split()), second
    marks = outcome.report["run"]["timings"] if outcome.report is not None else {}
    assert marks["prune"] < marks["upgrade ground"] < marks["upgrade"]


def test_the_control_plane_is_frugal(outcome: Outcome) -> None:
    assert (outcome.folder / "environ.txt").read_text("utf-8").splitlines()[-1] == "60"
