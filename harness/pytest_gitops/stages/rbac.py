"""Whether Argo CD's RBAC is what the repository expects of it: the entries of `rbac:` in pytest-gitops.yaml.

No stage of an Application: each expectation is an item of its own, asked where the stage `policy` is.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd import rbac
from pytest_gitops.model import Finding, Severity
from pytest_gitops.settings.expectations import Answered, Expectation
from pytest_gitops.settings.waivers import apply
from pytest_gitops.stages.policy import objects_of
from pytest_gitops.waiting import utc

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

CONFIG_MAP = "argocd-rbac-cm"

AT_ONCE = 4
"""Commands that run at the same time: each is a process that only starts and ends."""


def survey(context: Context, program: Path, directory: Path) -> tuple[Answered, ...]:
    """Ask Argo CD's `program` about every expectation; `directory` is the run's, for the policies. With a base the
    expectations are base's, and what is asked about is head. Raises EngineError if Argo CD does not say a word."""
    expectations = context.settings.rbac
    if not expectations:
        return ()
    asked, where = rbac_of(context, program, directory / "rbac")
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="rbac") as pool:
        found = list(pool.map(lambda e: _finding(asked, e, where), expectations))
    waivers, today = context.settings.waivers, utc().date()
    told = (apply([f], waivers, application="", today=today)[0] if f is not None else None for f in found)
    return tuple(Answered(expectation=e, finding=f) for e, f in zip(expectations, told, strict=True))


def rbac_of(context: Context, program: Path, directory: Path) -> tuple[rbac.Rbac, str]:
    """Head's RBAC, and what messages call it; `directory` is made."""
    manifest, where = _config_map(context)
    data = manifest.get("data")
    found = rbac.Rbac(
        program,
        directory,
        data=data if isinstance(data, Mapping) else {},
        projects=context.plan.projects,
    )
    return found, where


def _config_map(context: Context) -> tuple[Mapping[str, Any], str]:
    """The ConfigMap of the RBAC, and what messages call it: rendered by an Application it is what will be applied,
    in a file alone it may be a part of that. Empty where there is none: then the built-in policy is all there is."""
    for case in context.plan.cases:
        for manifest in objects_of(context, case):
            if (
                manifest.get("kind") == "ConfigMap"
                and (manifest.get("metadata") or {}).get("name") == CONFIG_MAP
            ):
                return manifest, f"{CONFIG_MAP} of Application {case.key}"
    for declared in context.checkout.declarations.settings:
        if declared.name == CONFIG_MAP:
            return declared.manifest, f"{declared.file}:{declared.line}"
    return {}, f"Argo CD's built-in policy (there is no {CONFIG_MAP})"


def _finding(asked: rbac.Rbac, expectation: Expectation, where: str) -> Finding | None:
    """What is wrong with the answer, None if it is the expected one."""

    def finding(rule: str, message: str, help_: str) -> Finding:
        return Finding(
            rule=rule,
            severity=Severity.ERROR,
            message=f"{expectation.title}: {message}",
            file=expectation.file,
            line=expectation.line,
            help=help_,
        )

    if name := asked.unknown(expectation):
        return finding(
            "rbac-subject-unknown",
            f"expected a role that {where} or an AppProject defines, saw {name}",
            "correct the name, or give the role a policy: what nobody defined is denied everything",
        )
    answer = asked.answer(expectation)
    if answer.trouble:
        return finding(
            "rbac-not-judged",
            f"expected Argo CD to answer, saw: {answer.trouble}",
            f"correct the question, or the policy in {where}",
        )
    if answer.allowed == expectation.allowed:
        return None
    expected, saw = ("allow", "deny") if expectation.allowed else ("deny", "allow")
    return finding(
        "rbac-expectation",
        f"expected {expected}, saw {saw}, by {where}",
        "correct the policy, or what is expected of it"
        + ("; a deny wins over every allow" if expectation.allowed else ""),
    )
