"""Whatever the prices and bytes, the parts of a bill are the bill."""

from hypothesis import given, settings

from packer.plan.cost import IDLE, bill
from packer.plan.plan import Plan
from tests.random_plans import plans


@settings(max_examples=500, deadline=None)
@given(plans())
def test_lines_are_never_negative_and_add_up_to_the_bill(plan: Plan) -> None:
    cost = bill(plan)
    assert cost.per_hour is not None
    assert cost.per_month is not None
    assert sum(line.per_hour for line in cost.lines) == cost.per_hour
    assert sum(line.per_month for line in cost.lines) == cost.per_month
    assert all(line.per_hour >= 0 and line.per_month >= 0 for line in cost.lines)
    assert cost.idle_per_month == sum(line.per_month for line in cost.lines if line.kind in IDLE)
