"""The images of a node: what an archive holds, and which file of a Debian a path means."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from pytest_gitops.errors import EngineError
from pytest_gitops.kindnode.archive import Image, write
from pytest_gitops.kindnode.contents import CONTROL, PAUSE_OF_KIND, images, inside, loaded, wanted
from pytest_gitops.kindnode.node import may_raise_resources


def read(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}  # type: ignore[union-attr]


def blob(found: dict[str, bytes], described: dict[str, Any]) -> bytes:
    content = found[f"blobs/sha256/{described['digest'].removeprefix('sha256:')}"]
    assert len(content) == described["size"]
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == described["digest"]
    return content


def test_an_archive_has_each_image_under_all_its_names_and_every_digest_is_true(tmp_path: Path) -> None:
    (tmp_path / "program").write_bytes(b"run me")
    image = Image(
        names=("a.example/x:1", "b.example/x:2"),
        files={"/usr/bin/x": tmp_path / "program"},
        links={"/usr/bin/y": "x"},
        folders=("/tmp",),  # noqa: S108
        entrypoint=("/usr/bin/x",),
    )
    write([image], tmp_path / "out.tar", architecture="arm64")
    found = read(tmp_path / "out.tar")
    entries = json.loads(found["index.json"])["manifests"]
    assert [e["annotations"]["io.containerd.image.name"] for e in entries] == list(image.names)
    assert {e["platform"]["architecture"] for e in entries} == {"arm64"}
    manifest = json.loads(blob(found, entries[0]))
    config = json.loads(blob(found, manifest["config"]))
    assert config["config"]["Entrypoint"] == ["/usr/bin/x"]
    (layer,) = manifest["layers"]
    assert config["rootfs"]["diff_ids"] == [layer["digest"]]
    with tarfile.open(fileobj=io.BytesIO(blob(found, layer))) as tar:
        members = {m.name: m for m in tar}
        assert tar.extractfile("usr/bin/x").read() == b"run me"  # type: ignore[union-attr]
    assert members["usr/bin/x"].mode == 0o755
    assert members["usr/bin/y"].linkname == "x"
    assert members["tmp"].mode == 0o1777
    assert list(members).index("usr") < list(members).index("usr/bin/x")


def test_a_link_leads_to_a_file_of_that_system_and_not_of_this_one(tmp_path: Path) -> None:
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/libm.so.6").write_text("")
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "usr/lib/abs").symlink_to("/lib/libm.so.6")
    (tmp_path / "usr/lib/up").symlink_to("../lib/abs")
    for path in ("/lib/libm.so.6", "/usr/lib/abs", "/lib/up"):
        assert inside(tmp_path, path) == tmp_path / "usr/lib/libm.so.6"
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(EngineError, match="too many links"):
        inside(tmp_path, "/loop")


def test_a_library_that_is_missing_is_said() -> None:
    with pytest.raises(EngineError, match=r"kube-proxy needs it: libm\.so\.6"):
        loaded("\tlibm.so.6 => not found\n\tlibc.so.6 => /lib/libc.so.6 (0x1)")
    assert loaded("\t/lib64/ld-linux-x86-64.so.2 (0x1)") == ["/lib64/ld-linux-x86-64.so.2"]


def test_what_kubeadm_wants_is_made_and_pause_has_the_name_that_kind_uses_too(tmp_path: Path) -> None:
    (tmp_path / "usr/sbin").mkdir(parents=True)
    names = wanted(" ".join(f"registry.k8s.io/{n}:v1" for n in (*CONTROL, "kube-proxy", "etcd", "pause")))
    with pytest.raises(EngineError, match="no image for coredns; saw kube-apiserver"):
        images(names, tools={}, root=tmp_path, libraries=())
    names |= wanted("registry.k8s.io/coredns/coredns:v1")
    programs = (*CONTROL, "kube-proxy", "etcd-3-7", "coredns", "pause")
    made = images(
        names, tools={p: tmp_path / p for p in programs}, root=tmp_path, libraries=["/lib/libm.so.6"]
    )
    assert {n for image in made for n in image.names} == {*names.values(), PAUSE_OF_KIND}
    proxy = next(i for i in made if names["kube-proxy"] in i.names)
    assert {"/lib/libm.so.6", "/usr/sbin/nft"} <= set(proxy.files)
    assert "/usr/sbin/iptables-restore" in proxy.links


@pytest.mark.parametrize(("bounds", "may"), [("000001ffffffffff", True), ("000001fffeffffff", False)])
def test_whether_resources_can_be_raised_is_read_from_the_bounding_set(bounds: str, may: bool) -> None:
    assert may_raise_resources(f"Name:\tx\nCapBnd:\t{bounds}\n") is may
