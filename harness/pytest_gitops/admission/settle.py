"""Waits until the API server's admission plugins act by what was just created.

They see objects by watching, a moment after these were stored, and nothing tells how far they are: the status that
would say so is written by controllers that do not run here. But each watch brings its objects in order. So a mark of
each kind is created last, and what it speaks against is tried until it does: by then all before it are known.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from pytest_gitops.admission.furniture import LIMITS, POLICIES, PRIORITY, QUOTA
from pytest_gitops.clusters.api import Api
from pytest_gitops.clusters.apierror import Reply
from pytest_gitops.waiting import wait_until

SPACE = "pytest-gitops-marks"
"""The namespace of our marks."""

MARK = "pytest-gitops-mark"

LIMIT = 30.0
"""Seconds after which an admission plugin that has not noticed a mark never will."""

PAUSE = 0.02

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
IN_SPACE = f"/api/v1/namespaces/{SPACE}"


def prepare(api: Api) -> None:
    """Make the place of the marks, and have the plugins look there before any mark is there: what they find by asking
    they keep for half a minute, so a mark is only ever found by watching."""
    api.post("/api/v1/namespaces", {"metadata": {"name": SPACE}})
    api.post(f"{IN_SPACE}/serviceaccounts", {"metadata": {"name": "default"}})
    for path, body in (_pod(), _config_map(MARK)):
        api.post(path, body, dryRun="All")


def settle(api: Api, kinds: Collection[tuple[str, str]]) -> None:
    """Return when the plugins know everything of these kinds that exists by now; once for each API server.

    Raises WaitTimeout.
    """
    if LIMITS in kinds:
        limit = {"type": "Pod", "max": {"cpu": "1"}}
        api.post(f"{IN_SPACE}/limitranges", _marked(spec={"limits": [limit]}))
        _until(api, "LimitRanges", _pod(), lambda said: "usage per Pod" in said)
    if QUOTA in kinds:
        quota = api.post(f"{IN_SPACE}/resourcequotas", _marked(spec={"hard": {"count/secrets": "0"}}))
        open_quota(api, quota)
        secret = (f"{IN_SPACE}/secrets", _marked())
        _until(api, "ResourceQuotas", secret, lambda said: "exceeded quota" in said)
    if PRIORITY in kinds:
        api.post("/apis/scheduling.k8s.io/v1/priorityclasses", _marked(value=0))
        # Asked of what no limit holds back: an object that is refused for its priority comes no further.
        pod = _pod(priorityClassName=MARK)
        _until(api, "PriorityClasses", pod, lambda said: "no PriorityClass" not in said)
    for kind in POLICIES:
        if kind in kinds:
            _policies(api, kind)


def open_quota(api: Api, quota: Mapping[str, Any]) -> None:
    """Give a new ResourceQuota the status that the controller manager would: nothing used yet. While a quota has none
    the API server refuses all that it counts. From there on the server itself keeps count."""
    hard = quota.get("spec", {}).get("hard") or {}
    metadata = quota["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/resourcequotas/{metadata['name']}/status"
    api.put(path, {**quota, "status": {"hard": hard, "used": dict.fromkeys(hard, "0")}})


def _policies(api: Api, kind: tuple[str, str]) -> None:
    """A policy that speaks against one ConfigMap by its name. Policies and bindings come by two watches, and it is
    active when both are known."""
    plural, spec, bound = _POLICIES[kind]
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["configmaps"],
        "resourceNames": [MARK],
    }
    api.post(
        f"{ADMISSION}/{plural}",
        _marked(spec={**spec, "failurePolicy": "Fail", "matchConstraints": {"resourceRules": [rule]}}),
    )
    api.post(
        f"{ADMISSION}/{plural.removesuffix('ies')}ybindings", _marked(spec={**bound, "policyName": MARK})
    )
    _until(api, kind[1], _config_map(MARK), lambda said: f"'{MARK}'" in said)


_POLICIES: Mapping[tuple[str, str], tuple[str, dict[str, Any], dict[str, Any]]] = {
    POLICIES[0]: (
        "validatingadmissionpolicies",
        {"validations": [{"expression": "false"}]},
        # A warning comes with every answer. Of several refusals only one is told, and a policy of the repository may
        # refuse our mark, too.
        {"validationActions": ["Warn"]},
    ),
    POLICIES[1]: (
        "mutatingadmissionpolicies",
        {
            "reinvocationPolicy": "Never",
            "mutations": [
                {
                    "patchType": "ApplyConfiguration",
                    # A ConfigMap without data has no such key, and a mutation that fails refuses.
                    "applyConfiguration": {
                        "expression": 'Object{metadata: Object.metadata{labels: {"mark": object.data["none"]}}}'
                    },
                }
            ],
        },
        {},
    ),
}


def _until(api: Api, what: str, ask: tuple[str, dict[str, Any]], holds: Callable[[str], bool]) -> None:
    """Try until what the server says of it `holds`."""
    last: list[str] = ["nothing yet"]

    def noticed() -> bool:
        reply = api.ask("POST", *ask, dryRun="All")
        last[0] = _said(reply) or "accepted"
        return holds(_said(reply))

    wait_until(noticed, limit=LIMIT, what=f"{what} known to admission", seen=lambda: last[0], pause=PAUSE)


def _said(reply: Reply) -> str:
    if reply.error is None:
        return " ".join(reply.warnings)
    causes = reply.error.details.get("causes") or ()
    return " ".join([reply.error.message, *(str(c.get("message")) for c in causes), *reply.warnings])


def _marked(**more: Any) -> dict[str, Any]:
    return {"metadata": {"name": MARK}, **more}


def _pod(**spec: Any) -> tuple[str, dict[str, Any]]:
    container = {"name": "mark", "image": "mark", "resources": {"limits": {"cpu": "2"}}}
    return f"{IN_SPACE}/pods", _marked(spec={"containers": [container], **spec})


def _config_map(name: str) -> tuple[str, dict[str, Any]]:
    return f"{IN_SPACE}/configmaps", {"metadata": {"name": name}}
