"""Arithmetic of the speed model's parts, by hand."""

import math

import pytest

from packer.domain.quantization import ELEMENT_TYPES_BY_NAME
from packer.errors import InvalidInput
from packer.performance.attention_kernels import attends_on_card
from packer.performance.batching import experts_touched, slots_seconds
from packer.performance.calibration import Factors, MeasuredStep, fit_factors, slots_factor
from packer.performance.constants import CardConstants
from packer.performance.decode import cache_seconds, launch_seconds, weight_seconds
from packer.performance.depth import bytes_per_element
from packer.performance.figure import Figure, SpeedBasis
from packer.performance.load_time import load_seconds
from packer.performance.speculation import (
    break_even_acceptance,
    speculative_gain,
    tokens_per_cycle,
    tokens_per_cycle_reported,
)

CARD = CardConstants(
    launch_seconds=5e-6,
    bytes_per_second=900e9,
    unpacked_weights_per_second=2000e9,
    cache_bytes_per_second=700e9,
    plain_cache_bytes_per_second=300e9,
    flops_per_second=100e12,
    decode_basis=SpeedBasis.CALIBRATED,
    prefill_basis=SpeedBasis.DEFAULT,
)


def test_kernels_cost_the_same_each() -> None:
    assert launch_seconds(400, CARD) == pytest.approx(2e-3)


def test_weights_are_as_slow_as_the_slower_limit() -> None:
    by_memory = weight_seconds(9e9, 9e9, CARD)
    assert by_memory == pytest.approx(10e-3, rel=0.02)
    limited = weight_seconds(9e9, 40e9, CARD)
    assert limited == pytest.approx(20e-3, rel=0.02)
    both = weight_seconds(9e9, 20e9, CARD)
    assert both == pytest.approx(10e-3 * 2**0.25)


def test_cache_is_slower_without_flash_attention() -> None:
    assert cache_seconds(7e9, CARD, has_flash_attention=True) == pytest.approx(10e-3)
    assert cache_seconds(3e9, CARD, has_flash_attention=False) == pytest.approx(10e-3)


@pytest.mark.parametrize(("name", "size"), [("f16", 2.0), ("q8_0", 34 / 32), ("q5_1", 0.75)])
def test_bytes_of_a_cached_element(name: str, size: float) -> None:
    assert bytes_per_element(ELEMENT_TYPES_BY_NAME[name]) == size


def test_experts_touched_by_independent_tokens() -> None:
    assert experts_touched(1, 128, 8, 1.0) == pytest.approx(8 / 128)
    assert experts_touched(2, 128, 8, 1.0) == pytest.approx(1 - (120 / 128) ** 2)
    assert experts_touched(500, 128, 8, 1.0) == pytest.approx(1.0)
    assert experts_touched(8, 0, 0, 1.0) == 0.0


def test_tokens_that_agree_touch_fewer_experts() -> None:
    assert experts_touched(8, 128, 8, 0.8) < experts_touched(8, 128, 8, 1.0)


def test_the_first_slot_adds_nothing() -> None:
    assert slots_seconds(1, 1e9, 1e12, 1e12, 1e14) == 0.0
    assert slots_seconds(3, 1e9, 1e12, 1e12, 1e14) == pytest.approx(2 * (2e-3 + 1e-2))


@pytest.mark.parametrize(
    ("acceptance", "depth", "tokens"),
    [(0.0, 4, 1.0), (1.0, 4, 5.0), (0.5, 2, 1.75), (0.8, 0, 1.0)],
)
def test_tokens_of_a_cycle(acceptance: float, depth: int, tokens: float) -> None:
    assert tokens_per_cycle(acceptance, depth) == pytest.approx(tokens)


def test_tokens_of_a_cycle_as_the_server_reports_them() -> None:
    assert tokens_per_cycle_reported(0.7, 3) == pytest.approx(3.1)


@pytest.mark.parametrize(("acceptance", "depth", "count"), [(1.1, 2, 1), (-0.1, -1, 2)])
def test_impossible_acceptance_and_depth_are_refused(
    acceptance: float, depth: int, count: int
) -> None:
    with pytest.raises(InvalidInput) as caught:
        tokens_per_cycle(acceptance, depth)
    assert len(caught.value.problems) == count


def test_nan_is_no_acceptance() -> None:
    with pytest.raises(InvalidInput):
        tokens_per_cycle_reported(math.nan, 2)


def test_gain_and_break_even_agree() -> None:
    acceptance = break_even_acceptance(0.030, 0.020, 3)
    assert acceptance is not None
    gain = speculative_gain(tokens_per_cycle(acceptance, 3), 0.030, 0.020)
    assert gain == pytest.approx(1.0, abs=1e-3)


def test_a_cycle_that_is_too_long_never_pays() -> None:
    assert break_even_acceptance(0.1, 0.02, 3) is None


def test_factors_recover_what_made_the_measurements() -> None:
    steps = [
        MeasuredStep(1.3 * rest + 0.8 * depth, rest, depth)
        for rest, depth in ((0.010, 0.001), (0.010, 0.012))
    ]
    factors = fit_factors(steps)
    assert factors.rest == pytest.approx(1.3, rel=0.01)
    assert factors.depth == pytest.approx(0.8, rel=0.03)
    assert factors.measurements == 2
    assert factors.seconds(0.010, 0.006) == pytest.approx(1.3 * 0.010 + 0.8 * 0.006, rel=0.01)


