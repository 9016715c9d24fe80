"""How long an Application may take: its annotation, the configuration, the run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from stage_support import declare, make_context, make_plan

from pytest_gitops.settings.settings import Settings, Timeout
from pytest_gitops.stages import source
from pytest_gitops.stages.deadlines import deadline_of, seconds_of

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: web
  annotations:
    pytest-gitops/timeout: {said}
spec: {{project: default, source: {{repoURL: x, path: y}}, destination: {{namespace: z}}}}
"""


def settings() -> Settings:
    known = make_context(timeout=300).settings
    entries = (Timeout(application="argocd/w*", seconds=40), Timeout(application="*", seconds=50))
    return replace(known, timeouts=entries, timeout_limit=1000)


def test_of_the_configuration_the_first_entry_that_fits_counts() -> None:
    case = declare(make_context(), APPLICATION.format(said="x").replace("annotations", "labels"))
    said = deadline_of(settings(), case)
    assert (said.seconds, said.source) == (40, "timeouts: argocd/w* in pytest-gitops.yaml")
    assert deadline_of(replace(settings(), timeouts=()), case).seconds == 300


def test_the_annotation_counts_before_it_up_to_the_limit() -> None:
    short = deadline_of(settings(), declare(make_context(), APPLICATION.format(said="90s")))
    assert (short.seconds, short.source) == (90, "annotation pytest-gitops/timeout: 90s")
    long = deadline_of(settings(), declare(make_context(), APPLICATION.format(said="24h")))
    assert long.to_dict() == {
        "deadlineSeconds": 1000,
        "deadlineFrom": "annotation pytest-gitops/timeout: 24h, cut at timeout-limit",
    }


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("1.5m", 90), ("2 h", 7200), ("0s", None), ("-3s", None), ("soon", None),
     ("", None), ("1d", None), ("9" * 400 + "h", None)],
)  # fmt: skip
def test_times_are_read_as_people_write_them(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == seconds


def test_an_annotation_that_is_no_time_is_a_finding_with_its_line() -> None:
    context = make_context()
    case = declare(context, APPLICATION.format(said="soon"))
    context.plan = make_plan([case])
    (found,) = source._together(context, case)
    assert (found.rule, found.file, found.line) == ("timeout-invalid", "apps/web.yaml", 6)
    assert found.message == (
        "Application argocd/web: annotation pytest-gitops/timeout: expected a time such as 90s, 5m or 1h, saw 'soon'"
    )
    assert deadline_of(context.settings, case).seconds == context.settings.timeout
