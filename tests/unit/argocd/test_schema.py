"""A CustomResourceDefinition as a judge of manifests."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_gitops.argocd.schema import CrdSchema

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["metadata", "spec"],
    "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "required": ["destination"],
            "properties": {
                "project": {"type": "string"},
                "destination": {"type": "object", "properties": {"name": {"type": "string"}}},
                "mode": {"type": "string", "enum": ["a", "b"]},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "limit": {"type": "integer", "format": "int64"},
                "count": {
                    "anyOf": [{"type": "integer"}, {"type": "string"}],
                    "x-kubernetes-int-or-string": True,
                },
                "values": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "object": {"type": "object", "x-kubernetes-embedded-resource": True},
                "sources": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["repoURL"],
                        "properties": {"repoURL": {"type": "string"}},
                    },
                },
                "open": {
                    "type": "object",
                    "additionalProperties": True,
                    "properties": {"a": {"type": "string"}},
                },
                # Fields whose names are words of the schema language.
                "description": {"type": "string"},
                "default": {"type": "object", "properties": {"type": {"type": "string"}}},
            },
        },
    },
}
CRD = {
    "spec": {
        "group": "argoproj.io",
        "names": {"kind": "Application"},
        "versions": [{"name": "v1alpha1", "schema": {"openAPIV3Schema": SCHEMA}}],
    }
}


def problems(**spec: Any) -> list[tuple[tuple[str | int, ...], str]]:
    manifest = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "a"}}
    return list(CrdSchema([CRD], "Application").problems({**manifest, "spec": {"destination": {}, **spec}}))


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"project": None},
        {"project": "x", "mode": "a", "limit": 3, "labels": {"a": "b"}},
        {"count": 3},
        {"count": "50%"},
        {"values": {"any": {"thing": [1]}}},
        {"object": {"apiVersion": "v1", "kind": "X", "data": 1}},
        {"sources": [{"repoURL": "x"}]},
        {"open": {"a": "x", "b": 1}},
        {"description": "x", "default": {"type": "y"}},
        {"labels": None},
    ],
)
def test_what_the_api_server_takes_is_no_problem(spec: dict[str, Any]) -> None:
    assert problems(**spec) == []


@pytest.mark.parametrize(
    ("spec", "path", "sentence"),
    [
        ({"project": 3}, ("spec", "project"), "spec.project: expected string, saw int 3"),
        ({"destination": "x"}, ("spec", "destination"), "spec.destination: expected object, saw str 'x'"),
        ({"project": ["x"]}, ("spec", "project"), "spec.project: expected string, saw a list"),
        ({"project": {"a": 1}}, ("spec", "project"), "spec.project: expected string, saw a mapping"),
        ({"limit": True}, ("spec", "limit"), "spec.limit: expected integer, saw bool True"),
        ({"limit": 1.5}, ("spec", "limit"), "spec.limit: expected integer, saw float 1.5"),
        ({"count": 1.5}, ("spec", "count"), "spec.count: expected integer or string, saw float 1.5"),
        ({"mode": "c"}, ("spec", "mode"), "spec.mode: 'c' is not one of ['a', 'b']"),
        ({"labels": {"a": 1}}, ("spec", "labels", "a"), "spec.labels.a: expected string, saw int 1"),
        ({"sources": [{}]}, ("spec", "sources", 0), "spec.sources.0: 'repoURL' is a required property"),
        (
            {"projekt": "x"},
            ("spec", "projekt"),
            "spec.projekt: unknown field; the API server would drop it without a word",
        ),
        (
            {"sources": [{"repoURL": "x"}, {"repoURL": "x", "repo": "y"}]},
            ("spec", "sources", 1, "repo"),
            "spec.sources.1.repo: unknown field; the API server would drop it without a word",
        ),
        (
            {"default": {"kind": "x"}},
            ("spec", "default", "kind"),
            "spec.default.kind: unknown field; the API server would drop it without a word",
        ),
    ],
)
def test_what_it_refuses_or_drops_is_said_with_its_path(
    spec: dict[str, Any], path: tuple[str | int, ...], sentence: str
) -> None:
    assert problems(**spec) == [(path, sentence)]


def test_everything_is_said_in_the_order_of_the_paths() -> None:
    found = problems(project=3, zone="x", sources=[{"repo": 1}])
    assert [".".join(map(str, path)) for path, _ in found] == [
        "spec.project",
        "spec.sources.0",
        "spec.sources.0.repo",
        "spec.zone",
    ]


def test_a_manifest_without_its_parts_is_a_problem() -> None:
    assert CrdSchema([CRD], "Application").problems({"apiVersion": "argoproj.io/v1alpha1"}) == (
        ((), "the manifest: 'metadata' is a required property"),
        ((), "the manifest: 'spec' is a required property"),
    )


@pytest.mark.parametrize(("version", "saw"), [("argoproj.io/v1", "str 'argoproj.io/v1'"), (None, "nothing")])
def test_another_version_is_a_problem(version: Any, saw: str) -> None:
    manifest = {"apiVersion": version, "kind": "Application", "metadata": {}, "spec": {"destination": {}}}
    assert CrdSchema([CRD], "Application").problems(manifest) == (
        (("apiVersion",), f"apiVersion: expected argoproj.io/v1alpha1, saw {saw}"),
    )


def test_a_definition_that_is_not_there_is_said() -> None:
    with pytest.raises(LookupError, match="no CustomResourceDefinition of AppProject"):
        CrdSchema([CRD], "AppProject")
    with pytest.raises(LookupError, match="no version v2 of Application"):
        CrdSchema([CRD], "Application", "v2")
