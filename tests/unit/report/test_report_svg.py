"""Pictures of cards: to scale, labelled where there is room, one look for page and README."""

import itertools
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest

from packer.plan.plan import Plan
from packer.report.card_figures import CardFigures, Part, node_figures
from packer.report.svg_cards import GUTTER, LINE_WIDTH, Scale, card_svg
from packer.report.svg_picture import plan_svg
from packer.units import GIB
from tests.report_plans import HOSTILE, awkward_plan, large_plan
from tests.sample_plans import A100_BYTES, L40S_BYTES, company_plan

SCALE = Scale(LINE_WIDTH, A100_BYTES)


def card(node: str, gpu: int) -> CardFigures:
    (found,) = (one for one in node_figures(company_plan()) if one.name == node)
    return found.cards[gpu]


def lengths(svg: str, css: str) -> list[float]:
    """Lengths of all shapes of one style class [px]."""
    return [float(one) for one in re.findall(rf'class="{css}" d="M[\d.]+ \d+h([\d.]+)', svg)]


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)<", svg)


def test_cards_of_all_products_share_one_scale() -> None:
    (large,) = lengths(card_svg(card("a100-0", 0), SCALE), "frame")
    (small,) = lengths(card_svg(card("l40s-0", 0), SCALE), "frame")
    assert small / large == pytest.approx(L40S_BYTES / A100_BYTES, abs=0.001)


def test_parts_are_as_long_as_their_bytes() -> None:
    figures = card("l40s-0", 2)
    svg = card_svg(figures, SCALE)
    (frame,) = lengths(svg, "frame")
    (process,) = figures.processes
    for part in (Part.WEIGHTS, Part.CONTEXT):
        (length,) = lengths(svg, part.value)
        share = process.bytes_of(part) / figures.allocatable_bytes
        assert length + 0.5 == pytest.approx(frame * share, abs=0.11)
    (free,) = lengths(svg, "free")
    assert free == pytest.approx(frame * figures.slack_bytes / figures.allocatable_bytes, abs=0.11)


def test_the_whole_bar_is_filled_from_the_gutter_to_the_frame() -> None:
    svg = card_svg(card("a100-0", 1), SCALE)
    shapes = [
        (float(x), float(length))
        for css, x, length in re.findall(r'class="(\w+)" d="M([\d.]+) \d+h([\d.]+)', svg)
        if css != "frame"
    ]
    assert shapes[0][0] == GUTTER
    for (x, length), (following, _) in itertools.pairwise(shapes):
        assert 0 <= following - x - length <= 0.7


def test_hovering_shows_the_budget_with_its_basis() -> None:
    svg = card_svg(card("rtx-0", 1), SCALE)
    assert (
        "<title>vision-0, Q4_K_M: ~12.1 GiB = weights 7.3, KV cache and state 3.0, "
        "compute buffers ≈0.5, projector ~0.8, process overhead ≈0.4, "
        "uncertainty band ~0.1</title>"
    ) in svg


def test_large_processes_come_first_and_bear_their_names() -> None:
    assert texts(card_svg(card("l40s-0", 0), SCALE))[2:4] == ["chat-0 layers 0–39", "embed-0"]


def test_small_neighbours_share_a_label_and_a_tight_one_is_cut() -> None:
    (node,) = (one for one in node_figures(awkward_plan()) if one.name == "n-0")
    small = node.cards[1]
    assert "t0-0, t1-0, t2-0, t3-0, t4-0, t5-0" in texts(card_svg(small, SCALE))
    crowded = replace(small, allocatable_bytes=GIB, slack_bytes=GIB // 100)
    narrow = Scale(200, GIB)
    assert any(text.endswith("…") for text in texts(card_svg(crowded, narrow)))
    assert texts(card_svg(crowded, Scale(80, GIB)))[2:] == []


def test_short_processes_before_a_long_one_label_their_own_run() -> None:
    figures = card("l40s-0", 0)
    one, two = figures.processes
    names = [replace(two, name=f"a-rather-long-name-{number}") for number in range(2)]
    svg = card_svg(replace(figures, processes=(*names, replace(two, name="z"))), SCALE)
    assert len(texts(svg)) >= 3
    assert one.name not in svg


def test_an_empty_card_is_an_outline_that_says_so() -> None:
    empty = card("l40s-0", 3)
    assert texts(card_svg(empty, SCALE)) == ["GPU 3", "empty, 44.4 GiB"]
    held = replace(empty, taken_bytes=10 * GIB, slack_bytes=empty.slack_bytes - 10 * GIB)
    assert len(lengths(card_svg(held, SCALE), "others")) == 1


@pytest.mark.parametrize("plan", [company_plan(), awkward_plan(), large_plan(40)])
def test_the_stand_alone_picture_is_well_formed_and_repeatable(plan: Plan) -> None:
    picture = plan_svg(plan)
    root = ElementTree.fromstring(picture)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    assert width == LINE_WIDTH + 32
    lowest = max(float(y) for y in re.findall(r"translate\([\d.]+ (\d+)\)", picture))
    assert lowest < height
    assert picture == plan_svg(plan)


def test_the_picture_says_what_it_shows_and_escapes_names() -> None:
    picture = plan_svg(company_plan())
    assert "7 workloads on 10 cards; one FP16 model per card set would take 19" in picture
    assert HOSTILE not in plan_svg(awkward_plan())
    assert "would take" not in plan_svg(awkward_plan())
