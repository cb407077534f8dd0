"""Who pays for what of a plan's bill, by a stated key; idle stays apart. The JSON contract."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from packer.performance.figure import SpeedBasis
from packer.plan.cost import CostLine


class Key(StrEnum):
    """What a shared card's price is divided by.

    memory: bytes of each process on the card.
    load: load of each process on the card.
    both: the mean of the two shares.
    """

    MEMORY = "memory"
    LOAD = "load"
    BOTH = "both"


class LoadBasis(StrEnum):
    """Where loads come from, best first.

    demand: the part of a card's time each replica needs for its demand, as planned.
    given: numbers of the user.
    slots: how many conversations each process can hold at once.
    """

    DEMAND = "demand"
    GIVEN = "given"
    SLOTS = "slots"


@dataclass(frozen=True)
class MoneyBand:
    """An amount with the band its speed has."""

    value: Decimal
    low: Decimal
    high: Decimal


@dataclass(frozen=True)
class TokenCost:
    """What a million tokens of one workload cost at its attributed price, all slots busy.

    ``value`` holds while no neighbour on the cards computes. ``shared`` figures hold while every
    process on its fullest card computes all the time and gets an equal share of it.

    Attributes:
        per_million_out, per_million_in: Generated tokens, and prompt tokens; None where the speed
            has no basis.
        shared_per_million_out, shared_per_million_in: The same with busy neighbours.
        processes: Most processes on one of its cards, itself included.
        depth: Tokens in each slot the speeds hold for. slots: busy at once in one replica.
        why_unknown: Why there is no figure; empty where there is one.
    """

    workload: str
    per_million_out: MoneyBand | None
    per_million_in: MoneyBand | None
    shared_per_million_out: MoneyBand | None
    shared_per_million_in: MoneyBand | None
    basis: SpeedBasis | None
    processes: int
    depth: int
    slots: int
    why_unknown: str = ""


@dataclass(frozen=True)
class Attribution:
    """The bill of a plan, part by part; ``lines`` add up to it to the cent.

    Attributes:
        key: What shared cards are divided by. load_basis: Where loads come from.
        meaning: The key in words.
        per_hour, per_month: The bill; None when a price is unknown, and then there are no lines.
        lines: Workloads in fleet order, then headroom, what others hold, idle memory, idle cards.
        tokens: What a million tokens cost, by workload; empty if nobody asked.
    """

    key: Key
    load_basis: LoadBasis
    meaning: str
    currency: str
    hours_per_month: int
    per_hour: Decimal | None
    per_month: Decimal | None
    idle_per_hour: Decimal | None
    idle_per_month: Decimal | None
    lines: tuple[CostLine, ...]
    tokens: tuple[TokenCost, ...] = ()
