"""Values of Secrets are hidden wherever they are repeated, and nothing else is."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

from pytest_gitops.model import Finding, Outcome, Severity, StageResult
from pytest_gitops.redaction import NOTHING, Hidden, hidden_of
from pytest_gitops.run.verdicts import Verdicts

VALUE = "Tr0ub4dor&3-horse"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(*values: str, field: str = "stringData") -> dict[str, Any]:
    told = {f"k{n}": encoded(v) if field == "data" else v for n, v in enumerate(values)}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, field: told}


@pytest.mark.parametrize("field", ["data", "stringData"])
@pytest.mark.parametrize(
    "spelling",
    [
        VALUE,
        encoded(VALUE),
        quote(VALUE, safe=""),
        f"mysql://root:{VALUE}@db/shop",
        f'helm: execution error: got "{VALUE}"',
        f"xx{VALUE}yy",
    ],
)
def test_a_value_is_hidden_however_it_is_spelled(spelling: str, field: str) -> None:
    hidden = hidden_of([secret(VALUE, field=field)])
    told = hidden(f"before {spelling} after")
    assert "***" in told
    assert spelling not in told
    assert VALUE not in told
    assert told.startswith("before ")
    assert told.endswith(" after")
    assert hidden(told) == told


def test_a_value_is_hidden_as_json_spells_it() -> None:
    value = 'with "quotes" \\ and ümläuts'
    hidden = hidden_of([secret(value)])
    assert hidden(json.dumps({"a": value})) == '{"a": "***"}'
    assert hidden(json.dumps({"a": value}, ensure_ascii=False)) == '{"a": "***"}'


def test_the_longest_value_is_hidden_first() -> None:
    assert (
        hidden_of([secret("longhorse", "longhorse-battery")])("x longhorse-battery y longhorse z")
        == "x *** y *** z"
    )


@pytest.mark.parametrize(
    "value", ["true", "admin", "5432", "1234567", "", "-----BEGIN CERTIFICATE-----", "password", "Production"]
)
def test_what_would_be_found_everywhere_is_not_looked_for(value: str) -> None:
    text = f"the value {value}, and {value} again"
    assert hidden_of([secret(value)])(text) == text


@pytest.mark.parametrize(
    ("value", "hides"), [("8seven6", True), ("s3cret", True), ("s3cre", False), ("12345678", True)]
)
def test_six_characters_are_looked_for_and_eight_digits(value: str, hides: bool) -> None:
    assert (hidden_of([secret(value)])(f"x {value} y") == "x *** y") is hides


def test_a_short_value_is_found_as_a_whole_word_only() -> None:
    hidden = hidden_of([secret("reader")])
    assert hidden("reader, unreadered readers and=reader") == "***, unreadered readers and=***"


def test_what_names_something_is_no_secret() -> None:
    workload = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "billing-api", "namespace": "billing", "labels": {"team": "moneymakers"}},
        "spec": {"template": {"spec": {"containers": [{"name": "web", "image": "postgres:16", "env": [{"name": "DATABASE_NAME", "value": "billing-key"}]}]}}},
    }  # fmt: skip
    application = {"kind": "Application", "spec": {"source": {"repoURL": "https://git.example/grid.git"}}}
    values = (
        "billing-api",
        "billing",
        "moneymakers",
        "postgres",
        "DATABASE_NAME",
        "https://git.example/grid.git",
        "template",
    )
    hidden = hidden_of([workload, secret(*values, "billing-key")], others=[application])
    assert hidden(" ".join(values)) == " ".join(values)
    assert hidden("billing-key") == "***"


def test_a_value_that_a_configmap_repeats_is_still_a_secret() -> None:
    config = {"kind": "ConfigMap", "data": {"name": VALUE, "url": VALUE}}
    hidden = hidden_of([secret(VALUE), config])
    assert hidden.value(config) == {"kind": "ConfigMap", "data": {"name": "***", "url": "***"}}


def test_lines_and_parts_of_a_value_are_hidden_too() -> None:
    key = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA7\nqqqqwwwweeeerrrr\n-----END KEY-----\n"
    config = "level: debug\npassword: 'quitesecret'\nport=5432\ntoken = aaaabbbbccccdddd\n"
    docker = json.dumps({"auths": {"r.example": {"auth": "dXNlcjpodW50ZXIy", "email": "me@r.example"}}})
    hidden = hidden_of([secret(key, config, docker)])
    for part in (
        "MIIEpAIBAAKCAQEA7",
        "qqqqwwwweeeerrrr",
        "quitesecret",
        "aaaabbbbccccdddd",
        "dXNlcjpodW50ZXIy",
    ):
        assert hidden(f"saw {part} there") == "saw *** there"
    for part in ("-----BEGIN KEY-----", "level: debug", "port=5432"):
        assert hidden(part) == part


def test_a_value_that_was_cut_off_is_hidden_as_far_as_it_goes() -> None:
    hidden = hidden_of([secret("the-whole-long-value-of-it")])
    assert hidden("dsn: x the-whole-lon… (12 characters more)") == "dsn: x ***… (12 characters more)"
    assert hidden("the-whole truth… (2 more)") == "the-whole truth… (2 more)"


def test_where_there_is_no_secret_nothing_is_hidden() -> None:
    assert not hidden_of([{"kind": "ConfigMap", "data": {"a": VALUE}}])
    assert NOTHING(VALUE) == VALUE
    assert not hidden_of([{"kind": "Secret", "apiVersion": "external.example/v1", "data": {"a": VALUE}}])


def test_very_many_secrets_are_found_in_one_pass() -> None:
    values = [f"value-{n:05}-{n * 7919 % 10007:05}" for n in range(3_000)]
    hidden = Hidden(values)
    text = " ".join(values[::100]) + " value-00001-99999"
    assert hidden(text) == " ".join(["***"] * 30) + " value-00001-99999"


def test_no_answer_reaches_pytest_with_a_value() -> None:
    verdicts = Verdicts()
    verdicts.hidden = hidden_of([secret(VALUE)])
    finding = Finding(
        rule="r", severity=Severity.ERROR, message=f"saw {VALUE}", resource=f"ConfigMap {VALUE}", help=VALUE
    )
    verdicts.expect([("a", "render"), ("a", "policy")])
    verdicts.give(
        "a",
        StageResult(
            stage="render",
            outcome=Outcome.FAILED,
            message=f"helm said {VALUE}",
            findings=(finding,),
            evidence={"list": [{"text": VALUE}], "number": 1},
        ),
    )
    verdicts.fail_rest(code="tool-died", message=f"opa: {VALUE}")
    told = [verdicts.get("a", stage) for stage in ("render", "policy")]
    assert VALUE not in str(told)
    assert str(told).count("***") == 6


def test_what_is_secret_without_being_in_a_secret_is_hidden_too() -> None:
    assert hidden_of([], values=["Gr8Secret-git"])("git says Gr8Secret-git.") == "git says ***."
