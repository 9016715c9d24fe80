"""What the engine knows becomes the Run: removed Applications, each object's change, and no secrets."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.changes.applications import Rendition, Side
from pytest_gitops.changes.compare import compare
from pytest_gitops.ground.boot import Ground
from pytest_gitops.model import Case, Outcome, Run, StageResult, Tools
from pytest_gitops.planning.plan import Plan
from pytest_gitops.report import document, schema
from pytest_gitops.repository.discovery import case_of
from pytest_gitops.run.outcome import build_run, secrets_of
from pytest_gitops.run.verdicts import Verdicts
from pytest_gitops.settings.settings import Base
from pytest_gitops.stages.context import Context

SECRET = "not-for-everybody"


def _case(name: str) -> Case:
    manifest = {
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "p",
            "source": {"repoURL": "https://git.example/g.git", "path": name},
            "destination": {"namespace": "prod"},
        },
    }
    return case_of(manifest, control="argocd", file=f"{name}.yaml", line=1)


def _map(name: str, value: str, **metadata: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **metadata},
        "data": {"a": value},
    }


def _side(objects: dict[str, list[dict[str, Any]]], *, base: Any = None) -> Any:
    cases = {name: _case(name) for name in objects}
    return SimpleNamespace(
        plan=Plan(cases=tuple(cases.values()), duplicates={}, cycles=frozenset(), projects=(), problems=()),
        has_plan=True,
        renders={cases[n].id: Rendered(objects=tuple(o)) for n, o in objects.items()},
        checkout=SimpleNamespace(declarations=SimpleNamespace(secrets=())),
        base=base,
        comparison=None,
        applications={},
        timelines={},
        repository_findings=[],
        stopping=threading.Event(),
    )  # fmt: skip


def _run(stages: tuple[str, ...] = ("render", "change")) -> Run:
    base = _side({
        "kept": [_map("same", "1"), _map("differs", "1"), _map("gone", "1"),
                 {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"v": SECRET}}],
        "leaves": [_map("left", SECRET)],
    })  # fmt: skip
    head = _side(
        {"kept": [_map("same", "1"), _map("differs", f"x-{SECRET}", namespace="prod"), _map("new", "1")]},
        base=base,
    )

    def rendered(side: Any) -> Side:
        return Side(
            renditions=[Rendition(case=c, objects=side.renders[c.id].objects) for c in side.plan.cases]
        )

    head.comparison = compare(rendered(base), rendered(head))
    [leaves] = [c for c in base.plan.cases if c.name == "leaves"]
    object.__setattr__(head.plan, "removed", (leaves,))
    context = cast(Context, head)
    verdicts = Verdicts()
    verdicts.hidden = secrets_of(context)
    pairs = tuple((c.id, "change") for c in (*head.plan.cases, leaves))
    for case_id, stage in pairs:
        verdicts.give(case_id, StageResult(stage=stage, outcome=Outcome.PASSED))
    settings = SimpleNamespace(
        root=SimpleNamespace(name="grid"), base=Base(name="main", commit="a" * 40), stages=stages, waivers=(), shard=None,
        provider=SimpleNamespace(value="embedded"), command="pytest --gitops",
    )  # fmt: skip
    return build_run(
        settings=cast(Any, settings),
        ground=cast(Ground, SimpleNamespace(findings=(), cluster=None, simulated=(), timings={})),
        context=context,
        verdicts=verdicts,
        pairs=pairs,
        stages=stages,
        tools=Tools(argocd="3", kubernetes="1", opa="1"),
        started="2026-01-01T00:00:00+00:00",
        duration=1.0,
        error=f"it said {SECRET}",
        hidden=verdicts.hidden,
    )


def test_an_application_that_head_removes_has_its_verdict_and_its_base_file() -> None:
    told = _run().to_dict()["applications"]
    assert [(a["name"], a["change"], a["file"]) for a in told] == [
        ("kept", "changed", "kept.yaml"),
        ("leaves", "removed", "leaves.yaml"),
    ]
    assert [s["stage"] for s in told[1]["stages"]] == ["change"]
    assert [(r["name"], r["change"]) for r in told[1]["resources"]] == [("left", "removed")]


def test_every_object_says_what_became_of_it() -> None:
    [kept, _] = _run().to_dict()["applications"]
    assert [(r["name"], r["change"]) for r in kept["resources"]] == [
        ("same", "unchanged"),
        ("differs", "changed"),
        ("new", "added"),
    ]
    assert {c["resource"]["name"] for c in kept["changes"]} == {"differs", "gone", "new", "s"}


def test_the_document_of_a_compared_run_fits_and_holds_no_secret() -> None:
    built = document.build(_run())
    schema.validate(built)
    assert built["changes"]["counts"] == {
        "added": 1,
        "removed": 3,
        "changed": 1,
        "renamed": 0,
        "replaced": 0,
        "noise": 1,
    }
    assert SECRET not in document.to_json(built)
    assert built["run"]["error"] == "it said ***"
