"""Repositories of any size for measuring: N Applications in the four common layouts, as the public examples have them."""

from __future__ import annotations

from pathlib import Path

from runs import commit, write

URL = "https://git.example.com/bench.git"

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      securityContext: {{runAsNonRoot: true, runAsUser: 10001}}
      containers:
        - name: main
          image: registry.example.com/main:1.0.0
          resources: {{requests: {{cpu: 10m, memory: 16Mi}}, limits: {{memory: 32Mi}}}}
          ports: [{{containerPort: 8080}}]
          readinessProbe: {{httpGet: {{path: /, port: 8080}}}}
          livenessProbe: {{httpGet: {{path: /, port: 8080}}}}
"""

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{selector: {{app: {name}}}, ports: [{{port: 80, targetPort: 8080}}]}}
"""

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: argocd, finalizers: [resources-finalizer.argocd.argoproj.io]}}
spec:
  project: bench
  source:
    repoURL: {url}
    targetRevision: main
    path: {path}
{extra}
  destination: {{server: https://kubernetes.default.svc, namespace: {name}}}
  syncPolicy: {{automated: {{prune: true, selfHeal: true}}, syncOptions: [CreateNamespace=true]}}
"""

PROJECT = """\
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {{name: bench, namespace: argocd}}
spec:
  sourceRepos: [{url}]
  destinations: [{{server: https://kubernetes.default.svc, namespace: "*"}}]
  clusterResourceWhitelist: [{{group: "", kind: Namespace}}]
"""

JSONNET = """\
function(name) [
  {{ apiVersion: 'v1', kind: 'ConfigMap', metadata: {{ name: name }}, data: {{ greeting: 'hello' }} }},
]
"""


def make(folder: Path, count: int) -> Path:
    """A committed repository of `count` Applications: directory, Helm, Kustomize and Jsonnet in turn."""
    files = {
        "pytest-gitops.yaml": f"version: 1\nrepository: {{urls: [{URL}]}}\n",
        "projects/bench.yaml": PROJECT.format(url=URL),
        "chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
        "chart/values.yaml": "name: web\n",
        "chart/templates/web.yaml": (DEPLOYMENT + "---\n" + SERVICE).format(name="{{ .Values.name }}"),
        "base/kustomization.yaml": "resources: [deployment.yaml, service.yaml]\n",
        "base/deployment.yaml": DEPLOYMENT.format(name="web"),
        "base/service.yaml": SERVICE.format(name="web"),
        "jsonnet/main.jsonnet": JSONNET.format(),
    }
    for number in range(count):
        name = f"app-{number:03}"
        path, extra = f"plain/{name}", ""
        match number % 4:
            case 0:
                files[f"{path}/web.yaml"] = (DEPLOYMENT + "---\n" + SERVICE).format(name=name)
            case 1:
                path, extra = "chart", f"    helm: {{parameters: [{{name: name, value: {name}}}]}}"
            case 2:
                path = f"overlays/{name}"
                files[f"{path}/kustomization.yaml"] = f"namePrefix: {name}-\nresources: [../../base]\n"
            case 3:
                path = "jsonnet"
                extra = f"    directory: {{jsonnet: {{tlas: [{{name: name, value: {name}}}]}}}}"
        files[f"apps/{name}.yaml"] = APPLICATION.format(name=name, url=URL, path=path, extra=extra)
    return commit(write(folder, files))
