"""The documents say what is so: links, options, stages, codes and samples are held against the code."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from runs import ROOT
from sources import FILES, HARNESS, nodes

from pytest_gitops import __version__
from pytest_gitops.admission import values as admission
from pytest_gitops.argocd import causes
from pytest_gitops.argocd.convergence import BLOCKING
from pytest_gitops.commands import cli
from pytest_gitops.configuration import file as configuration
from pytest_gitops.plugin import MARKERS, OPTIONS, ini_name
from pytest_gitops.rego.problems import Trouble
from pytest_gitops.repository.manifest import parse
from pytest_gitops.scenarios import parsing
from pytest_gitops.scenarios.comparing import OPERATORS
from pytest_gitops.settings import settings
from pytest_gitops.settings.waivers import EXPIRED, UNKNOWN, UNUSED
from pytest_gitops.stages import NAMES, all_stages, self_heal, telling, tracks, with_needs

DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), ROOT / "policies" / "README.md"])

FIXTURES = ("gitops_run", "gitops_app")
"""Fixtures for users' own tests that are called like a marker."""

TO_COME = "What is to come"
"""The one place that may name what does not exist yet."""

INNER = telling.NEVER_HEALTHY
"""Words of an observation that are told as `never-healthy`, and so are no codes of their own."""


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def sections(text: str) -> dict[str, str]:
    """What stands below each heading of the second level."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def present(text: str) -> str:
    """A page without what it says is to come."""
    return "".join(body for title, body in sections(f"## top\n{text}").items() if title != TO_COME)


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every table row that begins with code, `|` in a cell undone."""
    for line in text.splitlines():
        if line.startswith("| `"):
            yield [
                cell.strip().replace("\0", "|") for cell in line.replace("\\|", "\0").strip("|").split("|")
            ]


