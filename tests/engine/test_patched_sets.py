"""An ApplicationSet that its parent patches, on the real engine: its Applications are those that production has."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs import commit, gitops, pull_request, write

pytestmark = pytest.mark.engine

URL = "https://github.com/example/shop.git"

SOURCE = 'source: {repoURL: "%s", path: %s, targetRevision: main}'
AUTOMATED = "syncPolicy: {automated: {prune: true, selfHeal: true}, syncOptions: [CreateNamespace=true]}"

ROOT = f"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: root, namespace: argocd, finalizers: [resources-finalizer.argocd.argoproj.io]}}
spec:
  project: default
  {SOURCE % (URL, "overlay")}
  destination: {{server: https://kubernetes.default.svc, namespace: argocd}}
  {AUTOMATED}
"""

SET = f"""\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {{name: shops, namespace: argocd}}
spec:
  generators: [{{list: {{elements: [{{env: dev}}]}}}}]
  template:
    metadata: {{name: "shop-{{{{env}}}}", finalizers: [resources-finalizer.argocd.argoproj.io]}}
    spec:
      project: default
      {SOURCE % (URL, '"web/{{env}}"')}
      destination: {{server: https://kubernetes.default.svc, namespace: "shop-{{{{env}}}}"}}
      {AUTOMATED}
"""

OVERLAY = """\
resources: [../base]
patches:
  - target: {kind: ApplicationSet}
    patch: |-
      - op: replace
        path: /spec/generators/0/list/elements
        value: [%s]
"""

WEB = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {env: %s}\n"


def test_what_an_overlay_makes_of_a_set_is_what_is_judged(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "pytest-gitops.yaml": f"repository: {{urls: ['{URL}']}}\n",
            "root.yaml": ROOT,
            "base/kustomization.yaml": "resources: [set.yaml]\n",
            "base/set.yaml": SET,
            "overlay/kustomization.yaml": OVERLAY % "{env: prod}",
            "web/prod/web.yaml": WEB % "prod",
            "web/next/web.yaml": WEB % "next",
        },
    )
    pull_request(tmp_path, {"overlay/kustomization.yaml": OVERLAY % "{env: prod}, {env: next}"})
    run = gitops(tmp_path, "--gitops-base", "main")
    assert run.status == 0, run.output
    assert set(run.applications) == {"argocd/root", "argocd/shop-next", "argocd/shop-prod"}
    # There is no folder for what the set makes as it is written.
    assert {a["file"] for a in run.applications.values()} == {"root.yaml", "base/set.yaml"}
    for key in run.applications:
        for stage in ("converge", "upgrade", "prune"):
            assert run.stage(key, stage)["outcome"] == "passed", run.output


ITSELF = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: shops, namespace: argocd}
spec:
  generators:
    - list:
        elements:
          - {name: itself, path: overlay, namespace: argocd}
          - {name: shop-dev, path: web/dev, namespace: shop}
  template:
    metadata: {name: "{{name}}", finalizers: [resources-finalizer.argocd.argoproj.io]}
    spec:
      project: default
      source: {repoURL: "%s", path: "{{path}}", targetRevision: main}
      destination: {server: https://kubernetes.default.svc, namespace: "{{namespace}}"}
      syncPolicy: {automated: {prune: true, selfHeal: true}, syncOptions: [CreateNamespace=true]}
"""

SECOND = """\
resources: [../base]
patches:
  - target: {kind: ApplicationSet}
    patch: |-
      - op: replace
        path: /spec/generators/0/list/elements/1
        value: {name: shop-prod, path: web/prod, namespace: shop}
"""


def test_a_set_that_patches_itself_is_expanded_anew_and_an_overlay_of_nobody_is_told(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "pytest-gitops.yaml": f"repository: {{urls: ['{URL}']}}\n",
            "base/kustomization.yaml": "resources: [set.yaml]\n",
            "base/set.yaml": ITSELF % URL,
            "overlay/kustomization.yaml": SECOND,
            "nobody/kustomization.yaml": "namePrefix: test-\nresources: [../base]\n",
            "web/prod/web.yaml": WEB % "prod",
        },
    )
    commit(tmp_path)
    run = gitops(tmp_path, "--gitops-stages", "source,render,converge")
    assert run.status == 0, run.output
    assert set(run.applications) == {"argocd/itself", "argocd/shop-prod"}
    assert {(rule, file, line) for key, rule, _, file, line in run.findings if key is None} == {
        ("application-not-rendered", "nobody/kustomization.yaml", 1)
    }
