"""RBAC: what is asked of Argo CD's command for an expectation, and what its words mean."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pytest_gitops.argocd import rbac
from pytest_gitops.argocd.rbac import Answer, Rbac, is_group, policies, project_role, rules
from pytest_gitops.errors import EngineError
from pytest_gitops.processes.process import Completed
from pytest_gitops.settings.expectations import Expectation

POLICY = """\
p, role:dev, applications, sync, shop/*, allow
g, acme:devs, role:dev
p, acme:ops, applications, sync, shop/*, allow
"""

SHOP = {
    "metadata": {"name": "shop"},
    "spec": {
        "roles": [
            {
                "name": "ci",
                "policies": ["p, proj:shop:ci, applications, sync, shop/*, allow"],
                "groups": ["acme:bots"],
            },
            {"name": "idle"},
        ]
    },
}
OTHER = {"metadata": {"name": "other"}, "spec": {}}


@dataclass
class Command:
    """Stands for `argocd admin settings rbac can`: says No, or what it is told to say of a subject."""

    says: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    data: list[dict[str, str]] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)

    def __call__(self, *argv: str | Path, **_: Any) -> Completed:
        words = [str(a) for a in argv]
        cut = words.index("--")
        self.flags += words[1:cut]
        (file,) = (w.split("=", 1)[1] for w in words[:cut] if w.startswith("--policy-file="))
        self.data.append(json.loads(Path(file).read_text("utf-8"))["data"])
        self.asked.append(tuple(words[cut + 1 :]))
        said = self.says.get(words[cut + 1], "No")
        word = said if isinstance(said, str) else said[min(len(self.asked), len(said)) - 1]
        fatal = json.dumps({"level": "fatal", "msg": word})
        is_answer = word in {"Yes", "No"}
        return Completed(
            argv=tuple(words),
            status=0 if word == "Yes" else 1,
            stdout=f"{word}\n" if is_answer else "",
            stderr="" if is_answer else f"not JSON\n{fatal}\n",
        )

    @property
    def subjects(self) -> list[str]:
        return [a[0] for a in self.asked]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    made = Command()
    monkeypatch.setattr(rbac, "run", made)
    return made


@pytest.fixture
def asked(tmp_path: Path) -> Rbac:
    data = {
        "policy.csv": POLICY,
        "policy.default": "role:readonly",
        "policy.extra.csv": "g, bob, role:dev",
        "x": 1,
    }
    return Rbac(Path("argocd"), tmp_path / "rbac", data=data, projects=[SHOP, OTHER])


def expect(
    subject: str = "", *, groups: Sequence[str] = (), object: str = "shop/web", **more: Any
) -> Expectation:
    given = {"action": "sync", "resource": "applications", "allowed": True, **more}
    return Expectation(subject=subject, groups=tuple(groups), object=object, **given)


def test_a_policy_is_read_as_csv_and_what_is_no_rule_is_left_out() -> None:
    text = '# a remark\n\n p, role:a, "applications", get, */*, allow\ng, "team, x", role:a\np, too, short\nx, a, b\n'
    assert list(rules(text)) == [
        ["p", "role:a", "applications", "get", "*/*", "allow"],
        ["g", "team, x", "role:a"],
    ]


def test_a_projects_roles_become_rules() -> None:
    assert policies(SHOP) == [
        "p, proj:shop:ci, projects, get, shop, allow",
        "p, proj:shop:ci, applications, sync, shop/*, allow",
        "g, acme:bots, proj:shop:ci",
        "p, proj:shop:idle, projects, get, shop, allow",
    ]
    assert policies({"metadata": {"name": "bare"}}) == []


@pytest.mark.parametrize(
    ("subject", "role", "group"),
    [
        ("alice", None, False),
        ("role:dev", None, False),
        ("acme:devs", None, True),
        ("proj:shop:ci", ("shop", "ci"), False),
        ("proj:shop", None, True),
        ("", None, False),
    ],
)
def test_a_subject_is_a_user_a_role_or_a_group(
    subject: str, role: tuple[str, str] | None, group: bool
) -> None:
    assert (project_role(subject), is_group(subject)) == (role, group)


def test_a_user_is_asked_about_with_the_roles_of_the_objects_project(asked: Rbac, command: Command) -> None:
    command.says = {"alice": "Yes"}
    assert asked.answer(expect("alice")) == Answer(allowed=True)
    assert command.asked == [("alice", "sync", "applications", "shop/web")]
    (data,) = command.data
    assert data == {
        "policy.csv": POLICY,
        "policy.default": "role:readonly",
        "policy.extra.csv": "g, bob, role:dev",
        "policy.~.csv": "\n".join(policies(SHOP)),
    }


