"""Gatekeeper's constraints: which objects one is about. Pure functions on requests of admission reviews.

The rules are those of Gatekeeper v3.23.1 (pkg/mutation/match/match.go, pkg/target/matcher.go, pkg/wildcard).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""The label that the API server gives every namespace."""

OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """One constraint: its template's kind, its `spec.match` and `spec.parameters` with the template's defaults.

    `operations` are those that the template asks for beyond Gatekeeper's own CREATE and UPDATE; `inventory` says that
    its template reads `data.inventory`.
    """

    kind: str
    name: str
    match: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    operations: frozenset[str] = frozenset()
    inventory: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """An admission request as Gatekeeper would get it, with the Namespace manifest of its object, if that is known.
    `cluster` says which inventory belongs to it."""

    request: Mapping[str, Any]
    namespace: Mapping[str, Any] | None = None
    cluster: str = ""


def matches(constraint: Constraint, review: Review) -> bool | None:
    """Whether the constraint is about this review; None where that hangs on a Namespace that is not known."""
    request, match = review.request, constraint.match
    if request.get("operation") == "DELETE" and not constraint.operations & {"DELETE", "*"}:
        return False
    both = (request.get("object"), request.get("oldObject"))
    told = [_matches(match, each, review.namespace) for each in both if isinstance(each, Mapping)]
    if any(told):
        return True
    return None if None in told else False


def _matches(
    match: Mapping[str, Any], manifest: Mapping[str, Any], namespace: Mapping[str, Any] | None
) -> bool | None:
    own = _kinds(match, manifest) and _scope(match, manifest) and _name(match, manifest)
    if not own or not _namespaces(match, manifest) or match.get("source") == "Generated":
        return False
    if (selector := match.get("labelSelector")) and not selected(selector, _labels(manifest)):
        return False
    return _namespace_selector(match, manifest, namespace)


def _kinds(match: Mapping[str, Any], manifest: Mapping[str, Any]) -> bool:
    group = str(manifest.get("apiVersion", "")).rpartition("/")[0]
    kind = manifest.get("kind")

    def holds(wanted: Any, value: Any) -> bool:
        return not wanted or "*" in wanted or value in wanted

    entries = match.get("kinds") or ()
    return not entries or any(
        holds(e.get("kinds"), kind) and holds(e.get("apiGroups"), group) for e in entries
    )


def _scope(match: Mapping[str, Any], manifest: Mapping[str, Any]) -> bool:
    namespaced = bool(namespace_of(manifest)) and not is_namespace(manifest)
    return {"Cluster": not namespaced, "Namespaced": namespaced}.get(str(match.get("scope")), True)


def _namespaces(match: Mapping[str, Any], manifest: Mapping[str, Any]) -> bool:
    own = _metadata(manifest).get("name") if is_namespace(manifest) else namespace_of(manifest)
    if not own:
        return True  # neither list can say anything of an object without a namespace
    wanted, unwanted = match.get("namespaces") or (), match.get("excludedNamespaces") or ()
    return not any(wildcard(w, str(own)) for w in unwanted) and (
        not wanted or any(wildcard(w, str(own)) for w in wanted)
    )


def _name(match: Mapping[str, Any], manifest: Mapping[str, Any]) -> bool:
    pattern, metadata = str(match.get("name") or ""), _metadata(manifest)
    if not pattern:
        return True
    generated = str(metadata.get("generateName") or "")
    return wildcard(pattern, str(metadata.get("name") or "")) or (
        pattern.endswith("*") and wildcard(pattern, generated)
    )


def _namespace_selector(
    match: Mapping[str, Any], manifest: Mapping[str, Any], namespace: Mapping[str, Any] | None
) -> bool | None:
    selector = match.get("namespaceSelector")
    if selector is None:
        return True
    if is_namespace(manifest):
        return selected(selector, _labels(manifest))
    own = namespace_of(manifest)
    if not own:
        return True
    if namespace is None and _keys(selector) - {NAMESPACE_NAME}:
        return None
    return selected(selector, {**_labels(namespace or {}), NAMESPACE_NAME: own})


def wildcard(pattern: str, text: str) -> bool:
    """Gatekeeper's glob: an asterisk counts at the beginning and at the end only."""
    front, back = pattern.startswith("*"), pattern.endswith("*")
    if front and back:
        return pattern.strip("*") in text
    if front:
        return text.endswith(pattern[1:])
    return text.startswith(pattern[:-1]) if back else text == pattern


def selected(selector: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    """Whether labels fit a label selector, as Kubernetes decides."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for each in selector.get("matchExpressions") or ():
        key, values = each.get("key"), each.get("values") or ()
        fits = {
            "In": key in labels and labels[key] in values,
            "NotIn": key not in labels or labels[key] not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not fits[each["operator"]]:
            return False
    return True


def mistakes(match: Any) -> list[str]:
    """What of a `spec.match` cannot be understood."""
    if not isinstance(match, Mapping):
        return ["spec.match: expected an object"]
    found = []
    for field_ in ("labelSelector", "namespaceSelector"):
        selector = match.get(field_)
        if selector is not None and not isinstance(selector, Mapping):
            found.append(f"spec.match.{field_}: expected an object")
            continue
        for each in (selector or {}).get("matchExpressions") or ():
            if not isinstance(each, Mapping) or not isinstance(each.get("key"), str):
                found.append(f"spec.match.{field_}: expected matchExpressions with a key")
            elif each.get("operator") not in OPERATORS:
                saw = each.get("operator")
                found.append(
                    f"spec.match.{field_}: expected an operator of {', '.join(OPERATORS)}, saw {saw!r}"
                )
    for field_ in ("kinds", "namespaces", "excludedNamespaces"):
        value = match.get(field_)
        inner = Mapping if field_ == "kinds" else str
        if value is not None and not (_is_list(value) and all(isinstance(v, inner) for v in value)):
            found.append(
                f"spec.match.{field_}: expected a list of {'objects' if inner is Mapping else 'texts'}"
            )
    return found


def is_namespace(manifest: Mapping[str, Any]) -> bool:
    return manifest.get("kind") == "Namespace" and manifest.get("apiVersion") == "v1"


def namespace_of(manifest: Mapping[str, Any]) -> str:
    return str(_metadata(manifest).get("namespace") or "")


def _keys(selector: Mapping[str, Any]) -> set[str]:
    return {
        *(selector.get("matchLabels") or ()),
        *(e["key"] for e in selector.get("matchExpressions") or ()),
    }


def _metadata(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = manifest.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def _labels(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    labels = _metadata(manifest).get("labels")
    return labels if isinstance(labels, Mapping) else {}


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
