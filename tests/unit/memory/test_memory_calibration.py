"""Process overhead learnt from measurements."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packer.domain.basis import Basis
from packer.domain.server_options import ServerOptions
from packer.errors import InvalidInput
from packer.memory.calibration import learnt_process_part, measured_overheads
from packer.memory.estimate import estimate_memory
from packer.memory.result import Card, MemoryEstimate
from packer.units import GIB, MIB
from tests.memory_models import MadeUp

sizes = st.integers(1, 2**34)
OPTIONS = ServerOptions(context_size=4096, slots=1, tensor_split=(1.0, 1.0))


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


def _estimate(high_limit: int, host: int | None = None) -> tuple[MemoryEstimate, list[Card]]:
    """An estimate for two cards, of which one was measured."""
    learnt = Card("a", high_limit, process=learnt_process_part([400 * MIB]))
    cards = [learnt, Card("b", 24 * GIB)]
    return estimate_memory(MadeUp().file(), OPTIONS, cards, host_allocatable_bytes=host), cards


def test_a_measured_card_gets_its_own_process_and_nothing_else_changes() -> None:
    found, cards = _estimate(24 * GIB)
    unmeasured = [replace(card, process=None) for card in cards]
    plain = estimate_memory(MadeUp().file(), OPTIONS, unmeasured)
    measured, other = found.devices
    assert other == plain.devices[1]
    assert (measured.process_bytes, measured.basis["process"]) == (400 * MIB, Basis.CALIBRATED)
    assert measured.total_bytes - measured.low_bytes == 100 * MIB
    assert measured.high_bytes - measured.total_bytes == 100 * MIB
    assert replace(measured, process_bytes=0, low_bytes=0, high_bytes=0, basis={}) == replace(
        plain.devices[0], process_bytes=0, low_bytes=0, high_bytes=0, basis={}
    )


def test_whether_it_fits_is_decided_again() -> None:
    needed = _estimate(24 * GIB)[0].devices[0].high_bytes
    assert _estimate(needed)[0].fits
    assert not _estimate(needed - 1)[0].fits
    assert not _estimate(needed, host=MIB)[0].fits
    assert _estimate(needed, host=64 * GIB)[0].fits
