"""What the end of Applications left of their objects: pure judgement of what was there, and of what still is.

From Argo CD v3.6: controller/appcontroller.go (finalizeApplicationDeletion, shouldBeDeleted), controller/hook.go
(cleanupHooks).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_gitops.argocd.known_causes import Cause
from pytest_gitops.changes.effect import FINALIZER, FINALIZERS, Volumes, with_application
from pytest_gitops.changes.identity import HELM_HOOK, HOOK, csv, hook_of, notes_of
from pytest_gitops.changes.values import Effect, Fate
from pytest_gitops.model import Case, Finding, Severity
from pytest_gitops.shapes import mapping
from pytest_gitops.stages.bystanders import Bystanders
from pytest_gitops.stages.finalizers import REMOVED_BY_KUBERNETES, foreign
from pytest_gitops.stages.inventory import ALWAYS_THERE, Claim, Key, Stock, Thing, key_of, maker
from pytest_gitops.stages.peace import APPLICATIONS
from pytest_gitops.stages.telling import names, quoted

OF_DELETION = ("pre-delete-finalizer.argocd.argoproj.io", "post-delete-finalizer.argocd.argoproj.io")
"""How the finalizers begin that Argo CD takes away when hooks are through, beside those that delete objects."""

STUCK = (
    "take the finalizer out of the manifest, or let whoever removes it outlive the object: in an earlier wave, for "
    "deletion goes through the waves backwards"
)
MISSPELT = f"take the finalizer out of the manifest; that of Argo CD is spelled {FINALIZER}"
SEE = "see its finalizers"
USED = "let what uses the claim go first, or be of the same Application"
ORPHANED = (
    "see whether the AppProject allows the object and its destination still exists: what an Application may not touch "
    "it does not delete; or delete it by hand"
)
POLICY = "give the hook the annotation argocd.argoproj.io/hook-delete-policy: HookSucceeded"
CASCADE = f"add {FINALIZER} to metadata.finalizers, unless its objects are meant to outlive it"
KEPT_BY_HELM = "helm.sh/resource-policy=keep"
KEPT_CRD = "Argo CD deletes no CustomResourceDefinition together with an Application"
CREATED = "Argo CD made it (CreateNamespace=true), and never deletes it"
STORED = "a StatefulSet made it, and Kubernetes keeps it and its data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """An Application that is deleted, and the cluster that it deploys to. `state` is it as it was seen last, None once
    it has ended; `declared` says whether its manifest has the finalizer that deletes its objects, `preserved` why they
    stay anyhow; `stays` whether it stays itself."""

    case: Case
    cluster: str
    state: Mapping[str, Any] | None
    declared: bool = True
    preserved: str = ""
    stays: bool = False

    @property
    def error(self) -> str:
        """What Argo CD says keeps it from deleting, or nothing."""
        conditions = mapping((self.state or {}).get("status")).get("conditions") or ()
        return next((str(c.get("message")) for c in conditions if c.get("type") == "DeletionError"), "")

    @property
    def foreign(self) -> tuple[str, ...]:
        """Its finalizers, if there are only such left that neither Argo CD nor Kubernetes takes away."""
        known = FINALIZERS | REMOVED_BY_KUBERNETES
        unknown = tuple(f for f in self.finalizers if f not in known and not f.startswith(OF_DELETION))
        return unknown if len(unknown) == len(self.finalizers) else ()

    @property
    def finalizers(self) -> tuple[str, ...]:
        return tuple(mapping((self.state or {}).get("metadata")).get("finalizers") or ())


@dataclass(slots=True, kw_only=True)
class Remains:
    """What is left of one Application: how many objects are gone, what stays and why, what should not be there with
    its finalizers; what is wrong or worth knowing about it, and the cause behind that, if it is known."""

    gone: int = 0
    kept: dict[str, str] = field(default_factory=dict)
    left: dict[str, tuple[str, ...]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    cause: Cause | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "gone": self.gone,
            "kept": [{"object": title, "why": why} for title, why in sorted(self.kept.items())],
            "left": [{"object": title, "finalizers": list(f)} for title, f in sorted(self.left.items())],
            **({"cause": self.cause.to_dict()} if self.cause else {}),
        }


@dataclass(frozen=True, kw_only=True)
class Judge:
    """`before` is what was there before anything was applied, `there` what was when the deletion began, `after` what is
    now. `claims` says who renders what, hooks included; `users` which Pods use a claim that is on its way out,
    `kept_open` what Kubernetes says of such a namespace; `going` has what is deleted together, by key; `deployed` all
    that the run deletes, each with its cluster; `place` says where an object is written; `waited` is in seconds."""

    before: Stock
    there: Stock
    after: Stock
    claims: Mapping[Key, Claim]
    going: Mapping[str, Going]
    deployed: Sequence[tuple[str, Case]]
    place: Callable[[Case, Mapping[str, Any]], tuple[str, int]]
    waited: float = 0.0
    users: Mapping[Key, tuple[str, ...]] = field(default_factory=dict)
    kept_open: Mapping[Key, str] = field(default_factory=dict)

    def remaining(self) -> list[tuple[Key, Claim]]:
        """What is still there of which nothing says that it stays, and of whom; Applications left out."""
        still = [(key, claim) for key, claim, thing in self._still_there() if not self._stays(claim, thing)]
        return still + [(key, claim) for key, claim, _ in self._parts()]

    def held(self, key: Key) -> tuple[str, ...]:
        """The finalizers of an object on its way out that neither Kubernetes nor Argo CD takes away."""
        thing = self.after.get(key)
        return foreign(thing.finalizers) if thing is not None and thing.deleting else ()

    def is_stuck(self, going: Going) -> bool:
        """Whether an Application will never end, as can be seen."""
        return going.state is not None and bool(
            going.error or going.foreign or self._renders_itself(going.case)
        )

    def _renders_itself(self, case: Case) -> bool:
        claim = self.claims.get(key_of("Application", case.key))
        return claim is not None and claim.case.key == case.key

    def stuck_in(self, namespace: Key) -> list[Key]:
        """What keeps a namespace: the objects in it that have such finalizers."""
        inside = (namespace.cluster, namespace.name)
        return sorted(k for k in self.after if (k.cluster, k.namespace) == inside and self.held(k))

    def judge(self) -> dict[str, Remains]:
        """By the key of each Application that is deleted."""
        found = {key: Remains() for key in self.going}
        for key, claim in self.claims.items():
            was, now = self.there.get(key), self.after.get(key)
            if claim.case.key in found and was is not None:
                found[claim.case.key].gone += now is None or now.uid != was.uid
        for key, claim, thing in sorted(self._still_there(), key=lambda each: each[0]):
            self._remains(key, claim, thing, found[claim.case.key])
        self._unclaimed(found)
        bystanders = Bystanders(
            before=self.before,
            after=self.after,
            claims=self.claims,
            deployed=self.deployed,
            place=self.place,
        )
        for culprit, finding in bystanders.findings():
            if culprit in found:
                found[culprit].findings.append(finding)
        for going in self.going.values():
            self._application(going, found[going.case.key])
        return found

    # ------------------------------------------------------------------ what the repository brought

    def _still_there(self) -> Iterator[tuple[Key, Claim, Thing]]:
        """The objects of what is deleted that are as they were, and the hooks that the deletion ran."""
        for key, claim in self.claims.items():
            now, was = self.after.get(key), self.there.get(key)
            if now is None or claim.case.key not in self.going or (key.group, key.kind) in APPLICATIONS:
                continue
            if was is None and "Delete" not in hook_of(claim.manifest):
                continue
            if was is None or was.uid == now.uid:
                yield key, claim, now

    def _stays(self, claim: Claim, thing: Thing) -> str:
        """Why an object rightly stays, or nothing."""
        if thing.deleting:
            return ""
        going = self.going[claim.case.key]
        ran = not going.stays and "Delete" in hook_of(claim.manifest)
        return ("" if ran else going.preserved) or stays(claim.manifest, claim.case)

    def _remains(self, key: Key, claim: Claim, thing: Thing, told: Remains) -> None:
        case, title = claim.case, key.title
        if why := self._stays(claim, thing):
            told.kept[title] = why
            return
        told.left[title] = thing.finalizers
        if held := self.held(key):
            told.findings.append(self._stuck(key, claim, held))
        elif thing.deleting and key.kind == "Namespace" and (inside := self.stuck_in(key)):
            for each in inside:
                other = self.claims.get(each)
                # What is of an Application that goes is told there, with its place.
                if other is None or other.case.key not in self.going:
                    told.findings.append(self._stuck(each, claim, self.held(each), within=title))
        elif thing.deleting:
            told.findings.append(self._unfinished(key, claim, told))
        elif self.going[case.key].state is None:
            told.findings.append(self._orphaned(key, claim))

    def _unfinished(self, key: Key, claim: Claim, told: Remains) -> Finding:
        saw, help_ = f"saw its end begun and not come after {self.waited:.0f} s", SEE
        if pods := names(self.users.get(key, ())):
            saw, help_ = f"{saw}: Kubernetes keeps it for {pods}", USED
        elif said := self.kept_open.get(key, ""):
            lines, told.cause = quoted("Kubernetes", said)
            saw, help_ = saw + lines, told.cause.next if told.cause else SEE
        return self._finding("not-pruned", claim, key, f"{key.title}: expected it to go, {saw}", help_)

    def _orphaned(self, key: Key, claim: Claim) -> Finding:
        """What lives on without its Application."""
        hook = hook_of(claim.manifest)
        what, help_ = (f"the {hook} hook", POLICY) if "Delete" in hook else ("it", ORPHANED)
        message = f"{key.title}: expected {what} to go with Application {claim.case.key}, saw it live on without that"
        finding = self._finding("orphaned-object", claim, key, message, help_)
        if "Delete" in hook and _goes_when_it_succeeds(claim.manifest):
            # Argo CD takes a hook that its cache does not have yet for one that is through (controller/hook.go:
            # executeHooks, IsAlreadyExists): the manifest is not to blame.
            why = f"{message}: Argo CD let the Application go before it had seen how the hook ended"
            return replace(finding, severity=Severity.WARNING, message=why, help="delete it by hand")
        return finding

    def _stuck(self, key: Key, claim: Claim, finalizers: Sequence[str], *, within: str = "") -> Finding:
        message = (
            f"{key.title}: expected it to go, saw it held by the finalizer {', '.join(finalizers)}, which nobody "
            "takes away" + (f"; so {within} cannot end" if within else "")
        )
        return self._finding("stuck-finalizer", claim, key, message, STUCK)

    # ------------------------------------------------------------------ what nobody renders

    def _parts(self) -> Iterator[tuple[Key, Claim, Thing]]:
        """What objects of manifests owned and the garbage collector has yet to take."""
        alive = {t.uid for t in self.after.values()}
        origin = {t.uid: k for k, t in self.there.items()}
        for key, thing in self.after.items():
            if key in self.claims or not thing.owners or any(o in alive for o in thing.owners):
                continue
            claim = self._root_of(thing, origin)
            if claim is not None and claim.case.key in self.going:
                yield key, claim, thing

    def _unclaimed(self, found: Mapping[str, Remains]) -> None:
        """What came with the Applications though no manifest has it: parts, volumes, namespaces."""
        for key, claim, thing in sorted(self._parts(), key=lambda each: each[0]):
            told = found[claim.case.key]
            told.left[key.title] = thing.finalizers
            message = f"{key.title}: expected it to go with what owned it, saw it still there after {self.waited:.0f} s"
            told.findings.append(self._finding("not-pruned", claim, key, message, SEE))
        known = {t.uid for t in self.before.values()}
        for key, thing in sorted(self.after.items()):
            if (
                key in self.claims
                or thing.uid in known
                or thing.owners
                or (key.kind, key.name) in ALWAYS_THERE
            ):
                continue
            if (key.group, key.kind) in APPLICATIONS:
                continue
            if (made := maker(key, self.claims)) and made.case.key in found:
                found[made.case.key].kept[key.title] = STORED
            else:
                for going in self.going.values():
                    self._brought(key, thing, going, found[going.case.key])

    def _brought(self, key: Key, thing: Thing, going: Going, told: Remains) -> None:
        """Something that no manifest has and nobody owns, if it is there because of that Application."""
        case = going.case
        if going.cluster != key.cluster:
            return
        if key.kind == "Namespace" and key.name == case.destination.namespace and _creates_namespace(case):
            told.kept[key.title] = CREATED
        elif thing.application in {case.name, f"{case.namespace}_{case.name}"} and going.state is None:
            told.left[key.title] = thing.finalizers
            message = f"{key.title}: has the mark of Application {case.key}, and was not deleted with it"
            told.findings.append(
                self._finding("orphaned-object", Claim(case=case, manifest={}), key, message, ORPHANED)
            )

    def _root_of(self, thing: Thing, origin: Mapping[str, Key]) -> Claim | None:
        """Who renders what owned an object, or owned its owner, and so on."""
        for key in (origin[uid] for uid in thing.owners if uid in origin):
            claim = self.claims.get(key) or self._root_of(self.there[key], origin)
            if claim is not None:
                return claim
        return None

    # ------------------------------------------------------------------ the Application itself

    def _application(self, going: Going, told: Remains) -> None:
        case = going.case
        if kept := {title: why for title, why in told.kept.items() if why != CREATED}:
            told.findings.append(_kept(case, kept))
        if case.parent_kind == "Application" and not going.declared:
            message = (
                f"Application {case.key} has no finalizer that deletes its objects: they stay, owned by nobody, when "
                f"its parent {case.parent} is deleted. Here it was deleted as `argocd app delete` does, which adds it"
            )
            told.findings.append(_finding("cascade-stops", case, message, CASCADE, Severity.WARNING))
        if going.state is None or going.stays:
            return
        if going.error:
            lines, told.cause = quoted("Argo CD", going.error, code="deletion-error")
            message = f"Application {case.key}: expected it to end when it is deleted, saw it stay{lines}"
            help_ = told.cause.next if told.cause else "see the Application's conditions"
            told.findings.insert(0, _finding("deletion-error", case, message, help_))
        elif going.foreign:
            message = (
                f"Application {case.key}: expected it to end when it is deleted, saw it held by the finalizer "
                f"{', '.join(going.foreign)}, which nobody takes away"
            )
            told.findings.insert(0, _finding("stuck-finalizer", case, message, MISSPELT))
        elif not any(f.rule == "stuck-finalizer" or f.help == USED for f in told.findings):
            told.findings.insert(0, self._not_ended(going, told))

    def _not_ended(self, going: Going, told: Remains) -> Finding:
        case = going.case
        message = (
            f"Application {case.key}: expected it to end when it is deleted, saw it still there after "
            f"{self.waited:.0f} s"
        )
        children = [
            g.case.key for g in self.going.values() if g.case.parent == case.key and g.state is not None
        ]
        if children:
            message += f", waiting for Application {names(children)}"
            return _finding("not-deleted", case, message, "see the verdict of that one")
        if self._renders_itself(case):
            message += ", waiting for itself, which it renders: Argo CD waits for every object that is on its way out"
            return _finding("not-deleted", case, message, "take its own manifest out of what it renders")
        message += f", held by {', '.join(going.finalizers) or 'nothing that can be seen'}"
        if told.left:
            message += f"\n  waits    for {names(sorted(told.left))}"
        return _finding("not-deleted", case, message, "see its objects: one that does not go keeps it")

    def _finding(self, code: str, claim: Claim, key: Key, message: str, help_: str) -> Finding:
        case = claim.case
        file, line = self.place(case, claim.manifest) if claim.manifest else (case.file, case.line)
        return Finding(
            rule=code,
            severity=Severity.ERROR,
            message=message,
            file=file,
            line=line,
            resource=key.title,
            help=help_,
        )


def stays(manifest: Mapping[str, Any], case: Case) -> str:
    """Why an object stays when `case` is deleted with a cascade, or nothing."""
    going = Fate(effect=Effect.DELETED_WITH_APPLICATION, text="")
    fate = with_application(manifest, _cascading(case), going, Volumes(()))
    if fate.effect is Effect.KEPT_DELETE_FALSE:
        return KEPT_BY_HELM if KEPT_BY_HELM in fate.text else "Delete=false"
    return KEPT_CRD if fate.effect is Effect.KEPT_CRD else ""


def _cascading(case: Case) -> Case:
    """`case` with the finalizer that `argocd app delete` gives it."""
    meta = mapping(case.manifest.get("metadata"))
    return replace(case, manifest={**case.manifest, "metadata": {**meta, "finalizers": [FINALIZER]}})


def _goes_when_it_succeeds(hook: Mapping[str, Any]) -> bool:
    notes = notes_of(hook)
    policies = {*csv(notes.get(f"{HOOK}-delete-policy")), *csv(notes.get(f"{HELM_HOOK}-delete-policy"))}
    return bool(policies & {"HookSucceeded", "hook-succeeded"})


def _creates_namespace(case: Case) -> bool:
    policy = mapping(mapping(case.manifest.get("spec")).get("syncPolicy"))
    return "CreateNamespace=true" in (policy.get("syncOptions") or ())


def _kept(case: Case, kept: Mapping[str, str]) -> Finding:
    whys = {why: [t for t in sorted(kept) if kept[t] == why] for why in sorted(set(kept.values()))}
    told = "; ".join(f"{names(titles)} ({why})" for why, titles in whys.items())
    return Finding(
        rule="kept-object",
        severity=Severity.INFO,
        message=f"what stays when Application {case.key} is deleted: {told}",
        file=case.file,
        line=case.line,
        resource=min(kept),
        help="delete by hand what is not needed any more",
    )


def _finding(code: str, case: Case, message: str, help_: str, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(rule=code, severity=severity, message=message, file=case.file, line=case.line, help=help_)