def coded(text: str) -> list[str]:
    """What stands in back ticks, fenced blocks aside."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def fenced(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


# ---------------------------------------------------------------------- links


def slug(heading: str) -> str:
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {slug(h) for h in re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_link_between_documents_leads_somewhere(page: Path) -> None:
    outside = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", outside):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {link}"
        assert not anchor or anchor in anchors(target), (
            f"{page.name} links to {link}, which has no such heading"
        )


def test_every_page_is_reached_from_the_readme() -> None:
    readme = text_of("README.md")
    assert [p.name for p in DOCS.glob("*.md") if f"(docs/{p.name})" not in readme] == []


def test_the_picture_is_well_formed_and_described() -> None:
    picture = ElementTree.parse(DOCS / "how-it-works.svg").getroot()
    names = {child.tag.rpartition("}")[2] for child in picture}
    assert {"title", "desc", "style"} <= names
    assert "(how-it-works.svg)" in text_of("docs/how-it-works.md")


# ---------------------------------------------------------------------- options and configuration


def generator() -> Any:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_reference_is_current() -> None:
    assert text_of("docs/configuration.md") == generator().page(), "run: python docs/generate.py"
    assert text_of("docs/scenarios.md") == generator().scenarios(), "run: python docs/generate.py"


def test_the_reference_has_every_key_and_every_option() -> None:
    page = text_of("docs/configuration.md")
    told = {cell for row in rows(page) for cell in coded(row[0])}
    assert {name for name, _ in keys(configuration.schema())} <= told
    assert {f"--gitops-{n} {m}" if m else f"--gitops-{n}" for n, _, m, _ in OPTIONS} <= told


def test_the_page_on_scenarios_has_every_key_and_every_comparison() -> None:
    page = text_of("docs/scenarios.md")
    told = {cell.partition(":")[0] for row in rows(page) for cell in coded(row[0])}
    assert set(OPERATORS) <= told
    for part in parsing.schema()["$defs"].values():
        for key in part.get("properties", {}):
            assert any(t.rpartition(".")[2] == key for t in told), key


def test_the_sample_scenarios_are_valid_and_fail_as_the_page_shows() -> None:
    page = text_of("docs/scenarios.md")
    (sample,) = fenced(page, "yaml")
    known = ["argocd/omega-btc-oracle", "argocd/omega-matrix-news"]
    found = parsing.parse(sample.encode(), file="omega.gitops-test.yaml", applications=known)
    assert [s.name for s in found] == [
        "drift is undone[omega-btc-oracle]",
        "drift is undone[omega-matrix-news]",
        "production is not small",
    ]
    step = found[0].steps[1]
    assert (step.line, step.line_of("sync"), step.line_of("objects", 0, "spec", "replicas", "$max")) == (
        10,
        13,
        17,
    )
    for line in (step.line, step.line_of("sync"), step.line_of("objects", 0, "spec")):
        assert re.search(rf"(yaml:|line ){line}:", page)


def keys(about: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, member in about.get("properties", {}).items():
        yield f"{prefix}{name}", member
        yield from keys(member, f"{prefix}{name}.")
        yield from keys(member.get("items", {}), f"{prefix}{name}[].")


def test_the_variables_that_are_named_are_read() -> None:
    source = "".join(
        (HARNESS / "settings" / f"{n}.py").read_text("utf-8") for n in ("settings", "credentials")
    )
    names = {n.partition("<")[0] for names in generator().ENVIRONMENT for n in names.split(", ")}
    ours = {n for n in names if n.startswith("PYTEST_GITOPS_")}
    assert len(ours) == 5 and all(f'"{name}"' in source for name in ours)


def test_the_readme_has_every_option_and_its_default() -> None:
    told = {coded(row[0])[0].split(" ")[0]: row[1] for row in rows(sections(text_of("README.md"))["Items"])}
    options = {f"--gitops-{name}" for name, *_ in OPTIONS}
    assert {t for t in told if t.startswith("--")} == options
    assert told["--gitops-timeout"].endswith(f"default {settings.DEFAULT_TIMEOUT:g}")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_document_names_an_option_that_does_not_exist(page: Path) -> None:
    known = {"--gitops", *(f"--gitops-{name}" for name, *_ in OPTIONS)}
    assert set(re.findall(r"--gitops[a-z-]*", present(page.read_text("utf-8")))) <= known


def test_what_is_to_come_does_not_exist_yet() -> None:
    named = coded(sections(text_of("README.md"))[TO_COME])
    assert named
    options = {f"--gitops-{name}" for name, *_ in OPTIONS}
    assert not set(named) & {*options, *NAMES, *(p.value for p in settings.Provider)}


def test_the_readme_names_markers_that_exist() -> None:
    known = {marker.partition(":")[0] for marker in MARKERS}
    assert {w for w in coded(text_of("README.md")) if re.fullmatch(r"gitops(_[a-z]+)?", w)} <= {
        *known,
        *FIXTURES,
        *(ini_name(name) for name, *_ in OPTIONS),
    }


def test_the_sample_configuration_is_valid() -> None:
    (sample,) = fenced(sections(text_of("README.md"))["Configuration"], "yaml")
    said = configuration.read(sample.encode())
    assert said.charts and said.waivers and said.get("network", "allow")


def test_the_waivers_of_the_policy_page_are_valid() -> None:
    (sample,) = (s for s in fenced(text_of("docs/writing-policies.md"), "yaml") if s.startswith("waivers:"))
    assert len(configuration.read(sample.encode()).waivers) == 2


def test_the_policy_page_says_where_the_configuration_is_seen() -> None:
    about = configuration.schema()["properties"]["policy"]["properties"]["data"]["description"]
    (name,) = coded(about)
    assert f"`{name}`" in text_of("docs/writing-policies.md")


# ---------------------------------------------------------------------- stages and numbers


def test_the_stages_are_those_that_exist_in_their_order() -> None:
    readme = [coded(row[0])[0] for row in rows(sections(text_of("README.md"))["Items"])]
    assert [name for name in readme if not name.startswith("--")] == list(NAMES)
    told = {
        coded(row[0])[0]: coded(row[3]) for row in rows(sections(text_of("docs/how-it-works.md"))["Stages"])
    }
    assert told == {stage.name: list(stage.needs) for stage in all_stages()}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_sample_node_ids_end_with_a_stage(page: Path) -> None:
    found = re.findall(r"\.ya?ml::[\w./-]+::([\w-]+)", page.read_text("utf-8"))
    assert set(found) <= set(NAMES)


def test_the_patience_is_told_with_its_numbers() -> None:
    page = text_of("docs/how-it-works.md")
    told = {coded(row[0])[0]: float(row[1]) for row in rows(sections(page)['When "never" is said'])}
    assert told == {n: getattr(tracks, n) for n in ("QUIET", "STILL", "NUDGE", "BUSY")}
    assert tracks.SETTLE == 1 and "for one second (`SETTLE`)" in page
    assert f"{settings.DEFAULT_TIMEOUT:g} s" in page


def test_the_folders_that_are_named_exist() -> None:
    named = re.findall(r"\(`([\w/]+(?:\.py|/))`\)", text_of("docs/how-it-works.md"))
    assert len(named) > 8
    assert [n for n in named if not (HARNESS / n).exists()] == []


def test_the_map_of_the_package_has_all_that_is_there() -> None:
    part = sections(text_of("docs/how-it-works.md"))["Where things are"]
    assert sorted(coded(row[0])[0] for row in rows(part)) == sorted(
        f"{file.parent.name}/" for file in HARNESS.glob("*/__init__.py")
    )
    modules = {n for n in coded(part.rpartition("\n\n")[2]) if n.endswith(".py")}
    assert modules == {file.name for file in HARNESS.glob("*.py")} - {"__init__.py"}


# ---------------------------------------------------------------------- codes


def call_name(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def words_in(node: ast.expr) -> Iterator[str]:
    """What an expression may be, as far as it is written there: a constant, or the arms of a condition."""
    if isinstance(node, ast.IfExp):
        yield from (*words_in(node.body), *words_in(node.orelse))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def said_by(file: Path) -> Iterator[str]:
    """Every text that stands where a rule or a code does: a keyword, a variable, who makes one's argument."""
    said: list[ast.expr] = [
        a.value for a in nodes(file, ast.Assign) if any(getattr(t, "id", "") == "code" for t in a.targets)
    ]
    for call in nodes(file, ast.Call):
        said += [k.value for k in call.keywords if k.arg in {"rule", "code"}]
        name = call_name(call)
        if name in {"finding", "problem", "_finding", "_problem", "seen"}:
            said += call.args[:2]
        elif name in {"_publish", "_note", "result"}:
            said += call.args[1:3]
    words = (word for each in said for word in words_in(each))
    yield from (w for w in words if re.fullmatch(r"[a-z]+(-[a-z]+)*", w))


