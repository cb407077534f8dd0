"""What a plan costs, and which part of the bill pays for what. Exact: Decimal money, no floats.

A node's price is divided equally over its cards, and a card's price over its bytes. Money is
rounded once, at the end, so that the lines of a bill always add up to the bill.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from fractions import Fraction

from packer.plan.plan import CardBudget, Plan
from packer.units import HOURS_PER_MONTH, per_month

CENT = Decimal("0.01")
HOURLY_QUANTUM = Decimal("0.0001")
"""Finest step of an hourly amount that is not itself finer [currency]."""


class CostKind(StrEnum):
    """What a part of the bill pays for."""

    WORKLOAD = "workload"
    HEADROOM = "headroom"
    HELD_BY_OTHERS = "held-by-others"
    IDLE_MEMORY = "idle-memory"
    IDLE_CARDS = "idle-cards"


IDLE = frozenset({CostKind.IDLE_MEMORY, CostKind.IDLE_CARDS})


@dataclass(frozen=True)
class CostLine:
    """One part of the bill; all lines together are the bill, to the last digit.

    Attributes:
        name: Workload name; empty for the other kinds.
        percent: Share of the bill, one decimal.
    """

    kind: CostKind
    name: str
    percent: Decimal
    per_hour: Decimal
    per_month: Decimal


@dataclass(frozen=True)
class NodeCost:
    """What one paid node costs; None when its price is unknown, which is never 0."""

    node: str
    per_hour: Decimal | None
    per_month: Decimal | None


@dataclass(frozen=True)
class Bill:
    """Cost of the nodes a plan uses.

    Attributes:
        per_hour, per_month: All used nodes; None when any of their prices is unknown.
        idle_per_hour, idle_per_month: Memory left over on cards in use, and whole cards without a
            replica on used nodes. Headroom and what others hold are not idle.
        idle_percent: Idle share of the bill, one decimal.
        lines: Parts of the bill by memory share; empty when the bill is unknown.
        nodes: Used nodes, in plan order.
        unpriced_nodes: Used nodes whose price is unknown.
    """

    currency: str
    hours_per_month: int
    per_hour: Decimal | None
    per_month: Decimal | None
    idle_per_hour: Decimal | None
    idle_per_month: Decimal | None
    idle_percent: Decimal | None
    lines: tuple[CostLine, ...]
    nodes: tuple[NodeCost, ...]
    unpriced_nodes: tuple[str, ...]


def monthly(price_per_hour: Decimal | None) -> Decimal | None:
    """Price of 730 hours, rounded to the cent [currency per month]; None stays None."""
    if price_per_hour is None:
        return None
    return per_month(price_per_hour).quantize(CENT, rounding=ROUND_HALF_EVEN)


def apportion(total: Decimal, shares: Sequence[Fraction], quantum: Decimal) -> tuple[Decimal, ...]:
    """``total`` divided in proportion to ``shares``, in whole steps of ``quantum``. Exact sum.

    What rounding leaves over goes to the largest remainders, the earliest of equals first.

    Args:
        total: Non-negative whole multiple of ``quantum``.
        shares: Non-negative; not all zero unless empty.
        quantum: Smallest step, such as a cent.
    """
    steps = int((total / quantum).to_integral_value(rounding=ROUND_HALF_EVEN))
    whole = sum(shares, Fraction(0))
    exact = [share * steps / whole for share in shares]
    given = [int(part) for part in exact]
    left = steps - sum(given)
    order = sorted(range(len(exact)), key=lambda index: given[index] - exact[index])
    for index in order[:left]:
        given[index] += 1
    return tuple(quantum * part for part in given)


def bill(plan: Plan) -> Bill:
    """What the used nodes of a plan cost, part by part. Exact."""
    used = [node for node in plan.nodes if node.is_used]
    unpriced = tuple(node.name for node in used if node.price_per_hour is None)
    hourly = None if unpriced else plan.price_per_hour
    lines = () if hourly is None else cost_lines(plan, hourly)
    idle = None if hourly is None else [line for line in lines if line.kind in IDLE]
    return Bill(
        currency=plan.currency,
        hours_per_month=HOURS_PER_MONTH,
        per_hour=hourly,
        per_month=monthly(hourly),
        idle_per_hour=None if idle is None else sum((one.per_hour for one in idle), Decimal(0)),
        idle_per_month=None if idle is None else sum((one.per_month for one in idle), Decimal(0)),
        idle_percent=None if idle is None else sum((one.percent for one in idle), Decimal(0)),
        lines=lines,
        nodes=tuple(
            NodeCost(node.name, node.price_per_hour, monthly(node.price_per_hour)) for node in used
        ),
        unpriced_nodes=unpriced,
    )


def by_memory(node: str, card: int, sizes: Mapping[str, int]) -> Mapping[str, Fraction]:
    """Weight of each workload on a card: its bytes there."""
    return {name: Fraction(size) for name, size in sizes.items()}


Divide = Callable[[str, int, Mapping[str, int]], Mapping[str, Fraction]]
"""Weights of the workloads on a card, from its node, its index and their bytes there."""


def cost_lines(plan: Plan, hourly: Decimal, divide: Divide = by_memory) -> tuple[CostLine, ...]:
    """Parts of the bill: workloads in fleet order, then headroom, others and idle.

    Args:
        plan: Whose bill.
        hourly: The bill per hour.
        divide: How workloads share what of a card's price is theirs together, which is the part
            of its bytes that they take.
    """
    shares: dict[tuple[CostKind, str], Fraction] = {
        (CostKind.WORKLOAD, workload.name): Fraction(0) for workload in plan.workloads
    }
    shares |= {(kind, ""): Fraction(0) for kind in CostKind if kind is not CostKind.WORKLOAD}
    held = _bytes_by_card(plan)
    for node in (node for node in plan.nodes if node.is_used):
        card_price = Fraction(node.price_per_hour or 0) / len(node.cards)
        for card in node.cards:
            sizes = held.get((node.name, card.index), {})
            weights = divide(node.name, card.index, sizes) if sizes else {}
            for key, part in _card_parts(card, sizes, weights).items():
                shares[key] = shares.get(key, Fraction(0)) + card_price * part
    return _rounded(shares, hourly)


def _rounded(shares: dict[tuple[CostKind, str], Fraction], hourly: Decimal) -> tuple[CostLine, ...]:
    """Lines whose amounts and percentages each add up exactly; nothing costs nothing."""
    if not any(shares.values()):
        return tuple(CostLine(kind, name, *[Decimal(0)] * 3) for kind, name in shares)
    exponent = hourly.as_tuple().exponent
    finest = Decimal(1).scaleb(exponent) if isinstance(exponent, int) else HOURLY_QUANTUM
    weights = list(shares.values())
    percents = apportion(Decimal(100), weights, Decimal("0.1"))
    hours = apportion(hourly, weights, min(finest, HOURLY_QUANTUM))
    months = apportion(monthly(hourly) or Decimal(0), weights, CENT)
    return tuple(
        CostLine(kind, name, percent, hour, month)
        for (kind, name), percent, hour, month in zip(shares, percents, hours, months, strict=True)
    )


def _bytes_by_card(plan: Plan) -> dict[tuple[str, int], dict[str, int]]:
    """(node, card) → workload → upper band of its replicas there [bytes]."""
    held: dict[tuple[str, int], dict[str, int]] = {}
    for placement in plan.placements:
        for gpu, device in zip(placement.gpus, placement.devices, strict=True):
            on_card = held.setdefault((placement.node, gpu), {})
            on_card[placement.workload] = on_card.get(placement.workload, 0) + device.high_bytes
    return held


def _card_parts(
    card: CardBudget, held: Mapping[str, int], weights: Mapping[str, Fraction]
) -> dict[tuple[CostKind, str], Fraction]:
    """Share of one card's price by what its bytes are for; adds up to 1.

    A card without a replica keeps no headroom for anyone: all but what others hold is idle.
    """
    if not held:
        taken = min(card.taken_bytes, card.allocatable_bytes)
        sizes = {
            (CostKind.HELD_BY_OTHERS, ""): Fraction(taken),
            (CostKind.IDLE_CARDS, ""): Fraction(card.allocatable_bytes - taken),
        }
    else:
        size, weight = sum(held.values()), sum(weights.values())
        sizes = {(CostKind.WORKLOAD, name): size * part / weight for name, part in weights.items()}
        sizes[(CostKind.HEADROOM, "")] = Fraction(card.headroom_bytes)
        sizes[(CostKind.HELD_BY_OTHERS, "")] = Fraction(card.taken_bytes)
        sizes[(CostKind.IDLE_MEMORY, "")] = Fraction(max(0, card.slack_bytes))
    total = sum(sizes.values(), Fraction(0))
    return {key: part / total for key, part in sizes.items()}
