"""The policies themselves: their own tests, what each rule must have, that each can fire and be silent."""

from __future__ import annotations

import json
import re
import shutil
from itertools import zip_longest
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
    done: Completed = run(opa, *words, folder, env={}, check=False)
    results = json.loads(done.stdout or "null")
    assert results, done.stderr
    return {r["name"]: not (r.get("fail") or r.get("error") or r.get("skip")) for r in results}


def test_every_policy_test_passes(results: dict[str, bool]) -> None:
    assert [name for name, passed in results.items() if not passed] == []


def test_policies_compile_strictly_and_are_formatted(opa: Path) -> None:
    run(opa, "check", "--strict", "--bundle", builtin(), env={})
    assert run(opa, "fmt", "--list", builtin(), env={}).stdout == ""


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


def test_a_rule_is_asked_for_in_its_own_file_and_its_test_only(rules: tuple[Rule, ...]) -> None:
    """What else asks for it would fail, or not, with a rule that it is no test of."""
    texts = re.compile(r'#.*|"(?:\\.|[^"\\\n])*"|`[^`]*`')
    code = {file: texts.sub("", file.read_text(encoding="utf-8")) for file in builtin().rglob("*.rego")}
    for rule in rules:
        own = builtin() / Path(rule.file).relative_to("policies")
        asking = {
            file
            for file, text in code.items()
            if file.parent == own.parent and re.search(rf"\b{rule.name}\b", text)
        }
        assert asking == {own, own.with_stem(f"{own.stem}_test")}, rule.where


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
    files: dict[str, list[Rule]] = {}
    for rule in rules:
        files.setdefault(rule.file, []).append(rule)
    survived = []
    # No other file asks for a rule, so that one rule of each can be broken at once.
    for number, broken in enumerate(zip_longest(*files.values())):
        mutants = [rule for rule in broken if rule is not None]
        folder = tmp_path / str(number)
        for name in {"lib", *(rule.package[1] for rule in mutants)}:
            shutil.copytree(builtin() / name, folder / name)
        for rule in mutants:
            mutate(rule, folder, replacement)
        results = results_of(opa, folder, rf"\.test_({'|'.join(r.name for r in mutants)})_{word}")
        for rule in mutants:
            own = [passed for n, passed in results.items() if n.startswith(f"test_{rule.name}_{word}")]
            if not own or all(own):
                survived.append(rule.code)
    assert survived == []


def test_both_lists_of_kinds_without_namespace_are_one(opa: Path) -> None:
    words = ("eval", "--bundle", builtin(), "--format", "raw", "data.gitops.lib.identity.cluster_kinds")
    assert set(json.loads(run(opa, *words, env={}).stdout)) == CLUSTER_KINDS
