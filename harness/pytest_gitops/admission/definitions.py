"""Which kinds there are: CustomResourceDefinitions, brought as far as objects need them, and stubs in their place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_gitops.admission.furniture import CRD, defines
from pytest_gitops.admission.kinds import Kinds
from pytest_gitops.admission.values import Hit, Item, Manifest, kind_of, metadata_of
from pytest_gitops.clusters.api import APPLY, DEFINITIONS, MANAGER, Api
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.errors import WaitTimeout
from pytest_gitops.model import Severity
from pytest_gitops.shapes import mapping
from pytest_gitops.waiting import wait_until

LIMIT = 60.0
"""Seconds until new kinds are served: the largest, Argo CD's ApplicationSet, took 4.5 s on two busy cores."""

APPROVED = {"api-approved.kubernetes.io": "unapproved, a stub of pytest-gitops"}
"""Without such an annotation no definition of a group of *.k8s.io is taken."""

REMOVED = "removed-api-version"

STABLE = re.compile(r"(?:[^/]+/)?v\d+")
"""A version that Kubernetes never takes kinds out of (Kubernetes deprecation policy, rule 4a): one that is not there
never was."""

Kind = tuple[str, str]


class Definitions:
    """The kinds that one API server serves and comes to serve. `known` are definitions that need not be rendered, the
    first of a kind counts; `stub` says what an unknown kind becomes."""

    def __init__(self, api: Api, *, known: Sequence[Manifest], stub: bool) -> None:
        self._api, self._stub = api, stub
        self._kinds = Kinds(api)
        self._known: dict[Kind, Manifest] = {}
        for manifest in known:
            self._known.setdefault(defines(manifest), manifest)
        self._served: dict[tuple[str, str], bool | None] = {}
        self._refused: dict[Kind, str] = {}
        self._brought: dict[Kind, Manifest] = {}
        self._validations: dict[Kind, frozenset[str]] = {}
        self._stubbed: set[Kind] = set()
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._told: set[tuple[str, str, str]] = set()

    def namespaced(self, manifest: Manifest) -> bool | None:
        """Whether objects of this kind live in namespaces, None if the kind is not served."""
        key = (str(manifest["apiVersion"]), str(manifest["kind"]))
        if key not in self._served:
            self._served[key] = self._kinds.namespaced(*key)
        return self._served[key]

    def validations(self, kind: Kind) -> frozenset[str]:
        """The messages of the CEL rules in the definition of a kind that was brought."""
        if kind not in self._validations:
            self._validations[kind] = frozenset(_messages(self._brought.get(kind)))
        return self._validations[kind]

    def bring(self, items: Sequence[Item], base: Sequence[Item]) -> None:
        """Create the definitions that the objects need; what is rendered comes before what is known besides."""
        self._counts.update((i.case, *_version_kind(i)) for i in items)
        rendered = {defines(i.manifest): i.manifest for i in reversed(items) if i.kind == CRD}
        foreign = {i.kind: i for i in (*items, *base) if self.namespaced(i.manifest) is None}
        wanted = {k for k in foreign if k[0] not in self._kinds.builtin}
        self._create({k: m for k in sorted(wanted) if (m := rendered.get(k) or self._known.get(k))})
        self._served.clear()
        if self._stub:
            stubs = [i for i in (*items, *base) if self._needs_stub(i, rendered)]
            self._stubbed = {i.kind for i in stubs}
            self._create(
                {kind: stub([i.manifest for i in stubs if i.kind == kind]) for kind in self._stubbed}
            )
            self._served.clear()

    def unknown(self, item: Item) -> Iterator[Hit]:
        """What is to be said of an object whose kind is not served: once for each kind of a case, unless Kubernetes
        itself had it."""
        version, kind = _version_kind(item)
        elsewhere = self._kinds.elsewhere(version, kind)
        builtin = item.kind[0] in self._kinds.builtin
        if builtin and not elsewhere and STABLE.fullmatch(version):
            yield item.hit(
                "unknown-kind",
                Severity.ERROR,
                f"{version} has no kind {kind}",
                help_="correct `kind`, or `apiVersion`; `kubectl api-resources` lists what there is",
            )
            return
        if elsewhere or builtin:
            yield item.hit(
                REMOVED,
                Severity.ERROR,
                f"{kind} is not served in {version}"
                + (f"; it is in {', '.join(elsewhere)}" if elsewhere else ", nor in any other API version"),
                help_=f"write it in {elsewhere[0]}"
                if elsewhere
                else "replace it by what has taken its place",
            )
            return
        reason = self._refused.get(item.kind)
        told = (
            f"its CustomResourceDefinition is refused: {reason}"
            if reason
            else "it has no CustomResourceDefinition"
        )
        yield from self._once(
            item,
            "unknown-kind",
            Severity.ERROR,
            f"{kind} in {version} is not known: {told}",
            "render the CustomResourceDefinition, name a file with it under `crds:` in pytest-gitops.yaml, or take "
            "such objects as they are with `unknown-kinds: stub`",
        )

    def stubbed(self, item: Item) -> Iterator[Hit]:
        """That a kind is only stood in for, once for each kind of a case."""
        if item.kind in self._stubbed:
            version, kind = _version_kind(item)
            yield from self._once(
                item,
                "unknown-kind-stubbed",
                Severity.INFO,
                f"{kind} in {version} is not known, so any field was taken (unknown-kinds: stub)",
                "name a file with its CustomResourceDefinition under `crds:` in pytest-gitops.yaml",
            )

    def change(self, old: Item, new: Item) -> ApiError | None:
        """Put a definition of the base in place, and ask for the new one on top of it; then take it away again."""
        name, body = old.name, {k: v for k, v in old.body.items() if k != "status"}
        path = f"{DEFINITIONS}/{name}"
        try:
            self._api.apply(body)
            self._api.wait_established([name], limit=LIMIT)
            reply = self._api.ask(
                "PATCH",
                path,
                new.body,
                content_type=APPLY,
                force=True,
                fieldManager=MANAGER,
                dryRun="All",
            )
            return reply.error
        except (ApiError, WaitTimeout):
            return None  # base's own is refused: there is nothing to compare with
        finally:
            self._remove(path, old.manifest)

    def _remove(self, path: str, manifest: Manifest) -> None:
        versions = mapping(manifest, "spec").get("versions")
        group, plural = defines(manifest)[0], mapping(manifest, "spec", "names").get("plural")
        served = [v.get("name") for v in versions or () if isinstance(v, Mapping)]
        paths = [path, *(f"/apis/{group}/{v}/{plural}" for v in served)]
        if self._gone(path):
            return
        self._api.delete(path)
        wait_until(
            lambda: all(self._gone(p) for p in paths), limit=LIMIT, what=f"{path.rsplit('/', 1)[-1]} gone"
        )

    def _gone(self, path: str) -> bool:
        try:
            self._api.get(path, limit=1)
        except ApiError as error:
            if error.status in {404, 503}:
                return error.status == 404
            raise
        return False

    def _needs_stub(self, item: Item, rendered: Mapping[Kind, Manifest]) -> bool:
        return (
            item.kind not in rendered
            and item.kind not in self._known
            and item.kind[0] not in self._kinds.builtin
            and self.namespaced(item.manifest) is None
        )

    def _once(self, item: Item, rule: str, severity: Severity, message: str, help_: str) -> Iterator[Hit]:
        key = (item.case, *_version_kind(item))
        if key not in self._told:
            self._told.add(key)
            more = self._counts[key] - 1
            others = f" ({more} more of this kind in this Application)" if more > 0 else ""
            yield item.hit(rule, severity, message + others, help_=help_)

    def _create(self, wanted: Mapping[Kind, Manifest]) -> None:
        made: dict[Kind, str] = {}
        for kind, manifest in wanted.items():
            try:
                self._api.define({k: v for k, v in manifest.items() if k != "status"})
            except ApiError as error:
                if error.failed:
                    raise
                self._refused[kind] = error.message
            else:
                self._brought[kind] = manifest
                made[kind] = str(metadata_of(manifest).get("name"))
        if not made:
            return
        try:
            self._api.wait_established(made.values(), limit=LIMIT)
        except WaitTimeout:
            if not self._blame(made):
                raise

    def _blame(self, made: Mapping[Kind, str]) -> bool:
        """Whether definitions that are not served say so themselves: another one has their names."""
        found = False
        for kind, name in made.items():
            conditions = self._api.get(f"{DEFINITIONS}/{name}").get("status", {}).get("conditions") or ()
            for condition in conditions:
                if condition["type"] == "NamesAccepted" and condition["status"] == "False":
                    self._refused[kind] = str(condition.get("message"))
                    found = True
        return found


