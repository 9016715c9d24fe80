"""jq expressions and JSON pointers of ignoreDifferences lead where Argo CD's own normalizer goes."""

from __future__ import annotations

import json
from collections.abc import Iterable
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
)
BARE = "spec/replicas"
"""A pointer that is none."""

EXPRESSIONS = (*CASES["understood"], *CASES["failing"])
RULES = [*(("jqPathExpressions", e) for e in EXPRESSIONS), *(("jsonPointers", p) for p in POINTERS)]


def ignored(
    rules: Iterable[tuple[str, str]], thing: dict[str, Any], tools: dict[str, Path], folder: Path
) -> Any:
    """What Argo CD leaves of a Deployment by these rules, each (field, rule)."""
    customization: dict[str, list[str]] = {}
    for sort, rule in rules:
        customization.setdefault(sort, []).append(rule)
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm", "labels": {"app.kubernetes.io/part-of": "argocd"}},
        "data": {"resource.customizations.ignoreDifferences.apps_Deployment": dump(customization)},
    }
    (folder / "argocd-cm.yaml").write_text(dump(settings), "utf-8")
    (folder / "object.yaml").write_text(json.dumps(thing), "utf-8")
    # Argo CD shows the difference by a program of ours, which keeps the object as it is normalized.
    keep = folder / "keep.sh"
    keep.write_text('#!/bin/sh\nfor last; do :; done\ncp "$last" "$KEPT"\n', "utf-8")
    keep.chmod(0o755)
    done = run(
        tools["argocd"], "admin", "settings", "resource-overrides", "ignore-differences",
        folder / "object.yaml", "--argocd-cm-path", folder / "argocd-cm.yaml",
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "TMPDIR": str(folder), "KUBECONFIG": "/dev/null",
             "KUBECTL_EXTERNAL_DIFF": str(keep), "KEPT": str(folder / "kept.yaml")},
        limit=60,
    )  # fmt: skip
    kept = folder / "kept.yaml"
    if not kept.exists():
        assert "No fields are ignored" in done.stdout
    return parse(kept.read_bytes())[0].value if kept.exists() else thing


def ours(sort: str, rule: str) -> Any:
    field = "expression" if sort == "jqPathExpressions" else "pointer"
    resource = Resource(api_version="apps/v1", kind="Deployment", namespace="prod", name="web")
    one = Rule(group="apps", kind="Deployment", **{field: rule})
    left, _, _ = Ignoring().without([one], (OBJECT, resource), (OBJECT, resource))
    return left


@pytest.fixture(scope="module")
def theirs(toolbox: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Argo CD leaves of the object by each rule.

    It is asked once: an object of as many copies as there are rules, and each rule begins at its own copy.
    """
    copies = {f"copy{n}": OBJECT for n in range(len(RULES))}
    at = {"jqPathExpressions": ".{} | {}", "jsonPointers": "/{}{}"}
    asked = [(sort, at[sort].format(copy, rule)) for copy, (sort, rule) in zip(copies, RULES, strict=True)]
    left = ignored(asked, {**OBJECT, **copies}, toolbox, tmp_path_factory.mktemp("theirs"))
    assert {k: v for k, v in left.items() if k not in copies} == OBJECT
    return {rule: left[copy] for copy, (_, rule) in zip(copies, RULES, strict=True)}


@pytest.mark.parametrize(("sort", "rule"), RULES, ids=[rule for _, rule in RULES])
def test_what_is_ignored_is_what_argo_cd_ignores(sort: str, rule: str, theirs: dict[str, Any]) -> None:
    assert ours(sort, rule) == theirs[rule]


@pytest.mark.parametrize(
    ("sort", "rule"), [("jqPathExpressions", ".spec.replicas"), ("jsonPointers", BARE)], ids=["root", BARE]
)
def test_a_rule_that_begins_at_the_object_itself_is_the_same(
    sort: str, rule: str, toolbox: dict[str, Path], tmp_path: Path
) -> None:
    assert ours(sort, rule) == ignored([(sort, rule)], OBJECT, toolbox, tmp_path)


@pytest.mark.parametrize("expression", CASES["unknown"])
def test_what_is_not_understood_is_never_guessed(expression: str) -> None:
    with pytest.raises(Unknown):
        jq.compile(expression, jq.Budget(10))
