"""Cards that belong together: connected sets of cards on one node that share replicas.

Two split replicas whose card sets overlap tie all their cards. What is allocated as one piece,
a claim with several requests or a pod with several cards, is such a group.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from packer.domain.gpu import MigSlice, mig_slice
from packer.domain.node import Sharing
from packer.kubernetes_objects.names import LONGEST_NAME, shortened
from packer.kubernetes_objects.sharing_choice import sharing_of
from packer.plan.plan import CardBudget, NodeBudget, Placement, Plan


@dataclass(frozen=True)
class CardGroup:
    """Connected cards of one node and the replicas on them.

    Attributes:
        gpus: Card indices on the node, ascending.
        placements: Replicas on these cards, in plan order.
        neighbours: Replicas on any card of the node, these included.
        sharing: How pods get at the cards: ``dra``, ``dra-memory``, ``whole`` or ``hami``.
    """

    node: NodeBudget
    gpus: tuple[int, ...]
    placements: tuple[Placement, ...]
    neighbours: tuple[Placement, ...]
    sharing: Sharing

    @property
    def name(self) -> str:
        """Node and cards, such as ``l40s-0-gpu0-gpu1``; the name of the claim."""
        cards = "-".join(f"gpu{gpu}" for gpu in self.gpus)
        return shortened(f"{self.node.name}-{cards}", LONGEST_NAME)

    @property
    def cards(self) -> tuple[CardBudget, ...]:
        """Budgets of the cards, in the order of ``gpus``."""
        by_index = {card.index: card for card in self.node.cards}
        return tuple(by_index[gpu] for gpu in self.gpus)

    @property
    def slice(self) -> MigSlice | None:
        """What each card is a MIG slice of; None for whole cards."""
        return mig_slice(self.node.product_label)

    @property
    def is_pinned(self) -> bool:
        """Whether the plan names the very cards, by UUID; of a slice its own, not its card's."""
        uuids = [card.uuid for card in self.cards]
        return all(uuid.startswith("MIG-") if self.slice else uuid for uuid in uuids)

    @property
    def shares_claim(self) -> bool:
        """Whether all pods on these cards name one claim, so that they get the same cards."""
        if self.sharing is Sharing.DRA_MEMORY:
            return not self.is_pinned
        return self.sharing is Sharing.DRA

    def rank(self, gpu: int) -> int:
        """Place of a card among the group's cards; its CUDA index in a pod that sees them all."""
        return self.gpus.index(gpu)

    def device_names(self, placement: Placement) -> tuple[str, ...]:
        """``--device`` names of one replica's cards in a pod that sees the whole group."""
        return tuple(f"CUDA{self.rank(gpu)}" for gpu in placement.gpus)


def card_groups(plan: Plan, override: Sharing | None) -> tuple[CardGroup, ...]:
    """Groups of all used cards, in the order of nodes and cards."""
    on_node: dict[str, list[Placement]] = {node.name: [] for node in plan.nodes}
    for placement in plan.placements:
        on_node[placement.node].append(placement)
    return tuple(
        CardGroup(
            node,
            gpus,
            tuple(p for p in on_node[node.name] if p.gpus[0] in gpus),
            tuple(on_node[node.name]),
            sharing_of(node, override),
        )
        for node in plan.nodes
        for gpus in _connected(p.gpus for p in on_node[node.name])
    )


def _connected(sets: Iterable[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Connected components of overlapping card sets, each ascending, in order."""
    components: list[set[int]] = []
    for cards in sets:
        touched = [component for component in components if component & set(cards)]
        components = [component for component in components if component not in touched]
        components.append(set(cards).union(*touched))
    return sorted(tuple(sorted(component)) for component in components)
