"""Rendering one side's Applications while its plan is made, and again where a stage asks for it."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from pytest_gitops.argocd import parameters
from pytest_gitops.argocd.capabilities import api_versions
from pytest_gitops.argocd.options import from_config_map
from pytest_gitops.argocd.render import NotRendered, Rendered, RepoServer
from pytest_gitops.ground.boot import PARALLEL, Ground
from pytest_gitops.ground.side import Side
from pytest_gitops.model import Case
from pytest_gitops.planning.planner import Objects
from pytest_gitops.renders.renderer import Dependencies, Renderer
from pytest_gitops.renders.store import FOLDER, Store
from pytest_gitops.stages import source
from pytest_gitops.stages.context import Context
from pytest_gitops.waiting import now

DECISIVE = ("argocd", "helm", "kustomize")
"""The tools that make a render what it is."""


class Rendering:
    """One side's. `earlier` are those of other sides, whose renders are taken over; `say` is told what is done.
    `spare` says of each of some cases whether it need not be rendered now; those are in the context's `spared`."""

    spare: Callable[[Sequence[Case]], Sequence[bool]] | None = None

    def __init__(
        self,
        context: Context,
        side: Side,
        ground: Ground,
        *,
        earlier: Sequence[Rendering] = (),
        say: Callable[[str], None],
    ) -> None:
        self.context, self._say, settings = context, say, context.settings
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
                variables=parameters.environment(parameters.SERVER, context.parameters),
            ),
            ask=lambda case: self._ask(case, fresh=False),
            earlier=ChainMap(*(each._renderer.rendered for each in earlier)),
            store=Store(settings.cache / FOLDER) if settings.keep_renders else None,
        )
        context.render_again = self._ask

    def __call__(self, cases: Sequence[Case]) -> list[Objects | None]:
        """What each of `cases` renders to, None where it does not, or is spared. Raises EngineError if nobody
        answers."""
        spared = self.spare(cases) if self.spare is not None else [False] * len(cases)
        for case in (c for c, is_spared in zip(cases, spared, strict=True) if is_spared):
            self.context.spared.add(case.id)
            self.context.renders.pop(case.id, None)
        rest = [c for c, is_spared in zip(cases, spared, strict=True) if not is_spared]
        rendered = iter(self.render(rest))
        return [None if is_spared else next(rendered) for is_spared in spared]

    def render(self, cases: Sequence[Case]) -> list[Objects | None]:
        """The same without sparing any."""
        if not cases:
            return []
        self._say(f"rendering {len(cases)} Applications")
        self.context.spared.difference_update(c.id for c in cases)
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="render") as pool:
            return list(pool.map(self._one, cases))

    def key(self, case: Case) -> str | None:
        """A word for all that the render of `case` depends on, None where that is not known."""
        inputs = self.context.reader.of(case)
        return None if inputs.unknown else self._renderer.key(case, inputs)

    def _one(self, case: Case) -> Objects | None:
        context = self.context
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
