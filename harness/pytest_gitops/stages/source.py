"""source: does the Application parse, fit Argo CD's CRD, and name what exists."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd.namespaces import not_enabled
from pytest_gitops.model import Case, Finding, Severity
from pytest_gitops.repository.revisions import is_range
from pytest_gitops.repository.sources import placed
from pytest_gitops.settings.registered import close_to, is_registered
from pytest_gitops.stages.base import Family, Publish, judged
from pytest_gitops.stages.deadlines import ANNOTATION, said_by, seconds_of
from pytest_gitops.waiting import now
from pytest_gitops.world.urls import Address, is_local, parse_registry
from pytest_gitops.world.urls import parse as parse_url

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

LOCAL = "it is this machine itself, or a service of its own link"
"""Why some hosts are refused whoever names them (see `urls.is_local`)."""

name = "source"
family = Family.REVIEW
question = "Is the Application well-formed, and does everything that it names exist?"
needs: tuple[str, ...] = ()

_HELPER = re.compile(r"\s*[A-Za-z0-9_-]+::")
"""`ext::…` and its like: git's remote helpers, which run programs."""

_REGISTRY = re.compile(r"[A-Za-z0-9][\w.-]*(:[0-9]+)?(/|$)")


def run(context: Context, cases: Sequence[Case], publish: Publish) -> None:
    """Findings of each manifest by itself, known before rendering, and of all of them together."""
    for case in cases:
        began = now()
        findings = [*context.source_findings.get(case.id, ()), *_together(context, case)]
        publish(case, judged(name, findings, duration=now() - began))


def check(context: Context, case: Case) -> tuple[Finding, ...]:
    """What is wrong with the manifest itself; whatever is found here keeps it from being rendered."""
    return tuple(_Check(context, case).findings())


def _together(context: Context, case: Case) -> Iterator[Finding]:
    plan = context.plan
    same = plan.duplicates.get(case.key, ())
    if len(same) > 1:
        others = [c for c in same if c is not case and (c.file, c.line) != (case.file, case.line)]
        places = ", ".join(f"{c.file}:{c.line}" for c in others) or f"{case.file}, twice"
        yield Finding(
            rule="duplicate-name",
            severity=Severity.ERROR,
            message=f"Application {case.key} is declared {len(same)} times, also in {places}; "
            "in one Argo CD the last one applied wins",
            file=case.file,
            line=case.line,
            help="give each Application a name of its own, or, where the files belong to different control planes, "
            "leave those of the others out with `ignore:` in pytest-gitops.yaml",
        )
    if case.id in plan.cycles:
        yield Finding(
            rule="application-cycle",
            severity=Severity.ERROR,
            message=f"Application {case.key} is created by an Application that it creates itself "
            f"(by way of {case.parent})",
            file=case.file,
            line=case.line,
            help="break the circle: the path of an app-of-apps must not lead back to it",
        )
    clusters = context.settings.clusters
    if clusters and not is_registered(case.destination, clusters):
        key = "server" if case.destination.server else "name"
        said = case.destination.server or case.destination.name
        names = [c.server if key == "server" else c.name for c in clusters]
        yield Finding(
            rule="unknown-cluster",
            severity=Severity.WARNING,
            message=f"spec.destination.{key}: expected a cluster of `clusters:` in pytest-gitops.yaml "
            f"({', '.join(names)}), saw {said!r}; here it gets a cluster of its own, Argo CD may not know it",
            file=case.file,
            line=context.line(case, "spec", "destination", key),
            help=f"correct it, or add it to `clusters:`{close_to(said, names)}",
        )
    asked = said_by(case)
    if asked is not None and seconds_of(asked) is None:
        yield Finding(
            rule="timeout-invalid",
            severity=Severity.ERROR,
            message=f"Application {case.key}: annotation {ANNOTATION}: expected a time such as 90s, 5m or 1h, "
            f"saw {asked!r}",
            file=case.file,
            line=context.line(case, "metadata", "annotations", ANNOTATION),
            help="correct it, or leave it out: then the timeout of the run counts",
        )
    known = {str((p.get("metadata") or {}).get("name")) for p in plan.projects} | {"default"}
    if case.project not in known and not context.source_findings.get(case.id):
        yield Finding(
            rule="unknown-project",
            severity=Severity.ERROR,
            message=f"spec.project: expected an AppProject of this repository ({', '.join(sorted(known))}), "
            f"saw {case.project!r}",
            file=case.file,
            line=context.line(case, "spec", "project"),
            help="declare the AppProject, or name the file that has it under `prerequisites:` in pytest-gitops.yaml",
        )