@cache
def codes() -> frozenset[str]:
    """Every code that the harness can say, those of policies aside."""
    found = {code for file in FILES for code in said_by(file)}
    stages = all_stages()
    before = {need for stage in stages for need in with_needs(stage.name, stages)}
    found |= {f"needs-{need}" for need in before}
    return (
        frozenset(
            found
            | set(BLOCKING.values())
            | {EXPIRED, UNUSED, "never-healthy"}
            | {*admission.CODES, *Trouble, UNKNOWN, *self_heal.HELP}
        )
        - INNER
    )


def told_codes() -> set[str]:
    parts = sections(text_of("docs/causes.md"))
    return {
        c
        for title, body in parts.items()
        if title != "What Argo CD says"
        for row in rows(body)
        for c in coded(row[0])
    }


def test_enough_codes_are_found() -> None:
    assert {
        "yaml-invalid",
        "missing-path",
        "tool-died",
        "no-cluster",
        "deleted",
        "application-cycle",
    } <= codes()


def test_every_code_is_in_the_list_of_causes() -> None:
    assert sorted(codes() - told_codes()) == []


def test_the_list_of_causes_has_no_code_that_nobody_says() -> None:
    assert sorted(told_codes() - codes()) == []


def told_causes(number: int) -> list[list[str]]:
    """The rows of the first or the second table of what Argo CD says."""
    says, states = sections(text_of("docs/causes.md"))["What Argo CD says"].split("\nWithout any of", 1)
    return list(rows((says, states)[number]))


