"""Known causes behind Argo CD's messages (the messages are those that were seen)."""

from __future__ import annotations

import pytest

from pytest_gitops.argocd.causes import cause_of


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (
            'one or more objects failed to apply, reason: namespaces "web" not found',
            "the destination namespace does not exist",
        ),
        (
            "one or more synchronization tasks are not valid: Ingress.extensions: the server could not find the requested "
            "resource",
            "the cluster does not know this kind",
        ),
        (
            'no matches for kind "Rollout" in version "argoproj.io/v1alpha1"',
            "the cluster does not know this kind",
        ),
        (
            'The Deployment "web" is invalid: spec.selector: Invalid value: {"matchLabels":{"app":"b"}}: field is immutable',
            "immutable field",
        ),
        (
            'StatefulSet.apps "db" is invalid: spec: Forbidden: updates to statefulset spec for fields other than '
            "'replicas' are forbidden",
            "immutable field",
        ),
        (
            'CustomResourceDefinition.apiextensions.k8s.io "lamps.example.com" is invalid: status.storedVersions[0]: '
            'Invalid value: "v1": missing from spec.versions; v1 was previously a storage version, and must remain',
            "objects may be stored in a version that the CustomResourceDefinition does not have",
        ),
        (
            'PersistentVolumeClaim "data" is invalid: spec: Forbidden: spec is immutable after creation except '
            "resources.requests and volumeAttributesClassName for bound claims",
            "a claim that has data cannot be changed so",
        ),
        (
            'PersistentVolumeClaim "data" is invalid: spec.resources.requests.storage: Forbidden: field can not be less '
            "than status.capacity",
            "a claim that has data cannot be changed so",
        ),
        ("resource :Namespace is not permitted in project omega", "the AppProject forbids it"),
        (
            'CustomResourceDefinition "x" is invalid: metadata.annotations: Too long: may not be more than 262144 bytes',
            "too large for a client-side apply",
        ),
        (
            'Internal error occurred: failed calling webhook "validate.kyverno.svc": connection refused',
            "an admission webhook does not answer",
        ),
        ("Deployment/web is part of applications argocd/a and b", "two Applications own one object"),
        ('error validating data: unknown field "spec.replica"', "a field that the API does not have"),
        ('pods "web" is forbidden: exceeded quota: small', "the namespace's quota is used up"),
        ('Service "web" is invalid: spec.ports: Required value', "the API server refuses the object"),
    ],
)
def test_a_message_that_is_known_has_a_cause_and_a_next_step(message: str, cause: str) -> None:
    found = cause_of("sync-failed", message)
    assert found is not None
    assert found.name == cause
    assert found.next


@pytest.mark.parametrize("code", ["out-of-sync", "never-created", "suspended", "progressing", "missing"])
def test_without_a_known_message_the_code_speaks(code: str) -> None:
    found = cause_of(code, "whatever")
    assert found is not None
    assert found.next


def test_a_message_says_more_than_a_code() -> None:
    found = cause_of("out-of-sync", 'namespaces "web" not found')
    assert found is not None
    assert found.name == "the destination namespace does not exist"


def test_what_is_not_known_has_no_cause() -> None:
    assert cause_of("sync-failed", "something new") is None
