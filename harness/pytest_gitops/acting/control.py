"""The Applications on the ground of scenarios: brought up when they are first named, moved, and put back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_gitops.acting.hands import LOOK, Hands
from pytest_gitops.acting.journal import Touched
from pytest_gitops.acting.objects import Objects
from pytest_gitops.argocd.applications import Applications, application_path
from pytest_gitops.argocd.convergence import State, observe
from pytest_gitops.clusters.apierror import ApiError
from pytest_gitops.errors import EngineError, GitOpsError
from pytest_gitops.model import Case, Outcome, StageResult
from pytest_gitops.repository.discovery import Declared, case_of
from pytest_gitops.scenarios.api import GitOpsFailure
from pytest_gitops.scenarios.values import STAGE
from pytest_gitops.stages.drive import Drive
from pytest_gitops.stages.following import Following
from pytest_gitops.stages.inventory import Clusters
from pytest_gitops.stages.live import content

if TYPE_CHECKING:
    from pytest_gitops.acting.ground import ActingGround
    from pytest_gitops.ground.boot import Ground
    from pytest_gitops.ground.side import Side
    from pytest_gitops.stages.context import Context

PARALLEL = 8


class Control:
    """One Argo CD for all scenarios of the run. `up` once, `close` at the end; safe from many threads, as far as each
    Application has one holder at a time."""

    hands: Hands

    def __init__(self, ground: Ground, context: Context, acting: ActingGround) -> None:
        self._ground, self._context, self._acting = ground, context, acting
        self._side = self._acting.side  # what the branches mean now
        self._present: dict[str, StageResult] = {}  # how each came up, wherever the branches were
        self._first: dict[str, StageResult] = {}  # how it first was at head
        self._created: dict[str, Case] = {}
        self._creating = threading.Lock()
        self._running = False
        self._closers: list[Callable[[], None]] = [self._acting.close]

    def up(self) -> Control:
        """Bring up the ground. Raises EngineError."""
        acting = self._acting.up()
        self._head = replace(
            self._context,
            api=acting.api,
            checkout=acting.side.checkout,
            destinations=acting.destinations,
            timelines={},
            applications={},
            upgrade_ground=None,
        )
        clusters = Clusters(acting.api, acting.destinations)
        following = Following(self._head, acting.api, self._context.plan.cases)
        following.__enter__()
        self._closers.insert(0, lambda: following.__exit__(None, None, None))
        self._applications = Applications(acting.api)
        self.hands = Hands(
            following,
            Objects(lambda case: clusters.of(case)[1], acting.api),
            acting.app_state,
            limit=self._context.settings.timeout,
        )
        return self

    def close(self) -> None:
        for close in self._closers:
            close()

    # ------------------------------------------------------------------ bringing up

    def present(self, case: Case) -> None:
        """Let the Application be there, with those that create it, and be at rest: Synced and Healthy, or stuck as it
        would be for good, at what the branches mean now. Raises GitOpsFailure if nobody creates it or Argo CD is told
        to leave it alone, EngineError if Argo CD does not answer."""
        if case.key not in self._present:
            self._check_declared(case)
            came = self._drive([case], self._create_roots, at=self._side, again=False)
            self._present |= came
            if self._side is self._acting.side:
                self._first |= came
        came_up = self._present[case.key]
        if came_up.outcome is Outcome.ERROR:
            raise EngineError(f"Application {case.key} could not be brought up: {came_up.message}")
        if came_up.code == "reconcile-skipped":
            raise GitOpsFailure(came_up.message.removeprefix("not asked: "))
        if came_up.code == "never-created":
            raise GitOpsFailure(f"Application {case.key} is not created: {came_up.message}")

    def _check_declared(self, case: Case) -> None:
        roots = [c for c in self._context.plan.with_ancestors([case]) if not c.parent]
        if self._side is not self._acting.side and len(self._declared(roots)) < len(roots):
            raise GitOpsFailure(
                f"expected Application {case.key} at the revision that is checked out, saw no file that declares "
                f"{' nor '.join(r.key for r in roots)}",
                help="check out a revision that has it, or name it before the checkout: what is there stays",
            )

    def _drive(
        self,
        cases: Sequence[Case],
        begin: Callable[[Sequence[Case], _Refused], None],
        *,
        at: Side,
        again: bool,
    ) -> dict[str, StageResult]:
        """How `cases` come to what the side `at` has."""
        context = replace(self._head, checkout=at.checkout, _resolved={}, timelines={}, applications={})
        results: dict[str, StageResult] = {}

        def note(case: Case, result: StageResult) -> None:
            results[case.key] = result

        wanted = context.plan.with_ancestors(cases)
        Drive(
            context, cases, note, stage=STAGE, begin=lambda refused: begin(wanted, refused), again=again
        ).run()
        for case in cases:
            over = StageResult(
                stage=STAGE, outcome=Outcome.ERROR, code="interrupted", message="the run is over"
            )
            results.setdefault(case.key, over)
        return results

    def _create_roots(self, cases: Sequence[Case], refused: _Refused) -> None:
        with self._creating:
            wanted = [c for c in cases if not c.parent and c.key not in self._created]
            roots = wanted if self._side is self._acting.side else self._declared(wanted)
            self._applications.create(roots, refused)
            self._created |= {c.key: c for c in roots}
            if not self._running:
                self._acting.start()
                self._running = True

    # ------------------------------------------------------------------ revisions

    def commit_of(self, revision: str) -> str:
        """The commit that is meant (see `ActingGround.commit_of`). Raises GitOpsFailure."""
        commit = self._acting.commit_of(revision)
        if commit is None:
            raise GitOpsFailure(
                f"expected a branch, tag or commit of the repository, `head` or `base`; saw {revision!r}",
                help="fetch it, or name another; there is a base only with --gitops-base",
            )
        return commit

    def checkout(self, commit: str, *, within: float | None) -> None:
        """Let the branches mean `commit`, and wait until Argo CD has looked."""
        with self._creating:
            if not self._running:
                self._acting.start()
                self._running = True
        self._move(commit)
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="checkout") as pool:
            list(pool.map(lambda c: self.hands.fresh(c, limit=within or LOOK), self._live()))

    def _move(self, commit: str) -> None:
        self._side = self._acting.move(commit)
        self._applications.create(self._declared(self._created.values()), _raise)

    def _declared(self, roots: Iterable[Case]) -> list[Case]:
        """Those of `roots` that the present revision declares, as it does."""
        keys, control = {r.key for r in roots}, self._context.control
        found = [_case(d, control) for d in self._side.declarations.applications]
        return [c for c in found if c.key in keys]

    def _live(self) -> list[Case]:
        """The Applications of head that are there."""
        items = self._acting.api.get("/apis/argoproj.io/v1alpha1/applications")["items"]
        keys = {f"{i['metadata']['namespace']}/{i['metadata']['name']}" for i in items}
        return [c for c in self._context.plan.cases if c.key in keys]

    # ------------------------------------------------------------------ putting back

    def put_back(self, cases: Iterable[Case], *, moved: bool) -> dict[str, str]:
        """Let everything be as it was before somebody acted on `cases`, or moved the branches: what was changed is
        undone, and all of it is synced. Returns why not, by "namespace/name"."""
        known = list(cases)
        if moved:
            head = self._ground.head.checkout.snapshot.commit
            for case in known:
                self._undo(self.hands.journal.take(case.key))
            there, at = self._live(), self._acting.side
            results = self._drive(there, lambda _, refused: self._return(head, refused), at=at, again=True)
            problems = {k: r.message or r.code for k, r in results.items() if not self._is_as_first(k, r)}
            # What came up at another revision is at head for the first time.
            self._first |= {k: r for k, r in results.items() if k in self._present and k not in self._first}
            self._present = dict(self._first)  # whoever was not created there may be created here
            return problems
        problems = {}
        for case in known:
            if not self.hands.journal.is_clean(case.key):
                self._undo(self.hands.journal.take(case.key))
                if why := self._settle(case):
                    problems[case.key] = why
        return problems

    def _is_as_first(self, key: str, result: StageResult) -> bool:
        first = self._first.get(key)
        if first is None:  # only there because others need it
            return True
        return result.outcome is Outcome.PASSED or (first.outcome, first.code) == (
            result.outcome,
            result.code,
        )

    def _return(self, commit: str, refused: _Refused) -> None:
        del refused
        self._move(commit)
        for case in self._live():
            with suppress(ApiError):  # its parent may have been faster
                application = self._acting.api.get(application_path(case))
                # A sync that fails goes on with the other revision: whoever goes back ends it first.
                self._applications.terminate(application)
                self._applications.refresh(application)

    def _undo(self, touched: Sequence[Touched]) -> None:
        for each in touched:
            now_there = each.place.read()
            if now_there is None or now_there["metadata"]["uid"] != each.before["metadata"]["uid"]:
                continue  # it was deleted: a sync makes it anew
            if content(now_there) == content(each.before):
                continue
            version = now_there["metadata"]["resourceVersion"]
            metadata = {**each.before["metadata"], "resourceVersion": version}
            metadata.pop("managedFields", None)
            with suppress(ApiError):  # then it is the sync that mends it, or nothing does, which is told
                each.place.put({**each.before, "metadata": metadata})

    def _settle(self, case: Case) -> str:
        """Sync an Application until it is as it was at the beginning; why it is not, or nothing."""
        try:
            state = self.hands.fresh(case)
            if observe(state).state is not State.CONVERGED:
                self.hands.sync(case, prune=True, within=None)
                self.hands.wait(case, within=None)
        except GitOpsFailure as failure:
            first = self._first[case.key]
            # What never was Synced and Healthy need not become so.
            return "" if first.outcome is Outcome.FAILED else str(failure)
        except GitOpsError as error:
            return str(error)
        finally:
            self.hands.journal.take(case.key)
        return ""


_Refused = Callable[[Case, Exception], None]


def _case(declared: Declared, control: str) -> Case:
    return case_of(declared.manifest, control=control, file=declared.file, line=declared.line)


def _raise(case: Case, error: Exception) -> None:
    raise EngineError(f"Application {case.key} cannot be applied as the revision has it: {error}") from error
