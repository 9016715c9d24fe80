from __future__ import annotations

import json

import pytest
from report_documents import nasty

from pytest_gitops.report import document
from pytest_gitops.report.redact import redact_diff, redact_text, redacted
from pytest_gitops.report.write import WRITERS

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("fatal: https://bot:s3cr3t@github.com/x/y.git not found", "s3cr3t"),
        ("fatal: https://s3cr3t@github.com/x/y.git not found", "s3cr3t"),
        ("Authorization: Bearer s3cr3t-s3cr3t", "s3cr3t-s3cr3t"),
        ("authorization: basic czNjcjN0OnMzY3IzdA==", "czNjcjN0"),
        *(
            (f"authorization: {word} czNjcjN0OnMzY3IzdA==", "czNjcjN0")
            for word in ("BASIC", "ba\u017fic", "bas\u0131c", "BAS\u0130C")
        ),
        *(
            (f"db.{word}=s3cr3t", "s3cr3t")
            for word in ("credent\u0130als", "pa\u017f\u017fword", "TO\u212aEN", "SECRET_\u212aEY")
        ),
        ("token is ghp_0123456789abcdefghijABCDEFGHIJ012345!", "ghp_0123456789"),
        ("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl", "c2lnbmF0dXJl"),
        ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
        (f"key:\n{KEY}\nend", "MIIEpAIBAAKCAQEA"),
        ("cut off: -----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA", "MIIEpAIBAAKCAQEA"),
        ("helm template --set db.password=s3cr3t .", "s3cr3t"),
        ("helm repo add x --password s3cr3t", "s3cr3t"),
        ("values:\n  redisPassword: s3cr3t\n", "s3cr3t"),
        ('{"password": "s3cr3t"}', "s3cr3t"),
        ('{\\"apiKey\\":\\"s3cr3t\\"}', "s3cr3t"),
        ('{"kind":"Secret","data":{"any":"czNjcjN0"}}', "czNjcjN0"),
        ('last-applied: {\\"kind\\":\\"Secret\\",\\"stringData\\":{\\"any\\":\\"s3cr3t\\"}}', "s3cr3t"),
        ("kind: Secret\ndata:\n  any: czNjcjN0\n  other: czNjcjN0\ntype: Opaque", "czNjcjN0"),
        (
            "failed to create typed patch object (a/b; /v1, Kind=Secret): .data.any: expected string, "
            "got &value.valueUnstructured{Value:s3cr3t}",
            "s3cr3t",
        ),
    ],
)
def test_a_secret_in_a_message_is_hidden(text: str, secret: str) -> None:
    hidden = redact_text(text)
    assert secret in text
    assert secret not in hidden
    assert "(hidden)" in hidden
    assert redact_text(hidden) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "Secret monitoring/grafana-admin is in git as it is",
        "password: true\nautomountServiceAccountToken: false",
        "https://github.com/fsiqueira/omega-btc-ai.git at HEAD",
        "git@github.com:fsiqueira/omega-btc-ai.git",
        "spec.tokens: Required value",
        'Deployment "a" is invalid: spec.selector: Invalid value: "x": field is immutable',
        "the image redis@sha256:0a1b2c, basic checks only",
        "metadata:\n  name: x\ndata:\n  level: '1.618'",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_text(text) == text


def test_a_secret_object_keeps_its_keys_only() -> None:
    given = {"kind": "Secret", "metadata": {"name": "x"}, "data": {"any": "czNjcjN0"}, "stringData": {"o": 1}}
    assert redacted(given) == {
        "kind": "Secret",
        "metadata": {"name": "x"},
        "data": {"any": "(hidden)"},
        "stringData": {"o": "(hidden)"},
    }


def test_values_with_a_telling_name_are_hidden() -> None:
    given = {
        "list": [
            {"name": "DB_PASSWORD", "value": "s3cr3t"},
            {"token": "s3cr3t"},
            {"name": "LEVEL", "value": "1"},
        ]
    }
    assert redacted(given) == {
        "list": [
            {"name": "DB_PASSWORD", "value": "(hidden)"},
            {"token": "(hidden)"},
            {"name": "LEVEL", "value": "1"},
        ]
    }


