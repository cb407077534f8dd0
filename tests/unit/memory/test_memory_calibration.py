"""Process overhead learnt from measurements."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packer.domain.basis import Basis
from packer.errors import InvalidInput
from packer.memory.calibration import learnt_process_part, measured_overheads
from packer.units import MIB

sizes = st.integers(1, 2**34)


def test_what_lies_beyond_the_buffers() -> None:
    assert measured_overheads([2816 * MIB], [3238 * MIB]) == (422 * MIB,)


def test_cards_counted_in_another_order() -> None:
    assert measured_overheads([100, 900], [1300, 450]) == (350, 400)


@pytest.mark.parametrize(
    ("buffers", "used"), [([5], [5]), ([5], [4]), ([5], [9, 9]), ([5, 5], [9])]
)
def test_figures_of_different_servers_are_refused(buffers: list[int], used: list[int]) -> None:
    with pytest.raises(InvalidInput) as error:
        measured_overheads(buffers, used)
    assert error.value.problems[0].code == "P0497"


def test_one_measurement_gets_a_quarter_of_band() -> None:
    part = learnt_process_part([400])
    assert (part.bytes, part.low, part.high) == (400, 300, 500)
    assert part.basis is Basis.CALIBRATED


@given(st.lists(sizes, min_size=1, max_size=9))
def test_the_band_holds_every_measurement(overheads: list[int]) -> None:
    part = learnt_process_part(overheads)
    assert 0 <= part.low <= min(overheads) <= part.bytes <= max(overheads) < part.high


@given(sizes, st.integers(1, 20))
def test_the_band_shrinks_as_measurements_agree(overhead: int, count: int) -> None:
    less, more = (
        learnt_process_part([overhead] * count),
        learnt_process_part([overhead] * (count + 1)),
    )
    assert more.bytes == less.bytes == overhead
    assert more.high <= less.high
    assert more.low >= less.low
