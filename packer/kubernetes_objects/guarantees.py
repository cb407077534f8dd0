"""Per card: what the plan puts on it, and what the way of sharing really guarantees."""

from collections.abc import Iterator

from packer.domain.image import image_note
from packer.domain.node import Sharing
from packer.kubernetes_objects.card_groups import CardGroup, card_groups
from packer.kubernetes_objects.hami import share_mib
from packer.kubernetes_objects.resource_claim import card_part
from packer.kubernetes_objects.server import replica_name
from packer.kubernetes_objects.sharing_choice import choose_sharing
from packer.plan.plan import CardBudget, Plan
from packer.units import MIB, format_bytes

_LIMITS = {
    Sharing.DRA: (
        "Named claims (dra): the scheduler hands out whole cards, once per claim. It does not "
        "account the memory of the pods that share one, and nothing enforces it: a process that "
        "grows beyond the plan takes the memory of its neighbours, and the next allocation of any "
        "of them fails."
    ),
    Sharing.DRA_MEMORY: (
        "Claims of memory (dra-memory): the scheduler adds up what claims ask of a card and never "
        "gives out more than its driver publishes. It accounts, nothing enforces: a process that "
        "grows beyond its claim still takes the memory of its neighbours. What the driver keeps "
        "for itself is not in its books; the plan's headroom is for that."
    ),
    Sharing.WHOLE: (
        "Whole cards (whole): the device plugin gives a pod its cards and nobody else any part of "
        "them. Inside the pod nothing enforces the models' shares, and any process, the router "
        "too, may hold a CUDA context on every card of the pod; the plan counts one on a model's "
        "own cards. A plan for whole cards leaves the cards of a split model to it alone; one for "
        "another way of sharing may not, so plan again rather than render it with --sharing whole."
    ),
    Sharing.HAMI: (
        "HAMi (hami): its scheduler adds up shares, and a library in each process refuses CUDA "
        "allocations beyond its share. That is software in the process itself: a program that "
        "loads CUDA another way is not held to it, and computing time is shared without a limit."
    ),
}
_SLICES = (
    "MIG slices: hardware keeps the memory and computing units of a slice from every other slice. "
    "Models that share one slice are kept apart by nothing but the plan, and no process can use "
    "two slices, so no model is split over them."
)
_PCI_ORDER = (
    "No UUID pins these cards: the plan's card numbers stand for the cards a pod is given, in PCI "
    "bus order. Whoever shares them sees the same cards in that order, so what the plan puts "
    "together stays together; which slot of the machine it is can differ."
)
_SUMS = (
    "Without UUIDs one claim asks for the sum of each card. Two such claims may be given the same "
    "card where both fit: memory stays accounted, but speed was planned for cards of their own."
)
_PACKED = (
    "Without UUIDs HAMi's scheduler packs servers itself: it keeps their memory apart, but may put "
    "other servers together than the plan does, and in the worst order not find room for all."
)


def describe_guarantees(plan: Plan, sharing: Sharing | None = None) -> tuple[str, ...]:
    """Lines for people: one per used card, then what each way of sharing does and does not do.

    Args:
        plan: The plan to render.
        sharing: Overrides how every pool's cards are shared.
    """
    groups = card_groups(plan, sharing)
    lines = [_card_line(group, card) for group in groups for card in group.cards]
    image = image_note(plan.server.image)
    return (*_choices(plan, sharing), *lines, *_limits(groups), *([image] if image else []))


def _choices(plan: Plan, override: Sharing | None) -> tuple[str, ...]:
    """Why each pool is shared as it is, where that was chosen here."""
    used = [(node.pool, choose_sharing(node, override)) for node in plan.nodes if node.is_used]
    return tuple(
        dict.fromkeys(
            f"pool {pool}: shared by {choice.sharing.value}, because {choice.why}"
            for pool, choice in used
            if choice.why
        )
    )


def _limits(groups: tuple[CardGroup, ...]) -> Iterator[str]:
    ways = {group.sharing for group in groups}
    yield from (text for way, text in _LIMITS.items() if way in ways)
    if any(group.slice for group in groups):
        yield _SLICES
    unpinned = [group for group in groups if not group.is_pinned]
    if any(group.sharing is Sharing.DRA_MEMORY for group in unpinned):
        yield _SUMS
    if any(group.sharing is Sharing.HAMI for group in unpinned):
        yield _PACKED
    if any(group.sharing is not Sharing.HAMI and len(group.gpus) > 1 for group in unpinned):
        yield _PCI_ORDER


def _card_line(group: CardGroup, card: CardBudget) -> str:
    replicas = [replica_name(p) for p in group.placements if card.index in p.gpus]
    planned = f"{format_bytes(card.used_bytes)} of {format_bytes(card.allocatable_bytes)}"
    return (
        f"{group.node.name} gpu{card.index} ({group.node.product}): {planned} planned for "
        f"{', '.join(replicas)}; {_which_card(group, card)}; {_memory(group, card)}"
        f"{_taken(group, card)}"
    )


def _which_card(group: CardGroup, card: CardBudget) -> str:
    if group.sharing is Sharing.WHOLE:
        cards = _counted("slice" if group.slice else "card", len(group.gpus))
        return f"one pod owns {cards} on {_where(group)}, chosen by the device plugin"
    if group.sharing is Sharing.HAMI:
        which = "by UUID" if group.is_pinned else f"any {group.node.product}"
        return f"HAMi's scheduler picks the card on {_where(group)}, {which}"
    if not group.shares_claim:
        return "each server's own claim is for this card, by UUID"
    if group.is_pinned:
        name = card_part(group, card.index).name
        return f"claim {name} is this {'slice' if group.slice else 'card'}, by UUID"
    if group.slice and card.uuid:
        return f"claim {group.name} takes a free {group.slice.profile} of card {card.uuid}"
    return f"claim {group.name} takes any free {group.node.product} on {_where(group)}"


def _memory(group: CardGroup, card: CardBudget) -> str:
    """Who holds servers to the planned memory of one card."""
    if group.slice:
        return "memory enforced by hardware for the slice, not between its models"
    if group.sharing is Sharing.DRA_MEMORY:
        mib = sum(-(-used // MIB) for used in _claimed(group, card))
        return f"{mib} MiB accounted by the scheduler, not enforced"
    if group.sharing is Sharing.HAMI:
        here = [placed for placed in group.placements if card.index in placed.gpus]
        shares = ", ".join(f"{replica_name(placed)} {share_mib(placed)} MiB" for placed in here)
        return f"accounted and limited by HAMi in software: {shares}"
    return "memory not enforced"


def _claimed(group: CardGroup, card: CardBudget) -> tuple[int, ...]:
    """Bytes of each claim on one card."""
    if group.shares_claim:
        return (card.used_bytes,)
    return tuple(
        device.high_bytes
        for placed in group.placements
        for gpu, device in zip(placed.gpus, placed.devices, strict=True)
        if gpu == card.index
    )


def _counted(noun: str, count: int) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _where(group: CardGroup) -> str:
    if group.node.is_live:
        return f"node {group.node.name}"
    return f"one node{f' in {group.node.zone}' if group.node.zone else ''}"


def _taken(group: CardGroup, card: CardBudget) -> str:
    if not card.taken_bytes or group.is_pinned:
        return ""
    return (
        f"; {format_bytes(card.taken_bytes)} are counted as taken by others, "
        "but without a UUID another card may be given"
    )
