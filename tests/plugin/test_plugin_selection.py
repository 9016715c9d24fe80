"""What is collected, under which ids, and what pytest's own ways of selecting make of it."""

from __future__ import annotations

import pytest
from plugin_support import BOTH, EITHER, STAGES, Repository, application, ran

from pytest_gitops.stages import chosen


def ids(file: str, *names: str, stages: tuple[str, ...] = STAGES) -> set[str]:
    return {f"{file}::argocd/{n}::{s}" for n in names for s in stages}


def omega(*stages: str) -> set[str]:
    return ids("apps/omega.yaml", "omega", stages=stages or STAGES)


def beta(*stages: str) -> set[str]:
    return ids("apps/beta.yaml", "beta", stages=stages or STAGES)


ALL = ids("apps/omega.yaml", "omega", "alpha") | ids("apps/beta.yaml", "beta")


def test_every_application_has_an_item_for_each_stage(two: Repository) -> None:
    result = two.run()
    assert ran(result) == dict.fromkeys(ALL, "passed")
    assert result.ret == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["apps/beta.yaml"], beta()),
        (["apps"], ALL),
        (["apps/omega.yaml::argocd/omega"], omega()),
        (["apps/omega.yaml::argocd/omega::converge"], omega("converge")),
        (["-k", "omega and converge and not alpha"], omega("converge")),
        (["-k", "beta"], beta()),
        (["-m", "gitops_verify"], {i for i in ALL if i.endswith("converge")}),
        (["-m", "gitops_review and not gitops_policy", "apps/beta.yaml"], beta("source", "render")),
        (["-m", "gitops_converge", "apps/beta.yaml"], beta("converge")),
        (["--gitops-stages", "review", "apps/beta.yaml"], beta(*chosen(["review"]))),
        (["--gitops-stages", "render,converge", "apps/beta.yaml"], beta("render", "converge")),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)  # fmt: skip
def test_pytests_ways_of_selecting_work(two: Repository, arguments: list[str], expected: set[str]) -> None:
    result = two.run("--strict-markers", *arguments)
    assert set(ran(result)) == expected
    assert result.ret == 0


def test_the_engine_is_asked_for_what_is_selected_and_nothing_else(two: Repository) -> None:
    two.run("-k", "beta and render")
    assert two.outcomes() == {"argocd/beta render": "passed"}


@BOTH
def test_lf_runs_what_failed_last(two: Repository, workers: str) -> None:
    two.script(verdicts={"argocd/omega converge": {"outcome": "failed", "code": "x", "message": "no"}})
    assert two.run(workers).ret == 1
    result = two.run(workers, "--lf")
    assert ran(result) == {"apps/omega.yaml::argocd/omega::converge": "failed"}


@BOTH
def test_x_stops_at_the_first_failure(two: Repository, workers: str) -> None:
    two.script(
        verdicts={"argocd/beta source": {"outcome": "failed", "code": "x", "message": "no"}}, delay=0.05
    )
    result = two.run(workers, "-x", "apps/beta.yaml", "apps/omega.yaml")
    assert result.ret in {1, 2}
    assert "failed" in ran(result).values()
    assert len(ran(result)) < len(ALL)
    assert two.outcomes()["argocd/beta source"] == "failed"


def test_the_users_own_tests_run_beside_ours(two: Repository) -> None:
    two.write({"tests/test_mine.py": "def test_one(): pass\ndef test_two(): assert 0\n"})
    result = two.run()
    expected = dict.fromkeys(ALL, "passed")
    expected |= {"tests/test_mine.py::test_one": "passed", "tests/test_mine.py::test_two": "failed"}
    assert ran(result) == expected
    assert result.ret == 1


