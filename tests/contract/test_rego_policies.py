"""The policies themselves: their own tests, what each rule must have, that each can fire and be silent."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_gitops.model import Severity
from pytest_gitops.processes.process import Completed, run
from pytest_gitops.rego.bundle import builtin, load
from pytest_gitops.rego.inputs import CLUSTER_KINDS
from pytest_gitops.rego.rules import Rule

pytestmark = pytest.mark.engine

FOLDERS = {
    "application": "application",
    "workload": "object",
    "objects": "object",
    "secrets": "object",
    "repository": "repository",
    "references": "repository",
    "argocd": "repository",
    "change": "change",
}
"""What the rules of each folder are asked about."""

ENV = {"GOGC": "400"}
"""OPA lives for a moment here: fewer collections, less computing."""

# Unmarshalled, so that the type checker does not see what it is and the tests get to run.
ALWAYS = 'contains hit if hit := json.unmarshal(`{"msg": "always", "pointer": "/"}`)'


@pytest.fixture(scope="module")
def opa(toolbox: dict[str, Path]) -> Path:
    return toolbox["opa"]


@pytest.fixture(scope="module")
def results(opa: Path) -> dict[str, bool]:
    return results_of(opa, builtin())


@pytest.fixture(scope="module")
def rules(opa: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Rule, ...]:
    return load(opa, tmp_path_factory.mktemp("policies") / "bundle").rules


def results_of(opa: Path, folder: Path, names: str = "") -> dict[str, bool]:
    """Each test of the folder's policies whose name matches `names`, a regular expression, and whether it passed."""
    words = ("test", "--bundle", "--format", "json", "--run", names)
    done: Completed = run(opa, *words, folder, env=ENV, check=False)
    results = json.loads(done.stdout or "null")
    assert results, done.stderr
    return {r["name"]: not (r.get("fail") or r.get("error") or r.get("skip")) for r in results}


def test_every_policy_test_passes(results: dict[str, bool]) -> None:
    assert [name for name, passed in results.items() if not passed] == []


def test_policies_compile_strictly_and_are_formatted(opa: Path) -> None:
    run(opa, "check", "--strict", "--bundle", builtin(), env=ENV)
    assert run(opa, "fmt", "--list", builtin(), env=ENV).stdout == ""


def test_every_rule_says_what_it_is_and_what_to_do(rules: tuple[Rule, ...]) -> None:
    assert len(rules) >= 85
    for rule in rules:
        assert rule.builtin and not rule.conftest
        assert rule.title != rule.name and rule.description and rule.help, rule.where
        assert rule.code.replace("-", "_") == rule.name, rule.where
        assert rule.subject == FOLDERS[rule.package[1]], rule.where


def test_every_rule_has_a_failing_and_a_passing_example(
    results: dict[str, bool], rules: tuple[Rule, ...]
) -> None:
    for rule in rules:
        for word in ("denies", "allows"):
            assert any(n.startswith(f"test_{rule.name}_{word}") for n in results), f"{rule.code} {word}"


def test_every_rule_stands_in_the_readme(rules: tuple[Rule, ...]) -> None:
    text = (builtin() / "README.md").read_text(encoding="utf-8")
    table = [[c.strip(" `") for c in line.split("|")[1:-1]] for line in text.splitlines()]
    rows = [tuple(row) for row in table if len(row) == 4 and row[1] in set(Severity)]
    assert sorted(rows) == sorted((r.code, r.severity.value, r.subject.value, r.title) for r in rules)


def source_of(rule: Rule) -> Path:
    return builtin() / Path(rule.file).relative_to("policies")


def examples_of(rule: Rule) -> Path:
    return source_of(rule).with_stem(f"{source_of(rule).stem}_test")


def code_of(file: Path) -> str:
    """A file without comments and texts."""
    return re.sub(r'#.*|"(?:\\.|[^"\\\n])*"|`[^`]*`', "", file.read_text(encoding="utf-8"))


def parts(file: Path) -> Iterator[tuple[str, set[str]]]:
    """What stands at the margin of a file (a rule, a helper, a test): its name, and the words in it."""
    for text in re.split(r"^(?=[a-z_])", code_of(file), flags=re.MULTILINE):
        if words := re.findall(r"\w+", text):
            yield words[0], set(words[1:])


def test_a_rule_is_asked_for_in_its_own_file_and_its_test_only(rules: tuple[Rule, ...]) -> None:
    """What else asks for it would fail, or not, with a rule that it is no test of."""
    code = {file: code_of(file) for file in builtin().rglob("*.rego")}
    for rule in rules:
        own = source_of(rule)
        asking = {
            file
            for file, text in code.items()
            if file.parent == own.parent and re.search(rf"\b{rule.name}\b", text)
        }
        assert asking == {own, examples_of(rule)}, rule.where
        among = [(name, words) for name, words in parts(own) if rule.name in words and name != rule.name]
        among += [(n, w) for n, w in parts(examples_of(rule)) if rule.name in w and not n.startswith("test_")]
        assert among == [], f"{rule.where}: only tests ask for a rule"


def mutate(rule: Rule, folder: Path, replacement: str) -> None:
    """Put `replacement` in the place of a rule, whose own body goes on existing under another name."""
    file = folder / Path(rule.file).relative_to("policies")
    text, count = re.subn(
        rf"^{rule.name} contains",
        f"former_{rule.name} contains",
        file.read_text(encoding="utf-8"),
        flags=re.M,
    )
    assert count, rule.where
    text = text.replace("# METADATA", "# METADATA of a mutant")
    file.write_text(f"{text}\n{rule.name} {replacement}\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("replacement", "word"),
    [(":= set()", "denies"), (ALWAYS, "allows")],
    ids=["never fires", "always fires"],
)
def test_a_rule_that_is_broken_fails_its_own_tests(
    opa: Path, rules: tuple[Rule, ...], tmp_path: Path, replacement: str, word: str
) -> None:
    folder = tmp_path / "policies"
    shutil.copytree(builtin(), folder)
    # No rule asks for another, so that all can be broken at once; a test that asks for two would tell of neither.
    for rule in rules:
        mutate(rule, folder, replacement)
    results = results_of(opa, folder, rf"\.test_\w+_{word}")
    survived = []
    for rule in rules:
        others = {r.name for r in rules if r.file == rule.file} - {rule.name}
        own = [
            results[name]
            for name, words in parts(examples_of(rule))
            if name.startswith(f"test_{rule.name}_{word}") and not words & others
        ]
        if not own or all(own):
            survived.append(rule.code)
    assert survived == []


def test_both_lists_of_kinds_without_namespace_are_one(opa: Path) -> None:
    words = ("eval", "--bundle", builtin(), "--format", "raw", "data.gitops.lib.identity.cluster_kinds")
    assert set(json.loads(run(opa, *words, env=ENV).stdout)) == CLUSTER_KINDS
