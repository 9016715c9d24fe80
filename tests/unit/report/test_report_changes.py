"""What the reports say of a pull request: everything that changes, bounded, and nothing of what is not known."""

from __future__ import annotations

import copy
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from change_documents import BECAUSE, OLD_SECRET, SECRET, app, chosen, shop, sides, thing, told

from pytest_gitops.changes.applications import Side
from pytest_gitops.changes.compare import compare
from pytest_gitops.report import document, html, review, schema
from pytest_gitops.report.markdown import LIMIT, size
from pytest_gitops.report.page_changes import Budget, changes
from pytest_gitops.report.reading_changes import shares
from pytest_gitops.report.terminal import summary
from pytest_gitops.report.write import WRITERS


@cache
def _shop() -> dict[str, Any]:
    """The document of the shop's pull request; it is not to be changed."""
    return document.build(shop())


@cache
def _review() -> str:
    return review.render(_shop())


def _changed() -> dict[str, Any]:
    return copy.deepcopy(_shop())


def _section(title: str) -> str:
    """What stands below a bold title of review.md."""
    [found] = re.findall(
        rf"^\*\*{re.escape(title)}[^\n]*\n(.*?)(?=^\*\*|\Z)", _review(), re.MULTILINE | re.DOTALL
    )
    return str(found)


