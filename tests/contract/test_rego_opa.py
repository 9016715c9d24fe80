"""The real OPA: our policies and users' folders, subjects judged, mistakes named, its death noticed."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_gitops.errors import ConfigError, ProcessDied
from pytest_gitops.model import Severity
from pytest_gitops.processes.process import Supervisor
from pytest_gitops.rego import bundle, compiling, inputs
from pytest_gitops.rego.opa import Opa

pytestmark = pytest.mark.engine

MARKER = "the-marker-value"

APPLICATION: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": {"name": "news", "namespace": "argocd"},
    "spec": {
        "project": "grid",
        "source": {"repoURL": "https://git.example/grid.git", "targetRevision": "v1.0.0", "path": "news"},
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "news"},
    },
}

Start = Callable[..., Opa]
Load = Callable[..., bundle.Bundle]


@contextlib.contextmanager
def supervising(folder: Path) -> Iterator[Supervisor]:
    # A name longer than a unix socket's path may be.
    supervisor = Supervisor(folder / ("run-" + "x" * 100), run_id=f"rego-{os.getpid()}-{folder.name}")
    yield supervisor
    supervisor.close()


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with supervising(tmp_path) as supervisor:
        yield supervisor


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """Of the two OPAs that many tests ask."""
    with supervising(tmp_path_factory.mktemp("shared")) as supervisor:
        yield supervisor


@pytest.fixture(scope="module")
def ours(shared: Supervisor, toolbox: dict[str, Path]) -> Opa:
    """An OPA with our policies alone."""
    opa = Opa(shared, shared.directory / "ours", toolbox["opa"])
    opa.start()
    return opa


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all of RULES."""
    folder = tmp_path_factory.mktemp("rules")
    for name, text in RULES.items():
        (folder / f"{name}.rego").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def mixed(shared: Supervisor, toolbox: dict[str, Path], rules: Path) -> Opa:
    """An OPA with all of RULES: one of them fails, so that each has been asked alone, and the others go on."""
    opa = Opa(shared, shared.directory / "mixed", toolbox["opa"], folders=[rules])
    opa.start()
    return opa


@pytest.fixture
def load(tmp_path: Path, toolbox: dict[str, Path]) -> Load:
    """The bundle that an OPA would be started with."""
    return lambda folder, **options: bundle.load(
        toolbox["opa"], tmp_path / "bundle", folders=[folder], **options
    )


@pytest.fixture
def start(supervisor: Supervisor, toolbox: dict[str, Path]) -> Iterator[Start]:
    started: list[Opa] = []

    def start(*folders: Path, data: dict[str, Any] | None = None, **options: Any) -> Opa:
        opa = Opa(
            supervisor, supervisor.directory / "opa", toolbox["opa"], folders=folders, data=data, **options
        )
        started.append(opa)
        opa.start()
        return opa

    yield start
    for opa in started:
        opa.close()


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    def folder(**files: str) -> Path:
        path = tmp_path / "rules"
        path.mkdir(exist_ok=True)
        for name, text in files.items():
            (path / f"{name}.rego").write_text(text, encoding="utf-8")
        return path

    return folder


def pod(name: str, image: str = "nginx:1.25") -> inputs.Subject:
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "web", "image": image}]},
    }
    return inputs.object_subject(manifest, application=APPLICATION)


def codes(opa: Opa, *subjects: inputs.Subject) -> list[list[str]]:
    return [[hit.rule.code for hit in found] for found in opa.judge(subjects)]


def test_our_rules_judge_every_kind_of_subject_in_one_request(ours: Opa) -> None:
    opa = ours
    assert opa.version.count(".") == 2
    other = {"metadata": {"name": "grid"}, "spec": {"destinations": [], "sourceRepos": ["*"]}}
    declared = inputs.Declared(key="argocd/news", manifest=APPLICATION, file="a.yaml", line=1)
    secret = inputs.SecretFile(
        manifest={
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s"},
            "stringData": {"k": MARKER},
        },
        file="s.yaml",
        line=3,
    )
    mutable, allowed, refused, whole = opa.judge(
        [
            pod("p", "nginx"),
            inputs.application_subject(APPLICATION, project=None),
            inputs.application_subject(APPLICATION, project=other),
            inputs.repository_subject([declared, declared], secrets=[secret]),
        ]
    )
    image = next(h for h in mutable if h.rule.code == "image-tag-mutable")
    assert image.resource == "Pod news/p"
    assert image.pointer == "/spec/containers/0/image"
    assert image.message == 'container "web": expected an image with a version or a digest, saw "nginx"'
    assert [h.rule.code for h in allowed] == ["finalizer-missing"]
    assert [h.rule.code for h in refused] == ["destination-not-allowed", "finalizer-missing"]
    assert [(h.rule.code, h.file, h.line) for h in whole] == [
        ("duplicate-application", "a.yaml", 1),
        ("plain-secret", "s.yaml", 3),
    ]
    assert MARKER not in str(whole)


