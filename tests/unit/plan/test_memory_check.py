"""Logged bytes beside planned ones: exact figures to the printed digit, others within the band."""

from dataclasses import replace

from packer.domain.basis import Basis
from packer.plan.memory_check import HOST, ROUNDING_BYTES, BytesRow, LoggedBytes, compare_bytes
from packer.plan.plan import Placement
from packer.units import MIB
from tests.planned import plan


def placement() -> Placement:
    """A replica with catalogue weights (estimated), an exact cache and an exact compute buffer."""
    return plan("01-four-models-one-card").placements[0]


def sizes(one: Placement) -> dict[int, dict[str, int]]:
    """What a server would log that allocates exactly what is planned."""
    (device,) = one.devices
    return {
        0: {
            "weights": device.weights_bytes,
            "context": device.context_bytes,
            "compute": device.compute_bytes,
        },
        HOST: {
            "weights": one.host.weights_bytes,
            "compute": one.host.compute_bytes,
            "output": one.host.output_bytes,
        },
    }


def rows(one: Placement, logged: LoggedBytes) -> dict[tuple[int, str], BytesRow]:
    return {(row.place, row.part): row for row in compare_bytes(one, logged)}


def test_what_is_planned_agrees_and_each_row_says_its_band() -> None:
    one = placement()
    found = rows(one, LoggedBytes(sizes(one)))
    (device,) = one.devices
    assert found[0, "context"].is_as_planned
    assert found[0, "context"].above_bytes == ROUNDING_BYTES
    assert found[0, "weights"].basis is Basis.ESTIMATED
    assert found[0, "weights"].above_bytes == device.high_bytes - device.total_bytes
    assert found[0, "weights"].below_bytes == device.total_bytes - device.low_bytes
    together = found[0, "together"]
    assert together.predicted_bytes == device.total_bytes - device.process_bytes
    assert all(row.is_as_planned for place, row in found.items() if place != (HOST, "weights"))
    # A host figure that is not exact has no band to be judged by.
    assert found[HOST, "weights"].is_as_planned is None


def test_an_exact_figure_may_be_off_by_what_is_rounded_and_no_more() -> None:
    one = placement()
    for off, agrees in ((ROUNDING_BYTES, True), (-ROUNDING_BYTES, True), (MIB // 20, False)):
        changed = sizes(one)
        changed[0]["context"] += off
        assert rows(one, LoggedBytes(changed))[0, "context"].is_as_planned is agrees


def test_buffers_on_the_host_that_belong_on_the_card_differ_on_both() -> None:
    one = placement()
    changed = sizes(one)
    changed[HOST]["context"] = changed[0].pop("context")
    found = rows(one, LoggedBytes(changed))
    assert found[0, "context"].is_as_planned is False
    assert found[0, "context"].observed_bytes == 0
    assert found[HOST, "context"].is_as_planned is False
    assert found[0, "together"].is_as_planned is False


def test_what_the_log_does_not_tell_is_no_zero() -> None:
    one = placement()
    changed = sizes(one)
    del changed[0]["compute"]
    found = rows(one, LoggedBytes(changed, untold={"compute": "no line tells it"}))
    assert found[0, "compute"].is_as_planned is None
    assert found[0, "compute"].observed_bytes is None
    assert found[0, "compute"].why_not == "no line tells it"
    assert (0, "together") not in found


def test_a_range_mapped_from_the_file_may_span_tensors_of_the_card() -> None:
    one = placement()
    (device,) = one.devices
    exact = replace(device, basis=dict.fromkeys(device.basis, Basis.EXACT))
    one = replace(one, devices=(exact,))
    changed = sizes(one)
    changed[HOST]["weights"] += 300 * MIB
    assert rows(one, LoggedBytes(changed, 600 * MIB))[HOST, "weights"].is_as_planned
    assert rows(one, LoggedBytes(changed))[HOST, "weights"].is_as_planned is False
    changed[HOST]["weights"] = one.host.weights_bytes - MIB
    assert rows(one, LoggedBytes(changed, 600 * MIB))[HOST, "weights"].is_as_planned is False


def test_drafts_on_the_host_are_one_figure() -> None:
    one = placement()
    one = replace(one, host=replace(one.host, draft_bytes=7 * MIB))
    changed = sizes(one)
    changed[HOST] |= {"draft weights": 4 * MIB, "draft context": 3 * MIB}
    row = rows(one, LoggedBytes(changed))[HOST, "draft"]
    assert (row.predicted_bytes, row.observed_bytes) == (7 * MIB, 7 * MIB)