def test_what_argocd_says_leads_to_the_cause_that_is_told() -> None:
    for says, kind, name, step in told_causes(0):
        found = causes.cause_of("", coded(says)[0])
        assert found is not None and found.to_dict() == {"class": kind, "cause": name, "next": step}, says


def test_a_state_leads_to_the_cause_that_is_told() -> None:
    for code, kind, name, step in told_causes(1):
        assert causes.cause_of(coded(code)[0], "") == causes.Cause(id=kind, name=name, next=step), code


def test_every_known_cause_is_told() -> None:
    known = [cause.id for _, cause in (*causes.KNOWN, *causes.SYMPTOMS)] + [
        cause.id for cause in causes._BY_CODE.values()
    ]
    assert sorted(row[1] for number in (0, 1) for row in told_causes(number)) == sorted(known)


# ---------------------------------------------------------------------- versions and CI


def test_the_version_is_the_same_everywhere() -> None:
    assert f"\n## {__version__}\n" in text_of("CHANGELOG.md")
    (snippet,) = fenced(sections(text_of("README.md"))["In CI"], "yaml")
    assert f"pytest-gitops=={__version__}\n" in snippet


def test_the_workflows_are_yaml_and_cache_the_folder_that_is_used() -> None:
    (snippet,) = fenced(sections(text_of("README.md"))["In CI"], "yaml")
    folder = settings.default_cache({"HOME": "~"}).as_posix()
    for text in (snippet, text_of(".github/workflows/ci.yml")):
        (job,) = parse(text.encode())[0].value["jobs"].values()
        assert [s["with"]["path"] for s in job["steps"] if "cache@" in s.get("uses", "")] == [folder]


def test_the_shards_of_the_matrix_are_as_many_as_are_said() -> None:
    workflow, _ = fenced(text_of("docs/sharding.md"), "yaml")
    jobs = parse(workflow.encode())[0].value["jobs"]
    (run,) = (s["run"] for s in jobs["shard"]["steps"] if "--gitops-shard" in s.get("run", ""))
    count = len(jobs["shard"]["strategy"]["matrix"]["shard"])
    assert jobs["shard"]["strategy"]["matrix"]["shard"] == list(range(1, count + 1))
    assert f'--gitops-shard "${{{{ matrix.shard }}}}/{count}"' in run
    assert jobs["merge"]["needs"] == "shard" and jobs["merge"]["if"] == "always()"
    assert f"pytest-gitops=={__version__}" in workflow


def test_the_indexed_job_has_as_many_pods_as_shards() -> None:
    _, manifests = fenced(text_of("docs/sharding.md"), "yaml")
    job = parse(manifests.encode())[0].value
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert f"--gitops-shard auto/{job['spec']['completions']} " in container["command"][-1]


def test_the_commands_of_the_sharding_page_are_commands() -> None:
    page = text_of("docs/sharding.md")
    lines = [*re.findall(r"^    (pytest-gitops .+)$", page, re.MULTILINE)]
    lines += re.findall(r"(pytest-gitops report [^\n\"]+)", "".join(fenced(page, "yaml")))
    assert len(lines) == 3
    for line in lines:
        assert cli._parser().parse_args(line.split()[1:]).command is cli.report_merge


def test_ci_runs_every_python_that_is_promised_and_keys_its_cache_by_the_lock() -> None:
    text = text_of(".github/workflows/ci.yml")
    (job,) = parse(text.encode())[0].value["jobs"].values()
    promised = re.findall(r"Python :: (3\.\d+)", text_of("pyproject.toml"))
    assert job["strategy"]["matrix"]["python"] == promised
    for pattern in re.findall(r"'(harness[^']+)'", text):
        assert list(ROOT.glob(pattern)), pattern
    assert (ROOT / ".ci" / "run").is_file() and job["steps"][-1]["run"] == ".ci/run"
