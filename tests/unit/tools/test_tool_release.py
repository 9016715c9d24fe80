"""Published checksums in every form that publishers use, and archives."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from pytest_gitops.tools.context import Passed
from pytest_gitops.tools.release import expected, extract

GOOD, OTHER = "ab" * 32, "cd" * 32


@pytest.mark.parametrize(
    "text",
    [
        GOOD,  # dl.k8s.io
        GOOD.upper() + "\n",
        f"{GOOD}  opa_linux_amd64_static\n",  # shasum
        f"{GOOD} *opa_linux_amd64_static\n",  # shasum, binary
        f"{OTHER}  opa_linux_arm64_static\n{GOOD}  ./opa_linux_amd64_static\n",  # a list
        json.dumps(
            {"assets": [{"name": "opa_linux_amd64_static", "digest": f"sha256:{GOOD}"}]}
        ),  # GitHub's record
    ],
)
def test_the_digest_of_the_asset_is_found(text: str) -> None:
    assert expected(text, "opa_linux_amd64_static") == GOOD


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>not found</html>",
        f"{GOOD}  opa_linux_amd64\n",  # a longer name must not match a shorter one
        f"{GOOD}  opa_linux_amd64_static_debug\n",
        f"{GOOD[:-1]}  opa_linux_amd64_static\n",
        f"{GOOD}\n{OTHER}\n",
        json.dumps({"assets": []}),
        json.dumps({"assets": [{"name": "opa_linux_amd64_static", "digest": None}]}),
        json.dumps({"assets": [{"name": "opa_linux_amd64_static", "digest": f"sha512:{GOOD}"}]}),
        "{broken",
    ],
)
def test_without_the_digest_of_the_asset_the_release_is_not_used(text: str) -> None:
    with pytest.raises(Passed):
        expected(text, "opa_linux_amd64_static")


def tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as bundle:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            bundle.addfile(info, io.BytesIO(content))
    return path


def test_one_member_is_taken_out_of_a_tarball(tmp_path: Path) -> None:
    archive = tar(tmp_path / "a", {"etcd-v1/etcdctl": b"no", "etcd-v1/etcd": b"yes"})
    extract(archive, "etcd-v1/etcd", tmp_path / "etcd")
    assert (tmp_path / "etcd").read_bytes() == b"yes"


def test_one_member_is_taken_out_of_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a", "w") as bundle:
        bundle.writestr("etcd-v1/etcd", b"yes")
    extract(tmp_path / "a", "etcd-v1/etcd", tmp_path / "etcd")
    assert (tmp_path / "etcd").read_bytes() == b"yes"


def test_an_archive_without_the_member_is_not_used(tmp_path: Path) -> None:
    with pytest.raises(Passed, match="has no helm"):
        extract(tar(tmp_path / "a", {"README": b""}), "helm", tmp_path / "helm")


def test_what_is_no_archive_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("<html>")
    with pytest.raises(Passed):
        extract(tmp_path / "a", "helm", tmp_path / "helm")
