"""What the end of Applications means for what is not theirs: objects that were there before, and what others need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_gitops.changes.identity import SYNC_OPTIONS, csv, notes_of
from pytest_gitops.model import IN_CLUSTER, Case, Finding, Severity
from pytest_gitops.stages.inventory import ALWAYS_THERE, Claim, Key, Stock
from pytest_gitops.stages.live import SYNCER
from pytest_gitops.stages.peace import APPLICATIONS, ARGOCD
from pytest_gitops.stages.telling import names

PROJECT = (ARGOCD, "AppProject")

FOREIGN = (
    "leave it to whoever brought it: take it out of the manifests, or give it the annotation "
    "argocd.argoproj.io/sync-options: Delete=false"
)
OTHERS = "keep it in an Application of its own that outlives them, or give it the sync option Delete=false"

Place = Callable[[Case, Mapping[str, Any]], tuple[str, int]]
"""Where an object is written: file and line."""


@dataclass(frozen=True, kw_only=True)
class Bystanders:
    """`before` is what was there before anything of the repository was applied, `after` what is now; `claims` says who
    renders what, `deployed` are the Applications that are deleted, each with the cluster that it deploys to."""

    before: Stock
    after: Stock
    claims: Mapping[Key, Claim]
    deployed: Sequence[tuple[str, Case]]
    place: Place

    def findings(self) -> Iterator[tuple[str, Finding]]:
        """What was done to objects that were there before, each with the key of the Application that is to blame."""
        for key, was in sorted(self.before.items()):
            if was.owners or (key.kind, key.name) in ALWAYS_THERE or self._is_ours(key):
                continue
            now = self.after.get(key)
            if now is None or now.uid != was.uid:
                saw = "deleted" if now is None else "deleted and made anew"
                for claim in self._culprits(key):
                    by = self._by(key, claim)
                    message = (
                        f"{key.title}, which was there before: expected it to be left alone, saw it {saw}{by}"
                    )
                    yield claim.case.key, self._finding("foreign-object-deleted", claim, key, message)
            elif key not in self.claims and now.writes.get(SYNCER) != was.writes.get(SYNCER):
                for case in self._near(key):
                    message = f"{key.title}, which was there before: Argo CD changed it, and leaves it so"
                    claim = Claim(case=case, manifest={})
                    yield (
                        case.key,
                        self._finding("foreign-object-changed", claim, key, message, Severity.WARNING),
                    )

    def _is_ours(self, key: Key) -> bool:
        """Whether the repository brought it though it was there first: Argo CD wants it before it begins."""
        kind = (key.group, key.kind)
        return kind in APPLICATIONS or (kind == PROJECT and key in self.claims)

    def _culprits(self, key: Key) -> list[Claim]:
        """Who may have done something to an object: who renders it, who renders its namespace, who deploys there."""
        if (claim := self.claims.get(key)) is not None:
            return [claim]
        space = next((c for k, c in self.claims.items() if is_namespace(k, key.cluster, key.namespace)), None)
        if space is not None:
            return [space]
        # Where nobody is near it may have been anyone.
        suspects = self._near(key) or [c for _, c in self.deployed]
        return [Claim(case=c, manifest={}) for c in suspects]

    def _near(self, key: Key) -> list[Case]:
        """The Applications that deploy into the namespace that it is or is in."""
        name = key.name if key.kind == "Namespace" else key.namespace
        return [c for at, c in self.deployed if name and (at, c.destination.namespace) == (key.cluster, name)]

    def _by(self, key: Key, claim: Claim) -> str:
        if key in self.claims:
            return f" with Application {claim.case.key}, which renders it too"
        if claim.manifest.get("kind") == "Namespace":
            return f" with its namespace, which Application {claim.case.key} renders"
        return ""

    def _finding(
        self, code: str, claim: Claim, key: Key, message: str, severity: Severity = Severity.ERROR
    ) -> Finding:
        case = claim.case
        file, line = self.place(case, claim.manifest) if claim.manifest else (case.file, case.line)
        return Finding(
            rule=code,
            severity=severity,
            message=message,
            file=file,
            line=line,
            resource=key.title,
            help=FOREIGN,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenAlong:
    """A namespace or AppProject that `claim` renders, and the keys of the Applications that need it and that somebody
    else deletes."""

    key: Key
    claim: Claim
    others: tuple[str, ...]

    def finding(self, place: tuple[str, int]) -> Finding:
        """The warning that it is."""
        what = "what lives in it" if self.key.kind == "Namespace" else "the project"
        return Finding(
            rule="deletes-others",
            severity=Severity.WARNING,
            message=f"{self.key.title} goes with Application {self.claim.case.key}, and so does {what} of "
            f"{names(self.others)}",
            file=place[0],
            line=place[1],
            resource=self.key.title,
            help=OTHERS,
        )


def taken_along(
    claims: Mapping[Key, Claim], cases: Sequence[Case], top_of: Callable[[Case], str]
) -> Iterator[TakenAlong]:
    """What one Application renders and those of other trees need; `top_of` names what a tree hangs on."""
    for key, claim in claims.items():
        kind = (key.group, key.kind)
        if "Delete=false" in csv(notes_of(claim.manifest).get(SYNC_OPTIONS)):
            continue
        needing: list[Case] = []
        if kind == ("", "Namespace"):
            needing = [c.case for k, c in claims.items() if is_namespace(key, k.cluster, k.namespace)]
            needing += [c for c in cases if is_namespace(key, IN_CLUSTER, c.namespace)]
        elif kind == PROJECT:
            needing = [c for c in cases if c.project == key.name]
        others = sorted({c.key for c in needing if top_of(c) != top_of(claim.case)})
        if others:
            yield TakenAlong(key=key, claim=claim, others=tuple(others))


def is_namespace(key: Key, cluster: str, name: str) -> bool:
    """Whether `key` is the namespace `name` of `cluster`."""
    return bool(name) and (key.group, key.kind, key.cluster, key.name) == ("", "Namespace", cluster, name)
