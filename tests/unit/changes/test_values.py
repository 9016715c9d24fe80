"""What reports get: the shape of it, its bounds, and never a Secret's value."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from change_sides import rendition, side

from pytest_gitops.changes.applications import Side
from pytest_gitops.changes.compare import compare
from pytest_gitops.changes.values import HIDDEN, MAX_FIELDS, Comparison, ObjectChange


def config_map(name: str = "a", **data: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def only(comparison: Comparison) -> ObjectChange:
    (change,) = (o for a in comparison.applications for o in a.objects)
    return change


def test_the_shape_of_an_application() -> None:
    base = side({"shop": {"objects": [config_map(x="1"), config_map("z")]}})
    head = side({"shop": {"objects": [config_map(x="2"), config_map("z")], "project": "team"}})
    (application,) = compare(base, head).applications
    assert application.to_dict() == {
        "change": "changed",
        "changeUnknown": None,
        "changeOf": {"name": "shop", "namespace": "argocd", "file": "apps/shop.yaml"},
        "changeEffect": {"effect": None, "effectText": None, "data": None},
        "applicationFields": [
            {"path": "spec.project", "op": "replace", "old": "default", "new": "team", "noise": None}
        ],
        "applicationNoise": {},
        "changes": [
            {
                "change": "changed",
                "resource": {"apiVersion": "v1", "kind": "ConfigMap", "namespace": "prod", "name": "a"},
                "old": {"apiVersion": "v1", "kind": "ConfigMap", "namespace": "prod", "name": "a"},
                "application": "argocd/shop",
                "oldApplication": "argocd/shop",
                "hook": None,
                "effect": None,
                "effectText": None,
                "data": None,
                "rollout": False,
                "fields": [{"path": "data.x", "op": "replace", "old": "1", "new": "2", "noise": None}],
                "fieldsOmitted": 0,
                "noise": {},
                "diff": [
                    "@@ -3,4 +3,4 @@ data",
                    " metadata:",
                    "   name: a",
                    " data:",
                    '-  x: "1"',
                    '+  x: "2"',
                ],
            }
        ],
        "movedAway": [],
        "changeCounts": {"added": 0, "removed": 0, "changed": 1, "renamed": 0, "replaced": 0, "noise": 0},
    }


def test_the_shape_of_the_whole() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "own"}}
    base = side({"a": {"objects": []}, "b": {"objects": None, "reason": "bad"}, "c": {"objects": []}})
    head = side(
        {
            "a": {"objects": [{**pod, "spec": {"containers": [{"name": "x", "image": "r.io:5000/x:1"}]}}]},
            "b": {"objects": []},
            "c": {"objects": []},
        }
    )
    assert compare(base, head).to_dict() == {
        "images": [{"name": "r.io:5000/x", "old": None, "new": "1", "applications": ["argocd/a"]}],
        "radius": {
            "applications": ["argocd/a"],
            "namespaces": ["own"],
            "clusters": ["https://kubernetes.default.svc"],
            "unknown": ["argocd/b"],
        },
        "counts": {"added": 1, "removed": 0, "changed": 0, "renamed": 0, "replaced": 0, "noise": 0},
        "applications": {
            "added": 0,
            "removed": 0,
            "changed": 1,
            "renamed": 0,
            "replaced": 0,
            "unchanged": 1,
            "unknown": 1,
        },
        "notes": [],
    }


def test_what_became_of_each_object_of_head() -> None:
    base = side(
        [config_map("same"), config_map("gone"), config_map("noise", labels={}), config_map("other", x="1")]
    )
    head = side([config_map("same"), config_map("new"), config_map("noise"), config_map("other", x="2")])
    (application,) = compare(base, head).applications
    assert application.resource_changes() == {
        ("", "ConfigMap", "prod", "new"): "added",
        ("", "ConfigMap", "prod", "other"): "changed",
    }


def test_an_application_is_found_by_a_case_of_either_side() -> None:
    base = side({"a": {"objects": []}, "shop": {"objects": [], "path": "shop"}})
    head = side({"b": {"objects": [], "path": "b"}, "store": {"objects": [], "path": "shop"}})
    found = compare(base, head)
    for one in (*base.renditions, *head.renditions):
        change = found.of(one.case)
        assert change is not None
        assert one.case in (change.old, change.new)
    assert found.of(rendition("other", []).case) is None


SECRETS = ("cGFzc3dvcmQ=", "bmV3LXBhc3M=", "plain-password", "other-password", "Z29uZS1wYXNz", "Y29tZS1wYXNz")


def secret(name: str = "s", **fields: Any) -> dict[str, Any]:
    last = json.dumps(fields)
    notes = {"kubectl.kubernetes.io/last-applied-configuration": last, "note": "n"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "annotations": notes}, **fields}


OLD = secret(data={"a": SECRETS[0], "gone": SECRETS[4]}, stringData={"b": SECRETS[2]})
NEW = secret(data={"a": SECRETS[1], "come": SECRETS[5]}, stringData={"b": SECRETS[3]})


@pytest.mark.parametrize("show_noise", [False, True])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([OLD], [NEW]),
        ([OLD], []),
        ([], [NEW]),
        ([OLD], [{**OLD, "data": None}]),
        ([OLD], [{**OLD, "data": SECRETS[1]}]),
        ([{k: v for k, v in OLD.items() if k != "data"}], [NEW]),
        ([OLD], [{**NEW, "metadata": {"name": "t"}}]),
        ([secret("s-22222bbbbb", data={"a": SECRETS[0]})], [secret("s-44444bbbbb", data={"a": SECRETS[1]})]),
    ],
    ids=["changed", "removed", "added", "emptied", "not-a-mapping", "filled", "renamed", "generated"],
)
def test_no_value_of_a_secret_is_ever_told(old: Any, new: Any, show_noise: bool) -> None:
    found = compare(side(old), side(new), show_noise=show_noise)
    said = json.dumps([a.to_dict() for a in found.applications]) + repr(found.to_dict())
    said += repr([o.diff for a in found.applications for o in a.objects])
    assert not [s for s in SECRETS if s in said]
    assert "data" in said
    assert HIDDEN in said


def test_a_secret_says_which_of_its_values_changed() -> None:
    change = only(compare(side([OLD]), side([NEW]))).to_dict()
    assert [(f["op"], f["path"], f["old"], f["new"]) for f in change["fields"]] == [
        ("replace", "data.a", HIDDEN, HIDDEN),
        ("remove", "data.gone", HIDDEN, None),
        ("add", "data.come", None, HIDDEN),
        ("replace", "stringData.b", HIDDEN, HIDDEN),
    ]


def test_repr_shows_no_raw_object() -> None:
    change = only(compare(side([OLD]), side([NEW])))
    assert not [s for s in SECRETS if s in repr(change)]
    assert change.old_object is OLD
    assert change.new_object is NEW


def test_redaction_sees_every_value_with_its_field_and_every_text() -> None:
    seen = []

    def redact(value: Any, path: str) -> Any:
        seen.append(path)
        return value.replace("hush", "***") if isinstance(value, str) else value

    base = side({"shop": {"objects": [config_map(x="hush one")], "project": "hush"}})
    head = side(
        {
            "shop": {"objects": [config_map(x="hush two")], "project": "p"},
            "b": {"objects": None, "reason": "hush"},
        }
    )
    found = compare(base, head)
    said = json.dumps([*(a.to_dict(redact) for a in found.applications), found.to_dict(redact)])
    assert "hush" not in said
    assert "*** two" in said
    assert {"data.x", "spec.project", ""} <= {*seen}


def test_long_values_and_many_fields_are_bounded() -> None:
    old = config_map(**{f"k{i}": "a" for i in range(MAX_FIELDS + 7)}, big="x" * 9_000)
    new = config_map(**{f"k{i}": "b" for i in range(MAX_FIELDS + 7)}, big="y" * 9_000)
    change = only(compare(side([new, config_map("z")]), side([old, config_map("z")]))).to_dict()
    assert len(change["fields"]) == MAX_FIELDS
    assert change["fieldsOmitted"] == 8
    shown = only(compare(side([config_map(a="x" * 9_000)]), side([config_map(a="y")]))).to_dict()["fields"][0]
    assert shown["old"] == "x" * 1000 + "… (8000 characters more)"


def test_what_nests_too_deep_is_said_and_stops_nothing() -> None:
    def deep(leaf: Any) -> dict[str, Any]:
        value: Any = leaf
        for _ in range(20_000):
            value = {"a": value}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "deep"}, "data": value}

    change = only(compare(side([deep(1)]), side([deep(2)])))
    assert change.kind == "changed"
    assert change.diff == ("(nested too deep to be compared)",)
    assert json.dumps(change.to_dict())
    assert only(compare(side([]), side([deep(1)]))).diff == ("(nested too deep to be compared)",)


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        {"kind": "ConfigMap", "metadata": None},
        {"kind": 1, "apiVersion": [], "metadata": {"name": 5, "labels": [], "annotations": "x"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": [], "data": [1], "stringData": 3},
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "a"},
            "spec": {"containers": [1, None, {"image": 3}]},
        },
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {"volumeClaimTemplates": [None, 3]}},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "spec": {"storageClassName": {"a": 1}, "volumeName": []},
        },
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "spec": {"names": [], "scope": {}},
        },
    ],
    ids=range(8),
)
def test_objects_that_are_hardly_objects_stop_nothing(manifest: dict[str, Any]) -> None:
    for old, new in (([manifest], []), ([], [manifest]), ([manifest], [{**manifest, "x": 1}])):
        found = compare(side(old), side(new))
        assert json.dumps([a.to_dict() for a in found.applications])


def test_the_order_of_objects_and_applications_changes_nothing() -> None:
    def objects(version: int) -> list[dict[str, Any]]:
        return [
            {
                "apiVersion": "apps/v1",
                "kind": kind,
                "metadata": {"name": f"{name}{version if n % 3 == 0 else ''}"},
                "spec": {"a": n, "b": [n, version], "c": {str(i): i * n for i in range(12)}},
            }
            for n, name in enumerate("abcdefgh")
            for kind in ("Deployment", "StatefulSet")
        ]

    def said(rng: random.Random | None) -> Any:
        sides = []
        for version in (1, 2):
            apps = [rendition(f"app{n}", objects(version)[n::3], path=f"p{n}") for n in range(3)]
            if rng:
                apps = [
                    rendition(
                        a.case.name,
                        rng.sample(a.objects or (), len(a.objects or ())),
                        path=f"p{a.case.name[-1]}",
                    )
                    for a in apps
                ]
                rng.shuffle(apps)
            sides.append(Side(renditions=apps))
        found = compare(*sides)
        return [a.to_dict() for a in sorted(found.applications, key=lambda a: a.case.key)], found.to_dict()

    plain = said(None)
    for seed in range(5):
        assert said(random.Random(seed)) == plain


def test_of_two_objects_of_one_name_the_last_is_the_one() -> None:
    found = compare(
        side([config_map(x="1"), config_map(x="2")]), side([config_map(x="3"), config_map(x="2")])
    )
    assert not found.applications[0].objects


def test_two_applications_of_one_name_are_told_by_their_files() -> None:
    def apps(one: str, two: str) -> Side:
        return Side(
            renditions=[
                rendition("a", [config_map(x=one)], file="one.yaml"),
                rendition("a", [config_map(x=two)], file="two.yaml"),
            ]
        )

    found = compare(apps("1", "2"), apps("1", "3"))
    assert [(a.case.file, a.kind) for a in found.applications] == [
        ("one.yaml", "unchanged"),
        ("two.yaml", "changed"),
    ]
