"""Which drifts an Application is given, and what is left in peace and why."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from pytest_gitops.repository.manifest import parse
from pytest_gitops.stages import edits, peace
from pytest_gitops.stages.drifting import Tried
from pytest_gitops.stages.drifts import KINDS, UNSAID, Choice, Drift, Expected, Sort, Subject, choose
from pytest_gitops.stages.live import Ref

HEALING = {"syncPolicy": {"automated": {"selfHeal": True}}}

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: web, labels: {app: web}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
"""
CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: web}
data: {mode: grid, level: high}
"""
SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: session, namespace: web}
stringData: {key: grid}
"""


def manifest(text: str) -> dict[str, Any]:
    value: dict[str, Any] = parse(text)[0].value
    return value


def subject(
    text: str, *, live: Mapping[str, Any] | None = None, metadata: Mapping[str, Any] | None = None
) -> Subject:
    made = manifest(text)
    there = {**made, **(live or {})}
    there["metadata"] = {**made["metadata"], **(metadata or {})}
    meta = made["metadata"]
    ref = Ref(
        kind=made["kind"],
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        api_version=made["apiVersion"],
    )
    return Subject(ref=ref, manifest=made, live=there)


def chosen(
    *subjects: Subject,
    spec: Mapping[str, Any] = HEALING,
    cm: Mapping[str, str] | None = None,
    scalers: Mapping[tuple[str, str, str], str] | None = None,
) -> Choice:
    return choose(subjects, {"spec": spec}, control="argocd", argocd_cm=cm or {}, scalers=scalers or {})


def drift(choice: Choice, sort: Sort) -> Drift:
    (found,) = [g[0] for g in choice.groups if g[0].sort is sort]
    return found


def told(choice: Choice) -> list[tuple[str, str, str]]:
    return [(g[0].sort.name, g[0].ref.kind, g[0].expected.name) for g in choice.groups]


def reasons(choice: Choice) -> dict[tuple[str, str], list[str]]:
    return {key: [r.title for r in refs] for key, refs in choice.peace.items()}


def test_a_deployment_gets_all_four_and_what_is_left_alone_comes_first() -> None:
    choice = chosen(subject(DEPLOYMENT))
    assert told(choice) == [
        ("ADDED", "Deployment", "LEFT"),
        ("EDITED", "Deployment", "UNDONE"),
        ("SCALED", "Deployment", "UNDONE"),
        ("DELETED", "Deployment", "UNDONE"),
    ]
    assert choice.peace == {} and choice.untried == {}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"syncPolicy": None},
        {"syncPolicy": {"automated": None}},
        {"syncPolicy": {"automated": {}}},
        {"syncPolicy": {"automated": {"selfHeal": False}}},
        {"syncPolicy": {"automated": {"selfHeal": True, "enabled": False}}},
    ],
)
def test_without_self_heal_drift_has_to_be_seen(spec: Mapping[str, Any]) -> None:
    wanted = {g[0].expected for g in chosen(subject(DEPLOYMENT), spec=spec).groups}
    assert wanted == {Expected.LEFT, Expected.SEEN}


def test_one_object_stands_for_its_kind_and_the_rest_is_named() -> None:
    many = [subject(CONFIG.replace("settings", f"settings-{n:03}")) for n in range(200)]
    choice = chosen(*many)
    assert [len(g) for g in choice.groups] == [200, 200, 200]  # the next one stands in if it cannot be made
    assert len(choice.untried[Sort.DELETED]) == 199
    (line,) = [e for e in choice.to_dict()["notTried"] if e["drift"] == "deleted"]
    assert line["count"] == 199 and len(line["objects"]) == 20


def test_of_many_kinds_a_few_stand_for_all() -> None:
    kinds = ["Role", "RoleBinding", "Alpha", "Beta", "Gamma"]
    text = "apiVersion: example.com/v1\nkind: {}\nmetadata: {{name: a, namespace: web}}\nspec: {{level: 1}}\n"
    choice = chosen(*(subject(text.format(k)) for k in kinds))
    assert sum(g[0].sort is Sort.EDITED for g in choice.groups) == KINDS
    assert sum(g[0].sort is Sort.ADDED for g in choice.groups) == 1
    assert len(choice.untried[Sort.EDITED]) == len(kinds) - KINDS
    # If the API server takes none of those, the others are there.
    edited = [[d.ref.kind for d in g] for g in choice.groups if g[0].sort is Sort.EDITED]
    assert sorted(kind for group in edited for kind in group) == sorted(kinds)
    assert len(edited[0]) == 1 and len(edited[-1]) == len(kinds) - 1


