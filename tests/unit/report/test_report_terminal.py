"""The table that ``gpu-packer plan`` prints."""

import io
import re
from dataclasses import replace
from decimal import Decimal

import pytest

from packer.domain.workload import Objective
from packer.plan.plan import Baselines, Plan, Status
from packer.report.terminal import plan_table, shows_unicode
from packer.units import GIB
from tests.report_plans import awkward_plan, large_plan
from tests.sample_plans import company_plan, tiny_plan


def table(plan: Plan, *, wide: bool = False, width: int = 120, unicode: bool = True) -> str:
    return plan_table(plan, wide=wide, width=width, unicode=unicode)


def test_title_and_headline() -> None:
    lines = table(company_plan()).splitlines()
    assert lines[0] == (
        "fleet.yaml on inventory.yaml · optimal, proved · 3.5 s · seed 1 · llama.cpp b11434"
    )
    assert lines[2] == (
        "  10 cards of 22      19 one FP16 model per card set · 11 first-fit-decreasing · "
        "10 proven lower bound"
    )
    assert lines[3] == "  34.90 $/h           25,477 $/month (730 h), of which idle 17,322"


def test_a_plan_by_price_stands_beside_prices() -> None:
    plan = company_plan()
    by_price = replace(
        plan,
        objective=Objective.PRICE,
        baselines=replace(plan.baselines, lower_bound_cards=None),
    )
    assert table(by_price).splitlines()[2:6] == [
        "  10 cards of 22      19 one FP16 model per card set · 11 first-fit-decreasing",
        "  34.90 $/h           61.20 one FP16 model per card set (cards alone) · "
        "34.90 first-fit-decreasing ·",
        "                      34.90 proven lower bound",
        "                      25,477 $/month (730 h), of which idle 17,322",
    ]


def test_every_card_has_a_line_with_its_processes_and_layers() -> None:
    text = table(company_plan())
    row = next(line for line in text.splitlines() if line.startswith("l40s-0    0"))
    assert "~28.5 / 44.4 GiB" in row
    assert row.endswith("chat-0 layers 0–39, embed-0")
    assert re.search(r"a100-0  3–7  A100 SXM 80GB +empty +–", text)
    assert "… and 4 cards on 1 node without a replica" in text


def test_bar_is_as_long_as_the_planned_share() -> None:
    row = next(line for line in table(company_plan()).splitlines() if "code-0" in line)
    # 78.0 % of 20 cells: 15 whole ones and 5 eighths
    assert "GiB  ███████████████▋     " in row


def test_what_others_hold_is_shaded_from_the_right() -> None:
    row = next(line for line in table(awkward_plan()).splitlines() if line.startswith("n-0     0"))
    assert re.search(r"█+▌ +▒▒▒  ", row)


def test_a_full_card_fills_the_bar_and_no_more() -> None:
    plan = tiny_plan()
    card = replace(plan.nodes[0].cards[0], used_bytes=60 * GIB, taken_bytes=9 * GIB)
    full = replace(plan, nodes=(replace(plan.nodes[0], cards=(card,)),))
    assert "GiB  " + "█" * 20 + "  chat-0" in table(full)


def test_choice_and_why_not_better() -> None:
    text = table(company_plan())
    assert re.search(r"chat +2  Q4_K_M · KV q8_0 · 8 × 16Ki +Q5_K_M needs 2 more cards\n", text)
    assert re.search(r"small +1  Q4_K_M · KV f16 · 4 × 16Ki +–\n", text)


def test_replicas_with_different_files_have_a_line_each() -> None:
    rows = table(awkward_plan()).splitlines()
    first = next(index for index, row in enumerate(rows) if "KV f16/q8_0" in row)
    assert "with draft model" in rows[first]
    assert re.fullmatch(r" +1  Q8_0 · 4 × 16Ki", rows[first + 1])


def test_optimal_is_said_exactly_when_it_is_proved() -> None:
    assert table(company_plan()).count("optimal") == 1
    assert "optimal" not in table(awkward_plan()).lower()


def test_an_unproved_plan_names_its_bound_and_gap() -> None:
    plan = replace(company_plan(), status=Status.FEASIBLE, bound=Decimal("8.2"), gap=0.18)
    assert "feasible, at least 9 cards proved necessary, gap 18.00 %" in table(plan)
    by_price = replace(plan, objective=Objective.PRICE, bound=Decimal("30.1"))
    assert "at least 30.10 $/h proved necessary" in table(by_price)


def test_unknown_prices_and_baselines_are_said() -> None:
    plan = replace(tiny_plan(), baselines=Baselines(*(None,) * 8))
    text = table(plan)
    assert "price unknown" in text
    assert "1 node in use without a price" in text
    assert "no plan with one FP16 model per card set" in text
    assert "0.00 $" not in text
    assert "several currencies" in table(replace(company_plan(), price_per_hour=None))


def test_estimates_are_marked_and_explained_only_where_there_are_any() -> None:
    assert "~ estimated" in table(company_plan())
    exact = company_plan()
    exact = replace(
        exact, placements=tuple(one for one in exact.placements if one.workload == "chat")
    )
    exact = replace(exact, workloads=exact.workloads[:1])
    assert "~" not in table(exact)


@pytest.mark.parametrize("width", [80, 100, 120])
def test_lines_stay_within_the_terminal(width: int) -> None:
    text = table(company_plan(), width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "moe-0 layers 24–48, oss-0 layers 0–17" in " ".join(text.split())


def test_a_narrow_terminal_gets_short_bars() -> None:
    row = next(line for line in table(company_plan(), width=80).splitlines() if "code-0" in line)
    assert "GiB  ██████▎   code-0" in row


def test_wide_adds_columns_and_unused_nodes_and_never_wraps() -> None:
    text = table(company_plan(), wide=True, width=40)
    head = next(line for line in text.splitlines() if line.startswith("NODE"))
    assert head.split()[-7:] == [
        *("POOL", "ZONE", "EXPECTED", "HEADROOM", "TAKEN", "LEFT"),
        "PROCESSES",
    ]
    assert "13 one quantized model per card set" in text
    assert re.search(r"l40s-2 +3 +L40S", text)
    assert re.search(r"oss .*catalogue:gpt-oss-120b +~58.9 GiB +~69.5 GiB +1,569", text)


def test_ascii_where_the_terminal_knows_no_more() -> None:
    text = table(company_plan(), unicode=False)
    assert text.isascii()
    assert "###############" in text
    assert "4 x 16Ki" in text
    assert "EUR/h" in table(awkward_plan(), unicode=False)


def test_unicode_is_judged_by_the_stream() -> None:
    assert shows_unicode(io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert shows_unicode(io.TextIOWrapper(io.BytesIO(), encoding="UTF_16"))
    assert not shows_unicode(io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert not shows_unicode(io.StringIO())


def test_names_cannot_steer_the_terminal() -> None:
    plan = tiny_plan()
    name = "chat\x1b[31m\x07"
    workloads = (replace(plan.workloads[0], name=name),)
    placements = (replace(plan.placements[0], workload=name),)
    text = table(replace(plan, workloads=workloads, placements=placements))
    assert "\x1b" not in text
    assert "\x07" not in text


def test_a_large_plan_is_printed_whole() -> None:
    assert table(large_plan(100)).count(" GiB  █") == 100
