"""What counts as complete in the cache."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from pytest_gitops.tools import locked
from pytest_gitops.tools.parts import Origin, Part
from pytest_gitops.tools.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


@pytest.fixture
def etcd() -> Part:
    return next(p for p in locked() if p.name == "etcd")


def put(store: Store, part: Part, text: str = "a program") -> Path:
    staged = store.stage(part)
    (staged / part.binary).write_text(text)
    return store.put(part, staged, version=part.version, origin=Origin.RELEASE).path


def test_what_was_put_is_there(store: Store, etcd: Part) -> None:
    path = put(store, etcd)
    tool = store.get(etcd)
    assert tool is not None
    assert (tool.path, tool.version, tool.origin) == (path, "3.6.8", Origin.RELEASE)
    assert path.parent.parent == store.root / "etcd" / "3.6.8"
    assert not (store.root / "tmp" / "etcd").exists()


def test_work_in_progress_is_not_there(store: Store, etcd: Part) -> None:
    (store.stage(etcd) / "etcd").write_text("half")
    assert store.get(etcd) is None


def test_a_program_without_its_marker_is_not_there(store: Store, etcd: Part) -> None:
    path = put(store, etcd)
    path.with_name("origin.json").unlink()
    assert store.get(etcd) is None


def test_a_program_of_another_size_is_not_there(store: Store, etcd: Part) -> None:
    path = put(store, etcd)
    path.write_text("cut")
    assert store.get(etcd) is None


@pytest.mark.parametrize(
    "marker", ["", "[]", "{}", '{"files": 1}', '{"files": {}, "origin": "stars", "version": "1"}']
)
def test_a_broken_marker_is_no_marker(store: Store, etcd: Part, marker: str) -> None:
    put(store, etcd).with_name("origin.json").write_text(marker)
    assert store.get(etcd) is None


def test_an_incomplete_tool_is_replaced(store: Store, etcd: Part) -> None:
    put(store, etcd).unlink()
    put(store, etcd, "anew")
    tool = store.get(etcd)
    assert tool is not None
    assert tool.path.read_text() == "anew"


def test_staging_begins_empty(store: Store, etcd: Part) -> None:
    (store.stage(etcd) / "left over").write_text("by a killed run")
    assert list(store.stage(etcd).iterdir()) == []


def test_a_program_elsewhere_is_remembered_until_it_changes(store: Store, etcd: Part, tmp_path: Path) -> None:
    program = tmp_path / "etcd"
    program.write_text("one")
    store.remember(etcd, program, "3.6.8")
    assert store.seen(etcd, program) == "3.6.8"
    assert store.seen(etcd, tmp_path / "another") is None
    program.write_text("another one")
    assert store.seen(etcd, program) is None


def test_the_second_holder_waits_and_hears_who_is_first(store: Store) -> None:
    heard: list[str] = []
    first_done, order = threading.Event(), []

    def second() -> None:
        with store.hold("etcd", heard.append):
            order.append("second")

    with store.hold("etcd", heard.append):
        assert heard == []
        thread = threading.Thread(target=second)
        thread.start()
        while not heard:
            assert thread.is_alive()
            first_done.wait(0.01)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert heard[0].startswith("process ")


def test_a_waiting_run_can_give_up(store: Store) -> None:
    class Enough(Exception):
        pass

    def give_up(holder: str) -> None:
        raise Enough

    with store.hold("etcd", give_up), pytest.raises(Enough), store.hold("etcd", give_up):
        pass


def test_the_marker_is_readable_json(store: Store, etcd: Part) -> None:
    said = json.loads(put(store, etcd).with_name("origin.json").read_text())
    assert said == {"version": "3.6.8", "origin": "release", "files": {"etcd": 9}}