@pytest.mark.parametrize("name", WRITERS)
def test_no_report_holds_a_secret(name: str) -> None:
    text = WRITERS[name](document.build(nasty()))
    for secret in ("ghp_0123", "abcdefghijklmnop0123456789", "MIIEpAIBAAKCAQEA", "aHVudGVyMg", "hunter2"):
        assert secret not in text


def test_redacting_keeps_json_json() -> None:
    text = json.dumps({"password": 'with "quotes"', "a": "b"})
    assert json.loads(redact_text(text))["a"] == "b"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            ["-  password: old one", "+  password: new one"],
            ["-  password: (hidden)", "+  password: (hidden)"],
        ),
        (['+      apiKey: "a b"'], ["+      apiKey: (hidden)"]),
        (
            [" - name: DB_PASSWORD", "-  value: one", "+  value: two", " - name: LEVEL", "+  value: info"],
            [
                " - name: DB_PASSWORD",
                "-  value: (hidden)",
                "+  value: (hidden)",
                " - name: LEVEL",
                "+  value: info",
            ],
        ),
        (
            ["+  clientSecret: |", "+    first line", "+", "+    second", "+  other: x"],
            ["+  clientSecret: (hidden)", "+    (hidden)", "+(hidden)", "+    (hidden)", "+  other: x"],
        ),
        (
            [
                "   tls: |",
                "+    -----BEGIN RSA PRIVATE KEY-----",
                "+    MIIEpAIB",
                "+    -----END RSA PRIVATE KEY-----",
                "   a: b",
            ],
            ["   tls: |", "+    (hidden)", "+    (hidden)", "+    (hidden)", "   a: b"],
        ),
        (["+  dsn: mysql://a:b@c/d"], ["+  dsn: mysql://(hidden)@c/d"]),
    ],
)
def test_a_diff_is_hidden_line_by_line(given: list[str], expected: list[str]) -> None:
    assert redact_diff(given) == expected
    assert redact_diff(expected) == expected


@pytest.mark.parametrize(
    "lines",
    [
        ["@@ -1,3 +1,3 @@ spec.token", "+  automountServiceAccountToken: false", " data:", "-  level: info"],
        ["+    secretKeyRef:", "+      key: password", "+      name: db"],
        ["+  password: (value hidden, changed)", "   user: (value hidden)"],
        ["… 12 changed lines more"],
    ],
)
def test_what_is_no_secret_stays_in_a_diff(lines: list[str]) -> None:
    assert redact_diff(lines) == lines


def test_what_looks_alike_once_it_is_hidden_says_that_it_changed() -> None:
    lines = ["-  token: a", "+  token: b", "   x: y", "+  token: c"]
    assert redacted({"diff": lines}) == {
        "diff": ["-  token: (hidden)", "+  token: (hidden) (changed)", "   x: y", "+  token: (hidden)"]
    }


@pytest.mark.parametrize(
    ("path", "hides"),
    [
        ("spec.source.helm.parameters[name=db.password].value", True),
        ("spec.template.spec.containers[name=web].env[name=API_KEY].value", True),
        ("spec.password", True),
        ("spec.passwordPolicy", False),
        ("spec.template.spec.automountServiceAccountToken.x", False),
    ],
)
def test_a_changed_field_with_a_telling_name_hides_its_values(path: str, hides: bool) -> None:
    told = redacted({"path": path, "op": "replace", "old": "one", "new": 2, "noise": None})
    assert (told["old"], told["new"]) == (("(hidden)", "(hidden)") if hides else ("one", 2))
    live = redacted({"object": "ConfigMap a", "path": path, "desired": "one", "live": 2})
    assert (live["desired"], live["live"]) == (("(hidden)", "(hidden)") if hides else ("one", 2))
    assert redacted({"path": path, "op": "add", "old": None, "new": True})["new"] is True


def test_what_the_run_knows_to_be_secret_is_hidden_in_every_text() -> None:
    given = {"a": ["x SECRET y"], "diff": ["+ SECRET"], "b": {"c": "SECRET"}}
    told = redacted(given, hide=lambda text: text.replace("SECRET", "***"))
    assert told == {"a": ["x *** y"], "diff": ["+ ***"], "b": {"c": "***"}}
