"""What is wrong with the repository and stands in no file that pytest finds: it fails as an item all the same."""

from __future__ import annotations

import pytest
from plugin_support import Repository, application, ran

WHOLE, GONE = "repository::team-rule:1", "policies/old.rego::policy-invalid:3"


def problem(rule: str, file: str, line: int | None) -> dict[str, object]:
    return {"rule": rule, "severity": "error", "message": "it is wrong", "file": file, "line": line}


@pytest.fixture
def wrong(gitops: Repository, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Its problems: of no file, in a file that only base has, in one that lies elsewhere."""
    outside = tmp_path_factory.mktemp("org") / "x.rego"
    outside.write_text("package x\n")
    gitops.write({"apps/a.yaml": application("a"), "apps/b.yaml": application("b")})
    gitops.script(
        problems=[
            problem("team-rule", "", None),
            problem("policy-invalid", "policies/old.rego", 3),
            problem("policy-invalid", str(outside), 7),
        ]
    )
    return gitops


def of_the_repository(outcomes: dict[str, str]) -> dict[str, str]:
    return {item: outcome for item, outcome in outcomes.items() if "::argocd/" not in item}


def test_what_stands_in_no_file_that_pytest_finds_fails_the_run(wrong: Repository) -> None:
    found = of_the_repository(wrong.alike())
    (elsewhere,) = (item for item in found if item.endswith("/x.rego::policy-invalid:7"))
    assert elsewhere.startswith("../")
    assert found == dict.fromkeys((WHOLE, GONE, elsewhere), "failed")
    result = wrong.run("-k", "not argocd", "-rf")
    assert result.ret == 1
    assert of_the_repository(ran(result)) == found
    result.stdout.no_fnmatch_line("*not selected*")
    result.stdout.fnmatch_lines(
        [
            "*_ repository · team-rule _*",
            "it is wrong",
            "  rule     team-rule",
            "  again    pytest --gitops -k team-rule:1",
            "*_ policies/old.rego · policy-invalid _*",
            "policies/old.rego:3: it is wrong",
            f"FAILED {WHOLE} - team-rule: it is wrong",
        ]
    )


def test_testpaths_of_the_users_own_ask_for_it_too(wrong: Repository) -> None:
    wrong.write(
        {"pytest.ini": "[pytest]\ntestpaths = mine\n", "mine/test_mine.py": "def test_mine(): pass\n"}
    )
    result = wrong.run()
    assert len(of_the_repository(ran(result))) == 4
    assert result.ret == 1


def test_a_path_leaves_it_out_and_that_is_told(wrong: Repository) -> None:
    result = wrong.run("apps")
    assert of_the_repository(ran(result)) == {}
    assert result.ret == 0
    result.stdout.fnmatch_lines(["not selected: 3 errors elsewhere in the repository (*"])
    found = of_the_repository(ran(wrong.run("apps", str(wrong.path))))
    assert len(found) == 3


def test_the_command_that_shows_it_again_does(wrong: Repository) -> None:
    assert of_the_repository(ran(wrong.run("-k", "team-rule:1"))) == {WHOLE: "failed"}
    assert of_the_repository(ran(wrong.run("--lf"))) == {WHOLE: "failed"}


def test_it_is_the_first_shards(wrong: Repository) -> None:
    counts = []
    for number in (1, 2):
        result = wrong.run("--gitops-shard", f"{number}/2", f"--gitops-report=shards/{number}")
        counts.append((int(result.ret), len(of_the_repository(ran(result)))))
    assert counts == [(1, 3), (0, 0)]
