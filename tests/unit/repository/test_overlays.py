"""What kustomizations change, and of which objects."""

from __future__ import annotations

import pytest

from pytest_gitops.repository.overlays import changes

FILES = {
    "k/own.yaml": b"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web}\nspec: {project: x}\n",
    "k/other.yaml": b"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n---\nkind: Service\n",
    "k/list.yaml": b"- targets: [{select: {kind: Application, name: web}, fieldPaths: [spec.project]}]\n",
    "k/deep/kustomization.yaml": b"components: [../part]\n",
    "k/part/kustomization.yml": b"kind: Component\nnamePrefix: prod-\ncomponents: [../part, ../deep]\n",
    "k/plain/Kustomization": b"kind: Component\nresources: [x.yaml]\n",
}

WEB = ("Application", "web")


def fields(text: str, *objects: tuple[str, str]) -> list[tuple[str, int]]:
    """The field and the line of each change that concerns one of `objects`."""
    files = {**FILES, "k/kustomization.yaml": text.encode()}
    found = changes("k/kustomization.yaml", files.get)
    return [(c.field, c.line) for c in found if any(c.concerns(*each) for each in objects)]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("namePrefix: prod-", "namePrefix"),
        ("nameSuffix: -prod", "nameSuffix"),
        ("patches: [{path: own.yaml}]", "patches"),
        ("patches: [{path: own.json, target: {kind: Application}}]", "patches"),
        ("patches: [{patch: '[]', target: {kind: Deployment|Application, name: web}}]", "patches"),
        ("patches: [{patch: '[]', target: {kind: App.*}}]", "patches"),
        ("patches: [{patch: '[]', target: {name: 'we[b'}}]", "patches"),
        ("patches: [{patch: '[]', target: {labelSelector: a=b}}]", "patches"),
        ("patches: [{patch: '{kind: Application, metadata: {name: web}}'}]", "patches"),
        ("patches: [{path: missing.yaml}]", "patches"),
        ("patches: [own.yaml]", "patches"),
        ("patchesStrategicMerge: [own.yaml]", "patchesStrategicMerge"),
        (
            "patchesStrategicMerge:\n- |-\n  kind: Application\n  metadata: {name: web}",
            "patchesStrategicMerge",
        ),
        ("patchesJson6902: [{path: x.json, target: {kind: Application, name: web}}]", "patchesJson6902"),
        ("replacements: [{source: {}, targets: [{select: {kind: Application}}]}]", "replacements"),
        ("replacements: [{path: list.yaml}]", "replacements"),
        ("replacements: [{path: missing.yaml}]", "replacements"),
        ("transformers: [t.yaml]", "transformers"),
        ("components: [part]", "components"),
        ("components: [deep]", "components"),
        ("components: ['https://github.com/example/parts//x?ref=v1']", "components"),
    ],
)
def test_what_changes_an_application_is_named(text: str, field: str) -> None:
    (found, *_) = fields(f"resources: [x.yaml]\n{text}\n", WEB)
    assert found in {(field, 2), (field, 3)}


@pytest.mark.parametrize(
    "text",
    [
        "resources: [x.yaml]",
        "namespace: argocd\nlabels: [{pairs: {a: b}}]\ncommonAnnotations: {a: b}\nimages: [{name: a, newTag: b}]",
        "namePrefix: ''",
        "patches: [{path: other.yaml}]",
        "patches: [{path: own.yaml, target: {kind: Deployment}}]",
        "patches: [{patch: '[]', target: {kind: Application, name: other}}]",
        "patchesStrategicMerge: [other.yaml]",
        "patchesJson6902: [{path: x.json, target: {kind: Deployment|ConfigMap, name: web}}]",
        "replacements: [{source: {kind: Application}, targets: [{select: {kind: Deployment}}]}]",
        "components: [plain]",
        "patches: {path: own.yaml}\ncomponents: part",
        "- patches",
        "patches: [",
    ],
)
def test_what_changes_no_application_is_not(text: str) -> None:
    assert fields(text, WEB) == []


def test_each_change_has_the_line_of_its_entry() -> None:
    text = "patches:\n- path: other.yaml\n- path: own.yaml\ncomponents:\n- plain\n- part\n"
    assert fields(text, WEB) == [("patches", 3), ("components", 6)]
    assert fields(text, ("Service", ""), ("Deployment", "web")) == [
        ("patches", 2),
        ("patches", 2),
        ("components", 6),
    ]


def test_an_expression_that_would_take_for_ever_is_not_tried() -> None:
    text = f"patches: [{{patch: '[]', target: {{name: '{'(a*)*' * 30}b'}}}}]"
    assert fields(text, ("Application", "a" * 250)) == [("patches", 1)]
