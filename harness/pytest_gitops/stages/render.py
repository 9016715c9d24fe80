"""render: what does the Application mean, in the words of Argo CD's own repo-server."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_gitops.argocd.render import NotRendered, Rendered
from pytest_gitops.model import Case, Finding, Severity, Source
from pytest_gitops.repository.sources import placed
from pytest_gitops.settings.credentials import EXAMPLE, VARIABLE
from pytest_gitops.stages.base import Family, Publish, judged
from pytest_gitops.stages.source import LOCAL
from pytest_gitops.world.urls import is_local, parse_registry
from pytest_gitops.world.urls import parse as parse_url

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context
    from pytest_gitops.world import Refusal

_UNAUTHORIZED = re.compile(
    # git over https, and as kustomize runs it; git over ssh; helm; a registry
    r"authentication required|could not read Username|Authentication failed for|"
    r"SSH agent requested but|Permission denied \(publickey|unable to authenticate, attempted methods|"
    r"\b401 Unauthorized|\b403 Forbidden|status code 40[13]\b|\bdenied: "
)

_HOST = re.compile(r"(?:https|ssh)://(?:[^/@\s]+@)?(?P<host>[\w.-]+)")

name = "render"
family = Family.REVIEW
question = "Does Argo CD's repo-server render it?"
needs = ("source",)


def run(context: Context, cases: Sequence[Case], publish: Publish) -> None:
    """Every case was rendered while the plan was made; here it is told what came of it."""
    for case in cases:
        result = context.renders[case.id]
        seconds = context.render_seconds.get(case.id, 0.0)
        if isinstance(result, NotRendered):
            publish(case, judged(name, [refusal(context, case, result)], duration=seconds))
        else:
            evidence = {
                "objects": len(result.objects),
                "sourceTypes": list(result.source_types),
                "revisions": list(result.revisions),
                **({"takenFrom": result.taken.value} if result.taken else {}),
            }
            publish(case, judged(name, warnings(case, result), duration=seconds, evidence=evidence))


def refusal(context: Context, case: Case, result: NotRendered) -> Finding:
    """The finding that a failed render makes: a host that was kept from answering is told apart from the rest."""
    at, _ = placed(case.manifest)[result.source]
    refusals = context.refusals()
    blamed = next((r for r in refusals if _blames(result.message, r)), None)
    if blamed is None and "helm dependenc" in result.message:
        # Of an index that it could not get helm says only that there is none.
        suspects = {h for h in context.chart_hosts(case) if not _names(result.message, h)}
        blamed = next((r for r in refusals if r.host in suspects), None)

    def finding(rule: str, message: str, help_: str) -> Finding:
        return Finding(
            rule=rule,
            severity=Severity.ERROR,
            message=message,
            file=case.file,
            line=context.line(case, *at),
            help=help_,
        )

    if (blamed is None or blamed.reason != "refused") and _UNAUTHORIZED.search(result.message):
        host = _who_answered(context, case.sources[result.source], result.message)
        return finding(
            "source-unauthorized",
            f"{host} asks for a password, a token or a key, and this run has none that it takes; the repo-server says: "
            f"{result.message}",
            f"if the run may read it, give it a line {EXAMPLE} in the environment variable {VARIABLE}; if one is "
            "there, check what that may read, and whether the source exists",
        )
    if blamed is None:
        return finding(
            "render-failed",
            result.message,
            "see what the repo-server ran and said; `argocd app manifests` would say the same",
        )
    if blamed.reason == "refused":
        who = "base" if context.settings.base else "repository"
        why = f"neither the {who} nor its configuration names it as a source"
        return finding(
            "host-refused",
            f"{blamed.host} was refused: {LOCAL if is_local(blamed.host) else why}",
            f"if the run may talk to it, add {blamed.host} to network.allow in pytest-gitops.yaml, or serve its "
            "charts from a folder with `charts:`",
        )
    return finding(
        "host-unreachable",
        f"{blamed.host} could not be reached; the repo-server says: {result.message}",
        "check the network, or serve it from a folder with `charts:` in pytest-gitops.yaml",
    )


def _who_answered(context: Context, source: Source, message: str) -> str:
    """The host of a source, or, where that is ours, the first one that the message names."""
    address = parse_url(source.repo_url) or parse_registry(source.repo_url)
    if address is not None and not context.is_ours(source.repo_url):
        return address.host
    found = _HOST.search(message)
    return found["host"] if found else "a host"


def _blames(message: str, refusal: Refusal) -> bool:
    """Whether `message` is about what was refused: its host as a whole, and its repository where only that was."""
    return _names(message, refusal.host) and refusal.path in message


def _names(message: str, host: str) -> bool:
    return bool(re.search(rf"(?<![\w.-]){re.escape(host)}(?!\.?[\w-])", message))


def warnings(case: Case, result: Rendered) -> list[Finding]:
    """What is odd about a render that succeeded."""
    found = []
    if not result.objects and any(s.path or s.chart for s in case.sources):
        found.append(
            Finding(
                rule="renders-nothing",
                severity=Severity.WARNING,
                message=f"Application {case.key} renders to no object at all",
                file=case.file,
                line=case.line,
                help="check the path; a directory is not read recursively unless spec.source.directory.recurse is set",
            )
        )
    counted = Counter(
        (
            o.get("apiVersion"),
            o.get("kind"),
            (o.get("metadata") or {}).get("namespace"),
            (o.get("metadata") or {}).get("name"),
        )
        for o in result.objects
        if (o.get("metadata") or {}).get("name")  # generateName makes a new one each time
    )
    for (_, kind, namespace, obj), count in sorted(counted.items(), key=str):
        if count > 1:
            title = f"{kind} {namespace}/{obj}" if namespace else f"{kind} {obj}"
            found.append(
                Finding(
                    rule="repeated-resource",
                    severity=Severity.WARNING,
                    message=f"{title} is rendered {count} times; Argo CD applies the last one",
                    file=case.file,
                    line=case.line,
                    resource=title,
                    help="leave one of them out",
                )
            )
    return found
