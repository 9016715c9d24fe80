from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser

import pytest
from report_documents import case, grid, large, nasty, run, small, stage

from pytest_gitops.model import Moment, Run, Verdict
from pytest_gitops.report import document, html
from pytest_gitops.report.document import Document
from pytest_gitops.report.page_timeline import timeline
from pytest_gitops.report.page_tree import rows

EVERY = [small, grid, nasty, run, lambda: large(30, 300, 300)]
VOID = {"meta", "input", "br", "hr"}


class Page(HTMLParser):
    """What a browser would see: elements, attributes, texts by element, and whether tags match."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts[self.open[-1]][-1] += data

    def values(self, name: str) -> list[str]:
        return [v for _, n, v in self.attributes if n == name]


def _page(made: Run) -> Page:
    return Page(html.render(document.build(made)))


@cache
def _document(make: Callable[[], Run]) -> Document:
    """The document of one of `EVERY`; it is not to be changed."""
    return document.build(make())


@cache
def _seen(make: Callable[[], Run]) -> Page:
    """The page of one of `EVERY`, read once."""
    return Page(html.render(_document(make)))


@pytest.mark.parametrize("make", EVERY)
def test_the_page_loads_nothing_from_anywhere(make: Callable[[], Run]) -> None:
    page = _seen(make)
    assert not page.tags.keys() & {"link", "img", "iframe", "object", "embed", "base", "form"}
    assert page.values("src") == []
    assert all(v.startswith("#") for v in page.values("href"))


@pytest.mark.parametrize("make", EVERY)
def test_no_text_of_a_repository_becomes_an_element_or_a_handler(make: Callable[[], Run]) -> None:
    page = _seen(make)
    assert page.tags["script"] == 3
    assert page.tags["style"] == 1
    assert not [n for _, n, _ in page.attributes if n.startswith("on") or n == "style"]


@pytest.mark.parametrize("make", EVERY)
def test_the_policy_allows_exactly_the_pages_own_style_and_scripts(make: Callable[[], Run]) -> None:
    page = _seen(make)
    [policy] = [v for v in page.values("content") if v.startswith("default-src 'none'")]
    code = [*page.texts["style"], page.texts["script"][0], page.texts["script"][2]]
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(c.encode()).digest()).decode()}'" for c in code]
    assert re.findall(r"'sha256-[^']+'", policy) == hashes
    assert "unsafe" not in policy


@pytest.mark.parametrize("make", EVERY)
def test_the_document_can_be_read_back_from_the_page(make: Callable[[], Run]) -> None:
    embedded = _seen(make).texts["script"][1]
    assert json.loads(embedded) == _document(make)
    assert not re.search(r"[<>&\u2028\u2029]|[^\x00-\x7f]", embedded)


@pytest.mark.parametrize("make", EVERY)
def test_ids_are_unique_and_every_link_has_its_target(make: Callable[[], Run]) -> None:
    page = _seen(make)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert not [i for i in ids if re.search(r"\s", i)]
    assert {v.removeprefix("#") for v in page.values("href")} <= set(ids)


@pytest.mark.parametrize("make", EVERY)
def test_every_application_has_its_article(make: Callable[[], Run]) -> None:
    assert _seen(make).tags["article"] == 1 + len(make().verdicts)


def test_two_applications_of_one_name_keep_their_own_address() -> None:
    ids = _page(nasty()).values("id")
    assert {"app=argocd/twin", "app=argocd/twin~2"} <= set(ids)


def test_the_tree_follows_parents_and_puts_failures_first() -> None:
    tree = [(r.level, r.title) for r in rows(document.build(grid())["applications"])]
    assert tree == [
        (1, "omega-divine-grid"),
        (2, "omega-fibonacci"),
        (2, "omega-matrix-news"),
        (2, "omega-rasta-api"),
        (2, "omega-btc-oracle"),
        (2, "omega-monitoring"),
        (2, "omega-pitch"),
        (1, "ApplicationSet argocd/previews"),
        (2, "preview-1"),
        (2, "preview-2"),
    ]


def test_a_cycle_of_parents_loses_no_application() -> None:
    pairs = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "d"), ("e", "c")]
    verdicts = [Verdict(case=case(n, parent=f"argocd/{p}"), stages=(stage("source"),)) for n, p in pairs]
    tree = rows(document.build(run(*verdicts))["applications"])
    assert sorted(r.title for r in tree) == ["a", "b", "c", "d", "e"]


def test_a_very_deep_tree_is_drawn() -> None:
    verdicts = [
        Verdict(case=case(f"n{n}", parent=f"argocd/n{n - 1}" if n else ""), stages=(stage("source"),))
        for n in range(900)
    ]
    assert rows(document.build(run(*verdicts))["applications"])[-1].level == 900


def test_the_essentials_are_there_without_a_script() -> None:
    text = re.sub(r"<script.*?</script>", "", html.render(document.build(grid())), flags=re.DOTALL)
    for essential in (
        "3 of 9 Applications failed or could not be judged",
        "No container runs, so images, probes and exit codes are not tested",
        "cause    the claim data-mongodb-0 names a StorageClass that is not there",
        "kubernetes/helm/btc-oracle/values-prod.yaml:22",
        "The root of the grid creates the AppProject itself",
        "charts.new-host.example",
        "remote-cluster",
    ):
        assert essential in text


def test_an_application_nobody_checked_is_not_shown_as_passed() -> None:
    text = html.render(document.build(run(Verdict(case=case("a")))))
    assert "0 of 1 Application passed, the others were not checked" in text
    assert "no stage was run" in text


@pytest.mark.parametrize("at", [0.0, 0.003, 4.2, 59.9, 3_600.0, 500_000.0])
def test_the_bands_fill_the_time_and_the_axis_stays_readable(at: float) -> None:
    moments = (
        Moment(at=0, sync="OutOfSync", health="Missing"),
        Moment(at=at, sync="Synced", health="Healthy"),
    )
    made = run(Verdict(case=case("a"), stages=(stage("converge", duration=at),), timeline=moments))
    drawn = timeline(document.build(made)["applications"][0])
    assert drawn is not None
    sync, _, axis = re.findall(r'<div class="band.*?</div>', drawn)
    places = [(float(x), float(w)) for x, w in re.findall(r'x="([\d.]+)%" width="([\d.]+)%"', sync)]
    assert places[0][0] == 0
    assert sum(places[-1]) == pytest.approx(100, abs=0.6)
    assert 1 <= axis.count("<line") <= 8


def test_the_page_lists_what_is_expected_of_rbac() -> None:
    text = html.render(document.build(grid()))
    assert '<h3>RBAC <span class="number">1 of 3 expectations met</span></h3>' in text
    for title in (
        "somebody of acme:ops delete clusters *",
        "role:dev sync applications grid/*",
        "alice get logs *",
    ):
        assert f"<p>{title}: <b>" in text
    assert "<h3>RBAC" not in html.render(document.build(small()))
