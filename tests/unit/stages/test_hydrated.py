"""Applications with a sourceHydrator: the dry source is reviewed, and of the branch no verdict is made."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from typing import Any

import pytest
from drive_support import Driver, case, state
from input_trees import reader
from stage_support import HEAD, OLD, URL, declare, make_context

from pytest_gitops.argocd.convergence import Observation, State
from pytest_gitops.argocd.options import Options
from pytest_gitops.argocd.render import NotRendered, Rendered, RepoServer
from pytest_gitops.model import Case, Outcome
from pytest_gitops.renders.renderer import Dependencies, Renderer
from pytest_gitops.stages import hydrated, placing, render, source
from pytest_gitops.stages.context import Context
from pytest_gitops.stages.tracks import expected

APP = f"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: web}}
spec:
  project: default
  source: {{repoURL: "https://github.com/example/other.git", path: left-over}}
  sourceHydrator:
    drySource:
      repoURL: {URL}
      path: PATH
      targetRevision: REVISION
      helm: {{valueFiles: [prod.yaml], releaseName: www}}
    syncSource:
      targetBranch: environments/dev
      path: web
  destination: {{namespace: web}}
"""


def declared(path: str = "apps/web", revision: str = "HEAD") -> tuple[Context, Case]:
    context = make_context(
        {"apps/web/Chart.yaml": "name: web", "apps/web/prod.yaml": ""}, revisions={"environments/dev": OLD}
    )
    return context, declare(context, APP.replace("PATH", path).replace("REVISION", revision))


def asked(case: Case, **options: Any) -> list[dict[str, Any]]:
    """What the repo-server is asked."""
    requests: list[dict[str, Any]] = []

    def generate(request: dict[str, Any], *, timeout: float) -> dict[str, Any]:
        del timeout
        requests.append(request)
        return {"manifests": []}

    with closing(RepoServer("127.0.0.1:1", control="argocd", options=Options())) as server:
        server._generate = generate
        server.render(case, **options)
    return requests


# ---------------------------------------------------------------- review: the dry source


@pytest.mark.parametrize(
    ("path", "revision", "rule", "line"),
    [("no/such/folder", "HEAD", "missing-path", 10), ("apps/web", "mian", "missing-revision", 11)],
)
def test_the_dry_source_has_to_be_there(path: str, revision: str, rule: str, line: int) -> None:
    (finding,) = source.check(*declared(path, revision))
    assert (finding.rule, finding.line) == (rule, line)


def test_a_dry_source_that_is_there_is_no_finding_and_what_stands_beside_it_is_not_looked_at() -> None:
    context, web = declared()
    assert source.check(context, web) == ()
    assert [(s.repo_url, s.path) for s in web.sources] == [(URL, "apps/web")]
    assert context.reads(web) == ("apps/web",)


def test_value_files_of_the_dry_source_are_looked_for() -> None:
    context, web = declared("apps")
    (finding,) = source.check(context, web)
    assert (finding.rule, finding.line) == ("missing-value-file", 12)


def test_the_dry_source_is_rendered_as_the_hydrator_renders_it() -> None:
    (request,) = asked(declared()[1], kube_version="1.37.2", api_versions=["v1", "apps/v1"])
    assert request["repo"]["repo"] == URL
    assert (request["applicationSource"]["path"], request["revision"]) == ("apps/web", "HEAD")
    assert request["applicationSource"]["helm"] == {"valueFiles": ["prod.yaml"], "releaseName": "www"}
    assert request["hasMultipleSources"] is False
    # What is written to a branch must not depend on a cluster.
    assert (request["kubeVersion"], request["apiVersions"]) == ("", [])


def test_sources_beside_a_hydrator_are_none() -> None:
    context, _ = declared()
    both = (
        APP.replace("  source: {", "  sources:\n  - {")
        .replace("PATH", "apps/web")
        .replace("REVISION", "HEAD")
    )
    (request,) = asked(declare(context, both))
    assert request["hasMultipleSources"] is False and request["applicationSource"]["repoURL"] == URL


