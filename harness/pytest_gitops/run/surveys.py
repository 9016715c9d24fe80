"""What is found out about the repository as a whole, once it is planned: everything that belongs to no Application."""

from __future__ import annotations

from dataclasses import replace

from pytest_gitops.configuration.file import FILE_NAME, Configuration
from pytest_gitops.configuration.file import read as configuration
from pytest_gitops.errors import ConfigError
from pytest_gitops.ground.boot import Ground
from pytest_gitops.model import Finding, Severity
from pytest_gitops.planning.plan import Plan
from pytest_gitops.redaction import Hidden
from pytest_gitops.repository.discovery import Problem
from pytest_gitops.run.verdicts import hidden_finding
from pytest_gitops.scenarios.choosing import asked, left_alone
from pytest_gitops.scenarios.reading import read
from pytest_gitops.settings.expectations import Answered
from pytest_gitops.settings.waivers import counts, expired
from pytest_gitops.stages import namesakes, policy, rbac, repeated, unrendered, unsigned, without_effect
from pytest_gitops.stages.context import Context
from pytest_gitops.waiting import utc


def with_scenarios(context: Context) -> Plan:
    """The plan with the scenarios that are asked, and with what is wrong with their files as problems."""
    plan, settings = context.plan, context.settings
    files = [e.path for e in context.checkout.files()]
    found, problems = read(files, context.snapshot.read_many, applications=[c.key for c in plan.cases])
    scenarios = asked(found, settings.stages)
    alone: frozenset[str] = frozenset()
    if plan.changed is not None and context.base is not None:
        base, changed = context.base.snapshot, {c.key for c in plan.cases if c.id in plan.changed}
        changed |= {c.key for c in plan.removed}
        named = {file for each in scenarios for file in each.files}
        then, now = (s.read_many(named) for s in (base, context.snapshot))
        alone = left_alone(scenarios, changed, differs=lambda f: then.get(f) != now.get(f))
    return replace(plan, scenarios=scenarios, left_alone=alone, problems=(*plan.problems, *problems))


def to_come(context: Context) -> tuple[Configuration | None, tuple[Finding, ...]]:
    """The configuration that a pull request brings and that does not count yet, and what is wrong with it; None where
    the one that counts is head's, or there is nothing to read."""
    if context.base is None:
        return None, ()
    text = context.snapshot.read_many([FILE_NAME]).get(FILE_NAME, b"")
    try:
        return configuration(text), ()
    except ConfigError as error:
        line = error.where.rpartition(":")[2]
        wrong = Finding(
            rule="configuration-invalid",
            severity=Severity.ERROR,
            message=f"{str(error).removeprefix(f'{error.where}: ')}: once this is merged, no run can begin",
            file=FILE_NAME,
            line=int(line) if line.isdigit() else 1,
            help="run `pytest --gitops` without a base to see it as it will be",
        )
        return None, (wrong,)


def survey(context: Context, ground: Ground, *, hidden: Hidden) -> Plan:
    """The plan with errors as problems, which fail as items of their own files, and with what came of `rbac:`; the
    rest is only told. Values of Secrets are `hidden`."""
    plan, settings = context.plan, context.settings
    told = [*ground.declarations.warnings, *ground.findings, *context.repository_findings]
    told += [
        *unrendered.survey(context),
        *repeated.survey(context),
        *unsigned.survey(context),
        *namesakes.survey(context),
        *without_effect.survey(context, but=[FILE_NAME]),
    ]
    context.repository_findings.clear()
    coming, wrong = to_come(context)
    told += wrong
    surveyed: tuple[Finding, ...] = ()
    answered: tuple[Answered, ...] = ()
    if policy.name in settings.stages:
        surveyed = policy.survey(context)
        told += surveyed
        told += expired(settings.waivers, today=utc().date(), head=coming.waivers if coming else None)
        answered = rbac.survey(context, ground.tools["argocd"].path, ground.supervisor.directory)
    failing = [f for f in told if f.counts or (f in surveyed and counts(f, settings.fail_on))]
    errors = tuple(Problem(file=f.file, finding=f) for f in failing)
    context.repository_findings += [f for f in told if f not in failing]
    context.repository_findings += [a.finding for a in answered if a.finding]
    problems = (replace(p, finding=hidden_finding(p.finding, hidden)) for p in (*plan.problems, *errors))
    return replace(plan, problems=tuple(problems), answered=answered)
