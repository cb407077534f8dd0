"""Pictures of money, growth and choices in a real browser; pages of sweeps and differences."""

import pytest
from playwright.sync_api import Page

from packer.report.difference import difference
from packer.report.difference_page import render_difference
from packer.report.html import render_html
from packer.report.sweep_page import render_sweep
from tests.browser.conftest import OpenText
from tests.browser.test_report_page import SCREENSHOTS, visible
from tests.report_answers import beside, sweep_of
from tests.report_plans import large_plan
from tests.sample_plans import company_plan

PAGES = {
    "whole": lambda: render_html(company_plan(), beside(company_plan())),
    "sweep": lambda: render_sweep(sweep_of(company_plan())),
    "difference": lambda: render_difference(difference(company_plan(), large_plan(16))),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_offline_without_an_error_or_a_request(
    open_text: OpenText, name: str, scheme: str
) -> None:
    opened = open_text(PAGES[name](), color_scheme=scheme)
    opened.page.wait_for_load_state("load")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    opened.page.screenshot(path=SCREENSHOTS / f"page-{name}-{scheme}.png", full_page=True)
    assert opened.messages == []
    assert [url.partition(":")[0] for url in opened.requests] == ["file"]
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 1200


def title_at(page: Page, selector: str) -> str:
    """What pointing at the middle of a shape shows."""
    # In one go: between two calls the page may still scroll or take its fonts.
    return str(
        page.locator(selector).first.evaluate(
            """shape => {
                shape.scrollIntoView({block: 'center', behavior: 'instant'});
                const box = shape.getBoundingClientRect();
                const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
                const group = document.elementFromPoint(x, y).closest('g');
                return group.querySelector('title').textContent;
            }"""
        )
    )


def test_pointing_shows_money(open_text: OpenText) -> None:
    page = open_text(PAGES["whole"]()).page
    assert title_at(page, "#cost .chart .c0") == "bill, chat: 3,079.85 $ a month"
    assert title_at(page, "#risk .chart .worse") == "memory +10 %: +876 $ a month"
    assert title_at(page, "#choices .dot.best").endswith("bits per weight")


def test_segments_end_where_the_bill_does(open_text: OpenText) -> None:
    page = open_text(PAGES["whole"]()).page
    ends = page.evaluate(
        """() => [...document.querySelectorAll('#cost svg.chart[role=img]')].map(chart => {
            const frame = chart.querySelector('path.frame').getBBox();
            const parts = [...chart.querySelectorAll('g > path')].map(one => one.getBBox());
            const first = parts.filter(box => box.y === frame.y);
            return [frame.x + frame.width, Math.max(...first.map(box => box.x + box.width))];
        })"""
    )
    assert len(ends) == 2
    assert all(abs(frame - last) <= 1 for frame, last in ends)


def test_labels_stay_inside_their_segments(open_text: OpenText) -> None:
    page = open_text(render_html(large_plan(64))).page
    spilling = page.evaluate(
        """() => [...document.querySelectorAll('#cost text.l')].filter(text => {
            const shape = text.previousElementSibling.getBBox(), box = text.getBBox();
            return box.x + box.width > shape.x + shape.width;
        }).map(text => text.textContent)"""
    )
    assert spilling == []


def test_scenarios_are_searched_and_sorted(open_text: OpenText) -> None:
    page = open_text(PAGES["sweep"]()).page
    page.fill("#find", "cloud Q6_K")
    assert page.inner_text("#found") == "3 scenarios"
    assert visible(page, "tr[data-find]") == 3
    page.fill("#find", "")
    button = page.get_by_role("button", name="$/month", exact=True)
    for _ in range(2):
        button.click()
        cells = page.locator("tbody tr > :nth-child(5)").all_text_contents()
        known = [float(cell.replace(",", "")) for cell in cells if cell != "–"]
        assert known in (sorted(known), sorted(known, reverse=True))
        assert cells[len(known) :] == ["–"] * (len(cells) - len(known))
    header = page.locator("thead th").nth(4)
    assert header.get_attribute("aria-sort") == "descending"


def test_pictures_print_light(open_text: OpenText) -> None:
    page = open_text(PAGES["whole"](), color_scheme="dark").page
    page.emulate_media(media="print", color_scheme="dark")
    colour = page.evaluate("getComputedStyle(document.querySelector('#cost .c0')).fill")
    assert colour == "rgb(53, 88, 138)"
