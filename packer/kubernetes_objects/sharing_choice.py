"""How the cards of a node are shared: as asked, as the inventory says, or found from its facts."""

from collections.abc import Mapping
from dataclasses import dataclass

from packer.domain.gpu import mig_slice
from packer.domain.node import Sharing
from packer.plan.plan import NodeBudget

RENDERED: Mapping[bool, frozenset[Sharing]] = {
    False: frozenset((Sharing.DRA, Sharing.DRA_MEMORY, Sharing.WHOLE, Sharing.HAMI)),
    True: frozenset((Sharing.DRA, Sharing.WHOLE)),
}
"""Ways pods can get at whole cards (False) and at MIG slices (True)."""


@dataclass(frozen=True)
class SharingChoice:
    """A way of sharing and why it was taken.

    Attributes:
        sharing: Never ``auto``; ``mig`` only for cards that are no slices, which is refused.
        why: For people; empty where somebody asked for just this.
    """

    sharing: Sharing
    why: str = ""


def choose_sharing(node: NodeBudget, override: Sharing | None) -> SharingChoice:
    """The way pods get at the cards of a node.

    Args:
        node: The node as planned.
        override: What ``--sharing`` asks for; None leaves it to the pool.
    """
    asked = node.sharing if override is None else override
    if asked is Sharing.AUTO and node.sharing is not Sharing.AUTO:
        chosen = SharingChoice(node.sharing, "the inventory says so")
    elif asked is Sharing.AUTO:
        chosen = _found(node)
    else:
        chosen = SharingChoice(asked)
    return _slices(node, chosen) if chosen.sharing is Sharing.MIG and _is_sliced(node) else chosen


def sharing_of(node: NodeBudget, override: Sharing | None) -> Sharing:
    """The way alone, without the reason."""
    return choose_sharing(node, override).sharing


def _found(node: NodeBudget) -> SharingChoice:
    """What the facts of a node allow; the memory of a card is never assumed to be shareable."""
    if _is_sliced(node):
        return SharingChoice(Sharing.MIG, "its GPU is a MIG slice")
    if all(card.uuid for card in node.cards):
        return SharingChoice(Sharing.DRA, "the UUID of every card is known, so claims can name it")
    if node.is_live:
        return SharingChoice(
            Sharing.WHOLE,
            "the cluster names no UUIDs, so no DRA driver published its cards; "
            "the device plugin hands out whole ones",
        )
    return SharingChoice(Sharing.DRA, "planned cards are claimed by product and memory")


def _slices(node: NodeBudget, chosen: SharingChoice) -> SharingChoice:
    """How pods get at slices: by claims where a DRA driver is known to name them."""
    if all(card.uuid for card in node.cards):
        why = "the UUID of every slice or of its card is known, so claims can name it"
        return SharingChoice(Sharing.DRA, _both(chosen.why, why))
    why = "slices without a UUID are asked for by profile from the device plugin"
    return SharingChoice(Sharing.WHOLE, _both(chosen.why, why))


def _both(first: str, second: str) -> str:
    return f"{first}; {second}" if first else second


def _is_sliced(node: NodeBudget) -> bool:
    return mig_slice(node.product_label) is not None
