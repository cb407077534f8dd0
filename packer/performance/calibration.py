"""Factors that measurements of one GPU and one model put on the default estimate."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log

# How strongly the factor of the cache is held to the factor of the rest: two equal depths say
# nothing about it, two different ones outweigh this.
_HOLD = 1e-4
# However deep a step of several slots is, at least this share of it is not due to depth.
_LEAST = 0.1
# Depths say something about the cache where their share of a step differs by this factor.
_APART = 1.5


@dataclass(frozen=True)
class MeasuredStep:
    """One measurement beside what the model predicts for it.

    Attributes:
        measured_seconds: A decode step, or the prompt.
        rest_seconds: Predicted part that does not depend on depth.
        depth_seconds: Predicted part that does.
        slots: Slots that decoded.
    """

    measured_seconds: float
    rest_seconds: float
    depth_seconds: float
    slots: int = 1


@dataclass(frozen=True)
class Factors:
    """Corrections of predicted seconds.

    Attributes:
        rest, depth: Factors of the two parts.
        by_slots: Slots → further factor of the rest, in ascending order; between them, a power
            law.
        measurements: How many they rest on.
        depth_by_slots: The same of what depends on depth: other kernels read the caches of several
            slots than that of one, and fewer of them stay in a processor's own memory.
    """

    rest: float = 1.0
    depth: float = 1.0
    by_slots: tuple[tuple[int, float], ...] = ()
    measurements: int = 0
    depth_by_slots: tuple[tuple[int, float], ...] = ()

    def seconds(self, rest_seconds: float, depth_seconds: float, slots: int = 1) -> float:
        """Predicted seconds, corrected [s]."""
        rest = self.rest * rest_seconds * slots_factor(self.by_slots, slots)
        return rest + self.depth * depth_seconds * slots_factor(self.depth_by_slots, slots)


@dataclass(frozen=True)
class Calibration:
    """Factors of one GPU product, model and llama.cpp build; only these they hold for.

    Attributes:
        gpu: What computes: a product, several with `` + `` between, ``CPU``.
        model: Fingerprint of the model file. name: what people call it.
    """

    gpu: str
    model: str
    build: str
    decode: Factors = Factors()
    prefill: Factors = Factors()
    name: str = ""


def fit_factors(steps: Sequence[MeasuredStep]) -> Factors:
    """Factors that fit the measurements best, by relative squares. Closed form.

    Steps of the fewest slots give the two factors; the others give the table by slots, and those
    numbers of slots that were measured at different depths a table of their caches.
    """
    if not steps:
        return Factors()
    fewest = min(step.slots for step in steps)
    single = [step for step in steps if step.slots == fewest]
    rest, depth = _two_factors(single)
    groups = [
        [step for step in steps if step.slots == slots]
        for slots in sorted({step.slots for step in steps} - {fewest})
    ]
    deep = [group for group in groups if _has_depths(group)]
    by_slots, depth_by_slots = [(fewest, 1.0)], [(fewest, 1.0)] if deep else []
    for group in deep:
        depth_by_slots.append((group[0].slots, _two_factors(group)[1] / depth))
    for group in groups:
        of_depth = depth * slots_factor(depth_by_slots, group[0].slots)
        ratios = [log(_rest_of(step, of_depth) / (rest * step.rest_seconds)) for step in group]
        by_slots.append((group[0].slots, exp(sum(ratios) / len(ratios))))
    return Factors(rest, depth, tuple(by_slots), len(steps), tuple(depth_by_slots))


def _has_depths(steps: Sequence[MeasuredStep]) -> bool:
    """Whether steps of one number of slots differ enough in depth."""
    shares = [step.depth_seconds / step.rest_seconds for step in steps]
    return max(shares) > _APART * min(shares)


def _rest_of(step: MeasuredStep, depth: float) -> float:
    """Measured seconds without what depends on depth [s]."""
    return max(step.measured_seconds - depth * step.depth_seconds, _LEAST * step.measured_seconds)


def slots_factor(table: Sequence[tuple[int, float]], slots: int) -> float:
    """Factor for a number of slots, from a table of measured ones; its ends hold beyond it."""
    if not table or slots <= table[0][0]:
        return table[0][1] if table else 1.0
    for (low, low_factor), (high, high_factor) in pairwise(table):
        if slots <= high:
            share = log(slots / low) / log(high / low)
            return float(low_factor ** (1 - share) * high_factor**share)
    return table[-1][1]


def _two_factors(steps: Sequence[MeasuredStep]) -> tuple[float, float]:
    """Least squares of (rest·r + depth·d) ÷ measured − 1, with d held to r."""
    rr = rd = dd = r1 = d1 = 0.0
    for step in steps:
        r = step.rest_seconds / step.measured_seconds
        d = step.depth_seconds / step.measured_seconds
        rr, rd, dd = rr + r * r, rd + r * d, dd + d * d
        r1, d1 = r1 + r, d1 + d
    rr, rd, dd = rr + _HOLD, rd - _HOLD, dd + _HOLD
    determinant = rr * dd - rd * rd
    rest = (r1 * dd - d1 * rd) / determinant
    depth = (d1 * rr - r1 * rd) / determinant
    if rest > 0 and depth > 0:
        return rest, depth
    # Noise can ask for a negative part; then one factor has to do for both.
    both = (r1 + d1) / (rr + 2 * rd + dd)
    return both, both
