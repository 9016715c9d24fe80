"""Why Argo CD says what it says: known causes behind its messages, and what to do about each."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A cause in a few words, and the next step."""

    name: str
    next: str


REFUSED = Cause(name="the API server refuses the object", next="correct the field that the message names")

_KNOWN: tuple[tuple[str, Cause], ...] = (
    (
        r'namespaces "[^"]+" not found',
        Cause(
            name="the destination namespace does not exist",
            next="add syncOptions: [CreateNamespace=true], a Namespace manifest in an earlier wave, or, if the cluster "
            "has it before Argo CD acts, name it under `prerequisites:` in pytest-gitops.yaml",
        ),
    ),
    (
        r"could not find the requested resource|no matches for kind|the server could not find|"
        r"not found in (?:cluster|group)",
        Cause(
            name="the cluster does not know this kind",
            next="bring its CustomResourceDefinition: in the repository in an earlier wave, or under `crds:` in "
            "pytest-gitops.yaml; or the API version was removed from this Kubernetes",
        ),
    ),
    (
        r"error when replacing ",
        Cause(
            name="Replace=true on an object that cannot be replaced as it is",
            next="leave the sync option Replace=true out, or add Force=true if the object may be deleted and made anew",
        ),
    ),
    (
        r"status\.storedVersions.*(?:must appear in|missing from) spec\.versions",
        Cause(
            name="objects may be stored in a version that the CustomResourceDefinition does not have",
            next="keep serving the old version until every object is stored in the new one and the old one is taken "
            "out of status.storedVersions; then remove it in a change of its own",
        ),
    ),
    (
        r"spec is immutable after creation except resources\.requests|field can not be less than ",
        Cause(
            name="a claim that has data cannot be changed so",
            next="keep its size, class and modes: it can only grow, where its StorageClass allows that; or make a new "
            "claim and copy the data",
        ),
    ),
    (
        r"field is immutable|updates to statefulset spec|Forbidden: (?:updates|field)",
        Cause(
            name="immutable field",
            next="recreate the object (Replace=true or delete it with --cascade=orphan), or keep the field",
        ),
    ),
    (
        r"appproject\S* \"[^\"]+\" not found",
        Cause(
            name="the AppProject is gone, and without it Argo CD deletes nothing",
            next="put the AppProject into an earlier wave than its Applications, for deletion goes through the waves "
            "backwards; or, in one wave, give it the finalizer resources-finalizer.argocd.argoproj.io: then it waits",
        ),
    ),
    (
        r"(?:Pre|Post)Delete hook\(s\) failed",
        Cause(
            name="a hook of the deletion failed, and Argo CD runs it again for ever",
            next="correct the hook; whoever cannot wait takes the Application's pre-delete-finalizer or "
            "post-delete-finalizer away by hand",
        ),
    ),
    (
        r"is not permitted in project|not permitted in project",
        Cause(
            name="the AppProject forbids it",
            next="allow it in the AppProject (destinations, sourceRepos, resource lists), or name another project",
        ),
    ),
    (
        r"metadata\.annotations: Too long|Too long: (?:must have at most|may not be)",
        Cause(
            name="too large for a client-side apply",
            next="add the annotation argocd.argoproj.io/sync-options: ServerSideApply=true to the object",
        ),
    ),
    (
        r"failed calling webhook",
        Cause(name="an admission webhook does not answer", next="no Pod runs on the embedded cluster, so webhooks "
              "cannot answer: leave its configuration out of this run, or test on a cluster that runs Pods"),
    ),
    (
        r"is part of applications? ",
        Cause(name="two Applications own one object", next="keep the object in one of them"),
    ),
    (
        r"unknown field|strict decoding error",
        Cause(name="a field that the API does not have", next="correct the field's name or place"),
    ),
    (
        r"is forbidden: exceeded quota",
        Cause(name="the namespace's quota is used up", next="raise the quota or lower the requests"),
    ),
    (
        r"denied request: |denied the request",
        Cause(
            name="an admission policy refuses the object",
            next="correct the object as the policy's message says, or correct the policy",
        ),
    ),
    (
        r"is invalid: ",
        REFUSED,
    ),
)  # fmt: skip

_OURS = re.compile(
    r"failed to initialize sync context|failed to generate temp file|code = Unavailable|transport: Error while dialing"
)
"""What Argo CD says when it is it that cannot work: its own files, its repo-server, the way to a cluster."""

_BY_CODE = {
    "out-of-sync": Cause(
        name="the live object differs from the manifest after every apply",
        next="something changes it after each sync, or the API server drops a field: compare with "
        "`argocd app diff`, remove the field, or add an ignoreDifferences entry",
    ),
    "never-created": Cause(
        name="its parent did not create it",
        next="see the parent's own verdict: its sync failed or did not reach this wave",
    ),
    "suspended": Cause(name="it is paused", next="resume it: a paused object is never Healthy"),
    "progressing": Cause(
        name="it did not come up",
        next="see the object's events; on the embedded cluster Pods become ready at once",
    ),
    "missing": Cause(name="it is not there after the sync", next="see whether something else deletes it"),
}


def is_ours(message: str) -> bool:
    """Whether `message` blames Argo CD's surroundings, which here are ours, and not what it was given."""
    return bool(_OURS.search(message))


def cause_of(code: str, message: str) -> Cause | None:
    """The known cause behind `message`, or behind `code` where the message names none."""
    for pattern, cause in _KNOWN:
        if re.search(pattern, message):
            return cause
    return _BY_CODE.get(code)
