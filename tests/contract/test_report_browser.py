"""The page in a real, headless Chromium: what is drawn, chosen, searched; a silent console."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import Browser, opened

from pytest_gitops.report import html as page_writer

pytestmark = pytest.mark.engine

GOLDENS = Path(__file__).parents[1] / "unit" / "report" / "goldens"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The page after its script ran: what is visible in the tree, the article in view, the console."""

    dom: str
    console: tuple[str, ...]
    tree: tuple[str, ...]
    article: str
    pressed: str


class Reader(HTMLParser):
    """Reads the tree's visible lines and the current article out of a dumped DOM."""

    def __init__(self, dom: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tree: list[str] = []
        self.article, self.pressed = "", ""
        self._stack: list[tuple[str, str]] = []
        self.feed(dom)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        role = ""
        if tag == "li" and given.get("role") == "none" and "hidden" not in given:
            self.tree.append("")
            role = "line"
        elif tag == "article" and "current" in (given.get("class") or ""):
            role = "article"
        elif tag == "button" and given.get("aria-pressed") == "true":
            self.pressed = given.get("data-show") or ""
        if tag not in {"meta", "input", "br", "hr"}:
            self._stack.append((tag, role))

    def handle_endtag(self, tag: str) -> None:
        while self._stack and self._stack.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        roles = {role for _, role in self._stack}
        if "line" in roles:
            self.tree[-1] += data
        if "article" in roles:
            self.article += data + " "


Look = Callable[..., Seen]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with opened(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def look(browser: Browser) -> Look:
    def open_page(page: Path, fragment: str = "", **size: int) -> Seen:
        dom, console = browser.look(f"{page.as_uri()}{fragment}", **size)
        reader = Reader(dom)
        return Seen(
            dom=dom,
            console=console,
            tree=tuple(t.strip() for t in reader.tree),
            article=" ".join(reader.article.split()),
            pressed=reader.pressed,
        )

    return open_page


@pytest.fixture
def grid() -> Path:
    return GOLDENS / "grid" / "index.html"


TREE = (
    "omega-divine-grid",
    "omega-fibonacci2",  # the 2 is the count of stages that were not checked
    "omega-matrix-news",
    "omega-rasta-api",
    "omega-btc-oracle",
    "omega-monitoring",
    "omega-pitch1",
    "AppProject argocd/omega-grid",
    "ApplicationSet argocd/previews",
    "preview-1",
    "preview-2",
)


def _visible(seen: Seen) -> list[str]:
    return [line for line in seen.tree if line]


def test_the_page_opens_with_the_overview_and_the_whole_tree(look: Look, grid: Path) -> None:
    seen = look(grid)
    assert seen.console == ()
    assert _visible(seen) == list(TREE)
    assert seen.pressed == "all"
    assert seen.article.startswith("Overview")
    assert "StatefulSet matrix-news/mongodb is Progressing after 60 s; expected Healthy." in seen.article
    assert 'role="tree"' in seen.dom
    assert seen.dom.count('role="treeitem"') == len(TREE)
    assert seen.dom.count('role="treeitem" aria-level="1" tabindex="0"') == 1


LEGIBLE = """(() => {
  // WCAG 2.2, 1.4.3: the contrast of text with what is behind it, from the luminance of both.
  const parts = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
    return {rgb: [r, g, b], a};
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const over = ({rgb, a}, below) => rgb.map((v, i) => v * a + below[i] * (1 - a));
  const behind = (e) => {
    const own = parts(getComputedStyle(e).backgroundColor);
    return own.a === 1 ? own.rgb : over(own, e.parentElement ? behind(e.parentElement) : [255, 255, 255]);
  };
  const texts = [...document.querySelectorAll('body *')].filter((e) =>
    e.checkVisibility({opacityProperty: true, visibilityProperty: true}) && !e.closest('svg, :disabled')
    && [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim()));
  const faint = texts.map((e) => {
    const back = behind(e), [x, y] = [light(over(parts(getComputedStyle(e).color), back)), light(back)];
    return [(Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05), e.textContent.trim().slice(0, 40)];
  }).filter(([ratio]) => ratio < 4.5);
  const root = document.documentElement;
  return JSON.stringify({
    texts: texts.length, faint, dark: light(behind(document.body)) < 0.2,
    beyond: Math.max(0, root.scrollWidth - root.clientWidth), width: root.clientWidth,
  });
})()"""
"""What of the page's visible text is hard to read, whether the page is dark, and how many pixels of it are out of view."""


@pytest.mark.parametrize("fragment", ["", "#app=argocd/omega-matrix-news"])
@pytest.mark.parametrize("phone", [False, True])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_in_light_and_dark_and_on_a_phone(
    browser: Browser, grid: Path, scheme: str, phone: bool, fragment: str
) -> None:
    url = f"{grid.as_uri()}{fragment}"
    text, console = browser.look(url, read=LEGIBLE, scheme=scheme, phone=phone, width=1280, height=900)
    told = json.loads(text)
    assert console == ()
    assert told["texts"] > 20
    assert told["faint"] == []
    assert told["dark"] is (scheme == "dark")
    assert (told["beyond"], told["width"]) == (0, 360 if phone else told["width"])


def test_an_address_opens_its_application(look: Look, grid: Path) -> None:
    seen = look(grid, "#app=argocd/omega-matrix-news")
    assert seen.console == ()
    assert seen.article.startswith("← All Applications omega-matrix-news")
    for detail in ("converge failed never-healthy", "StorageClass that is not there", "Degraded", "60 s"):
        assert detail in seen.article
    assert re.search(r'href="#app=argocd/omega-matrix-news"[^>]* aria-current="page"', seen.dom)
    assert len(re.findall(r'<article[^>]*class="[^"]*\bcurrent\b', seen.dom)) == 1


def test_an_address_points_at_an_object(look: Look, grid: Path) -> None:
    seen = look(grid, "#app=argocd/omega-btc-oracle&object=StatefulSet%20btc-oracle%2Fredis-master")
    assert seen.console == ()
    [aimed] = re.findall(r'<tr[^>]*class="aimed"[^>]*>', seen.dom)
    assert 'data-object="StatefulSet btc-oracle/redis-master"' in aimed


@pytest.mark.parametrize(
    ("fragment", "expected"),
    [
        ("#show=failed", ["omega-divine-grid", "omega-fibonacci2", "omega-matrix-news", "omega-rasta-api"]),
        ("#show=warnings", ["omega-divine-grid", "omega-btc-oracle"]),
        ("#show=unchecked", ["omega-divine-grid", "omega-fibonacci2", "omega-rasta-api", "omega-pitch1"]),
        ("#overview&q=preview", ["ApplicationSet argocd/previews", "preview-1", "preview-2"]),
        ("#q=redis-master", ["omega-divine-grid", "omega-btc-oracle"]),  # an object's name
        ("#show=failed&q=storageclass", ["omega-divine-grid", "omega-matrix-news"]),  # a word of a message
        ("#q=nothing-like-this", []),
    ],
)
def test_the_address_filters_the_tree(look: Look, grid: Path, fragment: str, expected: list[str]) -> None:
    seen = look(grid, fragment)
    assert seen.console == ()
    assert [line for line in _visible(seen) if not line.startswith("AppProject")] == expected
    assert (re.search(r'<p id="empty"(?! hidden)', seen.dom) is not None) is (expected == [])


def test_an_address_that_names_nothing_shows_the_overview(look: Look, grid: Path) -> None:
    seen = look(grid, "#app=argocd/%zz%00&show=what&q=%E0%A4%A")
    assert seen.console == ()
    assert seen.article.startswith("Overview")
    assert seen.pressed == "all"


def test_keys_and_clicks_work(look: Look, grid: Path, tmp_path: Path) -> None:
    # A script in a copy of the page presses the keys; the policy that would stop it is taken off the copy.
    keys = """
    const log = [], search = document.querySelector('#search');
    const pressed = (name) => new KeyboardEvent('keydown', {key: name, bubbles: true, cancelable: true});
    const key = (...names) => names.forEach((name) => document.activeElement.dispatchEvent(pressed(name)));
    const at = () => log.push(document.activeElement.textContent.trim() || document.activeElement.id);
    const open = () => log.push(document.activeElement.getAttribute('aria-expanded'));
    const address = () => log.push(location.hash);
    key('/'); at();
    key('ArrowDown'); at();
    key('ArrowLeft'); open();
    key('ArrowDown'); at();
    key('Home', 'ArrowRight'); open();
    key('ArrowDown', 'ArrowDown'); at();
    key('ArrowRight', 'ArrowRight'); at();
    key('ArrowLeft'); at();
    key('End'); at();
    document.querySelector('[data-show=failed]').click(); address();
    key('Escape'); address();
    search.value = 'oracle'; search.dispatchEvent(new Event('input')); address();
    log.push(document.querySelector('#said').textContent);
    document.querySelector('a[href="#app=argocd/omega-btc-oracle"]').click();
    setTimeout(() => {
      address();
      log.push(document.querySelector('article.current h2').textContent);
      document.title = JSON.stringify(log);
    }, 200);
    """
    text = re.sub(r"<meta http-equiv[^>]*>", "", grid.read_text("utf-8"))
    page = tmp_path / "index.html"
    page.write_text(text.replace("</body>", f"<script>{keys}</script></body>"), "utf-8")
    seen = look(page)
    assert seen.console == ()
    [title] = re.findall(r"<title>(\[.*?)</title>", seen.dom)
    assert json.loads(unescape(title)) == [
        "search",
        "omega-divine-grid",
        "false",
        "ApplicationSet argocd/previews",
        "true",
        "omega-matrix-news",
        "StatefulSet matrix-news/mongodb",
        "omega-matrix-news",
        "preview-2",
        "#overview&show=failed",
        "#overview",
        "#overview&q=oracle",
        "2 Applications",  # its parent has an object of that name
        "#app=argocd/omega-btc-oracle&q=oracle",
        "omega-btc-oracle",
    ]


def test_hostile_text_runs_nothing_and_is_shown_as_text(look: Look) -> None:
    seen = look(GOLDENS / "nasty" / "index.html", "#app=argocd/a%20b%22c%7C%60%3Cx%3E%26%C3%A9")
    assert seen.console == ()
    assert "</script><script>alert(1)</script>" in seen.article


def test_the_policy_stops_a_script_that_is_not_the_pages_own(look: Look, grid: Path, tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text(
        grid.read_text("utf-8").replace("</body>", "<script>document.title='x'</script></body>"), "utf-8"
    )
    seen = look(page)
    assert any("Content Security Policy" in line for line in seen.console)
    assert "<title>x</title>" not in seen.dom


def test_hundreds_of_applications_and_thousands_of_objects_are_drawn(look: Look, tmp_path: Path) -> None:
    document = json.loads((GOLDENS / "grid" / "report.json").read_text("utf-8"))
    [oracle] = [a for a in document["applications"] if a["name"] == "omega-btc-oracle"]
    document["applications"] = [
        {
            **oracle,
            "name": f"omega-{n:03}",
            "resources": [{**oracle["resources"][i % 7], "name": f"object-{i}"} for i in range(13)],
        }
        for n in range(400)
    ]
    page = tmp_path / "index.html"
    page.write_text(page_writer.render(document), "utf-8")
    seen = look(page, "#app=argocd/omega-399&q=omega-3")
    assert seen.console == ()
    assert len([line for line in _visible(seen) if line.startswith("omega-3")]) == 100
    assert "13 objects" in seen.article


def test_without_a_script_everything_is_in_the_page(look: Look, grid: Path, tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text(re.sub(r"<script>.*?</script>", "", grid.read_text("utf-8"), flags=re.DOTALL), "utf-8")
    seen = look(page)
    assert seen.console == ()
    assert 'class="js"' not in seen.dom
    assert seen.dom.count("<article") == 10


def _driven(page: Path, script: str, target: Path) -> Path:
    """A copy of the page in which a script of ours presses keys: the policy that would stop it is taken off."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text("utf-8"))
    target.write_text(text.replace("</body>", f"<script>{script}</script></body>"), "utf-8")
    return target


def _logged(seen: Seen) -> list[str]:
    [found] = re.findall(r'<pre id="log">(.*?)</pre>', seen.dom, re.DOTALL)
    told: list[str] = json.loads(unescape(found))
    return told


LOG = "const out = document.createElement('pre'); out.id = 'log'; out.textContent = JSON.stringify(log); document.body.append(out);"


def test_diffs_are_drawn_inline_and_side_by_side_and_can_be_searched(look: Look, tmp_path: Path) -> None:
    script = (
        """
    const log = [], article = document.querySelector('article.current');
    const press = (name, where) => where.dispatchEvent(new KeyboardEvent('keydown', {key: name, bubbles: true, cancelable: true}));
    const rows = (holder) => [...holder.querySelectorAll('tr')].map((row) => [...row.cells].map((cell) => cell.textContent).join('|'));
    const find = (word) => { const box = article.querySelector('.find'); box.value = word; box.dispatchEvent(new Event('input')); return box; };
    const later = (...steps) => steps.length ? setTimeout(() => { steps[0](); later(...steps.slice(1)); }, 50) : 0;
    log.push(String(article.querySelectorAll('.diff').length));
    const claim = [...article.querySelectorAll('details.object-change')].find((d) => d.textContent.includes('Deployment shop/web'));
    claim.open = true;
    later(
      () => log.push(...rows(claim)),
      () => press('v', document.body),
      () => log.push(...rows(claim).slice(4, 7)),
      () => { const box = find('WORKER'); log.push(article.querySelector('.hits').textContent); press('Enter', box); press('Enter', box); },
      () => log.push(article.querySelector('.hits').textContent, article.querySelector('td.found').textContent,
        String(article.querySelectorAll('details.object-change:not([hidden])').length), article.querySelector('mark').textContent),
      () => press('Escape', article.querySelector('.find')),
      () => log.push(String(article.querySelectorAll('details.object-change:not([hidden])').length)),
      () => { press('n', document.body); log.push(document.activeElement.querySelector('.title').textContent); },
      () => { """
        + LOG
        + """ },
    );
    """
    )
    page = _driven(GOLDENS / "shop" / "index.html", script, tmp_path / "index.html")
    seen = look(page, "#app=argocd/shop", width=1300, height=900)
    assert seen.console == ()
    assert _logged(seen) == [
        "0",
        "spec.template.spec.containers[name=web]",
        "11|11|     spec:", "12|12|       containers:", "13|13|       - name: web",
        "14||-        image: registry.example/shop/web:1.4.2", "|14|+        image: registry.example/shop/web:2.0.0",
        "15|15|         env:", "16|16|         - name: LEVEL", "17||-          value: a", "|17|+          value: b",
        "14|-        image: registry.example/shop/web:1.4.2|14|+        image: registry.example/shop/web:2.0.0",
        "15|         env:|15|         env:", "16|         - name: LEVEL|16|         - name: LEVEL",
        "2 lines", "2 of 2", "+    worker 4;", "1", "worker", "9", "NetworkPolicy shop/deny",
    ]  # fmt: skip


def test_thirty_megabytes_of_diffs_and_thousands_of_findings_are_drawn_as_they_are_asked_for(
    look: Look, tmp_path: Path
) -> None:
    document = json.loads((GOLDENS / "shop" / "report.json").read_text("utf-8"))
    [shop] = [a for a in document["applications"] if a["name"] == "shop"]
    [config] = [
        c for c in shop["changes"] if c["resource"]["name"] == "web" and c["resource"]["kind"] == "ConfigMap"
    ]
    line = "x" * 220
    long = ["@@ -1,1000 +1,1000 @@ data", *(f"{'-+'[n % 2]}{n} {line}" for n in range(1_999))]
    shop["changes"] = [
        {**config, "resource": {**config["resource"], "name": f"c{n}"}, "diff": long} for n in range(70)
    ]
    shop["stages"][2]["findings"] = [shop["stages"][2]["findings"][0]] * 5_000
    written = tmp_path / "large.html"
    written.write_text(page_writer.render(document), "utf-8")
    assert written.stat().st_size > 30_000_000
    script = (
        """
    const log = [], article = document.querySelector('article.current');
    const drawn = () => String(document.querySelectorAll('.diff tr').length);
    log.push(drawn(), String(document.querySelectorAll('*').length < 40000));
    article.querySelector('details.object-change').open = true;
    setTimeout(() => {
      log.push(drawn(), article.querySelector('.more').textContent);
      article.querySelector('.more').click();
      log.push(drawn());
      """
        + LOG
        + """
    }, 200);
    """
    )
    seen = look(_driven(written, script, tmp_path / "index.html"), "#app=argocd/shop")
    assert seen.console == ()
    assert _logged(seen) == ["0", "true", "401", "Show more (1,599 lines)", "801"]
