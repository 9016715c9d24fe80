"""Whether a cluster's own controllers have come to what was written: they answer an object of ours, made after it.

Some of Kubernetes' controllers write to objects that say nothing of it, so an object may look as it should only because
nobody has come to it. Each takes what is written in its order: when it has answered what we write, it has come to
everything that was there before.
"""

from __future__ import annotations

import logging
import math
import secrets
import threading
from enum import Enum
from typing import TYPE_CHECKING, Any

from pytest_gitops.clusters.apierror import ApiError, suppress_gone
from pytest_gitops.waiting import now

if TYPE_CHECKING:
    from pytest_gitops.clusters.api import Api

log = logging.getLogger(__name__)

RBAC = "rbac.authorization.k8s.io/v1"

ROLES = f"/apis/{RBAC}/clusterroles"

LABEL = "pytest-gitops.io/echo"

LOOK = 0.05
"""Seconds between two looks at whether there is an answer."""

PAUSE = 0.25
"""Seconds between an answer and the next question."""

JOIN_SECONDS = 5.0

Role = dict[str, Any]


class Controller(Enum):
    """A controller that writes to objects without a word in their status (kube-controller-manager), as messages name
    it."""

    AGGREGATION = "the controller that gathers the rules of ClusterRoles"
    COLLECTOR = "the garbage collector"


class Echo:
    """What `controller` answers on the cluster of `api`. Nothing is written until `heard` is asked; `close` takes away
    what was. `mute` says why nothing can be asked, once that is known: an admission policy may refuse what we write."""

    def __init__(self, api: Api, controller: Controller) -> None:
        self._api, self._controller = api, controller
        self._name = f"pytest-gitops-echo-{secrets.token_hex(4)}"
        self._changed = threading.Condition()
        self._answered = 0.0  # when that was written to which there is an answer
        self._wanted = -math.inf  # after when something has to be written for who asked last
        self._over = False
        self._worker: threading.Thread | None = None
        self.mute = ""

    def heard(self, at: float) -> bool:
        """Whether there is an answer to something written after `at`; if not, it is asked for, and comes later."""
        with self._changed:
            if self._answered > at:
                return True
            self._wanted = at
            self._changed.notify_all()
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, daemon=True, name="echo")
                self._worker.start()
            return False

    def close(self) -> None:
        """Ask nothing any more."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
        if self._worker is not None:
            self._worker.join(JOIN_SECONDS)

    def _work(self) -> None:
        number = 0
        while self._is_wanted():
            number, began = number + 1, now()
            try:
                answered = self._ask(f"{self._name}-{number}")
            except ApiError as error:
                # What failed may go well the next time; what was refused will not.
                self.mute = "" if error.failed else str(error)
                log.debug("%s cannot be asked: %s", self._controller.value, error)
                answered = False
            with self._changed:
                if answered:
                    self._answered, self.mute = began, ""
                else:
                    self._wanted = -math.inf  # whoever still wants it asks again
                self._changed.wait_for(lambda: self._over, PAUSE)

    def _is_wanted(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._wanted >= self._answered or self._over)
            return not self._over

    def _ask(self, name: str) -> bool:
        """Write `name`, and wait for its answer; False if the end came before that."""
        roles = _gathering(name) if self._controller is Controller.AGGREGATION else (_owned(name),)
        try:
            for role in roles:
                self._api.post(ROLES, role)
            while not self._is_answered(name):
                with self._changed:
                    if self._changed.wait_for(lambda: self._over, LOOK):
                        return False
            return True
        finally:
            for role in roles:
                with suppress_gone():
                    self._api.delete(f"{ROLES}/{role['metadata']['name']}")

    def _is_answered(self, name: str) -> bool:
        try:
            role = self._api.get(f"{ROLES}/{name}")
        except ApiError as error:
            if error.status != 404:
                raise
            return self._controller is Controller.COLLECTOR
        return self._controller is Controller.AGGREGATION and bool(role.get("rules"))


def _gathering(name: str) -> tuple[Role, Role]:
    """One that gathers rules, and before it the one that has them; they are bound to nobody."""
    label, rule = {LABEL: name}, {"nonResourceURLs": ["/healthz"], "verbs": ["get"]}
    return (
        _role(f"{name}-part", labels=label) | {"rules": [rule]},
        _role(name) | {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": label}]}},
    )


def _owned(name: str) -> Role:
    """One whose owner was never there."""
    nobody = f"{name}-owner"
    return _role(
        name, ownerReferences=[{"apiVersion": RBAC, "kind": "ClusterRole", "name": nobody, "uid": nobody}]
    )


def _role(name: str, **metadata: Any) -> Role:
    return {"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": name, **metadata}, "rules": []}
