"""RBAC as test cases: what items say is what `argocd admin settings rbac can` says, and what argocd-server adds to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from runs import Outcome, commit, gitops, write

from pytest_gitops.argocd.rbac import KUBECONFIG, Rbac
from pytest_gitops.processes.process import run
from pytest_gitops.settings.expectations import RESOURCES, Expectation

pytestmark = pytest.mark.engine

URL = "https://git.example.com/acme/rbac.git"

POLICY = """\
# developers
p, role:dev, applications, sync, shop/*, allow
p, role:dev, applications, action/apps/Deployment/restart, shop/*, allow
p, role:dev, applications, sync, shop/secret, deny
p, role:dev, logs, get, shop/*, allow
g, acme:devs, role:dev
g, bob, role:dev

p, acme:ops, applications, sync, shop/*, allow
p, alice, "applications", get, */*, allow
"""

SETTINGS = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "argocd-rbac-cm", "namespace": "argocd"},
    "data": {
        "policy.default": "role:readonly",
        "policy.csv": POLICY,
        "policy.ops.csv": "g, carol, role:admin\n",
    },
}

PROJECT: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "AppProject",
    "metadata": {"name": "shop", "namespace": "argocd"},
    "spec": {
        "sourceRepos": [URL],
        "destinations": [{"server": "https://kubernetes.default.svc", "namespace": "shop"}],
        "roles": [
            {
                "name": "ci",
                "policies": ["p, proj:shop:ci, applications, override, shop/*, allow"],
                "groups": ["acme:bots"],
            }
        ],
    },
}

APPLICATION = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": {"name": "web", "namespace": "argocd"},
    "spec": {
        "project": "shop",
        "source": {"repoURL": URL, "targetRevision": "HEAD", "path": "sources"},
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
    },
}

EXPECTATIONS = """\
repository: {urls: ["https://git.example.com/acme/rbac.git"]}
rbac:
- {subject: role:dev, action: sync, resource: applications, object: shop/web, expect: allow}
- {subject: role:dev, action: sync, resource: applications, object: shop/secret, expect: deny}
- {subject: role:dev, action: delete, resource: applications, object: shop/web, expect: allow}
- {subject: role:devs, action: delete, resource: applications, object: shop/web, expect: deny}
- {subject: role:dev, action: synch, resource: applications, object: shop/web, expect: deny}
- {subject: proj:shop:ci, action: override, resource: applications, object: shop/web, expect: allow}
"""


def files(configuration: str = EXPECTATIONS, settings: Any = SETTINGS) -> dict[str, str]:
    return {
        "pytest-gitops.yaml": configuration,
        "settings/argocd-rbac-cm.yaml": json.dumps(settings),
        "settings/project.yaml": json.dumps(PROJECT),
        "applications/web.yaml": json.dumps(APPLICATION),
        "sources/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    }


@pytest.fixture(scope="module")
def outcome(toolbox: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = commit(write(tmp_path_factory.mktemp("rbac") / "rbac", files()))
    return gitops(folder, "--gitops-cluster", "none", "--gitops-stages", "policy", "-v")


def test_expectations_are_items_that_pass_or_fail(outcome: Outcome) -> None:
    words = {
        line.split("::rbac:")[1].split()[0]: word
        for line in outcome.output.splitlines()
        for word in ("PASSED", "FAILED")
        if line.startswith("pytest-gitops.yaml::rbac:") and f" {word} " in line
    }
    assert words == {"3": "PASSED", "4": "PASSED", "5": "FAILED", "6": "FAILED", "7": "FAILED", "8": "PASSED"}
    assert outcome.status == 1


def test_what_is_not_met_is_a_finding_of_the_repository(outcome: Outcome) -> None:
    assert {f for f in outcome.findings if f[1].startswith("rbac-") and f[3] == "pytest-gitops.yaml"} == {
        (None, "rbac-expectation", "error", "pytest-gitops.yaml", 5),
        (None, "rbac-subject-unknown", "error", "pytest-gitops.yaml", 6),
        (None, "rbac-not-judged", "error", "pytest-gitops.yaml", 7),
    }
    review = (outcome.folder / "gitops-report" / "review.md").read_text("utf-8")
    assert "expected allow, saw deny, by settings/argocd-rbac-cm.yaml:1" in review


def test_every_expectation_is_in_the_reports(outcome: Outcome) -> None:
    assert outcome.report is not None
    said = [(e["line"], e["expect"], e["outcome"], e["code"]) for e in outcome.report["expectations"]]
    assert said == [
        (3, "allow", "passed", None),
        (4, "deny", "passed", None),
        (5, "allow", "failed", "rbac-expectation"),
        (6, "deny", "failed", "rbac-subject-unknown"),
        (7, "deny", "failed", "rbac-not-judged"),
        (8, "allow", "passed", None),
    ]
    assert outcome.report["expectations"][0]["title"] == "role:dev sync applications shop/web"
    folder = outcome.folder / "gitops-report"
    assert "**RBAC** 3 of 6 expectations met" in (folder / "review.md").read_text("utf-8")
    assert "3 of 6 expectations met" in (folder / "index.html").read_text("utf-8")


def test_a_policy_that_argo_cd_cannot_read_fails_what_is_expected_of_it(
    toolbox: dict[str, Path], tmp_path: Path
) -> None:
    broken = {**SETTINGS, "data": {"policy.csv": "p, role:dev, applications, sync, allow\n"}}
    configuration = EXPECTATIONS.splitlines()[0] + (
        "\nrbac:\n- {subject: alice, action: sync, resource: applications, object: shop/web, expect: deny}\n"
    )
    folder = commit(write(tmp_path / "rbac", files(configuration, broken)))
    outcome = gitops(folder, "--gitops-cluster", "none", "--gitops-stages", "policy")
    assert (None, "rbac-not-judged", "error", "pytest-gitops.yaml", 3) in outcome.findings
    assert (None, "rbac-line-invalid", "error", "settings/argocd-rbac-cm.yaml", 1) in outcome.findings


@pytest.fixture(scope="module")
def asked(toolbox: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Rbac:
    data: Any = SETTINGS["data"]
    return Rbac(toolbox["argocd"], tmp_path_factory.mktemp("asked") / "rbac", data=data, projects=[PROJECT])


def expect(subject: str, action: str, resource: str, object: str = "*", *groups: str) -> Expectation:
    return Expectation(
        subject=subject, action=action, resource=resource, object=object, groups=groups, allowed=True
    )


QUESTIONS = {
    "web": ("sync", "applications", "shop/web"),
    "secret": ("sync", "applications", "shop/secret"),
    "restart": ("action/apps/Deployment/restart", "applications", "shop/web"),
    "logs": ("get", "logs", "*"),
    "clusters": ("delete", "clusters", "*"),
}

ASKED = {
    "role:dev": QUESTIONS,
    "role:admin": ("clusters",),
    "role:readonly": ("web", "logs"),
    "bob": ("restart", "secret"),
    "carol": ("clusters",),
    "alice": ("web",),
    "admin": ("secret",),
    "nobody": ("logs", "clusters"),
}
"""Of whom what is asked: each way to have a right or to have none."""


@pytest.mark.parametrize("subject", ASKED)
def test_our_answer_is_the_commands(
    asked: Rbac, toolbox: dict[str, Path], tmp_path: Path, subject: str
) -> None:
    (tmp_path / "kubeconfig").write_text(KUBECONFIG, "utf-8")
    (tmp_path / "rbac.json").write_text(json.dumps(SETTINGS), "utf-8")
    for action, resource, thing in (QUESTIONS[name] for name in ASKED[subject]):
        done = run(
            *(toolbox["argocd"], "admin", "settings", "rbac", "can", subject, action, resource, thing),
            *("--kubeconfig", tmp_path / "kubeconfig", "--policy-file", tmp_path / "rbac.json"),
            env={"HOME": str(tmp_path)},
            check=False,
        )
        assert asked.answer(expect(subject, action, resource, thing)).allowed is (done.stdout == "Yes\n")


@pytest.mark.parametrize(
    ("expectation", "allowed"),
    [
        # argocd-server asks a project's roles about the project's objects alone.
        (expect("proj:shop:ci", "override", "applications", "shop/web"), True),
        (expect("proj:shop:ci", "override", "applications", "other/web"), False),
        (expect("proj:shop:ci", "get", "projects", "shop"), True),
        (expect("", "override", "applications", "shop/web", "acme:bots"), True),
        (expect("", "override", "applications", "other/web", "acme:bots"), False),
        # A group has rights by a role; rights given to the group itself do not count.
        (expect("acme:devs", "sync", "applications", "shop/web"), True),
        (expect("alice", "sync", "applications", "shop/web", "acme:devs"), True),
        (expect("acme:ops", "sync", "applications", "shop/web"), False),
        (expect("", "sync", "applications", "shop/web", "acme:ops"), False),
        # Everybody has the default role.
        (expect("nobody", "get", "applications", "shop/web"), True),
        (expect("", "get", "clusters"), True),
    ],
)
def test_what_argocd_server_adds_to_the_command_counts(
    asked: Rbac, expectation: Expectation, allowed: bool
) -> None:
    answer = asked.answer(expectation)
    assert (answer.allowed, answer.trouble) == (allowed, "")


def test_argo_cd_knows_every_resource_that_may_be_asked_about(asked: Rbac) -> None:
    actions = {"extensions": "invoke", "exec": "create"}
    for resource in RESOURCES:
        answer = asked.answer(expect("role:admin", actions.get(resource, "get"), resource))
        assert answer.trouble == "", resource
    assert "not a valid resource" in asked.answer(expect("role:admin", "get", "nothing")).trouble
