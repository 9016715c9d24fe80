"""The golden suite of the review: all pairs of fixtures/review-grid in one pull request, and exactly what is said."""

from __future__ import annotations

import base64
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from runs import ROOT, Outcome, commit, gitops

from pytest_gitops.processes.process import run
from pytest_gitops.repository.manifest import parse

pytestmark = pytest.mark.engine

GRID = ROOT / "fixtures" / "review-grid"
PAIRS = sorted(p.name for p in (GRID / "pairs").iterdir())
SECRETS = ("horse-battery-staple-base", "tiger-envelope-lamp-head")
DELETED = {"pruned", "pruned-on-confirm", "deleted-with-application", "deleted-on-confirm"}
REMARK_LIMIT = 65_536
"""Characters that GitHub takes of a comment."""


def data(name: str) -> Any:
    return parse((GRID / name).read_bytes())[0].value


def change_rules() -> list[str]:
    texts = (p.read_text("utf-8") for p in sorted((ROOT / "policies" / "change").glob("*.rego")))
    return [rule for text in texts for rule in re.findall(r"^#\s+rule: ([a-z-]+)$", text, re.MULTILINE)]


def lay(folder: Path, side: str) -> Path:
    """Make `folder` what the grid is on one side, whatever it was before; its git directory stays."""
    for old in folder.iterdir():
        if old.name != ".git":
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    for part in ("both", side):
        for name in PAIRS:
            if (pair := GRID / "pairs" / name / part).exists():
                shutil.copytree(pair, folder / name, dirs_exist_ok=True)
        shutil.copytree(GRID / part, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def review(toolbox: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """One run on a branch that makes head of base, with all that the pairs change."""
    del toolbox  # only to have the tools before a run starts
    folder: Path = tmp_path_factory.mktemp("review") / "review-grid"
    folder.mkdir()
    commit(lay(folder, "base"))
    run("git", "-C", folder, "switch", "-q", "-c", "change")
    commit(lay(folder, "head"))
    outcome = gitops(folder, "--gitops-base", "main", "--gitops-stages", "review")
    assert outcome.status == 1, outcome.output  # findings; anything else is no review
    return outcome


@pytest.fixture(scope="module")
def document(review: Outcome) -> dict[str, Any]:
    assert review.report is not None, review.output
    return review.report


@pytest.fixture(scope="module")
def comment(review: Outcome) -> str:
    return (review.folder / "gitops-report" / "review.md").read_text("utf-8")


# ---------------------------------------------------------------------- a report in the words of the expectations


def findings(document: dict[str, Any]) -> list[dict[str, Any]]:
    """What was found, each as expected.yaml has it. What is of no Application is said by no stage."""
    told: list[tuple[str | None, str | None, dict[str, Any]]] = [
        (None, None, f) for f in document["findings"]
    ]
    for each in document["applications"]:
        key = f"{each['namespace']}/{each['name']}"
        told += [(key, stage["stage"], f) for stage in each["stages"] for f in stage["findings"]]
    return [
        {
            "application": key,
            "stage": stage,
            **{field: finding[field] for field in ("rule", "severity", "file", "line")},
            **({"object": finding["resource"]} if finding["resource"] else {}),
            **({"waived": True} if finding["waiver"] else {}),
        }
        for key, stage, finding in told
    ]


def title(resource: dict[str, Any]) -> str:
    place = f"{resource['namespace']}/" if resource["namespace"] else ""
    return f"{resource['kind']} {place}{resource['name']}"


def object_change(change: dict[str, Any]) -> dict[str, Any]:
    """What becomes of an object, without what is empty."""
    told = {
        "change": change["change"],
        "object": title(change["resource"]),
        "was": title(change["old"])
        if change["old"] and title(change["old"]) != title(change["resource"])
        else None,
        "from": change["oldApplication"] if change["application"] != change["oldApplication"] else None,
        **{field: change[field] for field in ("effect", "data", "hook", "rollout", "noise")},
        "fields": [field["path"] for field in change["fields"]],
    }
    if change["change"] in {"added", "removed"}:
        del told["from"]
    return {field: value for field, value in told.items() if value}


def application_change(application: dict[str, Any]) -> dict[str, Any]:
    """What becomes of an Application, without what is empty; of why it is unknown, our words and not Argo CD's."""
    old, unknown = application["changeOf"], application["changeUnknown"] or ""
    told = {
        "change": application["change"],
        "unknown": unknown.partition(": failed to execute")[0],
        "was": old and old["name"] != application["name"] and f"{old['namespace']}/{old['name']}",
        "file-was": old and old["file"] != application["file"] and old["file"],
        "effect": application["changeEffect"]["effect"],
        "data": application["changeEffect"]["data"],
        "fields": [field["path"] for field in application["applicationFields"]],
        "noise": application["applicationNoise"],
        "objects": [object_change(c) for c in application["changes"]],
        "moved-away": [title(m["resource"]) for m in application["movedAway"]],
    }
    return {field: value for field, value in told.items() if value}


def as_set(items: list[dict[str, Any]]) -> Counter[str]:
    """Items in no order; each as often as it comes."""
    return Counter(str(sorted(item.items(), key=lambda pair: pair[0])) for item in items)


# ---------------------------------------------------------------------- what is found


def test_the_review_has_exactly_the_findings_it_should(document: dict[str, Any]) -> None:
    assert as_set(findings(document)) == as_set(data("expected.yaml"))


@pytest.mark.parametrize("rule", change_rules())
def test_every_rule_on_changes_has_a_pair_of_its_name_that_it_catches(
    document: dict[str, Any], rule: str
) -> None:
    assert rule in PAIRS
    assert any(f["rule"] == rule and f["file"].startswith(f"{rule}/") for f in findings(document))


def test_twins_are_left_alone(document: dict[str, Any]) -> None:
    """A twin is changed like the object beside it, within what may be."""
    said = [f for f in findings(document) if f["file"].endswith("/twin.yaml")]
    # That one has the role is said with and without a base; that it is newly granted would be wrong.
    assert [f["rule"] for f in said] == ["cluster-admin-binding"]


def test_base_s_waiver_holds_and_head_s_own_does_not(document: dict[str, Any]) -> None:
    waived = {f["application"]: f.get("waived", False) for f in findings(document) if f["rule"] == "replicas-to-zero"}  # fmt: skip
    assert waived == {
        "argocd/replicas-to-zero": False,
        "argocd/waived-by-base": True,
        "argocd/waived-by-head": False,
    }


# ---------------------------------------------------------------------- what changes


def test_every_application_changes_exactly_as_it_should(document: dict[str, Any]) -> None:
    found = {f"{a['namespace']}/{a['name']}": application_change(a) for a in document["applications"]}
    assert found == data("changes.yaml")["applications"]


def test_the_images_are_one_table(document: dict[str, Any]) -> None:
    assert document["changes"]["images"] == data("changes.yaml")["images"]


def test_the_counts_and_the_radius_are_of_what_changes(document: dict[str, Any]) -> None:
    changes, expected = document["changes"], data("changes.yaml")["applications"]
    objects = [o for each in expected.values() for o in each.get("objects", ())]
    kinds = Counter(o["change"] for o in objects)
    real = [each for each in expected.values() if each.get("change") not in {None, "unchanged"}]
    assert changes["counts"] == {
        **{kind: kinds[kind] for kind in ("added", "removed", "changed", "renamed", "replaced")},
        "noise": sum(number for o in objects for number in o.get("noise", {}).values()),
    }
    titles = {
        t
        for each in real
        for o in each.get("objects", ())
        if o["change"] != "unchanged"
        for t in (o["object"], o.get("was", ""))
    }
    assert changes["radius"] == {
        "applications": sorted(k for k, each in expected.items() if each in real),
        "namespaces": sorted({t.split()[1].split("/")[0] for t in titles if "/" in t}),
        "clusters": [
            "https://east.example.com",
            "https://kubernetes.default.svc",
            "https://west.example.com",
        ],
        "unknown": sorted(k for k, each in expected.items() if "unknown" in each),
    }


@pytest.mark.parametrize("name", ["head-broken", "base-broken", "file-unreadable", "parent-broken-child", "set-broken-one"])  # fmt: skip
def test_what_one_side_cannot_tell_is_never_a_deletion(review: Outcome, name: str) -> None:
    application = review.applications[f"argocd/{name}"]
    assert application["change"] is None and application["changes"] == []
    assert application["changeEffect"]["effect"] is None
    assert {s["outcome"] for s in application["stages"] if s["stage"] == "change"} == {"skipped"}


# ---------------------------------------------------------------------- the reports


def test_no_report_has_the_value_of_a_secret(review: Outcome) -> None:
    """Of neither side, in no spelling, also where a ConfigMap repeats it."""
    encoded = [base64.b64encode(value.encode()).decode() for value in SECRETS]
    written = {p.name: p.read_text("utf-8") for p in (review.folder / "gitops-report").iterdir()}
    assert {"index.html", "report.json", "review.md", "review.sarif"} <= written.keys()
    for value in (*SECRETS, *encoded):
        assert [name for name, text in written.items() if value in text] == []
        assert value not in review.output
    changed = review.applications["argocd/secret-changed"]["changes"]
    assert {c["resource"]["kind"]: c["change"] for c in changed} == {
        "ConfigMap": "changed",
        "Secret": "changed",
    }


def test_the_comment_can_be_found_again_and_fits(comment: str) -> None:
    assert comment.startswith("<!-- pytest-gitops:review -->\n")
    assert len(comment) < REMARK_LIMIT


def test_the_comment_has_the_images(comment: str) -> None:
    for image in data("changes.yaml")["images"]:
        base = f"`{image['old']}`" if image["old"] else "*added*"
        head = f"`{image['new']}`" if image["new"] else "*removed*"
        if "sha256:" in base:
            base, head = (f"{digest[:20]}`" for digest in (base, head))
        names = ", ".join(f"`{key}`" for key in image["applications"])
        assert f"| `{image['name']}` | {base} | {head} | {names} |" in comment


def test_the_comment_says_what_goes_lost_data_first(comment: str, document: dict[str, Any]) -> None:
    began = comment.index("**What Argo CD will delete**")
    listed = comment[began:].split("\n\n")[1]
    assert listed.startswith("- 💥 **data lost**")
    for lost in (
        "CustomResourceDefinition gadgets.review.example.com",
        "PersistentVolumeClaim review-claim-data/lost",
    ):
        assert f"- 💥 **data lost** `{lost}`" in listed


def test_the_comment_names_the_applications_of_a_set(comment: str) -> None:
    assert (
        "`argocd/set` creates `set-created`; changes `set-changed`; no longer makes `set-deleted`; leaves 1 as it is"
        in comment
    )
    assert "`argocd/set-broken` could not be compared for `set-broken-one`" in comment


def test_the_comment_says_what_could_not_be_compared(comment: str) -> None:
    unknown = [k for k, each in data("changes.yaml")["applications"].items() if "unknown" in each]
    assert f"⚠️ **{len(unknown)} Applications could not be compared**" in comment
    for key in unknown:
        assert re.search(rf"\| \*{{0,2}}`{key}`\*{{0,2}} \| not compared \|", comment), key


def test_the_sarif_file_has_every_finding_at_its_place(review: Outcome, document: dict[str, Any]) -> None:
    written = parse((review.folder / "gitops-report" / "review.sarif").read_bytes())[0].value
    results = written["runs"][0]["results"]
    places = [r["locations"][0]["physicalLocation"] for r in results]
    told = {
        (r["ruleId"], p["artifactLocation"]["uri"], p["region"]["startLine"])
        for r, p in zip(results, places, strict=True)
    }
    assert told == {(f["rule"], f["file"], f["line"]) for f in findings(document)}
    assert {r["ruleId"] for r in results if r["suppressions"]} == {"replicas-to-zero"}
