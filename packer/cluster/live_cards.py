"""Cards of one node, whatever told us about them, and what others hold of each."""

from dataclasses import dataclass, field, replace

from packer.cluster.nodes import Node
from packer.domain.node import Sharing


@dataclass(frozen=True)
class CardKind:
    """What equal cards have in common, as the cluster spells it.

    Attributes:
        product: ``NVIDIA L40S`` of a slice, or ``NVIDIA-L40S`` of a node label.
        memory_bytes: Total of one card, or of one MIG slice [bytes]; 0 if it is not told.
        profile: MIG profile such as ``3g.40gb``; empty for whole cards.
    """

    product: str
    memory_bytes: int
    compute_capability: str = ""
    profile: str = ""

    def __str__(self) -> str:
        """Name for people."""
        return f"{self.product} {self.profile}".strip()


@dataclass(frozen=True)
class LiveCard:
    """One card, or one MIG slice.

    Attributes:
        held_bytes: Memory others hold [bytes].
        is_held_whole: Whether nothing of it is left, whatever its memory.
    """

    kind: CardKind
    uuid: str = ""
    held_bytes: int = 0
    is_held_whole: bool = False


@dataclass(frozen=True)
class LiveNode:
    """One GPU node that can be described.

    Attributes:
        cards: Equal cards, in index order.
        offers: Every way of sharing the node's stack can serve, the preferred one first.
        host_free_bytes: Allocatable memory less what pods request [bytes].
    """

    node: Node
    cards: tuple[LiveCard, ...]
    offers: tuple[Sharing, ...]
    host_free_bytes: int
    notes: tuple[str, ...] = field(default=())

    def holding(self, cards: tuple[LiveCard, ...], notes: tuple[str, ...] = ()) -> "LiveNode":
        """The same node with other holdings and further notes."""
        return replace(self, cards=cards, notes=self.notes + notes)


@dataclass(frozen=True)
class Undescribed:
    """A GPU node that is left out, with the reason in words."""

    node: str
    reason: str