def test_an_empty_run_asks_nothing(ours: Opa) -> None:
    assert ours.judge([]) == []


def test_settings_reach_the_policies(start: Start) -> None:
    opa = start(data={"settings": {"images": {"pinned": ["golden"]}}})
    first, second = codes(opa, pod("a", "nginx:golden"), pod("b", "nginx:silver"))
    assert "image-tag-mutable" not in first
    assert "image-tag-mutable" in second


OWNER = """package team

# METADATA
# title: Owner
# scope: document
# custom:
#   rule: owner-label
#   subject: application
#   severity: warning
#   help: Add the label.
owner contains "no owner" if not input.application.metadata.labels.owner
"""


def test_a_users_rule_with_metadata_is_asked_on_its_subject(mixed: Opa, rules: Path) -> None:
    rule = next(r for r in mixed.rules if r.code == "owner-label")
    assert (rule.severity, rule.help, rule.where) == (
        Severity.WARNING,
        "Add the label.",
        f"{rules}/owner.rego:11",
    )
    assert "owner-label" in codes(mixed, inputs.application_subject(APPLICATION, project=None))[0]


OLD_CONFTEST = """package main

import data.lib

deny[msg] {
  lib.is_pod
  msg := sprintf("pod %q", [input.metadata.name])
}

warn_name[{"msg": msg, "details": {"x": 1}}] {
  input.metadata.name == "p"
  msg := "named p"
}

violation[{"msg": "violated"}] { input.metadata.name == "v" }
"""
OLD_LIBRARY = """package lib

is_pod { input.kind == "Pod" }
"""
NEW_CONFTEST = """package team.images

import rego.v1

deny_latest contains msg if {
	some container in input.spec.containers
	endswith(container.image, ":latest")
	msg := "latest"
}

deny_second contains "second"

deny_function(text) := text

exception contains rules if {
	input.metadata.name == "excepted"
	rules := ["latest"]
}
"""


def test_conftest_folders_run_unchanged_in_old_and_new_syntax(
    start: Start, folder: Callable[..., Path]
) -> None:
    opa = start(
        folder(
            old=OLD_CONFTEST,
            library=OLD_LIBRARY,
            new=NEW_CONFTEST,
            old_test="package main\ntest_x { not an error }",
        )
    )
    mine = [r.code for r in opa.rules if r.conftest]
    assert mine == [
        "main-deny",
        "main-violation",
        "main-warn-name",
        "team-images-deny-latest",
        "team-images-deny-second",
    ]
    assert next(r.line for r in opa.rules if r.code == "main-warn-name") == 10
    found = opa.judge([pod("p"), pod("excepted", "a:latest"), pod("v", "a:latest")])
    told = [[(h.rule.code, h.message) for h in hits if h.rule.conftest] for hits in found]
    second = ("team-images-deny-second", "second")
    assert told == [
        [("main-deny", 'pod "p"'), ("main-warn-name", "named p"), second],
        [("main-deny", 'pod "excepted"'), second],
        [
            ("main-deny", 'pod "v"'),
            ("main-violation", "violated"),
            ("team-images-deny-latest", "latest"),
            second,
        ],
    ]
    assert {h.resource for h in found[0] if h.rule.conftest} == {"Pod news/p"}


LEAK = "package main\n\ndeny contains msg if msg := base64.decode(input.data.password)\n"


def test_a_users_rule_cannot_tell_a_secret(mixed: Opa) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "data": {"password": base64.b64encode(MARKER.encode()).decode()},
    }
    (found,) = mixed.judge([inputs.object_subject(secret, application=APPLICATION)])
    assert [h.message for h in found if h.rule.code == "main-deny"] == ["***"]
    assert MARKER not in str(found)


