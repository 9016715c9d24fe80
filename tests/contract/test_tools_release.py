"""Official releases against an HTTPS server with the official layouts: paths, checksums, archives."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools_support import Hosts, hosts, program

from pytest_gitops.errors import ConfigError, ToolError
from pytest_gitops.tools import Action, Origin, Progress, Tool, ensure, locked
from pytest_gitops.tools.context import NoWay, Passed, ask_version
from pytest_gitops.tools.fetch import ATTEMPTS, Fetcher
from pytest_gitops.tools.parts import Part

pytestmark = pytest.mark.engine

GITHUB = "github.com"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Hosts]:
    with hosts(tmp_path) as served:
        yield served


@pytest.fixture(autouse=True)
def one_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("release", "store"):
        monkeypatch.setattr(f"pytest_gitops.tools.{module}.this_platform", lambda: "linux-amd64")


@pytest.fixture(autouse=True)
def no_building(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(part: Part, context: object) -> Tool:
        raise Passed("not in this test") if part.build else NoWay

    monkeypatch.setattr("pytest_gitops.tools.build.build", build)


def tar(member: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as bundle:
        info = tarfile.TarInfo(member)
        info.size = len(content)
        bundle.addfile(info, io.BytesIO(content))
    return file.getvalue()


def package(member: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as bundle:
        bundle.writestr(member, content)
    return file.getvalue()


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def publish(served: Hosts, name: str, os: str = "linux") -> str:
    """Publish a tool exactly as its makers do, and return the asset's "host/path"."""
    platform, arch = f"{os}-amd64", "amd64"
    # One program in several versions is a part for each, and one file at its makers'.
    part = next(part for part in locked() if part.name == name)
    version = part.version
    if name.startswith("kube"):
        url = f"dl.k8s.io/release/v{version}/bin/{os}/{arch}/{part.binary}"
        said = {"kubeadm": f"v{version}", "kubectl": f"Client Version: v{version}"}
        content = program(said.get(name, f"Kubernetes v{version}"))
        sums = {f"{url}.sha256": sha(content)}
    elif part.binary == "etcd":
        base, stem = f"{GITHUB}/etcd-io/etcd/releases/download/v{version}", f"etcd-v{version}-{platform}"
        binary = program(f"etcd Version: {version}\nGit SHA: cafe")
        content = (package if os == "darwin" else tar)(f"{stem}/etcd", binary)
        asset = f"{stem}.zip" if os == "darwin" else f"{stem}.tar.gz"
        url = f"{base}/{asset}"
        sums = {
            f"{base}/SHA256SUMS": f"{'0' * 64}  etcd-v{version}-linux-arm64.tar.gz\n{sha(content)}  {asset}\n"
        }
    elif name == "argocd":
        base = f"{GITHUB}/argoproj/argo-cd/releases/download/v3.6.1"
        content = program("argocd: v3.6.1+cafe123")
        url = f"{base}/argocd-{platform}"
        listed = f"{'0' * 64}  argocd-linux-arm64\n{sha(content)}  argocd-{platform}\n"
        sums = {f"{base}/cli_checksums.txt": listed}
    elif name == "kwok":
        content = program("kwok version v0.8.0 go1.27.3 (linux/amd64)")
        url = f"{GITHUB}/kubernetes-sigs/kwok/releases/download/v0.8.0/kwok-{platform}"
        record = {
            "tag_name": "v0.8.0",
            "assets": [{"name": f"kwok-{platform}", "digest": f"sha256:{sha(content)}"}],
        }
        sums = {"api.github.com/repos/kubernetes-sigs/kwok/releases/tags/v0.8.0": json.dumps(record)}
    elif name == "opa":
        content = program("Version: 1.22.2\nBuild Commit: cafe")
        url = f"openpolicyagent.org/downloads/v1.22.2/opa_{os}_{arch}_static"
        sums = {f"{url}.sha256": f"{sha(content)}  opa_{os}_{arch}_static\n"}
    elif name == "helm":
        content = tar(f"{platform}/helm", program("v3.22.0+gcafe123"))
        url = f"get.helm.sh/helm-v3.22.0-{platform}.tar.gz"
        sums = {f"{url}.sha256sum": f"{sha(content)}  helm-v3.22.0-{platform}.tar.gz\n"}
    elif name == "kustomize":
        base = f"{GITHUB}/kubernetes-sigs/kustomize/releases/download/kustomize/v5.8.2"
        content = tar("kustomize", program("v5.8.2"))
        url = f"{base}/kustomize_v5.8.2_{os}_{arch}.tar.gz"
        sums = {f"{base}/checksums.txt": f"{sha(content)}  kustomize_v5.8.2_{os}_{arch}.tar.gz\n"}
    else:
        content = program("kind v0.33.0 go1.27.3 linux/amd64")
        url = f"{GITHUB}/kubernetes-sigs/kind/releases/download/v0.33.0/kind-{platform}"
        sums = {f"{url}.sha256sum": f"{sha(content)}  kind-{platform}\n"}
    served.files[url] = content
    served.files.update({path: text.encode() for path, text in sums.items()})
    return url


