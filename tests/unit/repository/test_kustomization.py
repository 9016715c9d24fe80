"""What kustomizations patch with, and where they lead to."""

from __future__ import annotations

from pytest_gitops.repository.kustomization import Reading, patch_files

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
