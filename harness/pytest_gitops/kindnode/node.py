"""The file tree of a node: Debian, kind's own files, the binaries, and what has to be otherwise without a registry."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pytest_gitops.kindnode.contents import loaded
from pytest_gitops.processes.process import Supervisor, run

SUITE = "trixie"  # what kind's own base image is

PACKAGES = (
    "systemd", "systemd-sysv", "conntrack", "iptables", "nftables", "iproute2", "ethtool", "util-linux", "mount",
    "kmod", "libseccomp2", "procps", "jq", "ca-certificates", "runc", "containernetworking-plugins", "socat",
)  # fmt: skip

CNI = ("host-local", "loopback", "ptp", "portmap")
"""The plugins that kind's image has."""

LIMIT = 30 * 60.0
"""Seconds for each step; debootstrap takes 40 s where the mirror is near."""

NETWORK = {
    "cniVersion": "1.0.0",
    "name": "ptp",
    "plugins": [
        {
            "type": "ptp",
            "ipMasq": True,
            "mtu": 1500,
            "ipam": {
                "type": "host-local",
                "dataDir": "/run/cni-ipam-state",
                "ranges": [[{"subnet": "10.244.0.0/24"}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}
"""The network of the one node, static: kindnet, which writes this, is published as an image only. The subnet is the
first node's share of kind's default Pod subnet, 10.244.0.0/16."""

NO_CNI = """\
# The network is /etc/cni/net.d/10-ptp.conflist in the node; kind applies some manifest here.
apiVersion: v1
kind: ConfigMap
metadata: {name: static-cni, namespace: kube-system}
"""

STORAGE = """\
# kind lets the controller manager make host-path volumes (enable-hostpath-provisioner); its usual provisioner is
# published as an image only.
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: standard
  annotations: {storageclass.kubernetes.io/is-default-class: "true"}
provisioner: kubernetes.io/host-path
volumeBindingMode: WaitForFirstConsumer
"""

CRICTL = """\
#!/bin/sh
# Not crictl, which is published as a release only: what `kind export logs` asks of it.
case "$1" in
  images) exec ctr -n k8s.io images ls ;;
esac
echo "crictl: not in this node image; ctr -n k8s.io is" >&2
exit 1
"""

TRIMMED = (
    "var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale",
    "usr/share/i18n", "var/log", "usr/lib/udev/hwdb.bin", "usr/lib/udev/hwdb.d",
)  # fmt: skip

UNWANTED = (
    "usr/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service",
    "usr/lib/systemd/system/multi-user.target.wants/*",
    "etc/systemd/system/*.wants/*",
    "usr/lib/systemd/system/local-fs.target.wants/*",
    "usr/lib/systemd/system/sockets.target.wants/*udev*",
    "usr/lib/systemd/system/sockets.target.wants/*initctl*",
    "usr/lib/systemd/system/basic.target.wants/*",
)
"""Units that kind's Dockerfile takes away: they manage a machine, which a container is not."""

CONTAINERD_OFF = (
    "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
    "io.containerd.internal.v1.opt",
)  # fmt: skip


def debian(target: Path, *, mirror: str, debootstrap: Path) -> None:
    """A Debian of what a node needs, at `target`; nothing to do where there is one. Raises EngineError."""
    if (target / "etc" / "debian_version").is_file():
        return
    making = target.with_name(f"{target.name}.part")
    shutil.rmtree(making, ignore_errors=True)
    run(
        debootstrap,
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        SUITE,
        making,
        *([mirror] if mirror else []),
        limit=LIMIT,
    )
    making.rename(target)


def filter_libraries(root: Path) -> list[str]:
    """What kube-proxy's iptables and nft load: their libraries, the extensions of iptables, which are loaded by name
    while it runs, and the libraries of those."""
    machine = next(p.name for p in (root / "usr/lib").glob("*-linux-gnu"))
    extensions = sorted(
        f"/usr/lib/{machine}/xtables/{p.name}" for p in (root / f"usr/lib/{machine}/xtables").glob("*.so")
    )
    programs = ("/usr/sbin/xtables-nft-multi", "/usr/sbin/nft", *extensions)
    said = run("chroot", root, "ldd", *programs, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, limit=LIMIT)
    return [*extensions, *loaded(said.stdout)]


def assemble(node: Path, *, debian: Path, kind_files: Path, tools: Mapping[str, Path], version: str) -> None:
    """Make `node` of the Debian at `debian`, kind's `kind_files` and `tools`. Raises EngineError."""
    shutil.rmtree(node, ignore_errors=True)
    run("cp", "-a", debian, node, limit=LIMIT)
    _files_of_kind(node, kind_files)
    for pattern in UNWANTED:
        for each in node.glob(pattern):
            each.unlink()
    _write(node / "etc/systemd/journald.conf.d/kind.conf", "[Journal]\nReadKMsg=no\n")
    inside = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    units = ("kubelet.service", "containerd.service", "undo-mount-hacks.service")
    run("chroot", node, "systemctl", "enable", *units, env=inside)
    run("chroot", node, "systemctl", "mask", "systemd-binfmt.service", env=inside)
    for folder, names in (
        ("usr/bin", ("kubeadm", "kubelet", "kubectl")),
        ("usr/local/bin", ("containerd", "ctr", "containerd-shim-runc-v2")),
    ):
        for name in names:
            _install(tools[name], node / folder / name)
    for plugin in CNI:
        _install(node / "usr/lib/cni" / plugin, node / "opt/cni/bin" / plugin)
    shutil.rmtree(node / "usr/lib/cni")
    _settings(node, ctr=tools["ctr"], version=version)
    for path in TRIMMED:
        found = node / path
        found.unlink() if found.is_file() else shutil.rmtree(found, ignore_errors=True)
    (node / "var/log").mkdir(exist_ok=True)
    (node / "etc/kubernetes/manifests").mkdir(parents=True, exist_ok=True)


def _files_of_kind(node: Path, files: Path) -> None:
    for source in sorted(p for p in files.rglob("*") if p.is_file()):
        path = source.relative_to(files)
        _install(source, node / path, executable="bin" in path.parts)
    if not (node / "sbin/init").exists():
        (node / "sbin/init").symlink_to("/usr/lib/systemd/systemd")


def _settings(node: Path, *, ctr: Path, version: str) -> None:
    spec: dict[str, Any] = json.loads(run(ctr, "oci", "spec").stdout)
    hooks = spec.setdefault("hooks", {}).setdefault("createContainer", [])
    hooks.append({"path": "/kind/bin/mount-product-files.sh"})
    spec["process"].pop("rlimits", None)
    _write(node / "etc/containerd/cri-base.json", json.dumps(spec))
    _write(node / "kind/version", f"v{version}")
    _write(node / "usr/local/bin/crictl", CRICTL)
    (node / "usr/local/bin/crictl").chmod(0o755)
    # Kubernetes refuses cgroup v1 by itself; where there is v2 this says nothing.
    kubelet = node / "etc/default/kubelet"
    kubelet.write_text(f"{kubelet.read_text('utf-8').strip()} --fail-cgroupv1=false\n", "utf-8")
    if not may_raise_resources():
        # A container's oom_score_adj then cannot go below containerd's: kind's own setting for rootless engines.
        file = node / "etc/containerd/config.toml"
        text = file.read_text("utf-8")
        file.write_text(
            text.replace("restrict_oom_score_adj = false", "restrict_oom_score_adj = true"), "utf-8"
        )
    _write(node / "etc/cni/net.d/10-ptp.conflist", json.dumps(NETWORK))
    _write(node / "kind/manifests/default-cni.yaml", NO_CNI)
    _write(node / "kind/manifests/default-storage.yaml", STORAGE)


def may_raise_resources(status: str | None = None) -> bool:
    """Whether a process here can have CAP_SYS_RESOURCE; `status` is the text of /proc/self/status.

    >>> may_raise_resources("CapBnd:\\t000001fffeffffff")
    False
    """
    text = status if status is not None else Path("/proc/self/status").read_text("utf-8")
    bounds = next((line.split()[1] for line in text.splitlines() if line.startswith("CapBnd:")), "0")
    return bool(int(bounds, 16) >> 24 & 1)


def store_images(
    node: Path,
    archive: Path,
    *,
    tools: Mapping[str, Path],
    supervisor: Supervisor,
    say: Callable[[str], None],
) -> None:
    """Put the images of `archive` into the node's containerd, by one that runs here on the node's folder. Raises
    EngineError."""
    private = supervisor.directory
    socket = private / "containerd.sock"
    config = private / "containerd.toml"
    config.write_text(
        f'version = 3\nroot = "{node}/var/lib/containerd"\nstate = "{private}/state"\n'
        f"disabled_plugins = {json.dumps(CONTAINERD_OFF)}\n"
        f'[grpc]\naddress = "{socket}"\n[ttrpc]\naddress = "{socket}.ttrpc"\n',
        "utf-8",
    )
    daemon = supervisor.start("containerd", tools["containerd"], "--config", config, "--log-level", "warn")
    ctr = (tools["ctr"], "-a", socket)
    daemon.wait_ready(lambda: run(*ctr, "version", check=False).status == 0, limit=60)
    words = ("--label=io.cri-containerd.pinned=pinned", "--all-platforms", "--no-unpack", "--digests")
    run(*ctr, "-n", "k8s.io", "images", "import", *words, archive, limit=LIMIT)
    for line in run(*ctr, "-n", "k8s.io", "images", "ls", "-q").stdout.split():
        say(f"  {line}")
    supervisor.stop(daemon)


def _install(source: Path, target: Path, *, executable: bool = True) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if executable else 0o644)


def _write(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, "utf-8")
