"""Runs to render: small, the omega grid with failures, full of hostile text, and very large."""

from __future__ import annotations

from functools import cache
from typing import Any

from pytest_gitops.model import (
    Case,
    Destination,
    Finding,
    Moment,
    Origin,
    Outcome,
    Resource,
    Run,
    Severity,
    Source,
    StageResult,
    Tools,
    Verdict,
    Waiver,
)
from pytest_gitops.report import document
from pytest_gitops.repository.manifest import parse
from pytest_gitops.scenarios.values import Action, Scenario, Step, told

TOOLS = Tools(argocd="3.6.1", kubernetes="1.37.2", opa="1.22.2")
REPOSITORY = "https://github.com/fsiqueira/omega-btc-ai.git"
SIMULATED = (
    "No container runs, so images, probes and exit codes are not tested",
    "Nodes and volumes are kwok's",
)
STAGES = ("source", "render", "policy", "converge")
APPS = "kubernetes/gitops/applications"


def run(*verdicts: Verdict, **other: object) -> Run:
    values: dict[str, object] = {
        "version": "0.1.0",
        "tools": TOOLS,
        "repository": REPOSITORY,
        "head": {"name": "feature/fibonacci", "commit": "7d9c31e0a1b2c3d4e5f60718293a4b5c6d7e8f90"},
        "base": None,
        "started": "2026-08-14T09:21:07Z",
        "duration": 31.244,
        "provider": "embedded",
        "simulated": SIMULATED,
        "stages": STAGES,
        "verdicts": verdicts,
        "timings": {"control plane": 3.2, "Argo CD": 2.6, "discovery": 0.3, "applications": 24.9},
    }
    return Run(**{**values, **other})  # type: ignore[arg-type]


def stage(name: str, outcome: Outcome = Outcome.PASSED, **other: object) -> StageResult:
    return StageResult(stage=name, outcome=outcome, **{"duration": 0.12, **other})  # type: ignore[arg-type]


def scenario(
    name: str, outcome: Outcome = Outcome.PASSED, *, acts: bool = True, **other: Any
) -> dict[str, Any]:
    file = "tests/grid.gitops-test.yaml"
    document, *_ = parse("a: 1")
    action = Action.WAIT if acts else Action.RENDER
    step = Step(
        action=action, name="", file=file, arguments={"application": "omega-btc-oracle"}, within=None, path=(),
        document=document,
    )  # fmt: skip
    made = Scenario(name=name, file=file, line=3, steps=(step,))
    return told(made, stage("scenario", outcome, **other))


def case(name: str, **other: object) -> Case:
    values: dict[str, object] = {
        "name": name,
        "namespace": "argocd",
        "project": "omega-grid",
        "file": f"{APPS}/{name.removeprefix('omega-')}-app.yaml",
        "line": 4,
        "parent": "argocd/omega-divine-grid",
        "parent_kind": "Application",
        "origin": Origin.RENDERED,
        "sources": (Source(repo_url=REPOSITORY, target_revision="HEAD", path=f"kubernetes/helm/{name[6:]}"),),
        "destination": Destination(
            server="https://kubernetes.default.svc", namespace=name.removeprefix("omega-")
        ),
    }
    return Case(**{**values, **other})  # type: ignore[arg-type]


def resource(kind: str, name: str, namespace: str = "", **other: object) -> Resource:
    values: dict[str, object] = {
        "api_version": "apps/v1" if kind in {"Deployment", "StatefulSet"} else "v1",
        "kind": kind,
        "namespace": namespace,
        "name": name,
        "sync": "Synced",
        "health": "Healthy" if kind in {"Deployment", "StatefulSet", "Service"} else "",
    }
    return Resource(**{**values, **other})  # type: ignore[arg-type]


def host(name: str, **other: object) -> dict[str, object]:
    return {"host": name, "port": 443, "reason": "refused", "count": 2, "path": None, "detail": None, **other}


