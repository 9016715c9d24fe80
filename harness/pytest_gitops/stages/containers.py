"""What the containers of an Application that failed say: where they really run, that is most often the cause."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_gitops.argocd.render import Rendered
from pytest_gitops.changes.shorten import cut
from pytest_gitops.errors import GitOpsError
from pytest_gitops.model import Case, Outcome, StageResult
from pytest_gitops.settings.settings import Provider
from pytest_gitops.stages.base import Publish

if TYPE_CHECKING:
    from pytest_gitops.stages.context import Context

LOG_LINES = 10
"""As many of the last lines of a container as are kept."""

MOST = 8
"""As many containers as are told of one Application."""

WORDS = 300
"""Characters of one message or line."""

STEMS = {"ReplicaSet": ("Deployment", "Rollout"), "Job": ("CronJob",)}
"""Who makes an owner of Pods, and calls it by its own name and a suffix."""

Manifest = Mapping[str, Any]
Row = dict[str, Any]
Log = Callable[[str, str, bool], str]
"""The log of a container: the Pod's name, the container's, and whether that of its last end is meant."""


def telling_of(context: Context, publish: Publish) -> Publish:
    """`publish`, which to a failed verdict adds what containers say; as it is where none really runs."""
    if context.settings.provider not in {Provider.KIND, Provider.KUBECONFIG}:
        return publish

    def told(case: Case, result: StageResult) -> None:
        if result.outcome is Outcome.FAILED and (rows := _rows(context, case)):
            result = replace(
                result,
                message="\n".join([result.message, *lines(rows)]),
                evidence={**result.evidence, "containers": rows},
            )
        publish(case, result)

    return told


def _rows(context: Context, case: Case) -> list[Row]:
    rendered = context.renders.get(case.id)
    if not isinstance(rendered, Rendered):
        return []
    api, found = context.api_of(case), []
    for namespace, names in sorted(workloads(rendered.objects, case.destination.namespace).items()):
        base = f"/api/v1/namespaces/{namespace}"

        def log(pod: str, container: str, previous: bool, base: str = base) -> str:
            try:
                return api.text(
                    f"{base}/pods/{pod}/log", container=container, previous=previous, tailLines=LOG_LINES
                )
            except GitOpsError:
                return ""  # it may be gone by now, and its exit code is told anyway

        try:
            pods = [p for p in api.get(f"{base}/pods")["items"] if makers(p) & names]
            events = api.get(f"{base}/events", fieldSelector="type=Warning")["items"] if pods else []
        except GitOpsError:
            continue  # this is a bonus; its absence must not hide the cause
        found += [row for pod in pods for row in troubles(pod, events, log)]
    return found[:MOST]


def workloads(objects: Sequence[Manifest], namespace: str) -> dict[str, set[tuple[str, str]]]:
    """(kind, name) of everything rendered that may make Pods, by namespace; `namespace` is for what names none."""
    found: dict[str, set[tuple[str, str]]] = {}
    for each in objects:
        meta = each.get("metadata") or {}
        if within := str(meta.get("namespace") or namespace):
            found.setdefault(within, set()).add((str(each.get("kind")), str(meta.get("name"))))
    return found


def makers(pod: Manifest) -> set[tuple[str, str]]:
    """(kind, name) of whatever may have made a Pod: itself, its owner, and who makes such an owner."""
    meta = pod["metadata"]
    found = {("Pod", str(meta["name"]))}
    for owner in meta.get("ownerReferences") or ():
        kind, name = str(owner.get("kind")), str(owner.get("name"))
        found |= {(kind, name), *((k, name.rpartition("-")[0]) for k in STEMS.get(kind, ()))}
    return found


def troubles(pod: Manifest, events: Sequence[Manifest], log: Log) -> Iterator[Row]:
    """A row for each container of `pod` that keeps it from being ready, or for the Pod, if no node takes it.

    `reason` and `message` are Kubernetes' own; `exitCode` and `log` are of its last end, where it ended.
    """
    status, name = pod.get("status") or {}, str(pod["metadata"]["name"])
    if status.get("phase") == "Succeeded" or _condition(pod, "Ready").get("status") == "True":
        return
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        said = str(scheduled.get("message") or "")
        yield {"pod": name, "reason": str(scheduled.get("reason")), "message": cut(said, WORDS)}
        return
    for kind in ("initContainerStatuses", "containerStatuses"):
        for each in status.get(kind) or ():
            if row := _trouble(each, init=kind.startswith("init")):
                row = {"pod": name, **row}
                state = each.get("state") or {}
                # One that waits to be started again has said what it said before its end.
                wrote = "exitCode" in row or "running" in state
                if wrote and (told := _last(log(name, str(each["name"]), "waiting" in state))):
                    row["log"] = told
                if probes := _probes(events, name, str(each["name"])):
                    row["probe"] = probes
                yield row


def _trouble(status: Manifest, *, init: bool) -> Row:
    """What is wrong with a container, nothing if it is as it should be."""
    state, name = status.get("state") or {}, str(status.get("name"))
    ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
    if status.get("ready") or (init and (state.get("terminated") or {}).get("exitCode") == 0):
        return {}
    waiting = state.get("waiting") or {}
    if waiting.get("reason") == "PodInitializing":
        return {}
    running = "running" in state
    row: Row = {
        "container": name,
        "reason": str(waiting.get("reason") or ("NotReady" if running else ended.get("reason")) or "Waiting"),
    }
    if message := waiting.get("message"):
        row["message"] = cut(str(message), WORDS)
    if ended:
        row["exitCode"] = int(ended.get("exitCode", 0))
    if status.get("restartCount"):
        row["restarts"] = int(status["restartCount"])
    return row


def _probes(events: Sequence[Manifest], pod: str, container: str) -> str:
    """What the kubelet says last of a container's probes."""
    said = ""
    for event in sorted(events, key=lambda e: str(e.get("lastTimestamp") or "")):
        about = event.get("involvedObject") or {}
        path = str(about.get("fieldPath") or "")
        if (
            event.get("reason") == "Unhealthy"
            and about.get("name") == pod
            and path.endswith(f"{{{container}}}")
        ):
            said = str(event.get("message") or "").strip()
    return cut(said, WORDS)


def _last(text: str) -> list[str]:
    return [cut(line, WORDS) for line in text.rstrip().splitlines()[-LOG_LINES:]]


def lines(rows: Collection[Row]) -> list[str]:
    """The rows as they stand in a failure's text."""
    told = []
    for row in rows:
        words = [str(row["reason"])]
        if "exitCode" in row:
            words.append(f"ended with exit code {row['exitCode']}")
        if "restarts" in row:
            words.append(f"{row['restarts']} {'restart' if row['restarts'] == 1 else 'restarts'}")
        where = " ".join(w for w in (row["pod"], row.get("container", "")) if w)
        told.append(f"  container {where}: {', '.join(words)}")
        told += [f"    {key:8} {row[key]}" for key in ("message", "probe") if row.get(key)]
        told += [f"    log      {line}" for line in row.get("log", ())]
    return told


def _condition(pod: Manifest, kind: str) -> Manifest:
    found = (pod.get("status") or {}).get("conditions") or ()
    return next((c for c in found if c.get("type") == kind), {})
