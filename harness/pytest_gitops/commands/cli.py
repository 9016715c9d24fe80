"""The command `pytest-gitops`: what is done outside a test run. One function per subcommand, without pytest.

Exit codes: 0 done, 1 it could not be done or a test failed, 2 wrong usage, 5 no tests, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pytest_gitops import __version__
from pytest_gitops.errors import ConfigError, GitOpsError
from pytest_gitops.settings.settings import default_cache, environment, explicit_tools, tool_mirrors

INTERRUPTED = 130

Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    command: Command = options.command
    try:
        return command(options)
    except GitOpsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        print("Interrupted. Nothing half-made is used; run it again, it goes on from here.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went, as `head` does
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pytest-gitops",
        description="The tools that pytest --gitops runs on, and what else needs no test run.",
    )
    parser.add_argument("--version", action="version", version=f"pytest-gitops {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _tools_parser(commands)
    _policy_parser(commands)
    _report_parser(commands)
    _clean_parser(commands)
    _kind_node_parser(commands)
    return parser


def _tools_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("tools", help="show or get etcd, Kubernetes, Argo CD, OPA and the others")
    cache = argparse.ArgumentParser(add_help=False)
    cache.add_argument("--cache", type=Path, metavar="DIR", help="the folder that tools are kept in")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")

    listing = actions.add_parser("list", parents=[cache], help="every tool of the lock file and where it is")
    listing.set_defaults(command=tools_list)

    install = actions.add_parser("install", parents=[cache], help="get the named tools, or all")
    install.add_argument("names", nargs="*", metavar="NAME")
    install.set_defaults(command=tools_install)

    path = actions.add_parser("path", parents=[cache], help="print where one tool is")
    path.add_argument("name", metavar="NAME")
    path.set_defaults(command=tools_path)


def _policy_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("policy", help="list the policies, or run your own tests of yours")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "folders",
        nargs="*",
        type=Path,
        metavar="DIR",
        help="folders with policies; else those of pytest-gitops.yaml",
    )
    common.add_argument("--cache", type=Path, metavar="DIR", help="the folder that tools are kept in")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")

    listing = actions.add_parser(
        "list", parents=[common], help="every rule: code, severity, help, where it stands"
    )
    listing.add_argument("--json", action="store_true", help="for programs")
    listing.set_defaults(command=policy_list)

    test = actions.add_parser("test", parents=[common], help="run the tests (test_…) of your own policies")
    test.add_argument("--run", metavar="REGEX", default="", help="only tests whose data.package.name fits")
    test.add_argument("--coverage", action="store_true", help="say which lines no test runs")
    test.add_argument("--threshold", type=float, metavar="PERCENT", help="fail below this coverage")
    test.add_argument("-v", "--verbose", action="store_true", help="name the tests that pass, too")
    test.set_defaults(command=policy_test)


def _report_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("report", help="make one report of the reports of all shards")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")

    merge = actions.add_parser(
        "merge", help="one report of many; fails if a shard is missing, or if the run it tells of failed"
    )
    merge.add_argument(
        "folders", nargs="+", type=Path, metavar="DIR", help="the report folders of all shards"
    )
    merge.add_argument(
        "--output", type=Path, metavar="DIR", required=True, help="where the report is written"
    )
    merge.set_defaults(command=report_merge)

    render = actions.add_parser("render", help="write the other reports of a report.json again")
    render.add_argument("folder", type=Path, metavar="DIR", help="the folder with the report.json")
    render.add_argument("--output", type=Path, metavar="DIR", help="where to; else beside it")
    render.set_defaults(command=report_render)


def report_merge(options: argparse.Namespace) -> int:
    """Make one report of the reports of all shards."""
    from pytest_gitops.commands import report

    return report.report_merge(options)


def report_render(options: argparse.Namespace) -> int:
    """Write the reports of a report.json again."""
    from pytest_gitops.commands import report

    return report.report_render(options)


def _clean_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "clean", help="show or remove what interrupted runs left on a cluster that exists"
    )
    parser.add_argument("--context", required=True, metavar="NAME", help="the context of the kubeconfig")
    parser.add_argument("--run", metavar="ID", default="", help="of this run alone")
    parser.add_argument("--yes", action="store_true", help="remove it; without this it is only shown")
    parser.set_defaults(command=clean)


def _kind_node_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "kind-node", help="make a node image for kind where no registry can be reached"
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    build = actions.add_parser(
        "build", help="from Debian's packages and Go modules, into Docker or Podman; images to test with, too"
    )
    build.add_argument(
        "--mirror", metavar="URL", default="", help="the Debian mirror; else debootstrap's own"
    )
    build.add_argument("--cache", type=Path, metavar="DIR", help="the folder that tools are kept in")
    build.set_defaults(command=kind_node_build)


def kind_node_build(options: argparse.Namespace) -> int:
    """Make the node image."""
    from pytest_gitops.kindnode import command

    return command.build(options)


def clean(options: argparse.Namespace) -> int:
    """Show or remove the namespaces of runs."""
    from pytest_gitops.commands import clean

    return clean.clean(options)


def policy_list(options: argparse.Namespace) -> int:
    """Print every rule that a run here would ask."""
    from pytest_gitops.commands import policy

    return policy.policy_list(options)


def policy_test(options: argparse.Namespace) -> int:
    """Run the users' own tests of their policies."""
    from pytest_gitops.commands import policy

    return policy.policy_test(options)


def tools_list(options: argparse.Namespace) -> int:
    """Print a table of every tool: version, how it was had, size, path. Gets nothing."""
    from pytest_gitops import tools
    from pytest_gitops.tools.show import table

    environ = environment()
    cache = _cache(options)
    found = tools.installed(
        [p.name for p in tools.locked()], cache=cache, environ=environ, explicit=explicit_tools(environ)
    )
    print(table(tools.locked(), found))
    return 0


def tools_install(options: argparse.Namespace) -> int:
    """Get tools, saying all the while what is being done and for how long."""
    from pytest_gitops import tools
    from pytest_gitops.tools.show import reporter

    environ = environment()
    cache = _cache(options)
    with reporter(sys.stdout) as report:
        found = tools.ensure(
            options.names or [p.name for p in tools.locked() if not p.on_demand],
            cache=cache,
            environ=environ,
            explicit=explicit_tools(environ),
            mirrors=tool_mirrors(environ),
            report=report,
        )
    print(f"{len(found)} {'tool is' if len(found) == 1 else 'tools are'} ready in {cache}")
    return 0


def tools_path(options: argparse.Namespace) -> int:
    """Print the path of one tool that is there already."""
    from pytest_gitops import tools

    environ = environment()
    found = tools.installed(
        [options.name], cache=_cache(options), environ=environ, explicit=explicit_tools(environ)
    )
    if options.name not in found:
        get = f"pytest-gitops tools install {options.name}"
        print(f"error: {options.name} is not there yet. Get it with `{get}`.", file=sys.stderr)
        return 1
    print(found[options.name].path)
    return 0


def _cache(options: argparse.Namespace) -> Path:
    chosen: Path | None = options.cache
    return chosen.expanduser().absolute() if chosen else default_cache(environment())


if __name__ == "__main__":
    sys.exit(main())