def expectation(
    title: str, expect: str = "allow", *, code: str = "", failed: bool = False, waived: bool = False
) -> dict[str, object]:
    return {
        "title": title,
        "expect": expect,
        "outcome": "failed" if failed else "passed",
        "code": code or None,
        "waived": waived,
        "file": "pytest-gitops.yaml",
        "line": 7,
    }


def settled(at: float) -> tuple[Moment, ...]:
    return (
        Moment(at=0, sync="OutOfSync", health="Missing"),
        Moment(at=at * 0.4, sync="OutOfSync", health="Missing", phase="Running"),
        Moment(at=at * 0.55, sync="Synced", health="Progressing", phase="Succeeded"),
        Moment(at=at, sync="Synced", health="Healthy", phase="Succeeded"),
    )


def small() -> Run:
    """One Application, all well."""
    verdict = Verdict(
        case=case("omega-monitoring", parent="", parent_kind="", origin=Origin.FILE),
        stages=(
            stage("source"),
            stage("render", duration=0.4),
            stage("policy"),
            stage("converge", duration=5.1),
        ),
        resources=(
            resource("Deployment", "prometheus", "monitoring"),
            resource("Service", "prometheus", "monitoring"),
        ),
        timeline=settled(4.8),
    )
    return run(verdict, duration=11.6)


def grid() -> Run:
    """The omega grid: an app-of-apps, a waiver, warnings, failures, and what nobody could check."""
    return run(
        _root(),
        _oracle(),
        _matrix_news(),
        _fibonacci(),
        _rasta(),
        _pitch(),
        Verdict(
            case=case("omega-monitoring"),
            stages=(
                stage("source"),
                stage("render", duration=0.4),
                stage("policy"),
                stage("converge", duration=7.3),
            ),
            resources=(
                resource("Deployment", "prometheus", "monitoring"),
                resource("Service", "prometheus", "monitoring"),
            ),
            timeline=settled(7.0),
        ),
        *(_preview(n) for n in (1, 2)),
        base={"name": "main", "commit": "686473412bd0c94afc6e16ab35ee0f1d77e0a9c4"},
        command="pytest --gitops --gitops-base origin/main",
        scenarios=(
            scenario("the oracle heals itself[omega-btc-oracle]"),
            scenario(
                "the news survive a rollback",
                Outcome.FAILED,
                code="scenario-failed",
                message="tests/grid.gitops-test.yaml:12: step 2, expect omega-matrix-news: Application "
                "argocd/omega-matrix-news (OutOfSync, Healthy) is not as expected within 30 s\n"
                "  line 14: sync of Application argocd/omega-matrix-news: expected 'Synced', saw 'OutOfSync'",
                evidence={
                    "steps": [
                        {"name": "checkout base", "outcome": "passed", "seconds": 1.2, "message": None},
                        {"name": "expect", "outcome": "failed", "seconds": 30.1, "message": "it is not"},
                    ]
                },
            ),
            scenario("roles", acts=False),
        ),
        hosts=(
            host("charts.new-host.example", detail="only this pull request names it"),
            host("registry.internal.example", port=5000, reason="unreachable"),
        ),
        findings=(
            Finding(
                rule="plain-secret-in-git",
                severity=Severity.WARNING,
                message="Secret monitoring/grafana-admin is in git as it is",
                file="kubernetes/monitoring/grafana-secret.yaml",
                line=1,
                resource="Secret monitoring/grafana-admin",
                help="Seal it, or let External Secrets fetch it",
            ),
        ),
        expectations=(
            expectation("role:dev sync applications grid/*"),
            expectation(
                "somebody of acme:ops delete clusters *", "deny", code="rbac-expectation", failed=True
            ),
            expectation("alice get logs *", "deny", code="rbac-expectation", waived=True),
        ),
    )


