"""What Argo CD says of what only comes of a cause; the special stands before the general, as in `known_causes`."""

from __future__ import annotations

from pytest_gitops.argocd.known_causes import Cause

MISSING = Cause(
    id="missing",
    name="it is not there after the sync",
    next="see what else deletes it; Kubernetes deletes a Job with ttlSecondsAfterFinished once it has finished",
)

SYMPTOMS: tuple[tuple[str, Cause], ...] = (
    (r": OutOfSync, and is not there", MISSING),
    (
        r"observed deployment generation less than desired generation",
        Cause(
            id="no-controller",
            name="no controller of the cluster acts on it",
            next="see whether the cluster's kube-controller-manager runs: nobody has looked at the object",
        ),
    ),
    (
        r"\bAPIService \S+: Progressing",
        Cause(
            id="api-unserved",
            name="nobody serves the API of an APIService",
            next="its Service has to be there, with an endpoint that is ready on its port; the embedded cluster, where"
            " no container can show a certificate, pretends an API only with insecureSkipTLSVerify: true",
        ),
    ),
    (
        r"\b(?:Service|Ingress|Gateway) \S+: Progressing",
        Cause(
            id="waiting-for-load-balancer",
            name="it waits for an address that nobody gives it",
            next="check its class: a load balancer or an ingress controller of that class has to be there",
        ),
    ),
    (
        r"completion of hook",
        Cause(
            id="hook-unfinished",
            name="a hook does not end",
            next="let the hook end: a Job's command has to return, and activeDeadlineSeconds bounds it",
        ),
    ),
    (
        r"waiting for healthy state of",
        Cause(
            id="wave-waiting",
            name="an earlier sync wave does not become healthy, so the next one does not begin",
            next="see why the object that the message names is not Healthy; or put it into the same wave",
        ),
    ),
    (
        r"waiting for deletion of|[Pp]ending deletion",
        Cause(
            id="finalizer",
            name="an object that is deleted does not go",
            next="see its finalizers, and whoever should take them away",
        ),
    ),
    (
        r"exceeded its progress deadline",
        Cause(
            id="progress-deadline",
            name="its rollout did not finish in time",
            next="see the events of its Pods; progressDeadlineSeconds is the time that it has",
        ),
    ),
)
