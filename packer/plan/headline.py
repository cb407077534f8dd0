"""The figures a plan is judged by: cards and money beside simpler ways and the proven bound.

Exact arithmetic on what the plan records; nothing is estimated here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from packer.plan.cost import HOURLY_QUANTUM, monthly
from packer.plan.plan import NodeBudget, Plan, Status


class Way(StrEnum):
    """A way to place the same fleet, most wasteful first."""

    FP16_ONE_MODEL_PER_CARD_SET = "fp16-one-model-per-card-set"
    QUANTIZED_ONE_MODEL_PER_CARD_SET = "quantized-one-model-per-card-set"
    FIRST_FIT_DECREASING = "first-fit-decreasing"
    THIS_PLAN = "this-plan"
    LOWER_BOUND = "lower-bound"


@dataclass(frozen=True)
class Comparison:
    """One way beside this plan; None where it finds no placement or a price is unknown.

    Attributes:
        card_share_per_hour: Its cards, each at its share of the node's price: what it would cost
            if cards were paid one by one.
        price_per_hour, price_per_month: Whole nodes, as they are paid.
        cards_ratio: Its cards ÷ the plan's cards, two decimals.
        price_ratio: Its money ÷ the plan's, whole nodes where both are known, else card shares;
            two decimals.
    """

    way: Way
    cards: int | None
    card_share_per_hour: Decimal | None
    price_per_hour: Decimal | None
    price_per_month: Decimal | None
    cards_ratio: Decimal | None
    price_ratio: Decimal | None


@dataclass(frozen=True)
class CardMemory:
    """Bytes of all cards with at least one replica; parts add up to ``allocatable_bytes``.

    Attributes:
        planned_bytes: Upper bands of all replicas; this is what was packed.
        expected_bytes: What the replicas are expected to take, without their bands.
        planned_percent: Planned share of allocatable, one decimal.
    """

    allocatable_bytes: int
    planned_bytes: int
    expected_bytes: int
    headroom_bytes: int
    taken_bytes: int
    slack_bytes: int
    planned_percent: Decimal


@dataclass(frozen=True)
class Headline:
    """What the first line of every report says.

    Attributes:
        cards: With at least one replica. cards_available: In the whole inventory.
        cards_paid: On nodes that hold at least one replica, empty cards included.
        gap_percent: Of the objective, two decimals; 0 when proved.
    """

    cards: int
    cards_available: int
    cards_paid: int
    nodes: int
    workloads: int
    replicas: int
    is_proved: bool
    gap_percent: Decimal
    memory: CardMemory
    comparisons: tuple[Comparison, ...]


def headline(plan: Plan) -> Headline:
    """The figures of one plan. Exact."""
    used = [node for node in plan.nodes if node.is_used]
    return Headline(
        cards=plan.cards,
        cards_available=plan.cards_available,
        cards_paid=sum(len(node.cards) for node in used),
        nodes=len(used),
        workloads=len(plan.workloads),
        replicas=len(plan.placements),
        is_proved=plan.status is Status.OPTIMAL,
        gap_percent=Decimal(str(plan.gap * 100)).quantize(Decimal("0.01")),
        memory=_memory(plan, used),
        comparisons=_comparisons(plan),
    )


def _comparisons(plan: Plan) -> tuple[Comparison, ...]:
    """Every way; card sets of one model share no node, so they are priced by their cards alone."""
    base = plan.baselines
    share = _card_share(plan)
    found: dict[Way, tuple[int | None, Decimal | None, Decimal | None]] = {
        Way.FP16_ONE_MODEL_PER_CARD_SET: (
            base.fp16_one_model_per_card_set_cards,
            base.fp16_one_model_per_card_set_price_per_hour,
            None,
        ),
        Way.QUANTIZED_ONE_MODEL_PER_CARD_SET: (
            base.quantized_one_model_per_card_set_cards,
            base.quantized_one_model_per_card_set_price_per_hour,
            None,
        ),
        Way.FIRST_FIT_DECREASING: (
            base.first_fit_decreasing_cards,
            None,
            base.first_fit_decreasing_price_per_hour,
        ),
        Way.THIS_PLAN: (plan.cards, share, plan.price_per_hour),
        Way.LOWER_BOUND: (base.lower_bound_cards, None, base.lower_bound_price_per_hour),
    }
    return tuple(
        Comparison(
            way=way,
            cards=cards,
            card_share_per_hour=by_card,
            price_per_hour=price,
            price_per_month=monthly(price),
            cards_ratio=_ratio(cards, plan.cards),
            price_ratio=_ratio(price, plan.price_per_hour) or _ratio(by_card, share),
        )
        for way, (cards, by_card, price) in found.items()
    )


def _card_share(plan: Plan) -> Decimal | None:
    """Price of the cards in use alone, each at its share of its node's price, four decimals."""
    if plan.price_per_hour is None:
        return None
    busy = {(place.node, gpu) for place in plan.placements for gpu in place.gpus}
    parts = (
        Fraction(node.price_per_hour or 0) / len(node.cards)
        for node in plan.nodes
        for card in node.cards
        if (node.name, card.index) in busy
    )
    total = sum(parts, Fraction(0))
    return (Decimal(total.numerator) / total.denominator).quantize(HOURLY_QUANTUM)


def _ratio(theirs: Decimal | int | None, ours: Decimal | int | None) -> Decimal | None:
    if theirs is None or not ours:
        return None
    return (Decimal(theirs) / Decimal(ours)).quantize(Decimal("0.01"))


def _memory(plan: Plan, used: Sequence[NodeBudget]) -> CardMemory:
    busy = {(place.node, gpu) for place in plan.placements for gpu in place.gpus}
    cards = [card for node in used for card in node.cards if (node.name, card.index) in busy]
    allocatable = sum(card.allocatable_bytes for card in cards)
    planned = sum(card.used_bytes for card in cards)
    return CardMemory(
        allocatable_bytes=allocatable,
        planned_bytes=planned,
        expected_bytes=sum(card.expected_bytes for card in cards),
        headroom_bytes=sum(card.headroom_bytes for card in cards),
        taken_bytes=sum(card.taken_bytes for card in cards),
        slack_bytes=sum(card.slack_bytes for card in cards),
        planned_percent=percent(planned, allocatable),
    )


def percent(part: int, whole: int) -> Decimal:
    """Share of a whole in percent, one decimal; 0 of nothing."""
    if not whole:
        return Decimal("0.0")
    return (Decimal(part) * 100 / Decimal(whole)).quantize(Decimal("0.1"))
