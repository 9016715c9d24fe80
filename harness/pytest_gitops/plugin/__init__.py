"""The pytest plugin: options, markers and fixtures, and, only when `--gitops` is given, everything else.

Every pytest run of a user's environment imports this module, so it imports pytest and nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_gitops.scenarios.api import App, GitOpsRun, Rendered

OPTIONS: tuple[tuple[str, str, str | None, str], ...] = (
    # name, kind, metavar, help
    (
        "base",
        "string",
        "REF",
        "compare with where the working tree left REF, as a pull request does: a branch, tag or commit",
    ),
    (
        "stages",
        "list",
        "LIST",
        "stages to run, divided by commas: stage names, review, verify or all (default: all)",
    ),
    (
        "cluster",
        "string",
        "PROVIDER",
        "who provides the cluster: embedded (default), kind, kubeconfig (one that exists) or none (review without one)",
    ),
    (
        "context",
        "list",
        "NAME",
        "the contexts to test on with --gitops-cluster kubeconfig, divided by commas; `clusters:` must list them",
    ),
    ("policy", "folders", "DIR", "a folder with Rego policies, beside the built-in ones (repeatable)"),
    ("report", "string", "DIR", "where the reports are written (default: gitops-report)"),
    (
        "timeout",
        "string",
        "SECONDS",
        "how long an Application may take to become Synced and Healthy (default: 300)",
    ),
    (
        "network",
        "string",
        "deny|allow",
        "deny (default): talk to hosts that the repository names as sources, and to where they lead; allow: to any",
    ),
    (
        "allow-shared",
        "flag",
        None,
        "with --gitops-cluster kubeconfig: make objects outside of the run's namespaces too, where there are none yet",
    ),
    ("changed", "flag", None, "judge only the Applications that differ from the base (needs --gitops-base)"),
    (
        "shard",
        "string",
        "K/N",
        "judge part K of N only, the same in every part's run: 1/4 to 4/4; auto: as CI's variables say, auto/N: of N",
    ),
    (
        "durations",
        "string",
        "FILE",
        "a report.json of before: --gitops-shard splits by the seconds in it (without it: evenly)",
    ),
    ("fresh", "flag", None, "render everything anew, and keep no render for later runs"),
    ("update", "flag", None, "write the golden files that scenarios and tests hold rendered output against"),
    ("strict", "flag", None, "what could not be checked fails"),
    ("keep", "flag", None, "leave the cluster and Argo CD running, and print how to reach them"),
)

MARKERS = (
    "gitops: every item that judges an Application",
    "gitops_review: stages that ask whether a change may be made: source, render, admit, policy, change",
    "gitops_verify: stages that ask whether it works: converge, idempotent, self-heal, upgrade, prune",
    "gitops_scenario: every scenario of a *.gitops-test.yaml file",
    "gitops_source: the stage `source`",
    "gitops_render: the stage `render`",
    "gitops_admit: the stage `admit`",
    "gitops_policy: the stage `policy`",
    "gitops_change: the stage `change`",
    "gitops_converge: the stage `converge`",
    "gitops_idempotent: the stage `idempotent`",
    "gitops_self_heal: the stage `self-heal`",
    "gitops_upgrade: the stage `upgrade`",
    "gitops_prune: the stage `prune`",
)


def ini_name(option: str) -> str:
    """What an option of the table is called in an ini file, and by argparse."""
    return f"gitops_{option.replace('-', '_')}"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    _import_as_it_is(pluginmanager)
    group = parser.getgroup("gitops", "GitOps repositories of Argo CD")
    group.addoption(
        "--gitops",
        action="store_true",
        default=False,
        help="test the Argo CD Applications in the files and folders that pytest is given",
    )
    for name, kind, metavar, text in OPTIONS:
        option, ini = f"--gitops-{name}", ini_name(name)
        if kind == "flag":
            group.addoption(option, action="store_true", default=None, help=text)
            parser.addini(ini, text, type="bool", default=None)
        elif kind == "folders":
            group.addoption(option, action="append", metavar=metavar, default=None, help=text)
            parser.addini(ini, text, type="paths", default=None)
        else:
            group.addoption(option, metavar=metavar, default=None, help=text)
            parser.addini(ini, text, default=None)


def _import_as_it_is(pluginmanager: pytest.PytestPluginManager) -> None:
    """Spare the package pytest's rewriting of assertions, which plugins get (_pytest/assertion/rewrite.py, 9.2). In
    a fresh environment, as every pipeline's is, that costs a run a second, and no assertion of ours is a user's."""
    marked = getattr(pluginmanager.rewrite_hook, "_must_rewrite", None)
    if isinstance(marked, set):
        marked.discard(__name__.partition(".")[0])


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    valued = (ini_name(name) for name, kind, _, _ in OPTIONS if kind != "flag")
    if not hasattr(config, "workerinput") and any(config.getoption(name) for name in valued):
        from pytest_gitops.plugin.inifile import check

        check(config)  # also without --gitops, which the ini file may have said
    if not config.getoption("gitops"):
        return
    if hasattr(config, "workerinput"):
        from pytest_gitops.plugin.worker import Worker

        config.pluginmanager.register(Worker.attach(config), "gitops-run")
    else:
        from pytest_gitops.plugin.owner import Owner

        config.pluginmanager.register(Owner(config), "gitops-run")


@pytest.fixture
def gitops_run(request: pytest.FixtureRequest) -> Iterator[GitOpsRun]:
    """The GitOps run: its Applications, on a real cluster, for one test. Skips without --gitops."""
    if not request.config.getoption("gitops"):
        pytest.skip("needs pytest --gitops")
    from pytest_gitops.plugin.fixtures import run_of

    yield from run_of(request)


@pytest.fixture
def gitops_app(gitops_run: GitOpsRun) -> Callable[[str], App]:
    """An Application of the repository by its name, there and at rest: `gitops_app("shop").sync()`."""
    from pytest_gitops.plugin.fixtures import app_of

    return lambda name: app_of(gitops_run, name)


@pytest.fixture
def rendered(gitops_run: GitOpsRun) -> Callable[[str], Rendered]:
    """What an Application renders to, by its name: `rendered("shop").one(kind="Service", name="web")`."""
    return gitops_run.rendered
