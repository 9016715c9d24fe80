"""What is kept of an Application beside its verdict: how its sync went, what differs, who owns whom.

Everything is a list of flat mappings or a value, so that reports can show it without knowing what it is. Sizes are
bounded; what is left out is counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd.applications import operation_state
from pytest_gitops.argocd.appstate import Managed, Node
from pytest_gitops.changes.fields import differences as fields_that_differ
from pytest_gitops.changes.identity import group_kind
from pytest_gitops.changes.noise import Scene
from pytest_gitops.changes.shorten import cut, short
from pytest_gitops.changes.values import HIDDEN, is_secret_field
from pytest_gitops.errors import EngineError
from pytest_gitops.model import Case
from pytest_gitops.settings.settings import Provider
from pytest_gitops.stages.excluded import excluded

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

MOST = 200
"""As many rows as a list of the evidence has."""

MESSAGE = 500
"""Characters of one message: Argo CD's may quote whole objects."""

SHOWN = 4
"""As many differences as a failure's text names; the evidence has more."""

_TELLING = re.compile(
    r"(?:passw(?:or)?d|secret|token|credential|api[_-]?key|private[_-]?key)[\w-]*[\"\]]*(?:\.value)?$",
    re.IGNORECASE,
)
"""The end of a path that says that the value is a secret, whatever the kind."""

NO_LOGS = "none: no container runs on the embedded cluster"

Application = Mapping[str, Any]
Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field that is not as it should be. Without a `path` it is the whole object, and one of the two is None."""

    object: str
    path: str
    desired: Any
    live: Any
    secret: bool = False

    def __str__(self) -> str:
        if not self.path:
            there = "it is not there" if self.live is None else "it should not be there"
            return f"{self.object}: {there}"
        if self.secret:
            return f"{self.object}: {self.path} is another {HIDDEN}"
        return f"{self.object}: {self.path}: desired {_value(self.desired)}, live {_value(self.live)}"

    def to_dict(self) -> dict[str, Any]:
        hidden = {"desired": HIDDEN, "live": HIDDEN} if self.secret else None
        shown = {"desired": short(self.desired), "live": short(self.live)}
        return {"object": self.object, "path": self.path or "(the whole object)", **(hidden or shown)}


def said_otherwise(claims: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """The fields of one object of which Applications, by their keys, each say something else: the first against every
    other one, with what both say."""
    found: list[str] = []
    (first, base), *others = sorted(claims.items())
    group, kind = group_kind(base)
    scene = Scene(group=group, kind=kind)
    for key, other in others:
        try:
            fields = fields_that_differ(_without_namespace(base), _without_namespace(other), scene).fields
        except RecursionError:
            continue  # nested too deep to be shown
        for field in fields:
            if _is_secret(kind, field.path):
                found.append(f"{field.path}: {first} and {key} each have another {HIDDEN}")
            else:
                found.append(f"{field.path}: {first} says {_value(field.old)}, {key} {_value(field.new)}")
    return tuple(found)


def _without_namespace(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """It may be said or come from the destination."""
    metadata = manifest.get("metadata") or {}
    return {**manifest, "metadata": {k: v for k, v in metadata.items() if k != "namespace"}}


def _is_secret(kind: str, path: str) -> bool:
    return (kind == "Secret" and is_secret_field(path)) or bool(_TELLING.search(path))


def _value(value: Any) -> str:
    return "not there" if value is None else repr(short(value))


def differences(managed: Sequence[Managed], application: Application) -> tuple[Difference, ...]:
    """What keeps the objects OutOfSync of which Argo CD says so, field by field as Argo CD compared them."""
    wanted = {
        _identity(r) for r in _list(application, "status", "resources") if r.get("status") == "OutOfSync"
    }
    found: list[Difference] = []
    for each in managed:
        if each.hook or (each.group, each.kind, each.namespace, each.name) not in wanted:
            continue
        if each.desired is None or each.live is None:
            found.append(
                Difference(
                    object=each.title,
                    path="",
                    desired=None if each.desired is None else "there",
                    live=None if each.live is None else "there",
                )
            )
            continue
        scene = Scene(group=each.group, kind=each.kind)
        for field in fields_that_differ(each.live, each.desired, scene, show_noise=True).fields:
            found.append(
                Difference(
                    object=each.title,
                    path=field.path,
                    desired=field.new,
                    live=field.old,
                    secret=_is_secret(each.kind, field.path),
                )
            )
    return tuple(found)


def tree(nodes: Sequence[Node], application: Application) -> Rows:
    """Who owns whom: each object with its owner, health, wave and hook; owners before what they own."""
    waves = {
        _identity(r): (int(r.get("syncWave") or 0), "") for r in _list(application, "status", "resources")
    }
    for r in _list(application, "status", "operationState", "syncResult", "resources"):
        if r.get("hookType"):
            waves[_identity(r)] = (waves.get(_identity(r), (0, ""))[0], str(r["hookType"]))
    children: dict[str, list[Node]] = {}
    known = {n.title for n in nodes}
    for node in nodes:
        owner = node.owner if node.owner in known and node.owner != node.title else ""
        children.setdefault(owner, []).append(node)

    def order(node: Node) -> tuple[int, str]:
        return _wave(node)[0], node.title

    def _wave(node: Node) -> tuple[int, str]:
        return waves.get((node.group, node.kind, node.namespace, node.name), (0, ""))

    rows: Rows = []
    seen: set[str] = set()
    stack = sorted(children.get("", ()), key=order, reverse=True)
    while stack:
        node = stack.pop()
        if node.title in seen:
            continue
        seen.add(node.title)
        wave, hook = _wave(node)
        managed = (node.group, node.kind, node.namespace, node.name) in waves
        rows.append(
            {
                "object": node.title,
                "owner": node.owner or None,
                "health": node.health or None,
                "wave": wave if managed else None,
                "hook": hook or None,
                "message": cut(node.message, MESSAGE) or None,
            }
        )
        stack += sorted(children.get(node.title, ()), key=order, reverse=True)
    return rows


def operation(application: Application) -> dict[str, Any]:
    """What the last sync said, in Argo CD's words."""
    state = operation_state(application)
    if not state:
        return {}
    return {
        "phase": state.get("phase"),
        "message": cut(str(state.get("message") or ""), MESSAGE),
        "startedAt": state.get("startedAt"),
        "finishedAt": state.get("finishedAt"),
    }


