"""Two renderings held against each other, and the template that is to blame."""

from __future__ import annotations

from typing import Any

import pytest
from stage_support import URL, declare, make_context

from pytest_gitops.stages.rendered import RANDOM, Unsteady, unsteady, written_at


def config(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_what_is_the_same_in_another_order_is_the_same() -> None:
    assert unsteady([config("a", x="1"), config("b")], [config("b"), config("a", x="1")]) == ()


def test_a_value_that_differs_is_told_with_its_path_and_both_values() -> None:
    (found,) = unsteady([config("a", x="1", y="0")], [config("a", x="2", y="0")])
    assert (found.title, found.short) == ("ConfigMap a", "ConfigMap a")
    assert [(f.path, f.old, f.new) for f in found.fields] == [("data.x", "1", "2")]


def test_a_name_that_differs_is_a_field_that_differs() -> None:
    (found,) = unsteady([config("run-1"), config("b")], [config("run-2"), config("b")])
    assert [(f.path, f.old, f.new) for f in found.fields] == [("metadata.name", "run-1", "run-2")]


def test_an_object_of_one_rendering_alone_is_told() -> None:
    (found,) = unsteady([config("a")], [config("a"), config("b")])
    assert (found.title, found.fields) == ("ConfigMap b", ())


def test_objects_without_a_name_are_paired_in_their_order() -> None:
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "run-"}}
    assert unsteady([job, job], [job, job]) == ()
    assert [u.title for u in unsteady([job], [job, job])] == ["Job run-*"]


@pytest.mark.parametrize(
    "line",
    [
        "key: {{ randAlphaNum 24 | quote }}",
        'at: {{ now | date "2006" }}',
        "{{- $ca := genCA .Values.name 365 -}}",
        "id: {{ .Values.id | default uuidv4 }}",
    ],
)
def test_functions_that_answer_otherwise_each_time_are_known(line: str) -> None:
    assert RANDOM.search(line)


@pytest.mark.parametrize("line", ["key: {{ .Values.nowhere }}", "# now", "{{ .Values.b64enc | b64enc }}"])
def test_other_words_are_not_taken_for_them(line: str) -> None:
    assert not RANDOM.search(line)


APPLICATION = f"""
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: web, namespace: argocd}}
spec:
  project: default
  source: {{repoURL: {URL}, targetRevision: main, path: chart}}
  destination: {{server: https://kubernetes.default.svc, namespace: web}}
"""


def test_the_line_of_the_field_in_the_template_of_the_kind_is_named() -> None:
    other = "kind: Secret\ndata:\n  key: {{ randAlphaNum 8 }}\n"
    template = "kind: ConfigMap\ndata:\n  at: {{ now }}\n  key: {{ randAlphaNum 8 }}\n"
    files = {"chart/Chart.yaml": "", "chart/templates/a.yaml": other, "chart/templates/b.yaml": template}
    context = make_context({**files, "elsewhere/templates/c.yaml": template})
    case = declare(context, APPLICATION)
    (found,) = unsteady([config("a", key="1")], [config("a", key="2")])
    assert written_at(context, case, found) == ("chart/templates/b.yaml", 4)
    assert written_at(make_context({"chart/Chart.yaml": ""}), case, Unsteady(manifest=config("a"))) is None
