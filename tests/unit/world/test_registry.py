"""Charts as an OCI registry answers for them: the protocol, on a folder that looks as helm left it."""

from __future__ import annotations

import hashlib
import json
import socket
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest

from pytest_gitops.serving.wire import Exchange
from pytest_gitops.world.registry import Registry, registry

AT = "/v2/team/charts/redis"


def packaged(folder: Path) -> Path:
    """Two versions of redis, one of them signed, and one of postgres."""
    entries: dict[str, list[dict[str, Any]]] = {"redis": [], "postgres": []}
    for name, version in (("redis", "1.2.3"), ("redis", "1.1.0+build.7"), ("postgres", "9.0.0")):
        file = folder / f"{name}-{version}.tgz"
        file.write_bytes(f"{name} {version}".encode())
        ours = {"urls": [file.name], "created": "2030-01-01T00:00:00Z", "digest": "f00", "removed": False}
        entries[name].append({"name": name, "version": version, "apiVersion": "v2", **ours})
    (folder / "redis-1.2.3.tgz.prov").write_text("signed")
    (folder / "index.yaml").write_text(json.dumps({"apiVersion": "v1", "entries": entries}))
    (folder / "secret").write_text("do not read me")
    return folder


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return registry("registry.example.com", "team/charts", packaged(tmp_path_factory.mktemp("charts")))


def ask(served: Registry, path: str, method: str = "GET") -> tuple[int, Message, bytes]:
    """The status, headers and body that a request for `path` is answered with."""
    client, server = socket.socketpair()
    with client, server:
        client.sendall(f"{method} {path} HTTP/1.1\r\n\r\n".encode())
        with server.makefile("rb") as reader:
            served.answer(Exchange(server, reader), path)
        server.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as answer:
            head, _, body = answer.read().partition(b"\r\n\r\n")
    status, _, headers = head.partition(b"\r\n")
    return int(status.split()[1]), BytesParser().parsebytes(headers), body


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_it_says_that_it_is_a_registry_and_asks_nobody_who_they_are(served, path):
    status, headers, body = ask(served, path)
    assert (status, body, headers["www-authenticate"]) == (200, b"{}", None)
    assert headers["docker-distribution-api-version"] == "registry/2.0"


def test_tags_are_the_versions_as_helm_writes_them(served):
    status, headers, body = ask(served, f"{AT}/tags/list")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body) == {"name": "team/charts/redis", "tags": ["1.1.0_build.7", "1.2.3"]}


def test_a_manifest_leads_to_the_package_its_metadata_and_its_signature(served):
    status, headers, body = ask(served, f"{AT}/manifests/1.2.3")
    manifest = json.loads(body)
    assert (status, headers["content-type"]) == (200, manifest["mediaType"])
    assert headers["docker-content-digest"] == digest(body)
    assert manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    found = {}
    for each in (manifest["config"], *manifest["layers"]):
        status, headers, content = ask(served, f"{AT}/blobs/{each['digest']}")
        assert (status, headers["docker-content-digest"]) == (200, each["digest"])
        assert (each["digest"], each["size"]) == (digest(content), len(content))
        found[each["mediaType"]] = content
    assert json.loads(found.pop("application/vnd.cncf.helm.config.v1+json")) == {
        "name": "redis", "version": "1.2.3", "apiVersion": "v2",
    }  # fmt: skip
    assert found == {
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip": b"redis 1.2.3",
        "application/vnd.cncf.helm.chart.provenance.v1.prov": b"signed",
    }


def test_a_chart_without_a_signature_has_one_layer(served):
    manifest = json.loads(ask(served, f"{AT}/manifests/1.1.0_build.7")[2])
    assert [layer["mediaType"].rsplit(".", 1)[1] for layer in manifest["layers"]] == ["tar+gzip"]


