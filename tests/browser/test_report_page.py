"""The report in a real browser: offline, without errors, sortable, searchable, legible."""

from pathlib import Path

import pytest
from playwright.sync_api import Page

from packer.plan.plan import Plan
from packer.report.html import render_html
from packer.report.svg_picture import plan_svg
from tests.browser.conftest import OpenText
from tests.report_plans import HOSTILE, awkward_plan, large_plan
from tests.sample_plans import company_plan, tiny_plan

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
"""Where a person can look at them after a run."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "plan", [company_plan(), tiny_plan(), awkward_plan()], ids=lambda plan: str(plan.name)
)
def test_it_opens_offline_without_an_error_or_a_request(
    open_text: OpenText, plan: Plan, scheme: str
) -> None:
    opened = open_text(render_html(plan), color_scheme=scheme)
    opened.page.wait_for_load_state("load")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    opened.page.screenshot(path=SCREENSHOTS / f"report-{plan.name}-{scheme}.png")
    assert opened.messages == []
    assert [url.partition(":")[0] for url in opened.requests] == ["file"]
    background = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")


def test_hostile_names_are_text(open_text: OpenText) -> None:
    opened = open_text(render_html(awkward_plan()))
    assert opened.page.locator("script").count() == 1
    assert HOSTILE in opened.page.locator("#workloads h3").first.inner_text()
    titles = opened.page.locator("svg title").all_text_contents()
    assert any(title.startswith(f"{HOSTILE}-0, Q4_K_M") for title in titles)


def test_search_shows_only_what_holds_every_word(open_text: OpenText) -> None:
    page = open_text(render_html(company_plan())).page
    page.fill("#find", "embed L40S")
    assert page.inner_text("#found") == "1 card, 1 workload"
    assert visible(page, "svg[data-find]") == 1
    assert visible(page, ".node") == 1
    page.fill("#find", "nothing like it")
    assert page.inner_text("#found") == "0 cards, 0 workloads"
    page.fill("#find", "")
    assert page.inner_text("#found") == ""
    assert visible(page, "article.workload") == 7
    page.press("#find", "Enter")
    assert page.inner_text("h1").startswith("fleet.yaml")


def visible(page: Page, selector: str) -> int:
    count = page.locator(selector).evaluate_all(
        "all => all.filter(one => getComputedStyle(one).display !== 'none').length"
    )
    return int(count)


def column(page: Page, table: int, index: int) -> list[str]:
    cells = page.locator("table.sort").nth(table).locator(f"tbody tr > :nth-child({index})")
    return cells.all_text_contents()


def test_columns_sort_by_value_and_back(open_text: OpenText) -> None:
    page = open_text(render_html(company_plan())).page
    button = page.get_by_role("button", name="Planned", exact=True).first
    button.click()
    planned = [float(text.strip("~≈")) for text in column(page, 0, 5)]
    assert planned == sorted(planned)
    header = page.locator("table.sort thead th").nth(4)
    assert header.get_attribute("aria-sort") == "ascending"
    button.focus()
    page.keyboard.press("Enter")
    assert [float(text.strip("~≈")) for text in column(page, 0, 5)] == planned[::-1]
    assert header.get_attribute("aria-sort") == "descending"
    page.get_by_role("button", name="Node", exact=True).first.click()
    assert column(page, 0, 1) == sorted(column(page, 0, 1))
    assert header.get_attribute("aria-sort") == "none"


def test_absent_parts_sort_last_either_way(open_text: OpenText) -> None:
    page = open_text(render_html(company_plan())).page
    button = page.get_by_role("button", name="Projector", exact=True)
    for _ in range(2):
        button.click()
        assert column(page, 1, 8)[0] == "~0.80"
        assert column(page, 1, 8)[-1] == "–"


def test_pointing_at_a_process_shows_its_budget(open_text: OpenText) -> None:
    page = open_text(render_html(company_plan())).page
    part = page.locator("svg[data-find] .weights").first
    part.scroll_into_view_if_needed()
    box = part.bounding_box()
    assert box is not None
    title = page.evaluate(
        "([x, y]) => document.elementFromPoint(x, y).closest('g').querySelector('title')"
        ".textContent",
        [box["x"] + box["width"] / 2, box["y"] + 3],
    )
    assert title.startswith("chat-0 layers 0–39, Q4_K_M: ≈25.9 GiB = weights 19.6, ")


def test_a_command_line_is_copied(open_text: OpenText) -> None:
    page = open_text(render_html(company_plan()), permissions=["clipboard-write"]).page
    button = page.get_by_role("button", name="Copy the command line of code-0")
    button.click()
    page.wait_for_function("one => one.textContent !== 'Copy'", arg=button.element_handle())
    assert button.inner_text() in {"Copied", "Selected"}


def test_without_scripts_everything_is_there(open_text: OpenText) -> None:
    page = open_text(render_html(company_plan()), java_script_enabled=False).page
    assert page.locator("svg[data-find]").count() == 18
    assert not page.locator(".find").is_visible()
    assert page.locator("button").count() == 0
    page.locator("summary").first.click()
    assert page.get_by_text("needs 52.3 GiB on 2 × L40S").is_visible()


@pytest.mark.parametrize("width", [1200, 400])
def test_the_page_never_scrolls_sideways(open_text: OpenText, width: int) -> None:
    size = {"width": width, "height": 900}
    page = open_text(render_html(awkward_plan()), viewport=size).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_labels_stay_inside_what_they_label(open_text: OpenText) -> None:
    page = open_text(render_html(large_plan(16)) + "<style>*{content-visibility:visible}</style>")
    spilling = page.page.evaluate(
        """() => [...document.querySelectorAll('svg text.l')].filter(text => {
            const shape = text.previousElementSibling.getBBox(), box = text.getBBox();
            return box.x + box.width > shape.x + shape.width;
        }).map(text => text.textContent)"""
    )
    assert spilling == []


def test_it_prints_light_and_without_controls(open_text: OpenText) -> None:
    page = open_text(render_html(company_plan()), color_scheme="dark").page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.get_by_text("needs 52.3 GiB on 2 × L40S").is_visible()


def test_a_thousand_cards_stay_usable(open_text: OpenText) -> None:
    opened = open_text(render_html(large_plan(1000)))
    page = opened.page
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert paint <= 2000
    page.fill("#find", "model-05")
    assert page.inner_text("#found") == "125 cards, 1 workload"
    page.fill("#find", "")
    page.locator("table.sort").nth(1).get_by_role("button", name="Planned", exact=True).click()
    planned = [float(text.strip("~≈")) for text in column(page, 1, 10)]
    assert len(planned) == 3000
    assert planned == sorted(planned)
    assert opened.messages == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_stand_alone_picture_opens(open_text: OpenText, scheme: str) -> None:
    opened = open_text(plan_svg(company_plan()), "plan.svg", color_scheme=scheme)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    opened.page.screenshot(path=SCREENSHOTS / f"plan-{scheme}.png")
    assert opened.messages == []
    assert [url.partition(":")[0] for url in opened.requests] == ["file"]
    assert opened.page.locator("text").count() > 30
