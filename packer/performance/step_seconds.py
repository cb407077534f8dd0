"""What a step or a prompt takes, split by what depends on the depth."""

from typing import NamedTuple


class StepSeconds(NamedTuple):
    """Predicted seconds of one step or prompt, before calibration.

    Attributes:
        rest: Kernels, weights, states, the CPU.
        depth: Keys and values, or attention of a prompt.
    """

    rest: float
    depth: float

    @property
    def total(self) -> float:
        """Both parts [s]."""
        return self.rest + self.depth
