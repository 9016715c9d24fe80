"""The chain: which ways of getting a tool are tried, in which order, and what is said when none works."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from pytest_gitops.errors import EngineError, ToolError
from pytest_gitops.tools.cached import cached
from pytest_gitops.tools.context import Cancelled, Context, NoWay, Passed, Way
from pytest_gitops.tools.explicit import explicit
from pytest_gitops.tools.on_path import on_path, remembered
from pytest_gitops.tools.parts import Action, Part, Tool
from pytest_gitops.tools.wheel import standing

GIVE_UP_SECONDS = 2.0
"""How long an interrupted run waits for its downloads to notice; what they leave is resumed."""

Named = tuple[str, Way]


def quick() -> tuple[Named, ...]:
    """The ways that start nothing: what a warm run takes."""
    return (
        ("the path given", explicit),
        ("the cache", cached),
        ("PATH", remembered),
        ("a stand-in", standing),
    )


def resolve(parts: Sequence[Part], context: Context) -> dict[str, Tool]:
    """Get every part. Raises ToolError if one cannot be had, with each way and why it did not work."""
    found: dict[str, Tool] = {}
    missing: list[Part] = []
    for part in parts:
        tool = attempt(part, context, quick(), [])
        if tool:
            found[part.name] = tool
        else:
            missing.append(part)
    if missing:
        found.update(_obtain(missing, context))
    return {part.name: found[part.name] for part in parts}


def _obtain(parts: Sequence[Part], context: Context) -> dict[str, Tool]:
    # Imported here: a warm run needs none of HTTPS, archives and processes.
    from pytest_gitops.tools.build import build
    from pytest_gitops.tools.fetch import Fetcher
    from pytest_gitops.tools.release import ReleaseWay
    from pytest_gitops.tools.wheel import stand_in, wheel

    release = ReleaseWay(Fetcher(context.environ, context.mirrors, cancelled=context.cancelled))
    together: tuple[Named, ...] = (
        ("PATH", on_path),  #                   asks a program for its version
        ("the official release", release),  #   downloads, checksum verified
        ("the wheel", wheel),  #                copies out of an installed distribution
    )
    in_turn: tuple[Named, ...] = (
        ("Go modules", build),  #               2.9 GB at its peak: never two at once
        ("a stand-in", stand_in),  #            a Python program
    )
    reasons: dict[str, list[str]] = {part.name: [] for part in parts}
    found = _in_parallel(parts, context, together, reasons)
    for part in parts:
        if part.name in found:
            continue
        tool = locked_attempt(part, context, in_turn, reasons[part.name])
        if tool is None:
            raise ToolError(part.name, _nothing_worked(part, reasons[part.name]))
        found[part.name] = tool
    return found


def _in_parallel(
    parts: Sequence[Part], context: Context, ways: Sequence[Named], reasons: dict[str, list[str]]
) -> dict[str, Tool]:
    found: dict[str, Tool] = {}
    broken: list[BaseException] = []

    def one(part: Part) -> None:
        try:
            if tool := locked_attempt(part, context, ways, reasons[part.name]):
                found[part.name] = tool
        except Cancelled:
            pass
        except BaseException as error:  # re-raised by the owner
            broken.append(error)
            context.cancelled.set()

    threads = [threading.Thread(target=one, args=(p,), daemon=True, name=f"get-{p.name}") for p in parts]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:
        context.cancelled.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join(GIVE_UP_SECONDS)
        raise
    if broken:
        raise broken[0]
    return found


def locked_attempt(part: Part, context: Context, ways: Sequence[Named], reasons: list[str]) -> Tool | None:
    """Try ways while no other run works on the same tool; what it left in the cache meanwhile is taken."""
    try:
        with context.store.hold(part.name, context.waiting(part)):
            try:
                return attempt(part, context, (("the cache", cached), *ways), reasons)
            finally:
                context.store.clear(part)
    except OSError as error:
        raise ToolError(part.name, f"the cache {context.store.root} cannot be used: {error}") from error


def attempt(part: Part, context: Context, ways: Sequence[Named], reasons: list[str]) -> Tool | None:
    """The first way that works; why the others did not is added to `reasons` and reported."""
    for name, way in ways:
        context.check()
        try:
            tool = way(part, context)
        except NoWay:
            continue
        except ToolError:
            raise
        except (Passed, EngineError) as reason:
            reasons.append(f"{name}: {reason}")
            context.tell(part, Action.PASS, reasons[-1])
            continue
        context.tell(part, Action.READY, f"{tool.version} from {name}")
        return tool
    return None


def _nothing_worked(part: Part, reasons: Sequence[str]) -> str:
    ways = "\n".join(f"  - {reason}" for reason in reasons)
    hint = part.hint or f"Give its path with PYTEST_GITOPS_TOOL_{part.name.upper().replace('-', '_')}"
    return f"version {part.wanted} cannot be had:\n{ways}\n{hint}, and run it again."