NOT_COMPILING = [
    ("package main\n\ndeny contains msg if {\n  msg :=\n}\n", 5, "unexpected } token"),
    ("package main\n\ndeny contains x if y\n", 3, "var x is unsafe"),
    ("package main\n\ndeny[msg] {\n  msg := missing(1)\n}\n", 4, "undefined function missing"),
    (
        'package main\n\ndeny contains msg if {\n\tmsg := http.send({"url": "u"}).x\n}\n',
        4,
        "http.send is not there (policies have neither network nor environment here)",
    ),
    (
        "package main\n\ndeny contains msg if msg := opa.runtime().env.HOME\n",
        3,
        "opa.runtime is not there (policies have neither network nor environment here)",
    ),
    (
        'package main\n\ndeny contains msg if msg := parse_config("yaml", "a")\n',
        3,
        "parse_config is not there (it is a function of conftest, OPA has none)",
    ),
]
"""(text, line, what is said of it)"""


def test_policies_that_do_not_compile_are_findings_and_the_others_run(
    start: Start, folder: Callable[..., Path]
) -> None:
    wrong = {f"wrong{number}": text for number, (text, _, _) in enumerate(NOT_COMPILING)}
    rules = folder(fine='package other\n\ndeny contains "fine"\n', **wrong)
    opa = start(rules)
    said = "the policy does not compile, so no rule of this file is asked"
    assert {p.where: p.message for p in opa.problems} == {
        f"{rules}/wrong{number}.rego:{line}": f"{said}: {message}"
        for number, (_, line, message) in enumerate(NOT_COMPILING)
    }
    assert {(p.rule, p.counts) for p in opa.problems} == {("policy-not-compiling", True)}
    assert "other-deny" in codes(opa, pod("p"))[0]


def test_one_policy_that_does_not_compile_is_the_only_finding(
    start: Start, folder: Callable[..., Path]
) -> None:
    rules = folder(
        fine='package other\n\ndeny contains "fine"\n', wrong="package main\n\ndeny contains x if y\n"
    )
    opa = start(rules)
    (problem,) = opa.problems
    assert problem.where == f"{rules}/wrong.rego:3"
    assert "other-deny" in codes(opa, pod("p"))[0]


def test_every_policy_that_does_not_compile_is_named_and_what_leans_on_it(
    load: Load, folder: Callable[..., Path]
) -> None:
    rules = folder(
        library="package lib\n\nf(x) := y\n",
        leaning="package leaning\n\ndeny contains data.lib.f(1)\n",
        syntax="package syntax\n\ndeny contains }\n",
        fine='package fine\n\ndeny contains "fine"\n',
    )
    loaded = load(rules)
    assert sorted(p.where for p in loaded.problems) == [
        f"{rules}/leaning.rego:3", f"{rules}/library.rego:3", f"{rules}/syntax.rego:3",
    ]  # fmt: skip
    assert [r.code for r in loaded.rules if not r.builtin] == ["fine-deny"]


def test_a_package_of_ours_is_not_to_be_added_to(load: Load, folder: Callable[..., Path]) -> None:
    rules = folder(ours='# mine\npackage gitops.lib.pods\n\nlasting if input.object.kind == "Mine"\n')
    (problem,) = load(rules).problems
    assert problem.where == f"{rules}/ours.rego:2"
    assert problem.message.startswith("package gitops: the name is taken by pytest-gitops itself")


def test_a_file_that_only_the_older_rego_takes_runs_in_it(start: Start, folder: Callable[..., Path]) -> None:
    text = 'package main\n\ndeny = {"old"} { any([true, false]); input := 1; input == 1 }\n'
    mixed = (
        'package mixed\n\nimport future.keywords\n\ndeny contains "mixed" if re_match("P.d", input.kind)\n'
    )
    opa = start(folder(old=text, mixed=mixed))
    assert opa.problems == ()
    assert {"main-deny", "mixed-deny"} <= set(codes(opa, pod("p"))[0])


