"""A whole run on a repository whose sources are private: everything renders and converges, and Argo CD has no password.

The hosts are vouched for by an authority that this machine does not know, as a company's often are: the installation does."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from outside import CHARTS, CREDENTIALS, ELSEWHERE, GIT, PASSWORDS, REGISTRY, TOKENS, Outside, basic, outside
from runs import Outcome, commit, gitops, write

from pytest_gitops.processes.process import run
from pytest_gitops.settings.credentials import VARIABLE

pytestmark = pytest.mark.engine

OURS = "https://git.example.com/grid.git"

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: argocd, finalizers: [resources-finalizer.argocd.argoproj.io]}}
spec:
  project: default
  {source}
  destination: {{server: https://kubernetes.default.svc, namespace: {name}}}
  syncPolicy: {{automated: {{}}, syncOptions: [CreateNamespace=true]}}
"""
"""The source is in line 6."""

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\n"


def source(url: str, **more: str) -> str:
    rest = "".join(f", {name}: {value}" for name, value in more.items())
    return f"source: {{repoURL: '{url}', targetRevision: {'1.2.3' if 'chart' in more else 'HEAD'}{rest}}}"


GOOD = {
    "over-https": source(f"https://{GIT}/acme/app.git", path="plain"),
    "over-ssh": source(f"git@{GIT}:acme/app.git", path="plain"),
    "at-a-port": source(f"ssh://git@{GIT}:7999/acme/app.git", path="plain"),
    "chart": source(f"https://{CHARTS}/stable", chart="redis"),
    "registry": source(f"{REGISTRY}/team/charts", chart="redis"),
    "image": f"source: {{repoURL: 'oci://{REGISTRY}/team/charts/redis', targetRevision: 1.2.3, path: .}}",
    "values": f"sources: [{{repoURL: {OURS}, targetRevision: HEAD, path: valued, helm: {{valueFiles: [$app/values.yaml]}}}}, "
    f"{{repoURL: https://{GIT}/acme/app.git, targetRevision: HEAD, ref: app}}]",
    "base": source(OURS, path="base"),
    "base-by-ssh": source(OURS, path="base-by-ssh"),
    "dependency": source(OURS, path="dependency"),
    "inflated": source(OURS, path="inflated"),
    "own-base": source(OURS, path="own-base"),
}

BAD = {
    "others": source(f"https://{GIT}/other/app.git", path="plain"),
    "others-by-ssh": source(f"git@{GIT}:other/app.git", path="plain"),
    "others-chart": source(f"https://{CHARTS}/other", chart="redis"),
    "others-registry": source(f"{REGISTRY}/other/charts", chart="redis"),
    "leads-there": source(OURS, path="leads-there"),
}

APP = {
    "plain/map.yaml": MAP.format("plain"),
    "kustomization.yaml": "resources: [plain/map.yaml]\n",
    "values.yaml": "from: there\n",
}

CHART = {
    "redis/Chart.yaml": "apiVersion: v2\nname: redis\nversion: 1.2.3\n",
    "redis/values.yaml": "{}\n",  # kustomize wants one
    "redis/templates/map.yaml": MAP.format("redis"),
}

FILES = {
    "pytest-gitops.yaml": f"version: 1\nrepository: {{urls: [{OURS}]}}\n",
    "base/kustomization.yaml": f"resources: ['https://{GIT}/acme/app.git?ref=main']\n",
    "base-by-ssh/kustomization.yaml": f"resources: ['git@{GIT}:acme/app.git?ref=main']\n",
    "inflated/kustomization.yaml": f"helmCharts: [{{name: redis, version: 1.2.3, repo: 'https://{CHARTS}/stable'}}]\n",
    "own-base/kustomization.yaml": f"resources: ['{OURS}//plain?ref=main', 'git@git.example.com:grid.git//more?ref=main']\n",
    "plain/kustomization.yaml": "resources: [map.yaml]\n",
    "plain/map.yaml": MAP.format("plain"),
    "more/kustomization.yaml": "namePrefix: more-\nresources: [map.yaml]\n",
    "more/map.yaml": MAP.format("plain"),
    "argocd-cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm, namespace: argocd}\n"
    "data: {kustomize.buildOptions: --enable-helm}\n",
    "leads-there/kustomization.yaml": f"resources: ['https://{ELSEWHERE}/x.git?ref=main']\n",
    "valued/Chart.yaml": "apiVersion: v2\nname: valued\nversion: 1.0.0\n",
    "valued/templates/map.yaml": MAP.format("valued") + "data: {from: {{ .Values.from }}}\n",
    "dependency/Chart.yaml": "apiVersion: v2\nname: dependency\nversion: 1.0.0\n"
    f"dependencies: [{{name: redis, version: 1.2.3, repository: 'https://{CHARTS}/stable'}}]\n",
    **{f"apps/{name}.yaml": APPLICATION.format(name=name, source=s) for name, s in (GOOD | BAD).items()},
}


