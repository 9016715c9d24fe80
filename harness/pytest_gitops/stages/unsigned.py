"""AppProjects that have Argo CD sync signed commits only: nobody checks signatures here (see argocd/signatures.py)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_gitops.argocd.signatures import REFUSED, demanded
from pytest_gitops.model import Finding, Outcome, StageResult
from pytest_gitops.shapes import mapping
from pytest_gitops.stages.placing import place

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

CODE = "signatures-not-checked"


def survey(context: Context) -> Iterator[Finding]:
    """What would be refused without a signature, once it is planned who is in which project: a warning, and an error
    for whom what could not be checked is one."""
    used = {case.project for case in context.plan.cases}
    known: set[str] = set()
    for declared in context.checkout.declarations.projects:
        known.add(declared.name)
        if declared.name in used and (field := demanded(declared.manifest)):
            line = declared.document.line_of("spec", field)
            yield _finding(context, declared.name, field, file=declared.file, line=line)
    for case, objects in context.rendered():
        for each in objects:
            name = str(mapping(each, "metadata").get("name"))
            if each.get("kind") != "AppProject" or name not in used or name in known:
                continue
            known.add(name)
            if field := demanded(each):
                file, line = place(context, case, f"AppProject {name}")
                yield _finding(context, name, field, file=file, line=line)


def judged(result: StageResult) -> StageResult:
    """`result`; no verdict where Argo CD refused the Application for nothing but a missing signature."""
    refused = REFUSED.search(result.message) if result.outcome is Outcome.FAILED else None
    if refused is None:
        return result
    message = f"not judged: Argo CD syncs signed commits only, and nobody signs here\n  Argo CD  {refused[0]}"
    return replace(result, outcome=Outcome.SKIPPED, code=CODE, message=message, findings=())


def _finding(context: Context, name: str, field: str, *, file: str, line: int) -> Finding:
    return Finding(
        rule="signatures-not-checked",
        severity=context.settings.unchecked,
        message=f"AppProject {name}: expected signed commits ({field}), saw nobody who signs here: Argo CD refuses "
        "what is not signed, and whether what the merge makes will be is not known",
        file=file,
        line=line,
        help="see that what the merge makes is signed with a key of the project; `git verify-commit` says so of it",
    )
