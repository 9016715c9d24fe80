"""Asks Argo CD what its RBAC answers: `argocd admin settings rbac can`, on a policy that is made of files.

The command knows the policy of argocd-rbac-cm and the built-in one. What argocd-server adds to them before it
decides is handed to it: the roles of the AppProject that the object belongs to, and groups only where somebody binds
them (server/rbacpolicy/rbacpolicy.go: EnforceClaims).
"""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_gitops.errors import EngineError
from pytest_gitops.processes.process import run
from pytest_gitops.settings.expectations import Expectation

LIMIT = 60.0
"""Seconds that one answer may take: 0.1 on an idle machine, of which 0.05 are work."""

BUILT_IN = frozenset({"role:admin", "role:readonly"})
"""The roles of Argo CD's own policy (assets/builtin-policy.csv)."""

BOUND = frozenset({"admin", "role:admin"})
"""Whom that policy binds to a role."""

OF_PROJECTS = frozenset({"applicationsets", "applications", "repositories", "clusters", "logs", "exec"})
"""Resources whose objects are "<project>/…"; a project is its own object (getProjectFromRequest)."""

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: none, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: none, user: {token: none}}]
contexts: [{name: none, context: {cluster: none, user: none}}]
current-context: none
"""
"""The command asks for one even where it is given the policy as a file, and does not use it."""

ADDED = "policy.~.csv"
"""The key of what is added to a policy. Every key of that form is read; a deny wins wherever it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Argo CD says: `allowed`, or, where it does not judge, its words why (`trouble`)."""

    allowed: bool = False
    trouble: str = ""


class Rbac:
    """The RBAC of one Argo CD: `data` is argocd-rbac-cm's, `projects` its AppProjects. Thread-safe.

    `program` is Argo CD's; `directory` is made, and is private to the run.
    """

    def __init__(
        self,
        program: Path,
        directory: Path,
        *,
        data: Mapping[str, Any],
        projects: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._program, self._directory = program, directory
        self._data = {str(k): v for k, v in data.items() if isinstance(v, str)}
        self._projects = {str(p["metadata"]["name"]): p for p in reversed(projects)}
        self._answers: dict[tuple[str, ...], Future[Answer]] = {}
        self._lock = threading.Lock()
        directory.mkdir(mode=0o700, parents=True)
        (directory / "kubeconfig").write_text(KUBECONFIG, "utf-8")

    def unknown(self, expectation: Expectation) -> str:
        """Which role of the expectation nobody defined, empty if there is none such."""
        defined = BUILT_IN | {line[1] for line in rules(self._text())}
        for name in (expectation.subject, expectation.default_role or ""):
            if role := project_role(name):
                project = self._projects.get(role[0], {})
                if role[1] not in {r["name"] for r in roles(project)}:
                    return name
            elif name.startswith("role:") and name not in defined:
                return name
        return ""

    def answer(self, expectation: Expectation) -> Answer:
        """What argocd-server would answer. Raises EngineError if the command cannot be run or says nothing."""
        project = self._project_of(expectation)
        subject = expectation.subject
        role = project_role(subject)
        if role and project is not None and role[0] != project["metadata"]["name"]:
            # A project's token is nobody in another project.
            return self._ask(expectation, "", project=None)
        bound = BOUND | {line[1] for line in rules(self._text(project)) if line[0] == "g"}
        groups = [*expectation.groups]
        if is_group(subject):
            subject, groups = "", [subject, *groups]
        answer = self._ask(expectation, subject, project=project)
        for group in groups:
            if not answer.allowed and not answer.trouble and group in bound:
                answer = self._ask(expectation, group, project=project)
        return answer

    def _project_of(self, expectation: Expectation) -> Mapping[str, Any] | None:
        project, slash, _ = expectation.object.partition("/")
        if expectation.resource == "projects":
            return self._projects.get(expectation.object)
        return self._projects.get(project) if slash and expectation.resource in OF_PROJECTS else None

    def _text(self, project: Mapping[str, Any] | None = None) -> str:
        """Every policy of the ConfigMap, and a project's own."""
        keys = sorted(k for k in self._data if k.startswith("policy.") and k.endswith(".csv"))
        return "\n".join([*(self._data[k] for k in keys), *(policies(project) if project else ())])

    def _ask(self, expectation: Expectation, subject: str, *, project: Mapping[str, Any] | None) -> Answer:
        answer = self._once(expectation, subject, project)
        if answer.trouble and project is not None:
            # argocd-server leaves a project's roles out if one of them is not to be read.
            return self._once(expectation, subject, None)
        return answer

    def _once(self, expectation: Expectation, subject: str, project: Mapping[str, Any] | None) -> Answer:
        """Each question once, whoever asks it."""
        name = str(project["metadata"]["name"]) if project else ""
        default = expectation.default_role
        about = (expectation.action, expectation.resource, expectation.object)
        key = (subject, *about, name, "=" if default is None else default)
        with self._lock:
            found = self._answers.get(key)
            mine = found is None
            if found is None:
                found = self._answers[key] = Future()
                file = self._directory / f"{len(self._answers)}.json"
        if mine:
            try:
                file.write_text(json.dumps(self._config_map(project, default)), "utf-8")
                found.set_result(self._can(subject, *about, file=file))
            except BaseException as error:
                found.set_exception(error)
        return found.result()

    def _config_map(self, project: Mapping[str, Any] | None, default: str | None) -> dict[str, Any]:
        data = dict(self._data)
        if default is not None:
            data["policy.default"] = default
        if project is not None:
            data[ADDED] = "\n".join(policies(project))
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "argocd-rbac-cm"},
            "data": data,
        }

    def _can(self, subject: str, action: str, resource: str, object_: str, *, file: Path) -> Answer:
        done = run(
            *(self._program, "admin", "settings", "rbac", "can"),
            *(f"--kubeconfig={self._directory / 'kubeconfig'}", f"--policy-file={file}"),
            # Its list has `create` for accounts where argocd-server asks for `get` (server/account/account.go).
            *(["--strict=false"] if (resource, action) == ("accounts", "get") else []),
            *("--", subject, action, resource, object_),
            env={"HOME": str(self._directory), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            limit=LIMIT,
            check=False,
        )
        said = done.stdout.split()
        if said[-1:] in (["Yes"], ["No"]):
            return Answer(allowed=said[-1] == "Yes")
        return Answer(trouble=_words(done.stderr))


def _words(stderr: str) -> str:
    """What Argo CD says when it gives up. Raises EngineError if it does not say anything."""
    for line in stderr.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("level") == "fatal":
            # It repeats the whole policy behind the second colon.
            words = str(entry.get("msg", ""))
            return "policy syntax error" if "policy syntax error" in words else words
    raise EngineError(f"`argocd admin settings rbac can` said neither Yes nor No:\n{stderr[-2000:]}")


def rules(text: str) -> Iterator[list[str]]:
    """The lines of a policy as Argo CD reads them: CSV, one rule a line; what is no rule is left out."""
    for line in text.splitlines():
        line = line.strip()
        if line and not line.startswith("#"):
            fields = next(csv.reader([line], skipinitialspace=True))
            if (fields[0], len(fields)) in {("p", 6), ("g", 3)}:
                yield fields


def roles(project: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The roles of an AppProject, those that have a name."""
    found = (project.get("spec") or {}).get("roles")
    return [r for r in found if isinstance(r, Mapping) and r.get("name")] if isinstance(found, list) else []


def policies(project: Mapping[str, Any]) -> list[str]:
    """What the roles of an AppProject add to a policy (app_project_types.go: ProjectPoliciesString)."""
    name, lines = project["metadata"]["name"], []
    for role in roles(project):
        subject = f"proj:{name}:{role['name']}"
        lines.append(f"p, {subject}, projects, get, {name}, allow")
        lines += [str(policy) for policy in role.get("policies") or ()]
        lines += [f"g, {group}, {subject}" for group in role.get("groups") or ()]
    return lines


def project_role(subject: str) -> tuple[str, str] | None:
    """(project, role) of a project's role, None for any other subject."""
    parts = subject.split(":")
    return (parts[1], parts[2]) if len(parts) == 3 and parts[0] == "proj" else None


def is_group(subject: str) -> bool:
    """Whether a subject is a group, by Argo CD's own rule (cmd/argocd/commands/admin/settings_rbac.go)."""
    return ":" in subject and not subject.startswith("role:") and project_role(subject) is None