@pytest.fixture(scope="module")
def there(toolbox: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    folder = tmp_path_factory.mktemp("private")
    run("git", "clone", "-q", "--bare", commit(write(folder / "work", APP)), folder / "app.git")
    repositories = {"acme/app": folder / "app.git", "other/app": folder / "app.git"}
    charts = write(folder / "charts", CHART)
    with outside(folder / "there", repositories=repositories, charts=charts, helm=toolbox["helm"]) as hosts:
        yield hosts


def trusted(there: Outside) -> str:
    """The argocd-tls-certs-cm of an installation that trusts the hosts; what is none of that does no harm."""
    pem = textwrap.indent(there.world.certificate, "    ")
    hosts = (GIT, CHARTS, REGISTRY, TOKENS, ELSEWHERE, "git.example.com")
    lines = "".join(f"  {host}: |\n{pem}" for host in hosts)
    return (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-tls-certs-cm, namespace: argocd}\n"
        f"data:\n  broken.example.com: nonsense\n{lines}"
    )


@pytest.fixture(scope="module")
def outcome(there: Outside, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    home = tmp_path_factory.mktemp("grid")
    folder = commit(write(home / "grid", FILES | {"certificates.yaml": trusted(there)}))
    # What Argo CD trusts is no business of this machine's git.
    (home / "gitconfig").write_text(f"[http]\n\tsslCAInfo = {there.world.bundle}\n")
    mine: dict[str, str | None] = dict.fromkeys(("SSL_CERT_FILE", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE"))
    mine |= {"HTTPS_PROXY": there.environ["HTTPS_PROXY"], "GIT_CONFIG_GLOBAL": str(home / "gitconfig")}
    words = ("--gitops-stages", "source,render,converge")
    return gitops(folder, *words, environ={**mine, VARIABLE: CREDENTIALS})


@pytest.mark.parametrize("name", GOOD)
def test_what_is_private_renders_and_converges(outcome: Outcome, name: str) -> None:
    stages = outcome.applications[f"argocd/{name}"]["stages"]
    assert [(s["stage"], s["outcome"], s["message"]) for s in stages] == [
        (stage, "passed", s["message"])
        for stage, s in zip(("source", "render", "converge"), stages, strict=True)
    ]


@pytest.mark.parametrize("name", BAD)
def test_what_no_credential_is_for_says_what_is_missing(outcome: Outcome, name: str) -> None:
    stage = outcome.stage(f"argocd/{name}", "render")
    (finding,) = stage["findings"]
    assert (finding["rule"], finding["file"], finding["line"]) == (
        "source-unauthorized",
        f"apps/{name}.yaml",
        6,
    )
    who = {
        "others-chart": CHARTS,
        "others-registry": REGISTRY,
        "leads-there": ELSEWHERE,
    }
    assert finding["message"].startswith(f"{who.get(name, GIT)} asks for a password")
    assert VARIABLE in finding["help"]


def test_nobody_else_gets_a_password(outcome: Outcome, there: Outside) -> None:
    assert outcome.report
    elsewhere = [h for h in there.heard if h.host == ELSEWHERE]
    assert elsewhere
    assert not [h for h in elsewhere if h.authorization]
    known = {basic(pair) for pair in PASSWORDS.values()}
    assert {h.host for h in there.heard if h.authorization in known} == {GIT, CHARTS, TOKENS}
    assert not [h for h in there.heard if h.host == GIT and "/other/" in h.path and h.authorization]


def test_no_host_is_said_to_be_away_that_answered(outcome: Outcome) -> None:
    assert outcome.report
    assert outcome.report["run"]["hosts"] == []


def test_no_report_has_one(outcome: Outcome) -> None:
    texts = [f.read_bytes() for f in (outcome.folder / "gitops-report").rglob("*") if f.is_file()]
    assert len(texts) >= 5
    for text in (*texts, outcome.output.encode()):
        assert b"Gr8Secret" not in text
