"""Whatever the plan and the key, who pays adds up to the bill, and idle is the same for all."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from packer.performance.figure import SpeedBasis
from packer.plan.attributing import attribute
from packer.plan.attribution import Key
from packer.plan.cost import IDLE, CostKind, bill
from packer.plan.plan import Plan, PlannedFigure, PlannedSpeed
from tests.random_plans import plans

LOADS = st.dictionaries(
    st.sampled_from(["w0", "w1", "w2", "w3"]),
    st.decimals(0, 1000, places=3, allow_nan=False),
)


@settings(max_examples=600, deadline=None)
@given(plans(), st.sampled_from(Key), LOADS)
def test_the_parts_are_the_bill_to_the_cent(
    plan: Plan, key: Key, loads: dict[str, Decimal]
) -> None:
    share = attribute(plan, key, loads=loads)
    whole = bill(plan)
    assert (share.per_hour, share.per_month) == (whole.per_hour, whole.per_month)
    assert sum(line.per_hour for line in share.lines) == share.per_hour
    assert sum(line.per_month for line in share.lines) == share.per_month
    assert all(line.per_hour >= 0 and line.per_month >= 0 for line in share.lines)
    assert all(line.per_month == line.per_month.quantize(Decimal("0.01")) for line in share.lines)
    idle = sum(line.per_month for line in share.lines if line.kind in IDLE)
    assert share.idle_per_month == idle
    # The key moves money among workloads only; rounding moves a cent per line at most.
    assert whole.idle_per_month is not None
    assert abs(idle - whole.idle_per_month) <= Decimal("0.01") * len(share.lines)


@settings(max_examples=100, deadline=None)
@given(plans(), st.floats(0.5, 500), st.floats(1.0, 2.0))
def test_a_million_tokens_cost_the_price_over_what_an_hour_makes(
    plan: Plan, rate: float, spread: float
) -> None:
    figure = PlannedFigure(rate, rate / spread, rate * spread, SpeedBasis.CALIBRATED)
    speed = PlannedSpeed(figure, figure, figure, depth=100, slots=1)
    speeds = {(one.workload, one.replica): speed for one in plan.placements}
    share = attribute(plan, speeds=speeds)
    prices = {line.name: line.per_hour for line in share.lines if line.kind is CostKind.WORKLOAD}
    replicas = {name: sum(p.workload == name for p in plan.placements) for name in prices}
    for one in share.tokens:
        assert one.per_million_out is not None
        band = one.per_million_out
        exact = float(prices[one.workload]) * 1e6 / (3600 * rate * replicas[one.workload])
        assert abs(float(band.value) - exact) <= 1e-4 + 1e-9 * exact
        assert band.low <= band.value <= band.high
        busy = one.shared_per_million_out
        assert busy is not None
        assert busy.value >= band.value
        assert one.processes >= 1
