"""Where a rendered object stands in the repository."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pytest_gitops.repository.locate import Locator

FILES = {
    "apps/a.yaml": b"# x\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n---\nkind: ConfigMap\nmetadata: {name: web}\n",
    "apps/deep/b.yml": b"apiVersion: v1\nkind: List\nitems:\n- apiVersion: apps/v1\n  kind: Deployment\n"
    b"  metadata: {name: web, namespace: shop}\n",
    "apps/knative.yaml": b"apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: web}\n",
    "apps/twice-1.yaml": b"kind: Secret\nmetadata: {name: twice}\n",
    "apps/twice-2.json": b'{"kind": "Secret", "metadata": {"name": "twice"}}',
    "apps/broken.yaml": b"{{ if }}",
    "apps/kustomization.yaml": b"kind: Kustomization\nmetadata: {name: k}\n",
    "apps/Chart.yaml": b"kind: Chart\nmetadata: {name: c}\n",
    "apps-too/a.yaml": b"kind: ConfigMap\nmetadata: {name: web}\n",
    "apps/readme.md": b"kind: Note\nmetadata: {name: n}\n",
}


@pytest.fixture
def asked() -> list[Sequence[str]]:
    return []


@pytest.fixture
def locator(asked: list[Sequence[str]]) -> Locator:
    def read(paths: Sequence[str]) -> dict[str, bytes]:
        asked.append(paths)
        return {p: FILES[p] for p in paths}

    return Locator(list(FILES), read)


def thing(kind: str, name: str, *, api: str = "v1", namespace: str | None = "shop") -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace}}


@pytest.mark.parametrize(
    ("folder", "manifest", "place"),
    [
        ("apps", thing("Service", "web"), ("apps/a.yaml", 2)),
        ("apps/", thing("Service", "web"), ("apps/a.yaml", 2)),
        ("apps", thing("Service", "web", api="serving.knative.dev/v1"), ("apps/knative.yaml", 1)),
        ("apps", thing("Deployment", "web", api="apps/v1"), ("apps/deep/b.yml", 4)),
        ("apps", thing("Deployment", "web", api="apps/v1", namespace="other"), None),
        ("apps", thing("Deployment", "web", api="apps/v1", namespace=None), None),
        ("apps/deep", thing("Deployment", "web", api="apps/v1"), ("apps/deep/b.yml", 4)),
        ("apps/deep", thing("Service", "web"), None),
        ("apps/a.yaml", thing("Service", "web"), ("apps/a.yaml", 2)),
        ("apps", thing("Secret", "twice"), None),
        ("apps", thing("Kustomization", "k"), None),
        ("apps", thing("Chart", "c"), None),
        ("apps", thing("Note", "n"), None),
        (".", thing("ConfigMap", "web", namespace=None), None),
        ("apps-too", thing("ConfigMap", "web", namespace=None), ("apps-too/a.yaml", 1)),
        ("nowhere", thing("Service", "web"), None),
        ("apps", {"kind": "Service", "metadata": None}, None),
    ],
)
def test_an_object_is_found_by_what_it_is_and_only_where_it_is_one(
    locator: Locator, folder: str, manifest: dict[str, Any], place: tuple[str, int] | None
) -> None:
    assert locator.find(folder, manifest) == place


def test_files_are_read_once(locator: Locator, asked: list[Sequence[str]]) -> None:
    for _ in range(3):
        locator.find("apps", thing("Service", "web"))
    assert len(asked) == 1
