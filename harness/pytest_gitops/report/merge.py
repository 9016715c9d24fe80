"""One report of the reports of all shards: what they say together, if they are all there and of one run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_gitops.model import Outcome
from pytest_gitops.report.document import Document, arranged, summarized

SHOWN = 3
"""As many Applications are named in one complaint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A report, and what messages call it (its file)."""

    name: str
    document: Document

    @property
    def shard(self) -> dict[str, Any]:
        """What the report says of its place; empty where it is of no shard."""
        return self.document["run"]["shard"] or {}


ALIKE: tuple[tuple[str, Callable[[Document], Any]], ...] = (
    ("repository", lambda d: d["run"]["repository"]),
    ("commit", lambda d: d["run"]["head"]["commit"]),
    ("base", lambda d: (d["run"]["base"] or {}).get("commit")),
    ("versions", lambda d: ", ".join(f"{k} {v}" for k, v in d["tool"].items() if k != "name")),
    ("stages", lambda d: ", ".join(d["run"]["stages"])),
    ("cluster", lambda d: d["run"]["cluster"]["provider"]),
    ("number of shards", lambda d: d["run"]["shard"]["total"]),
    ("split", lambda d: d["run"]["shard"]["split"]),
)
"""What has to be the same in all: its name, and how it is had."""

HELP = {
    "split": "let all of them have the same repository, the same paths, and the same file of --gitops-durations",
}


def problems(parts: Sequence[Part]) -> tuple[str, ...]:
    """Why these reports are not one run's, all of it, in words for a person; empty if they are."""
    strangers = [p for p in parts if not p.shard]
    found = [f"{p.name}: expected a shard's report, saw {_kind(p.document)}" for p in strangers]
    shards = sorted((p for p in parts if p.shard), key=lambda p: (p.shard["index"], p.name))
    if not shards:
        return (*found, *([] if parts else ["expected reports of shards, saw none"]))
    first = shards[0]
    for what, of in ALIKE:
        for each in shards[1:]:
            if of(each.document) != of(first.document):
                said = f"expected {what} {of(first.document)}, as in {first.name}, saw {of(each.document)}"
                found.append(f"{each.name}: {said}{f'. Next: {HELP[what]}' if what in HELP else ''}")
    total = max(p.shard["total"] for p in shards)
    there = Counter(p.shard["index"] for p in shards)
    for index in range(1, total + 1):
        if not there[index]:
            found.append(f"shard {index} of {total} is missing: no report of it was given")
        elif there[index] > 1:
            names = ", ".join(p.name for p in shards if p.shard["index"] == index)
            found.append(f"shard {index} of {total} is there {there[index]} times: {names}")
    return (*found, *(t for p in shards for t in _incomplete(p)), *_doubled(shards))


def _kind(document: Document) -> str:
    if document["run"]["shards"]:
        return "one that was merged already"
    if error := document["run"]["error"]:
        return f"one of a run that judged nothing: {error.splitlines()[0]}"
    return "one of a whole run (without --gitops-shard)"


def _incomplete(part: Part) -> Iterable[str]:
    """A shard that was asked for less than its share: whatever it leaves out, no other has."""
    shard, applications = part.shard, part.document["applications"]
    answers = sum(len(a["stages"]) for a in applications)
    if shard["selected"] != shard["items"]:
        yield (
            f"{part.name}: expected all {shard['items']} items of the shard, saw {shard['selected']} selected. "
            "Next: run it without -k, -m, --lf, --deselect"
        )
    elif (len(applications), answers) != (shard["applications"], shard["answers"]):
        yield (
            f"{part.name}: expected {shard['answers']} answers about {shard['applications']} Applications, saw "
            f"{answers} about {len(applications)}. Next: run the shard again"
        )


def _doubled(parts: Sequence[Part]) -> Iterable[str]:
    places: dict[str, list[str]] = {}
    for part in parts:
        for application in part.document["applications"]:
            places.setdefault(application["id"], []).append(part.name)
    doubled = {key: names for key, names in places.items() if len(set(names)) > 1}
    for key in sorted(doubled)[:SHOWN]:
        yield f"{key}: expected in one shard, saw it in {', '.join(doubled[key])}"
    if len(doubled) > SHOWN:
        yield f"… and {len(doubled) - SHOWN} more Applications are in several shards"


def merged(parts: Sequence[Part]) -> Document:
    """The report of the whole run. Only what `problems` has nothing to say of may be merged."""
    documents = [p.document for p in sorted(parts, key=lambda p: p.shard["index"])]
    first, runs = documents[0], [d["run"] for d in documents]
    errors = [f"shard {r['shard']['index']}: {r['error']}" for r in runs if r["error"]]
    run = {
        **runs[0],
        "started": min(r["started"] for r in runs),
        "durationSeconds": max(r["durationSeconds"] for r in runs),
        "cluster": {
            **runs[0]["cluster"],
            "simulated": _once(s for r in runs for s in r["cluster"]["simulated"]),
        },
        "hosts": _hosts(h for r in runs for h in r["hosts"]),
        "timings": _longest(r["timings"] for r in runs),
        "error": "\n".join(errors) or None,
        "shard": None,
        "shards": [
            {
                "index": r["shard"]["index"],
                "started": r["started"],
                "durationSeconds": r["durationSeconds"],
                "applications": r["shard"]["applications"],
                "exitStatus": r["shard"]["exitStatus"],
                "failed": r["shard"]["failed"],
            }
            for r in runs
        ],
    }
    # A waiver covers nothing if it does not in any part.
    idle = [f for f in runs[0]["shard"]["idleWaivers"] if all(f in r["shard"]["idleWaivers"] for r in runs)]
    return summarized(
        arranged(
            {
                **first,
                "run": run,
                "findings": _once(f for d in [*documents, {"findings": idle}] for f in d["findings"]),
                "applications": [a for d in documents for a in d["applications"]],
                "scenarios": _once(s for d in documents for s in d["scenarios"]),
            }
        )
    )


def fails(document: Document) -> bool:
    """Whether pytest would have failed this merged run: it did in a part, whatever failed there, or something could not
    be judged."""
    bad = {Outcome.FAILED.value, Outcome.ERROR.value}
    return (
        bool(document["run"]["error"])
        or any(s["exitStatus"] or s["failed"] for s in document["run"]["shards"])
        or any(a["outcome"] in bad for a in (*document["applications"], *document["scenarios"]))
    )


def _once(values: Iterable[Any]) -> list[Any]:
    """Each value once, in the order in which it comes first."""
    return list({json.dumps(v, sort_keys=True): v for v in values}.values())


def _hosts(hosts: Iterable[Document]) -> list[Document]:
    counts: Counter[str] = Counter()
    for host in hosts:
        counts[json.dumps({**host, "count": 0}, sort_keys=True)] += host["count"]
    return [{**json.loads(text), "count": count} for text, count in counts.items()]


def _longest(timings: Iterable[dict[str, float]]) -> dict[str, float]:
    """Each phase as long as where it took longest: the shards run beside each other."""
    found: dict[str, float] = {}
    for each in timings:
        for phase, seconds in each.items():
            found[phase] = max(found.get(phase, 0.0), seconds)
    return found
