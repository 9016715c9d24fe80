"""The repo-server's messages: bytes as Argo CD's own generated code writes and reads them."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_gitops.argocd.messages import FIELDS, decode, encode


@pytest.mark.parametrize(
    ("name", "value", "wire"),
    [
        # tag = field number << 3 | wire type; 2: length-delimited, 0: a number
        ("Repository", {"repo": "r"}, bytes([1 << 3 | 2, 1]) + b"r"),
        ("ManifestRequest", {"revision": "m"}, bytes([2 << 3 | 2, 1]) + b"m"),
        ("ManifestRequest", {"noCache": True}, bytes([3 << 3, 1])),
        (
            "ManifestRequest",
            {"apiVersions": ["a", "b"]},
            bytes([15 << 3 | 2, 1]) + b"a" + bytes([15 << 3 | 2, 1]) + b"b",
        ),
        ("ManifestRequest", {"hasMultipleSources": True}, bytes([0xB0, 1, 1])),
        ("ManifestRequest", {"projectName": "p"}, bytes([0xCA, 1, 1]) + b"p"),
        (
            "ManifestRequest",
            {"enabledSourceTypes": {"Helm": True}},
            bytes([0xA2, 1, 8, 0x0A, 4]) + b"Helm" + bytes([0x10, 1]),
        ),
        ("Helm", {"valuesObject": {"raw": "e30="}}, bytes([10 << 3 | 2, 4, 0x0A, 2]) + b"{}"),
        ("KustomizeReplica", {"count": {"type": "0", "intVal": 3}}, bytes([0x12, 4, 8, 0, 0x10, 3])),
        ("ApplicationSource", {"ref": "v"}, bytes([13 << 3 | 2, 1]) + b"v"),
    ],
)
def test_a_field_has_its_number(name: str, value: dict[str, Any], wire: bytes) -> None:
    assert encode(name, value) == wire
    assert decode(name, wire) == value


def test_numbers_and_names_are_each_used_once() -> None:
    for name, fields in FIELDS.items():
        pairs = [f.split() for f in fields.split(";")]
        assert len({number for _, number in pairs}) == len(pairs), name
        assert len({label.partition(":")[0] for label, _ in pairs}) == len(pairs), name


def test_what_we_do_not_know_is_left_out_and_nothing_else() -> None:
    assert decode("Helm", encode("Helm", {"releaseName": "x", "newField": {"a": 1}})) == {"releaseName": "x"}
    assert decode("ManifestResponse", bytes([0x7A, 1]) + b"x") == {}


def test_an_answer_has_only_what_was_sent() -> None:
    wire = encode(
        "ManifestResponse", {"manifests": ["{}", '{"a":"é"}'], "sourceType": "Helm", "revision": "4f1"}
    )
    assert decode("ManifestResponse", wire) == {
        "manifests": ["{}", '{"a":"é"}'],
        "sourceType": "Helm",
        "revision": "4f1",
    }