POINTER = {"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}
JQ = {"kind": "ConfigMap", "jqPathExpressions": [".data.mode"]}
ALL = {"group": "*", "kind": "*", "jsonPointers": ["/data", "/spec"]}


def test_what_is_ignored_is_left_alone_and_another_field_is_changed() -> None:
    choice = chosen(
        subject(DEPLOYMENT), subject(CONFIG), spec={**HEALING, "ignoreDifferences": [POINTER, JQ]}
    )
    assert drift(choice, Sort.SCALED).expected is Expected.LEFT
    assert drift(choice, Sort.SCALED).why == "ignoreDifferences"
    of_config = {
        g[0].expected: g[0].edits[0].field
        for g in choice.groups
        if g[0].ref.kind == "ConfigMap" and g[0].edits
    }
    assert of_config == {Expected.LEFT: "data.mode", Expected.UNDONE: "data.level"}


def test_argocd_cm_ignores_too() -> None:
    cm = {"resource.customizations.ignoreDifferences.apps_Deployment": "jsonPointers: [/spec/replicas]"}
    assert drift(chosen(subject(DEPLOYMENT), cm=cm), Sort.SCALED).expected is Expected.LEFT


def test_where_nothing_is_compared_only_deletion_is_left_to_see() -> None:
    choice = chosen(subject(CONFIG), spec={**HEALING, "ignoreDifferences": [ALL]})
    assert ("EDITED", "ConfigMap", "LEFT") in told(choice)
    assert ("DELETED", "ConfigMap", "UNDONE") in told(choice)
    assert reasons(choice) == {
        ("field changed", "no field of its manifest is compared"): ["ConfigMap web/settings"]
    }


def test_an_expression_that_is_not_understood_keeps_the_fields_in_peace() -> None:
    unclear = {"kind": "ConfigMap", "jqPathExpressions": ['.data | with_entries(select(.key|test("m")))']}
    choice = chosen(subject(CONFIG), spec={**HEALING, "ignoreDifferences": [unclear]})
    assert {g[0].sort for g in choice.groups} == {Sort.ADDED, Sort.DELETED}
    ((_, reason),) = choice.peace
    assert reason.startswith("what Argo CD compares of it is not known: ")


def test_a_field_that_a_trusted_manager_has_is_not_changed() -> None:
    entry = {
        "manager": "scaler",
        "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {"k:{}": {}}}}}},
    }
    there = subject(DEPLOYMENT, metadata={"managedFields": [entry]})
    trusts = {"group": "apps", "kind": "Deployment", "managedFieldsManagers": ["scaler"]}
    choice = chosen(there, spec={**HEALING, "ignoreDifferences": [trusts]})
    assert Sort.SCALED not in {g[0].sort for g in choice.groups}
    assert "template" not in drift(choice, Sort.EDITED).edits[0].path
    cm = {"resource.customizations.ignoreDifferences.all": "managedFieldsManagers:\n- scaler\n"}
    assert Sort.SCALED not in {g[0].sort for g in chosen(there, cm=cm).groups}
    assert Sort.SCALED in {g[0].sort for g in chosen(there).groups}


def test_replicas_belong_to_the_autoscaler() -> None:
    choice = chosen(
        subject(DEPLOYMENT), scalers={("Deployment", "web", "web"): "HorizontalPodAutoscaler web"}
    )
    assert reasons(choice) == {
        ("replicas scaled", "HorizontalPodAutoscaler web scales it"): ["Deployment web/web"]
    }


def test_replicas_that_no_manifest_names_are_left_alone() -> None:
    text = DEPLOYMENT.replace("  replicas: 3\n", "")
    spec = {**manifest(DEPLOYMENT)["spec"], "replicas": 1}
    found = drift(chosen(subject(text, live={"spec": spec})), Sort.SCALED)
    assert (found.expected, found.edits[0].new) == (Expected.LEFT, 2)
    assert found.why == UNSAID


def test_one_replica_less_needs_no_room() -> None:
    assert drift(chosen(subject(DEPLOYMENT)), Sort.SCALED).edits[0].new == 2


@pytest.mark.parametrize(
    ("text", "live", "reason"),
    [
        (CONFIG, {"ownerReferences": [{"kind": "Certificate", "name": "web"}]}, "Certificate web owns it"),
        (CONFIG, {"deletionTimestamp": "x"}, "it is being deleted"),
        (CONFIG, {"namespace": "argocd"}, "it is in Argo CD's own namespace, and may be its configuration"),
        (CONFIG.replace("v1\nkind: ConfigMap", "batch/v1\nkind: Job"), {}, peace.ONCE),
        (CONFIG.replace("ConfigMap", "ResourceQuota"), {}, peace.HOLDS_FOR_ALL),
        (
            "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {name: a}\n",
            {},
            peace.DECIDES,
        ),
        (SECRET + "type: kubernetes.io/service-account-token\n", {}, "Kubernetes keeps it itself"),
    ],
)
def test_some_objects_are_left_in_peace_wholly(text: str, live: Mapping[str, Any], reason: str) -> None:
    choice = chosen(subject(text, metadata=live))
    assert choice.groups == []
    assert list(choice.peace) == [("", reason)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n", "everything in it depends on it"),
        (CONFIG.replace("ConfigMap", "PersistentVolumeClaim"), peace.DATA),
        (CONFIG.replace("v1\nkind: ConfigMap", "apps/v1\nkind: StatefulSet"), peace.DATA),
        (CONFIG.replace("v1\nkind: ConfigMap", "batch/v1\nkind: CronJob"), "its Jobs would go with it"),
        (
            CONFIG.replace("v1\nkind: ConfigMap", "example.com/v1\nkind: Database"),
            "what goes with it only its controller knows",
        ),
        (
            CONFIG.replace("v1\nkind: ConfigMap", "argoproj.io/v1alpha1\nkind: Application"),
            "it is a test case of its own",
        ),
        (
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: a}\n",
            "it is cluster-scoped, and others may need it",
        ),
        (
            CONFIG.replace("namespace: web", "namespace: web, finalizers: [example.com/hold]"),
            "it waits for whoever takes example.com/hold off",
        ),
        (
            CONFIG.replace(
                "namespace: web",
                'namespace: web, annotations: {argocd.argoproj.io/sync-options: "Prune=false"}',
            ),
            "it is declared to stay (Prune=false)",
        ),
        (
            CONFIG.replace("ConfigMap", "Service") + "spec: {type: LoadBalancer}\n",
            "its address would be given back",
        ),
    ],
)
def test_some_objects_are_never_deleted(text: str, reason: str) -> None:
    choice = chosen(subject(text))
    assert Sort.DELETED not in {g[0].sort for g in choice.groups}
    assert ("deleted", reason) in choice.peace