def _root() -> Verdict:
    return Verdict(
        case=case(
            "omega-divine-grid",
            parent="",
            parent_kind="",
            origin=Origin.FILE,
            project="default",
            sources=(Source(repo_url=REPOSITORY, target_revision="HEAD", path=APPS),),
            destination=Destination(server="https://kubernetes.default.svc", namespace="argocd"),
        ),
        stages=(
            stage("source"),
            stage("render", duration=0.31),
            stage(
                "policy",
                findings=(
                    Finding(
                        rule="application-project-default",
                        severity=Severity.WARNING,
                        message="The Application uses the project default, which may deploy anything",
                        file=f"{APPS}/divine-grid-app.yaml",
                        line=9,
                        resource="Application argocd/omega-divine-grid",
                        help="Name an AppProject that lists the sources and destinations it needs",
                        waiver=Waiver(
                            reason="The root of the grid creates the AppProject itself", expires="2027-01-31"
                        ),
                    ),
                ),
            ),
            stage("converge", duration=9.4),
        ),
        resources=(
            resource("AppProject", "omega-grid", "argocd", api_version="argoproj.io/v1alpha1", wave=-1),
            *(
                resource("Application", f"omega-{n}", "argocd", api_version="argoproj.io/v1alpha1")
                for n in ("btc-oracle", "matrix-news", "monitoring")
            ),
        ),
        timeline=settled(9.1),
    )


def node(
    title: str, *, owner: str | None = None, health: str = "Healthy", message: str | None = None, **more: Any
) -> dict[str, Any]:
    """A row of a resource tree."""
    return {
        "object": title,
        "owner": owner,
        "health": health,
        "wave": None,
        "hook": None,
        "message": message,
        **more,
    }


def _oracle() -> Verdict:
    values = "kubernetes/helm/btc-oracle/values-prod.yaml"
    return Verdict(
        case=case("omega-btc-oracle"),
        stages=(
            stage("source"),
            stage(
                "render",
                duration=0.64,
                evidence={
                    "sourceType": "Helm",
                    "commands": ["helm template . --name-template omega-btc-oracle"],
                },
            ),
            stage(
                "policy",
                findings=(
                    Finding(
                        rule="image-tag-mutable",
                        severity=Severity.WARNING,
                        message="Container redis uses the image redis:latest, whose tag can move",
                        file=values,
                        line=22,
                        resource="StatefulSet btc-oracle/redis-master",
                        help="Pin a version, better a digest",
                    ),
                    Finding(
                        rule="probe-missing",
                        severity=Severity.WARNING,
                        message="Container oracle has no readiness probe",
                        file=values,
                        line=7,
                        resource="Deployment btc-oracle/oracle",
                        help="Add readinessProbe, so that traffic waits until it is ready",
                    ),
                ),
            ),
            stage(
                "converge",
                duration=14.2,
                evidence={
                    "startedAtSeconds": 0.0,
                    "deadlineSeconds": 300.0,
                    "deadlineFrom": "timeout",
                    "hookLogs": "none: no container runs on the embedded cluster",
                    "steps": [
                        {"at": 1.1, "kind": "hook", "step": "PreSync Job oracle-migrate: Running"},
                        {"at": 5.9, "kind": "hook", "step": "PreSync Job oracle-migrate: Succeeded"},
                        {"at": 6.2, "kind": "wave", "step": "wave 1"},
                        {"at": 9.8, "kind": "wave", "step": "wave 2"},
                    ],
                    "operationObjects": [
                        {
                            "object": "Job btc-oracle/oracle-migrate",
                            "hook": "PreSync",
                            "status": "Succeeded",
                            "message": "",
                        },
                        {
                            "object": "Deployment btc-oracle/oracle",
                            "hook": None,
                            "status": "Synced",
                            "message": "created",
                        },
                    ],
                    "tree": [
                        node("Job btc-oracle/oracle-migrate", hook="PreSync", wave=0),
                        node("StatefulSet btc-oracle/redis-master", wave=1),
                        node("Pod btc-oracle/redis-master-0", owner="StatefulSet btc-oracle/redis-master"),
                        node("Deployment btc-oracle/oracle", wave=2),
                        node("ReplicaSet btc-oracle/oracle-5d9", owner="Deployment btc-oracle/oracle"),
                        node("Pod btc-oracle/oracle-5d9-x2k", owner="ReplicaSet btc-oracle/oracle-5d9"),
                    ],
                },
            ),
        ),
        resources=(
            resource("Deployment", "oracle", "btc-oracle", wave=2),
            resource("StatefulSet", "redis-master", "btc-oracle", wave=1),
            resource("Service", "oracle", "btc-oracle", wave=2),
            resource("Service", "redis-master", "btc-oracle", wave=1),
            resource("ConfigMap", "oracle-fibonacci-levels", "btc-oracle"),
            resource(
                "ServiceMonitor", "oracle", "btc-oracle", api_version="monitoring.coreos.com/v1", wave=3
            ),
            resource(
                "Job",
                "oracle-migrate",
                "btc-oracle",
                api_version="batch/v1",
                hook="PreSync",
                health="Healthy",
            ),
        ),
        timeline=settled(13.9),
    )


