"""What a run of twins is held against: the list of its fixture."""

from __future__ import annotations

from collections.abc import Iterable

from runs import ROOT, Outcome

from pytest_gitops.repository.manifest import parse

Skip = tuple[str, str, str]
"""(name, stage, code) of what can be neither green nor red."""


def twins(fixture: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = parse((ROOT / "fixtures" / fixture / "twins.yaml").read_bytes())[0].value
    return found


def only_the_listed_fail(run: Outcome, fixture: str, skipped: Iterable[Skip]) -> None:
    """Each defect is seen by its stage alone: whatever else was asked passed, or is one of `skipped`."""
    red = {(t["application"], t["stage"], "failed", t["code"]) for t in twins(fixture)}
    aside = {(f"argocd/{name}", stage, "skipped", code) for name, stage, code in skipped}
    assert run.not_passed == red | aside, run.output


def each_is_found_where_it_is_written(run: Outcome, fixture: str) -> None:
    found = {(f[0], f[1], f"{f[3]}:{f[4]}") for f in run.findings if f[2] == "error"}
    assert found == {(t["application"], t["code"], t["at"]) for t in twins(fixture)}


def each_has_its_cause(run: Outcome, fixture: str) -> None:
    """The class in the evidence, which reports show; none where none is known."""
    listed = {t["application"]: t.get("cause") for t in twins(fixture)}
    told = {
        t["application"]: run.stage(t["application"], t["stage"])["evidence"].get("cause", {}).get("class")
        for t in twins(fixture)
    }
    assert told == listed