@pytest.mark.parametrize(
    ("resource", "object", "project"),
    [
        ("applications", "shop/web", True),
        ("logs", "shop/team/web", True),
        ("clusters", "shop/https://c", True),
        ("projects", "shop", True),
        ("applications", "*", False),
        ("applications", "nowhere/web", False),
        ("projects", "shop/web", False),
        ("accounts", "shop/web", False),
        ("write-repositories", "shop/https://r", False),
    ],
)
def test_a_project_counts_for_what_belongs_to_it(
    asked: Rbac, command: Command, resource: str, object: str, project: bool
) -> None:
    asked.answer(expect("alice", resource=resource, object=object))
    assert ("policy.~.csv" in command.data[0]) is project


def test_a_projects_role_is_nobody_in_another_project(asked: Rbac, command: Command) -> None:
    asked.answer(expect("proj:shop:ci"))
    asked.answer(expect("proj:shop:ci", object="other/web"))
    asked.answer(expect("proj:shop:ci", object="nowhere/web"))
    assert command.subjects == ["proj:shop:ci", "", "proj:shop:ci"]


def test_groups_count_where_somebody_binds_them(asked: Rbac, command: Command) -> None:
    command.says = {"acme:devs": "Yes"}
    assert asked.answer(expect("alice", groups=["acme:ops", "acme:devs", "acme:bots"])).allowed
    assert command.subjects == ["alice", "acme:devs"]


def test_a_group_that_nobody_binds_has_the_default_role_only(asked: Rbac, command: Command) -> None:
    command.says = {"acme:ops": "Yes"}
    assert not asked.answer(expect("acme:ops")).allowed
    assert command.subjects == [""]


def test_a_project_binds_groups_for_its_own_objects(asked: Rbac, command: Command) -> None:
    asked.answer(expect("acme:bots", object="other/web"))
    asked.answer(expect("acme:bots"))
    assert command.subjects == ["", "", "acme:bots"]


def test_a_project_that_cannot_be_read_is_left_out(asked: Rbac, command: Command) -> None:
    command.says = {"alice": ["invalid user policy: policy syntax error: p, x", "Yes"]}
    assert asked.answer(expect("alice")).allowed
    assert ["policy.~.csv" in data for data in command.data] == [True, False]


def test_what_argo_cd_does_not_judge_is_told_in_its_words(asked: Rbac, command: Command) -> None:
    command.says = {
        "alice": "'syn' is not a valid action",
        "bob": f"invalid user policy: policy syntax error: {POLICY}",
    }
    assert asked.answer(expect("alice")).trouble == "'syn' is not a valid action"
    assert asked.answer(expect("bob")).trouble == "policy syntax error"


def test_a_command_that_says_nothing_is_an_error_of_the_engine(
    asked: Rbac, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        rbac, "run", lambda *a, **_: Completed(argv=(), status=2, stdout="", stderr="panic: oh\n")
    )
    with pytest.raises(EngineError, match="neither Yes nor No:\npanic: oh"):
        asked.answer(expect("alice"))


def test_the_default_role_may_be_another_one_or_none(asked: Rbac, command: Command) -> None:
    asked.answer(expect("alice", default_role=""))
    asked.answer(expect("alice", default_role="role:dev"))
    asked.answer(expect("alice"))
    assert [data["policy.default"] for data in command.data] == ["", "role:dev", "role:readonly"]


def test_a_question_is_asked_once(asked: Rbac, command: Command) -> None:
    for _ in range(3):
        asked.answer(expect("alice"))
    assert len(command.asked) == 1


def test_only_the_question_that_argo_cds_list_forgets_is_asked_loosely(asked: Rbac, command: Command) -> None:
    asked.answer(expect("alice", resource="accounts", action="update"))
    assert "--strict=false" not in command.flags
    asked.answer(expect("alice", resource="accounts", action="get"))
    assert "--strict=false" in command.flags


@pytest.mark.parametrize(
    ("subject", "default", "unknown"),
    [
        ("role:dev", None, ""),
        ("role:admin", None, ""),
        ("role:nope", None, "role:nope"),
        ("proj:shop:ci", None, ""),
        ("proj:shop:nope", None, "proj:shop:nope"),
        ("proj:nowhere:ci", None, "proj:nowhere:ci"),
        ("alice", None, ""),
        ("acme:nobody", None, ""),
        ("alice", "role:nope", "role:nope"),
        ("alice", "", ""),
    ],
)
def test_a_role_must_be_defined(asked: Rbac, subject: str, default: str | None, unknown: str) -> None:
    assert asked.unknown(expect(subject, default_role=default)) == unknown
