"""Known causes behind Argo CD's messages (the messages are those that were seen)."""

from __future__ import annotations

import pytest

from pytest_gitops.argocd.causes import KNOWN, SYMPTOMS, cause_of


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("ConfigMap web/: from settings-: cannot use generate name with apply", "generated-name"),
        (
            'one or more objects failed to apply, reason: namespaces "web" not found',
            "namespace-missing",
        ),
        (
            "one or more synchronization tasks are not valid: Ingress.extensions: the server could not find the requested "
            "resource",
            "waiting-for-crd",
        ),
        (
            'no matches for kind "Rollout" in version "argoproj.io/v1alpha1"',
            "waiting-for-crd",
        ),
        (
            'The Deployment "web" is invalid: spec.selector: Invalid value: {"matchLabels":{"app":"b"}}: field is immutable',
            "immutable-field",
        ),
        (
            'StatefulSet.apps "db" is invalid: spec: Forbidden: updates to statefulset spec for fields other than '
            "'replicas' are forbidden",
            "immutable-field",
        ),
        (
            'CustomResourceDefinition.apiextensions.k8s.io "lamps.example.com" is invalid: status.storedVersions[0]: '
            'Invalid value: "v1": missing from spec.versions; v1 was previously a storage version, and must remain',
            "stored-version",
        ),
        (  # and so the kind is not there of an object that comes with it
            'is invalid: status.storedVersions[0]: Invalid value: "v1": missing from spec.versions; v1 was previously a '
            'storage version,resource mapping not found for name: "one" namespace: "stored" from "/dev/shm/2796845269": no '
            'matches for kind "Lamp" in version "example.com/v2"',
            "stored-version",
        ),
        (
            'PersistentVolumeClaim "data" is invalid: spec: Forbidden: spec is immutable after creation except '
            "resources.requests and volumeAttributesClassName for bound claims",
            "immutable-claim",
        ),
        (
            'PersistentVolumeClaim "data" is invalid: spec.resources.requests.storage: Forbidden: field can not be less '
            "than status.capacity",
            "immutable-claim",
        ),
        ("resource :Namespace is not permitted in project omega", "project-forbids"),
        (
            'CustomResourceDefinition "x" is invalid: metadata.annotations: Too long: may not be more than 262144 bytes',
            "too-large",
        ),
        (
            'Internal error occurred: failed calling webhook "validate.kyverno.svc": connection refused',
            "webhook-unanswered",
        ),
        ("Deployment/web is part of applications argocd/a and b", "two-owners"),
        ('error validating data: unknown field "spec.replica"', "unknown-field"),
        ('pods "web" is forbidden: exceeded quota: small', "quota-exceeded"),
        ('Service "web" is invalid: spec.ports: Required value', "invalid-object"),
        ('namespaces "shop" not found', "namespace-missing"),
        (
            'configmaps "shop" is forbidden: unable to create new content in namespace shop because it is being terminated',
            "namespace-terminating",
        ),
        ("the server could not find the requested resource", "waiting-for-crd"),
        ('error when replacing "…": Job.batch "migrate" is invalid', "replace-refused"),
        ('status.storedVersions[0]: Invalid value: "v1": missing from spec.versions', "stored-version"),
        ("spec: Forbidden: spec is immutable after creation except resources.requests", "immutable-claim"),
        ("spec.selector: Invalid value: …: field is immutable", "immutable-field"),
        (
            'Service "web" is invalid: spec.clusterIPs[0]: Invalid value: []string{"None"}: may not change once set',
            "immutable-field",
        ),
        (
            "application destination server '…' and namespace '…' do not match any of the allowed destinations in project 'shop'",
            "project-forbids",
        ),
        (
            "application repo https://git.example.com/x.git is not permitted in project 'shop'",
            "project-forbids",
        ),
        ("there are no clusters with this name: prod", "destination-unknown"),
        ("metadata.annotations: Too long: may not be more than 262144 bytes", "too-large"),
        ('failed calling webhook "validate.example.com"', "webhook-unanswered"),
        (
            'conversion webhook for example.com/v1beta1, Kind=Widget failed: Post "https://hooks.example.com/convert?timeout=30s"'
            ": proxy error from the-embedded-cluster-calls-nobody while dialing hooks.example.com:443, code 403: 403 there is nobody to be called",
            "conversion-unanswered",
        ),
        ('pods "shop" is forbidden: violates PodSecurity "restricted:latest"', "pod-security"),
        (
            "ValidatingAdmissionPolicy 'shop' with binding 'shop' denied request: no latest",
            "admission-refused",
        ),
        ('admission webhook "validate.example.com" denied the request: no', "admission-refused"),
        ("ConfigMap/shop is part of applications argocd/one and two", "two-owners"),
        ('Apply failed with 1 conflict: conflict with "operator": .spec.replicas', "field-conflict"),
        ('unknown field "spec.replica"', "unknown-field"),
        ('pods "shop" is forbidden: exceeded quota', "quota-exceeded"),
        (
            'pods "shop" is forbidden: maximum memory usage per Container is 128Mi, but limit is 1Gi',
            "limit-range",
        ),
        (
            'pods "shop-1" is forbidden: error looking up service account shop/shop: serviceaccount "shop" not found',
            "missing-dependency",
        ),
        ('configmap "shop" not found', "missing-dependency"),
        ('pods "shop-1" is forbidden: no PriorityClass with name urgent was found', "missing-dependency"),
        ('Back-off pulling image "example.com/shop:9"', "image"),
        ("ErrImagePull", "image"),
        ('Failed to apply default image tag "Shop": couldn\'t parse image name', "image"),
        ("back-off 5m0s restarting failed container=shop", "crash-loop"),
        ("Back-off restarting failed container shop in pod shop-1", "crash-loop"),
        ("Readiness probe failed: HTTP probe failed with statuscode: 503", "probe-failing"),
        ('storageclass.storage.k8s.io "fast" not found', "claim-pending"),
        ("PersistentVolumeClaim shop/data: Progressing", "claim-pending"),
        ("0/1 nodes are available: 1 Insufficient cpu", "unschedulable"),
        ("APIService v1beta1.metrics.k8s.io: Progressing, MissingEndpoints", "api-unserved"),
        ("Service shop/web: Progressing", "waiting-for-load-balancer"),
        ("Ingress shop/web: Progressing, waiting", "waiting-for-load-balancer"),
        ("Job shop/migrate: PreSync hook failed: Job has reached the specified backoff limit", "hook-failed"),
        ("waiting for completion of hook batch/Job/migrate", "hook-unfinished"),
        ("Job has reached the specified backoff limit", "job-failed"),
        ("waiting for healthy state of apps/Deployment/shop", "wave-waiting"),
        ("waiting for deletion of /ConfigMap/shop", "finalizer"),
        ('Deployment "shop" exceeded its progress deadline', "progress-deadline"),
        (
            'configmaps is forbidden: User "system:serviceaccount:argocd:x" cannot create resource "configmaps"',
            "access-refused",
        ),
        ("Failed to load target state: failed to generate manifest for source 1 of 1", "not-rendered"),
        ('Deployment.apps "shop" is invalid: spec.replicas', "invalid-object"),
    ],
)
def test_a_message_that_is_known_has_a_cause_and_a_next_step(message: str, cause: str) -> None:
    found = cause_of("sync-failed", message)
    assert found is not None
    assert found.id == cause
    assert found.next


