"""What several versions of Kubernetes say of the same objects, as one: a version is named where they differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from pytest_gitops.admission.definitions import REMOVED
from pytest_gitops.admission.values import Hit, Judgement
from pytest_gitops.model import Severity


def merged(
    judgements: Sequence[Judgement], *, wrong: Sequence[Hit] = (), objects: Sequence[Any] = ()
) -> Judgement:
    """One judgement of those that the versions give and of what needed no server (`wrong`), its hits in the order of
    the request's `objects`; what is said of none of them comes first."""
    versions = tuple(dict.fromkeys(v for j in judgements for v in j.versions))
    found: dict[tuple[str, str, str, str], tuple[Hit, list[str]]] = {}
    for judgement in judgements:
        for hit in judgement.hits:
            found.setdefault(hit.key, (hit, []))[1].extend(judgement.versions)
    hits = [
        hit if len(said) == len(versions) and hit.rule != REMOVED else _of(hit, said)
        for hit, said in found.values()
    ]
    order = {id(manifest): number for number, manifest in enumerate(objects)}
    return Judgement(
        hits=tuple(sorted((*wrong, *hits), key=lambda h: (order.get(id(h.manifest), -1), _weight(h)))),
        objects=max((j.objects for j in judgements), default=0),
        pods=max((j.pods for j in judgements), default=0),
        versions=versions,
    )


def _of(hit: Hit, versions: Sequence[str]) -> Hit:
    """A hit that says which versions it is of: those that differ from others, and what only a version can mean."""
    return dataclasses.replace(hit, message=f"Kubernetes {' and '.join(versions)}: {hit.message}")


def _weight(hit: Hit) -> tuple[int, str, str]:
    """Errors before warnings, and the rest in an order that does not depend on who answered first."""
    return (list(Severity).index(hit.severity), hit.rule, hit.message)
