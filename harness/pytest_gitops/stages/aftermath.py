"""What an upgrade did to objects: pure judgement of what was live before and after, and of who renders it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_gitops.changes.values import DELETING, Effect, Fate
from pytest_gitops.model import Case, Finding, Severity
from pytest_gitops.shapes import mapping
from pytest_gitops.stages.inventory import Claim, Key, Live, key_of, made_by, maker

CLAIM = ("", "PersistentVolumeClaim")

OWNERLESS = {Effect.ORPHANED, Effect.LEFT_BEHIND}

IDENTITY = (
    "a claim with another uid is another volume: keep its name, namespace and owner, or protect it with "
    "Prune=false,Delete=false while it moves, and take it over afterwards"
)

LOST = (
    "see which Application deletes it: an object that goes from one to another is deleted if the first one is synced "
    "after the second"
)
ORPHANED = (
    "give the Application the finalizer resources-finalizer.argocd.argoproj.io before it goes, let another one have "
    "the object, or delete it by hand"
)
HOME = (
    "give the Namespace to an Application that lives in it before this one goes, or let it stay: the annotation "
    "argocd.argoproj.io/sync-options: Prune=false,Delete=false"
)
HANDOVER = (
    "let the new parent have it before the old one lets go: with argocd.argoproj.io/sync-options: Prune=false on the "
    "Application until it has moved"
)
KEPT = "delete it by hand if it is not needed any more"
NOT_PRUNED = (
    "see its finalizers, and what the Application's sync says; with compare-options: IgnoreExtraneous nothing is "
    "OutOfSync because of it, so it goes only with a sync that comes for another reason"
)


@dataclass(slots=True, kw_only=True)
class Aftermath:
    """What became of the objects of one Application, by their titles, whether somebody had to confirm that, and what is
    wrong or worth knowing about it."""

    pruned: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    recreated: list[str] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    confirmed: bool = False
    findings: list[Finding] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        told = ("pruned", "kept", "recreated", "created")
        found = {name: sorted(getattr(self, name)) for name in told if getattr(self, name)}
        return {**found, **({"confirmed": True} if self.confirmed else {})}


@dataclass(frozen=True, kw_only=True)
class Judge:
    """`before` and `after` are what is live; `base` and `head` who renders what. `heads` has, by the key of each
    Application of base, what it is at head, None: removed. `fate_of` says what the comparison expects of an object
    that head does not have; `place` where an object is written: file and line."""

    before: Live
    after: Live
    base: Mapping[Key, Claim]
    head: Mapping[Key, Claim]
    heads: Mapping[str, Case | None]
    fate_of: Callable[[Key, Claim], Fate | None]
    place: Callable[[Case, Mapping[str, Any]], tuple[str, int]]

    def remaining(self) -> list[Key]:
        """What is still there of which nothing says that it stays: its deletion may be under way."""
        return [
            k
            for k in self.before
            if k in self.after and self._is_removed(k) and self._state_of(k) == "deleted"
        ]

    def judge(self) -> dict[str, Aftermath]:
        """By the key of the Application at head, or at base for a removed one."""
        found: dict[str, Aftermath] = {}
        for key in sorted({*self.before, *self.after}):
            owner = self._owner(key)
            if owner is not None:
                self._one(key, owner, found.setdefault(owner.case.key, Aftermath()))
        return found

    def _is_removed(self, key: Key) -> bool:
        return key in self.base and key not in self.head

    def _owner(self, key: Key) -> Claim | None:
        """Who is told of an object: who renders it at head, else who did at base, as it is called at head."""
        if (claim := self.head.get(key)) is not None:
            return claim
        claim = self.base.get(key) or maker(key, self.head) or maker(key, self.base)
        if claim is None:
            return None
        now = self.heads.get(claim.case.key)
        return Claim(case=now, manifest=claim.manifest) if now is not None else claim

    def _one(self, key: Key, owner: Claim, told: Aftermath) -> None:
        title, was, now = key.title, self.before.get(key), self.after.get(key)
        claim = (key.group, key.kind) == CLAIM
        if was is None:
            told.created.append(title)
        elif now is None and (self._is_removed(key) or self._goes_with_its_pod(key)):
            told.pruned.append(title)
        elif now is None and claim:
            # Also one that a StatefulSet made: nothing asked for its end.
            why, help_ = self._taken_along(key, IDENTITY)
            message = f"{title}: expected the claim of base to live on, saw it deleted{why}: its data is gone"
            told.findings.append(self._finding(owner, "claim-replaced", key, message, help_))
        elif now is None:
            why, help_ = self._taken_along(key, LOST)
            message = f"{title}: expected it to live on, for head has it, saw it deleted by the upgrade{why}"
            told.findings.append(self._finding(owner, "lost-object", key, message, help_))
        elif was != now:
            told.recreated.append(title)
            if claim:
                why, help_ = self._made_anew(owner.case)
                saw = f"expected the claim of base, uid {was}, saw a new one, uid {now}: its data is gone"
                message = f"{title}: {saw}{why}"
                told.findings.append(self._finding(owner, "claim-replaced", key, message, help_))
        elif self._is_removed(key):
            self._remains(key, owner, told)

    def _goes_with_its_pod(self, key: Key) -> bool:
        """Whether a claim goes because its StatefulSet says so: with the whole set, or when that has fewer Pods
        (persistentVolumeClaimRetentionPolicy)."""
        if (made := made_by(key, self.head)) is not None:
            spec = mapping(self.head[made[0]].manifest.get("spec"))
            first = mapping(spec.get("ordinals")).get("start") or 0
            replicas = spec.get("replicas")
            needed = range(first, first + (1 if replicas is None else replicas))
            return _retention(spec, "whenScaled") == "Delete" and made[1] not in needed
        if (made := made_by(key, self.base)) is not None and self._is_removed(made[0]):
            return _retention(mapping(self.base[made[0]].manifest.get("spec")), "whenDeleted") == "Delete"
        return False

    def _made_anew(self, case: Case) -> tuple[str, str]:
        """Why a claim was made anew, and what to do, if its whole Application was, between two parents."""
        key = key_of("Application", case.key)
        was, now = self.before.get(key), self.after.get(key)
        if was is None or now is None or was == now or key not in self.base or key not in self.head:
            return "", IDENTITY
        parents = self.base[key].case.key, self.head[key].case.key
        return f". {parents[0]} deleted Application {case.key}, and {parents[1]} made it anew", HANDOVER

    def _taken_along(self, key: Key, otherwise: str) -> tuple[str, str]:
        """Why an object went that nobody asked to go, and what to do, if it went with its Namespace."""
        namespace = Key(key.cluster, "", "Namespace", "", key.namespace)
        if namespace in self.after or not self._is_removed(namespace):
            return "", otherwise
        return f" with {namespace.title}, which Application {self.base[namespace].case.key} had at base", HOME

    def _remains(self, key: Key, owner: Claim, told: Aftermath) -> None:
        state, title = self._state_of(key), key.title
        if state == "kept":
            fate = self.fate_of(key, self.base[key])
            told.kept.append(title)
            message = f"{title} stays in the cluster: {fate.text if fate else 'it is not pruned'}"
            finding = self._finding(owner, "kept-object", key, message, KEPT, Severity.INFO)
        elif state == "orphaned":
            message = (
                f"{title}: expected an owner or its end, saw it live on, and no Application owns it: "
                f"{self.base[key].case.key} has let go of it"
            )
            finding = self._finding(owner, "orphaned-object", key, message, ORPHANED)
        else:
            message = f"{title}: expected it to be deleted, for head does not have it, saw it still there"
            finding = self._finding(owner, "not-pruned", key, message, NOT_PRUNED)
        told.findings.append(finding)

    def _state_of(self, key: Key) -> str:
        """What should be of an object that head does not have and that is still there: kept, orphaned or deleted."""
        fate = self.fate_of(key, self.base[key])
        if fate is not None and fate.effect in OWNERLESS:
            return "orphaned"
        # What somebody has to confirm is confirmed here.
        return "deleted" if fate is None or fate.effect in DELETING else "kept"

    def _finding(
        self, owner: Claim, code: str, key: Key, message: str, help_: str, severity: Severity = Severity.ERROR
    ) -> Finding:
        file, line = self.place(owner.case, owner.manifest)
        return Finding(
            rule=code,
            severity=severity,
            message=message,
            file=file,
            line=line,
            resource=key.title,
            help=help_,
        )


def _retention(spec: Mapping[str, Any], when: str) -> str:
    return str(mapping(spec.get("persistentVolumeClaimRetentionPolicy")).get(when) or "Retain")