def _of(built: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = [a for a in built["applications"] if a["name"] == name]
    return dict(found)


def test_a_compared_document_fits_the_schema() -> None:
    schema.validate(_shop())


def test_the_comment_can_be_found_again_and_begins_with_what_changes() -> None:
    lines = [line for line in _review().splitlines() if line]
    assert lines[0] == "<!-- pytest-gitops:review -->"
    assert (
        lines[3] == "**6 of 9 Applications change** · objects +2 ~5 −4 ⇄1 · 2 images · 1 noise field hidden"
    )
    assert lines[4] == "Touches 1 namespace (`shop`), 1 cluster (`https://kubernetes.default.svc`)."


def test_the_parts_are_in_the_order_of_their_weight() -> None:
    titles = re.findall(r"^\*\*([A-Z][a-z A-Z]+)\*\*", _review(), re.MULTILINE)
    assert titles == [
        "ApplicationSets", "Dangers", "What Argo CD will delete", "What goes from git and is not deleted", "What failed",
        "Warnings", "Could not check", "Diffs", "Waived",
    ]  # fmt: skip


def test_an_application_of_each_kind_has_its_row() -> None:
    for row in (
        "| ❌ | **`argocd/shop`** | changed | +1 ~4 −2 ⇄1 | ❌ policy `claim-removed` | 1 error, 1 warning, 1 waived |",
        "| ✅ | `argocd/legacy` | removed | −1 | passed | – |",
        "| ✅ | `argocd/monitoring` | renamed from argocd/metrics | – | passed | – |",
        "| ✅ | `argocd/preview-4` | added | +1 | passed | – |",
        "| ✅ | `argocd/broken` | not compared | – | ⏭️ change `not-compared` | – |",
    ):
        assert row in _review()
    assert "argocd/same" not in _review()


def test_images_are_a_table_from_version_to_version() -> None:
    assert "| `registry.example/shop/web` | `1.4.2` | `2.0.0` | `argocd/shop` |" in _review()
    assert "| `registry.example/legacy` | `1` | *removed* | `argocd/legacy` |" in _review()


def test_a_base_that_does_not_render_is_unknown_and_never_a_deletion() -> None:
    assert "⚠️ **1 Application could not be compared**" in _review()
    assert "base does not render: helm template" in _review()
    assert "argocd/broken" not in _section("What Argo CD will delete")
    assert "argocd/broken" not in _section("Diffs")
    assert _of(_shop(), "broken")["changes"] == []


def test_what_is_deleted_comes_with_what_becomes_of_its_data_and_that_first() -> None:
    rows = [line for line in _section("What Argo CD will delete").splitlines() if line.startswith("- ")]
    assert rows[0].startswith("- 💥 **data lost** `PersistentVolumeClaim shop/data` · `argocd/shop`: ")
    assert [r.split("`")[1] for r in rows[1:]] == [
        "Application argocd/preview-3", "NetworkPolicy shop/deny", "Deployment shop/db",
    ]  # fmt: skip


def test_what_only_follows_its_application_is_counted_there() -> None:
    assert "(1 object.)" in _section("What Argo CD will delete").replace("\\", "")
    assert "ConfigMap shop/p3" not in _section("What Argo CD will delete")


def test_what_stays_behind_is_no_deletion() -> None:
    assert "`Application argocd/legacy`" in _section("What goes from git and is not deleted")


def test_an_application_set_is_told_as_its_applications() -> None:
    assert _section("ApplicationSets").startswith(
        "\n- `argocd/previews` creates `preview-4`; changes `preview-2`; no longer makes `preview-3`; "
        "leaves 1 as it is<br>→ "
    )


def test_a_replaced_object_and_a_hook_are_told_as_such() -> None:
    assert "⇄ StatefulSet shop/db (was Deployment shop/db)" in _review()
    assert "~ Job shop/migrate · PreSync hook" in _review()
    assert "pods are replaced" in _review()


def test_text_of_a_diff_cannot_leave_its_fence() -> None:
    [fence] = re.findall(r"^(`{4,})diff$", _review(), re.MULTILINE)
    assert fence == "````"
    inside = _review().split("````")[1]
    assert "# </details> @everyone" in inside
    assert _review().count("<details") == _review().count("</details>") - 1


@pytest.mark.parametrize("report", WRITERS)
def test_no_report_repeats_a_secret_and_each_still_says_that_it_changed(report: str) -> None:
    text = WRITERS[report](_shop())
    assert SECRET not in text
    assert OLD_SECRET not in text


def test_a_changed_secret_shows_as_changed() -> None:
    [secret] = [c for c in _of(_shop(), "shop")["changes"] if c["resource"]["kind"] == "Secret"]
    assert secret["change"] == "changed"
    assert "+  password: (value hidden, changed)" in secret["diff"]
    [config] = [c for c in _of(_shop(), "shop")["changes"] if c["resource"]["name"] == "web" and c["resource"]["kind"] == "ConfigMap"]  # fmt: skip
    assert "+  dsn: mysql://(hidden)@db/shop (changed)" in config["diff"]


def test_the_terminal_says_what_changes_and_what_goes() -> None:
    texts = [line for line, _ in summary(_shop())]
    assert "changes: 6 of 9 Applications, objects +2 ~5 −4 ⇄1, 2 images; 1 could not be compared" in texts
    assert (
        "Argo CD will delete 4, 1 with its data: PersistentVolumeClaim shop/data, Application argocd/preview-3, "
        "NetworkPolicy shop/deny, Deployment shop/db"
    ) in texts


def test_a_pull_request_that_changes_nothing_says_so() -> None:
    old, _ = sides()
    built = document.build(told(compare(old, old)))
    assert "**No Application changes**" in review.render(built)
    assert ("changes: none; 1 could not be compared", "yellow") in summary(built)


# ---------------------------------------------------------------------- bounds


def test_who_was_judged_and_why_is_in_every_report_that_people_read() -> None:
    built = document.build(chosen())
    schema.validate(built)
    words = "2 of 40 Applications changed since main; the others were left alone, 27 of them not rendered"
    assert words in "\n".join(line for line, _ in summary(built))
    comment, page = review.render(built), html.render(built)
    assert f"{words}." in comment and f"{words}." in page
    assert "**1 of 40 Applications changes**" in comment
    assert "<summary>2 selection reasons</summary>" in comment
    assert (
        "- `argocd/shop`: its manifest differs: spec.syncPolicy; it reads apps/shop/web.yaml, which differs"
        in comment
    )
    reasons = "".join(f"<div>{why}</div>" for why in BECAUSE["shop"])
    assert f"<dt>Selected because</dt><dd>{reasons}</dd>" in page
    all_rendered = {
        **built,
        "changes": {**built["changes"], "selection": {"changed": 2, "of": 40, "notRendered": 0}},
    }
    assert f"{words.partition(', 27')[0]}." in review.render(all_rendered)


def test_room_is_shared_fairly() -> None:
    assert shares([10, 1000, 1000], 610) == [10, 300, 300]
    assert shares([10, 20], 1000) == [10, 20]
    assert shares([5, 5], 0) == [0, 0]
    assert shares([], 10) == []


def _text(lines: int, word: str) -> dict[str, str]:
    return {"text": "".join(f"{word} {n}\n" for n in range(lines))}


@cache
def _many(applications: int = 40, lines: int = 400) -> dict[str, Any]:
    """Much more than a comment holds: long diffs, long names, many images."""

    def side(word: str) -> Side:
        return Side(
            renditions=[
                app(
                    f"application-{n:03}-{'x' * 20}",
                    [
                        thing("ConfigMap", f"c{n}", data=_text(lines if n else 3, word)),
                        *(thing("Deployment", f"d{n}-{i}", spec={"replicas": len(word), "template": {"spec": {"containers": [{"name": "a", "image": f"x/{n}-{i}:{word}"}]}}}) for i in range(3)),
                    ],
                )
                for n in range(applications)
            ]
        )  # fmt: skip

    return document.build(told(compare(side("old"), side("newer"))))


def test_a_comment_stays_below_githubs_limit_whatever_changes() -> None:
    text = review.render(_many())
    assert LIMIT * 0.6 < size(text) < LIMIT


def test_every_application_gets_its_share_and_what_is_cut_is_counted() -> None:
    text = review.render(_many())
    diffs = text[text.index("**Diffs**") :]
    parts = diffs.split("<details><summary><b>")[1:]
    assert len(parts) == 40
    sizes = [size(p) for p in parts]
    assert max(sizes) < 4 * min(sizes)
    assert re.search(r"… [\d,]+ lines more in the full report", parts[-1])


def test_more_applications_than_there_is_room_for_are_counted() -> None:
    built = _changed()
    one = _of(built, "preview-2")
    built["applications"] = [{**one, "name": f"a-{n:04}"} for n in range(600)]
    text = review.render(built)
    assert size(text) < LIMIT
    shown = text[text.index("**Diffs**") :].count("<details><summary><b>")
    [left] = re.findall(r"… the diffs of ([\d,]+) Applications more", text)
    assert shown + int(left.replace(",", "")) == 600
    fences = [line for line in text.splitlines() if line.startswith("```")]
    assert len(fences) % 2 == 0


def test_the_page_draws_a_bounded_part_of_any_diff() -> None:
    page = html.render(_many())
    drawn = page[: page.index('<script type="application/json"')]
    assert len(drawn) < 1_500_000
    assert "lines more" in drawn


def test_the_page_has_what_the_comment_says() -> None:
    page = html.render(_shop())
    body = page[: page.index('<script type="application/json"')]
    for words in (
        "6 of 9 Applications · objects +2 ~5 −4 ⇄1 · 1 noise field hidden",
        "What Argo CD will delete (4)",
        "It could not be compared: base does not render",
        "StatefulSet shop/db (was Deployment shop/db)",
        "creates 1: preview-4; changes 1: preview-2; no longer makes 1: preview-3; leaves as they are 1: preview-1",
        "its data is lost",
        "spec.syncPolicy.automated.selfHeal",
    ):
        assert words in body
    assert "checksum 1" in body  # why what is hidden is hidden


def test_the_walk_through_shows_a_real_comment() -> None:
    page = (Path(__file__).parents[3] / "docs" / "review.md").read_text("utf-8")
    quoted = re.findall(r"^```markdown\n(.*?)\n```", page, re.MULTILINE | re.DOTALL)
    assert len(quoted) > 4
    plain = _review().replace("\\", "")
    assert [q for q in quoted if q.replace("\\", "") not in plain] == []


def test_what_is_beyond_the_pages_budget_is_counted() -> None:
    application = _of(_shop(), "shop")
    page = changes(application, index=0, budget=Budget(objects=3, characters=60))
    assert page is not None
    assert page.count("<details") == 3
    assert f"… and {len(application['changes']) - 3} more objects in report.json." in page
    drawn = re.findall(r'<pre class="diff-text"[^>]*>(.*?)</pre>', page, re.DOTALL)
    assert sum(len(d) for d in drawn) < 200
    assert all(re.search(r"… \d+ lines more$|… 1 line more$", d) for d in drawn[1:])
