"""What objects name without bringing it, as far as admission asks for it: told, and stood in for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_gitops.admission import pods
from pytest_gitops.admission.furniture import ACCOUNT, PRIORITY, RUNTIME, Space
from pytest_gitops.admission.values import Hit, Item, Manifest
from pytest_gitops.model import Severity
from pytest_gitops.shapes import mapping

SYSTEM = "system-"
"""What the names of the PriorityClasses begin with that every cluster has."""

Wanted = tuple[str, dict[str, Any]]
"""A collection's path, and the object to create there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """Hits by case for what nobody brings, and stand-ins for it."""

    hits: tuple[tuple[str, Hit], ...]
    accounts: tuple[Wanted, ...]
    classes: tuple[Wanted, ...]


def missing(items: Sequence[Item], spaces: Mapping[str, Space]) -> Absent:
    """What is named in `items` and neither among them nor in every cluster. Each is told once for each case that
    names it: it may well exist outside the repository, so it is a warning."""
    accounts_of = {(i.cluster, i.namespace, i.name) for i in items if i.kind == ACCOUNT}
    classes_of = {(*i.kind, i.cluster, i.name) for i in items}
    hits: dict[tuple[str, ...], tuple[str, Hit]] = {}
    accounts: dict[str, Wanted] = {}
    classes: dict[str, Wanted] = {}
    for item in items:
        space = spaces.get(item.namespace)
        if item.namespace and (space is None or not space.known):
            hits.setdefault((item.case, item.namespace), (item.case, _namespace(item)))
        spec = _pod_spec(item.manifest)
        account = str(spec.get("serviceAccountName") or spec.get("serviceAccount") or "default")
        if account != "default" and (item.cluster, item.namespace, account) not in accounts_of:
            path = f"/api/v1/namespaces/{item.namespace}/serviceaccounts"
            # The policy service-account-missing tells of it, and knows operators that may bring it.
            accounts[f"{path}/{account}"] = (path, {"metadata": {"name": account}})
        for kind, field, stand_in in _CLASSES:
            name = str(spec.get(field) or "")
            if name and not name.startswith(SYSTEM) and (*kind, item.cluster, name) not in classes_of:
                path, body = stand_in(name)
                classes[f"{path}/{name}"] = (path, body)
                hit = _hit(item, f"{_words(kind[1])}-missing", f"{kind[1]} {name}")
                hits.setdefault((item.case, *kind, name), (item.case, hit))
    return Absent(
        hits=tuple(hits.values()), accounts=tuple(accounts.values()), classes=tuple(classes.values())
    )


def _pod_spec(manifest: Manifest) -> Mapping[str, Any]:
    if manifest.get("kind") == "Pod":
        return mapping(manifest, "spec")
    made = pods.pod(manifest)
    return made["spec"] if made else {}


def _namespace(item: Item) -> Hit:
    return item.hit(
        "namespace-missing",
        Severity.WARNING,
        f"nothing creates namespace {item.namespace}: no Application renders it or has CreateNamespace=true, and it is "
        "no prerequisite. Its objects were judged as in a namespace without labels",
        help_="add the sync option CreateNamespace=true, render the Namespace, or, where it is made outside the "
        "repository, name a file with it under `prerequisites:` in pytest-gitops.yaml",
    )


def _hit(item: Item, rule: str, what: str) -> Hit:
    return item.hit(
        rule,
        Severity.WARNING,
        f"nothing brings {what}, without which its Pods are refused: no Application of this cluster renders it, and it "
        "is no prerequisite. It was taken for granted",
        help_="render it, or, where it is made outside the repository, name a file with it under `prerequisites:` in "
        "pytest-gitops.yaml",
    )


def _priority(name: str) -> Wanted:
    return "/apis/scheduling.k8s.io/v1/priorityclasses", _manifest(PRIORITY, name, value=0)


def _runtime(name: str) -> Wanted:
    return "/apis/node.k8s.io/v1/runtimeclasses", _manifest(RUNTIME, name, handler="stand-in")


def _manifest(kind: tuple[str, str], name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": f"{kind[0]}/v1", "kind": kind[1], "metadata": {"name": name}, **more}


_CLASSES = (
    (PRIORITY, "priorityClassName", _priority),
    (RUNTIME, "runtimeClassName", _runtime),
)


def _words(kind: str) -> str:
    """ "PriorityClass" as "priority-class"."""
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in kind).strip("-")
