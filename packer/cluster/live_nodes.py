"""Every GPU node of a cluster: its cards, what others hold of them, and how they can be shared.

What drivers publish in ResourceSlices is read first, because it names each card; then HAMi's
annotation, then node labels. Nothing is guessed: a node that cannot be described is left out.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from packer.cluster.claims import Claim, Holding
from packer.cluster.devices import Device, DeviceId, HalfPool
from packer.cluster.feature_labels import Unclear, labelled_cards
from packer.cluster.hami import registered_cards
from packer.cluster.live_cards import CardKind, LiveCard, LiveNode, Undescribed
from packer.cluster.nodes import Node
from packer.cluster.pods import Pod
from packer.domain.node import Sharing

_MIG_RESOURCE = "nvidia.com/mig-"


@dataclass(frozen=True)
class Observed:
    """Everything that was read of a cluster; pods and claims of a plan to replace left out.

    Attributes:
        devices: By node. half_pools: Pools that are not all there, by node.
    """

    nodes: tuple[Node, ...]
    devices: Mapping[str, Sequence[Device]]
    half_pools: Mapping[str, HalfPool]
    claims: tuple[Claim, ...]
    pods: Mapping[str, Sequence[Pod]]


def describe_nodes(observed: Observed) -> tuple[list[LiveNode], list[Undescribed]]:
    """Nodes whose cards are known, and GPU nodes whose are not."""
    held: dict[DeviceId, list[Holding]] = {}
    for claim in observed.claims:
        for holding in claim.holdings:
            held.setdefault(holding.device, []).append(holding)
    described: list[LiveNode] = []
    left_out: list[Undescribed] = []
    for node in observed.nodes:
        try:
            found = _describe(node, observed, held)
        except Unclear as error:
            left_out.append(Undescribed(node.name, str(error)))
        else:
            described += [found] if found else []
    return described, left_out


def _describe(
    node: Node, observed: Observed, held: Mapping[DeviceId, Sequence[Holding]]
) -> LiveNode | None:
    pods = observed.pods.get(node.name, ())
    host_free = max(0, node.memory_bytes - sum(pod.memory_bytes for pod in pods))
    half = observed.half_pools.get(node.name)
    if half:
        raise Unclear(
            f"its driver has published {half.present} of {half.expected} ResourceSlices of "
            f"generation {half.generation}; ask again in a moment"
        )
    devices = observed.devices.get(node.name, ())
    live = (
        _from_devices(node, devices, held, host_free)
        if devices
        else _from_annotation(node, pods, host_free) or _from_labels(node, host_free)
    )
    return _less_counted_cards(live, pods) if live else None


def _from_devices(
    node: Node,
    devices: Sequence[Device],
    held: Mapping[DeviceId, Sequence[Holding]],
    host_free: int,
) -> LiveNode:
    usable = [one for one in devices if one.kind in ("gpu", "mig")]
    # Dynamic MIG publishes every slice a card could be cut into; the card stands for all of them.
    if any(one.kind == "gpu" for one in usable):
        usable = [one for one in usable if one.kind == "gpu"]
    counts = Counter(map(_kind, usable))
    if not counts:
        raise Unclear("its driver publishes no card that CUDA can use")
    kind = max(counts, key=lambda one: (counts[one] * one.memory_bytes, str(one)))
    others = [f"{n} × {one}" for one, n in counts.items() if one != kind]
    notes = [f"left out: {', '.join(others)}; one pool holds equal cards"] if others else []
    chosen = sorted((one for one in usable if _kind(one) == kind), key=lambda one: one.order)
    notes += [f"{one.id.device} is tainted {', '.join(one.taints)}" for one in chosen if one.taints]
    cards = tuple(_card(one, kind, held.get(one.id, ())) for one in chosen)
    return LiveNode(node, cards, _offers(chosen), host_free, tuple(notes))


def _kind(device: Device) -> CardKind:
    return CardKind(
        device.product,
        device.memory_bytes,
        _short_version(device.compute_capability),
        device.profile,
    )


def _short_version(version: str) -> str:
    """``8.9`` of the semantic version ``8.9.0``."""
    return ".".join(version.split(".")[:2])


def _card(device: Device, kind: CardKind, held: Sequence[Holding]) -> LiveCard:
    parts = [one.memory_bytes for one in held]
    return LiveCard(
        kind,
        device.uuid,
        held_bytes=sum(part or 0 for part in parts),
        is_held_whole=bool(device.taints) or None in parts,
    )


def _offers(devices: Sequence[Device]) -> tuple[Sharing, ...]:
    if any(one.kind == "mig" for one in devices):
        return (Sharing.MIG,)
    if all(one.has_memory_shares for one in devices):
        return (Sharing.DRA_MEMORY, Sharing.DRA)
    return (Sharing.DRA,)


def _from_annotation(node: Node, pods: Iterable[Pod], host_free: int) -> LiveNode | None:
    cards = registered_cards(node)
    if not cards:
        return None
    if len({card.kind for card in cards}) > 1:
        kinds = ", ".join(sorted({str(card.kind) for card in cards}))
        raise Unclear(f"HAMi registers different cards ({kinds}); one pool holds equal cards")
    held: Counter[str] = Counter()
    for pod in pods:
        held.update(pod.hami_bytes)
    cards = tuple(replace(card, held_bytes=held[card.uuid]) for card in cards)
    return LiveNode(node, cards, (Sharing.HAMI,), host_free)


def _from_labels(node: Node, host_free: int) -> LiveNode | None:
    labelled = labelled_cards(node)
    if labelled is None:
        return None
    kind, count = labelled
    by_slices = any(name.startswith(_MIG_RESOURCE) and n for name, n in node.resources.items())
    offers = (Sharing.MIG,) if by_slices else (Sharing.WHOLE,)
    return LiveNode(node, (LiveCard(kind),) * count, offers, host_free)


def _less_counted_cards(live: LiveNode, pods: Iterable[Pod]) -> LiveNode:
    """The node without cards that pods were given by the device plugin: how many, not which."""
    if Sharing.HAMI in live.offers:
        return live
    counted = sum(_counted(pod) for pod in pods)
    if not counted or not any(live.node.resources.values()):
        return live
    free = [index for index, card in enumerate(live.cards) if not card.is_held_whole]
    given = set(free[len(free) - min(counted, len(free)) :])
    cards = tuple(
        replace(card, is_held_whole=True) if index in given else card
        for index, card in enumerate(live.cards)
    )
    which = "the last ones are counted as taken"
    note = f"pods hold {counted} of its cards; which ones is not published: {which}"
    return live.holding(cards, (note,))


def _counted(pod: Pod) -> int:
    names: Iterator[str] = iter(pod.resources)
    return pod.gpus + sum(pod.resources[name] for name in names if name.startswith(_MIG_RESOURCE))
