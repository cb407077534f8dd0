"""A number with its band, and how far it can be trusted."""

from dataclasses import dataclass
from enum import StrEnum


class SpeedBasis(StrEnum):
    """Where a speed comes from, best first.

    measured: corrected by measurements of this GPU and this model.
    calibrated: constants fitted to published measurements of this GPU.
    default: constants of its generation; nobody measured this GPU.
    """

    MEASURED = "measured"
    CALIBRATED = "calibrated"
    DEFAULT = "default"

    def worse(self, other: "SpeedBasis") -> "SpeedBasis":
        """The less trustworthy of two."""
        order = list(SpeedBasis)
        return max(self, other, key=order.index)


@dataclass(frozen=True)
class Figure:
    """One estimate; eight of ten measurements of the fitted rows lie between low and high."""

    value: float
    low: float
    high: float
    basis: SpeedBasis

    def inverted(self) -> "Figure":
        """One over the figure: seconds from tokens per second, and back."""
        return Figure(1 / self.value, 1 / self.high, 1 / self.low, self.basis)

    def scaled(self, factor: float) -> "Figure":
        """The figure times a known number."""
        return Figure(self.value * factor, self.low * factor, self.high * factor, self.basis)