def _matrix_news() -> Verdict:
    return Verdict(
        case=case("omega-matrix-news"),
        stages=(
            stage("source"),
            stage("render", duration=0.71),
            stage("policy"),
            stage(
                "converge",
                Outcome.FAILED,
                code="never-healthy",
                duration=60.0,
                message=(
                    "StatefulSet matrix-news/mongodb is Progressing after 60 s; expected Healthy.\n"
                    "  Argo CD  Waiting for 1 pods to be ready...\n"
                    "  event    FailedScheduling: pod has unbound PersistentVolumeClaims\n"
                    '  event    ProvisioningFailed: storageclass.storage.k8s.io "fast-ssd" not found\n'
                    "  cause    the claim data-mongodb-0 names a StorageClass that is not there\n"
                    "  next     create StorageClass fast-ssd in this repository, or name one that exists\n"
                    "           (kubernetes/helm/matrix-news/values-prod.yaml:41)"
                ),
                evidence={
                    "operation": {"phase": "Succeeded", "retries": 0},
                    "revision": "7d9c31e",
                    "cause": {
                        "class": "claim-pending",
                        "cause": "a claim is not bound",
                        "next": "name a StorageClass that the cluster has, or bring the volume",
                    },
                    "events": ["PersistentVolumeClaim data-mongodb-0: ProvisioningFailed: no fast-ssd"],
                    "tree": [
                        node(
                            "StatefulSet matrix-news/mongodb",
                            wave=1,
                            health="Progressing",
                            message="Waiting for 1 pods",
                        ),
                        node(
                            "Pod matrix-news/mongodb-0",
                            owner="StatefulSet matrix-news/mongodb",
                            health="Progressing",
                        ),
                    ],
                },
            ),
        ),
        resources=(
            resource(
                "StatefulSet",
                "mongodb",
                "matrix-news",
                health="Progressing",
                message="Waiting for 1 pods to be ready...",
                wave=1,
            ),
            resource(
                "Deployment",
                "matrix-news",
                "matrix-news",
                health="Degraded",
                message='Deployment "matrix-news" exceeded its progress deadline',
                wave=2,
            ),
            resource("Service", "mongodb", "matrix-news", wave=1),
            resource("Service", "matrix-news", "matrix-news", wave=2),
            resource(
                "ServiceMonitor", "matrix-news", "matrix-news", api_version="monitoring.coreos.com/v1", wave=3
            ),
        ),
        timeline=(
            Moment(at=0, sync="OutOfSync", health="Missing"),
            Moment(at=2.1, sync="OutOfSync", health="Missing", phase="Running"),
            Moment(at=4.6, sync="Synced", health="Progressing", phase="Succeeded"),
            Moment(at=44.8, sync="Synced", health="Degraded", phase="Succeeded"),
        ),
    )