RELEASED = [p.name for p in locked() if p.releases]


def get(served: Hosts, tmp_path: Path, *names: str, heard: list[Progress] | None = None) -> dict[str, Tool]:
    return ensure(
        names,
        cache=tmp_path / "cache",
        environ=served.environ(tmp_path),
        mirrors=served.mirrors(),
        report=(heard if heard is not None else []).append,
    )


def test_every_release_is_had_from_its_official_place(served: Hosts, tmp_path: Path) -> None:
    for name in RELEASED:
        publish(served, name)
    found = get(served, tmp_path, *RELEASED)
    assert list(found) == RELEASED
    for tool in found.values():
        assert tool.origin is Origin.RELEASE
        assert tool.path.stat().st_mode & 0o111
        binary = next(p.binary for p in locked() if p.name == tool.name)
        assert tool.path == tmp_path / "cache" / tool.name / tool.version / "linux-amd64" / binary
    assert not list((tmp_path / "cache" / "partial").iterdir())
    assert not list((tmp_path / "cache" / "tmp").iterdir())


def test_a_program_that_another_thread_still_holds_is_asked_again(tmp_path: Path) -> None:
    tool = tmp_path / "tiny"
    tool.write_text("#!/bin/sh\necho v1.2.3\n")
    tool.chmod(0o755)
    part = Part(name="tiny", version="1.2.3", binary="tiny", argv=("--version",), pattern=r"v(\S+)")
    with tool.open("a") as held:  # as a fork of another thread does, for an instant
        later = threading.Timer(0.2, held.close)
        later.start()
        assert ask_version(part, tool, {}) == "1.2.3"
        later.join()


def test_a_zip_is_opened_on_macos(served: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("release", "store"):
        monkeypatch.setattr(f"pytest_gitops.tools.{module}.this_platform", lambda: "darwin-amd64")
    publish(served, "etcd", os="darwin")
    assert get(served, tmp_path, "etcd")["etcd"].version == "3.6.8"


def test_a_warm_cache_asks_nobody(served: Hosts, tmp_path: Path) -> None:
    publish(served, "helm")
    first = get(served, tmp_path, "helm")
    served.asked.clear()
    assert get(served, tmp_path, "helm") == first
    assert served.asked == []


@pytest.mark.parametrize("name", RELEASED)
def test_a_wrong_checksum_is_refused_by_name(served: Hosts, tmp_path: Path, name: str) -> None:
    url = publish(served, name)
    changed = served.files[url] + b"#"
    good, served.files[url] = sha(served.files[url]), changed
    with pytest.raises(ToolError) as error:
        get(served, tmp_path, name)
    assert str(error.value) == (
        f"{name}: the checksum of {served.url}/{url} is wrong: expected sha256 {good}, saw {sha(changed)}. "
        "The file was thrown away. Somebody changed it on its way: find out who before you try again."
    )
    assert not list((tmp_path / "cache" / "partial").iterdir())
    assert not (tmp_path / "cache" / name).exists()


def test_the_crds_are_checked_against_the_lock(served: Hosts, tmp_path: Path) -> None:
    base = "raw.githubusercontent.com/argoproj/argo-cd/v3.6.1/manifests/crds"
    for name in ("application-crd.yaml", "applicationset-crd.yaml", "appproject-crd.yaml"):
        served.files[f"{base}/{name}"] = b"kind: CustomResourceDefinition\n"
    with pytest.raises(ToolError, match=r"^argocd-crds: the checksum of .*/application-crd\.yaml is wrong"):
        get(served, tmp_path, "argocd-crds")


def test_an_unlisted_asset_is_not_used(served: Hosts, tmp_path: Path) -> None:
    url = publish(served, "argocd")
    served.files[url.replace("argocd-linux-amd64", "cli_checksums.txt")] = b"0  something-else\n"
    with pytest.raises(ToolError, match="its published checksums do not name argocd-linux-amd64"):
        get(served, tmp_path, "argocd")


def test_a_broken_transfer_goes_on_where_it_broke_off(served: Hosts, tmp_path: Path) -> None:
    url = publish(served, "opa")
    served.cut[url] = 1
    get(served, tmp_path, "opa")
    asked = [wanted for path, wanted in served.asked if path == url]
    assert asked == ["", f"bytes={len(served.files[url]) // 2}-"]


def test_a_redirect_is_followed(served: Hosts, tmp_path: Path) -> None:
    url = publish(served, "opa")
    served.files["elsewhere"] = served.files.pop(url)
    served.redirect[url] = f"{served.url}/elsewhere"
    assert get(served, tmp_path, "opa")["opa"].origin is Origin.RELEASE


def test_a_redirect_out_of_https_is_not_followed(served: Hosts, tmp_path: Path) -> None:
    url = publish(served, "opa")
    served.files.pop(url)
    served.redirect[url] = "http://127.0.0.1:1/opa"
    with pytest.raises(ToolError, match=r"it redirects to http://127\.0\.0\.1:1/opa, which is not https"):
        get(served, tmp_path, "opa")


def test_a_server_without_ranges_sends_it_all_again(served: Hosts, tmp_path: Path) -> None:
    url = publish(served, "opa")
    served.cut[url], served.ranges = 1, False
    assert get(served, tmp_path, "opa")["opa"].version == "1.22.2"


def test_a_transfer_that_always_breaks_is_a_reason_and_the_next_run_goes_on(
    served: Hosts, tmp_path: Path
) -> None:
    url = publish(served, "opa")
    served.cut[url] = ATTEMPTS
    with pytest.raises(ToolError, match=f"broke off {ATTEMPTS} times"):
        get(served, tmp_path, "opa")
    served.asked.clear()
    get(served, tmp_path, "opa")
    assert next(wanted for path, wanted in served.asked if path == url).startswith("bytes=")


def test_leftovers_of_another_file_are_not_the_end(served: Hosts, tmp_path: Path) -> None:
    publish(served, "opa")
    partial = tmp_path / "cache" / "partial" / "opa-1.22.2-linux-amd64"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"not the beginning")
    assert get(served, tmp_path, "opa")["opa"].origin is Origin.RELEASE


