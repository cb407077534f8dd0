"""Random plans whose budgets add up: nodes of any price, processes anywhere, memory held."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import strategies as st

from packer.plan.plan import Baselines, Plan
from packer.units import GIB
from tests.sample_plans import device_bytes, node, placement, plan_of, summary

PRICES = st.decimals(min_value=0, max_value=200, allow_nan=False, places=None).map(
    lambda price: price.quantize(Decimal("0.000001"))
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Up to four nodes of up to four cards, processes anywhere, memory held by others."""
    node_count = draw(st.integers(1, 4))
    cards = draw(st.integers(1, 4))
    where = st.tuples(st.integers(0, node_count - 1), st.integers(0, cards - 1), st.integers(0, 3))
    placements = tuple(
        placement(
            f"w{workload}",
            index,
            f"n-{at}",
            (gpu,),
            (device_bytes(draw(st.floats(0.01, 9)), draw(st.floats(0, 3))),),
            file="m.gguf",
        )
        for index, (at, gpu, workload) in enumerate(draw(st.lists(where, min_size=1, max_size=9)))
    )
    size = draw(st.integers(150, 400)) * GIB
    nodes = tuple(
        node(
            *(f"n-{index}", "pool", "Card", "Card", size, cards, placements),
            price=str(draw(PRICES)),
        )
        for index in range(node_count)
    )
    held = draw(st.integers(0, 20)) * GIB
    nodes = tuple(
        replace(one, cards=tuple(replace(card, taken_bytes=held) for card in one.cards))
        for one in nodes
    )
    names = sorted({one.workload for one in placements})
    workloads = tuple(summary(name, "m", "llama") for name in names)
    return plan_of("random", workloads, placements, nodes, baselines=Baselines(*(None,) * 8))