def _fibonacci() -> Verdict:
    return Verdict(
        case=case("omega-fibonacci"),
        stages=(
            stage("source"),
            stage(
                "render",
                Outcome.FAILED,
                code="template-error",
                duration=0.2,
                message=(
                    "The chart kubernetes/helm/fibonacci does not render.\n"
                    "  Helm  fibonacci/templates/deployment.yaml:17:28: at <.Values.levels.golden>:\n"
                    "        nil pointer evaluating interface {}.golden\n"
                    "  next  set levels.golden in kubernetes/helm/fibonacci/values.yaml"
                ),
                findings=(
                    Finding(
                        rule="template-error",
                        severity=Severity.ERROR,
                        message="nil pointer evaluating interface {}.golden",
                        file="kubernetes/helm/fibonacci/templates/deployment.yaml",
                        line=17,
                    ),
                ),
            ),
            stage(
                "policy",
                Outcome.SKIPPED,
                code="render-failed",
                message="There is nothing to judge: render failed",
                duration=0,
            ),
            stage(
                "converge",
                Outcome.SKIPPED,
                code="render-failed",
                message="There is nothing to apply: render failed",
                duration=0,
            ),
        ),
    )


def _rasta() -> Verdict:
    return Verdict(
        case=case("omega-rasta-api"),
        stages=(
            stage("source"),
            stage("render", duration=0.5),
            stage(
                "policy",
                Outcome.ERROR,
                code="tool-died",
                message="opa was killed by signal 9.\nIts last lines:\nfatal: out of memory",
                duration=1.0,
            ),
            stage("converge", duration=6.2),
        ),
        resources=(resource("Deployment", "rasta-api", "rasta-api"),),
        timeline=settled(6.0),
    )


def _pitch() -> Verdict:
    return Verdict(
        case=case("omega-pitch"),
        stages=(
            stage("source"),
            stage("render"),
            stage("policy"),
            stage(
                "converge",
                Outcome.SKIPPED,
                code="remote-cluster",
                message="Its cluster staging is named by no configuration",
                duration=0,
            ),
        ),
    )


def _preview(number: int) -> Verdict:
    return Verdict(
        case=case(
            f"preview-{number}",
            origin=Origin.GENERATED,
            parent="argocd/previews",
            parent_kind="ApplicationSet",
            file="kubernetes/gitops/previews.yaml",
            line=1,
        ),
        stages=(stage("source"), stage("render"), stage("policy"), stage("converge", duration=4.4)),
        resources=(resource("Deployment", "web", f"preview-{number}"),),
        timeline=settled(4.1),
    )


HOSTILE = (
    '" onmouseover="alert(0) </script><script>alert(1)</script>'
    "<!-- <img src=x onerror=alert(2)> --> | a | b | `code` ```fence``` "
    "@everyone #1 GH-2 [link](javascript:alert(3)) ![i](https://evil.example/x.png) "
    "https://evil.example www.evil.example "
    "**bold** _it_ ~~s~~ $x$ & &lt; \\ \x1b[31mred\x1b[0m \u202eright-to-left\u202c \x00 {{document}}"
)


