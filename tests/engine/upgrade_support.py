"""What pull requests of `upgrade` are written with: manifests, and a clone with a branch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from runs import pull_request, write

from pytest_gitops.configuration.file import FILE_NAME

URL = "https://github.com/example/shop.git"
FINALIZER = "resources-finalizer.argocd.argoproj.io"

OPTIONS = "[CreateNamespace=true, Validate=false]"
"""Before each apply kubectl parses the OpenAPI of the object's group, to see whether the API server validates fields: a
third of what the controller computes here, and about none of these defects. `plain` goes the usual way."""

Text = TypeVar("Text", str, str | None)


def application(
    name: str,
    *,
    finalizer: bool = False,
    sync: str = "",
    path: str = "",
    project: str = "default",
    namespace: str = "",
) -> str:
    policy = sync or f"{{automated: {{prune: true, selfHeal: true}}, syncOptions: {OPTIONS}}}"
    return f"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: argocd{f", finalizers: [{FINALIZER}]" if finalizer else ""}}}
spec:
  project: {project}
  source: {{repoURL: "{URL}", path: {path or name}, targetRevision: main}}
  destination: {{server: https://kubernetes.default.svc, namespace: {namespace or name}}}
  syncPolicy: {policy}
"""


def _annotated(options: str) -> str:
    """The rest of an object's metadata: its own sync options, if any."""
    return f', annotations: {{argocd.argoproj.io/sync-options: "{options}"}}' if options else ""


def config_map(name: str, colour: str, *, options: str = "") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}{_annotated(options)}}}\ndata: {{colour: {colour}}}\n"


def namespace(name: str, *, options: str = "") -> str:
    return f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}{_annotated(options)}}}\n"


def deployment(name: str, label: str) -> str:
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: {label}}}}}
  template:
    metadata: {{labels: {{app: {label}}}}}
    spec: {{containers: [{{name: main, image: "example.com/web:1"}}]}}
"""


def claim(name: str, size: str, *, mode: str = "ReadWriteOnce", options: str = "") -> str:
    return f"""\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: {name}{_annotated(options)}}}
spec:
  accessModes: [{mode}]
  resources: {{requests: {{storage: {size}}}}}
"""


def stateful_set(name: str, size: str, *, options: str = "", claims: str = "") -> str:
    """`claims` is what becomes of its claims when it is deleted: Retain, which is the default, or Delete."""
    retention = f"\n  persistentVolumeClaimRetentionPolicy: {{whenDeleted: {claims}}}" if claims else ""
    return f"""\
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: {name}{_annotated(options)}}}
spec:
  serviceName: {name}{retention}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: main, image: "example.com/db:1"}}]}}
  volumeClaimTemplates:
    - metadata: {{name: data}}
      spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: {size}}}}}}}
"""


def hook(image: str) -> str:
    return f"""\
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {{argocd.argoproj.io/hook: PreSync, argocd.argoproj.io/hook-delete-policy: BeforeHookCreation}}
spec:
  template: {{spec: {{restartPolicy: Never, containers: [{{name: main, image: "example.com/migrate:{image}"}}]}}}}
"""


def definition(plural: str, kind: str, *versions: tuple[str, bool], webhook: bool = False) -> str:
    """A CRD with versions, each with whether it is the one that is stored; `webhook`: somebody has to convert them."""
    lines = "".join(
        f"    - {{name: {name}, served: true, storage: {str(stored).lower()}, schema: "
        "{openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}\n"
        for name, stored in versions
    )
    client = f"clientConfig: {{service: {{namespace: {plural}, name: convert}}}}"
    asks = f"{{strategy: Webhook, webhook: {{conversionReviewVersions: [v1], {client}}}}}"
    return f"""\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.example.com}}
spec:
  conversion: {asks if webhook else "{strategy: None}"}
  group: example.com
  scope: Namespaced
  names: {{plural: {plural}, singular: {kind.lower()}, kind: {kind}}}
  versions:
{lines}"""


def custom(kind: str, version: str) -> str:
    """An object of such a definition."""
    return f"apiVersion: example.com/{version}\nkind: {kind}\nmetadata: {{name: one}}\n"


def joined(*parts: Mapping[str, Text]) -> dict[str, Text]:
    """The files of all `parts`, each of which has files of its own."""
    files = {path: text for part in parts for path, text in part.items()}
    assert len(files) == sum(map(len, parts)), "two parts have a file of the same path"
    return files


def pull(folder: Path, base: Mapping[str, str], head: Mapping[str, str | None]) -> Path:
    """A clone whose branch `change` makes `head` of `base`, which is `main`; None removes a file."""
    return pull_request(write(folder, {FILE_NAME: f"repository: {{urls: ['{URL}']}}\n", **base}), head)
