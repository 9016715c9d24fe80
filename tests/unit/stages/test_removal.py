"""What the deletion of Applications left, judged from what was there before, then, and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from pytest_gitops.model import IN_CLUSTER, Case, Severity
from pytest_gitops.repository.discovery import case_of
from pytest_gitops.stages.bystanders import taken_along
from pytest_gitops.stages.inventory import Claim, Key, Thing
from pytest_gitops.stages.prune import in_use
from pytest_gitops.stages.removal import Going, Judge, Remains

PROD = "https://prod.example:6443"
NO_FINALIZER = {"finalizers": []}


def case(name: str, *, parent: str = "", project: str = "default", **spec: Any) -> Case:
    manifest = {
        "metadata": {"name": name},
        "spec": {"project": project, "destination": {"namespace": name}, **spec},
    }
    more: dict[str, Any] = {"parent": parent, "parent_kind": "Application"} if parent else {}
    return case_of(manifest, control="argocd", file=f"{name}.yaml", line=1, **more)


WEB, SHOP = case("web"), case("shop")


def key(kind: str, name: str, *, group: str = "", namespace: str = "web", cluster: str = IN_CLUSTER) -> Key:
    return Key(cluster, group, kind, namespace, name)


def space(name: str, *, cluster: str = IN_CLUSTER) -> Key:
    return key("Namespace", name, namespace="", cluster=cluster)


def claim(by: Case = WEB, kind: str = "ConfigMap", **annotations: str) -> Claim:
    notes = {f"argocd.argoproj.io/{name.replace('_', '-')}": value for name, value in annotations.items()}
    return Claim(case=by, manifest={"kind": kind, "metadata": {"name": "x", "annotations": notes}})


SETTINGS = key("ConfigMap", "settings")
IT = Thing(uid="1")
ENDED = Going(case=WEB, cluster=IN_CLUSTER, state=None)
STATE = {"metadata": {"finalizers": ["resources-finalizer.argocd.argoproj.io"]}}


def judge(
    *,
    before: Mapping[Key, Thing] | None = None,
    there: Mapping[Key, Thing] | None = None,
    after: Mapping[Key, Thing] | None = None,
    claims: Mapping[Key, Claim] | None = None,
    going: Sequence[Going] = (ENDED,),
) -> Judge:
    return Judge(
        before=before or {},
        there=there or {},
        after=after or {},
        claims={SETTINGS: claim()} if claims is None else claims,
        going={g.case.key: g for g in going},
        deployed=[(g.cluster, g.case) for g in going],
        place=lambda case, _: (f"sources/{case.name}.yaml", 7),
        waited=12.0,
    )


def only(judge: Judge, name: str = "argocd/web") -> Remains:
    return judge.judge()[name]


def codes(remains: Remains) -> list[str]:
    return [f.rule for f in remains.findings]


# ---------------------------------------------------------------------- what the repository brought


def test_what_is_gone_is_counted_and_no_finding() -> None:
    found = only(judge(there={SETTINGS: IT}))
    assert found.to_dict() == {"gone": 1, "kept": [], "left": []}
    assert found.findings == []


def test_what_another_made_anew_meanwhile_is_gone_too() -> None:
    assert only(judge(there={SETTINGS: IT}, after={SETTINGS: Thing(uid="2")})).gone == 1


def test_what_lives_on_without_its_application_is_orphaned() -> None:
    found = only(judge(there={SETTINGS: IT}, after={SETTINGS: IT}))
    (finding,) = found.findings
    assert (finding.rule, finding.severity, finding.where) == (
        "orphaned-object", Severity.ERROR, "sources/web.yaml:7",
    )  # fmt: skip
    assert finding.message == (
        "ConfigMap web/settings: expected it to go with Application argocd/web, saw it live on without that"
    )
    assert found.to_dict()["left"] == [{"object": "ConfigMap web/settings", "finalizers": []}]


def test_a_foreign_finalizer_is_named() -> None:
    held = Thing(uid="1", deleting=True, finalizers=("foregroundDeletion", "backup.example.com/copied"))
    going = Going(case=WEB, cluster=IN_CLUSTER, state=STATE)
    one = judge(there={SETTINGS: IT}, after={SETTINGS: held}, going=[going])
    assert one.held(SETTINGS) == ("backup.example.com/copied",)
    (finding,) = only(one).findings
    assert finding.rule == "stuck-finalizer"
    assert finding.message == (
        "ConfigMap web/settings: expected it to go, saw it held by the finalizer backup.example.com/copied, which "
        "nobody takes away"
    )


def test_what_kubernetes_holds_is_not_pruned_when_it_stays_so() -> None:
    held = Thing(uid="1", deleting=True, finalizers=("foregroundDeletion",))
    found = only(judge(there={SETTINGS: IT}, after={SETTINGS: held}))
    assert codes(found) == ["not-pruned"]
    assert found.findings[0].message.endswith("saw its end begun and not come after 12 s")


def test_a_claim_that_a_pod_uses_names_the_pod() -> None:
    data = key("PersistentVolumeClaim", "data")
    kept = Thing(uid="1", deleting=True, finalizers=("kubernetes.io/pvc-protection",))
    one = judge(there={data: IT}, after={data: kept}, claims={data: claim(kind="PersistentVolumeClaim")})
    assert in_use(one) == [data]
    assert in_use(judge(after={data: replace(kept, deleting=False)}, claims={data: claim()})) == []
    going = {WEB.key: Going(case=WEB, cluster=IN_CLUSTER, state=STATE)}
    assert codes(only(replace(one, going=going))) == ["not-deleted", "not-pruned"]
    # What keeps the Application is said, so that it is kept is no news.
    (finding,) = only(replace(one, going=going, users={data: ("Pod web/reader",)})).findings
    assert finding.rule == "not-pruned"
    assert finding.message.endswith("come after 12 s: Kubernetes keeps it for Pod web/reader")
    assert finding.help == "let what uses the claim go first, or be of the same Application"


def test_what_kubernetes_says_of_a_namespace_that_does_not_end_is_told_with_its_cause() -> None:
    room = space("web")
    one = judge(
        there={room: IT}, after={room: Thing(uid="1", deleting=True)}, claims={room: claim(kind="Namespace")}
    )
    said = "conversion webhook for example.com/v1, Kind=Horn failed: Post: no"
    found = only(replace(one, kept_open={room: said}))
    (finding,) = [f for f in found.findings if f.rule == "not-pruned"]
    assert finding.message.endswith(
        f"after 12 s\n  Kubernetes  {said}\n  cause    a CRD's conversion webhook does not answer"
    )
    assert found.cause is not None
    assert finding.help == found.cause.next
    found = only(replace(one, kept_open={room: "Some resources are remaining: horns has 1"}))
    assert (found.cause, found.findings[-1].help) == (None, "see its finalizers")


def test_a_namespace_that_cannot_end_names_what_is_stuck_in_it() -> None:
    room, other = space("web"), key("Lock", "door", group="example.com")
    things = {
        room: Thing(uid="1", deleting=True),
        other: Thing(uid="2", deleting=True, finalizers=("locks.example.com",)),
    }
    one = judge(there={room: IT}, after=things, claims={room: claim(kind="Namespace")})
    (finding,) = [f for f in only(one).findings if f.rule == "stuck-finalizer"]
    assert finding.resource == "Lock web/door"
    assert finding.message.endswith("which nobody takes away; so Namespace web cannot end")


def test_what_is_stuck_in_a_namespace_is_told_by_who_renders_it() -> None:
    room = space("web")
    held = Thing(uid="2", deleting=True, finalizers=("locks.example.com",))
    shop = Going(case=SHOP, cluster=IN_CLUSTER, state=STATE)
    found = judge(
        there={room: IT, SETTINGS: Thing(uid="2")},
        after={room: Thing(uid="1", deleting=True), SETTINGS: held},
        claims={room: claim(kind="Namespace"), SETTINGS: claim(SHOP)},
        going=[ENDED, shop],
    ).judge()
    assert codes(found["argocd/shop"]) == ["stuck-finalizer"]
    assert codes(found["argocd/web"]) == []


@pytest.mark.parametrize(
    ("claimed", "why"),
    [
        (claim(sync_options="Delete=false"), "Delete=false"),
        (claim(case("web", syncPolicy={"syncOptions": ["Delete=false"]})), "Delete=false"),
        (
            Claim(
                case=WEB,
                manifest={
                    "apiVersion": "apiextensions.k8s.io/v1",
                    "kind": "CustomResourceDefinition",
                    "metadata": {"name": "x"},
                },
            ),
            "Argo CD deletes no CustomResourceDefinition",
        ),
    ],
)
def test_what_rightly_stays_is_told_and_no_error(claimed: Claim, why: str) -> None:
    found = only(judge(there={SETTINGS: IT}, after={SETTINGS: IT}, claims={SETTINGS: claimed}))
    assert found.kept["ConfigMap web/settings"].startswith(why)
    (finding,) = found.findings
    assert (finding.rule, finding.severity) == ("kept-object", Severity.INFO)


def test_prune_false_does_not_keep_from_being_deleted() -> None:
    one = judge(
        there={SETTINGS: IT}, after={SETTINGS: IT}, claims={SETTINGS: claim(sync_options="Prune=false")}
    )
    assert codes(only(one)) == ["orphaned-object"]


def test_a_set_that_preserves_is_believed() -> None:
    going = Going(case=WEB, cluster=IN_CLUSTER, state=None, declared=False, preserved="its set says so")
    found = only(judge(there={SETTINGS: IT}, after={SETTINGS: IT}, going=[going]))
    assert found.kept == {"ConfigMap web/settings": "its set says so"}
    assert codes(found) == ["kept-object"]


def test_a_set_that_preserves_objects_does_not_preserve_an_application_that_cannot_end() -> None:
    stuck = {"status": {"conditions": [{"type": "DeletionError", "message": "no"}]}}
    going = Going(case=WEB, cluster=IN_CLUSTER, state=stuck, declared=False, preserved="its set says so")
    found = only(judge(there={SETTINGS: IT}, after={SETTINGS: IT}, going=[going]))
    assert codes(found) == ["deletion-error", "kept-object"]
    staying = replace(going, state=STATE, stays=True)
    assert codes(only(judge(there={SETTINGS: IT}, after={SETTINGS: IT}, going=[staying]))) == ["kept-object"]


def test_a_set_that_preserves_objects_does_not_preserve_the_hooks_of_a_deletion() -> None:
    going = Going(case=WEB, cluster=IN_CLUSTER, state=None, declared=False, preserved="its set says so")
    hook = claim(kind="Job", hook="PostDelete")
    assert codes(only(judge(after={SETTINGS: IT}, claims={SETTINGS: hook}, going=[going]))) == [
        "orphaned-object"
    ]


def test_a_hook_of_the_deletion_that_stays_is_orphaned() -> None:
    one = judge(after={SETTINGS: IT}, claims={SETTINGS: claim(kind="Job", hook="PostDelete")})
    (finding,) = only(one).findings
    assert finding.rule == "orphaned-object"
    assert "expected the PostDelete hook to go" in finding.message
    assert "hook-delete-policy" in finding.help


def test_a_hook_that_argocd_lost_sight_of_is_only_a_warning() -> None:
    hook = claim(kind="Job", hook="PostDelete", hook_delete_policy="BeforeHookCreation,HookSucceeded")
    (finding,) = only(judge(after={SETTINGS: IT}, claims={SETTINGS: hook})).findings
    assert (finding.rule, finding.severity) == ("orphaned-object", Severity.WARNING)
    assert finding.message.endswith("Argo CD let the Application go before it had seen how the hook ended")


def test_what_was_never_there_is_not_missed() -> None:
    assert only(judge()).to_dict() == {"gone": 0, "kept": [], "left": []}


# ---------------------------------------------------------------------- what nobody renders


def test_a_part_whose_owner_is_gone_should_be_gone() -> None:
    web = key("Deployment", "web", group="apps")
    part = key("ReplicaSet", "web-1", group="apps")
    pod = key("Pod", "web-1-x")
    there = {web: Thing(uid="d"), part: Thing(uid="r", owners=("d",)), pod: Thing(uid="p", owners=("r",))}
    one = judge(there=there, after={pod: there[pod]}, claims={web: claim(kind="Deployment")})
    found = only(one)
    assert codes(found) == ["not-pruned"]
    assert found.findings[0].message == (
        "Pod web/web-1-x: expected it to go with what owned it, saw it still there after 12 s"
    )


def test_a_claim_of_a_statefulset_stays_with_its_data() -> None:
    store = key("StatefulSet", "store", group="apps")
    volume = key("PersistentVolumeClaim", "data-store-0")
    manifest = {"kind": "StatefulSet", "spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}}]}}
    found = only(
        judge(there={store: IT}, after={volume: IT}, claims={store: Claim(case=WEB, manifest=manifest)})
    )
    assert found.kept == {
        "PersistentVolumeClaim web/data-store-0": "a StatefulSet made it, and Kubernetes keeps it and its data"
    }


def test_a_namespace_that_argocd_made_stays_and_is_only_in_the_evidence() -> None:
    made = case("web", syncPolicy={"syncOptions": ["CreateNamespace=true"]})
    going = Going(case=made, cluster=IN_CLUSTER, state=None)
    here, there = space("web"), space("web", cluster=PROD)
    found = only(judge(after={here: IT, there: Thing(uid="2")}, claims={}, going=[going]))
    assert found.to_dict()["kept"] == [
        {"object": "Namespace web", "why": "Argo CD made it (CreateNamespace=true), and never deletes it"}
    ]
    assert found.findings == []


def test_what_has_the_mark_of_the_application_should_be_gone() -> None:
    stray = key("ConfigMap", "of-an-earlier-revision")
    one = judge(after={stray: Thing(uid="9", application="web")}, claims={})
    assert codes(only(one)) == ["orphaned-object"]
    assert codes(only(judge(after={stray: Thing(uid="9", application="other")}, claims={}))) == []


# ---------------------------------------------------------------------- what was there before


def test_what_was_there_before_and_is_deleted_with_a_namespace_is_blamed_on_its_owner() -> None:
    room, foreign = space("web"), key("ConfigMap", "of-another-team")
    one = judge(
        before={foreign: Thing(uid="f")},
        there={room: IT, foreign: Thing(uid="f")},
        claims={room: claim(kind="Namespace")},
        going=[ENDED, Going(case=SHOP, cluster=IN_CLUSTER, state=None)],
    )
    found = one.judge()
    (finding,) = found["argocd/web"].findings
    assert finding.rule == "foreign-object-deleted"
    assert finding.message == (
        "ConfigMap web/of-another-team, which was there before: expected it to be left alone, saw it deleted with its "
        "namespace, which Application argocd/web renders"
    )
    assert found["argocd/shop"].findings == []


def test_what_was_there_before_and_is_rendered_too_is_not_to_be_deleted() -> None:
    assert codes(only(judge(before={SETTINGS: IT}, there={SETTINGS: IT}))) == ["foreign-object-deleted"]


def test_what_nobody_claims_is_blamed_on_who_deploys_there_or_on_all() -> None:
    going = [ENDED, Going(case=SHOP, cluster=IN_CLUSTER, state=None)]
    near = judge(before={SETTINGS: IT}, claims={}, going=going).judge()
    assert [k for k, r in near.items() if r.findings] == ["argocd/web"]
    far = judge(before={key("ConfigMap", "x", namespace="far"): IT}, claims={}, going=going).judge()
    assert [k for k, r in far.items() if r.findings] == ["argocd/web", "argocd/shop"]


def test_made_anew_is_deleted_too() -> None:
    (finding,) = only(judge(before={SETTINGS: IT}, after={SETTINGS: Thing(uid="2")}, claims={})).findings
    assert "saw it deleted and made anew" in finding.message


def test_what_a_sync_wrote_into_a_foreign_object_is_a_warning() -> None:
    room = space("web")
    touched = Thing(uid="1", writes={"argocd-controller": ("t", {})})
    (finding,) = only(judge(before={room: IT}, after={room: touched}, claims={})).findings
    assert (finding.rule, finding.severity) == ("foreign-object-changed", Severity.WARNING)
    by_another = Thing(uid="1", writes={"kube-controller-manager": ("t", {})})
    assert codes(only(judge(before={room: IT}, after={room: by_another}, claims={}))) == []


def test_parts_and_what_is_ours_are_not_foreign() -> None:
    before = {
        key("Pod", "a"): Thing(uid="1", owners=("x",)),
        key("ConfigMap", "kube-root-ca.crt"): Thing(uid="2"),
        key("Application", "web", group="argoproj.io", namespace="argocd"): Thing(uid="3"),
        key("AppProject", "web", group="argoproj.io", namespace="argocd"): Thing(uid="4"),
    }
    claims = {key("AppProject", "web", group="argoproj.io", namespace="argocd"): claim(kind="AppProject")}
    assert codes(only(judge(before=before, claims=claims))) == []
    assert codes(only(judge(before=before, claims={}))) == ["foreign-object-deleted"]


# ---------------------------------------------------------------------- the Application itself


def test_argocds_own_words_come_first_with_their_cause() -> None:
    words = 'error getting app project "shop": appproject.argoproj.io "shop" not found'
    state = {**STATE, "status": {"conditions": [{"type": "DeletionError", "message": words}]}}
    going = Going(case=WEB, cluster=IN_CLUSTER, state=state)
    remains = only(judge(there={SETTINGS: IT}, after={SETTINGS: IT}, going=[going]))
    (finding,) = remains.findings
    assert finding.rule == "deletion-error"
    assert remains.to_dict()["cause"]["class"] == "project-gone"
    assert f"  Argo CD  {words}\n  cause    the AppProject is gone" in finding.message
    assert "earlier wave" in finding.help


def test_an_application_that_does_not_end_names_what_holds_it() -> None:
    going = Going(case=WEB, cluster=IN_CLUSTER, state=STATE)
    (finding,) = only(judge(there={SETTINGS: IT}, after={SETTINGS: IT}, going=[going])).findings
    assert finding.rule == "not-deleted"
    assert finding.message == (
        "Application argocd/web: expected it to end when it is deleted, saw it still there after 12 s, held by "
        "resources-finalizer.argocd.argoproj.io\n  waits    for ConfigMap web/settings"
    )


def test_an_application_with_a_finalizer_that_argocd_does_not_know_is_stuck() -> None:
    state = {"metadata": {"finalizers": ["resources-finalizer.argocd.argoproj.io/sometime"]}}
    going = Going(case=WEB, cluster=IN_CLUSTER, state=state)
    one = judge(going=[going])
    (finding,) = only(one).findings
    assert finding.rule == "stuck-finalizer" and "argoproj.io/sometime, which nobody" in finding.message
    assert one.is_stuck(going)
    hooks = {"metadata": {"finalizers": ["post-delete-finalizer.argocd.argoproj.io/cleanup"]}}
    assert not one.is_stuck(Going(case=WEB, cluster=IN_CLUSTER, state=hooks))


def test_an_application_that_renders_itself_waits_for_itself() -> None:
    itself = key("Application", "web", group="argoproj.io", namespace="argocd")
    going = Going(case=WEB, cluster=IN_CLUSTER, state=STATE)
    one = judge(claims={itself: claim(kind="Application")}, going=[going])
    (finding,) = only(one).findings
    assert finding.rule == "not-deleted" and "waiting for itself" in finding.message
    assert one.is_stuck(going)


def test_a_parent_that_waits_for_a_child_says_so() -> None:
    child = Going(case=case("child", parent="argocd/web"), cluster=IN_CLUSTER, state=STATE)
    root = Going(case=WEB, cluster=IN_CLUSTER, state=STATE)
    found = judge(claims={}, going=[root, child]).judge()
    assert found["argocd/web"].findings[0].message.endswith("waiting for Application argocd/child")


def test_a_child_without_a_finalizer_is_a_warning_and_a_root_none() -> None:
    child = Going(case=case("child", parent="argocd/web"), cluster=IN_CLUSTER, state=None, declared=False)
    root = Going(case=WEB, cluster=IN_CLUSTER, state=None, declared=False)
    found = judge(claims={}, going=[root, child]).judge()
    (finding,) = found["argocd/child"].findings
    assert (finding.rule, finding.severity) == ("cascade-stops", Severity.WARNING)
    assert found["argocd/web"].findings == []


# ---------------------------------------------------------------------- what others need


def test_a_namespace_and_a_project_that_others_need_are_told() -> None:
    room, project = space("web"), key("AppProject", "grid", group="argoproj.io", namespace="argocd")
    shop = case("shop", project="grid")
    claims = {room: claim(kind="Namespace"), project: claim(kind="AppProject"), SETTINGS: claim(SHOP)}
    found = list(taken_along(claims, [WEB, shop], lambda c: c.key))
    assert [(t.key.kind, t.others) for t in found] == [
        ("Namespace", ("argocd/shop",)),
        ("AppProject", ("argocd/shop",)),
    ]
    finding = found[0].finding(("web.yaml", 1))
    assert (finding.rule, finding.severity) == ("deletes-others", Severity.WARNING)
    assert finding.message == (
        "Namespace web goes with Application argocd/web, and so does what lives in it of argocd/shop"
    )


def test_what_one_tree_needs_of_itself_or_what_stays_is_not_told() -> None:
    claims = {space("web"): claim(kind="Namespace"), SETTINGS: claim(SHOP)}
    assert list(taken_along(claims, [WEB, SHOP], lambda _: "one tree")) == []
    kept = {**claims, space("web"): claim(kind="Namespace", sync_options="Delete=false")}
    assert list(taken_along(kept, [WEB, SHOP], lambda c: c.key)) == []
