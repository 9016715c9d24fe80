"""An Application's source on its way to the repo-server, and the words that come back."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from pytest_gitops.argocd.messages import decode, encode
from pytest_gitops.argocd.options import Options, from_config_map
from pytest_gitops.argocd.render import plain, wire_source


def sent(source: dict[str, Any]) -> dict[str, Any]:
    """What arrives at the repo-server."""
    return decode("ApplicationSource", encode("ApplicationSource", wire_source(source)))


PLAIN = {
    "repoURL": "https://github.com/example/grid.git",
    "path": "apps/web",
    "targetRevision": "main",
    "chart": "redis",
    "ref": "values",
    "helm": {
        "valueFiles": ["a.yaml", "$values/b.yaml"],
        "parameters": [{"name": "a", "value": "1", "forceString": True}],
        "fileParameters": [{"name": "f", "path": "x"}],
        "releaseName": "web",
        "values": "a: 1\n",
        "version": "v3",
        "passCredentials": True,
        "ignoreMissingValueFiles": True,
        "skipCrds": True,
        "skipTests": True,
        "skipSchemaValidation": True,
        "namespace": "x",
        "kubeVersion": "1.30",
        "apiVersions": ["v1"],
    },
    "kustomize": {
        "namePrefix": "a-",
        "images": ["nginx:1"],
        "commonLabels": {"a": "b"},
        "components": ["c"],
        "labelWithoutSelector": True,
    },
    "directory": {
        "recurse": True,
        "include": "*.yaml",
        "exclude": "x",
        "jsonnet": {
            "extVars": [{"name": "a", "value": "b", "code": True}],
            "tlas": [{"name": "c"}],
            "libs": ["l"],
        },
    },
}


def test_what_is_the_same_on_the_wire_arrives_unchanged() -> None:
    assert sent(PLAIN) == PLAIN


def test_an_object_of_values_travels_as_its_json() -> None:
    arrived = sent({"helm": {"valuesObject": {"a": [1, {"b": "é"}]}}})
    assert base64.b64decode(arrived["helm"]["valuesObject"]["raw"]) == b'{"a": [1, {"b": "\\u00e9"}]}'
    assert base64.b64decode(sent({"helm": {"valuesObject": {}}})["helm"]["valuesObject"]["raw"]) == b"{}"


def test_a_count_is_a_number_or_a_text() -> None:
    replicas = [{"name": "a", "count": 3}, {"name": "b", "count": "4"}, {"name": "c", "count": 0}]
    assert sent({"kustomize": {"replicas": replicas}})["kustomize"]["replicas"] == [
        {"name": "a", "count": {"type": "0", "intVal": 3}},
        {"name": "b", "count": {"type": "1", "strVal": "4"}},
        {"name": "c", "count": {"type": "0", "intVal": 0}},
    ]


def test_a_patchs_target_is_nested_deeper() -> None:
    target = {
        "group": "apps", "version": "v1", "kind": "Deployment", "name": "web", "namespace": "x",
        "labelSelector": "a=b", "annotationSelector": "c",
    }  # fmt: skip
    patches = [
        {"patch": "- op: remove", "target": target, "options": {"allowNameChange": True}},
        {"path": "p.yaml"},
    ]
    assert sent({"kustomize": {"patches": patches}})["kustomize"]["patches"] == [
        {
            "patch": "- op: remove",
            "options": {"allowNameChange": True},
            "target": {
                "resId": {
                    "gvk": {"group": "apps", "version": "v1", "kind": "Deployment"},
                    "name": "web",
                    "namespace": "x",
                },
                "labelSelector": "a=b",
                "annotationSelector": "c",
            },
        },
        {"path": "p.yaml"},
    ]


def test_a_plugins_parameters_are_nested_deeper() -> None:
    plugin = {
        "name": "cdk",
        "env": [{"name": "A", "value": "b"}],
        "parameters": [
            {"name": "s", "string": "x"},
            {"name": "a", "array": ["x"]},
            {"name": "m", "map": {"k": "v"}},
        ],
    }
    assert sent({"plugin": plugin})["plugin"]["parameters"] == [
        {"name": "s", "string": "x"}, {"name": "a", "array": {"array": ["x"]}}, {"name": "m", "map": {"map": {"k": "v"}}},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "source",
    [
        {},
        {"helm": None, "kustomize": None, "plugin": None},
        {"kustomize": {"replicas": None, "patches": None}},
    ],
)
def test_what_is_not_there_is_not_sent(source: dict[str, Any]) -> None:
    assert encode("ApplicationSource", wire_source(source)) in {b"", bytes([8 << 3 | 2, 0])}


def test_the_applications_own_source_is_not_changed() -> None:
    source = {"helm": {"valuesObject": {"a": 1}}, "kustomize": {"replicas": [{"name": "a", "count": 1}]}}
    wire_source(source)
    assert source == {
        "helm": {"valuesObject": {"a": 1}},
        "kustomize": {"replicas": [{"name": "a", "count": 1}]},
    }


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("rpc error: code = Unknown desc = apps: app path does not exist", "apps: app path does not exist"),
        (
            "Manifest generation error (cached): failed to generate manifest for source 1 of 2: rpc error: code = Unknown "
            "desc = `helm template` failed",
            "`helm template` failed",
        ),
        (
            "open /tmp/x/_argocd-repo/0f3c2b1a-1111-2222-3333-444455556666/apps/a.yaml: no such file",
            "open <repository>/apps/a.yaml: no such file",
        ),
        (
            "`kustomize build x --enable-helm --helm-api-versions apps/v1 --helm-api-versions v1/Pod` failed: why",
            "`kustomize build x --enable-helm <api versions removed>` failed: why",
        ),
        (
            "`kustomize build x` failed exit status 1: # Warning: 'commonLabels' is deprecated. Run 'kustomize edit fix'.\n"
            "# Warning: 'bases' is deprecated.\nError: no such file",
            "`kustomize build x` failed exit status 1: Error: no such file",
        ),
        ("# Warning: nothing failed\nall is well", "# Warning: nothing failed\nall is well"),
        ("  plain  ", "plain"),
    ],
)
def test_a_message_has_argo_cds_words_and_no_wrapping(message: str, said: str) -> None:
    assert plain(message) == said


def test_options_have_argo_cds_defaults() -> None:
    assert from_config_map({}) == Options()
    assert Options().repository("https://x") == {"repo": "https://x"}


def test_options_follow_the_config_map() -> None:
    made = from_config_map(
        {
            "application.instanceLabelKey": "own/label",
            "application.resourceTrackingMethod": "label",
            "helm.valuesFileSchemes": "https, s3",
            "kustomize.buildOptions": "--enable-helm",
            "installationID": "one",
            "kustomize.enable": "false",
            "helm.enable": "true",
        },
        credentials=lambda url: {"sshPrivateKey": url},
    )
    assert (made.label_key, made.tracking_method, made.installation_id) == ("own/label", "label", "one")
    assert made.values_file_schemes == ("https", "s3")
    assert made.kustomize_build_options == "--enable-helm"
    assert made.enabled_source_types == {"Helm": True, "Kustomize": False, "Directory": True, "Plugin": True}
    assert made.repository("git@x:y") == {"repo": "git@x:y", "sshPrivateKey": "git@x:y"}


def test_no_scheme_at_all_is_not_the_default() -> None:
    assert from_config_map({"helm.valuesFileSchemes": ""}).values_file_schemes == ()