def definitions_in(manifests: Iterable[Any]) -> list[Manifest]:
    """The CustomResourceDefinitions among manifests."""
    return [m for m in manifests if isinstance(m, Mapping) and kind_of(m) == CRD]


def _messages(node: Any) -> Iterator[str]:
    """The messages of all validations below a node of a definition."""
    if isinstance(node, Mapping):
        for rule in node.get("x-kubernetes-validations") or ():
            if isinstance(rule, Mapping) and rule.get("message"):
                yield str(rule["message"])
        for child in node.values():
            yield from _messages(child)
    elif isinstance(node, (list, tuple)):
        for child in node:
            yield from _messages(child)


def _version_kind(item: Item) -> tuple[str, str]:
    return str(item.manifest["apiVersion"]), str(item.manifest["kind"])


def stub(manifests: Sequence[Manifest]) -> dict[str, Any]:
    """A definition that takes any field, for the versions and the scope that the objects of one kind show."""
    group, kind = kind_of(manifests[0])
    plural = f"{kind.lower()}s"
    versions = sorted({str(m["apiVersion"]).rpartition("/")[2] for m in manifests})
    placed = any(metadata_of(m).get("namespace") for m in manifests)
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "annotations": APPROVED},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural},
            # Manifests seldom say: Argo CD puts what has no namespace into the destination's.
            "scope": "Namespaced" if placed or not kind.startswith("Cluster") else "Cluster",
            "versions": [
                {
                    "name": v,
                    "served": True,
                    "storage": n == 0,
                    "schema": schema,
                    "subresources": {"status": {}},
                }
                for n, v in enumerate(versions)
            ],
        },
    }
