"""A hostile pull request: it is judged like any other, runs nothing, reads nothing and reaches nobody outside itself."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from runs import Outcome, commit, gitops, write

pytestmark = pytest.mark.engine

URL = "https://git.example.com/trap.git"

CONFIG = f"version: 1\nrepository: {{urls: [{URL}]}}\n"

SECRET = "tr0ub4dor-and-3"
"""What is in Secrets of the repository."""

CANARY = "canary-0f6a2c"
"""What is outside the repository: in the environment, and in a file."""

ESCAPES = "\x1b[31mred\x1b[0m\x1b]0;title\x07\x1b[2J"

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {greeting: hello}\n"

CHART = "apiVersion: v2\nname: chart\nversion: 1.0.0\n"

BOMB = "a0: &a0 {x: lol}\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
"""A billion laughs."""


def application(name: str, path: str = "plain", *, url: str = URL, more: str = "", namespace: str = "trap") -> str:
    """An Application whose lines are: 3 metadata, 6 source, 7 repoURL, 9 path."""
    return (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
        f"metadata: {{name: {json.dumps(name)}, namespace: argocd, finalizers: [resources-finalizer.argocd.argoproj.io]}}\n"
        "spec:\n  project: default\n  source:\n"
        f"    repoURL: {json.dumps(url)}\n    targetRevision: HEAD\n    path: {json.dumps(path)}\n{more}"
        f"  destination: {{server: https://kubernetes.default.svc, namespace: {namespace}}}\n"
        "  syncPolicy: {automated: {}, syncOptions: [CreateNamespace=true]}\n"
    )


NAMES = {
    "shell": "$(touch pwned); `touch pwned` && rm -rf / #",
    "html": "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "markdown": "**bold** [click](javascript:alert(1)) </details> | a | b |\n# title\n@everyone",
    "ansi": ESCAPES,
    "workflow": "x\n::error file=pwned::pwned\n::add-mask::a",
    "long": "a" * 5000,
    "traversal": "../../../etc/passwd",
}


def names() -> dict[str, str]:
    return {f"names/{kind}.yaml": application(name) for kind, name in NAMES.items()}


FILES = {
    "pytest-gitops.yaml": CONFIG,
    **names(),
    "plain/settings.yaml": CONFIG_MAP,
    "apps/good.yaml": application("good"),
    f"apps/{ESCAPES}.yaml": application("odd-file"),
    "apps/path-up.yaml": application("path-up", "../../../../../../etc"),
    "apps/path-absolute.yaml": application("path-absolute", "/etc"),
    "apps/values-up.yaml": application(
        "values-up", "chart", more="    helm: {valueFiles: [../../../../../../../etc/hostname]}\n"
    ),
    "apps/values-up-ignored.yaml": application(
        "values-up-ignored", "chart",
        more="    helm: {ignoreMissingValueFiles: true, valueFiles: [../../../../../../../etc/hostname]}\n",
    ),
    "apps/values-absolute.yaml": application("values-absolute", "chart", more="    helm: {valueFiles: [/etc/hostname]}\n"),
    "apps/values-remote.yaml": application(
        "values-remote", "chart", more="    helm: {valueFiles: ['https://evil.example.com/x']}\n"
    ),
    "apps/file-parameter.yaml": application(
        "file-parameter", "chart", more="    helm: {fileParameters: [{name: x, path: ../../../../../../etc/hostname}]}\n"
    ),
    "chart/Chart.yaml": CHART,
    "chart/templates/settings.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: chart}\ndata:\n"
        "  values: {{ .Values | toJson | quote }}\n"
        '  file: {{ .Files.Get "../../../../../../etc/hostname" | quote }}\n'
    ),
    "apps/environment.yaml": application("environment", "environment"),
    "environment/Chart.yaml": CHART,
    "environment/templates/a.yaml": '{{ fail (printf "environment: %s" (env "AWS_SECRET_ACCESS_KEY")) }}\n',
    "apps/expand-environment.yaml": application("expand-environment", "expand-environment"),
    "expand-environment/Chart.yaml": CHART,
    "expand-environment/templates/a.yaml": '{{ fail (expandenv "environment: $AWS_SECRET_ACCESS_KEY") }}\n',
    # kustomize takes a name without a value from its own environment.
    "apps/kustomize-environment.yaml": application("kustomize-environment", "kustomize-environment"),
    "kustomize-environment/kustomization.yaml": "configMapGenerator:\n- {name: stolen, envs: [names.env]}\n",
    "kustomize-environment/names.env": "AWS_SECRET_ACCESS_KEY\nHOME\n",
    "apps/build-environment.yaml": application(
        "build-environment", "chart",
        more="    helm: {parameters: [{name: x, value: 'env:$AWS_SECRET_ACCESS_KEY'}]}\n",
    ),
    "apps/kustomize-up.yaml": application("kustomize-up", "kustomize-up"),
    "kustomize-up/kustomization.yaml": "configMapGenerator:\n- {name: stolen, files: [../../../../../../etc/hostname]}\n",
    "apps/kustomize-remote.yaml": application("kustomize-remote", "kustomize-remote"),
    "kustomize-remote/kustomization.yaml": "resources: ['https://remote-base.example.net/x/y.git//z?ref=main']\n",
    "apps/jsonnet.yaml": application("jsonnet", "jsonnet"),
    "jsonnet/main.jsonnet": (
        "{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: importstr '../../../../../../etc/hostname'}}\n"
    ),
    "apps/metadata-service.yaml": application("metadata-service", "metadata-service"),
    "metadata-service/Chart.yaml": CHART
    + "dependencies: [{name: creds, version: 1.0.0, repository: 'http://169.254.169.254/latest'}]\n",
    "apps/loopback.yaml": application("loopback", "x", url="http://127.0.0.1:2375/containers.git"),
    "apps/file-url.yaml": application("file-url", "x", url="file:///etc"),
    "apps/local-path.yaml": application("local-path", "x", url="/etc"),
    "apps/alias-bomb.yaml": application("alias-bomb") + "  info:\n" + "".join(f"  # {x}\n" for x in ("",)) + BOMB,
    "apps/rendered-bomb.yaml": application("rendered-bomb", "bomb"),
    "bomb/bomb.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\n" + BOMB,
    "documents/ten-thousand.yaml": "---\n".join(
        [CONFIG_MAP] * 10_000 + [application("after-ten-thousand")]
    ),
    "apps/secret.yaml": application("secret", "secret"),
    "secret/secret.yaml": (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: login}\n"
        f"stringData: {{user: {SECRET}}}\ndata: {{other: {base64.b64encode(SECRET.encode()).decode()}}}\n"
    ),
    "apps/bad-secret.yaml": application("bad-secret", "bad-secret"),
    "bad-secret/secret.yaml": f"apiVersion: v1\nkind: Secret\nmetadata: {{name: bad}}\ndata: {{user: {SECRET}}}\n",
    "apps/immutable-secret.yaml": application("typed-secret", "typed-secret"),
    "typed-secret/secret.yaml": (
        "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\nmetadata: {name: typed}\n"
        f"stringData: {{tls.crt: {SECRET}}}\n"
    ),
    "apps/plugin.yaml": application("plugin", "plain", more="    plugin: {name: evil}\n"),
    "argocd/argocd-cm.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm, namespace: argocd}\ndata:\n"
        "  configManagementPlugins: |\n    - {name: evil, generate: {command: [touch, /tmp/pwned]}}\n"
        "  kustomize.buildOptions: --load-restrictor LoadRestrictionsNone --enable-alpha-plugins --enable-exec\n"
        "  kustomize.path.evil: ./evil.sh\n"
        "  resource.customizations.useOpenLibs.batch_CronJob: 'true'\n"
        "  resource.customizations.health.batch_CronJob: |\n"
        "    os.execute('touch /tmp/w/hostile/pwned-lua'); return {status='Healthy', message=io.open('/etc/hostname'):read('*a')}\n"
        "  resource.customizations.health.scheduling.k8s.io_PriorityClass: |\n    while true do end\n"
    ),
    "apps/lua.yaml": application("lua", "lua"),
    "lua/job.yaml": (
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: lua}\nspec:\n  schedule: '0 0 1 1 *'\n"
        "  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: 'a:1'}]}}}}\n"
    ),
    "apps/endless-lua.yaml": application("endless-lua", "endless-lua"),
    "endless-lua/class.yaml": (
        "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: endless}\nvalue: 1\n"
    ),
    "apps/own-kustomize.yaml": application("own-kustomize", "own-kustomize", more="    kustomize: {version: evil}\n"),
    "own-kustomize/kustomization.yaml": "resources: []\n",
    "own-kustomize/evil.sh": "#!/bin/sh\ntouch /tmp/w/hostile/pwned-kustomize\n",
    "apps/exec-cluster.yaml": application("exec-cluster", "exec-cluster", namespace="argocd"),
    "exec-cluster/secret.yaml": (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: evil-cluster, labels: {argocd.argoproj.io/secret-type: cluster}}\n"
        "stringData:\n  name: evil\n  server: https://evil-cluster.example.com\n"
        '  config: \'{"execProviderConfig": {"command": "/bin/sh", "args": ["-c", "touch /tmp/w/hostile/pwned-exec"],'
        ' "apiVersion": "client.authentication.k8s.io/v1beta1"}, "tlsClientConfig": {"insecure": true}}\'\n'
    ),
    "apps/on-exec-cluster.yaml": application("on-exec-cluster").replace(
        "https://kubernetes.default.svc", "https://evil-cluster.example.com"
    ),
    "apps/endless-template.yaml": application("endless-template", "endless"),
    "endless/Chart.yaml": CHART,
    "endless/templates/a.yaml": (
        "{{ range until 100000 }}{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}{{ end }}\n"
    ),
    "apps/deep-template.yaml": application("deep-template", "deep"),
    "deep/Chart.yaml": CHART,
    "deep/templates/a.yaml": '{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}\n',
    "apps/huge-template.yaml": application("huge-template", "huge-template"),
    "huge-template/Chart.yaml": CHART,
    "huge-template/templates/a.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: huge}\ndata:\n  x: |\n"
        '{{ range until 300 }}    {{ repeat 1000000 "x" }}\n{{ end }}'
    ),
}


@pytest.fixture(scope="module")
def trap(toolbox: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = write(tmp_path_factory.mktemp("trap") / "trap", FILES)
    (folder / "own-kustomize" / "evil.sh").chmod(0o755)
    return gitops(
        commit(folder),
        "--gitops-timeout=45",
        environ={"AWS_SECRET_ACCESS_KEY": CANARY, "GITHUB_TOKEN": CANARY, "HELM_TOKEN": CANARY},
    )
