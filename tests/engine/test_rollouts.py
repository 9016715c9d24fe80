"""Progressive delivery, on the real Argo Rollouts: what is right is followed to its end, what is wrong is named.

A first deployment skips a canary's steps and a blue-green's pause, so most of what can be wrong with an update only
`upgrade` sees.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from runs import ROOT, Outcome, commit, gitops, pull_request, tools, write

from pytest_gitops.tools import ROLLOUTS_PARTS

pytestmark = [pytest.mark.builds, pytest.mark.engine]

FIXTURE = ROOT / "fixtures" / "rollouts"

URL = "https://git.example.com/rollouts.git"
"""What its Applications name; ours too, so that both can be one repository."""


@pytest.fixture(scope="module")
def rollouts(toolbox: dict[str, Path]) -> dict[str, Path]:
    """Argo Rollouts' own tools."""
    del toolbox
    return tools(*ROLLOUTS_PARTS)


def application(name: str, *, server: str = "https://kubernetes.default.svc") -> str:
    return f"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: argocd}}
spec:
  project: default
  source: {{repoURL: "{URL}", path: {name}, targetRevision: main}}
  destination: {{server: {server}, namespace: {name}}}
  syncPolicy: {{automated: {{prune: true, selfHeal: true}}, syncOptions: [CreateNamespace=true, Validate=false]}}
"""


def rollout(strategy: str, *, image: str = "1", more: str = "", account: str = "") -> str:
    named = f"serviceAccountName: {account}, " if account else ""
    return f"""\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {{name: web}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  strategy: {strategy}
  {more}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{{named}containers: [{{name: main, image: "example.com/web:{image}"}}]}}
"""


def service(name: str, app: str = "web") -> str:
    return f"""\
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{selector: {{app: {app}}}, ports: [{{port: 80}}]}}
"""


def quota(**hard: int) -> str:
    lines = ", ".join(f'{name.replace("_", "/")}: "{number}"' for name, number in hard.items())
    return f"apiVersion: v1\nkind: ResourceQuota\nmetadata: {{name: room}}\nspec: {{hard: {{{lines}}}}}\n"


def template(provider: str, *, condition: str = "") -> str:
    return f"""\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: check}}
spec:
  metrics:
    - name: errors
      consecutiveErrorLimit: 0
      provider: {provider}
      successCondition: "{condition or "true"}"
