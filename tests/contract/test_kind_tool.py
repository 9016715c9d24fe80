"""The kind provider, what can be told without a container engine: a stand-in plays the tool."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from pytest_gitops.clusters.kind import PODMAN, PREFIX, Kind, said
from pytest_gitops.errors import EngineError
from pytest_gitops.ground.providing import Own
from pytest_gitops.processes.process import Supervisor
from pytest_gitops.settings.settings import Provider, Settings

DEAD = (
    "ERROR: failed to list clusters: ... Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the \
docker daemon running?"
)


def tool(folder: Path, script: str) -> Path:
    """A kind that notes what it was asked in `asked`, then does what `script` says."""
    path = folder / "kind"
    path.write_text(f'#!/bin/sh\necho "$@" >> {folder}/asked\n{script}\n', "utf-8")
    path.chmod(0o755)
    return path


def cluster(folder: Path, script: str, name: str = f"{PREFIX}one", **environ: str) -> Kind:
    return Kind(
        tool(folder, script),
        name=name,
        directory=folder / "private",
        records=folder / "records",
        environ={"PATH": "/usr/bin:/bin", **environ},
    )


def asked(folder: Path) -> list[str]:
    return (folder / "asked").read_text("utf-8").splitlines()


def test_without_a_container_engine_one_sentence_names_the_embedded_cluster(tmp_path: Path) -> None:
    with pytest.raises(EngineError) as caught:
        cluster(tmp_path, f"echo '{DEAD}' >&2; exit 1").start()
    first = str(caught.value).splitlines()[0]
    assert first == (
        "no container engine answers: start Docker or Podman, or leave --gitops-cluster out: the embedded cluster needs "
        "no container engine. kind said:"
    )
    assert not list((tmp_path / "records").glob("*"))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (DEAD, "no container engine answers"),
        ('exec: "docker": executable file not found in $PATH', "no container engine answers"),
        ("write /var/lib/docker/x: no space left on device", "no space left on device. Make room"),
        ('image: "local/web:1" not present locally', "has no such image"),
        ('failed to pull image "kindest/node:v1"', "pytest-gitops kind-node build"),
        ('exec: "crictl": executable file not found', "kind load x failed"),
        ("", "It wrote nothing"),
    ],
)
def test_what_kind_says_is_told_with_what_to_do(text: str, what: str) -> None:
    assert what in said("load x", text)


def test_a_cluster_of_that_name_that_is_not_ours_is_neither_used_nor_deleted(tmp_path: Path) -> None:
    found = cluster(tmp_path, f"echo {PREFIX}one")
    with pytest.raises(EngineError, match="not of this run, so it is neither used nor deleted"):
        found.start()
    found.close()
    assert asked(tmp_path) == ["get clusters"]


def test_one_that_does_not_come_up_is_deleted(tmp_path: Path) -> None:
    found = cluster(tmp_path, 'case "$1" in create) echo boom >&2; exit 1;; esac')
    with pytest.raises(EngineError, match="kind create cluster failed:\nboom"):
        found.start()
    assert asked(tmp_path)[-2:] == [f"delete cluster --name {PREFIX}one", "get clusters"]
    assert not (tmp_path / "records" / f"{PREFIX}one").exists()


def test_clusters_of_dead_runs_are_deleted_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    records = tmp_path / "records"
    records.mkdir()
    for name in ("dead", "living"):
        (records / f"{PREFIX}{name}").touch()
    (records / "theirs").touch()
    with (records / f"{PREFIX}living").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert cluster(tmp_path, "").remove_dead() == (f"{PREFIX}dead",)
    assert asked(tmp_path) == [f"delete cluster --name {PREFIX}dead", "get clusters"]
    assert sorted(p.name for p in records.iterdir()) == [f"{PREFIX}living", "theirs"]


def test_one_that_outlives_its_deletion_is_deleted_again(tmp_path: Path) -> None:
    """As a node did that was being started when its run was killed."""
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / f"{PREFIX}dead").touch()
    script = f'[ "$1" = get ] && [ $(wc -l < {tmp_path}/asked) -lt 4 ] && echo {PREFIX}dead; exit 0'
    assert cluster(tmp_path, script).remove_dead() == (f"{PREFIX}dead",)
    assert asked(tmp_path) == [f"delete cluster --name {PREFIX}dead", "get clusters"] * 2


def test_one_that_another_container_engine_has_stays_written_down(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    record = tmp_path / "records" / f"{PREFIX}dead"
    record.write_text("DOCKER_HOST=tcp://192.0.2.1:2375", "utf-8")
    assert cluster(tmp_path, "").remove_dead() == ()
    assert record.exists()
    there = cluster(tmp_path, "", DOCKER_HOST="tcp://192.0.2.1:2375")
    assert there.remove_dead() == (f"{PREFIX}dead",)


def test_one_that_cannot_be_deleted_stays_written_down(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    record = tmp_path / "records" / f"{PREFIX}dead"
    record.touch()
    with pytest.raises(EngineError, match="no container engine answers"):
        cluster(tmp_path, f"echo '{DEAD}' >&2; exit 1").remove_dead()
    assert record.exists()


def test_podmans_images_are_saved_and_loaded_as_archives(tmp_path: Path) -> None:
    """kind's own `load docker-image` asks Docker."""
    podman = tmp_path / "podman"
    podman.write_text(f'#!/bin/sh\necho "podman $@" >> {tmp_path}/asked\ntouch "$4"\n', "utf-8")
    podman.chmod(0o755)
    script = f'echo "{PODMAN}" >&2; [ "$1" != create ] || touch "$6"'
    one = Kind(
        tool(tmp_path, script),
        name="dev",
        directory=tmp_path / "private",
        records=tmp_path / "records",
        environ={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        images=("local/web:1", "more.tar"),
    )
    with pytest.raises(EngineError, match="not a kubeconfig"):
        one.stay()
    packed = tmp_path / "private" / "image.tar"
    assert asked(tmp_path)[2:] == [
        f"podman save --quiet --output {packed} local/web:1",
        f"load image-archive {packed} --name dev",
        "load image-archive more.tar --name dev",
    ]
    assert not packed.exists()


@pytest.mark.parametrize("there", [True, False])
def test_one_that_stays_is_made_if_it_is_not_there_and_never_deleted(tmp_path: Path, there: bool) -> None:
    script = f"""case "$1 $2" in
        "get clusters") {"echo dev" if there else "true"};;
        "get kubeconfig") echo 'current-context: none';;
        *) echo boom >&2; exit 1;; esac"""
    one = cluster(tmp_path, script, "dev")
    # What answers is no API server, and what is made is not made.
    with pytest.raises(EngineError, match="not a kubeconfig" if there else "create cluster failed:\nboom"):
        one.stay()
    one.close()
    words = [line.split(" --")[0] for line in asked(tmp_path)]
    assert words == ["get clusters", "get kubeconfig" if there else "create cluster"]
    assert not list((tmp_path / "records").glob("*")), "it is written down as nobody's"
    if there:
        assert one.kubeconfig.stat().st_mode & 0o077 == 0


def test_a_cluster_that_cannot_be_deleted_costs_no_report_and_stays_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(
        root=tmp_path,
        report=tmp_path,
        cache=tmp_path,
        environ={"PATH": "/usr/bin:/bin"},
        provider=Provider.KIND,
    )
    script = (
        'case "$1" in create) exit 1;; delete) echo "Cannot connect to the Docker daemon" >&2; exit 1;; esac'
    )
    with Supervisor(tmp_path / "run", run_id="kind-gone") as supervisor:
        own = Own(settings, supervisor, {"kind": tool(tmp_path, script)})
        with pytest.raises(EngineError, match="create cluster failed"):
            own.cluster.start()

        def gone(**_: object) -> None:
            raise EngineError("no container engine answers")

        monkeypatch.setattr(own.cluster, "close", gone)
        own.close(keep=False)
    assert [p.name for p in (tmp_path / "kind-clusters").iterdir()] == [f"{PREFIX}kind-gone"]
    assert "left to the next run: no container engine answers" in caplog.text