CLAIMS = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: web, labels: {tier: data}}
spec:
  replicas: 3
  volumeClaimTemplates: [{metadata: {name: data}}]
"""


def test_what_holds_data_is_neither_scaled_nor_changed_but_in_a_label() -> None:
    choice = chosen(subject(CLAIMS))
    assert drift(choice, Sort.EDITED).edits[0].field == "metadata.labels.tier"
    assert Sort.SCALED not in {g[0].sort for g in choice.groups}


def test_of_a_child_application_only_what_its_own_case_does_not_depend_on() -> None:
    child = """
    apiVersion: argoproj.io/v1alpha1
    kind: Application
    metadata: {name: child, namespace: argocd, labels: {team: grid, app.kubernetes.io/name: child}}
    spec:
      project: default
      revisionHistoryLimit: 3
      source: {repoURL: https://example.com/a.git, path: a}
      syncPolicy: {automated: {selfHeal: true}, retry: {limit: 2}}
    """
    fields = [e.field for e in drift(chosen(subject(child)), Sort.EDITED).edits]
    assert fields == ["spec.revisionHistoryLimit", "spec.syncPolicy.retry.limit", "metadata.labels.team"]


@pytest.mark.parametrize(
    ("text", "field", "new"),
    [
        (
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {team: a}, annotations: {owner: grid}}\n",
            "metadata.annotations.owner",
            "grid-drift",
        ),
        (DEPLOYMENT, "spec.template.spec.containers[0].image", "web:1-drift"),
        (CONFIG, "data.mode", "grid-drift"),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: b}\nspec: {type: ClusterIP, selector: {app: web}}\n",
            "spec.selector.app",
            "web-drift",
        ),
        (
            "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\nspec: {schedule: '* * * * *'}\n",
            "spec.schedule",
            edits.NEVER,
        ),
        (
            "apiVersion: x.y/v1\nkind: A\nmetadata: {name: a}\nspec: {off: true, open: true}\n",
            "spec.open",
            False,
        ),
        ("apiVersion: x.y/v1\nkind: A\nmetadata: {name: a}\nspec: {ratio: 0.5}\n", "spec.ratio", 1.5),
    ],
)
def test_a_value_is_changed_to_one_that_fits(text: str, field: str, new: Any) -> None:
    made = manifest(text)
    first = edits.candidates(made, made, metadata_only=False)[0]
    assert (first.field, first.new) == (field, new)


def test_of_a_secret_the_stored_value_is_changed() -> None:
    stored = base64.b64encode(b"grid").decode()
    (found,) = edits.candidates(
        manifest(SECRET), {**manifest(SECRET), "data": {"key": stored}}, metadata_only=False
    )
    assert (found.path, found.old, found.new) == (
        ("data", "key"),
        stored,
        base64.b64encode(b"drift").decode(),
    )


def test_what_is_live_otherwise_than_declared_is_no_field_to_change() -> None:
    made = manifest(CONFIG)
    there = {**made, "data": {"mode": "other", "level": "high"}}
    assert [e.field for e in edits.candidates(made, there, metadata_only=False)] == ["data.level"]


def test_an_annotation_by_which_kubernetes_goes_is_not_touched() -> None:
    """Without that one the definition of a protected group is approved by nobody."""
    made = manifest(CONFIG)
    made["metadata"]["annotations"] = {"api-approved.kubernetes.io": "a", "note": "b"}
    assert edits.metadata_paths(made) == [("metadata", "annotations", "note")]


def test_a_label_stays_short_enough() -> None:
    assert len(edits.changed(("metadata", "labels", "a"), "x" * 63)) == 63
    assert edits.changed(("metadata", "labels", "a"), "") == "drift"


def test_bookkeeping_under_an_ignored_path_is_not_touched() -> None:
    made = manifest(DEPLOYMENT)
    made["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "1", "note": "a"}
    made["status"] = {"replicas": 3}
    found = edits.below(made, [("metadata", "name"), ("status",), ("metadata", "annotations")])
    assert {e.field for e in found} == {"metadata.annotations.note"}


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (
            DEPLOYMENT.replace(
                "image:", "env: [{name: MODE, value: grid}], ports: [{containerPort: 80}], image:"
            ),
            [
                "spec.template.spec.containers[0].image",
                "spec.replicas",
                "spec.template.spec.containers[0].env[0].value",
                "metadata.labels.app",
            ],
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: db, labels: {app: db}}\nspec: {ports: [{port: 5432}]}\n",
            ["metadata.labels.app"],
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: {ports: [{port: 54, targetPort: 32}]}\n",
            ["spec.ports[0].targetPort"],
        ),
        (
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: a}\n"
            "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: a}\n"
            "subjects: [{kind: ServiceAccount, name: a}]\n",
            ["subjects[0].kind", "subjects[0].name"],
        ),
        (
            "apiVersion: x.y/v1\nkind: A\nmetadata: {name: a}\nspec: {selector: {matchLabels: {a: b}}, roleRef: {a: b}}\n",
            ["spec.selector.matchLabels.a", "spec.roleRef.a"],
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {name: b}\n",
            ["data.name"],
        ),
    ],
)
def test_what_tells_one_element_of_a_list_from_another_is_no_field_to_change(
    text: str, fields: list[str]
) -> None:
    """Argo CD puts the element of the manifest beside it, and takes nothing away. Nor is what nobody may change."""
    made = manifest(text)
    assert [e.field for e in edits.candidates(made, made, metadata_only=False)] == fields


def test_of_what_is_ignored_it_is_none_either() -> None:
    made = manifest(
        "apiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: {ports: [{port: 1, nodePort: 2}]}\n"
    )
    assert [e.field for e in edits.below(made, [("spec", "ports")])] == ["spec.ports[0].nodePort"]


@pytest.mark.parametrize(
    ("env", "undone"),
    [
        ([{"name": "MODE", "value": "grid"}], True),
        ([{"name": "MODE", "value": "other"}], False),
        ([{"name": "MODE", "value": "grid"}, {"name": "MODE-drift", "value": "grid"}], False),
        ([], False),
    ],
)
def test_what_is_put_back_beside_what_drifted_is_not_undone(env: list[dict[str, str]], undone: bool) -> None:
    before = {"metadata": {"uid": "1"}, "env": [{"name": "MODE", "value": "grid"}]}
    edit = edits.Edit(path=("env", 0, "value"), old="grid", new="other")
    made = Drift(ref=subject(CONFIG).ref, sort=Sort.EDITED, expected=Expected.UNDONE, edits=(edit,))
    tried = Tried(drift=made, expected=Expected.UNDONE, before=before, syncs=0, began=0.0, edit=edit)
    assert tried.is_undone({"metadata": {"uid": "1"}, "env": env}) is undone