CONFLICT = 'package conflict\n\nside := n if some n in [1, 2]\n\ndeny contains sprintf("%d", [side])\n'
SLOW = (
    'package slow\n\ndeny contains "x" if {\n'
    "\tsome a in numbers.range(1, 100000)\n\tsome b in numbers.range(1, 100000)\n\ta * b < 0\n}\n"
)
SHAPE = 'package shape\n\ndeny contains {"message": "x"}\n\ndeny contains "right"\n'
FINE = 'package fine\n\ndeny contains "fine"\n'
ARRAY = 'package array\n\ndeny := ["a", "b"]\n'
CLAIM = """package claims

# METADATA
# scope: document
# custom: {rule: claim-gone, subject: change}
gone contains sprintf("%s %s", [input.change, input.effect]) if input.old.kind == "PersistentVolumeClaim"
"""
GIVEN = """# METADATA
# custom: {subject: object}
package given

deny contains "host network" if input.object.spec.hostNetwork == true

warn contains helper(input.application.metadata.name)

helper(name) := sprintf("of %s", [name])

exception contains ["x"]
"""
RULES = {
    "owner": OWNER, "leak": LEAK, "conflict": CONFLICT, "shape": SHAPE, "fine": FINE, "array": ARRAY, "claim": CLAIM,
    "given": GIVEN,
}  # fmt: skip


def test_a_rule_that_fails_is_named_and_the_others_are_judged(mixed: Opa, rules: Path) -> None:
    for found in (*mixed.judge([pod("p"), pod("q")]), *mixed.judge([pod("r")])):
        told = {h.rule.code: h for h in found}
        assert told["policy-failing"].finding().where == f"{rules}/conflict.rego:5"
        assert told["policy-failing"].message == (
            f"rule conflict-deny: it fails, so it was not asked: {rules}/conflict.rego:3: "
            "rule data.conflict.side produced conflicting values"
        )
        assert {"fine-deny", "limits-missing"} <= set(told)


def test_a_rule_of_the_wrong_shape_is_named_and_says_the_rest(mixed: Opa, rules: Path) -> None:
    told = {h.rule.code: h for h in mixed.judge([pod("p")])[0]}
    assert told["policy-wrong-shape"].finding().where == f"{rules}/shape.rego:3"
    assert "saw an object without a text `msg`" in told["policy-wrong-shape"].message
    assert told["shape-deny"].message == "right"


def test_a_rule_without_end_is_cut_off_named_and_the_others_are_judged(
    start: Start, folder: Callable[..., Path]
) -> None:
    rules = folder(slow=SLOW, fine=FINE, conflict=CONFLICT)
    opa = start(rules, rule_limit=2)
    (found,) = opa.judge([pod("p")])
    told = {h.rule.code: h for h in found}
    assert told["policy-too-slow"].finding().where == f"{rules}/slow.rego:3"
    assert told["policy-too-slow"].message == (
        "rule slow-deny: it did not answer within 2 s, so it was not asked"
    )
    assert {"policy-failing", "fine-deny", "limits-missing"} <= set(told)
    # It is known now: what is asked next does not wait for it again.
    assert "policy-too-slow" in codes(opa, pod("q"))[0]


def test_a_large_document_is_not_the_rules_fault(start: Start, folder: Callable[..., Path]) -> None:
    """12 MB, which alone take OPA longer to read than a rule may think."""
    opa = start(folder(fine=FINE), rule_limit=0.02)
    large = [pod(f"p{n}", "x" * 1_000_000) for n in range(12)]
    for found in codes(opa, *large):
        assert "fine-deny" in found and "policy-too-slow" not in found


def test_what_is_not_concerned_by_a_broken_rule_says_nothing_of_it(mixed: Opa) -> None:
    application = inputs.application_subject(APPLICATION, project=None)
    found = codes(mixed, pod("p"), application)
    assert "policy-failing" in found[0]
    assert "policy-failing" not in found[1]


def test_conftest_namespaces_are_chosen_by_pattern(load: Load, folder: Callable[..., Path]) -> None:
    both = {name: f'package {name}\n\ndeny contains "{name}"\n' for name in ("main", "team")}
    loaded = load(
        folder(**both, nested='package main.gke\n\ndeny contains "x"\n'), namespaces=["main", "main.*"]
    )
    assert [r.code for r in loaded.rules if r.conftest] == ["main-deny", "main-gke-deny"]


