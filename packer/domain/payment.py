"""How a node is paid for."""

from enum import StrEnum


class Payment(StrEnum):
    """Terms a provider offers an instance on."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"
    RESERVED_1Y = "reserved-1y"
    RESERVED_3Y = "reserved-3y"

    @property
    def suffix(self) -> str:
        """End of the names of pools that are paid so; on demand needs none."""
        return "" if self is Payment.ON_DEMAND else f"-{self.value.removeprefix('reserved-')}"