class _Check:
    def __init__(self, context: Context, case: Case) -> None:
        self.context, self.case, self.manifest = context, case, case.manifest

    def finding(self, rule: str, message: str, *path: str | int, help_: str = "") -> Finding:
        return Finding(
            rule=rule,
            severity=Severity.ERROR,
            message=message,
            file=self.case.file,
            line=self.context.line(self.case, *path),
            help=help_,
        )

    def findings(self) -> Iterator[Finding]:
        context, case = self.context, self.case
        passed_over = not_enabled(
            "Application", case.key, context.parameters, control=context.control, at=case
        )
        if passed_over is not None:
            yield replace(passed_over, line=context.line(case, "metadata", "namespace"))
        spec = self.manifest.get("spec")
        if not isinstance(spec, Mapping) or not (
            spec.get("source") or spec.get("sources") or spec.get("sourceHydrator")
        ):
            yield self.finding(
                "no-source",
                f"Application {self.case.key}: expected spec.source or spec.sources, saw neither",
                "spec",
                help_="name a repoURL with a path or a chart",
            )
            return
        wrong = self.context.schema.problems(self.manifest)
        if wrong:
            for path, message in wrong:
                yield self.finding(
                    "schema-invalid", message, *path, help_="see the Application specification of Argo CD"
                )
            return
        for place, source in placed(self.manifest):
            yield from self.source(source, place)

    def source(self, source: Mapping[str, Any], at: tuple[str | int, ...]) -> Iterator[Finding]:
        yield from self.reach(source, at)
        if not self.context.is_ours(str(source.get("repoURL", ""))) or source.get("chart"):
            return
        revision, prefix = str(source.get("targetRevision") or "HEAD"), str(source.get("tagPrefix") or "")
        commit = self.context.resolve(revision, prefix)
        if commit is None and is_range(revision):
            return  # Argo CD resolves it among the tags, and says so if there is none
        if commit is None:
            shallow = self.context.shallow
            yield self.finding(
                "missing-revision",
                f"{'.'.join(map(str, at[1:]))}.targetRevision: {revision!r} is no branch, tag or commit of this "
                "repository"
                + (f" (tagPrefix: {prefix!r})" if prefix else "")
                + (" (the clone is shallow, so it may only be missing here)" if shallow else ""),
                *at,
                "targetRevision",
                help_="fetch the whole history (actions/checkout: fetch-depth: 0)"
                if shallow
                else "name a branch or tag that exists; known branches that stand for the working tree: "
                + ", ".join(self.context.branches),
            )
            return
        path = _clean(str(source.get("path") or ""))
        if source.get("path") and not self.context.has_path(commit, path):
            yield self.finding(
                "missing-path",
                f"path {source['path']!r} leads out of the repository"
                if _leads_out(path)
                else f"path {source['path']!r} does not exist at revision {revision}",
                *at,
                "path",
                help_="name a folder relative to the root of the repository"
                + self.context.nearest(commit, path),
            )
            return
        yield from self.value_files(source, path, commit, at)

    def reach(self, source: Mapping[str, Any], at: tuple[str | int, ...]) -> Iterator[Finding]:
        """What a pull request may not make Argo CD ask for: files and services of this machine."""
        url, helm = str(source.get("repoURL") or ""), source.get("helm")
        registry = source.get("chart") and _REGISTRY.match(url)  # an OCI registry is written without a scheme
        address = parse_url(url) or (parse_registry(url) if registry else None)
        if address is None or address.scheme == "git" or _HELPER.match(url):
            yield self.finding(
                "repository-url",
                f"{'.'.join(map(str, at[1:]))}.repoURL: expected the https, ssh or oci URL of a repository, "
                f"saw {url!r}",
                *at,
                "repoURL",
                help_="name where Argo CD finds it; files of this machine are not read",
            )
        files = helm.get("valueFiles") if isinstance(helm, Mapping) else None
        yield from self.host(url, address, *at, "repoURL")
        for index, file in enumerate(files or ()):
            if "://" in str(file):
                yield from self.host(str(file), parse_url(str(file)), *at, "helm", "valueFiles", index)

    def host(self, url: str, address: Address | None, *path: str | int) -> Iterator[Finding]:
        settings = self.context.settings
        host = address.host if address is not None else ""
        if not is_local(host) or self.context.is_ours(url):
            return
        if settings.network != "allow" and host not in settings.allowed_hosts:
            yield self.finding(
                "host-refused",
                f"{host} was refused: {LOCAL}",
                *path,
                help_=f"if the run may talk to it, add {host} to network.allow in pytest-gitops.yaml",
            )

    def value_files(
        self, source: Mapping[str, Any], path: str, commit: str, at: tuple[str | int, ...]
    ) -> Iterator[Finding]:
        helm = source.get("helm")
        if not isinstance(helm, Mapping) or helm.get("ignoreMissingValueFiles") or not source.get("path"):
            return
        for index, file in enumerate(helm.get("valueFiles") or ()):
            place = _value_file(str(file), path)
            if place is not None and not self.context.has_path(commit, place):
                yield self.finding(
                    "missing-value-file",
                    f"value file {file!r} leads out of the repository"
                    if _leads_out(place)
                    else f"value file {file!r} does not exist ({place})",
                    *at,
                    "helm",
                    "valueFiles",
                    index,
                    help_="create it, correct its name, or set helm.ignoreMissingValueFiles"
                    + self.context.nearest(commit, place),
                )


def _leads_out(path: str) -> bool:
    return path == ".." or path.startswith(("../", "/"))


def _clean(path: str) -> str:
    normal = posixpath.normpath(path)
    return "" if normal == "." else normal


def _value_file(file: str, path: str) -> str | None:
    """Where in the repository a value file lies, None if that cannot be said from here."""
    if "://" in file or "$" in file or any(c in file for c in "*?["):
        return None  # of another host, of another source or from the build environment, a pattern
    if file.startswith("/"):
        return _clean(file.lstrip("/"))
    return _clean(posixpath.join(path, file))
