"""Which authorities an installation trusts, and where they are put."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_gitops.argocd.certificates import certificates, write

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def config_map(data: Any, name: str = "argocd-tls-certs-cm") -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_each_host_has_its_own() -> None:
    maps = [config_map({"x.example.com": PEM}, name="argocd-cm"), config_map({"git.example.com": PEM})]
    assert certificates(maps) == {"git.example.com": PEM}


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".", "..", ".hidden", "a b", "a\x00b"])
def test_what_is_no_name_of_a_host_makes_no_file(name: str) -> None:
    assert certificates([config_map({name: PEM})]) == {}


@pytest.mark.parametrize(
    "data", [None, [], {"git.example.com": "nonsense"}, {"git.example.com": None}, {7: {}}]
)
def test_what_is_no_certificate_is_left_out(data: Any) -> None:
    assert certificates([config_map(data)]) == {}
    assert certificates([]) == {}


def test_they_are_where_argo_cd_looks_with_what_vouches_for_stand_ins(tmp_path: Path) -> None:
    write(tmp_path, {"git.example.com": PEM.rstrip()}, more="MORE\n")
    assert {f.name: f.read_text() for f in tmp_path.iterdir()} == {"git.example.com": f"{PEM}MORE\n"}
