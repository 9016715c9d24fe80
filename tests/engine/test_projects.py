"""AppProjects as our rules decide them and as Argo CD does: one run, an Application and a project for each line of the
rules' own tables, and both answers to each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from runs import ROOT, Outcome, commit, gitops, write

from pytest_gitops.processes.process import run

pytestmark = pytest.mark.engine

URL = "https://git.example.com/acme/projects.git"
HERE = "https://kubernetes.default.svc"
NAMESPACE = {"group": "", "kind": "Namespace"}
SYNC = {"automated": {}, "syncOptions": ["Validate=false"]}
"""Of the objects' fields nothing is asked here (see OPTIONS in upgrade_support)."""

TABLES = "[data.gitops.argocd_test.lists, data.gitops.argocd_test.places, data.gitops.application_test.source_namespaces]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a table as a repository: `permitted` is what the rules' own tests demand, `refusal` a piece of what
    Argo CD says otherwise, `rule` is ours."""

    name: str
    rule: str
    refusal: str
    permitted: bool
    spec: Mapping[str, Any]
    object: Mapping[str, Any]
    lives_in: str = "argocd"

    @property
    def files(self) -> dict[str, str]:
        project = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"name": self.name, "namespace": "argocd"},
            # The API server takes no null; what is read from it has none either.
            "spec": {"sourceRepos": [URL], **{k: v for k, v in self.spec.items() if v is not None}},
        }
        application = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": self.name, "namespace": self.lives_in},
            "spec": {
                "project": self.name,
                "source": {"repoURL": URL, "targetRevision": "HEAD", "path": f"sources/{self.name}"},
                "destination": {"server": HERE, "namespace": "home"},
                "syncPolicy": SYNC,
            },
        }
        return {
            f"projects/{self.name}.yaml": json.dumps(project),
            f"applications/{self.name}.yaml": json.dumps(application),
            f"sources/{self.name}/object.yaml": json.dumps(self.object),
        }


def budget(name: str, namespace: str) -> dict[str, Any]:
    """An object where only its place counts."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": name}}},
    }


def lines(toolbox: Mapping[str, Path]) -> list[Line]:
    words = ("eval", "--bundle", ROOT / "policies", "--format", "raw", TABLES)
    lists, places, namespaces = json.loads(run(toolbox["opa"], *words, env={}).stdout)
    home = {"server": HERE, "namespace": "home"}
    found = []
    for number, (spec, thing, permitted) in enumerate(lists):
        # No two Applications have one object.
        own = {"ConfigMap": f"a-{number}", "Deployment": f"a-{number}", "ClusterRole": f"reader-{number}"}
        spec = json.loads(json.dumps(spec).replace('"reader"', f'"reader-{number}"'))
        thing = {**thing, "metadata": {"name": own[thing["kind"]]}}
        if thing["kind"] == "Deployment":
            labels = {"app": thing["metadata"]["name"]}
            template = {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "a", "image": "a:1"}]},
            }
            thing["spec"] = {"selector": {"matchLabels": labels}, "template": template}
        found.append(
            Line(
                name=f"list-{number}", rule="resource-not-permitted", refusal="is not permitted in project",
                permitted=permitted, spec={"destinations": [home], **spec}, object=thing,
            )
        )  # fmt: skip
    for number, (allowed, permitted) in enumerate(places):
        thing = budget(f"b-{number}", "oracle")
        found.append(
            Line(
                name=f"place-{number}", rule="namespace-not-permitted", refusal="namespace oracle is not permitted",
                permitted=permitted, spec={"destinations": [home, *(allowed or ())]}, object=thing,
            )
        )  # fmt: skip
    for number, (allowed, permitted) in enumerate(namespaces):
        found.append(
            Line(
                name=f"from-{number}", rule="source-namespace-not-allowed", refusal="is not permitted to use project",
                permitted=permitted, spec={"destinations": [home], "sourceNamespaces": allowed},
                object=budget(f"c-{number}", "home"),
                lives_in="team-news",
            )
        )  # fmt: skip
    return found