def nasty() -> Run:
    """Hostile text wherever a repository can put text, secrets in messages, a cycle and a name used twice."""
    lines = f"{HOSTILE}\n````\n</details>\n# heading\n{HOSTILE}"
    finding = Finding(
        rule="rule`|x",
        severity=Severity.ERROR,
        message=lines,
        file='dir with "quotes" & ünïcode|`/a.yaml',
        line=3,
        resource=f"ConfigMap ns/{HOSTILE[:60]}",
        help=HOSTILE,
    )
    waived = Finding(rule="waived", severity=Severity.WARNING, message=HOSTILE, waiver=Waiver(reason=lines))
    leak = (
        "git fetch https://bot:ghp_0123456789abcdefghijABCDEFGHIJ012345@github.com/x/y.git failed\n"
        "Authorization: Bearer abcdefghijklmnop0123456789\n"
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----\n"
        "kind: Secret\ndata:\n  password: aHVudGVyMg==\n"
    )
    name = 'a b"c|`<x>&é'
    return run(
        Verdict(
            case=case(name, parent=f"argocd/{name}", file="x`y|z <b>.yaml", line=0),
            stages=(
                stage("source", Outcome.FAILED, code="c`|<x>", message=lines, findings=(finding, waived)),
                stage(
                    "render",
                    Outcome.ERROR,
                    code="leak",
                    message=leak,
                    evidence={"a": {1.5: float("nan")}, "env": {"name": "DB_PASSWORD", "value": "hunter2"}},
                ),
                stage("policy", Outcome.SKIPPED, message=lines),
                stage("converge", Outcome.FAILED, message=lines),
            ),
            resources=(
                resource(
                    "Kind<b>", HOSTILE, "ns|`", health="Degraded", message=lines, hook="<b>", sync="Out|Of"
                ),
            ),
            timeline=(Moment(at=0, sync="<b>", health="|`"), Moment(at=0, sync="", health="")),
        ),
        *(
            Verdict(case=case(n, parent=f"argocd/{p}", file=f), stages=(stage("source"),))
            for n, p, f in (
                ("twin", "loop", "a.yaml"),
                ("twin", "loop", "b.yaml"),
                ("loop", "twin", "c.yaml"),
            )
        ),
        Verdict(case=case("nothing-ran")),
        repository=HOSTILE,
        head={"name": HOSTILE, "commit": None},
        base={"name": None, "commit": "0" * 40},
        provider="x`y",
        simulated=(HOSTILE,),
        command=f"pytest --gitops -k '{HOSTILE}'",
        findings=(finding,),
        scenarios=tuple(
            scenario(
                HOSTILE,
                Outcome.FAILED,
                acts=acts,
                code="c`|<x>",
                message=lines + leak,
                evidence={
                    "steps": [{"name": HOSTILE, "outcome": "failed", "seconds": 0.1, "message": lines}]
                },
            )
            for acts in (True, False)
        ),
        hosts=(host(HOSTILE, path=HOSTILE, detail=lines),),
        error="",
    )


@cache
def large_document() -> dict[str, Any]:
    """The document of the very large run; it is not to be changed."""
    return document.build(large())


def large(applications: int = 400, objects: int = 5_000, findings: int = 5_000, length: int = 400) -> Run:
    """As many Applications, objects and findings as asked for, the messages long."""
    each, some = objects // applications, findings // applications
    return run(
        *(
            Verdict(
                case=case(f"omega-{n:04}", parent="argocd/omega-divine-grid" if n % 2 else ""),
                stages=(
                    stage("source"),
                    stage("render"),
                    stage(
                        "policy",
                        Outcome.FAILED if n % 3 == 0 else Outcome.PASSED,
                        message=f"{some} findings\n" + "word " * (length // 5) if n % 3 == 0 else "",
                        findings=tuple(
                            Finding(
                                rule=f"rule-{i % 9}",
                                severity=Severity.ERROR if n % 3 == 0 else Severity.WARNING,
                                message=f"{n} {i} " + "text | " * (length // 7),
                                file=f"apps/{n}/values.yaml",
                                line=i + 1,
                            )
                            for i in range(some)
                        ),
                    ),
                    stage(
                        "converge",
                        Outcome.SKIPPED if n % 7 == 0 else Outcome.PASSED,
                        code=f"code-{n % 7}",
                        message="x" * length,
                    ),
                ),
                resources=tuple(resource("Deployment", f"d-{i}", f"ns-{n}") for i in range(each)),
                timeline=settled(5.0 + n / 100),
            )
            for n in range(applications)
        )
    )