def operation_objects(application: Application) -> Rows:
    """What it said of each object."""
    return [
        {
            "object": _title(r),
            "syncPhase": r.get("syncPhase"),
            "hook": r.get("hookType"),
            "status": r.get("hookPhase") if r.get("hookType") else r.get("status"),
            "message": cut(str(r.get("message") or ""), MESSAGE),
        }
        for r in _list(application, "status", "operationState", "syncResult", "resources")
    ]


def steps(application: Application) -> tuple[tuple[str, str], ...]:
    """What the sync has come to so far: ("wave", "wave 1"), ("hook", "PreSync Job migrate: Running"), ("wait", …)."""
    waves = {_identity(r): int(r.get("syncWave") or 0) for r in _list(application, "status", "resources")}
    found: dict[tuple[str, str], None] = {}
    for r in _list(application, "status", "operationState", "syncResult", "resources"):
        if r.get("hookType"):
            text = f"{r['hookType']} {r.get('kind')} {r.get('name')}: {r.get('hookPhase') or r.get('status')}"
            found["hook", text] = None
        elif r.get("status") == "Synced" and r.get("syncPhase") == "Sync":
            found["wave", f"wave {waves.get(_identity(r), 0)}"] = None
    said = str(operation_state(application).get("message") or "")
    if said.startswith("waiting for"):
        found["wait", cut(said, MESSAGE)] = None
    return tuple(found)


def seen_of(context: Context, case: Case, application: Application) -> dict[str, Any]:
    """What the sync and the tree of one Application look like now."""
    objects = operation_objects(application)
    left_out = excluded(application)
    found: dict[str, Any] = {"excluded": left_out} if left_out else {}
    found |= {"operation": operation(application)} if operation(application) else {}
    found |= bounded("operationObjects", objects)
    if any(r["hook"] for r in objects) and context.settings.provider is Provider.EMBEDDED:
        found["hookLogs"] = NO_LOGS
    if context.app_state is not None and application:
        try:
            found |= bounded("tree", tree(context.app_state.tree(case.key), application))
        except EngineError as error:
            found["treeUnknown"] = str(error)
    return found


def differences_of(context: Context, case: Case, application: Application) -> tuple[Difference, ...]:
    """What keeps one Application OutOfSync; nothing where that cannot be read, for it is only evidence."""
    if context.app_state is None or not application:
        return ()
    try:
        return differences(context.app_state.managed(case.key), application)
    except EngineError:
        return ()


def bounded(name: str, rows: Rows) -> dict[str, Any]:
    """The rows under `name`, and how many are left out, if any are; nothing for none."""
    if not rows:
        return {}
    more = {f"{name}LeftOut": len(rows) - MOST} if len(rows) > MOST else {}
    return {name: rows[:MOST], **more}


def told(found: Sequence[Difference]) -> str:
    """The first differences in one line."""
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(str(d) for d in found[:SHOWN]) + more


def _identity(resource: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return (
        str(resource.get("group") or ""),
        str(resource.get("kind") or ""),
        str(resource.get("namespace") or ""),
        str(resource.get("name") or ""),
    )


def _title(resource: Mapping[str, Any]) -> str:
    _, kind, namespace, name = _identity(resource)
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def _list(value: Any, *path: str) -> list[Mapping[str, Any]]:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list) else []
