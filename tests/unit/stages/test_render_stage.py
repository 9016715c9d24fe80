"""render: what came of rendering, in the words of the repo-server."""

from __future__ import annotations

from typing import Any

import pytest
from stage_support import URL, Answers, declare, make_context

from pytest_gitops.argocd.render import NotRendered, Rendered
from pytest_gitops.model import Outcome, Severity
from pytest_gitops.report.redact import redact_text
from pytest_gitops.stages import render
from pytest_gitops.world.egress import Reason, Refusal

APP = f"""\
kind: Application
metadata: {{name: web}}
spec:
  sources:
  - repoURL: {URL}
    path: a
  - repoURL: {URL}
    path: b
"""


def outcome(result: Rendered | NotRendered, *refusals: Refusal, text: str = APP) -> Any:
    context = make_context()
    context.refusals = lambda: refusals
    case = declare(context, text)
    context.renders[case.id] = result
    context.render_seconds[case.id] = 0.5
    answers = Answers()
    render.run(context, [case], answers)
    return answers.of("argocd/web")


def thing(kind: str, name: str | None = "a", namespace: str | None = "web") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}}


def test_a_render_passes_and_says_what_it_was() -> None:
    found = outcome(Rendered(objects=(thing("Service"),), revisions=("4f1",), source_types=("Helm",)))
    assert (found.outcome, found.findings, found.duration) == (Outcome.PASSED, (), 0.5)
    assert found.evidence == {"objects": 1, "sourceTypes": ["Helm"], "revisions": ["4f1"]}


@pytest.mark.parametrize(("source", "line"), [(0, 5), (1, 7)])
def test_a_refusal_names_the_source_that_failed(source: int, line: int) -> None:
    found = outcome(NotRendered(source=source, message="`helm template` failed"))
    assert (found.outcome, found.code) == (Outcome.FAILED, "render-failed")
    assert (found.findings[0].line, found.findings[0].message) == (line, "`helm template` failed")


def test_a_single_source_is_blamed_where_it_stands() -> None:
    text = f"kind: Application\nmetadata: {{name: web}}\nspec:\n  source: {{repoURL: {URL}}}\n"
    assert outcome(NotRendered(source=0, message="m"), text=text).findings[0].line == 4


REFUSED = Refusal(host="charts.example.com", port=443, reason=Reason.REFUSED)
AWAY = Refusal(host="charts.example.com", port=443, reason=Reason.UNREACHABLE, detail="no route")
LINK = Refusal(host="169.254.169.254", port=443, reason=Reason.REFUSED)
ONE_REPOSITORY = Refusal(host="github.com", port=443, reason=Reason.REFUSED, path="other/repo")


@pytest.mark.parametrize(
    ("refusal", "message", "code"),
    [
        (REFUSED, 'Get "https://charts.example.com/index.yaml": Forbidden', "host-refused"),
        (REFUSED, "looks up charts.example.com: no such host", "host-refused"),
        (REFUSED, "cannot reach charts.example.com.", "host-refused"),
        (LINK, 'Get "https://169.254.169.254/latest": Forbidden', "host-refused"),
        (AWAY, 'Get "https://charts.example.com:443/index.yaml": Bad Gateway', "host-unreachable"),
        (REFUSED, "https://charts.example.com.evil.org/", "render-failed"),
        (REFUSED, "https://my-charts.example.com/", "render-failed"),
        (REFUSED, "https://my.charts.example.com/", "render-failed"),
        (REFUSED, "nil pointer evaluating interface {}.image", "render-failed"),
        (ONE_REPOSITORY, "https://github.com/other/repo.git/info/refs: 403", "host-refused"),
        (
            AWAY,
            "charts.example.com is out of reach: git clone: fatal: Authentication failed for",
            "source-unauthorized",
        ),
        (ONE_REPOSITORY, "https://github.com/example/grid.git: template failed", "render-failed"),
    ],
)
def test_only_a_host_that_the_message_is_about_is_blamed(refusal: Refusal, message: str, code: str) -> None:
    found = outcome(NotRendered(source=0, message=message), refusal)
    assert (found.outcome, found.code) == (Outcome.FAILED, code)
    if code != "render-failed":
        assert refusal.host in found.findings[0].message
        assert ("of its own link" in found.findings[0].message) is (refusal is LINK)


@pytest.mark.parametrize(
    ("url", "message", "host"),
    [
        (
            "https://git.acme.example/x.git",
            "failed to list refs: authentication required:",
            "git.acme.example",
        ),
        (
            "git@git.acme.example:x.git",
            'error creating SSH agent: "SSH agent requested but SSH_AUTH',
            "git.acme.example",
        ),
        ("registry.acme.example/team", "response status code 401: Unauthorized", "registry.acme.example"),
        ("https://charts.acme.example", "failed to fetch https://x/i : 403 Forbidden", "charts.acme.example"),
        (
            "https://charts.acme.example",
            "failed to fetch https://x/index.yaml : 401 Unauthorized",
            "charts.acme.example",
        ),
        (
            URL,
            "fatal: could not read Username for 'https://git.acme.example': No such device",
            "git.acme.example",
        ),
        (URL, "git@git.acme.example: Permission denied (publickey).", "a host"),
    ],
)
def test_a_host_that_wants_to_know_who_asks_is_named_with_what_to_do(
    url: str, message: str, host: str
) -> None:
    text = f"kind: Application\nmetadata: {{name: web}}\nspec:\n  source: {{repoURL: '{url}', path: a}}\n"
    (finding,) = outcome(NotRendered(source=0, message=message), text=text).findings
    assert (finding.rule, finding.line) == ("source-unauthorized", 4)
    assert finding.message == (
        f"{host} asks for a password, a token or a key, and this run has none that it takes; the repo-server says: {message}"
    )
    # As it is shown: what looks like a password is hidden.
    assert (
        "a line https://<user>:<password>@<host>/<prefix> in the environment variable PYTEST_GITOPS_CREDENTIALS"
        in redact_text(finding.help)
    )


def test_a_render_without_objects_is_a_warning() -> None:
    (finding,) = outcome(Rendered(objects=())).findings
    assert (finding.rule, finding.severity) == ("renders-nothing", Severity.WARNING)
    references = (
        f"kind: Application\nmetadata: {{name: web}}\nspec:\n  sources: [{{repoURL: {URL}, ref: v}}]\n"
    )
    assert outcome(Rendered(objects=()), text=references).findings == ()


def test_an_object_that_is_rendered_twice_is_a_warning_each() -> None:
    objects = (
        thing("Service"), thing("Service"), thing("Service", namespace="other"), thing("Namespace", "n", None),
        thing("Namespace", "n", None), thing("Job", None), thing("Job", None), {"kind": "X", "metadata": None},
    )  # fmt: skip
    found = outcome(Rendered(objects=objects))
    assert found.outcome is Outcome.PASSED
    assert [(f.rule, f.resource) for f in found.findings] == [
        ("repeated-resource", "Namespace n"), ("repeated-resource", "Service web/a"),
    ]  # fmt: skip
    assert found.findings[1].message == "Service web/a is rendered 2 times; Argo CD applies the last one"
