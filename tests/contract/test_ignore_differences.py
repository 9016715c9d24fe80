"""jq expressions and JSON pointers of ignoreDifferences lead where Argo CD's own normalizer goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_gitops.changes import jq
from pytest_gitops.changes.ignore import Ignoring, Rule
from pytest_gitops.changes.jqfunctions import Unknown
from pytest_gitops.model import Resource
from pytest_gitops.processes.process import run
from pytest_gitops.repository.manifest import dump, parse

pytestmark = pytest.mark.engine

CASES: dict[str, Any] = parse((Path(__file__).parents[1] / "unit" / "changes" / "jq.yaml").read_bytes())[
    0
].value
OBJECT = CASES["object"]
POINTERS = (
    "/spec/replicas",
    "/metadata/labels/x.y~1z",
    "/spec/template/spec/containers/1",
    "/spec/template/spec/containers/-1/image",
    "/spec/template/spec/containers/9",
    "/spec/nope",
    "/metadata/labels/a/b",
    "spec/replicas",
)
RULES = [
    *(("jqPathExpressions", e) for e in (*CASES["understood"], *CASES["failing"])),
    *(("jsonPointers", p) for p in POINTERS),
]


@pytest.mark.parametrize(("sort", "rule"), RULES, ids=[rule for _, rule in RULES])
def test_what_is_ignored_is_what_argo_cd_ignores(
    sort: str, rule: str, toolbox: dict[str, Path], tmp_path: Path
) -> None:
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm", "labels": {"app.kubernetes.io/part-of": "argocd"}},
        "data": {"resource.customizations.ignoreDifferences.apps_Deployment": dump({sort: [rule]})},
    }
    (tmp_path / "argocd-cm.yaml").write_text(dump(settings), "utf-8")
    (tmp_path / "object.yaml").write_text(json.dumps(OBJECT), "utf-8")
    # Argo CD shows the difference by a program of ours, which keeps the object as it is normalized.
    keep = tmp_path / "keep.sh"
    keep.write_text('#!/bin/sh\nfor last; do :; done\ncp "$last" "$KEPT"\n', "utf-8")
    keep.chmod(0o755)
    done = run(
        toolbox["argocd"], "admin", "settings", "resource-overrides", "ignore-differences",
        tmp_path / "object.yaml", "--argocd-cm-path", tmp_path / "argocd-cm.yaml",
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "KUBECONFIG": "/dev/null",
             "KUBECTL_EXTERNAL_DIFF": str(keep), "KEPT": str(tmp_path / "kept.yaml")},
        limit=60,
    )  # fmt: skip
    kept = tmp_path / "kept.yaml"
    if not kept.exists():
        assert "No fields are ignored" in done.stdout
    theirs = parse(kept.read_bytes())[0].value if kept.exists() else OBJECT

    field = "expression" if sort == "jqPathExpressions" else "pointer"
    resource = Resource(api_version="apps/v1", kind="Deployment", namespace="prod", name="web")
    one = Rule(group="apps", kind="Deployment", **{field: rule})
    ours, _, _ = Ignoring().without([one], (OBJECT, resource), (OBJECT, resource))
    assert ours == theirs


@pytest.mark.parametrize("expression", CASES["unknown"])
def test_what_is_not_understood_is_never_guessed(expression: str) -> None:
    with pytest.raises(Unknown):
        jq.compile(expression, jq.Budget(10))
