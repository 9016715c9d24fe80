"""What an upgrade did to objects, judged from what was live before and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pytest_gitops.changes.values import Effect, Fate
from pytest_gitops.model import Case, Severity
from pytest_gitops.repository.discovery import case_of
from pytest_gitops.stages.aftermath import Aftermath, Judge
from pytest_gitops.stages.inventory import Claim, Key

CLUSTER = "https://kubernetes.default.svc"


def case(name: str) -> Case:
    manifest = {"metadata": {"name": name}, "spec": {"destination": {"namespace": "web"}}}
    return case_of(manifest, control="argocd", file=f"{name}.yaml", line=1)


OLD, NEW = case("web"), case("web")


def key(kind: str, name: str, group: str = "") -> Key:
    return Key(CLUSTER, group, kind, "web", name)


def claimed(keys: Mapping[Key, Mapping[str, Any]] | tuple[Key, ...], by: Case) -> dict[Key, Claim]:
    manifests = keys if isinstance(keys, Mapping) else {k: {} for k in keys}
    return {k: Claim(case=by, manifest=m) for k, m in manifests.items()}


def judge(
    before: Mapping[Key, str],
    after: Mapping[Key, str],
    *,
    base: Mapping[Key, Claim] | None = None,
    head: Mapping[Key, Claim] | None = None,
    heads: Mapping[str, Case | None] | None = None,
    fate: Effect | None = None,
) -> Judge:
    return Judge(
        before=before,
        after=after,
        base=base or {},
        head=head or {},
        heads={OLD.key: NEW} if heads is None else heads,
        fate_of=lambda *_: Fate(effect=fate, text="as it says") if fate else None,
        place=lambda case, _: (case.file, 7),
    )


SETTINGS, DATA = key("ConfigMap", "settings"), key("PersistentVolumeClaim", "data")


def only(found: Mapping[str, Aftermath], name: str = "argocd/web") -> Aftermath:
    assert set(found) == {name}
    return found[name]


def test_what_head_does_not_have_and_is_gone_is_pruned() -> None:
    told = only(judge({SETTINGS: "1"}, {}, base=claimed((SETTINGS,), OLD), fate=Effect.PRUNED).judge())
    assert (told.pruned, told.findings) == (["ConfigMap web/settings"], [])


def test_what_head_does_not_have_and_is_still_there_is_not_pruned() -> None:
    judged = judge({SETTINGS: "1"}, {SETTINGS: "1"}, base=claimed((SETTINGS,), OLD), fate=Effect.PRUNED)
    (finding,) = only(judged.judge()).findings
    assert (finding.rule, finding.file, finding.line) == ("not-pruned", "web.yaml", 7)
    assert judged.remaining() == [SETTINGS]


@pytest.mark.parametrize(
    "effect", [Effect.KEPT_PRUNE_FALSE, Effect.KEPT_NO_PRUNE, Effect.KEPT_DELETE_FALSE, Effect.KEPT_EMPTY]
)
def test_what_is_kept_as_declared_is_told_and_no_failure(effect: Effect) -> None:
    judged = judge({SETTINGS: "1"}, {SETTINGS: "1"}, base=claimed((SETTINGS,), OLD), fate=effect)
    told = only(judged.judge())
    (finding,) = told.findings
    assert (finding.rule, finding.severity) == ("kept-object", Severity.INFO)
    assert "as it says" in finding.message
    assert told.kept == ["ConfigMap web/settings"]
    assert judged.remaining() == []


@pytest.mark.parametrize("effect", [Effect.ORPHANED, Effect.LEFT_BEHIND])
def test_what_nobody_owns_any_more_is_named(effect: Effect) -> None:
    judged = judge({SETTINGS: "1"}, {SETTINGS: "1"}, base=claimed((SETTINGS,), OLD), heads={}, fate=effect)
    (finding,) = only(judged.judge()).findings
    assert (finding.rule, finding.severity) == ("orphaned-object", Severity.ERROR)
    assert finding.resource == "ConfigMap web/settings"
    assert "argocd/web has let go of it" in finding.message


def test_a_claim_with_another_uid_is_another_claim() -> None:
    both: dict[str, Any] = {"base": claimed((DATA,), OLD), "head": claimed((DATA,), NEW)}
    told = only(judge({DATA: "1"}, {DATA: "2"}, **both).judge())
    (finding,) = told.findings
    assert finding.rule == "claim-replaced"
    assert "uid 1" in finding.message and "uid 2" in finding.message
    assert told.recreated == ["PersistentVolumeClaim web/data"]


def test_a_claim_that_goes_to_another_application_and_is_made_anew_is_told_to_that_one() -> None:
    other = case("other")
    found = judge({DATA: "1"}, {DATA: "2"}, base=claimed((DATA,), OLD), head=claimed((DATA,), other)).judge()
    assert [f.rule for f in only(found, "argocd/other").findings] == ["claim-replaced"]


@pytest.mark.parametrize(("now", "told"), [("8", True), ("7", False)])
def test_a_claim_that_is_made_anew_with_its_application_is_told_with_both_parents(
    now: str, told: bool
) -> None:
    itself = Key(CLUSTER, "argoproj.io", "Application", "argocd", "web")
    one, two = case("one"), case("two")
    base = claimed((DATA,), OLD) | claimed((itself,), one)
    head = claimed((DATA,), NEW) | claimed((itself,), two)
    found = judge({DATA: "1", itself: "7"}, {DATA: "2", itself: now}, base=base, head=head).judge()
    (finding,) = found["argocd/web"].findings
    assert finding.rule == "claim-replaced"
    words = "argocd/one deleted Application argocd/web, and argocd/two made it anew"
    assert (words in finding.message) is told
    assert ("Prune=false on the Application until it has moved" in finding.help) is told


def test_any_other_object_may_be_made_anew() -> None:
    both: dict[str, Any] = {"base": claimed((SETTINGS,), OLD), "head": claimed((SETTINGS,), NEW)}
    told = only(judge({SETTINGS: "1"}, {SETTINGS: "2"}, **both).judge())
    assert (told.recreated, told.findings) == (["ConfigMap web/settings"], [])


def test_what_head_has_and_is_gone_was_deleted_by_somebody() -> None:
    both: dict[str, Any] = {"base": claimed((SETTINGS,), OLD), "head": claimed((SETTINGS,), NEW)}
    (finding,) = only(judge({SETTINGS: "1"}, {}, **both).judge()).findings
    assert (finding.rule, finding.severity) == ("lost-object", Severity.ERROR)


HOME = Key(CLUSTER, "", "Namespace", "", "web")


@pytest.mark.parametrize(
    ("there", "at_head", "told"), [({}, False, True), ({HOME: "9"}, False, False), ({}, True, False)]
)
def test_what_went_with_its_namespace_is_told_with_who_had_that(
    there: Mapping[Key, str], at_head: bool, told: bool
) -> None:
    landlord = case("landlord")
    base = claimed((SETTINGS, DATA), OLD) | claimed((HOME,), landlord)
    head = claimed((SETTINGS, DATA), NEW) | (claimed((HOME,), landlord) if at_head else {})
    found = judge({SETTINGS: "1", DATA: "2", HOME: "9"}, there, base=base, head=head).judge()
    findings = found["argocd/web"].findings
    assert [f.rule for f in findings] == ["lost-object", "claim-replaced"]
    for finding in findings:
        words = "deleted by the upgrade" if finding.rule == "lost-object" else "saw it deleted"
        assert words in finding.message
        assert (
            "with Namespace web, which Application argocd/landlord had at base" in finding.message
        ) is told
        assert ("give the Namespace to an Application that lives in it" in finding.help) is told


SET = key("StatefulSet", "db", "apps")
MADE = key("PersistentVolumeClaim", "data-db-0")
TEMPLATES = {"spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}}]}}


@pytest.mark.parametrize("after", [{}, {MADE: "2"}])
def test_a_claim_that_a_stateful_set_made_keeps_its_identity_too(after: Mapping[Key, str]) -> None:
    both: dict[str, Any] = {"base": claimed({SET: TEMPLATES}, OLD), "head": claimed({SET: TEMPLATES}, NEW)}
    found = judge({SET: "1", MADE: "1"}, {SET: "1", **after}, **both).judge()
    (finding,) = only(found).findings
    assert (finding.rule, finding.resource) == ("claim-replaced", "PersistentVolumeClaim web/data-db-0")


@pytest.mark.parametrize("name", ["data-db-x", "other-db-0", "data-web-0"])
def test_a_claim_of_another_name_is_not_the_stateful_sets(name: str) -> None:
    both: dict[str, Any] = {"base": claimed({SET: TEMPLATES}, OLD), "head": claimed({SET: TEMPLATES}, NEW)}
    found = judge({SET: "1", key("PersistentVolumeClaim", name): "1"}, {SET: "1"}, **both).judge()
    assert only(found).findings == []


def test_what_nobody_rendered_is_nobodys_fault() -> None:
    assert judge({SETTINGS: "1"}, {}).judge() == {}


def test_what_head_brings_is_told_as_created() -> None:
    told = only(judge({}, {SETTINGS: "1"}, head=claimed((SETTINGS,), NEW)).judge())
    assert told.to_dict() == {"created": ["ConfigMap web/settings"]}


def retained(*, deleted: str = "Retain", scaled: str = "Retain", **spec: Any) -> dict[str, Any]:
    policy = {"whenDeleted": deleted, "whenScaled": scaled}
    return {"spec": {**TEMPLATES["spec"], "persistentVolumeClaimRetentionPolicy": policy, **spec}}


THIRD = key("PersistentVolumeClaim", "data-db-2")


@pytest.mark.parametrize(
    ("head", "meant"),
    [
        (retained(scaled="Delete", replicas=2), True),
        (retained(scaled="Delete"), True),  # one
        (retained(scaled="Delete", replicas=1, ordinals={"start": 1}), True),
        (retained(scaled="Delete", replicas=2, ordinals={"start": 1}), False),
        (retained(scaled="Delete", replicas=3), False),
        (retained(deleted="Delete", replicas=2), False),
        (TEMPLATES, False),
    ],
)
def test_a_claim_goes_with_its_pod_only_where_the_stateful_set_says_so(
    head: Mapping[str, Any], meant: bool
) -> None:
    both: dict[str, Any] = {"base": claimed({SET: TEMPLATES}, OLD), "head": claimed({SET: head}, NEW)}
    told = only(judge({SET: "1", THIRD: "3"}, {SET: "1"}, **both).judge())
    assert [f.rule for f in told.findings] == ([] if meant else ["claim-replaced"])
    assert told.pruned == (["PersistentVolumeClaim web/data-db-2"] if meant else [])


@pytest.mark.parametrize(("policy", "meant"), [("Delete", True), ("Retain", False)])
def test_claims_go_with_a_stateful_set_that_head_does_not_have_only_where_it_says_so(
    policy: str, meant: bool
) -> None:
    base = claimed({SET: retained(deleted=policy)}, OLD)
    told = only(judge({SET: "1", MADE: "1"}, {}, base=base, fate=Effect.PRUNED).judge())
    assert [f.rule for f in told.findings] == ([] if meant else ["claim-replaced"])


def test_claims_of_a_stateful_set_that_head_has_do_not_go_with_it() -> None:
    """Made anew: with Force=true, or by another Application."""
    set_ = retained(deleted="Delete")
    both: dict[str, Any] = {"base": claimed({SET: set_}, OLD), "head": claimed({SET: set_}, NEW)}
    (finding,) = only(judge({SET: "1", MADE: "1"}, {SET: "2", MADE: "2"}, **both).judge()).findings
    assert finding.rule == "claim-replaced"


@pytest.mark.parametrize("effect", [Effect.PRUNED_ON_CONFIRM, Effect.DELETED_ON_CONFIRM])
def test_what_goes_once_somebody_confirms_should_go(effect: Effect) -> None:
    judged = judge({SETTINGS: "1"}, {SETTINGS: "1"}, base=claimed((SETTINGS,), OLD), fate=effect)
    assert [f.rule for f in only(judged.judge()).findings] == ["not-pruned"]
    assert judged.remaining() == [SETTINGS]
