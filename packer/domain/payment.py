"""How a node is paid for."""

from enum import StrEnum


class Payment(StrEnum):
    """Terms a provider offers an instance on."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"
    RESERVED_1Y = "reserved-1y"
    RESERVED_3Y = "reserved-3y"