def test_leftovers_longer_than_the_file_are_not_the_end(served: Hosts, tmp_path: Path) -> None:
    url = publish(served, "opa")
    partial = tmp_path / "cache" / "partial" / "opa-1.22.2-linux-amd64"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(served.files[url] * 2)
    assert get(served, tmp_path, "opa")["opa"].origin is Origin.RELEASE


def test_a_release_that_says_another_version_is_not_used(served: Hosts, tmp_path: Path) -> None:
    url = publish(served, "opa")
    served.files[url] = program("Version: 1.22.3")
    served.files[f"{url}.sha256"] = sha(served.files[url]).encode()
    with pytest.raises(ToolError, match=r"the official release: opa says it is 1\.22\.3, expected 1\.22\.2"):
        get(served, tmp_path, "opa")


@pytest.mark.parametrize(
    ("status", "reason"), [(404, "is not there: HTTP 404"), (410, "is not there: HTTP 410")]
)
def test_what_is_not_published_is_a_reason(served: Hosts, tmp_path: Path, status: int, reason: str) -> None:
    url = publish(served, "opa")
    served.status[url] = status
    with pytest.raises(ToolError, match=reason):
        get(served, tmp_path, "opa")


def test_a_server_in_trouble_is_asked_again(served: Hosts, tmp_path: Path) -> None:
    url = publish(served, "opa")
    served.status[f"{url}.sha256"] = 503
    with pytest.raises(ToolError, match=f"broke off {ATTEMPTS} times: HTTP 503"):
        get(served, tmp_path, "opa")
    assert len(served.asked) == ATTEMPTS


@pytest.mark.parametrize("status", [403, 407])
def test_a_host_that_refuses_is_not_asked_again(served: Hosts, tmp_path: Path, status: int) -> None:
    served.status["dl.k8s.io/a"] = status
    fetcher = Fetcher(served.environ(tmp_path), served.mirrors(), cancelled=threading.Event())
    for path in ("a", "b"):
        with pytest.raises(Passed, match=f"refused with HTTP {status}"):
            fetcher.text(f"https://dl.k8s.io/{path}")
    assert served.asked == [("dl.k8s.io/a", "")]


