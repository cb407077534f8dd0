"""Whether a plan still fits the cluster it is to be applied to."""

from collections.abc import Iterator

from packer.cluster.live_cards import LiveNode
from packer.cluster.reading import LiveCluster
from packer.errors import InvalidInput, Problem
from packer.plan.plan import CardBudget, NodeBudget, Plan
from packer.units import format_bytes


def check_plan_fits(live: LiveCluster, plan: Plan) -> None:
    """Refuse a plan whose nodes or cards are not there any more, or are taken by others.

    Args:
        live: The cluster, less what runs of this plan.
        plan: What is to be applied; nodes without a name in any cluster are not compared.

    Raises:
        InvalidInput: P1031 the plan is for another cluster, P1032 it is stale; in full.
    """
    used = [node for node in plan.nodes if node.is_used and node.is_live]
    nodes = {one.node.name: one for one in live.nodes}
    wanted = {card.uuid for node in used for card in node.cards if card.uuid}
    there = {card.uuid for one in live.nodes for card in one.cards}
    if wanted and not wanted & there:
        title = f"the plan {plan.name} is for another cluster than {live.name}"
        why = f"none of its {len(wanted)} card UUIDs is there"
        raise InvalidInput(Problem("P1031", title, None, why, "choose another --context"))
    changed = [why for node in used for why in _changed(node, nodes.get(node.name))]
    if changed:
        title = f"the cluster {live.name} has changed since the plan {plan.name} was made"
        help_ = (
            f"gpu-packer inventory --replace {plan.name}, then plan again; --force applies as it is"
        )
        raise InvalidInput(Problem("P1032", title, None, "; ".join(changed), help_))


def _changed(node: NodeBudget, live: LiveNode | None) -> Iterator[str]:
    if live is None:
        yield f"{node.name} is gone or not described any more"
        return
    if live.node.refusal:
        yield f"{node.name} takes no pods: {live.node.refusal}"
    if live.host_free_bytes < node.host_used_bytes:
        free, needed = format_bytes(live.host_free_bytes), format_bytes(node.host_used_bytes)
        yield f"{node.name} has {free} of memory free, {needed} are planned"
    if len(live.cards) != len(node.cards):
        yield f"{node.name} has {len(live.cards)} cards, {len(node.cards)} were planned with"
        return
    for card in node.cards:
        yield from _changed_card(node, card, live)


def _changed_card(node: NodeBudget, card: CardBudget, live: LiveNode) -> Iterator[str]:
    by_uuid = {one.uuid: one for one in live.cards if one.uuid}
    now = by_uuid.get(card.uuid) if card.uuid else live.cards[card.index]
    if not card.used_bytes:
        return
    if now is None:
        yield f"{node.name} gpu{card.index} is another card than {card.uuid}"
        return
    held = card.allocatable_bytes if now.is_held_whole else now.held_bytes
    if held > card.taken_bytes:
        yield (
            f"others hold {format_bytes(held)} of {node.name} gpu{card.index}, "
            f"{format_bytes(card.taken_bytes)} when it was planned"
        )
