"""How much every process of a card may grow before the card no longer holds them. Exact."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from packer.report.card_figures import CardFigures, NodeFigures

_HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True)
class CardGrowth:
    """Growth of all planned bytes of one card that still fits, rounded down to hundredths.

    Attributes:
        keeps_headroom_percent: With the headroom kept.
        fits_percent: With the headroom used up too.
    """

    node: str
    gpu: int
    keeps_headroom_percent: Decimal
    fits_percent: Decimal


def card_growths(nodes: Iterable[NodeFigures]) -> tuple[CardGrowth, ...]:
    """Cards in use, those that break first before the others."""
    cards = [card for node in nodes for card in node.cards if card.planned_bytes]
    found = [
        CardGrowth(
            card.node,
            card.gpu,
            _percent(card.slack_bytes, card),
            _percent(card.slack_bytes + card.headroom_bytes, card),
        )
        for card in cards
    ]
    return tuple(sorted(found, key=lambda one: (one.keeps_headroom_percent, one.fits_percent)))


def broken_at(limits: Sequence[Decimal], percent: int) -> int:
    """Cards whose limit a growth passes. Exact."""
    return sum(limit < percent for limit in limits)


def _percent(room: int, card: CardFigures) -> Decimal:
    share = Decimal(room) * 100 / Decimal(card.planned_bytes)
    return share.quantize(_HUNDREDTH, rounding=ROUND_FLOOR)