SIGNED = ("signed-1", "signed-2", "signed-3")


def application(name: str, path: str, project: str = "default") -> str:
    spec = {
        "project": project,
        "source": {"repoURL": URL, "targetRevision": "HEAD", "path": path},
        "destination": {"server": HERE, "namespace": "home"},
        "syncPolicy": SYNC,
    }
    metadata = {"name": name, "namespace": "argocd"}
    return json.dumps(
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": metadata, "spec": spec}
    )


@pytest.fixture(scope="module")
def judged(toolbox: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Line], Outcome]:
    asked = lines(toolbox)
    namespaces = "".join(
        f"---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n" for name in ("home", "oracle")
    )
    signed: dict[str, Any] = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": "signed", "namespace": "argocd"},
        "spec": {
            "sourceRepos": ["*"],
            "destinations": [{"server": "*", "namespace": "*"}],
            "signatureKeys": [{"keyID": "4AEE18F83AFDEB23"}],
        },
    }
    folder = write(
        tmp_path_factory.mktemp("projects") / "projects",
        {
            "namespaces.yaml": namespaces,
            "pytest-gitops.yaml": f"repository: {{urls: ['{URL}']}}\nprerequisites: [namespaces.yaml]\n",
        }
        # An Application brings the project, so Argo CD has it as it is.
        | {
            "signed/project.yaml": json.dumps(signed),
            "applications/brings.yaml": application("brings", "signed"),
        }
        | {f"applications/{n}.yaml": application(n, f"sources/{n}", "signed") for n in SIGNED}
        | {f"sources/{n}/object.yaml": json.dumps(budget(n, "home")) for n in SIGNED}
        | {path: text for line in asked for path, text in line.files.items()},
    )
    return asked, gitops(commit(folder), "--gitops-stages", "policy,converge", "--gitops-timeout", "120")


def test_what_the_rules_say_of_a_project_argo_cd_says(judged: tuple[list[Line], Outcome]) -> None:
    asked, outcome = judged
    assert len(asked) > 50
    assert {line.rule for line in asked if not line.permitted} == {
        "resource-not-permitted",
        "namespace-not-permitted",
        "source-namespace-not-allowed",
    }
    wrong = []
    for line in asked:
        key = f"{line.lives_in}/{line.name}"
        ours = any(f["rule"] == line.rule for f in outcome.stage(key, "policy")["findings"])
        converged = outcome.stage(key, "converge")
        theirs = line.refusal in (converged["message"] or "")
        permitted = converged["outcome"] == "passed"
        if (ours, theirs, permitted) != (not line.permitted, not line.permitted, line.permitted):
            wrong.append(
                f"{key} {line.spec}: ours {ours}, Argo CD {converged['outcome']} {converged['message']}"
            )
    assert not wrong, "\n".join(wrong)


def test_a_finding_is_in_the_file_of_the_object(judged: tuple[list[Line], Outcome]) -> None:
    asked, outcome = judged
    found = {f for f in outcome.findings if f[1] in {"resource-not-permitted", "namespace-not-permitted"}}
    refused = [line for line in asked if not line.permitted and line.lives_in == "argocd"]
    assert {f[:4] for f in found} == {
        (f"argocd/{line.name}", line.rule, "error", f"sources/{line.name}/object.yaml") for line in refused
    }


def test_what_is_refused_for_a_signature_is_not_judged(judged: tuple[list[Line], Outcome]) -> None:
    _, outcome = judged
    told = [(s["outcome"], s["code"]) for s in (outcome.stage(f"argocd/{n}", "converge") for n in SIGNED)]
    # The first that Argo CD looks at goes through, whichever that is.
    assert set(told) <= {("passed", None), ("skipped", "signatures-not-checked")}, told
    assert ("skipped", "signatures-not-checked") in told
    assert (None, "signatures-not-checked", "warning", "signed/project.yaml", 1) in outcome.findings
