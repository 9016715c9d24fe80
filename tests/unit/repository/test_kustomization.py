"""What kustomizations patch with, and where they lead to."""

from __future__ import annotations

import pytest

from pytest_gitops.repository.kustomization import Reading, patch_files, remote_hosts

FILES = {
    "overlays/prod/kustomization.yaml": b"""
resources: [../../base, extra.yaml, 'https://github.com/example/x//deploy?ref=v1', ../../../outside]
components: [../../parts/log]
patches:
- path: ../patch.yaml
- patch: |-
    - op: remove
- target: {kind: Application}
  path: own.yaml
patchesStrategicMerge:
- old.yaml
- |-
  apiVersion: argoproj.io/v1alpha1
  kind: Application
""",
    "base/kustomization.yml": b"resources: [app.yaml, ../base]\nbases: [../deeper]",
    "deeper/Kustomization": b"resources: [.]\nreplacements: [{path: r.yaml}]\ntransformers: [t.yaml]",
    "broken/kustomization.yaml": b"resources: [",
    "odd/kustomization.yaml": b"resources: x\npatches: {path: a.yaml}\ncomponents: [1, null, {a: b}]",
    "list/kustomization.yaml": b"- resources",
    "kustomization.yaml": b"resources: [base]",
    "other.yaml": b"patches: [{path: no.yaml}]",
}


def test_patches_are_named_relative_to_their_kustomization() -> None:
    assert patch_files(FILES) == {
        "overlays/patch.yaml", "overlays/prod/own.yaml", "overlays/prod/old.yaml", "deeper/r.yaml", "deeper/t.yaml",
    }  # fmt: skip


def test_what_building_a_folder_reads_is_followed_through_all_of_it() -> None:
    assert set(Reading(FILES).of("overlays/prod")) == {
        "overlays/prod", "overlays/prod/extra.yaml", "parts/log", "base", "base/app.yaml", "deeper",
    }  # fmt: skip


def test_the_top_of_the_repository_is_a_folder_too() -> None:
    assert set(Reading(FILES).of("")) == {"", "base", "base/app.yaml", "deeper"}
    assert set(Reading(FILES).of(".")) == {".", "base", "base/app.yaml", "deeper"}
    assert Reading({"a/kustomization.yaml": b"resources: [..]"}).of("a") == ("a", "")


def test_a_folder_without_a_kustomization_leads_nowhere() -> None:
    reading = Reading(FILES)
    assert [reading.of(f) for f in ("apps", "broken", "odd", "list")] == [
        ("apps",),
        ("broken",),
        ("odd",),
        ("list",),
    ]


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("resources: [https://github.com/acme/bases//web?ref=v1]", {"github.com"}),
        ("resources: [github.com/acme/bases//web?ref=v1]", {"github.com"}),
        ("bases:\n- git@git.example.com:acme/bases.git//web", {"git.example.com"}),
        ("components: ['ssh://git@git.example.com:7999/acme/bases']", {"git.example.com"}),
        ("resources: ['git::https://git.example.com/acme/bases']", {"git.example.com"}),
        ("resources: [https://raw.example.com/x.yaml, web.yaml, ../base]", {"raw.example.com"}),
        ("helmCharts: [{name: redis, repo: https://charts.example.com}]", {"charts.example.com"}),
        ("helmCharts: [{name: redis, repo: oci://registry.example.com/team}]", {"registry.example.com"}),
        (
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [web.yaml, ../base/v1.2]",
            set(),
        ),
        (
            "apiVersion: kustomize.config.k8s.io/v1beta1\nresources: [https://github.com/acme/x]",
            {"github.com"},
        ),
        ("resources: ['https://[::1/x']", set()),
        ("resources: {a: https://github.com/x}", set()),
        ("a: [b: https://github.com/x", set()),
        ("images: [{name: registry.example.com/web}]", set()),
    ],
)
def test_hosts_of_other_repositories_are_named_as_kustomize_writes_them(text: str, hosts: set[str]) -> None:
    assert remote_hosts(text.encode()) == hosts