def test_a_refusal_is_blamed_on_the_dry_source() -> None:
    context, web = declared()
    finding = render.refusal(context, web, NotRendered(source=0, message="`helm template` failed"))
    assert (finding.rule, finding.line) == ("render-failed", 8)
    assert placing.place(context, web, "Service web") == ("apps/web.yaml", 7)


def test_a_dry_source_that_renders_to_nothing_is_told() -> None:
    _, web = declared()
    assert [f.rule for f in render.warnings(web, Rendered(objects=()))] == ["renders-nothing"]


def test_another_dry_source_is_another_render() -> None:
    settings = Dependencies(tools={}, kube_version="", api_versions=(), argocd_cm={}, control="argocd")
    renderer = Renderer(reader=reader({}), commit=HEAD, settings=settings, ask=lambda _: Rendered(objects=()))
    keys = set()
    for _, web in (declared(), declared("apps")):
        # Beside the files, which are told apart by themselves.
        keys.add(renderer.key(web, renderer.reader.of(declared()[1])))
    assert len(keys) == 2


# ---------------------------------------------------------------- verification: the branch


def test_argo_cd_is_waited_for_at_the_branch_that_it_syncs() -> None:
    context, web = declared()
    assert expected(context, web) == (OLD,)


def hydrate(plain: Case) -> Case:
    spec = {k: v for k, v in plain.manifest["spec"].items() if k != "source"}
    spec["sourceHydrator"] = {
        "drySource": {"repoURL": URL, "path": "apps/web", "targetRevision": "HEAD"},
        "syncSource": {"targetBranch": "environments/dev", "path": "web"},
    }
    return dataclasses.replace(plain, manifest={**plain.manifest, "spec": spec})


def drive(monkeypatch: pytest.MonkeyPatch, *cases: Case) -> Driver:
    driver = Driver(monkeypatch, cases)
    driver.drive.publish = hydrated.told_apart(driver.context, driver.drive.publish)
    return driver


def test_that_the_branch_as_it_is_becomes_healthy_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = drive(monkeypatch, hydrate(case("web")), case("other"))
    for name in ("web", "other"):
        driver.see(name, state(name))
    driver.after(5)
    result = driver.of("web")
    assert (result.outcome, result.code) == (Outcome.SKIPPED, "not-hydrated")
    assert result.message == (
        "Application argocd/web was not judged: it is synced from the branch environments/dev (path web), "
        "which Argo CD's hydrator writes from spec.sourceHydrator.drySource after the merge. Of what that has now: it "
        "became Synced and Healthy"
    )
    assert driver.of("other").outcome is Outcome.PASSED


def test_a_branch_that_is_not_there_yet_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = drive(monkeypatch, hydrate(case("web")))
    seen = Observation(
        state=State.STUCK, code="comparison-error", message="unable to resolve 'environments/dev'"
    )
    driver.see("web", state("web"))
    driver.drive.tracks["argocd/web"].seen = seen
    driver.drive._failed(driver.drive.tracks["argocd/web"], seen, late=False)
    result = driver.of("web")
    assert (result.outcome, result.code, result.findings) == (Outcome.SKIPPED, "not-hydrated", ())
    assert "unable to resolve 'environments/dev'" in result.message


def test_what_comes_from_a_hydrated_one_is_not_judged_either(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = drive(monkeypatch, hydrate(case("root")), case("child", "root"))
    driver.see("root", state("root"))
    driver.after(40)
    result = driver.of("child")
    assert (result.outcome, result.code) == (Outcome.SKIPPED, "not-hydrated")
    assert (
        "Application argocd/root, from which it comes, is synced from the branch environments/dev"
        in result.message
    )
    assert "Of what that has now: child.yaml:1: Application argocd/child" in result.message
    assert "  next  " not in result.message


def test_our_own_errors_stay_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = drive(monkeypatch, hydrate(case("web")))
    driver.drive._refused(driver.drive.tracks["argocd/web"].case, OSError("gone"))
    assert driver.of("web").outcome is Outcome.ERROR
