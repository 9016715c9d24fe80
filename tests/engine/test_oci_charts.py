"""Charts of an OCI registry, in every form that Argo CD knows, from a folder of the repository under test.

No cluster is needed to render them; that some of them converge is in test_surroundings.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs import Outcome, commit, gitops, write

pytestmark = pytest.mark.engine

URL = "https://git.example.com/acme/grid.git"

REGISTRY = "registry.example.com/team/charts"

CONFIG = f"""\
version: 1
repository: {{urls: [{URL}]}}
charts: [{{url: "oci://{REGISTRY}", path: charts}}]
prerequisites: [prerequisites]
"""

SECRET = f"""\
apiVersion: v1
kind: Secret
metadata: {{name: registry, namespace: argocd, labels: {{argocd.argoproj.io/secret-type: repository}}}}
stringData: {{url: {REGISTRY}, name: registry, type: helm, enableOCI: "true", username: made-up, password: made-up}}
"""
"""As production has one; here it only has to do no harm."""

CHART = "apiVersion: v2\nname: {name}\nversion: {version}\n"

TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: redis}
data: {version: "{{ .Chart.Version }}", greeting: "{{ .Values.greeting }}"}
"""

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: argocd, finalizers: [resources-finalizer.argocd.argoproj.io]}}
spec:
  project: grid
  {source}
  destination: {{server: https://kubernetes.default.svc, namespace: {name}}}
  syncPolicy: {{automated: {{}}, syncOptions: [CreateNamespace=true]}}
"""
"""The source is in line 6."""

PROJECT = """\
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: grid, namespace: argocd}
spec:
  sourceRepos: ["*"]
  destinations: [{server: "*", namespace: "*"}]
  clusterResourceWhitelist: [{group: "*", kind: "*"}]
"""


def chart(version: str, *, registry: str = REGISTRY, name: str = "redis", more: str = "") -> str:
    """A source that names a chart of a registry, as Argo CD has it: without a scheme."""
    return f"{{repoURL: {registry}, chart: {name}, targetRevision: {version}{more}}}"


def image(revision: str) -> str:
    """A source that is the chart's image itself, which Argo CD has since 3.1."""
    return f"source: {{repoURL: oci://{REGISTRY}/redis, path: ., targetRevision: {revision}}}"


def own(path: str) -> str:
    return f"source: {{repoURL: {URL}, targetRevision: HEAD, path: {path}}}"


GOOD = {
    "version": f"source: {chart('1.2.3')}",
    "range": f"source: {chart('^1.0.0')}",
    "plus": f"source: {chart('1.1.0+build.7')}",
    "port": f"source: {chart('1.2.3', registry='registry.example.com:5000/team/charts')}",
    "values": (
        f"sources: [{chart('1.2.3', more=', helm: {valueFiles: [$own/values.yaml]}')}, "
        f"{{repoURL: {URL}, targetRevision: HEAD, ref: own}}]"
    ),
    "image": image("1.2.3"),
    "image-range": image("1.x"),
    "dependency": own("depends"),
}

REVISIONS = {
    "version": "1.2.3",
    "range": "1.2.3",
    "plus": "1.1.0+build.7",
    "port": "1.2.3",
    "values": "1.2.3",
}

BAD = {
    "no-version": f"source: {chart('9.9.9')}",
    "no-range": f"source: {chart('^9.0.0')}",
    "no-chart": f"source: {chart('1.x', name='postgres')}",
    "no-image": image("9.9.9"),
    "no-dependency": own("depends-in-vain"),
    "other-charts": f"source: {chart('1.2.3', registry='registry.example.com/other/charts')}",
    "elsewhere": f"source: {chart('1.2.3', registry='registry.unreachable.invalid/charts')}",
    "this-machine": f"source: {chart('1.2.3', registry='localhost/charts')}",
}

FINDINGS = {
    "no-version": ("render-failed", f"{REGISTRY}/redis:9.9.9: not found"),
    "no-range": ("render-failed", "version matching constraint not found in 3 tags"),
    "no-chart": ("render-failed", "no such chart; served from a folder are: redis"),
    "no-image": ("render-failed", f"{REGISTRY}/redis:9.9.9: not found"),
    "no-dependency": ("render-failed", f"{REGISTRY}/redis:9.9.9: not found"),
    # Hosts that the repository names as sources may be reached, a name without a scheme is one; there are none.
    "other-charts": ("host-unreachable", "/v2/other/charts/redis/manifests/1.2.3"),
    "elsewhere": ("host-unreachable", "registry.unreachable.invalid could not be reached"),
    "this-machine": ("host-refused", "localhost was refused"),
}


def depending(name: str, version: str) -> str:
    needs = f'dependencies: [{{name: redis, version: "{version}", repository: "oci://{REGISTRY}"}}]'
    return f"{CHART.format(name=name, version='1.0.0')}{needs}\n"


@pytest.fixture(scope="module")
def outcome(toolbox: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    files = {
        "pytest-gitops.yaml": CONFIG,
        "project.yaml": PROJECT,
        "prerequisites/secret.yaml": SECRET,
        "values.yaml": "greeting: ours\n",
        "depends/Chart.yaml": depending("depends", "~1.2.0"),
        "depends-in-vain/Chart.yaml": depending("depends-in-vain", "9.9.9"),
    }
    for version in ("1.0.0", "1.1.0+build.7", "1.2.3"):
        at = f"charts/redis-{version.partition('+')[0]}"
        files[f"{at}/Chart.yaml"] = CHART.format(name="redis", version=version)
        files[f"{at}/values.yaml"] = "greeting: hello\n"
        files[f"{at}/templates/redis.yaml"] = TEMPLATE
    for name, source in {**GOOD, **BAD}.items():
        files[f"apps/{name}.yaml"] = APPLICATION.format(name=name, source=source)
    folder = commit(write(tmp_path_factory.mktemp("oci") / "grid", files))
    return gitops(folder, "--gitops-cluster", "none", "--gitops-stages", "source,render")


@pytest.mark.parametrize("name", GOOD)
def test_a_chart_of_a_registry_renders_in_each_form(outcome: Outcome, name: str) -> None:
    stage = outcome.stage(f"argocd/{name}", "render")
    assert stage["outcome"] == "passed"
    assert stage["evidence"]["sourceTypes"][0] == "Helm"
    # In a chart that only depends on it, that one object is all there is.
    assert stage["evidence"]["objects"] == 1


@pytest.mark.parametrize("name", REVISIONS)
def test_a_range_is_resolved_among_the_versions_that_the_folder_has(outcome: Outcome, name: str) -> None:
    evidence = outcome.stage(f"argocd/{name}", "render")["evidence"]
    assert evidence["revisions"][0] == REVISIONS[name]


def test_an_image_is_at_the_digest_that_its_range_leads_to(outcome: Outcome) -> None:
    at = [outcome.stage(f"argocd/{n}", "render")["evidence"]["revisions"] for n in ("image", "image-range")]
    assert at[0] == at[1]
    assert at[0][0].startswith("sha256:")


@pytest.mark.parametrize("name", BAD)
def test_what_the_registry_does_not_have_is_found_where_it_is_asked_for(outcome: Outcome, name: str) -> None:
    rule, message = FINDINGS[name]
    stage = "source" if name == "this-machine" else "render"
    (finding,) = outcome.stage(f"argocd/{name}", stage)["findings"]
    assert (finding["rule"], finding["file"], finding["line"]) == (rule, f"apps/{name}.yaml", 6)
    assert message in finding["message"]