def test_one_measurement_moves_both_parts() -> None:
    factors = fit_factors([MeasuredStep(0.022, 0.010, 0.001)])
    assert factors.rest == pytest.approx(2.0, rel=0.01)
    assert factors.depth == pytest.approx(2.0, rel=0.02)


def test_a_negative_part_is_not_believed() -> None:
    steps = [MeasuredStep(0.030, 0.010, 0.001), MeasuredStep(0.010, 0.010, 0.012)]
    factors = fit_factors(steps)
    assert factors.rest == factors.depth > 0


def test_no_measurement_changes_nothing() -> None:
    assert fit_factors([]).seconds(0.01, 0.002) == pytest.approx(0.012)


def test_slots_are_a_table_with_a_power_law_between() -> None:
    steps = [
        MeasuredStep(0.010, 0.010, 0.0, slots=1),
        MeasuredStep(0.040, 0.010, 0.0, slots=4),
        MeasuredStep(0.020, 0.010, 0.0, slots=16),
    ]
    factors = fit_factors(steps)
    assert factors.seconds(0.010, 0.0, 4) == pytest.approx(0.040, rel=0.01)
    assert factors.seconds(0.010, 0.0, 2) == pytest.approx(0.020, rel=0.01)
    assert factors.seconds(0.010, 0.0, 64) == pytest.approx(0.020, rel=0.01)
    assert slots_factor((), 8) == 1.0
    assert Factors().seconds(1.0, 1.0, 8) == 2.0


def deep_slots(slots: int, rest: float, depth: float) -> MeasuredStep:
    """A step that takes 1.2 of its rest and 1.5 of its caches per slot doubling, up to four."""
    doublings = math.log2(slots)
    caches = 0.8 * 1.5 ** min(doublings, 2) * depth
    return MeasuredStep(1.3 * 1.2**doublings * rest + caches, rest, depth, slots)


@pytest.mark.parametrize("measured", [(4,), (2, 4), (2, 4, 8)])
def test_caches_of_several_slots_have_factors_of_their_own(measured: tuple[int, ...]) -> None:
    single = [deep_slots(1, 0.010, 0.001), deep_slots(1, 0.010, 0.012)]
    shallow = [deep_slots(slots, 0.010, 0.001 * slots) for slots in (2, 4, 8)]
    deep = [deep_slots(slots, 0.010, 0.012 * slots) for slots in measured]
    factors = fit_factors([*single, *shallow, *deep])
    assert [slots for slots, _ in factors.depth_by_slots] == [1, *measured]
    assert dict(factors.depth_by_slots)[4] == pytest.approx(1.5**2, rel=0.02)
    for slots in (1, 2, 3, 4, 8):
        asked = deep_slots(slots, 0.010, 0.006 * slots)
        found = factors.seconds(asked.rest_seconds, asked.depth_seconds, slots)
        assert found == pytest.approx(asked.measured_seconds, rel=0.02)


def test_one_depth_of_several_slots_says_nothing_of_their_caches() -> None:
    steps = [deep_slots(1, 0.010, 0.001), deep_slots(1, 0.010, 0.012), deep_slots(4, 0.010, 0.004)]
    assert fit_factors(steps).depth_by_slots == ()
    near = deep_slots(4, 0.010, 0.0055)
    assert fit_factors([*steps, near]).depth_by_slots == (), "too near to tell"


def test_figures_invert_with_their_bands() -> None:
    speed = Figure(100.0, 80.0, 125.0, SpeedBasis.CALIBRATED)
    seconds = speed.inverted()
    assert (seconds.value, seconds.low, seconds.high) == (0.01, 0.008, 0.0125)
    assert speed.scaled(2).high == 250.0


def test_the_worse_basis_is_the_less_known() -> None:
    assert SpeedBasis.MEASURED.worse(SpeedBasis.DEFAULT) is SpeedBasis.DEFAULT
    assert SpeedBasis.CALIBRATED.worse(SpeedBasis.MEASURED) is SpeedBasis.CALIBRATED


def test_loading_takes_as_long_as_storage_says() -> None:
    usual, known = load_seconds(15 * 10**9), load_seconds(15 * 10**9, 3e9)
    assert usual.value == pytest.approx(14.0)
    assert usual.low < known.value < usual.high
    assert known.value == pytest.approx(9.0)
    assert known.basis is SpeedBasis.MEASURED


@pytest.mark.parametrize(
    ("key", "value", "build", "expected"),
    [
        ("q5_1", "q5_1", "b10819", False),
        ("q5_1", "q5_1", "b11434", True),
        ("q5_1", "q5_1", "", True),
        ("q5_1", "q5_1", "10819", False),
        ("q8_0", "q8_0", "b8233", True),
        ("q8_0", "q4_0", "b8233", False),
        ("q8_0", "q4_0", "b11434", True),
        ("f16", "f32", "b8233", True),
        ("iq4_nl", "iq4_nl", "b11434", False),
    ],
)
def test_attention_without_a_kernel(key: str, value: str, build: str, expected: bool) -> None:
    assert attends_on_card(key, value, build) is expected
