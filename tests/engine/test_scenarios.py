"""Scenarios on the real Argo CD: every kind of step green, its twin red with the right words, and tests in Python."""

from __future__ import annotations

import re
from pathlib import Path

import git
import pytest
from runs import Outcome, commit, gitops, write

pytestmark = pytest.mark.engine

URL = "https://git.example.com/acme/shop.git"

HEALS = "automated: {prune: true, selfHeal: true}"
SYNCS = "automated: {prune: true}"


def application(name: str, *, policy: str = "", more: str = "", create: str = "CreateNamespace=true") -> str:
    options = ", ".join(p for p in (policy, f"syncOptions: [Validate=false, {create}]") if p)
    return f"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: argocd}}
spec:
  project: default
  source: {{repoURL: "{URL}", path: sources/{name}, targetRevision: main}}
  destination: {{server: https://kubernetes.default.svc, namespace: {name}}}
  syncPolicy: {{{options}}}
{more}"""


def source(name: str, colour: str) -> str:
    """A ConfigMap, and in those where that is looked at a Deployment and a Secret."""
    settings = f"""\
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}}}
data: {{colour: {colour}}}
"""
    workload = f"""\
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: main, image: "example.com/web:1"}}]}}
---
apiVersion: v1
kind: Secret
metadata: {{name: {name}}}
stringData: {{password: correct-horse-battery}}
"""
    return settings + workload if name in {"heals", "manual", "ignores"} else settings


MADE = f"""\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {{name: made, namespace: argocd}}
spec:
  goTemplate: true
  generators: [{{list: {{elements: [{{city: porto}}]}}}}]
  template:
    metadata: {{name: "made-{{{{.city}}}}"}}
    spec:
      project: default
      source: {{repoURL: "{URL}", path: sources/made, targetRevision: main}}
      destination: {{server: https://kubernetes.default.svc, namespace: made}}
      syncPolicy: {{{HEALS}, syncOptions: [CreateNamespace=true, Validate=false]}}
"""

IGNORES = "  ignoreDifferences: [{group: apps, kind: Deployment, jsonPointers: [/spec/replicas]}]\n"

RBAC = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-rbac-cm, namespace: argocd}
data:
  policy.csv: |
    p, role:dev, applications, sync, default/*, allow
"""

GREEN = """\
variables: {replicas: 2}
scenarios:
- name: rendered
  tags: [quick]
  applications: [heals, manual]
  steps:
  - render:
      objects:
      - kind: Deployment
        metadata: {name: "${application}"}
        spec: {replicas: "${replicas}", template: {spec: {containers: [{name: main, image: {$matches: "^example"}}]}}}
      absent: [{kind: Ingress}]
- name: written down
  steps:
  - render: {application: heals, golden: golden/heals.gitops-golden.yaml}
- name: roles
  steps:
  - rbac: {subject: role:dev, action: sync, resource: applications, object: default/heals, expect: allow}
  - rbac: {subject: role:dev, action: delete, resource: applications, object: default/heals, expect: deny}
- name: drift is undone
  application: heals
  steps:
  - drift: {object: {kind: Deployment, name: heals}, scale: 5}
  - expect: {sync: Synced, objects: [{kind: Deployment, metadata: {name: heals}, spec: {replicas: 2}}]}
  - drift: {object: {kind: ConfigMap, name: heals}, delete: true}
  - expect:
      sync: Synced
      objects: [{kind: ConfigMap, metadata: {name: heals}, data: {colour: blue}}]
      absent: [{kind: ConfigMap, name: other}, {kind: Job}]
      events: [{reason: OperationCompleted, involvedObject: {kind: Application}}]
- name: drift is left behind
  application: manual
  steps:
  - drift: {object: {kind: ConfigMap, name: manual}, patch: {data: {colour: purple}}}
  - drift: {object: {kind: Deployment, name: manual}, delete: true}
  - expect: {sync: OutOfSync, status: {resources: {$contains: {kind: ConfigMap, status: OutOfSync}}}}
- name: and put back
  application: manual
  steps:
  - expect:
      sync: Synced
      health: Healthy
      objects: [{kind: ConfigMap, metadata: {name: manual}, data: {colour: blue}}, {kind: Deployment}]
  - sync:
  - wait:
- name: what is ignored stays
  application: ignores
  steps:
  - drift: {object: {kind: Deployment, name: ignores}, scale: 4}
  - expect: {sync: Synced, objects: [{kind: Deployment, metadata: {name: ignores}, spec: {replicas: 4}}]}
- name: until it is put back
  application: ignores
  steps:
  - expect: {objects: [{kind: Deployment, metadata: {name: ignores}, spec: {replicas: 2}}]}
- name: back in time
  application: heals
  steps:
  - checkout: before
  - wait:
  - expect: {objects: [{kind: ConfigMap, metadata: {name: heals}, data: {colour: red}}]}
- name: and back again
  application: heals
  steps:
  - expect: {sync: Synced, objects: [{kind: ConfigMap, metadata: {name: heals}, data: {colour: blue}}]}
- name: first of all at base and then at head
  steps:
  - checkout: base
  - wait: late
  - expect: {application: late, objects: [{kind: ConfigMap, metadata: {name: late}, data: {colour: red}}]}
  - wait: made-porto
  - expect: {application: made-porto, objects: [{kind: ConfigMap, metadata: {name: made}, data: {colour: red}}]}
  - checkout: head
  - wait: late
  - expect: {application: late, objects: [{kind: ConfigMap, metadata: {name: late}, data: {colour: blue}}]}
- name: made by an ApplicationSet
  application: made-porto
  steps:
  - drift: {object: {kind: ConfigMap, name: made}, patch: {data: {colour: purple}}}
  - expect: {sync: Synced, objects: [{kind: ConfigMap, metadata: {name: made}, data: {colour: blue}}]}
- name: a sync that fails as it is to
  application: nowhere
  steps:
  - sync: {phase: Failed, message: {$contains: not found}}
  - expect: {operation: {phase: Failed}, sync: OutOfSync}
- name: conditions
  application: pathless
  steps:
  - expect: {conditions: [{type: ComparisonError, message: {$contains: app path does not exist}}]}
"""

RED = """\
scenarios:
- name: rendered
  steps:
  - render: {application: heals, objects: [{kind: Deployment, spec: {replicas: 3}}], absent: [{kind: Secret}]}
- name: golden
  steps:
  - render: {application: manual, golden: golden/heals.gitops-golden.yaml}
- name: roles
  steps:
  - rbac: {subject: role:dev, action: sync, resource: applications, object: default/heals, expect: deny}
- name: sync
  application: nowhere
  steps:
  - sync:
- name: wait
  application: nowhere
  steps:
  - wait:
- name: expect
  application: manual
  steps:
  - within: 1s
    expect:
      health: Degraded
      conditions: [{type: ComparisonError}]
      events: [{reason: Nothing}]
      absent: [{kind: ConfigMap, name: manual}]
      objects:
      - kind: ConfigMap
        metadata: {name: manual}
        data: {colour: green}
      - kind: Secret
        metadata: {name: manual}
        data: {password: bm8=}
- name: drift
  application: manual
  steps:
  - drift: {object: {kind: ConfigMap, name: other}, delete: true}
- name: drift that is none
  application: manual
  steps:
  - drift: {object: {kind: Deployment, name: manual}, scale: 2}
- name: drift is seen at once
  application: drifts
  steps:
  - drift: {object: {kind: ConfigMap, name: drifts}, patch: {data: {colour: purple}}}
  - {expect: {sync: Synced}, within: 1s}
  always:
  - expect: {sync: OutOfSync}
- name: absence
  application: manual
  steps:
  - expect: {absent: [{apiVersion: apps/v1, kind: Deploymint, name: manual}]}
- name: checkout
  steps:
  - checkout: never
- name: application
  steps:
  - wait: nobody
- name: made by an ApplicationSet
  application: made-porto
  steps:
  - {expect: {objects: [{kind: ConfigMap, metadata: {name: made}, data: {colour: red}}]}, within: 1s}
"""

STUCK = """\
scenarios:
- name: what cannot be put back
  application: once
  steps:
  - drift: {object: {kind: ConfigMap, name: once}, patch: {immutable: true, data: {colour: purple}}}
  - expect: {sync: OutOfSync}
- name: the next one on it
  application: once
  steps:
  - wait:
"""

USERS = "tests/test_shop.py"

MOVING = ("test_the_revision", "test_red_base")

TESTS = """\
import pytest


def test_rendered(rendered):
    deployment = rendered("heals").one(kind="Deployment", name="heals")
    assert deployment["spec"]["replicas"] == 2
    assert rendered("heals").one(kind="Secret")["stringData"] == {"password": "(value hidden)"}
    assert rendered("heals").matches("golden/heals.gitops-golden.yaml")


def test_heals(gitops_app):
    app = gitops_app("heals")
    app.drift("ConfigMap", "heals", patch={"data": {"colour": "purple"}})
    app.expect(sync="Synced", objects=[{"kind": "ConfigMap", "metadata": {"name": "heals"}, "data": {"colour": "blue"}}])
    assert app.wait_healthy().health == "Healthy"


@pytest.mark.parametrize("number", range(3))
def test_one_after_the_other(gitops_app, number):
    app = gitops_app("manual")
    assert app.status().sync == "Synced"
    app.drift("ConfigMap", "manual", delete=True)
    assert app.status().sync == "OutOfSync"
    assert app.sync().phase == "Succeeded"
    assert app.object("ConfigMap", "manual")["data"] == {"colour": "blue"}
    app.drift("Deployment", "manual", scale=number + 3)


def test_the_revision(gitops_run, gitops_app):
    app = gitops_app("heals")
    gitops_run.checkout("before")
    app.wait_healthy()
    assert app.object("ConfigMap", "heals")["data"]["colour"] == "red"
    with pytest.raises(Exception, match="the revision that is checked out, saw no file that declares argocd/new"):
        gitops_app("new")


def test_red_base(gitops_run):
    gitops_run.checkout("base")


def test_roles(gitops_run):
    assert gitops_run.can("role:dev", "sync", "applications", "default/heals")
    assert not gitops_run.can("role:dev", "delete", "applications", "default/heals")


def test_red(gitops_app):
    app = gitops_app("manual")
    assert app.object("ConfigMap", "manual")["data"]["colour"] == "green"


def test_red_expectation(gitops_app):
    gitops_app("manual").expect(within=0.5, health="Degraded")


def test_plain():
    assert True
"""


def repository(folder: Path) -> Path:
    names = {"heals": HEALS, "manual": "", "ignores": SYNCS, "drifts": SYNCS, "once": "", "late": HEALS}
    sources = (*names, "nowhere", "made")
    write(
        folder,
        {
            "pytest-gitops.yaml": f"repository: {{urls: ['{URL}']}}\nstages: [render, converge]\ntimeout: 120\n",
            "argocd/rbac.yaml": RBAC,
            **{
                f"apps/{n}.yaml": application(n, policy=p, more=IGNORES if n == "ignores" else "")
                for n, p in names.items()
            },
            "apps/nowhere.yaml": application("nowhere", create=""),
            "apps/pathless.yaml": application("pathless"),
            "apps/made.yaml": MADE,
            **{f"sources/{n}/all.yaml": source(n, "red") for n in sources},
        },
    )
    with git.Repo(commit(folder)) as before:
        before.git.branch("before")
        before.git.tag("released")
    write(
        folder,
        {
            **{f"sources/{n}/all.yaml": source(n, "blue") for n in (*sources, "new")},
            "apps/new.yaml": application("new"),
            "green.gitops-test.yaml": GREEN,
            "tests/red.gitops-test.yaml": RED,
            "tests/stuck.gitops-test.yaml": STUCK,
            USERS: TESTS,
        },
    )
    return commit(folder)


@pytest.fixture(scope="module")
def folder(toolbox: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    del toolbox  # only to have the tools before a run starts
    return repository(tmp_path_factory.mktemp("scenarios") / "shop")


@pytest.fixture(scope="module")
def written(folder: Path) -> Outcome:
    """A run without a cluster that writes the golden file; after it, the file is there for the others."""
    return gitops(folder, "--gitops-cluster", "none", "--gitops-update", "green.gitops-test.yaml", "-rs")


@pytest.fixture(scope="module")
def outcome(written: Outcome) -> Outcome:
    """All scenarios, and users' own tests in one process; those that move the branches would move them under all."""
    files = ["green.gitops-test.yaml", "tests/red.gitops-test.yaml", "tests/stuck.gitops-test.yaml", USERS]
    without = [word for name in MOVING for word in ("--deselect", f"{USERS}::{name}")]
    return gitops(written.folder, *files, *without, "--gitops-base", "released", "-v", "-rA")


def scenarios(outcome: Outcome, file: str) -> dict[str, dict[str, object]]:
    assert outcome.report is not None, outcome.output
    return {s["name"]: s for s in outcome.report["scenarios"] if s["file"] == file}


def test_without_a_cluster_what_needs_none_is_judged_and_the_rest_is_said(written: Outcome) -> None:
    found = {n: (s["outcome"], s["code"]) for n, s in scenarios(written, "green.gitops-test.yaml").items()}
    judged = {"rendered[heals]", "rendered[manual]", "written down", "roles"}
    assert {n for n, (word, _) in found.items() if word == "passed"} == judged
    assert {said for n, said in found.items() if n not in judged} == {("skipped", "no-cluster")}
    assert written.status == 0, written.output
    text = (written.folder / "golden/heals.gitops-golden.yaml").read_text("utf-8")
    assert "colour: blue" in text
    assert "password: (value hidden)" in text
    assert "correct-horse" not in text


def test_every_kind_of_step_passes_where_it_is_so(outcome: Outcome) -> None:
    found = {n: s["message"] for n, s in scenarios(outcome, "green.gitops-test.yaml").items()}
    assert {n: m for n, m in found.items() if m} == {}, outcome.output
    assert len(found) == 15


WORDS = {
    "rendered": [r"spec\.replicas of Deployment heals: expected 3, saw 2", r"expected no Secret, saw Secret heals"],
    "golden": [r"does not render to what golden/heals\.gitops-golden\.yaml holds", r"\+  name: manual", "--gitops-update"],
    "roles": [r"step 1, rbac role:dev sync applications default/heals: expected deny, saw allow"],
    "sync": [r"the sync of Application argocd/nowhere: expected Succeeded, saw Failed", r'Argo CD .*namespaces "nowhere" not found'],
    "wait": [r"expected Synced, Healthy; saw OutOfSync, Missing", r'Argo CD .*namespaces "nowhere" not found|Argo CD '],
    "expect": [
        r"Application argocd/manual \(Synced, Healthy\) is not as expected within 1 s",
        r"line 24: health of Application argocd/manual: expected 'Degraded', saw 'Healthy'",
        r"line 25: conditions of .*expected one like .*ComparisonError.*saw none at all",
        r"line 26: events of .*expected one like .*Nothing",
        r"line 27: .*expected no ConfigMap manual, saw ConfigMap manual/manual",
        r"line 31: data\.colour of ConfigMap manual/manual: expected 'green', saw 'blue'",
        r"line 34: data\.password of Secret manual/manual: expected \(value hidden\), saw \(value hidden\)",
    ],
    "drift": [r"expected one ConfigMap other that Application argocd/manual manages, saw none; it manages ConfigMap manual/manual"],
    "drift that is none": [r"the drift of Deployment manual/manual changes nothing"],
    "drift is seen at once": [r"step 2, expect drifts: .*OutOfSync", r"expected 'Synced', saw 'OutOfSync'"],
    "absence": [r"the cluster of Application argocd/manual knows no kind Deploymint in apps/v1"],
    "checkout": [r"expected a branch, tag or commit of the repository, `head` or `base`; saw 'never'"],
    "application": [r"expected one Application 'nobody', saw none; there is argocd/drifts, argocd/heals"],
    "made by an ApplicationSet": [r"data\.colour of ConfigMap made/made: expected 'red', saw 'blue'"],
}  # fmt: skip


@pytest.mark.parametrize("name", WORDS)
def test_what_is_not_so_is_red_with_its_words(outcome: Outcome, name: str) -> None:
    found = scenarios(outcome, "tests/red.gitops-test.yaml")[name]
    assert (found["outcome"], found["code"]) == ("failed", "scenario-failed"), outcome.output
    message = str(found["message"])
    assert message.startswith("tests/red.gitops-test.yaml:")
    for words in WORDS[name]:
        assert re.search(words, message), message


def test_a_red_scenario_is_a_red_item_and_says_how_to_see_it_again(outcome: Outcome) -> None:
    assert outcome.status == 1
    assert "tests/red.gitops-test.yaml::checkout FAILED" in outcome.output
    assert (
        "again    pytest --gitops --gitops-base=released tests/red.gitops-test.yaml::checkout"
        in outcome.output
    )
    assert set(scenarios(outcome, "tests/red.gitops-test.yaml")) == set(WORDS)
    assert "correct-horse" not in outcome.output + str(outcome.report)
    verification = (outcome.folder / "gitops-report" / "verification.md").read_text("utf-8")
    assert "scenarios failed" in verification


def test_after_what_cannot_be_put_back_the_next_on_it_is_an_error_and_no_verdict(outcome: Outcome) -> None:
    found = scenarios(outcome, "tests/stuck.gitops-test.yaml")
    assert found["what cannot be put back"]["outcome"] == "passed", found
    said = found["the next one on it"]
    assert (said["outcome"], said["code"]) == ("error", "scenario-not-judged"), said
    assert "Application argocd/once could not be put back after what was done to it before" in str(
        said["message"]
    )
    assert "immutable" in str(said["message"])


def held_by_users(run: Outcome) -> dict[str, str]:
    """The word on each of the users' own tests."""
    said = re.findall(r"^(PASSED|FAILED|ERROR) tests/test_shop\.py::(\S+)", run.output, re.MULTILINE)
    assert "health of Application argocd/manual: expected 'Degraded', saw 'Healthy'" in run.output
    assert "scenarios/api.py" not in run.output, "a failure shows the user's line and not ours"
    return {name: word for word, name in said}


def test_users_own_tests_act_in_one_process(outcome: Outcome) -> None:
    said = held_by_users(outcome)
    assert {n for n, w in said.items() if w != "PASSED"} == {"test_red", "test_red_expectation"}, (
        outcome.output
    )
    assert len(said) == 11 - len(MOVING)


def test_users_own_tests_act_in_four_processes(written: Outcome) -> None:
    done = gitops(written.folder, USERS, "-n4", "-rA")
    said = held_by_users(done)
    red = {"test_red", "test_red_expectation", "test_red_base"}
    assert {n for n, w in said.items() if w != "PASSED"} == red, done.output
    assert len(said) == 11
    assert "there is a base only with --gitops-base" in done.output
