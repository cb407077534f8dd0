"""The keys a shared card is divided by, and money per token."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pytest

from packer.performance.figure import SpeedBasis
from packer.plan.attributing import attribute
from packer.plan.attribution import Key, LoadBasis
from packer.plan.cost import CostKind
from packer.plan.plan import Baselines, Plan, PlannedFigure, PlannedSpeed
from packer.units import GIB
from tests.sample_plans import device_bytes, node, placement, plan_of, summary


def shared_card(price: str | None = "8.00") -> Plan:
    """One card: a with one slot, b with three, and three times the bytes of a."""
    small, large = device_bytes(4.5, 0.0), device_bytes(4.5, 0.0)
    large = replace(large, high_bytes=3 * small.high_bytes)
    placements = (
        placement("a", 0, "n-0", (0,), (small,), file="a.gguf", slots=1),
        placement("b", 0, "n-0", (0,), (large,), file="b.gguf", slots=1),
        placement("c", 0, "n-0", (1,), (small,), file="c.gguf", slots=1),
    )
    placements = (
        placements[0],
        replace(placements[1], variant=replace(placements[1].variant, slots=4)),
        placements[2],
    )
    nodes = (node("n-0", "p", "Card", "Card", 48 * GIB, 2, placements, price=price),)
    workloads = tuple(summary(name, "m", "llama") for name in "abc")
    return plan_of("f", workloads, placements, nodes, baselines=Baselines(*(None,) * 8))


def paid(plan: Plan, key: Key, **options: Mapping[str, Decimal]) -> dict[str, Decimal]:
    share = attribute(plan, key, loads=options.get("loads"))
    return {line.name: line.per_hour for line in share.lines if line.kind is CostKind.WORKLOAD}


@pytest.mark.parametrize(
    ("key", "part_of_a"), [(Key.MEMORY, 0.25), (Key.LOAD, 0.2), (Key.BOTH, 0.225)]
)
def test_a_shared_card_is_divided_by_the_key(key: Key, part_of_a: float) -> None:
    by_name = paid(shared_card(), key)
    together = by_name["a"] + by_name["b"]
    assert float(by_name["a"] / together) == pytest.approx(part_of_a, abs=1e-3)
    # The key moves nothing between cards: c is alone on its own.
    alone = paid(shared_card(), Key.MEMORY)["c"]
    assert abs(by_name["c"] - alone) <= Decimal("0.0001")


def test_loads_given_come_before_slots() -> None:
    loads = {"a": Decimal(3), "b": Decimal(1)}
    by_name = paid(shared_card(), Key.LOAD, loads=loads)
    assert float(by_name["a"] / by_name["b"]) == pytest.approx(3, abs=1e-2)
    assert attribute(shared_card(), Key.LOAD, loads=loads).load_basis is LoadBasis.GIVEN
    assert attribute(shared_card(), Key.LOAD).load_basis is LoadBasis.SLOTS


def test_planned_demand_comes_before_slots() -> None:
    plan = shared_card()
    figure = PlannedFigure(1.0, 1.0, 1.0, SpeedBasis.CALIBRATED)
    speed = PlannedSpeed(figure, figure, figure, 100, 1)
    busy = {"a": 600, "b": 200, "c": 10}
    placements = tuple(
        replace(one, speed=replace(speed, load_permille=busy[one.workload]))
        for one in plan.placements
    )
    share = attribute(replace(plan, placements=placements), Key.LOAD)
    assert share.load_basis is LoadBasis.DEMAND
    by_name = {line.name: line.per_hour for line in share.lines}
    assert float(by_name["a"] / by_name["b"]) == pytest.approx(3, abs=1e-2)


def test_a_card_nobody_loads_is_divided_by_memory() -> None:
    none = {"a": Decimal(0), "b": Decimal(0), "c": Decimal(1)}
    by_name = paid(shared_card(), Key.LOAD, loads=none)
    assert by_name["a"] == paid(shared_card(), Key.MEMORY)["a"]


def test_an_unknown_price_divides_nothing() -> None:
    share = attribute(shared_card(None), speeds={})
    assert share.per_hour is None
    assert share.idle_per_month is None
    assert not share.lines
    assert not share.tokens


def test_tokens_have_a_price_only_where_their_speed_has_a_basis() -> None:
    plan = shared_card()
    known = PlannedFigure(100.0, 50.0, 200.0, SpeedBasis.CALIBRATED)
    guessed = replace(known, basis=SpeedBasis.DEFAULT)
    none = PlannedFigure(0.0, 0.0, 0.0, SpeedBasis.CALIBRATED)
    speeds: dict[tuple[str, int], PlannedSpeed | str] = {
        ("a", 0): PlannedSpeed(known, known, known, 100, 1),
        ("b", 0): PlannedSpeed(guessed, guessed, guessed, 100, 1),
        ("c", 0): PlannedSpeed(none, none, known, 100, 1),
    }
    a, b, c = attribute(plan, speeds=speeds).tokens
    price = paid(plan, Key.MEMORY)["a"]
    assert a.per_million_out is not None
    # 100 tokens a second are 0.36 million an hour.
    assert float(a.per_million_out.value) == pytest.approx(float(price) / 0.36, abs=1e-4)
    assert float(a.per_million_out.high) == pytest.approx(float(price) / 0.18, abs=1e-4)
    assert a.shared_per_million_out is not None
    assert a.processes == 2
    assert abs(a.shared_per_million_out.value - 2 * a.per_million_out.value) < Decimal("0.001")
    assert b.per_million_out is None
    assert "nobody measured" in b.why_unknown
    # An embedding server makes no tokens, and reads them all the same.
    assert c.per_million_out is None
    assert c.per_million_in is not None
    (first, *_) = attribute(plan, speeds={("a", 0): "no model here"}).tokens
    assert first.why_unknown == "no model here"