@pytest.mark.parametrize(
    "code",
    [
        "out-of-sync",
        "never-created",
        "suspended",
        "progressing",
        "missing",
        "syncing",
        "degraded",
        "deleted",
        "deleting",
    ],
)
def test_without_a_known_message_the_code_speaks(code: str) -> None:
    found = cause_of(code, "whatever")
    assert found is not None
    assert found.next


def test_a_message_says_more_than_a_code() -> None:
    found = cause_of("out-of-sync", 'namespaces "web" not found')
    assert found is not None
    assert found.id == "namespace-missing"


def test_what_is_not_known_has_no_cause() -> None:
    assert cause_of("sync-failed", "something new") is None


def test_an_event_speaks_where_the_message_does_not_and_the_newest_one_first() -> None:
    events = ("Pod web-1: Failed: ErrImagePull", "Pod web-1: Unhealthy: Readiness probe failed: 503")
    found = cause_of("progressing", "Deployment web/web is not Healthy yet", events)
    assert found is not None
    assert found.id == "probe-failing"


def test_a_message_says_more_than_an_event() -> None:
    found = cause_of("sync-failed", 'namespaces "web" not found', ("Pod web-1: Failed: ErrImagePull",))
    assert found is not None
    assert found.id == "namespace-missing"


@pytest.mark.parametrize(
    ("code", "message", "cause"),
    [
        ("out-of-sync", "Job web/migrate: OutOfSync, and is not there", "missing"),
        ("out-of-sync", "Job web/migrate: OutOfSync", "differs-after-sync"),
        (
            "progressing",
            "Deployment web/web: Progressing, Waiting for rollout to finish: observed deployment generation less than "
            "desired generation",
            "no-controller",
        ),
    ],
)
def test_a_state_is_explained_by_what_is_said_of_its_objects(code: str, message: str, cause: str) -> None:
    found = cause_of(code, message)
    assert found is not None
    assert found.id == cause


def test_every_class_has_a_name_a_next_step_and_a_message_of_its_own() -> None:
    patterns = (*KNOWN, *SYMPTOMS)
    for number, (pattern, cause) in enumerate(patterns):
        assert cause.name and cause.next, pattern
        assert cause.id not in {c.id for _, c in patterns[:number]}


def test_what_only_comes_of_something_gives_way_to_it() -> None:
    message = 'Deployment web/web: Degraded, Deployment "web" exceeded its progress deadline'
    found = cause_of("degraded", message, ("Pod web-1: FailedScheduling: 0/3 nodes are available: 3 busy",))
    assert found is not None
    assert found.id == "unschedulable"
    alone = cause_of("degraded", message)
    assert alone is not None
    assert alone.id == "progress-deadline"
