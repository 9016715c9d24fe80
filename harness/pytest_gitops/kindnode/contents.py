"""What is in the images that kubeadm wants: which file comes from where. Values only; nothing is written here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pytest_gitops.errors import EngineError
from pytest_gitops.kindnode.archive import Image

CONTROL = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")

PAUSE_OF_KIND = "registry.k8s.io/pause:3.10"
"""The name in the containerd configuration that kind brings; kubeadm's list has a later one."""

CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"

SCRATCH = "/tmp"  # noqa: S108  in an image, not here

FILTERS = tuple(f"ip{v}tables{s}" for v in ("", "6") for s in ("", "-save", "-restore"))
"""The names under which kube-proxy calls xtables-nft-multi."""


def wanted(text: str) -> dict[str, str]:
    """The images of `kubeadm config images list` by their last word.

    >>> wanted("registry.k8s.io/coredns/coredns:v1.14.2")
    {'coredns': 'registry.k8s.io/coredns/coredns:v1.14.2'}
    """
    return {line.rpartition("/")[2].partition(":")[0]: line for line in text.split()}


def images(
    names: Mapping[str, str], *, tools: Mapping[str, Path], root: Path, libraries: Iterable[str]
) -> list[Image]:
    """The images of `names`, made of `tools` and of files below `root`, a Debian; `libraries` are paths in it that
    kube-proxy's programs load. Raises EngineError if `names` lacks one."""
    lacking = {*CONTROL, "kube-proxy", "etcd", "coredns", "pause"} - set(names)
    if lacking:
        raise EngineError(f"kubeadm names no image for {', '.join(sorted(lacking))}; saw {', '.join(names)}")
    certificates = {f"/{CERTIFICATES}": root / CERTIFICATES}

    def of(program: str, tool: str = "") -> Image:
        files = {f"/usr/local/bin/{program}": tools[tool or program], **certificates}
        return Image(names=(names[program],), files=files, folders=(SCRATCH,))

    proxy = {f"/{p.lstrip('/')}": inside(root, p) for p in libraries}
    return [
        *(of(program) for program in CONTROL),
        of("etcd", "etcd-3-7"),
        Image(
            names=(names["kube-proxy"],),
            files={
                "/usr/local/bin/kube-proxy": tools["kube-proxy"],
                "/usr/sbin/xtables-nft-multi": inside(root, "/usr/sbin/xtables-nft-multi"),
                "/usr/sbin/nft": inside(root, "/usr/sbin/nft"),
                **proxy,
            },
            links={f"/usr/sbin/{name}": "xtables-nft-multi" for name in FILTERS},
            folders=("/run", SCRATCH),
        ),
        Image(
            names=(names["coredns"],),
            files={"/coredns": tools["coredns"], **certificates},
            entrypoint=("/coredns",),
        ),
        Image(
            names=tuple(dict.fromkeys((names["pause"], PAUSE_OF_KIND))),
            files={"/pause": tools["pause"]},
            entrypoint=("/pause",),
        ),
    ]


def loaded(text: str) -> list[str]:
    """The libraries in what `ldd` said. Raises EngineError if one is missing.

    >>> loaded("  libc.so.6 => /lib/libc.so.6 (0x7f)")
    ['/lib/libc.so.6']
    """
    if missing := re.findall(r"(\S+) => not found", text):
        raise EngineError(f"not in the Debian of the node, though kube-proxy needs it: {', '.join(missing)}")
    return sorted(
        {*re.findall(r"=> (/\S+)", text), *re.findall(r"^\s*(/\S*ld-linux\S*)", text, re.MULTILINE)}
    )


def inside(root: Path, path: str) -> Path:
    """The file that `path` means in a system below `root`, links followed there and not here."""
    found = root / path.lstrip("/")
    for _ in range(40):
        parent = found.parent
        real = inside(root, str(parent.relative_to(root))) if parent != root else root
        found = real / found.name
        if not found.is_symlink():
            return found
        to = found.readlink()
        found = root / str(to).lstrip("/") if to.is_absolute() else found.parent / to
        found = Path(*_straight(found))
    raise EngineError(f"{path}: too many links")


def _straight(path: Path) -> list[str]:
    """The words of a path with `..` carried out."""
    words: list[str] = []
    for word in path.parts:
        if word == "..":
            words.pop()
        else:
            words.append(word)
    return words
