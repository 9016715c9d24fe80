"""Every check can fail: each code that the harness can say is seen red on the real engine, or by a test named here."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from runs import ROOT
from sources import FILES, nodes
from upgrade_twins import RED

from pytest_gitops.admission import values as admission
from pytest_gitops.argocd.convergence import BLOCKING
from pytest_gitops.rego.problems import Trouble
from pytest_gitops.repository.manifest import parse
from pytest_gitops.settings.waivers import EXPIRED, UNUSED
from pytest_gitops.stages.codes import RBAC

# Codes that no repository of ours brings about, and the test that does.
ELSEWHERE = {
    "configuration-invalid": "tests/unit/run/test_surveys.py",
    "applicationset-not-expanded": "tests/engine/test_without_a_cluster.py",
    "generate-paths-miss": "tests/unit/selection/test_changed.py",
    "source-unauthorized": "tests/engine/test_private_grid.py",
    "invalid-name": "tests/unit/repository/test_names.py",
    "crds-not-fresh": "tests/unit/repository/test_remote.py",
    "policy-not-in-base": "tests/engine/test_base_side.py",
    "repository-unrecognized": "tests/unit/stages/test_namesakes.py",
    "repository-url": "tests/unit/stages/test_reach.py",
    "namespace-not-enabled": "tests/engine/test_process_settings.py",
    "change-ignored": "tests/unit/stages/test_unsynced.py",
    "status-pretended": "tests/engine/test_as_production_has.py",
    "repeated-key": "tests/engine/test_bad_input.py",
    "signatures-not-checked": "tests/engine/test_silent_changes.py",
    "pods-not-restarted": "tests/engine/test_silent_changes.py",
    "file-without-effect": "tests/engine/test_changed_only.py",
    "resource-excluded": "tests/engine/test_process_settings.py",
    "setting-not-applied": "tests/unit/argocd/test_untrusted.py",
    "file-too-large": "tests/unit/repository/test_discovery.py",
    "unknown-cluster": "tests/engine/test_clusters_many.py",
    **dict.fromkeys(["not-removed", "version-skew"], "tests/unit/hosts/test_hosts.py"),
    "scenario-invalid": "tests/unit/scenarios/test_parsing.py",
    "not-accepted": "tests/unit/stages/test_converge_drive.py",
    EXPIRED: "tests/unit/settings/test_waivers.py",
    UNUSED: "tests/unit/settings/test_waivers.py",
    "applicationset-cascades": "policies/argocd",
    **dict.fromkeys(
        [
            "resource-not-permitted",
            "namespace-not-permitted",
            "source-namespace-not-allowed",
        ],
        "tests/engine/test_projects.py",
    ),
    "namespace-creation-not-permitted": "policies/argocd",
    **dict.fromkeys(RBAC, "tests/engine/test_rbac.py"),
    "duplicate-application": "policies/repository",  # `source` says duplicate-name first; opa test has it
    "never-created": "tests/unit/stages/test_converge_drive.py",
    **dict.fromkeys(Trouble, "tests/contract/test_rego_opa.py"),
    Trouble.INVALID: "tests/unit/rego",
    **dict.fromkeys(
        [
            "admission-policy-warned",
            "change-not-asked",
            "conversion-not-asked",
            "invalid-crd",
            "invalid-object-name",
            "no-namespace",
            "object-too-large",
            "priority-class-missing",
            "runtime-class-missing",
            "unknown-kind-stubbed",
        ],
        "tests/contract/test_admission.py",
    ),
    "not-admitted": "tests/unit/admission",
    **dict.fromkeys(["analysis-not-run", "rollout-abort-failed"], "tests/engine/test_rollouts.py"),
    **dict.fromkeys(
        ["cascade-stops", "deletes-others", "foreign-object-changed"], "tests/engine/test_twins.py"
    ),
    "timeout-invalid": "tests/unit/stages/test_deadlines.py",
    "comparison-error": "tests/unit/argocd",
}


@cache
def data(path: str) -> Any:
    return parse((ROOT / "fixtures" / path).read_bytes())[0].value


@cache
def literal_codes() -> dict[str, str]:
    """Code → file of every `rule="…"` of the harness, of every finding("…") and problem("…")."""
    found: dict[str, str] = {}
    for file in FILES:
        for node in nodes(file, ast.Call):
            words = [k.value for k in node.keywords if k.arg == "rule"]
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in {"finding", "_finding", "problem", "_problem"}:
                words += node.args
            for word in words:
                text = word.value if isinstance(word, ast.Constant) else None
                if isinstance(text, str) and re.fullmatch(r"[a-z]+(-[a-z]+)+", text):
                    found[text] = file.relative_to(ROOT).as_posix()
    return found | dict.fromkeys((EXPIRED, UNUSED), "harness/pytest_gitops/settings/waivers.py")


def blocking_codes() -> set[str]:
    """What a stuck Application is called."""
    return set(BLOCKING.values()) | {
        "sync-failed",
        "out-of-sync",
        "never-healthy",
        "never-created",
        "deleted",
    }


@cache
def policy_codes() -> set[str]:
    """The codes in the METADATA of the built-in policies."""
    text = "".join(p.read_text("utf-8") for p in (ROOT / "policies").rglob("*.rego"))
    return set(re.findall(r"^#\s+rule: ([a-z-]+)$", text, re.MULTILINE))


def seen_red() -> set[str]:
    """What the engine's tests demand of broken-grid, of review-grid, of twins, of the pull request of `upgrade`, and of the
    layouts with one broken."""
    expected = [e for grid in ("broken-grid", "review-grid") for e in data(f"{grid}/expected.yaml")]
    edits = [
        e
        for name in ("layouts/breakages", "twins/twins", "converge-twins/twins")
        for e in data(f"{name}.yaml")
    ]
    return {e["rule"] for e in expected} | {e["code"] for e in edits} | {code for code, *_ in RED.values()}


@cache
def demanded(file: Path) -> set[str]:
    """The strings that a test's assertions, comparisons and parametrizations have, or constants that they name; of a
    test in Rego the rules that it asks."""
    text = file.read_text("utf-8")
    if file.suffix == ".rego":
        return {word.replace("_", "-") for word in re.findall(r"(?<=\.)\w+", text)}
    tree = ast.parse(text)
    constants: dict[str, ast.AST] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            constants |= {t.id: node for t in targets if isinstance(t, ast.Name)}
    held: list[ast.AST] = [n for n in ast.walk(tree) if isinstance(n, ast.Assert | ast.Compare)]
    held += [d for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) for d in n.decorator_list]
    named = {n.id for each in held for n in ast.walk(each) if isinstance(n, ast.Name)}
    held += [value for name, value in constants.items() if name in named]
    return {
        n.value
        for each in held
        for n in ast.walk(each)
        if isinstance(n, ast.Constant) and isinstance(n.value, str)
    }


def test_the_lists_are_not_empty() -> None:
    assert len(literal_codes()) > 10
    assert len(policy_codes()) > 15
    assert len(seen_red()) > 30


@pytest.mark.parametrize(
    "code", sorted({*literal_codes(), *blocking_codes(), *policy_codes(), *admission.CODES, *Trouble})
)
def test_a_check_is_seen_red(code: str) -> None:
    if code in ELSEWHERE:
        place = ROOT / ELSEWHERE[code]
        tests = [place] if place.is_file() else [*place.rglob("test_*.py"), *place.rglob("*_test.rego")]
        assert any(code in demanded(t) for t in tests), f"no test of {ELSEWHERE[code]} demands {code}"
    else:
        assert code in seen_red(), (
            f"{code}: no fixture brings it about, and ELSEWHERE names no test that does"
        )


def test_nothing_is_excused_that_does_not_exist() -> None:
    known = {*literal_codes(), *blocking_codes(), *policy_codes(), *admission.CODES, *Trouble}
    assert set(ELSEWHERE) <= known
    assert not set(ELSEWHERE) & seen_red()
