"""The report against axe-core's rules, on a desk and on a telephone, light and dark."""

from importlib.resources import files

import pytest

from packer.report.html import render_html
from tests.browser.conftest import OpenText
from tests.report_plans import awkward_plan
from tests.sample_plans import company_plan


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 500])
@pytest.mark.parametrize("name", ["company", "awkward"])
def test_axe_finds_nothing(open_text: OpenText, name: str, width: int, scheme: str) -> None:
    rules = files("axe_playwright_python") / "axe.min.js"
    plan = company_plan() if name == "company" else awkward_plan()
    size = {"width": width, "height": 1500}
    # axe is injected as text, which the page's own policy would rightly refuse.
    page = open_text(render_html(plan), color_scheme=scheme, viewport=size, bypass_csp=True).page
    page.evaluate(rules.read_text(encoding="utf-8"))
    result = page.evaluate("axe.run()")
    assert len(result["passes"]) > 30
    assert [(one["id"], one["nodes"][0]["html"]) for one in result["violations"]] == []
