"""Many clusters, on the real Argo CD: cluster generators see them, each is one of its own, a promotion reaches prod."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from runs import ROOT, Outcome, commit, gitops, pull_request, write

pytestmark = pytest.mark.engine

GRID = {
    f"argocd/omega-{env}-{service}": (f"omega-{env}", f"omega-grid-{env}")
    for env in ("dev", "prod")
    for service in ("btc-oracle", "matrix-news")
}


def on_branch(folder: Path, *edits: tuple[str, str, str]) -> Path:
    """two-clusters as it is on `main`, and on a branch with texts of files replaced."""
    shutil.copytree(ROOT / "fixtures" / "two-clusters", folder)
    files: dict[str, str] = {}
    for name, old, new in edits:
        text = files.get(name) or (folder / name).read_text("utf-8")
        assert old in text, name
        files[name] = text.replace(old, new)
    return pull_request(folder, files)


def test_a_promotion_from_dev_to_prod_upgrades_prod_and_leaves_dev_alone(
    toolbox: dict[str, Path], tmp_path: Path
) -> None:
    del toolbox  # only to have the tools before a run starts
    promoted = on_branch(
        tmp_path / "grid",
        ("helm/btc-oracle/values-prod.yaml", "tag: 1.8.0", "tag: 1.9.0"),
        # Released to prod only with a change that cannot be made: the selector of what runs there.
        ("helm/matrix-news/values-prod.yaml", "tag: 2.3.1", "tag: 2.4.0\n\nselector: {tier: news}"),
        (
            "helm/matrix-news/templates/deployment.yaml",
            '{{- include "matrix-news.selectorLabels" . | nindent 6 }}',
            '{{- include "matrix-news.selectorLabels" . | nindent 6 }}\n'
            "      {{- with .Values.selector }}{{ toYaml . | nindent 6 }}{{ end }}",
        ),
        (
            "helm/matrix-news/templates/deployment.yaml",
            '{{- include "matrix-news.labels" . | nindent 8 }}',
            '{{- include "matrix-news.labels" . | nindent 8 }}\n'
            "        {{- with .Values.selector }}{{ toYaml . | nindent 8 }}{{ end }}",
        ),
    )
    result = gitops(promoted, "--gitops-base", "main", "--gitops-stages", "change,converge,upgrade")
    assert result.status == 1, result.output
    # From nothing it works; on top of what prod runs it does not.
    assert result.not_passed == {("argocd/omega-prod-matrix-news", "upgrade", "failed", "sync-failed")}, (
        result.output
    )
    places = {k: a["destination"] for k, a in result.applications.items()}
    assert {k: (p["name"], p["namespace"]) for k, p in places.items()} == GRID
    changed = {key: a["change"] for key, a in result.applications.items()}
    assert changed == {key: "changed" if "prod" in key else "unchanged" for key in GRID}
    assert result.report is not None
    assert not [s for s in result.report["run"]["cluster"]["simulated"] if "one control plane" in s]
    images = {(i["old"], i["new"]) for i in result.report["changes"]["images"]}
    assert images == {("1.8.0", "1.9.0"), ("2.3.1", "2.4.0")}
    assert "immutable field" in result.stage("argocd/omega-prod-matrix-news", "upgrade")["message"]


SET = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: shops, namespace: argocd}
spec:
  goTemplate: true
  goTemplateOptions: [missingkey=error]
  generators:
  - list:
      elements:
      - {city: ghent, url: "https://ghent.example:6443", namespace: shop-ghent}
      - {city: lyon, url: "https://lyon.example:6443", namespace: shop-lyon}
      - {city: turin, url: "https://turin.example:6443", namespace: shop-ghent}
  template:
    metadata: {name: "shop-{{.city}}"}
    spec:
      project: default
      source: {repoURL: "https://git.example.com/shops.git", targetRevision: main, path: shop}
      destination: {server: "{{.url}}", namespace: "{{.namespace}}"}
      syncPolicy: {automated: {}, syncOptions: [CreateNamespace=true]}
"""

CONFIGURATION = """\
repository: {urls: ["https://git.example.com/shops.git"]}
cluster-limit: 1
clusters:
- {name: ghent, server: "https://ghent.example:6443"}
- {name: lyon, server: "https://lyon.example:6443"}
"""

SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {open: early}\n"


@pytest.fixture(scope="module")
def limited(toolbox: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    del toolbox
    files = {"shops.yaml": SET, "shop/settings.yaml": SETTINGS, "pytest-gitops.yaml": CONFIGURATION}
    return gitops(
        commit(write(tmp_path_factory.mktemp("limited") / "shops", files)),
        "--gitops-stages",
        "source,converge",
    )


def test_a_generated_destination_that_nobody_registered_is_a_cluster_too_and_told(limited: Outcome) -> None:
    assert set(limited.applications) == {"argocd/shop-ghent", "argocd/shop-lyon", "argocd/shop-turin"}
    (finding,) = limited.stage("argocd/shop-turin", "source")["findings"]
    assert (finding["rule"], finding["severity"]) == ("unknown-cluster", "warning")
    assert not limited.stage("argocd/shop-lyon", "source")["findings"]


def test_above_the_limit_clusters_share_a_plane_only_where_nobody_could_tell(limited: Outcome) -> None:
    verdicts = {k: limited.stage(k, "converge") for k in limited.applications}
    assert {k: (v["outcome"], v["code"]) for k, v in verdicts.items()} == {
        "argocd/shop-ghent": ("passed", None),
        "argocd/shop-lyon": ("passed", None),
        "argocd/shop-turin": ("skipped", "cluster-limit"),
    }, limited.output
    assert limited.report is not None
    (shared,) = [s for s in limited.report["run"]["cluster"]["simulated"] if "one control plane" in s]
    assert "ghent, lyon" in shared
