"""The pages against axe-core's rules, on a desk and on a telephone, light and dark."""

from collections.abc import Callable
from importlib.resources import files

import pytest

from packer.report.difference import difference
from packer.report.difference_page import render_difference
from packer.report.html import render_html
from packer.report.sweep_page import render_sweep
from tests.browser.conftest import OpenText
from tests.report_answers import beside, sweep_of
from tests.report_plans import awkward_plan, large_plan
from tests.sample_plans import company_plan

PAGES: dict[str, Callable[[], str]] = {
    "company": lambda: render_html(company_plan(), beside(company_plan())),
    "awkward": lambda: render_html(awkward_plan()),
    "sweep": lambda: render_sweep(sweep_of(company_plan())),
    "difference": lambda: render_difference(difference(company_plan(), large_plan(16))),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 500])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(open_text: OpenText, name: str, width: int, scheme: str) -> None:
    rules = files("axe_playwright_python") / "axe.min.js"
    size = {"width": width, "height": 1500}
    # axe is injected as text, which the page's own policy would rightly refuse.
    text = PAGES[name]()
    page = open_text(text, color_scheme=scheme, viewport=size, bypass_csp=True).page
    page.evaluate(rules.read_text(encoding="utf-8"))
    result = page.evaluate("axe.run()")
    assert len(result["passes"]) > 30
    assert [(one["id"], one["nodes"][0]["html"]) for one in result["violations"]] == []
