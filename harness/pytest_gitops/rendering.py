"""Rendering one side's Applications while its plan is made, and again where a stage asks for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from pytest_gitops.argocd.capabilities import api_versions
from pytest_gitops.argocd.options import from_config_map
from pytest_gitops.argocd.render import NotRendered, Rendered, RepoServer
from pytest_gitops.boot import PARALLEL, Ground
from pytest_gitops.model import Case
from pytest_gitops.planner import Objects
from pytest_gitops.renders.renderer import Dependencies, Renderer
from pytest_gitops.renders.store import FOLDER, Store
from pytest_gitops.side import Side
from pytest_gitops.stages import source
from pytest_gitops.stages.context import Context
from pytest_gitops.waiting import now

DECISIVE = ("argocd", "helm", "kustomize")
"""The tools that make a render what it is."""


class Rendering:
    """One side's. `earlier` are those of other sides, whose renders are taken over; `say` is told what is done."""

    def __init__(
        self,
        context: Context,
        side: Side,
        ground: Ground,
        *,
        earlier: Sequence[Rendering] = (),
        say: Callable[[str], None],
    ) -> None:
        self._context, self._say, settings = context, say, context.settings
        options = from_config_map(context.argocd_cm, credentials=side.credentials)
        self._repo_server = RepoServer(side.argocd.repo_server, control=context.control, options=options)
        self._versions = api_versions(ground.api) if ground.api else ()
        self._kube = ground.cluster.version if ground.cluster else ""
        self._renderer: Renderer = Renderer(
            reader=context.reader,
            commit=context.snapshot.commit,
            settings=Dependencies(
                tools={name: ground.tools[name].version for name in DECISIVE},
                kube_version=self._kube,
                api_versions=self._versions,
                argocd_cm=context.argocd_cm,
                control=context.control,
                charts=[(c.url, c.path) for c in settings.charts],
            ),
            ask=lambda case: self._ask(case, fresh=False),
            earlier={key: r for each in earlier for key, r in each._renderer.rendered.items()},
            store=Store(settings.cache / FOLDER) if settings.keep_renders else None,
        )
        context.render_again = self._ask

    def __call__(self, cases: Sequence[Case]) -> list[Objects | None]:
        """What each of `cases` renders to, None where it does not. Raises EngineError if nobody answers."""
        self._say(f"rendering {len(cases)} Applications")
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="render") as pool:
            return list(pool.map(self._one, cases))

    def _one(self, case: Case) -> Objects | None:
        context = self._context
        findings = context.source_findings[case.id] = source.check(context, case)
        if any(f.counts for f in findings):
            return None
        began = now()
        result = context.renders[case.id] = self._renderer(case)
        context.render_seconds[case.id] = now() - began
        return result.objects if isinstance(result, Rendered) else None

    def _ask(self, case: Case, *, fresh: bool = True) -> Rendered | NotRendered:
        return self._repo_server.render(
            case, kube_version=self._kube, api_versions=self._versions, fresh=fresh
        )

    def close(self) -> None:
        """Ask nothing more, and let the oldest go of what is kept for later runs."""
        self._repo_server.close()
        if (store := self._renderer.store) is not None:
            store.close()
