"""A render is taken over where everything it depends on is the same, and nowhere else."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from input_trees import case, reader

from pytest_gitops.argocd.render import NotRendered, Rendered, Taken
from pytest_gitops.model import Case
from pytest_gitops.renders.renderer import Dependencies, Renderer

FILES = {"web/a.yaml": "a", "other/b.yaml": "b"}
BASE, HEAD = "b" * 40, "c" * 40
WEB = case("web", {"path": "web"})

SETTINGS = Dependencies(
    tools={"argocd": "3.6.1", "helm": "3.22.0", "kustomize": "5.8.2"},
    kube_version="1.37",
    api_versions=["v1", "apps/v1"],
    argocd_cm={},
    control="argocd",
)


class Kept:
    """A store in memory."""

    def __init__(self) -> None:
        self.renders: dict[str, Rendered] = {}

    def get(self, key: str) -> Rendered | None:
        return self.renders.get(key)

    def put(self, key: str, rendered: Rendered) -> None:
        self.renders[key] = rendered

    def close(self) -> None:
        pass


class Run:
    """A side with a repo-server that counts what it is asked."""

    def __init__(
        self, files: dict[str, str] | None = None, commit: str = HEAD, earlier: Run | None = None, **more: Any
    ) -> None:
        self.asked: list[str] = []
        self.answer: Rendered | NotRendered = Rendered(
            objects=({"kind": "Service"},), revisions=(commit, "1.2.3"), source_types=("Directory", "Helm")
        )
        given = {"settings": SETTINGS, "store": None, **more}
        self.renderer = Renderer(
            reader=reader(files or FILES, commit=commit),
            commit=commit,
            ask=self.ask,
            earlier=earlier.renderer.rendered if earlier else {},
            **given,
        )

    def ask(self, each: Case) -> Rendered | NotRendered:
        self.asked.append(each.name)
        return self.answer

    def __call__(self, each: Case = WEB) -> Rendered | NotRendered:
        return self.renderer(each)


def test_head_takes_over_what_base_rendered_and_says_so() -> None:
    base = Run(commit=BASE)
    first = base()
    head = Run(commit=HEAD, earlier=base)
    second = head()
    assert isinstance(first, Rendered)
    assert isinstance(second, Rendered)
    assert (base.asked, head.asked) == (["web"], [])
    assert (first.taken, second.taken) == (None, Taken.BASE)
    assert second.objects == first.objects
    assert (first.revisions, second.revisions) == ((BASE, "1.2.3"), (HEAD, "1.2.3"))


def test_a_file_that_is_not_read_does_not_matter() -> None:
    base = Run(commit=BASE)
    base()
    assert Run({**FILES, "other/b.yaml": "2"}, earlier=base)().taken is Taken.BASE  # type: ignore[union-attr]


def other(**changed: Any) -> dict[str, Any]:
    return {"settings": dataclasses.replace(SETTINGS, **changed)}


@pytest.mark.parametrize(
    "more",
    [
        {"files": {**FILES, "web/a.yaml": "2"}},
        other(tools={**SETTINGS.tools, "helm": "4.0.0"}),
        other(kube_version="1.36"),
        other(api_versions=["v1"]),
        other(argocd_cm={"kustomize.buildOptions": "--enable-helm"}),
        other(control="openshift-gitops"),
        other(variables={"ARGOCD_GIT_MODULES_ENABLED": "false"}),
        other(charts=[("https://charts.example.com", "stand-ins")]),
    ],
)
def test_whatever_it_depends_on_differs_it_is_asked_for(more: dict[str, Any]) -> None:
    base = Run(commit=BASE)
    base()
    head = Run(earlier=base, **more)
    head()
    assert head.asked == ["web"]


@pytest.mark.parametrize(
    "each",
    [
        case("another", {"path": "web"}),
        case("web", {"path": "web"}, namespace="team"),
        case("web", {"path": "web", "directory": {"recurse": True}}),
        dataclasses.replace(WEB, project="another"),
        dataclasses.replace(WEB, destination=dataclasses.replace(WEB.destination, namespace="x")),
    ],
)
def test_another_application_is_asked_for(each: Case) -> None:
    base = Run(commit=BASE)
    base()
    head = Run(earlier=base)
    head(each)
    assert len(head.asked) == 1


def test_the_order_in_which_the_apis_are_named_does_not_matter() -> None:
    base = Run(commit=BASE)
    base()
    head = Run(earlier=base, **other(api_versions=["apps/v1", "v1"]))
    head()
    assert head.asked == []


def test_what_is_unknown_is_always_asked_for() -> None:
    plugin, kept = case("web", {"path": "web", "plugin": {}}), Kept()
    base = Run(commit=BASE, store=kept)
    base(plugin)
    head = Run(earlier=base, store=kept)
    head(plugin)
    assert (head.asked, kept.renders) == (["web"], {})


def test_a_refusal_is_never_taken_over() -> None:
    kept = Kept()
    base = Run(commit=BASE, store=kept)
    base.answer = NotRendered(source=0, message="no")
    base()
    head = Run(earlier=base, store=kept)
    head()
    assert (head.asked, len(kept.renders)) == (["web"], 1)


def test_a_later_run_takes_over_what_is_kept_and_says_so() -> None:
    kept = Kept()
    Run(commit=BASE, store=kept)()
    later = Run(commit=HEAD, store=kept)
    found = later()
    assert isinstance(found, Rendered)
    assert (later.asked, found.taken, found.revisions) == ([], Taken.CACHE, (HEAD, "1.2.3"))


def test_what_may_be_another_thing_tomorrow_is_not_kept_and_still_taken_over_from_base() -> None:
    floating, kept = (
        case("web", {"repoURL": "https://charts.example.com", "chart": "a", "targetRevision": "1.*"}),
        Kept(),
    )
    base = Run(commit=BASE, store=kept)
    base(floating)
    head = Run(earlier=base, store=kept)
    head(floating)
    assert (head.asked, kept.renders) == ([], {})


def test_what_base_took_from_an_earlier_run_goes_on_to_head() -> None:
    kept = Kept()
    Run(commit=BASE, store=kept)()
    base = Run(commit=BASE, store=kept)
    base()
    head = Run(earlier=base)
    assert head().revisions == (HEAD, "1.2.3")  # type: ignore[union-attr]
    assert head.asked == []
