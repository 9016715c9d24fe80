"""What Argo CD and Kubernetes say, and the cause behind it: a table, in which the special stands before the general.

The words are theirs, as they were seen or as their source has them; `tests/unit/argocd/test_causes.py` has each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A cause: `id` names its class and is stable, `name` says it in a few words, `next` is the next step. One that is
    `for_good` is in the manifest and its object alone: nothing that another Application brings or takes mends it."""

    id: str
    name: str
    next: str
    for_good: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {"class": self.id, "cause": self.name, "next": self.next}


KNOWN: tuple[tuple[str, Cause], ...] = (
    (
        r'InvalidSpec: .*(?:service "[^"]*" not found|Service "[^"]*" has unmatch label)',
        Cause(
            id="rollout-service",
            name="a Service that a Rollout names is not there, or does not select its Pods",
            next="bring the Service, correct its name in the Rollout's strategy, or give it the Rollout's selector",
        ),
    ),
    (
        r"InvalidSpec: ",
        Cause(
            id="rollout-invalid",
            name="Argo Rollouts refuses the specification",
            next="correct the field that the message names; what it refers to has to be in the same namespace",
        ),
    ),
    (
        r"RolloutAborted: .*(?:analysis|assessed|AnalysisRun|Experiment)",
        Cause(
            id="analysis-failed",
            name="an analysis did not succeed, so the update was aborted",
            next="see the metric and its message: users stay with the stable version until it succeeds",
        ),
    ),
    (
        r"ProgressDeadlineExceeded: |RolloutAborted: .*timed out",
        Cause(
            id="rollout-deadline",
            name="an update did not get on in time (progressDeadlineSeconds)",
            next="see the events: new Pods need room beside the stable ones, in quotas and on nodes",
        ),
    ),
    (
        r"Rollout [^:]*: Progressing, Waiting for rollout spec update to be observed",
        Cause(
            id="no-rollouts-controller",
            name="no controller acts on Rollouts",
            next="leave `argo-rollouts: false` out of pytest-gitops.yaml, or write `argo-rollouts: true`: then Argo "
            "Rollouts runs beside the cluster",
        ),
    ),
    (
        r'"(?:Rollout|Experiment|AnalysisRun|(?:Cluster)?AnalysisTemplate)" CRD|'
        r"argoproj\.io/(?:Rollout|Experiment|AnalysisRun|(?:Cluster)?AnalysisTemplate)\b.*could not",
        Cause(
            id="no-argo-rollouts",
            name="Argo Rollouts is not in the cluster",
            next="leave `argo-rollouts: false` out of pytest-gitops.yaml, or write `argo-rollouts: true`: then its "
            "definitions are there and its controller runs",
        ),
    ),
    (
        r'namespaces "[^"]+" not found',
        Cause(
            id="namespace-missing",
            name="the destination namespace does not exist",
            next="add syncOptions: [CreateNamespace=true], a Namespace manifest in an earlier wave, or, "
            "if the cluster has it before Argo CD acts, name it under `prerequisites:` in pytest-"
            "gitops.yaml",
        ),
    ),
    (
        r"is being terminated",
        Cause(
            id="namespace-terminating",
            name="the namespace is being deleted",
            next="let one Application own the namespace, and delete it last; see the finalizers of what "
            "is in it",
        ),
    ),
    (
        r"status\.storedVersions.*(?:must appear in|missing from) spec\.versions",
        Cause(
            id="stored-version",
            name="objects may be stored in a version that the CustomResourceDefinition does not have",
            next="keep serving the old version until every object is stored in the new one and the old "
            "one is taken out of status.storedVersions; then remove it in a change of its own",
        ),
    ),
    (
        r"could not find the requested resource|no matches for kind|the server could not find|"
        r"not found in (?:cluster|group)",
        Cause(
            id="waiting-for-crd",
            name="the cluster does not know this kind",
            next="bring its CustomResourceDefinition: in the repository in an earlier wave, or under "
            "`crds:` in pytest-gitops.yaml; or the API version was removed from this Kubernetes",
        ),
    ),
    (
        r"error when replacing ",
        Cause(
            id="replace-refused",
            name="Replace=true on an object that cannot be replaced as it is",
            next="leave the sync option Replace=true out, or add Force=true if the object may be deleted "
            "and made anew",
            for_good=True,
        ),
    ),
    (
        r"spec is immutable after creation except resources\.requests|field can not be less than ",
        Cause(
            id="immutable-claim",
            name="a claim that has data cannot be changed so",
            next="keep its size, class and modes: it can only grow, where its StorageClass allows that; "
            "or make a new claim and copy the data",
            for_good=True,
        ),
    ),
    (
        r"field is immutable|updates to statefulset spec|Forbidden: (?:updates|field)|may not change once set",
        Cause(
            id="immutable-field",
            name="immutable field",
            next="recreate the object (Replace=true or delete it with --cascade=orphan), or keep the field",
            for_good=True,
        ),
    ),
    (
        r'appproject\S* "[^"]+" not found',
        Cause(
            id="project-gone",
            name="the AppProject is gone, and without it Argo CD deletes nothing",
            next="put the AppProject into an earlier wave than its Applications, for deletion goes through the waves "
            "backwards; or, in one wave, give it the finalizer resources-finalizer.argocd.argoproj.io: then it waits",
        ),
    ),
    (
        r"(?:Pre|Post)Delete hook\(s\) failed",
        Cause(
            id="deletion-hook-failed",
            name="a hook of the deletion failed, and Argo CD runs it again for ever",
            next="correct the hook; whoever cannot wait takes the Application's pre-delete-finalizer or "
            "post-delete-finalizer away by hand",
        ),
    ),
    (
        r"not permitted in project|do not match any of the allowed destinations in project",
        Cause(
            id="project-forbids",
            name="the AppProject forbids it",
            next="allow it in the AppProject (destinations, sourceRepos, resource lists), or name another"
            " project",
        ),
    ),
    (
        r"there are no clusters with this name|[Uu]nable to find destination server",
        Cause(
            id="destination-unknown",
            name="no such cluster is known to Argo CD",
            next="correct spec.destination, or declare the cluster's Secret",
        ),
    ),
    (
        r"metadata\.annotations: Too long|Too long: (?:must have at most|may not be)",
        Cause(
            id="too-large",
            name="too large for a client-side apply",
            next="add the annotation argocd.argoproj.io/sync-options: ServerSideApply=true to the object",
            for_good=True,
        ),
    ),
    (
        r"failed calling webhook",
        Cause(
            id="webhook-unanswered",
            name="an admission webhook does not answer",
            next="no Pod runs on the embedded cluster, so webhooks cannot answer: leave its configuration"
            " out of this run, or test on a cluster that runs Pods",
        ),
    ),
    (
        r"conversion webhook for .+ failed: ",
        Cause(
            id="conversion-unanswered",
            name="a CRD's conversion webhook does not answer",
            next="no Pod runs on the embedded cluster, so nobody converts: there the version of the manifest, the one"
            " that objects are stored in and the highest that the CRD serves have to be one; or test on a cluster that"
            " runs Pods",
        ),
    ),
    (
        r"violates PodSecurity",
        Cause(
            id="pod-security",
            name="its Pods break the namespace's Pod Security level",
            next="correct the securityContext, or the level in the namespace's labels",
        ),
    ),
    (
        r"""admission webhook \"[^\"]+\" denied|ValidatingAdmissionPolicy '[^']+' with binding '[^']+' denied""",
        Cause(
            id="admission-refused",
            name="an admission policy refuses it",
            next="correct what the policy's message names, or change the policy",
        ),
    ),
    (
        r"is part of applications? ",
        Cause(id="two-owners", name="two Applications own one object", next="keep the object in one of them"),
    ),
    (
        r"Apply failed with \d+ conflict",
        Cause(
            id="field-conflict",
            name="another field manager owns a field of the object",
            next="leave the field to one of the two",
        ),
    ),
    (
        r"unknown field|strict decoding error",
        Cause(
            id="unknown-field",
            name="a field that the API does not have",
            next="correct the field's name or place",
        ),
    ),
    (
        r"exceeded quota",
        Cause(
            id="quota-exceeded",
            name="the namespace's quota is used up",
            next="raise the quota or lower the requests",
        ),
    ),
    (
        r"(?:maximum|minimum) (?:cpu|memory|storage|ephemeral-storage) usage per|"
        r"must specify (?:limits|requests)|failed quota",
        Cause(
            id="limit-range",
            name="outside of what the namespace's LimitRange or quota asks for",
            next="set requests and limits within it",
        ),
    ),
    (
        r"no PriorityClass with name|error looking up service account|references non-existent|"
        r'(?:serviceaccount|secret|configmap|persistentvolumeclaim|RuntimeClass) "[^"]+" not found|'
        r"couldn't find key|CreateContainerConfigError",
        Cause(
            id="missing-dependency",
            name="something that it needs is not there",
            next="bring it in an earlier wave, correct its name, or, if the cluster has it before Argo CD"
            " acts, name it under `prerequisites:`",
        ),
    ),
    (
        r"ImagePullBackOff|ErrImage\w+|InvalidImageName|Failed to pull image|Back-off pulling image|"
        r"Failed to apply default image tag|couldn't parse image",
        Cause(
            id="image",
            name="the image cannot be pulled",
            next="correct its name or tag, or give imagePullSecrets that may pull it",
        ),
    ),
    (
        r"CrashLoopBackOff|[Bb]ack-off (?:\S+ )?restarting failed container",
        Cause(
            id="crash-loop",
            name="its container ends again and again",
            next="see the container's log: `kubectl logs --previous`",
        ),
    ),
    (
        r"(?:Readiness|Liveness|Startup) probe failed",
        Cause(
            id="probe-failing",
            name="a probe fails",
            next="correct the probe's port, path or delay, or what answers it",
        ),
    ),
    (
        r"unbound immediate PersistentVolumeClaims|storageclass\S* \"[^\"]+\" not found|"
        r"no persistent volumes available|PersistentVolumeClaim \S+: Progressing",
        Cause(
            id="claim-pending",
            name="a claim is not bound",
            next="name a StorageClass that the cluster has, or bring the volume",
        ),
    ),
    (
        r"\d+/\d+ nodes are available",
        Cause(
            id="unschedulable",
            name="no node takes the Pod",
            next="lower the requests, or correct nodeSelector, affinity and tolerations; on the embedded cluster "
            "`nodes:` in pytest-gitops.yaml says which nodes production has",
        ),
    ),
    (
        r"hook failed",
        Cause(
            id="hook-failed",
            name="a hook failed",
            next="see the hook's own message and log; a Job that fails keeps the sync from going on",
        ),
    ),
    (
        r"reached the specified backoff limit|active longer than specified deadline",
        Cause(
            id="job-failed",
            name="a Job failed",
            next="see the log of its Pod; a Job is not tried again once it has failed",
        ),
    ),
    (
        r"cannot (?:create|patch|update|delete|get|list|watch) resource|is forbidden: User ",
        Cause(
            id="access-refused",
            name="Argo CD may not do that on the cluster",
            next="give the account that Argo CD uses there the verb on that resource",
        ),
    ),
    (
        r"Manifest generation error|failed to generate manifest|Failed to load target state",
        Cause(
            id="not-rendered",
            name="Argo CD cannot render it",
            next="`argocd app manifests` says the same; see the stage `render`",
        ),
    ),
    (
        r"is invalid: ",
        Cause(
            id="invalid-object",
            name="the API server refuses the object",
            next="correct the field that the message names",
        ),
    ),
    (
        r"cannot use generate name with apply",
        Cause(
            id="generated-name",
            name="an object without a name of its own cannot be applied",
            next="give it a name; only hooks may have a generateName",
            for_good=True,
        ),
    ),
)
