"""Dual feasible functions: their values at every edge, and that they are what they are called."""

from itertools import combinations_with_replacement

import numpy as np
import pytest

from packer.solver.dual_feasible import DualFeasibleFunction, Family, candidate_functions


@pytest.mark.parametrize(
    ("family", "parameter", "denominator", "numerators"),
    [
        (Family.ROUNDING, 1, 10, [0, 0, 0, 0, 0, 5, 10, 10, 10, 10, 10]),
        (Family.ROUNDING, 2, 20, [0, 0, 0, 0, 10, 10, 10, 20, 20, 20, 20]),
        (Family.ROUNDING, 3, 30, [0, 0, 0, 10, 10, 15, 20, 20, 30, 30, 30]),
        (Family.THRESHOLD, 3, 10, [0, 0, 0, 3, 4, 5, 6, 7, 10, 10, 10]),
        (Family.THRESHOLD, 5, 10, [0, 0, 0, 0, 0, 5, 10, 10, 10, 10, 10]),
        (Family.STEPS, 3, 6, [0, 0, 0, 2, 2, 3, 4, 4, 6, 6, 6]),
        (Family.STEPS, 4, 4, [0, 0, 0, 0, 2, 2, 2, 4, 4, 4, 4]),
    ],
)
def test_values(family: Family, parameter: int, denominator: int, numerators: list[int]) -> None:
    function = DualFeasibleFunction(family, parameter, 10)
    assert function.denominator == denominator
    assert function.numerators(np.arange(11)).tolist() == numerators


@pytest.mark.parametrize("capacity", [9, 12])
def test_what_fits_one_card_stays_within_the_denominator(capacity: int) -> None:
    shares = np.arange(1, capacity + 1)
    for function in candidate_functions(shares, capacity, 100):
        worth = dict(zip(shares.tolist(), function.numerators(shares).tolist(), strict=True))
        for number in (1, 2, 3, 4):
            for together in combinations_with_replacement(worth, number):
                if sum(together) <= capacity:
                    assert sum(worth[one] for one in together) <= function.denominator, function


def test_candidates_are_roundings_and_the_shares_up_to_half() -> None:
    functions = candidate_functions(np.array([0, 3, 3, 5, 6]), 10, 10)
    assert [one.parameter for one in functions if one.family == "fs"] == list(range(1, 20))
    for family in ("mt", "ccm"):
        assert [one.parameter for one in functions if one.family == family] == [3, 5]
    assert {one.capacity for one in functions} == {10}


def test_many_shares_are_thinned_evenly() -> None:
    functions = candidate_functions(np.arange(41), 100, 5)
    thresholds = [one.parameter for one in functions if one.family is Family.THRESHOLD]
    assert thresholds == [1, 10, 20, 30, 40]
    assert len(candidate_functions(np.arange(41), 100, 40)) == 19 + 2 * 40
