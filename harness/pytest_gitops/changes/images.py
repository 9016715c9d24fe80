"""Container images: where an object names them, what a reference is made of, and which versions come and go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pytest_gitops.changes.values import ImageChange

CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
"""Lists of containers, wherever they are: in a Pod, a workload, a CronJob or a custom resource with a pod template."""


class Image(NamedTuple):
    """A reference taken apart. `version` is the tag, the digest, or both ("1.2@sha256:…"); "latest" if none is said."""

    repository: str
    version: str

    @property
    def same_as(self) -> str:
        """The repository as Docker completes it: `redis` is `docker.io/library/redis`."""
        first, slash, rest = self.repository.partition("/")
        if slash and (first in {"docker.io", "index.docker.io"}):
            return f"docker.io/{rest if '/' in rest else f'library/{rest}'}"
        if slash and ("." in first or ":" in first or first == "localhost"):
            return self.repository
        return f"docker.io/{self.repository if slash else f'library/{self.repository}'}"


def image(reference: str) -> Image:
    """A reference taken apart; a colon before the last slash is a registry's port."""
    name, _, digest = reference.strip().partition("@")
    slash = name.rfind("/")
    colon = name.find(":", slash + 1)
    repository, tag = (name[:colon], name[colon + 1 :]) if colon >= 0 else (name, "")
    version = f"{tag}@{digest}" if tag and digest else tag or digest
    return Image(repository, version or "latest")


def images(manifest: Any) -> Iterator[tuple[str, Image]]:
    """(place, image) of every container and image volume in an object; a place is its list and name."""
    todo = [manifest]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            for key, member in value.items():
                if key in CONTAINERS and isinstance(member, list):
                    yield from _of_list(str(key), member, "image")
                elif key == "volumes" and isinstance(member, list):
                    yield from _of_list("volumes", member, "reference")
            todo.extend(v for v in reversed(value.values()) if isinstance(v, (dict, list)))
        elif isinstance(value, list):
            todo.extend(v for v in reversed(value) if isinstance(v, (dict, list)))


def _of_list(key: str, items: list[Any], field_: str) -> Iterator[tuple[str, Image]]:
    for at, item in enumerate(items):
        if not isinstance(item, dict):
            continue
        holder = item if field_ == "image" else item.get("image")
        reference = holder.get(field_) if isinstance(holder, dict) else None
        if isinstance(reference, str) and reference.strip():
            yield f"{key}/{item.get('name', at)}", image(reference)


@dataclass(slots=True)
class ImageTable:
    """Collects image changes over Applications. An image that an Application still has elsewhere did not come or go."""

    _found: dict[tuple[str, str, str], set[str]] = field(default_factory=dict)

    def pair(
        self, application: str, old: Iterable[Any], new: Iterable[Any], pairs: Iterable[tuple[Any, Any]]
    ) -> None:
        """Note what `application` changes: `old` and `new` are all its objects, `pairs` those that differ and belong
        together."""
        ours, theirs = ({id(m): (m, [*images(m)]) for m in manifests} for manifests in (old, new))
        before, after = ({i for _, named in side.values() for _, i in named} for side in (ours, theirs))
        gone = {(i.same_as, i.version): i for i in sorted(before)}
        come = {(i.same_as, i.version): i for i in sorted(after)}
        both = gone.keys() & come.keys()
        told: set[Image] = set()
        for one, other in pairs:
            places = dict(theirs[id(other)][1]) if id(other) in theirs else {}
            for place, was in ours[id(one)][1] if id(one) in ours else ():
                now = places.get(place)
                if now is None or (was.same_as, was.version) == (now.same_as, now.version):
                    continue
                if was.same_as == now.same_as:
                    self._note(now.repository, was.version, now.version, application)
                elif was.repository.rpartition("/")[2] == now.repository.rpartition("/")[2]:
                    self._note(now.repository, _whole(was), now.version, application)
                else:
                    continue
                told |= {was, now}
        for key, each in gone.items():
            if key not in both and each not in told:
                self._note(each.repository, each.version, "", application)
        for key, each in come.items():
            if key not in both and each not in told:
                self._note(each.repository, "", each.version, application)

    def _note(self, name: str, old: str, new: str, application: str) -> None:
        self._found.setdefault((name, old, new), set()).add(application)

    def changes(self) -> tuple[ImageChange, ...]:
        """All of them, by name and version."""
        return tuple(
            ImageChange(name=name, old=old, new=new, applications=tuple(sorted(applications)))
            for (name, old, new), applications in sorted(self._found.items())
        )


def _whole(each: Image) -> str:
    mark = "@" if ":" in each.version and "@" not in each.version else ":"
    return f"{each.repository}{mark}{each.version}"
