"""What was measured on the user's own cards, and what it says about others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packer.domain.gpu import MeasuredProcess

if TYPE_CHECKING:
    from packer.memory.part import Part
    from packer.memory.result import Card
    from packer.performance.calibration import Calibration as SpeedCalibration

FROM_NVIDIA_SMI, FROM_LOG = "nvidia-smi", "server log"
DECODE, PREFILL = "decode", "prefill"


@dataclass(frozen=True)
class Measurement:
    """Process overhead of one server on one card, measured.

    Attributes:
        gpu: Product: the catalogue's name if it has one, else the driver's.
        compute_capability: CUDA compute capability; empty if the log does not say.
        overhead_bytes: Memory of the process beyond its buffers [bytes].
        way: ``nvidia-smi``, or ``server log`` where other processes on the card count too.
    """

    gpu: str
    compute_capability: str
    overhead_bytes: int
    way: str


@dataclass(frozen=True)
class SpeedMeasurement:
    """One measured speed beside what the speed model predicts for it.

    Attributes:
        gpu: What computes, as ``performance.step.ServerWork.place`` names it.
        model: Fingerprint of the model file. name: what people call it.
        build: llama.cpp build. quantity: ``decode`` or ``prefill``.
        depth: Tokens in a slot, on average. slots: slots that decoded.
        measured_seconds: Of one decode step, or of the prompt [s].
        rest_seconds, depth_seconds: The prediction, in the parts factors are fitted to [s].
        fitted: Date of the constants that predicted. way: where the measurement comes from.
    """

    gpu: str
    model: str
    name: str
    build: str
    quantity: str
    depth: int
    slots: int
    measured_seconds: float
    rest_seconds: float
    depth_seconds: float
    fitted: str
    way: str


@dataclass(frozen=True)
class Calibration:
    """What was measured on the user's machine: memory of processes, and speeds."""

    measurements: tuple[Measurement, ...] = ()
    speeds: tuple[SpeedMeasurement, ...] = ()

    def applied_to(self, cards: "Sequence[Card]") -> "tuple[tuple[Card, ...], tuple[str, ...]]":
        """The cards with what was learnt about them, and notes where that is not their own.

        A card takes the measurements of its product; else of its compute capability; a card of
        unknown product takes those of the only product there is.
        """
        from packer.memory.calibration import learnt_process_part

        learnt, notes = list["Card"](), dict[str, None]()
        for card in cards:
            found, note = self._about(card)
            if note:
                notes[note] = None
            overheads = [one.overhead_bytes for one in found]
            part = learnt_process_part(overheads) if overheads else None
            learnt.append(replace(card, process=part) if part else card)
        return tuple(learnt), tuple(notes)

    def processes(
        self, cards: "Sequence[Card]"
    ) -> tuple[tuple[MeasuredProcess, ...], tuple[str, ...]]:
        """What was learnt about each of some cards of different products, and notes."""
        from packer.memory.calibration import learnt_process_part

        learnt, notes = list[MeasuredProcess](), list[str]()
        for card in cards:
            found, note = self._about(card)
            notes += [note] * bool(note)
            if found:
                part = learnt_process_part([one.overhead_bytes for one in found])
                products = tuple(sorted({one.gpu for one in found}))
                size = part.bytes, part.low, part.high
                learnt.append(MeasuredProcess(card.name, products, *size, len(found)))
        return tuple(learnt), tuple(notes)

    def learnt(self) -> "Iterator[tuple[str, Part, int]]":
        """Product, its process overhead, and the number of measurements behind it."""
        from packer.memory.calibration import learnt_process_part

        by_product: dict[str, list[int]] = {}
        for one in self.measurements:
            by_product.setdefault(one.gpu, []).append(one.overhead_bytes)
        for product, overheads in by_product.items():
            yield product, learnt_process_part(overheads), len(overheads)

    def learnt_speeds(self) -> "tuple[SpeedCalibration, ...]":
        """Factors of every GPU, model and build that was measured."""
        from packer.performance.calibration import Calibration as SpeedCalibration
        from packer.performance.calibration import MeasuredStep, fit_factors

        rows: dict[tuple[str, str, str], list[SpeedMeasurement]] = {}
        for one in self.speeds:
            rows.setdefault((one.gpu, one.model, one.build), []).append(one)

        def steps(some: list[SpeedMeasurement], quantity: str) -> list[MeasuredStep]:
            return [
                MeasuredStep(r.measured_seconds, r.rest_seconds, r.depth_seconds, r.slots)
                for r in some
                if r.quantity == quantity
            ]

        return tuple(
            SpeedCalibration(
                *key,
                decode=fit_factors(steps(some, DECODE)),
                prefill=fit_factors(steps(some, PREFILL)),
                name=some[-1].name,
            )
            for key, some in rows.items()
        )

    def _about(self, card: "Card") -> tuple[list[Measurement], str]:
        """Measurements that say something about a card, and what to know about them."""
        if not self.measurements:
            return [], ""
        own = [m for m in self.measurements if m.gpu == card.name]
        if own:
            return own, ""
        products = sorted({m.gpu for m in self.measurements})
        if not card.compute_capability and len(products) == 1:
            note = f"the process overhead of {card.name} is that measured on {products[0]}"
            return list(self.measurements), note
        alike = [
            measurement
            for measurement in self.measurements
            if measurement.compute_capability == card.compute_capability != ""
        ]
        if alike:
            names = ", ".join(sorted({m.gpu for m in alike}))
            note = f"the process overhead of {card.name} is that measured on {names}"
            return alike, note
        return [], f"the calibration says nothing about {card.name}"