@pytest.mark.parametrize(("testpaths", "workers"), [("tests", "-n0"), (". tests", "-n0"), ("tests", "-n2")])
def test_testpaths_does_not_hide_applications(two: Repository, workers: str, testpaths: str) -> None:
    two.write(
        {"tests/test_mine.py": "def test_one(): pass\n", "pytest.ini": f"[pytest]\ntestpaths = {testpaths}\n"}
    )
    result = two.run(workers)
    assert ran(result) == dict.fromkeys(ALL | {"tests/test_mine.py::test_one"}, "passed")


def test_testpaths_and_file_names_that_look_like_node_ids(gitops: Repository) -> None:
    gitops.write(
        {
            "a/x[1].yaml": application("one"),
            "b/y::z.yaml": application("two"),
            "pytest.ini": "[pytest]\ntestpaths = t\n",
        }
    )
    (gitops.path / "t").mkdir()
    result = gitops.run("--gitops-stages", "source")
    assert set(ran(result)) == {"a/x[1].yaml::argocd/one::source", "b/y::z.yaml::argocd/two::source"}


def test_folders_that_pytest_passes_over_are_searched_for_applications_only(two: Repository) -> None:
    mine = "def test_one(): pass\n"
    two.write(
        {
            "build/apps/a.yaml": application("a"),
            "build/test_mine.py": mine,
            "build/apps/test_mine.py": mine,
            "build/other/test_mine.py": mine,
            ".hidden/b.yaml": application("b"),
            ".hidden/test_mine.py": mine,
            "dist/test_mine.py": mine,
        }
    )
    result = two.run()
    assert set(ran(result)) == ALL | ids("build/apps/a.yaml", "a") | ids(".hidden/b.yaml", "b")


@pytest.mark.parametrize("how", ["--ignore=build", "--ignore-glob=bui*", "collect_ignore"])
def test_what_the_user_ignores_stays_ignored(two: Repository, how: str) -> None:
    two.write({"build/a.yaml": application("a")})
    arguments = [how] if how.startswith("-") else []
    if not arguments:
        two.write({"conftest.py": "collect_ignore = ['build']\n"})
    assert set(ran(two.run(*arguments))) == ALL


def test_an_ignored_manifest_stays_ignored(two: Repository) -> None:
    result = two.run("--ignore=apps/omega.yaml")
    assert set(ran(result)) == beta()


def test_a_repository_elsewhere_is_found_by_its_path(gitops: Repository) -> None:
    gitops.write({"apps/a.yaml": application("a")}, into="grid")
    gitops.write({"pytest.ini": "[pytest]\n"})
    result = gitops.run("grid")
    assert set(ran(result)) == ids("grid/apps/a.yaml", "a")
    assert {a["file"] for a in gitops.report()["applications"]} == {"apps/a.yaml"}


def test_pytests_root_directory_may_be_another_than_the_repository(
    gitops: Repository, tmp_path_factory: pytest.TempPathFactory
) -> None:
    gitops.write({"apps/a.yaml": application("a")})
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    result = gitops.run("--rootdir", str(elsewhere), "--gitops-stages", "source")
    assert list(ran(result).values()) == ["passed"]
    assert gitops.outcomes() == {"argocd/a source": "passed"}