@pytest.mark.parametrize("reference", ["1.2.3", "digest", "digest, escaped"])
def test_a_manifest_is_found_by_tag_and_by_digest(served, reference):
    _, headers, body = ask(served, f"{AT}/manifests/1.2.3")
    by = headers["docker-content-digest"]
    by = {"digest": by, "digest, escaped": by.replace(":", "%3A")}.get(reference, reference)
    assert ask(served, f"{AT}/manifests/{by}")[2] == body


def test_head_tells_digest_length_and_type_without_the_body(served):
    _, _, body = ask(served, f"{AT}/manifests/1.2.3")
    status, headers, nothing = ask(served, f"{AT}/manifests/1.2.3", "HEAD")
    assert (status, headers["content-length"], nothing) == (200, str(len(body)), b"")
    assert headers["docker-content-digest"] == digest(body)


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        (
            f"{AT}/manifests/9.9.9",
            "MANIFEST_UNKNOWN",
            "no 9.9.9 of this chart; served from a folder are: 1.1.0_build.7, 1.2.3",
        ),
        (
            f"{AT}/blobs/1.2.3",
            "BLOB_UNKNOWN",
            "no 1.2.3 of this chart; served from a folder are: 1.1.0_build.7, 1.2.3",
        ),
        (
            "/v2/team/charts/mysql/tags/list",
            "NAME_UNKNOWN",
            "no such chart; served from a folder are: postgres, redis",
        ),
        ("/v2/team/charts/tags/list", "NAME_UNKNOWN", None),
        (f"{AT}/tags/other", "NAME_UNKNOWN", None),
        (f"{AT}/referrers/sha256:0", "NAME_UNKNOWN", None),
        (f"{AT}/", "NAME_UNKNOWN", None),
    ],
)
def test_what_is_not_there_is_a_registrys_404_that_says_what_is(served, path, code, message):
    status, headers, body = ask(served, path)
    (error,) = json.loads(body)["errors"]
    assert (status, headers["content-type"], error["code"]) == (404, "application/json", code)
    assert message in {None, error["message"]}


def test_a_blob_of_one_chart_is_not_anothers(served):
    manifest = json.loads(ask(served, f"{AT}/manifests/1.2.3")[2])
    other = f"/v2/team/charts/postgres/blobs/{manifest['config']['digest']}"
    assert ask(served, other)[0] == 404


@pytest.mark.parametrize("what", ["manifests", "blobs"])
@pytest.mark.parametrize(
    "path", ["../secret", "..%2fsecret", "secret", "%2e%2e/secret", "redis-1.2.3.tgz", ""]
)
def test_no_path_leads_to_a_file(served, what, path):
    status, _, body = ask(served, f"{AT}/{what}/{path}")
    assert status == 404
    assert b"do not read me" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/blobs/uploads/", "/manifests/1.2.3"])
def test_nothing_can_be_pushed(served, method, path):
    status, _, body = ask(served, f"{AT}{path}", method)
    assert status == 405
    assert json.loads(body) == {"errors": [{"code": "UNSUPPORTED", "message": "charts can only be read"}]}


@pytest.mark.parametrize(
    ("host", "path", "covered"),
    [
        ("registry.example.com", f"{AT}/tags/list", True),
        ("registry.example.com", "/v2/", True),
        ("registry.example.com", "/v2/team%2Fcharts/redis/tags/list", True),
        ("registry.example.com", "/v2/team/charts-too/redis/tags/list", False),
        ("registry.example.com", "/v2/_catalog", False),
        ("registry.example.com", "/team/charts/redis/tags/list", False),
        ("example.com", f"{AT}/tags/list", False),
        ("example.com", "/v2/", False),
    ],
)
def test_only_its_own_charts_and_the_version_check_are_its(served, host, path, covered):
    assert served.covers(host, path) is covered


def test_a_registry_may_have_its_charts_at_its_top(tmp_path):
    served = registry("registry.example.com", "", packaged(tmp_path))
    assert served.covers("registry.example.com", "/v2/redis/tags/list")
    assert json.loads(ask(served, "/v2/redis/tags/list")[2])["name"] == "redis"
