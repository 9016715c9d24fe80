"""Which hosts a repository names, wherever it does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_gitops.repository.checkout import Checkout
from pytest_gitops.repository.named_hosts import in_kustomization, in_manifest, in_modules
from pytest_gitops.repository.snapshot import Entry


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
    assert in_kustomization(text.encode()) == hosts


def test_hosts_of_sources_and_of_value_files_are_named_by_manifests() -> None:
    manifest = {
        "spec": {
            "sources": [
                {"repoURL": "git@git.example.com:acme/app.git", "path": "."},
                {"repoURL": "registry.example.com/team", "chart": "redis"},
                {"repoURL": "plain.example.com/team"},
                {
                    "helm": {
                        "valueFiles": ["https://values.example.com/x.yaml", "$ref/values.yaml", "own.yaml"]
                    }
                },
            ]
        }
    }
    assert list(in_manifest(manifest)) == ["git.example.com", "registry.example.com", "values.example.com"]


MODULES = b"""
[submodule "a"]
\tpath = vendor/a
\turl = https://git.example.com/acme/a.git
\tbranch = main
[submodule "b"]
\turl=git@other.example.com:acme/b.git
[submodule "c"]
\turl = ../c.git
"""


def test_hosts_of_submodules_are_named_where_git_reads_them() -> None:
    assert in_modules(MODULES) == {"git.example.com", "other.example.com"}


def test_a_repository_names_the_hosts_of_all_its_files() -> None:
    files = {
        ".gitmodules": MODULES,
        "deep/.gitmodules": b"[submodule]\n\turl = https://unread.example.com/x",
        "web/Kustomization": b"resources: [https://bases.example.com/x]",
        "web/values.yaml": b"image: https://unread.example.com/x",
        "db/Chart.yaml": b"dependencies: [{name: db, repository: https://charts.example.com}]",
    }
    entries = [Entry(path=p, mode="100644", sha="0", size=len(c)) for p, c in files.items()]
    made = Checkout.__new__(Checkout)
    made.snapshot = cast(
        Any, SimpleNamespace(files=lambda: entries, read_many=lambda paths: {p: files[p] for p in paths})
    )
    application = SimpleNamespace(
        manifest={"spec": {"source": {"repoURL": "https://git.acme.example/x.git"}}}
    )
    made.declarations = cast(Any, SimpleNamespace(applications=[application], application_sets=[]))
    assert made.source_hosts() == (
        "bases.example.com",
        "charts.example.com",
        "git.acme.example",
        "git.example.com",
        "other.example.com",
    )
