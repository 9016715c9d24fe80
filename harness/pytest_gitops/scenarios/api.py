"""What scenarios and users' own tests act with: a run, its Applications, and what they render to.

Every question is a call: a name and plain JSON arguments, answered by whoever owns the cluster, in this process or in
pytest's own (see `acting.desk`). What fails raises `GitOpsFailure`, which pytest shows as a failed assertion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_gitops.errors import EngineError
from pytest_gitops.scenarios.comparing import problems
from pytest_gitops.scenarios.values import DRIFTS, EXPECTATIONS

Manifest = dict[str, Any]

Call = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""Asks: the name of the question and its arguments; the answer is one of `answered`, `failed` and `not_answered`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmet:
    """One thing that is not as expected. `path` leads to it in what was expected; `what` was looked at, `field` of
    it."""

    path: tuple[str | int, ...]
    what: str
    field: str
    expected: str
    seen: str

    def __str__(self) -> str:
        place = f"{self.field} of {self.what}" if self.field else self.what
        return f"{place}: expected {self.expected}, saw {self.seen}"

    def to_dict(self) -> dict[str, Any]:
        return {
            "path": list(self.path),
            "what": self.what,
            "field": self.field,
            "expected": self.expected,
            "seen": self.seen,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Unmet:
        """What `to_dict` wrote."""
        return cls(**{**data, "path": tuple(data["path"])})


class GitOpsFailure(AssertionError):
    """Something is not as it should be. `said` are Argo CD's own words, `help` is what to do; `unmet` has the parts of
    an expectation that do not hold."""

    def __init__(
        self, message: str, *, said: Sequence[str] = (), help: str = "", unmet: Sequence[Unmet] = ()
    ) -> None:
        self.message, self.said, self.help, self.unmet = message, tuple(said), help, tuple(unmet)
        super().__init__(message)

    def __str__(self) -> str:
        lines = [self.message]
        lines += [f"  field    {each}" for each in self.unmet]
        lines += [f"  Argo CD  {words}" for words in self.said]
        lines += [f"  next     {self.help}"] if self.help else []
        return "\n".join(lines)


def answered(value: Any) -> dict[str, Any]:
    """The answer to a call: any JSON value."""
    return {"value": value}


def failed(failure: GitOpsFailure) -> dict[str, Any]:
    """The answer that raises `failure` where the call was made."""
    return {
        "failed": failure.message,
        "said": list(failure.said),
        "help": failure.help,
        "unmet": [u.to_dict() for u in failure.unmet],
    }


def not_answered(error: str) -> dict[str, Any]:
    """The answer that says why there is none."""
    return {"error": error}


def value_of(answer: Mapping[str, Any]) -> Any:
    """What a call was answered. Raises GitOpsFailure, and EngineError where there is no answer."""
    __tracebackhide__ = True
    if "failed" in answer:
        raise GitOpsFailure(
            answer["failed"],
            said=answer["said"],
            help=answer["help"],
            unmet=[Unmet.from_dict(u) for u in answer["unmet"]],
        )
    if "error" in answer:
        raise EngineError(answer["error"])
    return answer["value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What an Application says of itself. `sync`, `health` and `phase` (of its last sync) are Argo CD's words;
    `message` is what that sync said; `application` is the whole object."""

    sync: str
    health: str
    phase: str
    message: str
    application: Manifest

    @property
    def conditions(self) -> tuple[Manifest, ...]:
        return tuple((self.application.get("status") or {}).get("conditions") or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """How a sync ended: its phase and its message."""

    phase: str
    message: str


class _Asking:
    def __init__(self, call: Call) -> None:
        self._call = call

    def _ask(self, question: str, **arguments: Any) -> Any:
        __tracebackhide__ = True
        return value_of(self._call(question, arguments))


class App(_Asking):
    """One Application on the cluster of the scenarios; `key` is its "namespace/name". It is there, and at rest."""

    def __init__(self, call: Call, key: str) -> None:
        super().__init__(call)
        self.key = key

    def __repr__(self) -> str:
        return f"<Application {self.key}>"

    @property
    def name(self) -> str:
        return self.key.rsplit("/", 1)[-1]

    def status(self, *, within: float | None = None) -> Status:
        """What Argo CD says of it after a new comparison, which has seen every drift."""
        __tracebackhide__ = True
        return Status(**self._ask("status", application=self.key, within=within))

    def sync(
        self, *, prune: bool = False, within: float | None = None, phase: str | None = "Succeeded"
    ) -> Synced:
        """Sync it, and wait for the end of the sync, which is to be `phase`; None takes any."""
        __tracebackhide__ = True
        done = Synced(**self._ask("sync", application=self.key, prune=prune, within=within))
        if phase is not None and done.phase != phase:
            raise GitOpsFailure(
                f"the sync of Application {self.key}: expected {phase}, saw {done.phase}", said=[done.message]
            )
        return done

    def wait_healthy(self, *, within: float | None = None) -> Status:
        """Wait until it is Synced and Healthy."""
        __tracebackhide__ = True
        return Status(**self._ask("wait", application=self.key, within=within))

    def drift(
        self,
        kind: str,
        name: str,
        *,
        patch: Mapping[str, Any] | None = None,
        scale: int | None = None,
        delete: bool = False,
        namespace: str = "",
        api_version: str = "",
        within: float | None = None,
    ) -> None:
        """Change one of its objects behind Argo CD's back: by a merge patch, by scaling or deleting it."""
        __tracebackhide__ = True
        if (patch is not None) + (scale is not None) + delete != 1:
            raise TypeError(f"drift() expected one of {', '.join(DRIFTS)}")
        reference = {"kind": kind, "name": name, "namespace": namespace, "apiVersion": api_version}
        what = {"patch": patch, "scale": scale, "delete": delete or None}
        self._ask(
            "drift",
            application=self.key,
            object={k: v for k, v in reference.items() if v},
            within=within,
            **{k: v for k, v in what.items() if v is not None},
        )

    def objects(
        self, kind: str, *, name: str = "", namespace: str = "", api_version: str = ""
    ) -> list[Manifest]:
        """What there is of a kind on its cluster, in its namespace unless another is given."""
        __tracebackhide__ = True
        reference = {"kind": kind, "name": name, "namespace": namespace, "apiVersion": api_version}
        found: list[Manifest] = self._ask(
            "objects", application=self.key, object={k: v for k, v in reference.items() if v}
        )
        return found

    def object(self, kind: str, name: str, *, namespace: str = "", api_version: str = "") -> Manifest:
        """One object on its cluster."""
        __tracebackhide__ = True
        found = self.objects(kind, name=name, namespace=namespace, api_version=api_version)
        if not found:
            raise GitOpsFailure(f"expected {kind} {name} on the cluster of Application {self.key}, saw none")
        return found[0]

    def expect(self, *, within: float | None = None, **expected: Any) -> None:
        """Look until all of it is so at once: the keys of a scenario's `expect`."""
        __tracebackhide__ = True
        # What nobody looks at would be met whatever is there.
        if not expected or not expected.keys() <= {*EXPECTATIONS}:
            saw = ", ".join(expected) or "nothing"
            raise TypeError(f"expect() expected some of {', '.join(EXPECTATIONS)}; saw {saw}")
        for path, problem in problems(expected):
            raise TypeError(f"expect() {'.'.join(map(str, path))}: {problem}")
        self._ask("expect", application=self.key, expected=expected, within=within)


class Rendered(_Asking, Sequence[Manifest]):
    """The objects that an Application renders to, as head has it; the values of Secrets are hidden. Those that say no
    namespace are in `namespace`, the destination's."""

    def __init__(self, call: Call, key: str, objects: Sequence[Manifest], *, namespace: str) -> None:
        super().__init__(call)
        self.key, self.namespace, self._objects = key, namespace, tuple(objects)

    def __repr__(self) -> str:
        return f"<{len(self)} rendered objects of Application {self.key}>"

    def __len__(self) -> int:
        return len(self._objects)

    def __getitem__(self, index: Any) -> Any:
        return self._objects[index]

    def __iter__(self) -> Iterator[Manifest]:
        return iter(self._objects)

    def all(self, *, kind: str = "", name: str = "", namespace: str = "") -> list[Manifest]:
        """Those that are of a kind, name and namespace, as far as these are given."""
        wanted = {"kind": kind, "name": name, "namespace": namespace}

        def fits(manifest: Manifest) -> bool:
            about = _named(in_namespace(manifest, self.namespace))
            return all(not value or about[key] == value for key, value in wanted.items())

        return [o for o in self._objects if fits(o)]

    def one(self, *, kind: str = "", name: str = "", namespace: str = "") -> Manifest:
        """The only one of a kind, name and namespace."""
        __tracebackhide__ = True
        found = self.all(kind=kind, name=name, namespace=namespace)
        if len(found) != 1:
            asked = " ".join(w for w in (kind or "object", f"{namespace}/{name}".strip("/")) if w)
            there = ", ".join(sorted(map(title, found or self._objects))) or "no object at all"
            raise GitOpsFailure(
                f"expected one {asked} that Application {self.key} renders, saw {len(found) or 'none'}; "
                f"there {'are' if found else 'is'} {there}"
            )
        return found[0]

    def matches(self, file: str) -> bool:
        """Whether all of it is what a golden file holds, by its path from the root; `--gitops-update` writes it.
        Raises GitOpsFailure, with the difference."""
        __tracebackhide__ = True
        self._ask("golden", application=self.key, file=file)
        return True


def _named(manifest: Mapping[str, Any]) -> dict[str, str]:
    metadata = manifest.get("metadata") or {}
    return {
        "kind": str(manifest.get("kind", "")),
        "name": str(metadata.get("name", "")),
        "namespace": str(metadata.get("namespace") or ""),
    }


def in_namespace(manifest: Manifest, namespace: str) -> Manifest:
    """The object, in `namespace` if it says none."""
    metadata = manifest.get("metadata") or {}
    if not namespace or metadata.get("namespace"):
        return manifest
    return {**manifest, "metadata": {**metadata, "namespace": namespace}}


def title(manifest: Mapping[str, Any]) -> str:
    """ "Kind namespace/name", or "Kind name"."""
    about = _named(manifest)
    return f"{about['kind']} {about['namespace'] + '/' if about['namespace'] else ''}{about['name']}"


class GitOpsRun(_Asking):
    """The run: its Applications, the revision that they are at, and what may be asked without a cluster."""

    @property
    def applications(self) -> tuple[str, ...]:
        """The "namespace/name" of every Application."""
        return tuple(self._ask("applications"))

    @property
    def has_cluster(self) -> bool:
        """Whether there is a cluster to act on."""
        return bool(self._ask("cluster"))

    def app(self, name: str) -> App:
        """An Application, brought up if it is not there yet, and nobody else's until this test is over."""
        __tracebackhide__ = True
        return App(self._call, self._ask("take", application=name))

    def rendered(self, name: str) -> Rendered:
        """What an Application renders to. Needs no cluster."""
        __tracebackhide__ = True
        found = self._ask("rendered", application=name)
        return Rendered(self._call, found["key"], found["objects"], namespace=found["namespace"])

    def checkout(self, revision: str, *, within: float | None = None) -> str:
        """Let the branches mean another revision until this test is over; returns its commit. While it does, no other
        test acts."""
        __tracebackhide__ = True
        return str(self._ask("checkout", revision=revision, within=within))

    def can(
        self,
        subject: str,
        action: str,
        resource: str,
        object: str = "*",
        *,
        groups: Sequence[str] = (),
        default_role: str | None = None,
    ) -> bool:
        """What Argo CD's RBAC answers. Needs no cluster."""
        __tracebackhide__ = True
        asked = {"subject": subject, "action": action, "resource": resource, "object": object}
        return bool(self._ask("rbac", **asked, groups=list(groups), default_role=default_role))