def test_a_namespace_that_no_package_fits_is_refused(load: Load, folder: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError) as error:
        load(folder(main=FINE), namespaces=["main"])
    assert str(error.value) == (
        "policy.namespaces: 'main': expected a package with conftest's rules that it fits, saw none; there is fine"
    )


def test_data_files_are_read_as_conftest_reads_them(
    start: Start, folder: Callable[..., Path], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    (data / "teams").mkdir(parents=True)
    (data / "teams" / "all.yaml").write_text("names: [grid]\n", encoding="utf-8")
    (data / "limits.json").write_text('{"most": 3}', encoding="utf-8")
    (data / "not-data.rego").write_text("nonsense", encoding="utf-8")
    text = 'package main\n\ndeny contains sprintf("%v %v %v", [data.teams.names, data.most, data.settings.own])\n'
    opa = start(folder(main=text), data={"settings": {"own": 1}}, data_files=[data])
    assert [h.message for h in opa.judge([pod("p")])[0] if h.rule.conftest] == ['["grid"] 3 1']


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: [1", "cannot be read: "), ("gitops: {}", "'gitops' is taken by pytest-gitops itself")],
)
def test_data_that_cannot_be_used_is_refused(
    start: Start, folder: Callable[..., Path], tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "data.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        start(folder(main=FINE), data_files=[tmp_path / "data.yaml"])


def test_what_conftest_knows_of_files_is_said_not_to_be_checked(
    load: Load, folder: Callable[..., Path]
) -> None:
    text = 'package main\n\ndeny contains "x" if endswith(data.conftest.file.name, ".yaml")\n'
    rules = folder(main=text)
    (problem,) = load(rules).problems
    assert (problem.rule, problem.where, problem.severity) == (
        "policy-not-checked", f"{rules}/main.rego:3", Severity.WARNING,
    )  # fmt: skip


def test_a_package_gives_its_subject_to_rules_with_conftests_names(mixed: Opa) -> None:
    exposed = pod("p")
    exposed.input["object"]["spec"]["hostNetwork"] = True
    (found,) = mixed.judge([exposed])
    told = {h.rule.code: (h.message, h.rule.severity) for h in found}
    assert told["given-deny"] == ("host network", Severity.ERROR)
    assert told["given-warn"] == ("of news", Severity.WARNING)


def test_parts_that_say_different_things_are_named_at_the_second_also_in_another_file(
    load: Load, folder: Callable[..., Path]
) -> None:
    part = (
        "package team\n\n# METADATA\n# custom: {{rule: {rule}, subject: object, severity: {severity}}}\n"
        'forbidden contains "{rule}"\n'
    )
    rules = folder(
        a=part.format(rule="team-advice", severity="info"),
        b=part.format(rule="team-forbidden", severity="error"),
    )
    loaded = load(rules)
    (problem,) = loaded.problems
    assert (problem.rule, problem.counts, problem.where) == ("policy-invalid", True, f"{rules}/b.rego:5")
    assert (
        f"expected custom.rule 'team-advice', as at {rules}/a.rego:5, saw 'team-forbidden'" in problem.message
    )
    assert [r.code for r in loaded.rules if not r.builtin] == []


def test_a_block_for_the_document_and_those_of_its_parts_are_one_rule(
    load: Load, folder: Callable[..., Path]
) -> None:
    text = """package team

# METADATA
# scope: document
# title: Forbidden
# custom: {rule: team-forbidden, subject: object}

# METADATA
# title: The first part
forbidden contains "a"

# METADATA
# title: The second part
forbidden contains "b"
"""
    loaded = load(folder(a=text))
    assert loaded.problems == ()
    assert [(r.code, r.title) for r in loaded.rules if not r.builtin] == [("team-forbidden", "Forbidden")]


def test_a_change_is_a_subject(mixed: Opa) -> None:
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}}
    changed = inputs.Changed(change="removed", old=claim, new=None, effect="pruned")
    subject = inputs.change_subject(
        changed, application=APPLICATION, old_application=APPLICATION, project=None
    )
    (found,) = mixed.judge([subject])
    (hit,) = [h for h in found if h.rule.code == "claim-gone"]
    assert (hit.message, hit.resource) == ("removed pruned", "PersistentVolumeClaim news/data")


