"""How the writers read what a pull request does: who changes, what goes and what stays, in the words of a document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_gitops.report.reading import Application, Document, key_of, resource_title
from pytest_gitops.report.text import counted, joined

Change = Mapping[str, Any]
"""One of an Application's `changes`: an object that differs."""

SIGNS = {"added": "+", "changed": "~", "removed": "−", "renamed": "→", "replaced": "⇄"}

DELETES = {"pruned", "pruned-on-confirm", "deleted-with-application", "deleted-on-confirm"}
"""Effects by which Argo CD deletes something that is in a cluster."""

_FOLLOWING = {"deleted-with-application", "deleted-on-confirm", "kept-root", "kept-policy", "orphaned"}
"""Effects that an object has because its Application goes."""

_DATA_RANK = {"lost": 0, "unknown": 1, "kept": 2, None: 3}


def is_compared(document: Document) -> bool:
    """Whether there was a base to compare with."""
    return document["changes"] is not None


def is_changed(application: Application) -> bool:
    return application["change"] not in {None, "unchanged"}


def changed_applications(document: Document) -> list[Application]:
    """The Applications that the pull request adds, removes, renames or changes."""
    return [a for a in document["applications"] if is_changed(a)]


def not_compared(document: Document) -> list[Application]:
    """The Applications of which it cannot be told, or not told in full, what becomes of them."""
    return [a for a in document["applications"] if a["changeUnknown"]]


def real_changes(application: Application) -> list[Change]:
    """The objects that differ by more than noise."""
    return [c for c in application["changes"] if c["change"] != "unchanged"]


def selection(document: Document) -> str:
    """How many were judged, where those that do not differ from base were left alone; empty where all were."""
    chosen, base = (document["changes"] or {}).get("selection"), document["run"]["base"]
    if not chosen or not base:
        return ""
    told = f"{chosen['changed']} of {counted(chosen['of'], 'Application')} changed since {base['name']}; "
    unseen = chosen["notRendered"]
    return f"{told}the others were left alone" + (f", {unseen:,} of them not rendered" if unseen else "")


def signs(counts: Mapping[str, int] | None) -> str:
    """How many objects there are of each sign, or empty."""
    return " ".join(f"{sign}{counts[kind]}" for kind, sign in SIGNS.items() if counts[kind]) if counts else ""


def noise(counts: Mapping[str, int] | None) -> str:
    """ "12 noise fields hidden", or empty."""
    return f"{counted(counts['noise'], 'noise field')} hidden" if counts and counts["noise"] else ""


def change_word(application: Application) -> str:
    """What becomes of the Application, in a word or three; empty without a base."""
    old = application["changeOf"]
    if application["changeUnknown"]:
        return f"{application['change']}, not compared" if application["change"] else "not compared"
    if application["change"] == "renamed" and old:
        before = f"{old['namespace']}/{old['name']}"
        return f"renamed from {before}" if before != key_of(application) else f"moved from {old['file']}"
    return application["change"] or ""


def object_title(change: Change) -> str:
    """ "Kind namespace/name", with what it was and whose, where that differs."""
    now, was = resource_title(change["resource"]), ""
    if change["old"] and change["application"] and (before := resource_title(change["old"])) != now:
        was = f"was {before}"
    elif change["old"] and change["old"]["apiVersion"] != change["resource"]["apiVersion"]:
        was = f"was {change['old']['apiVersion']}"
    owners = change["oldApplication"], change["application"]
    moved = f"from {owners[0]}" if all(owners) and owners[0] != owners[1] else ""
    told = joined([was, moved])
    return f"{now} ({told})" if told else now


def object_facts(change: Change) -> list[str]:
    """What else is to be known of a change, each in a few words."""
    fields = len(change["fields"]) + change["fieldsOmitted"]
    hidden = sum(change["noise"].values())
    return [
        *([f"{change['hook']} hook"] if change["hook"] else []),
        *([counted(fields, "field")] if fields else []),
        *(["pods are replaced"] if change["rollout"] and change["change"] != "removed" else []),
        *([f"{counted(hidden, 'noise field')} hidden"] if hidden else []),
        *(["its data is lost"] if change["data"] == "lost" else []),
        *(["its data may be lost"] if change["data"] == "unknown" else []),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """Something that head does not have under its old identity: an object, or an Application itself."""

    key: str
    title: str
    text: str
    effect: str
    data: str | None

    @property
    def deletes(self) -> bool:
        return self.effect in DELETES


def going(document: Document) -> list[Going]:
    """Everything that goes or is left behind; what is deleted first, of that what loses data."""
    found = [g for a in document["applications"] for g in _going(a)]
    return sorted(found, key=lambda g: (not g.deletes, _DATA_RANK.get(g.data, 3)))


def _going(application: Application) -> Iterator[Going]:
    key, fate = key_of(application), application["changeEffect"]
    told = [c for c in application["changes"] if c["effect"]]
    # What only follows its Application is counted there, unless data is at stake.
    follow = [
        c
        for c in told
        if fate["effect"] and c["effect"] in _FOLLOWING and c["data"] not in {"lost", "unknown"}
    ]
    following = {id(c) for c in follow}
    if fate["effect"]:
        title, number = f"Application {key}", f" ({counted(len(follow), 'object')}.)" if follow else ""
        yield Going(
            key=key,
            title=title,
            text=f"{fate['effectText']}{number}",
            effect=fate["effect"],
            data=fate["data"],
        )
    for change in told:
        if id(change) not in following:
            was = change["old"] or change["resource"]
            yield Going(
                key=key,
                title=resource_title(was),
                text=change["effectText"],
                effect=change["effect"],
                data=change["data"],
            )


@dataclass(slots=True)
class Generated:
    """What an ApplicationSet makes of its Applications, by what becomes of them."""

    key: str
    names: dict[str, list[str]] = field(default_factory=dict)
    fates: list[str] = field(default_factory=list)


def application_sets(document: Document) -> list[Generated]:
    """The ApplicationSets of whose Applications at least one changes."""
    sets: dict[str, Generated] = {}
    for each in document["applications"]:
        if each["origin"] == "generated" and each["parent"]:
            made = sets.setdefault(each["parent"], Generated(each["parent"]))
            made.names.setdefault("unknown" if each["changeUnknown"] else each["change"], []).append(
                each["name"]
            )
            if each["change"] == "removed" and each["changeEffect"]["effectText"]:
                made.fates.append(each["changeEffect"]["effectText"])
    return [s for s in sets.values() if s.names.keys() - {"unchanged", None}]


def shares(wants: Iterable[int], room: int) -> list[int]:
    """Room divided fairly: who wants little gets it, the others get the same."""
    wanted = list(wants)
    got, left = [0] * len(wanted), max(room, 0)
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    for place, index in enumerate(order):
        got[index] = min(wanted[index], left // (len(order) - place))
        left -= got[index]
    return got