"""


JOB = "{job: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: example.com/check}]}}}}}"
CHECKED = (
    "{canary: {steps: [{setWeight: 50}, {analysis: {templates: [{templateName: check}]}}, {pause: {}}]}}"
)
PROMETHEUS = "{prometheus: {address: 'http://prometheus.monitoring:9090', query: 'errors'}}"
DEADLINE = "progressDeadlineSeconds: 5\n  progressDeadlineAbort: true"


# ------------------------------------------------------------------ from nothing


FROM_NOTHING: dict[str, str] = {
    "pytest-gitops.yaml": f"repository: {{urls: ['{URL}']}}\n",
    "no-service/web.yaml": rollout("{canary: {canaryService: canary, stableService: web}}") + "---\n" + service("web"),
    "other-selector/web.yaml": rollout("{blueGreen: {activeService: web}}") + "---\n" + service("web", "shop"),
    "no-template/web.yaml": rollout(CHECKED),
    "too-heavy/web.yaml": rollout("{canary: {steps: [{setWeight: 120}]}}"),
    "paused/web.yaml": rollout("{canary: {}}", more="paused: true"),
    "fine/web.yaml": rollout("{canary: {steps: [{setWeight: 20}]}}"),
    "abroad/web.yaml": rollout("{canary: {}}"),
}  # fmt: skip

SAYS = {
    "no-service": "a Service that a Rollout names is not there, or does not select its Pods",
    "other-selector": "a Service that a Rollout names is not there, or does not select its Pods",
    "no-template": "Argo Rollouts refuses the specification",
    "too-heavy": "Argo Rollouts refuses the specification",
    "paused": "it is paused",
}
"""The cause that is named, by Application."""


def test_what_argo_rollouts_refuses_is_red_with_its_own_words_and_the_cause(
    rollouts: dict[str, Path], tmp_path: Path
) -> None:
    names = {path.partition("/")[0] for path in FROM_NOTHING if "/" in path}
    apps = {f"apps/{name}.yaml": application(name) for name in names}
    apps["apps/abroad.yaml"] = application("abroad", server="https://prod.example.com:6443")
    run = gitops(commit(write(tmp_path / "shop", FROM_NOTHING | apps)), "--gitops-stages", "converge")
    told = {name: run.stage(f"argocd/{name}", "converge") for name in names}
    assert {n: (t["outcome"], t["code"]) for n, t in told.items()} == {
        **dict.fromkeys(SAYS, ("failed", "never-healthy")),
        **dict.fromkeys(["fine", "abroad"], ("passed", None)),
    }, run.output
    assert {n: cause for n, t in told.items() if (cause := _cause(t["message"] or ""))} == SAYS


def _cause(message: str) -> str:
    return next(
        (line.partition("cause")[2].strip() for line in message.splitlines() if "  cause" in line), ""
    )


def test_a_review_knows_the_fields_of_a_rollout(rollouts: dict[str, Path], tmp_path: Path) -> None:
    names = ("misspelled", "fine")
    files = {
        "pytest-gitops.yaml": FROM_NOTHING["pytest-gitops.yaml"],
        **{f"apps/{name}.yaml": application(name) for name in names},
        "misspelled/web.yaml": rollout("{canary: {stepz: [{setWeight: 20}]}}"),
        "fine/web.yaml": FROM_NOTHING["fine/web.yaml"],
    }
    folder = commit(write(tmp_path / "shop", files))
    run = gitops(folder, "--gitops-cluster", "none", "--gitops-stages", "admit")
    told = {name: run.stage(f"argocd/{name}", "admit") for name in names}
    assert (told["misspelled"]["outcome"], told["misspelled"]["code"]) == ("failed", "unknown-field"), (
        run.output
    )
    assert "stepz" in told["misspelled"]["message"]
    assert told["fine"]["outcome"] == "passed"


# ------------------------------------------------------------------ from base to head, and back


STEPS = "{canary: {maxSurge: 1, maxUnavailable: 0, steps: [{setWeight: 50}, {pause: {}}]}}"
HALF = "{canary: {steps: [{setWeight: 50}, {pause: {}}]}}"
ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: old}\n"

BASE: dict[str, str] = {
    # room for the Pods that there are, and none for a canary
    "no-room/web.yaml": rollout(STEPS, more=DEADLINE) + "---\n" + quota(pods=2),
    # an analysis that the cluster refuses
    "refused/web.yaml": rollout(CHECKED) + "---\n" + template(JOB) + "---\n" + quota(**{"count_jobs.batch": 0}),
    # an analysis that nobody can ask from here
    "metrics/web.yaml": rollout(CHECKED) + "---\n" + template(PROMETHEUS),
    # what the stable version needs goes with the merge
    "takes-away/web.yaml": rollout(HALF, account="old"),
    "takes-away/account.yaml": ACCOUNT,
    "leaves/web.yaml": rollout(HALF, account="old"),
    "leaves/account.yaml": ACCOUNT,
}  # fmt: skip

HEAD = {
    **{path: text.replace("web:1", "web:2") for path, text in BASE.items() if path.endswith("web.yaml")},
    "takes-away/web.yaml": rollout(HALF, image="2"),
    "leaves/web.yaml": rollout(HALF, image="2"),
}


STAGES = "source, render, policy, change, converge, idempotent, self-heal, upgrade, prune"
"""All but `admit`, which a review is asked about above."""

WHOLLY = ("canary", "workload")
"""Those of which every stage is asked: a Rollout with all that it names, and one that shares its Pods with a Deployment."""

SELECTED = f"not (idempotent or self-heal or prune) or {' or '.join(WHOLLY)}"


@pytest.fixture(scope="module")
def update(rollouts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """fixtures/rollouts and what is above, and a branch with the next version of all of them."""
    folder = shutil.copytree(FIXTURE, tmp_path_factory.mktemp("update") / "rollouts")
    sources = [p for p in (folder / "sources").rglob("*.yaml") if ":1.0.0" in p.read_text("utf-8")]
    new = {str(p.relative_to(folder)): p.read_text("utf-8").replace(":1.0.0", ":2.0.0") for p in sources}
    names = {path.partition("/")[0] for path in BASE} | {"asked"}
    apps = {f"apps/{name}.yaml": application(name) for name in names}
    with metrics() as port:
        web = f"{{web: {{url: 'http://127.0.0.1:{port}/', jsonPath: '{{$.errors}}'}}}}"
        own = template(web, condition="result < 5")
        configuration = f"repository: {{urls: ['{URL}']}}\nnetwork: {{allow: ['127.0.0.1:{port}']}}\n"
        asked = {
            "pytest-gitops.yaml": configuration,
            "asked/web.yaml": rollout(CHECKED) + "---\n" + own,
        }
        write(folder, BASE | apps | asked)
        asked = {"asked/web.yaml": rollout(CHECKED, image="2") + "---\n" + own}
        pull_request(folder, {**new, **HEAD, **asked, "takes-away/account.yaml": None})
        return gitops(folder, "--gitops-base", "main", "--gitops-stages", STAGES, "-k", SELECTED)


@contextmanager
def metrics() -> Iterator[int]:
    """A server of metrics on this machine, and its port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"errors": 3}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def stories(run: Outcome, name: str, way: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run.stage(f"argocd/{name}", "upgrade")["evidence"][way].get("rollouts", [])
    return found


def done(story: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(step, what was done there)."""
    return [(m["doing"] or "", m["did"]) for m in story["moments"] if m["did"]]


ABORTED = "aborted, to see whether the stable version serves"
RETRIED = "retried: the stable version served by itself"


def test_canary_and_blue_green_are_green_from_nothing_and_from_base_to_head(update: Outcome) -> None:
    assert update.report is not None, update.output
    green = [update.applications[f"argocd/{p.stem}"] for p in FIXTURE.glob("applications/*.yaml")]
    assert [a["outcome"] for a in green] == ["passed"] * 4, update.output
    asked = {name: [s["stage"] for s in update.applications[f"argocd/{name}"]["stages"]] for name in WHOLLY}
    assert asked == dict.fromkeys(WHOLLY, STAGES.split(", "))
    assert not [f for f in update.report["findings"] if f["severity"] == "error"]
    resources = [r for a in green for r in a["resources"] if r["kind"] == "Rollout"]
    assert [r["health"] for r in resources] == ["Healthy"] * 4
    assert any(
        s.startswith("Argo Rollouts 1.10.2 runs") for s in update.report["run"]["cluster"]["simulated"]
    )


def test_a_canary_is_followed_step_by_step_and_aborted_once(update: Outcome) -> None:
    (story,) = stories(update, "canary", "head")
    steps = [m["doing"] for m in story["moments"] if m["doing"]]
    assert list(dict.fromkeys(steps)) == [
        "setWeight 25", "pause until promoted", "setWeight 50", "pause 2s", "setWeight 75", "pause 1h",
    ]  # fmt: skip
    assert done(story)[0] == ("pause until promoted", ABORTED)
    assert done(story)[1][1] == RETRIED
    assert done(story)[2:] == [
        ("pause until promoted", "promoted, as a person would"),
        ("pause 1h", "promoted, 3600 s of pause are not waited for"),
    ]
    assert story["abort"] == {"tried": True, "stableServed": True, "why": None}
    assert story["promoted"] is True


def test_the_way_back_has_the_steps_too_and_no_abort(update: Outcome) -> None:
    (story,) = stories(update, "canary", "rollback")
    assert [did for _, did in done(story)] == [
        "promoted, as a person would",
        "promoted, 3600 s of pause are not waited for",
    ]
    assert story["promoted"] is True


def test_a_blue_green_is_promoted_by_hand_after_an_abort(update: Outcome) -> None:
    (story,) = stories(update, "blue-green", "head")
    assert [did for _, did in done(story)] == [ABORTED, RETRIED, "promoted, as a person would"]


def test_a_workload_that_is_referred_to_is_followed(update: Outcome) -> None:
    (story,) = stories(update, "workload", "head")
    assert story["promoted"] is True
    assert [did for _, did in done(story)] == [ABORTED, RETRIED, "promoted, as a person would"]


def test_an_analysis_by_a_job_is_run_and_told_to_be_simulated(update: Outcome) -> None:
    (story,) = stories(update, "analysed", "head")
    assert {a["phase"] for a in story["analyses"]} == {"Successful"}
    assert story["analysisSimulated"] is True


def test_what_is_wrong_with_an_update_is_seen_by_upgrade_alone(update: Outcome) -> None:
    assert update.not_passed == {
        ("argocd/no-room", "upgrade", "failed", "never-healthy"),
        ("argocd/refused", "upgrade", "failed", "never-healthy"),
        ("argocd/takes-away", "upgrade", "failed", "rollout-abort-failed"),
        ("argocd/metrics", "upgrade", "skipped", "analysis-not-run"),
    }, update.output


def test_each_is_told_with_its_place_and_its_cause(update: Outcome) -> None:
    messages = {
        n: update.stage(f"argocd/{n}", "upgrade")["message"] for n in ("no-room", "refused", "takes-away")
    }
    assert _cause(messages["no-room"]) == "an update did not get on in time (progressDeadlineSeconds)"
    assert _cause(messages["refused"]) == "an analysis did not succeed, so the update was aborted"
    assert "of 2 Pods of the stable version are available" in messages["takes-away"]
    assert "error looking up service account takes-away/old" in messages["takes-away"]
    assert "takes-away/web.yaml:1" in messages["takes-away"]


def test_metrics_that_the_configuration_names_are_really_asked(update: Outcome) -> None:
    (story,) = stories(update, "asked", "head")
    (analysis, *_) = story["analyses"]
    assert (
        analysis["phase"],
        analysis["metrics"][0]["provider"],
        analysis["metrics"][0]["measurements"],
    ) == (
        "Successful",
        "web",
        1,
    )
    assert story["analysisSimulated"] is False


def test_an_analysis_that_cannot_be_asked_is_promoted_past_and_never_passed(update: Outcome) -> None:
    stage = update.stage("argocd/metrics", "upgrade")
    assert "prometheus.monitoring:9090 is not reached from here" in stage["message"]
    (finding,) = stage["findings"]
    assert (finding["rule"], finding["severity"], finding["file"]) == (
        "analysis-not-run", "warning", "metrics/web.yaml",
    )  # fmt: skip
    (story,) = stories(update, "metrics", "head")
    assert story["promoted"] is True
    assert story["abort"]["stableServed"] is True
