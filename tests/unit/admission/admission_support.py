"""Objects, items and requests without an API server."""

from __future__ import annotations

from typing import Any

from pytest_gitops.admission.items import items_of
from pytest_gitops.admission.values import Item, Request
from pytest_gitops.repository.manifest import parse


def objects(text: str) -> list[Any]:
    return [d.value for d in parse(text.encode())]


def request(text: str = "", *, id: str = "web", **more: Any) -> Request:
    wanted: dict[str, Any] = {
        "id": id,
        "cluster": "main",
        "namespace": "web",
        "objects": objects(text),
        **more,
    }
    return Request(**wanted)


def items(*requests: Request) -> list[Item]:
    return [i for r in requests for i in items_of(r) if isinstance(i, Item)]


def item(text: str, **more: Any) -> Item:
    (found,) = items(request(text, **more))
    return found


def workload(kind: str = "Deployment", *, spec: str = "", pod: str = "", api: str = "apps/v1") -> str:
    return f"""
apiVersion: {api}
kind: {kind}
metadata: {{name: web}}
spec:
  {spec}
  template:
    metadata: {{labels: {{app: web}}, annotations: {{a: b}}, name: ignored}}
    spec:
      {pod}
      containers: [{{name: main, image: web}}]
"""
