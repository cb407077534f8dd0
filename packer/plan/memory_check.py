"""Bytes a running server says it allocated, beside the planned ones.

An exact figure must agree to the last digit the server prints; any other one within the band of its
card, which is what the packing kept free.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from packer.domain.basis import Basis
from packer.plan.plan import DeviceBytes, Placement
from packer.units import MIB

HOST = -1
"""Stands where a place among a replica's cards would: the memory of the node."""
PARTS = (
    "weights",
    "context",
    "compute",
    "output",
    "draft weights",
    "draft context",
    "draft compute",
)
TOGETHER = "together"
_PRINTED_DIGIT_BYTES = MIB // 100
_ADDENDS = 4
"""Most printed figures in one sum, such as two caches of a model with windows and its state."""
ROUNDING_BYTES = _ADDENDS * _PRINTED_DIGIT_BYTES // 2


@dataclass(frozen=True)
class LoggedBytes:
    """What one server logged.

    Attributes:
        sizes: Place among the replica's cards, or ``HOST`` → part → bytes.
        mapped_bytes: Part of the host's weights that is mapped from the file: it spans everything
            between the first and the last tensor there, wherever they are used [bytes].
        untold: Part → why the log does not tell it.
    """

    sizes: Mapping[int, Mapping[str, int]]
    mapped_bytes: int = 0
    untold: Mapping[str, str] | None = None


@dataclass(frozen=True)
class BytesRow:
    """One figure of one place.

    Attributes:
        place: Place among the replica's cards, or ``HOST``.
        observed_bytes: None where the log does not tell; ``why_not`` says why.
        below_bytes, above_bytes: Difference that would still agree; None where no band is stated.
    """

    place: int
    part: str
    predicted_bytes: int
    observed_bytes: int | None
    below_bytes: int | None
    above_bytes: int | None
    basis: Basis
    why_not: str = ""

    @property
    def is_as_planned(self) -> bool | None:
        """Whether the figures agree; None where that cannot be told."""
        if self.observed_bytes is None or self.below_bytes is None or self.above_bytes is None:
            return None
        difference = self.observed_bytes - self.predicted_bytes
        return -self.below_bytes <= difference <= self.above_bytes


def compare_bytes(placement: Placement, logged: LoggedBytes) -> Iterator[BytesRow]:
    """Rows of every card of a replica and of its node's memory; parts that nobody has are left out.

    Process overhead is no buffer: a running server does not tell it.
    """
    for place, device in enumerate(placement.devices):
        yield from _card_rows(place, device, logged)
    yield from _host_rows(placement, logged)


def _card_rows(place: int, device: DeviceBytes, logged: LoggedBytes) -> Iterator[BytesRow]:
    told = logged.sizes.get(place, {})
    total = 0
    is_whole = not logged.untold
    for part, predicted, basis in _card_parts(device):
        row = _row(place, part, predicted, basis, _band(device, basis), told, logged)
        if row is not None:
            total += row.observed_bytes or 0
            yield row
    buffers = device.total_bytes - device.process_bytes - device.projector_bytes
    worst = _worst(basis for _, _, basis in _card_parts(device))
    if is_whole and buffers:
        yield BytesRow(place, TOGETHER, buffers, total, *_band(device, worst), worst)


def _card_parts(device: DeviceBytes) -> Iterator[tuple[str, int, Basis]]:
    for part, predicted in (
        ("weights", device.weights_bytes),
        ("context", device.context_bytes),
        ("compute", device.compute_bytes),
        ("draft weights", device.draft_weights_bytes),
        ("draft context", device.draft_context_bytes),
        ("draft compute", device.draft_compute_bytes),
    ):
        yield part, predicted, device.basis.get(part.replace(" ", "_"), Basis.EXACT)


def _band(device: DeviceBytes, basis: Basis) -> tuple[int, int]:
    """What a figure of a card may be off by, below and above."""
    if basis is Basis.EXACT:
        return ROUNDING_BYTES, ROUNDING_BYTES
    below, above = device.total_bytes - device.low_bytes, device.high_bytes - device.total_bytes
    return max(below, ROUNDING_BYTES), max(above, ROUNDING_BYTES)


def _host_rows(placement: Placement, logged: LoggedBytes) -> Iterator[BytesRow]:
    host, told = placement.host, dict(logged.sizes.get(HOST, {}))
    drafts = [told.pop(part) for part in PARTS if part.startswith("draft") and part in told]
    if drafts:
        told["draft"] = sum(drafts)
    weights = _worst(device.basis.get("weights", Basis.EXACT) for device in placement.devices)
    compute = _worst(device.basis.get("compute", Basis.EXACT) for device in placement.devices)
    for part, predicted, basis in (
        ("weights", host.weights_bytes, weights),
        ("context", host.context_bytes, Basis.EXACT),
        ("compute", host.compute_bytes, compute),
        ("output", host.output_bytes, Basis.EXACT),
        ("draft", host.draft_bytes, weights.worse(compute)),
    ):
        # No band of the node's memory is planned: a figure that is not exact is only told.
        below, above = (ROUNDING_BYTES,) * 2 if basis is Basis.EXACT else (None, None)
        # Where cards hold tensors too, the mapped range of the file spans some of theirs.
        if part == "weights" and above is not None and _is_on_cards(placement):
            above += logged.mapped_bytes
        row = _row(HOST, part, predicted, basis, (below, above), told, logged)
        if row is not None:
            yield row


def _is_on_cards(placement: Placement) -> bool:
    return any(device.weights_bytes for device in placement.devices)


def _row(
    place: int,
    part: str,
    predicted: int,
    basis: Basis,
    band: tuple[int | None, int | None],
    told: Mapping[str, int],
    logged: LoggedBytes,
) -> BytesRow | None:
    """One row; None where neither side has anything."""
    why_not = (logged.untold or {}).get(part, "")
    observed = None if why_not else told.get(part, 0)
    if not predicted and not observed:
        return None
    return BytesRow(place, part, predicted, observed, *band, basis, why_not)


def _worst(bases: Iterator[Basis]) -> Basis:
    worst = Basis.EXACT
    for one in bases:
        worst = worst.worse(one)
    return worst
