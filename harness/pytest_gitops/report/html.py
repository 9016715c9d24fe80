"""index.html: the whole report as one page that needs no network, no server and, for reading it, no script.

Everything is rendered here; the script only adds choosing, searching and keys. The document is part of the
page, so that whoever has the page can save report.json from it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from importlib.resources import files

from pytest_gitops.report.document import Document
from pytest_gitops.report.markup import el, inner
from pytest_gitops.report.page_changes import Budget, changes
from pytest_gitops.report.page_detail import article
from pytest_gitops.report.page_header import header, verdict
from pytest_gitops.report.page_overview import overview
from pytest_gitops.report.page_tree import anchors, filters, navigation
from pytest_gitops.report.reading import key_of, repository_title
from pytest_gitops.report.text import one_line

_EARLY = "document.documentElement.className='js'"  # before anything is drawn
_SLOT = re.compile(r"\{\{([a-z]+)\}\}")


def render(document: Document) -> str:
    """The page, self-contained; its Content-Security-Policy allows its own style and script only."""
    css = f"{_part('page.css')}\n{_part('changes.css')}"
    script = f"{_part('changes.js')}\n{_part('page.js')}"
    budget = Budget()
    applications = document["applications"]
    fragment = anchors(applications)
    by_key = {key_of(a): fragment[id(a)] for a in reversed(applications)}
    _, sentence = verdict(document)
    slots = {
        "policy": _policy(css, _EARLY, script),
        "title": inner(f"{sentence} · {one_line(repository_title(document))}"),
        "early": _EARLY,
        "css": css,
        "script": script,
        "header": header(document),
        "filters": inner(
            el(
                "button",
                title,
                " ",
                el("span", f"{number:,}"),
                type="button",
                data_show=name,
                aria_pressed="false",
            )
            for name, title, number in filters(applications)
        ),
        "tree": navigation(applications),
        "overview": overview(document, fragment),
        "articles": inner(
            article(
                document,
                a,
                anchor=fragment[id(a)],
                parent=by_key.get(a["parent"] or ""),
                changed=changes(a, index=index, budget=budget),
            )
            for index, a in enumerate(applications)
        ),
        "document": embedded(document),
    }
    return _SLOT.sub(lambda slot: slots[slot[1]], _part("page.html"))


def embedded(document: Document) -> str:
    """The document as JSON that can stand inside a script element: ASCII, without `<`, `>` and `&`."""
    text = json.dumps(document, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _policy(css: str, *scripts: str) -> str:
    sources = " ".join(_hash(s) for s in scripts)
    allowed = f"style-src {_hash(css)}; script-src {sources}"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8").strip()
