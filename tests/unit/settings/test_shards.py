"""Which shard is meant, and how everything is split: each thing in one part, the same whoever computes it."""

from __future__ import annotations

import random

import pytest

from pytest_gitops.errors import ConfigError
from pytest_gitops.settings.shards import NODES, Shard, Share, digest, parse, split, weights

WHERE = "--gitops-shard"


def of(text: str, **environ: str) -> str:
    return str(parse(text, environ=environ, where=WHERE))


@pytest.mark.parametrize(
    ("text", "shard"), [("1/1", "1/1"), ("2/4", "2/4"), (" 4/4 ", "4/4"), ("1000/1000",) * 2]
)
def test_a_shard_is_one_of_many(text: str, shard: str) -> None:
    assert of(text) == shard


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2",
        "/",
        "0/4",
        "5/4",
        "-1/4",
        "1/0",
        "1/4/2",
        "a/b",
        "1.5/4",
        "1/1001",
        "auto/",
        "auto/x",
        "auto/0",
        "2 of 4",
    ],
)
def test_what_is_no_shard_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        of(text, JOB_COMPLETION_INDEX="0")
    assert str(caught.value).startswith(
        "--gitops-shard: expected K/N, part K of N (1 to N, at most 1000), or auto"
    )
    assert repr(text) in str(caught.value) or "JOB_COMPLETION_INDEX=0" in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "text", "shard"),
    [
        ({"CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "4"}, "auto", "1/4"),
        ({"CIRCLE_NODE_INDEX": "0", "CIRCLE_NODE_TOTAL": "4"}, "auto", "1/4"),
        ({"BUILDKITE_PARALLEL_JOB": "3", "BUILDKITE_PARALLEL_JOB_COUNT": "4"}, "auto", "4/4"),
        ({"BITBUCKET_PARALLEL_STEP": "0", "BITBUCKET_PARALLEL_STEP_COUNT": "2"}, "auto", "1/2"),
        ({"JOB_COMPLETION_INDEX": "2"}, "auto/4", "3/4"),
        ({"CI_NODE_INDEX": "2", "CI_NODE_TOTAL": "4"}, "auto/4", "2/4"),
        # GitLab says 1 to every job that is not parallel, and no index.
        ({"CI_NODE_TOTAL": "1", "CIRCLE_NODE_INDEX": "1", "CIRCLE_NODE_TOTAL": "2"}, "auto", "2/2"),
    ],
)
def test_auto_is_what_ci_says(environ: dict[str, str], text: str, shard: str) -> None:
    assert of(text, **environ) == shard


@pytest.mark.parametrize(
    ("environ", "text", "told"),
    [
        ({}, "auto", "auto: expected one of CI_NODE_INDEX, CIRCLE_NODE_INDEX,"),
        ({"CI_NODE_TOTAL": "1"}, "auto", "auto: expected one of CI_NODE_INDEX"),
        (
            {"JOB_COMPLETION_INDEX": "2"},
            "auto",
            "expected how many there are beside JOB_COMPLETION_INDEX, saw nothing",
        ),
        ({"CI_NODE_INDEX": "2"}, "auto", "expected CI_NODE_TOTAL beside CI_NODE_INDEX, saw nothing"),
        ({"CI_NODE_INDEX": "2", "CI_NODE_TOTAL": "3"}, "auto/4", "expected 4 shards, saw CI_NODE_TOTAL=3"),
        (
            {"CI_NODE_INDEX": "x", "CI_NODE_TOTAL": "3"},
            "auto",
            "expected numbers in CI_NODE_INDEX and CI_NODE_TOTAL",
        ),
        ({"CI_NODE_INDEX": "0", "CI_NODE_TOTAL": "3"}, "auto", "expected K/N, part K of N"),
        ({"JOB_COMPLETION_INDEX": "4"}, "auto/4", "saw 'JOB_COMPLETION_INDEX=4'"),
    ],
)
def test_auto_without_a_clear_answer_is_refused(environ: dict[str, str], text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        of(text, **environ)
    assert told in str(caught.value)


@pytest.mark.parametrize(("index", "total", "first"), [n for n in NODES if n[1]])
def test_every_ci_counts_to_its_end(index: str, total: str, first: int) -> None:
    found = [of("auto", **{index: str(k + first), total: "3"}) for k in range(3)]
    assert found == ["1/3", "2/3", "3/3"]


@pytest.mark.parametrize("seed", range(25))
def test_everything_is_in_one_part_and_order_does_not_count(seed: int) -> None:
    chance = random.Random(seed)
    lots = {
        f"lot{n}": float(chance.choice([1, 1, 5, 30, chance.random() * 90]))
        for n in range(chance.randrange(40))
    }
    total = chance.randrange(1, 9)
    parts = split(lots, total)
    assert len(parts) == total
    assert sorted(name for part in parts for name in part) == sorted(lots)
    shuffled = list(lots.items())
    chance.shuffle(shuffled)
    assert split(dict(shuffled), total) == parts
    loads = [sum(lots[n] for n in part) for part in parts]
    # The heaviest goes last to nobody: no part has more than the average and one lot.
    assert max(loads) <= sum(loads) / total + max(lots.values(), default=0)


def test_more_parts_than_lots_leave_some_empty() -> None:
    assert split({"a": 1, "b": 2}, 4) == (("b",), ("a",), (), ())
    assert split({}, 2) == ((), ())


def test_the_slow_one_is_alone() -> None:
    assert split({"slow": 60, "a": 10, "b": 10, "c": 10}, 2) == (("slow",), ("a", "b", "c"))


def test_what_was_not_measured_weighs_as_much_as_the_others_do() -> None:
    assert weights({"a": 10.0, "b": 30.0, "gone": 500.0}, ["a", "b", "new"]) == {
        "a": 10.0,
        "b": 30.0,
        "new": 20.0,
    }
    assert weights({}, ["a", "b"]) == {"a": 1.0, "b": 1.0}


def test_the_digest_tells_splits_apart_and_nothing_else() -> None:
    one = digest([["a", "b"], ["c"]])
    assert one == digest([("b", "a"), ("c",)])
    assert one not in {
        digest([["a"], ["b", "c"]]),
        digest([["c"], ["a", "b"]]),
        digest([["a", "b"], ["c"], []]),
    }
    assert digest([["\udcff"]]).startswith("sha256:")


def test_a_share_says_what_it_is_and_is_read_back() -> None:
    share = Share(
        index=2,
        total=4,
        split="x",
        applications=12,
        of=48,
        answers=60,
        items=60,
        lots=3,
        of_lots=9,
        selected=60,
    )
    assert share.title == "shard 2/4: 12 of 48 Applications, 3 of 9 lots"
    assert Share.from_dict(share.to_dict()) == share
    assert str(Shard(index=2, total=4)) == "2/4"
