"""The JUnit file that pytest writes of our items fits the common schema, whatever a repository makes us say."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from plugin_support import EITHER, Repository, application

# The common schema, junit-10.xsd of Jenkins' xunit plugin, which is pytest's xunit2: what an element may have.
ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp", "hostname", "id",
                  "package", "file", "log", "url", "version"},
    "testcase": {"name", "time", "classname", "group"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"type", "message"},
    "system-out": set(),
    "system-err": set(),
    "properties": set(),
    "property": {"name", "value"},
}  # fmt: skip
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testsuite", "properties", "testcase", "system-out", "system-err"},
    "testcase": {"skipped", "error", "failure", "system-out", "system-err"},
    "properties": {"property"},
}
REQUIRED = {
    "testsuite": {"name", "tests", "failures", "errors"},
    "testcase": {"name"},
    "property": {"name", "value"},
}
HOSTILE = "apps/a.yaml:1: \x1b[31mred\x1b[0m \x00\x08 ]]> <b> & \ud800 \u202e \ufffe ::add-mask::x"


def check(element: ElementTree.Element) -> None:
    tag, given = element.tag, set(element.keys())
    assert given <= ATTRIBUTES[tag], tag
    assert given >= REQUIRED.get(tag, set()), tag
    for child in element:
        assert child.tag in CHILDREN.get(tag, set()), f"{child.tag} in {tag}"
        check(child)


def written(repository: Repository, *arguments: str) -> ElementTree.Element:
    repository.run("--junitxml=junit.xml", *arguments)
    return ElementTree.parse(repository.path / "junit.xml").getroot()


@EITHER
def test_the_junit_file_fits_the_common_schema(gitops: Repository, workers: str) -> None:
    gitops.write({"apps/a.yaml": application("a"), "apps/bad.yaml": "kind: Application\nspec: [1\n"})
    gitops.script(
        verdicts={
            "argocd/a source": {"outcome": "passed"},
            "argocd/a render": {"outcome": "failed", "code": "c\x07", "message": HOSTILE},
            "argocd/a policy": {"outcome": "skipped", "code": "needs-render", "message": HOSTILE},
            "argocd/a converge": {"outcome": "error", "code": "tool-died", "message": HOSTILE},
        }
    )
    root = written(gitops, workers)
    check(root)
    tags = {c.get("name"): [e.tag for e in c] for c in root.iter("testcase") if c.get("name") in {"source", "render", "policy", "converge"}}  # fmt: skip
    assert tags == {"source": [], "render": ["failure"], "policy": ["skipped"], "converge": ["error"]}
    text = "".join(root.itertext())
    assert "\x1b" not in text


@pytest.mark.parametrize("family", ["xunit1", "legacy"])
def test_the_older_families_have_our_properties(gitops: Repository, family: str) -> None:
    gitops.write({"apps/a.yaml": application("a")})
    root = written(gitops, "-o", f"junit_family={family}")
    assert {p.get("name") for p in root.iter("property")} == {"gitops_outcome", "gitops_file", "gitops_line"}
