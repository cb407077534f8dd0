"""How much a number can be trusted."""

from enum import StrEnum


class Basis(StrEnum):
    """Where a number comes from, best first.

    exact: llama.cpp is deterministic here and the rule is checked to the byte.
    calibrated: fitted to measurements; the error is known.
    estimated: a stated guess on the safe side.
    """

    EXACT = "exact"
    CALIBRATED = "calibrated"
    ESTIMATED = "estimated"

    def worse(self, other: "Basis") -> "Basis":
        """The less trustworthy of two; a sum is as good as its worst part."""
        order = list(Basis)
        return max(self, other, key=order.index)