def test_a_host_out_of_reach_is_named(served: Hosts, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        heard: list[Progress] = []
        with pytest.raises(ToolError, match=f"the official release: {address} is out of reach: .*refused"):
            ensure(
                ["kube-apiserver"],
                cache=tmp_path / "cache",
                environ=served.environ(tmp_path),
                mirrors={"dl.k8s.io": f"https://{address}"},
                report=heard.append,
            )
    assert Action.PASS in {p.action for p in heard}


def test_a_server_whose_certificate_nobody_vouches_for_is_not_used(served: Hosts, tmp_path: Path) -> None:
    publish(served, "opa")
    other = tmp_path / "other"
    other.mkdir()
    with hosts(other) as strangers:
        environ = {**served.environ(tmp_path), "SSL_CERT_FILE": str(strangers.ca)}
    with pytest.raises(ToolError, match="CERTIFICATE_VERIFY_FAILED"):
        ensure(["opa"], cache=tmp_path / "cache", environ=environ, mirrors=served.mirrors())
    assert served.asked == []


def test_the_proxy_of_the_environment_is_used(served: Hosts, tmp_path: Path) -> None:
    publish(served, "opa")
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        said: list[bytes] = []

        def refuse() -> None:
            client, _ = proxy.accept()
            with client:
                said.append(client.recv(4096))
                client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        environ = {**served.environ(tmp_path), "HTTPS_PROXY": f"http://127.0.0.1:{proxy.getsockname()[1]}"}
        with pytest.raises(ToolError, match=r"is out of reach: Tunnel connection failed: 403 Forbidden"):
            ensure(["opa"], cache=tmp_path / "cache", environ=environ, mirrors=served.mirrors())
        thread.join(10)
    assert said[0].startswith(b"CONNECT 127.0.0.1:")


def test_no_proxy_is_honoured(served: Hosts, tmp_path: Path) -> None:
    publish(served, "opa")
    environ = {**served.environ(tmp_path), "HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "127.0.0.1"}
    found = ensure(["opa"], cache=tmp_path / "cache", environ=environ, mirrors=served.mirrors())
    assert found["opa"].origin is Origin.RELEASE


def test_roots_that_cannot_be_read_are_a_configuration_error(served: Hosts, tmp_path: Path) -> None:
    environ = {**served.environ(tmp_path), "SSL_CERT_FILE": str(tmp_path / "nowhere.pem")}
    with pytest.raises(ConfigError, match=r"SSL_CERT_FILE: no certificates can be read from .*nowhere\.pem"):
        ensure(["opa"], cache=tmp_path / "cache", environ=environ)


def test_a_mirror_must_be_a_url(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"mirror of dl\.k8s\.io: expected an https:// URL, saw '/srv/mirror'"
    ):
        ensure(["opa"], cache=tmp_path / "c", environ={"PATH": ""}, mirrors={"dl.k8s.io": "/srv/mirror"})


def test_the_wrong_version_on_path_is_passed_over_with_its_version(served: Hosts, tmp_path: Path) -> None:
    publish(served, "helm")
    old = tmp_path / "helm"
    old.write_bytes(program("v3.17.3+gcafe"))
    old.chmod(0o755)
    heard: list[Progress] = []
    tool = get(served, tmp_path, "helm", heard=heard)["helm"]
    assert tool.origin is Origin.RELEASE
    reasons = [p.detail for p in heard if p.action is Action.PASS]
    assert reasons == [f"PATH: {old} is 3.17.3, expected 3.22.0"]


def test_the_right_version_on_path_is_taken_and_asked_once(served: Hosts, tmp_path: Path) -> None:
    log = tmp_path / "asked"
    ours = tmp_path / "helm"
    ours.write_bytes(program("v3.22.0+gcafe") + f'echo "$@" >> {log}\n'.encode())
    ours.chmod(0o755)
    for _ in range(3):
        tool = get(served, tmp_path, "helm")["helm"]
        assert (tool.origin, tool.path, tool.version) == (Origin.PATH, ours, "3.22.0")
    assert log.read_text().splitlines() == ["version --short"]
    assert served.asked == []


def test_a_path_that_is_given_wins_whatever_its_version(served: Hosts, tmp_path: Path) -> None:
    publish(served, "helm")
    mine = tmp_path / "my-helm"
    mine.write_bytes(program("v3.18.0"))
    mine.chmod(0o755)
    found = ensure(
        ["helm"], cache=tmp_path / "cache", environ=served.environ(tmp_path), explicit={"helm": mine}
    )
    assert found["helm"] == Tool(name="helm", version="3.18.0", path=mine, origin=Origin.EXPLICIT)


def test_git_too_old_is_an_error_that_says_what_to_do(served: Hosts, tmp_path: Path) -> None:
    old = tmp_path / "git"
    old.write_bytes(program("git version 2.20.1"))
    old.chmod(0o755)
    with pytest.raises(ToolError) as error:
        get(served, tmp_path, "git")
    assert str(error.value) == (
        "git: version 2.30 or newer cannot be had:\n"
        f"  - PATH: {old} is 2.20.1, expected 2.30 or newer\n"
        "Install git with the system's package manager, and run it again."
    )
