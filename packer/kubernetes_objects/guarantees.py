"""Per card: what the plan puts on it, and what the way of sharing really guarantees."""

from collections.abc import Iterator

from packer.domain.node import Sharing
from packer.kubernetes_objects.card_groups import CardGroup, card_groups
from packer.kubernetes_objects.server import replica_name
from packer.plan.plan import CardBudget, Plan
from packer.units import format_bytes

_DRA_LIMITS = (
    "Named claims (dra): the scheduler hands out whole cards, once per claim. It does not account "
    "the memory of the pods that share one, and nothing enforces it: a process that grows beyond "
    "the plan takes the memory of its neighbours, and the next allocation of any of them fails."
)
_WHOLE_LIMITS = (
    "Whole cards (whole): the device plugin gives a pod its cards and nobody else any part of "
    "them. Inside the pod nothing enforces the models' shares, and any process, the router too, "
    "may hold a CUDA context on every card of the pod; the plan counts one on a model's own cards."
)
_PCI_ORDER = (
    "No UUID pins these cards: the plan's card numbers stand for the cards a pod is given, in PCI "
    "bus order. Whoever shares them sees the same cards in that order, so what the plan puts "
    "together stays together; which slot of the machine it is can differ."
)


def describe_guarantees(plan: Plan, sharing: Sharing | None = None) -> tuple[str, ...]:
    """Lines for people: one per used card, then what each way of sharing does and does not do.

    Args:
        plan: The plan to render.
        sharing: Overrides how every pool's cards are shared.
    """
    groups = card_groups(plan, sharing)
    lines = [_card_line(group, card) for group in groups for card in group.cards]
    return (*lines, *_limits(groups))


def _limits(groups: tuple[CardGroup, ...]) -> Iterator[str]:
    ways = {group.sharing for group in groups}
    if Sharing.DRA in ways:
        yield _DRA_LIMITS
    if Sharing.WHOLE in ways:
        yield _WHOLE_LIMITS
    if any(not group.is_pinned and len(group.gpus) > 1 for group in groups):
        yield _PCI_ORDER


def _card_line(group: CardGroup, card: CardBudget) -> str:
    replicas = [replica_name(p) for p in group.placements if card.index in p.gpus]
    planned = f"{format_bytes(card.used_bytes)} of {format_bytes(card.allocatable_bytes)}"
    return (
        f"{group.node.name} gpu{card.index} ({group.node.product}): {planned} planned for "
        f"{', '.join(replicas)}; {_which_card(group, card)}; memory not enforced{_taken(card)}"
    )


def _which_card(group: CardGroup, card: CardBudget) -> str:
    if group.sharing is Sharing.WHOLE:
        cards = "1 card" if len(group.gpus) == 1 else f"{len(group.gpus)} cards"
        return f"one pod owns {cards} on {_where(group)}, chosen by the device plugin"
    if group.is_pinned:
        return f"claim {group.name} is this card, by UUID"
    return f"claim {group.name} takes any free {group.node.product} on {_where(group)}"


def _where(group: CardGroup) -> str:
    if group.node.is_live:
        return f"node {group.node.name}"
    return f"one node{f' in {group.node.zone}' if group.node.zone else ''}"


def _taken(card: CardBudget) -> str:
    if not card.taken_bytes or card.uuid:
        return ""
    return (
        f"; {format_bytes(card.taken_bytes)} are counted as taken by others, "
        "but without a UUID another card may be given"
    )