@BOTH
def test_started_in_a_subfolder_it_tests_that_folder(
    two: Repository, workers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.write({"more/deep/c.yaml": application("c"), "pytest.ini": "[pytest]\n"})
    monkeypatch.chdir(two.path / "more")
    result = two.run(workers)
    assert set(ran(result)) == ids("more/deep/c.yaml", "c")
    assert two.outcomes("more/gitops-report").keys() == {f"argocd/c {s}" for s in STAGES}


def test_a_way_through_a_link_leads_to_the_same_repository(
    two: Repository, tmp_path_factory: pytest.TempPathFactory
) -> None:
    link = tmp_path_factory.mktemp("links") / "grid"
    link.symlink_to(two.path)
    assert list(ran(two.run(str(link / "apps"))).values()) == ["passed"] * len(ALL)
    assert len(two.outcomes()) == len(ALL)


def test_spaces_and_any_letters_in_file_names(gitops: Repository) -> None:
    name = "Anwendungen für α/omega grid ü.yaml"
    gitops.write({name: application("omega")})
    result = gitops.run()
    assert set(ran(result)) == ids(name, "omega")
    again = gitops.run(f"{name}::argocd/omega::render")
    assert set(ran(again)) == ids(name, "omega", stages=("render",))


def test_what_git_ignores_is_not_collected(two: Repository) -> None:
    two.write({"scratch/c.yaml": application("c"), ".gitignore": "scratch/\n"})
    assert set(ran(two.run())) == ALL


def test_workers_collect_and_select_what_this_process_does(
    two: Repository, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mine, name = "def test_one(): pass\ndef test_two(): assert 0\n", "Anwendungen für α/omega grid ü.yaml"
    two.write(
        {
            name: application("grid"),
            "build/apps/a.yaml": application("a"),
            ".hidden/b.yaml": application("b"),
            "scratch/c.yaml": application("c"),
            "ignored/d.yaml": application("d"),
            "vendor/e.yaml": application("e"),
            "vendored/f.yaml": application("f"),
            **dict.fromkeys(("tests/test_mine.py", "build/test_it.py", ".hidden/test_it.py"), mine),
            ".gitignore": "scratch/\n",
            "conftest.py": "collect_ignore = ['ignored']\n",
        }
    )
    everything = (
        ALL
        | ids(name, "grid")
        | ids("build/apps/a.yaml", "a")
        | ids(".hidden/b.yaml", "b")
        | {"tests/test_mine.py::test_one", "tests/test_mine.py::test_two"}
    )
    ignored = ("--ignore=vendor", "--ignore-glob=vendore*")
    outcomes = two.alike(*ignored)
    assert set(outcomes) == everything
    assert [i for i, outcome in outcomes.items() if outcome == "failed"] == ["tests/test_mine.py::test_two"]
    # Each way takes something away that the others leave.
    ways = ("-k", "not alpha", "-m", "not gitops_policy", "--gitops-stages", "source,policy,converge")
    items = ("apps/omega.yaml", f"{name}::argocd/grid::source", "apps/beta.yaml::argocd/beta")
    assert set(two.alike("--strict-markers", *ways, *items)) == {
        *omega("source", "converge"),
        f"{name}::argocd/grid::source",
        *beta("source", "converge"),
    }
    link = tmp_path_factory.mktemp("links") / "grid"
    link.symlink_to(two.path)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    found = two.alike("--rootdir", str(elsewhere), str(link / "apps"), "--gitops-stages", "source")
    assert list(found.values()) == ["passed"] * 3


def test_collect_only_lists_and_starts_nothing(two: Repository) -> None:
    two.write(
        {"sets.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: many}\n"}
    )
    two.script(prepare={"engine": "the engine must not be started"})
    result = two.run("--collect-only")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "gitops: what files declare; nothing is started",
            "*<GitOpsFile omega.yaml>",
            "*<Application argocd/omega>",
            "*<Stage converge>",
            "not listed: Applications that ApplicationSet many will generate",
        ]
    )
    assert not (two.path / "gitops-report").exists()


def test_quiet_collect_only_gives_the_node_ids(two: Repository) -> None:
    result = two.run("--collect-only", "-q", "-n2")
    assert set(result.outlines) >= ALL


@pytest.mark.parametrize("option", ["--fixtures", "--markers", "--help", "--version", "--cache-show"])
def test_questions_about_pytest_start_nothing(two: Repository, option: str) -> None:
    two.script(prepare={"engine": "the engine must not be started"})
    assert two.run(option).ret == 0


@EITHER
def test_without_the_flag_nothing_is_ours(two: Repository, workers: str) -> None:
    two.write({"tests/test_mine.py": "def test_one(): pass\n"})
    result = two.pytester.runpytest_inprocess("-p", "fake_engine", workers)
    assert ran(result) == {"tests/test_mine.py::test_one": "passed"}
    assert not (two.path / "gitops-report").exists()
