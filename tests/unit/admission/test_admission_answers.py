"""The API server's own words into rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from admission_support import item

from pytest_gitops.admission import answers
from pytest_gitops.admission.values import UNCONVERTED
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.model import Severity

MAP = item("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
SECRET = item("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n")


def error(message: str, *, status: int = 422, causes: list[dict[str, Any]] | None = None) -> ApiError:
    return ApiError(message, status=status, reason="Invalid", details={"causes": causes or []})


@pytest.mark.parametrize(
    ("message", "status", "rule"),
    [
        ('pods "a" is forbidden: violates PodSecurity "restricted:latest": x', 403, "pod-security"),
        ("a is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no", 422, "admission-policy"),
        ("policy 'p' with binding 'b' denied request: expression 'x' resulted in error", 422, "admission-policy"),
        ('pods "a" is forbidden: exceeded quota: q, requested: pods=1', 403, "quota-exceeded"),
        ('pods "a" is forbidden: failed quota: q: must specify requests.cpu for: m', 403, "quota-exceeded"),
        ('pods "a" is forbidden: maximum cpu usage per Container is 1, but limit is 2', 403, "limit-range"),
        ('pods "a" is forbidden: [minimum cpu usage per Pod is 1, but request is 0]', 403, "limit-range"),
        ('ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "x"', 400, "unknown-field"),
        ("failed to create typed patch object (web/a; v1, Kind=ConfigMap): .x: field not declared in schema", 422, "unknown-field"),
        ('ConfigMap "a" is invalid: []: Too long: may not be more than 1048576 bytes', 422, "object-too-large"),
        ("Request entity too large: limit is 3145728", 413, "object-too-large"),
        ("ConfigMap cannot be handled as a ConfigMap: json: cannot unmarshal number", 400, "invalid-object"),
        ('a is forbidden: something that a plugin says', 403, "not-admitted"),
        ('namespaces "x" not found', 404, "not-admitted"),
    ],
)  # fmt: skip
def test_a_refusal_is_known_by_the_servers_words(message: str, status: int, rule: str) -> None:
    (hit,) = answers.refused(MAP, error(message, status=status))
    assert (hit.rule, hit.severity, hit.message) == (rule, Severity.ERROR, message)
    assert (hit.resource, hit.manifest) == ("ConfigMap web/a", MAP.manifest)


def test_what_cannot_be_converted_here_is_not_refused() -> None:
    words = "conversion webhook for example.com/v2, Kind=Box failed: Post x: no"
    (hit,) = answers.refused(MAP, error(words, status=500))
    assert (hit.rule, hit.severity) == (UNCONVERTED, Severity.WARNING)
    # In the words of a refusal, which a repository may choose, it is one.
    (hit,) = answers.refused(MAP, error(words, status=422))
    assert (hit.rule, hit.severity) == ("invalid-object", Severity.ERROR)


@pytest.mark.parametrize(
    "own",
    ["is too large", "violates PodSecurity", "exceeded quota", "unknown field", "maximum x usage per y"],
)
def test_a_rule_of_the_repository_that_speaks_the_servers_language_is_still_its_own(own: str) -> None:
    causes = [{"field": "spec", "message": f'Invalid value: "object": {own}'}]
    refusal = error(f'Box "a" is invalid: spec: Invalid value: "object": {own}', causes=causes)
    (hit,) = answers.refused(MAP, refusal, validations={own})
    assert (hit.rule, hit.message) == ("cel-rule", f'spec: Invalid value: "object": {own}')
    assert [h.rule for h in answers.refused(MAP, refusal)] == ["invalid-object"]


def test_a_rule_without_a_message_is_known_by_the_servers_own() -> None:
    causes = [{"field": "spec", "message": "Invalid value: 7: failed rule: self < 5"}]
    (hit,) = answers.refused(MAP, error("it is invalid", causes=causes))
    assert hit.rule == "cel-rule"


def test_each_cause_is_a_hit_of_its_own_and_what_is_beyond_counting_is_counted() -> None:
    causes = [{"field": f"spec.f{n}", "message": "Required value"} for n in range(answers.MANY + 3)]
    causes[0] = {"field": "metadata.name", "message": "Required value: name or generateName is required"}
    hits = answers.refused(MAP, error("all of it", causes=causes), subject="2 of 3 replicas: ")
    assert [h.rule for h in hits[:2]] == ["invalid-object-name", "invalid-object"]
    assert hits[1].message == "2 of 3 replicas: spec.f1: Required value"
    assert len(hits) == answers.MANY + 1
    assert hits[-1].message == "2 of 3 replicas: and 3 more of the same kind"


def test_a_definition_that_is_refused_is_an_invalid_definition() -> None:
    crd = item("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\n")
    (hit,) = answers.refused(crd, error("it is invalid", causes=[{"field": "spec", "message": "no"}]))
    assert hit.rule == "invalid-crd"


@pytest.mark.parametrize(
    ("warning", "rule"),
    [
        ("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice", "deprecated-api"),
        ('would violate PodSecurity "restricted:latest": x', "pod-security-warned"),
        (
            "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': no",
            "admission-policy-warned",
        ),
        ('spec.containers[0].env[1]: hides previous definition of "A"', "api-warning"),
    ],
)
def test_a_warning_is_a_warning_with_the_servers_text(warning: str, rule: str) -> None:
    (hit,) = answers.warned(MAP, [warning])
    assert (hit.rule, hit.severity, hit.message) == (rule, Severity.WARNING, warning)


def test_argocds_own_finalizers_are_nobodys_mistake() -> None:
    text = 'metadata.finalizers: "{}": prefer a domain-qualified finalizer name including a path (/)'
    quiet = [
        text.format(f"{name}.argocd.argoproj.io") for name in ("resources-finalizer", "post-delete-finalizer")
    ]
    assert not [*answers.warned(MAP, quiet)]
    assert [*answers.warned(MAP, [text.format("mine")])]


def test_what_a_secret_holds_is_not_repeated() -> None:
    message = 'failed to create typed patch object: .data: expected map, got &value{Value:"hunter2"}'
    (hit,) = answers.refused(SECRET, error(message))
    assert hit.message == "failed to create typed patch object: .data: expected map, got ***"
    causes = [{"field": "data", "message": 'Invalid value: "hunter2": no'}]
    (hit,) = answers.refused(SECRET, error("no", causes=causes))
    assert "hunter2" not in hit.message


def test_nor_is_what_bases_secret_holds() -> None:
    message = 'failed to create typed patch object: .data: expected map, got &value{Value:"hunter2"}'
    hit = answers.not_asked(SECRET, error(message))
    assert (hit.rule, hit.severity) == ("change-not-asked", Severity.INFO)
    assert hit.message.endswith(
        "base's own is refused: failed to create typed patch object: .data: expected map, got ***"
    )


def test_what_the_server_only_keeps_need_not_be_made_anew() -> None:
    (anew,), (kept,) = (answers.immutable(MAP, error("no"), kept=kept) for kept in (False, True))
    assert (anew.rule, anew.message) == (kept.rule, kept.message)
    assert "Replace=true,Force=true, which loses what the old one holds" in anew.help
    assert kept.help.endswith("does not go with it: write that as null, or use the sync option Replace=true")
    (applied,) = answers.immutable(replace(MAP, server_side=True), error("no"), kept=True)
    assert applied.help.endswith("does not go with it: use the sync option Replace=true")


def test_a_quotation_of_a_whole_object_is_left_out() -> None:
    whole = '{"Labels":{"uid":"' + "x" * 300 + '"}}'
    (hit,) = answers.immutable(
        MAP, error(f"Job is invalid: spec.template: Invalid value: {whole}: field is immutable")
    )
    assert hit.rule == "immutable-field"
    assert hit.message.endswith("Job is invalid: spec.template: Invalid value: {…}: field is immutable")
    (hit,) = answers.immutable(MAP, error('spec.selector: Invalid value: {"a":"b"}: field is immutable'))
    assert '{"a":"b"}' in hit.message