@pytest.mark.parametrize("rules", ["missing", "empty"])
def test_a_folder_without_policies_is_refused(start: Start, tmp_path: Path, rules: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError) as error:
        start(tmp_path / rules)
    assert error.value.where == f"--gitops-policy {tmp_path / rules}"


def test_a_link_out_of_the_folder_is_refused(
    start: Start, tmp_path: Path, folder: Callable[..., Path]
) -> None:
    (tmp_path / "outside.rego").write_text("package outside\n", encoding="utf-8")
    rules = folder(a="package a\n")
    (rules / "link.rego").symlink_to(tmp_path / "outside.rego")
    with pytest.raises(ConfigError) as error:
        start(rules)
    assert error.value.where == f"{rules}/link.rego"


def test_data_under_our_own_names_is_refused(start: Start) -> None:
    with pytest.raises(ConfigError, match="'gitops' is taken by pytest-gitops itself"):
        start(data={"gitops": {}})


def test_a_code_of_ours_is_not_to_be_taken(load: Load, folder: Callable[..., Path]) -> None:
    text = "package a\n\n# METADATA\n# custom:\n#   rule: privileged\n#   subject: object\nx := set()\n"
    loaded = load(folder(a=text))
    (problem,) = loaded.problems
    assert problem.message.startswith(
        "rule code 'privileged': expected a code of its own, it is taken by policies/"
    )
    assert next(r for r in loaded.rules if r.code == "privileged").builtin


def test_its_death_is_told_with_its_name(start: Start, supervisor: Supervisor) -> None:
    opa = start()
    daemon = next(d for d in supervisor._daemons if d.name == "opa")
    os.kill(daemon.pid, signal.SIGKILL)
    with pytest.raises(ProcessDied, match="opa was killed by signal 9"):
        opa.judge([pod("p")])


def test_proxies_of_the_environment_are_not_used(ours: Opa, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert codes(ours, pod("p", "nginx"))[0]


def test_others_cannot_reach_it(ours: Opa, shared: Supervisor) -> None:
    socket = shared.directory / "ours" / "opa.sock"
    assert socket.stat().st_mode & 0o077 == 0
    assert socket.parent.stat().st_mode & 0o077 == 0


def test_the_builtin_policies_are_found_in_the_checkout() -> None:
    assert (bundle.builtin() / "workload" / "image.rego").is_file()


def test_a_rule_may_be_of_any_type_that_can_be_told(start: Start, folder: Callable[..., Path]) -> None:
    opa = start(
        folder(
            array='package array\n\ndeny := ["a", "b"]\n\nexception := ["x"]\n',
            text='package text\n\ndeny := "text"\n\nexception := "x"\n',
            number="package number\n\ndeny := 3\n",
            object='package object_\n\ndeny := {"a": 1}\n',
            silent="package silent\n\ndeny := false\n\nwarn := []\n\nviolation := null\n",
        )
    )
    assert opa.problems == ()
    told = [(h.rule.code, h.message) for h in opa.judge([pod("p")])[0] if not h.rule.builtin]
    shape = "expected a set of texts or of objects with a text `msg`, saw"
    assert told == [
        ("array-deny", "a"),
        ("array-deny", "b"),
        ("policy-wrong-shape", f"rule number-deny: {shape} a number or null"),
        ("policy-wrong-shape", f"rule object-deny: {shape} an object without a text `msg`"),
        ("text-deny", "text"),
    ]


def test_one_rule_alone_may_be_of_any_type_too(mixed: Opa) -> None:
    assert {"array-deny", "policy-failing"} <= set(codes(mixed, pod("p"))[0])


def test_what_opa_is_asked_on_the_command_line_has_nothing_of_the_users_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "opa"
    told.write_text("#!/bin/sh\nexec /usr/bin/env\n", encoding="utf-8")
    told.chmod(0o755)
    monkeypatch.setenv("OPA_LOG_LEVEL", "debug")
    monkeypatch.setenv("GOGC", "1")
    lines = set(compiling.opa(told, tmp_path).stdout.split())
    assert {f"HOME={tmp_path}", "GOGC=400"} <= lines
    assert {line.partition("=")[0] for line in lines} <= {"HOME", "GOGC", "PWD", "OLDPWD", "SHLVL", "_"}
