"""Two renderings of one Application, held against each other: what is not the same each time, and who wrote it."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_gitops.changes.fields import differences
from pytest_gitops.changes.noise import Scene
from pytest_gitops.changes.values import FieldChange

if TYPE_CHECKING:
    from pytest_gitops.model import Case
    from pytest_gitops.repository.locate import Place
    from pytest_gitops.stages.context import Context

Manifest = Mapping[str, Any]

# (helm.sh/helm/v3 pkg/engine/funcs.go and Masterminds/sprig functions.go: what answers otherwise each time)
RANDOM = re.compile(
    r"\{\{.*?\b(rand(?:AlphaNum|Alpha|Ascii|Numeric|Bytes|Int)|shuffle|uuidv4|now|ago|genPrivateKey|"
    r"gen(?:CA|SelfSignedCert|SignedCert)(?:WithKey)?|htpasswd|bcrypt|encryptAES)\b"
)
"""A template's call of a function whose answer differs from one rendering to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsteady:
    """An object that is not the same in two renderings. `fields` is empty for one that is in one of them alone."""

    manifest: Manifest
    fields: tuple[FieldChange, ...] = ()

    @property
    def title(self) -> str:
        metadata = self.manifest.get("metadata") or {}
        name = metadata.get("name") or f"{metadata.get('generateName', '')}*"
        kind, namespace = self.manifest.get("kind"), metadata.get("namespace")
        return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"

    @property
    def short(self) -> str:
        """ "Kind name"."""
        return f"{self.manifest.get('kind')} {(self.manifest.get('metadata') or {}).get('name')}"


def unsteady(first: Sequence[Manifest], second: Sequence[Manifest]) -> tuple[Unsteady, ...]:
    """The objects that differ between two renderings of the same source; one whose name differs is paired with the
    next of its kind that has no namesake."""
    ours, theirs = _named(first), _named(second)
    pairs = [(ours.pop(key), theirs.pop(key)) for key in list(ours) if key in theirs]
    for key in list(ours):
        other = next((k for k in theirs if k[:2] == key[:2]), None)
        if other is not None:
            pairs.append((ours.pop(key), theirs.pop(other)))
    found = [Unsteady(manifest=a, fields=_fields(a, b)) for a, b in pairs if a != b]
    found += [Unsteady(manifest=m) for m in (*ours.values(), *theirs.values())]
    return tuple(sorted(found, key=lambda u: u.title))


def _named(manifests: Iterable[Manifest]) -> dict[tuple[str, str, str, str, int], Manifest]:
    counted: Counter[tuple[str, ...]] = Counter()
    named = {}
    for manifest in manifests:
        metadata = manifest.get("metadata") or {}
        group = str(manifest.get("apiVersion") or "").rpartition("/")[0]
        name = str(metadata.get("name") or f"{metadata.get('generateName')}*")
        key = (group, str(manifest.get("kind")), str(metadata.get("namespace") or ""), name)
        counted[key] += 1
        named[*key, counted[key]] = manifest
    return named


def _fields(old: Manifest, new: Manifest) -> tuple[FieldChange, ...]:
    group = str(new.get("apiVersion") or "").rpartition("/")[0]
    scene = Scene(group=group, kind=str(new.get("kind") or ""))
    return tuple(differences(old, new, scene, show_noise=True).fields)


def written_at(context: Context, case: Case, each: Unsteady) -> Place | None:
    """Where a chart of this repository calls for what differs: the template of that kind, and there the line that
    names the field; None if no template is seen to."""
    folders = [f"{f}/" if f not in {"", "."} else "" for f in context.reads(case)]
    paths = [
        p
        for p in (e.path for e in context.checkout.files())
        if f"/{posixpath.dirname(p)}/".find("/templates/") >= 0 and any(p.startswith(f) for f in folders)
    ]
    names = {re.split(r"[.\[]", f.path)[-1].strip('"]') for f in each.fields}
    kind = re.compile(rf"^kind:\s*[\"']?{re.escape(str(each.manifest.get('kind')))}\b", re.MULTILINE)
    best: tuple[int, Place] | None = None
    for path, content in sorted(context.snapshot.read_many(paths).items()):
        text = content.decode(errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if RANDOM.search(line):
                score = 2 * bool(kind.search(text)) + any(n and n in line for n in names)
                if best is None or score > best[0]:
                    best = (score, (path, number))
    return best[1] if best else None
