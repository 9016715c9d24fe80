"""setting-not-applied: what of the repository's argocd-cm would run programs is left out, and told at its line."""

from __future__ import annotations

import json

import pytest

from pytest_gitops.argocd.untrusted import Settings, tame
from pytest_gitops.repository.discovery import FileEntry, discover
from pytest_gitops.repository.manifest import parse


def settings(data: dict[str, str], *, name: str = "argocd-cm", confined: bool = False) -> Settings:
    lines = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in data.items())
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n{lines}".encode()
    found = discover([FileEntry(path="cm.yaml")], lambda _: {"cm.yaml": text})
    return tame(found.settings, confined=confined)


def kept(data: dict[str, str], *, confined: bool = False) -> dict[str, str]:
    (manifest,) = settings(data, confined=confined).manifests
    return dict(manifest["data"])


@pytest.mark.parametrize(
    "key",
    [
        "kustomize.path.v9",
        "kustomize.version.v9",
        "resource.customizations.useOpenLibs.batch_CronJob",
        "resource.customizations.useOpenLibs.all",
    ],
)
def test_what_names_a_program_or_opens_lua_is_left_out(key: str) -> None:
    found = settings({"timeout.reconciliation": "60s", key: "true"}, confined=True)
    assert found.manifests[0]["data"] == {"timeout.reconciliation": "60s"}
    (finding,) = found.findings
    assert (finding.rule, finding.file, finding.line, finding.counts) == (
        "setting-not-applied",
        "cm.yaml",
        6,
        False,
    )
    assert key in finding.message


@pytest.mark.parametrize(
    ("given", "stays"),
    [
        ("--enable-helm", "--enable-helm"),
        ("--enable-helm --enable-exec  --enable-alpha-plugins", "--enable-helm"),
        ("--helm-command ./evil --enable-helm", "--enable-helm"),
        ("--helm-command=./evil", ""),
        ("--output=/tmp/x -o /tmp/x --network --mount type=bind", ""),
        ("--load-restrictor LoadRestrictionsRootOnly", "--load-restrictor LoadRestrictionsRootOnly"),
        ("--load-restrictor=LoadRestrictionsNone --enable-helm", "--enable-helm"),
        ("--load-restrictor LoadRestrictionsNone --enable-helm", "--enable-helm"),
        ("--helm-kube-version 1.30 --reorder none", "--helm-kube-version 1.30 --reorder none"),
        ("--load-restrictor", ""),
    ],
)
@pytest.mark.parametrize("key", ["kustomize.buildOptions", "kustomize.buildOptions.v5"])
def test_of_the_build_options_only_those_that_say_how_to_build_stay(key: str, given: str, stays: str) -> None:
    found = settings({key: given})
    assert found.manifests[0]["data"][key].split() == stays.split()
    assert bool(found.findings) is (given.split() != stays.split())


def test_kustomize_reads_all_that_it_can_where_that_is_only_its_own() -> None:
    options = {"kustomize.buildOptions": "--load-restrictor LoadRestrictionsNone"}
    assert kept(options, confined=True) == options
    assert settings(options, confined=True).findings == ()


def test_the_old_form_of_customizations_loses_its_libraries_only() -> None:
    text = "apps/Deployment:\n  health.lua: return {}\n  HEALTH.lua.useopenlibs: true\n"
    data = kept({"resource.customizations": text})
    assert parse(data["resource.customizations"])[0].value == {"apps/Deployment": {"health.lua": "return {}"}}


@pytest.mark.parametrize("text", ["useOpenLibs: [", "[useOpenLibs]", "useOpenLibs", "a: useOpenLibs"])
def test_what_cannot_be_understood_is_left_out_as_a_whole(text: str) -> None:
    assert kept({"resource.customizations": text}) == {}


def test_what_runs_nothing_stays_as_it_is() -> None:
    data = {
        "resource.customizations": "apps/Deployment: {health.lua: return {}}",
        "resource.customizations.health.apps_Deployment": "return {}",
        "resource.customizations.useOpenLibs.apps_Deployment": "false",
        "url": "https://argocd.example.com",
    }
    found = settings(data)
    assert found.findings == ()
    assert found.manifests[0]["data"] == {k: v for k, v in data.items() if "useOpenLibs" not in k}


def test_other_config_maps_are_not_looked_at() -> None:
    data = {"kustomize.path.v1": "x"}
    assert settings(data, name="argocd-rbac-cm").manifests[0]["data"] == data
