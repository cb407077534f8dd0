"""Example 4: the mix of instance types that beats each of them, with proof."""

from decimal import Decimal

from packer import api
from packer.plan.comparison import Outcome
from tests.planned import ROOT

FOLDER = ROOT / "examples" / "04-which-cloud"
COMPANY = ROOT / "examples" / "02-company-fleet" / "fleet.yaml"


def test_the_small_team_rents_a_mix_that_no_single_type_reaches() -> None:
    found = api.compare(
        FOLDER / "fleet.yaml",
        [FOLDER / "rented.yaml"],
        prices=FOLDER / "book.yaml",
        terms=["on-demand"],
        each_type=True,
        time_limit_seconds=60,
    )
    mix, *others = found.comparison.contenders
    assert mix.is_chosen
    assert mix.outcome is Outcome.OPTIMAL
    assert len({part.instance_type for part in mix.mix}) > 1
    assert len(others) == 6
    assert all(one.is_proved_dearer for one in others)
    assert mix.price_per_hour is not None
    for one in others:
        fits = one.outcome is Outcome.OPTIMAL
        assert fits or one.outcome is Outcome.INFEASIBLE
        assert not fits or (one.bound_per_hour or 0) > mix.price_per_hour


def test_the_company_rents_a_mix_that_no_single_type_reaches() -> None:
    """Stopped at a gap of 5 %: the proof against each single type needs no more."""
    found = api.compare(
        COMPANY, [FOLDER / "company.yaml"], each_type=True, gap=0.05, time_limit_seconds=60
    )
    mix, *others = found.comparison.contenders
    assert mix.is_chosen
    assert mix.price_per_hour is not None
    assert len({part.instance_type for part in mix.mix}) > 1
    assert mix.price_per_hour < Decimal("36")
    assert mix.bound_per_hour is not None
    assert mix.bound_per_hour > Decimal("26")
    assert len(others) == 4
    # Three types cannot hold the fleet at all, the fourth is proved dearer.
    assert all(one.is_proved_dearer for one in others)
    assert sum(one.outcome is Outcome.INFEASIBLE for one in others) == 3
