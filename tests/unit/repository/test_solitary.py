"""Applications that concern nobody but themselves: what files do not say is never taken for nothing."""

from __future__ import annotations

from typing import Any

import pytest
from input_trees import case, reader

from pytest_gitops.repository.solitary import MAX_BYTES, Solitary, plain

PLAIN = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, annotations: {argocd.argoproj.io/sync-wave: '1'}}\n"
)


def alone(files: dict[str, str], source: dict[str, Any] | None = None, **options: Any) -> bool:
    """Of an Application at web/ in these files."""
    read = reader(files, **options)
    asked = case("web", {"path": "web", **(source or {})})
    (found,) = Solitary(read.tree).of([(asked, read.of(asked))])
    return found


CHART = {
    "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "web/values.yaml": "image: {repository: nginx}\n",
    "web/templates/deployment.yaml": "kind: Deployment\nmetadata: {name: {{ .Release.Name }}}\n",
    "web/templates/NOTES.txt": "This kind of text is for people.",
    "web/README.md": "Any kind of word",
}

KUSTOMIZED = {
    "web/kustomization.yaml": "kind: Kustomization\nresources: [../base]\n"
    "patches: [{target: {kind: Deployment}, path: p.yaml}]\n",
    "web/p.yaml": "[{op: replace, path: /spec/replicas, value: 2}]",
    "base/kustomization.yaml": "resources: [c.yaml]\n",
    "base/c.yaml": PLAIN,
}

JSONNET = {"web/main.jsonnet": "[{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'a' } }]"}


@pytest.mark.parametrize(
    "files",
    [{"web/c.yaml": PLAIN}, CHART, KUSTOMIZED, JSONNET],
    ids=["plain", "helm", "kustomize", "jsonnet"],
)
def test_workloads_and_what_stands_beside_them_concern_nobody(files: dict[str, str]) -> None:
    assert alone(files)
    assert alone({**files, "else/crd.yaml": "kind: CustomResourceDefinition"})


@pytest.mark.parametrize(
    "text",
    [
        "kind: Application",
        "kind: AppProject",
        "kind: CustomResourceDefinition",
        "kind: Namespace",
        "kind: Secret",
        "kind: ResourceQuota",
        "kind: ValidatingAdmissionPolicy",
        "kind: StorageClass",
        '{"kind": "Application"}',
        "{kind: 'Application', a: b}",
        "kind : Application # a comment",
        '"kind": Application\r\n',
        "kind: {{ .Values.kind }}",
        'kind: {{ printf "App%s" "lication" }}',
        "kind: App{{ .Values.rest }}",
        'kind: "App\\x6cication"',
        "kind: *kind",
        "kind:\n  Application",
        "? kind\n: Application",
        "[{op: replace, path: /kind, value: Application}]",
        '{{ dict "kind" $k | toYaml }}',
        "{{ .Values.text | b64dec }}",
        "secretGenerator: [{name: s, literals: [a=b]}]",
        "metadata: {name: argocd-rbac-cm}",
        "x\0y",
    ],
)
def test_what_concerns_others_or_may_is_no(text: str) -> None:
    assert not plain(text.encode())
    assert not alone({"web/c.yaml": PLAIN, "web/d.yaml": text})
    assert not alone({**CHART, "web/templates/d.yaml": text})


@pytest.mark.parametrize(
    ("files", "source"),
    [
        pytest.param({"web/c.yaml": PLAIN}, {"targetRevision": "v1"}, id="another revision"),
        pytest.param({"web/c.yaml": PLAIN}, {"plugin": {}}, id="a plugin"),
        pytest.param({"web/c.yaml": PLAIN}, {"repoURL": "https://elsewhere.example/x.git"}, id="another repository"),
        pytest.param({}, {"repoURL": "https://charts.example", "chart": "a", "targetRevision": "1.0.0"}, id="a chart"),
        pytest.param({"web/kustomization.yaml": "resources: [https://elsewhere.example/x]"}, {}, id="a remote base"),
        pytest.param(
            {"web/Chart.yaml": "dependencies: [{name: a, version: 1.0.0, repository: https://charts.example}]"}, {},
            id="a dependency",
        ),
        pytest.param(CHART, {"helm": {"parameters": [{"name": "objects[0].kind", "value": "Application"}]}}, id="a parameter"),
        pytest.param(CHART, {"helm": {"values": "extra:\n- kind: Application\n"}}, id="values"),
        pytest.param(CHART, {"helm": {"valuesObject": {"extra": [{"kind": "Secret"}]}}}, id="an object of values"),
        pytest.param({**CHART, "web/charts/a.tgz": "\x1f\ufffd\0"}, {}, id="a package"),
        pytest.param({"web/c.yaml": PLAIN + "#" * MAX_BYTES}, {}, id="a large file"),
        pytest.param({"web/c.yaml": "-> ../other/c.yaml", "other/c.yaml": "kind: Secret"}, {}, id="a link"),
        pytest.param({"web": "module web"}, {}, id="a submodule"),
        pytest.param({"web/c.yaml": PLAIN, "web/templates/README.md": "kind: Secret", "web/Chart.yaml": "name: a"}, {}, id="templates"),
        pytest.param({"web/kustomization.yaml": "resources: [README.md]", "web/README.md": "kind: Secret"}, {}, id="named"),
    ],
)  # fmt: skip
def test_what_cannot_be_looked_into_is_no(files: dict[str, str], source: dict[str, Any]) -> None:
    assert not alone(files, source, old={"web/c.yaml": PLAIN})


def test_a_target_that_a_source_names_is_no_object() -> None:
    patches = [{"target": {"kind": "Deployment"}, "patch": "- {op: replace, path: /spec/replicas, value: 3}"}]
    assert alone({"web/c.yaml": PLAIN}, {"kustomize": {"patches": patches}})
