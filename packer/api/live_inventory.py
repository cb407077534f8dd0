"""Inventories of live clusters."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packer.domain.node import Inventory, Sharing
from packer.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from packer.cluster.live_cards import CardKind
    from packer.cluster.pooling import Unknown
    from packer.domain.gpu import GpuProduct

_UNTOLD = (
    "A cluster does not tell prices (pricePerHour), host memory bandwidth (hostMemoryBandwidth) "
    "nor fast links between cards (linkGroups): add what you know."
)
_MEMORY_TOLERANCE_PERCENT = 3
"""Totals of one product differ a little between drivers and with error correction."""
_MEMORY_SLICES = 8
"""Parts a card's memory is cut into by MIG; smaller cards have four, two of these each."""


@dataclass(frozen=True)
class InventoryText:
    """An inventory and its file's text."""

    inventory: Inventory
    text: str
    notes: tuple[str, ...]


def live_inventory(
    *,
    context: str = "",
    kubeconfig: str = "",
    name: str = "",
    sharing: Sharing | None = None,
    replaced: str = "",
) -> InventoryText:
    """What a live cluster offers, as an Inventory file.

    Args:
        context: Context of the kubeconfig; empty takes the current one.
        kubeconfig: File; empty takes ``KUBECONFIG``, then ``~/.kube/config``.
        name: Name of the inventory; empty takes the context's.
        sharing: How cards are to be shared; None takes the best that each node serves.
        replaced: Plan whose own pods and claims count as free, because it is to be planned anew.

    Raises:
        InvalidInput: No kubeconfig, missing permissions, or no node that can be described.
        Unreachable: The cluster does not answer.
    """
    from packer.cluster.connection import Connection
    from packer.cluster.kubeconfig import find_target
    from packer.cluster.pooling import pool_nodes
    from packer.cluster.reading import read_cluster
    from packer.cluster.requirements import check_new_enough
    from packer.spec.inventory_text import format_inventory

    target = find_target(kubeconfig, context)
    live = read_cluster(Connection(target), replaced=replaced)
    check_new_enough(live, [sharing] if sharing else [])
    pooled = pool_nodes(live, _plain(name or target.name), _product_of, sharing)
    if not pooled.inventory.pools:
        why = "; ".join(pooled.notes) or "no node offers NVIDIA GPUs in any way we read"
        title = f"the cluster {target.name} has no GPU node that can be described"
        help_ = (
            "kubectl get resourceslices; kubectl get nodes -L nvidia.com/gpu.product: "
            "a DRA driver, GPU feature discovery or HAMi must describe the cards; "
            "or write the inventory by hand (docs/inventory-file.md)"
        )
        raise InvalidInput(Problem("P1025", title, None, why, help_))
    head = f"Read from the cluster {target.name}, Kubernetes {live.version}."
    text = format_inventory(
        pooled.inventory,
        notes=(head, _UNTOLD, *pooled.notes),
        pool_notes=pooled.pool_notes,
        by_hand=_unlisted(pooled.inventory),
    )
    return InventoryText(pooled.inventory, text, pooled.notes)


def _plain(name: str) -> str:
    """A context's name as an inventory may be called."""
    letters = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower())
    return "-".join(part for part in letters.split("-") if part)[:40].strip("-") or "cluster"


def _product_of(kind: "CardKind") -> "GpuProduct | Unknown":
    """Product of the catalogue for a published card, if name and memory agree on one."""
    from packer.catalogue.gpus import gpus_matching
    from packer.cluster.pooling import Unknown

    candidates = gpus_matching(kind.product)
    if not candidates:
        return Unknown(
            f"{kind.product} is not in the catalogue; describe it by hand (gpu: {{name, memory, "
            f"bandwidth, computeCapability: {kind.compute_capability or 'unknown'}}})"
        )
    if kind.profile:
        return _slice_of(candidates, kind)
    fitting = [one for one in candidates if _is_near(kind.memory_bytes, one.nominal_bytes)]
    if len(fitting) != 1:
        sizes = ", ".join(f"{one.name}: {one.nominal_bytes >> 20} MiB" for one in candidates)
        told = f"{kind.memory_bytes >> 20} MiB"
        return Unknown(
            f"{kind.product} is said to have {told}, which is not one of {sizes}: "
            "mixed cards or stale labels"
        )
    if not fitting[0].is_modelled:
        return Unknown(f"{fitting[0].name} is not modelled: {fitting[0].not_modelled}")
    return fitting[0]


def _unlisted(inventory: Inventory) -> frozenset[str]:
    """Names of products that the catalogue does not know: the file describes them itself."""
    from packer.catalogue.gpus import gpus_matching

    products = {pool.gpu.name: pool.gpu for pool in inventory.pools}
    return frozenset(name for name, gpu in products.items() if gpus_matching(name) != (gpu,))


def _is_near(told: int, nominal: int) -> bool:
    return abs(told - nominal) * 100 <= nominal * _MEMORY_TOLERANCE_PERCENT


def _slice_of(candidates: "tuple[GpuProduct, ...]", kind: "CardKind") -> "GpuProduct | Unknown":
    """A MIG slice as a product of its own; its bandwidth is its part of the card's, an estimate."""
    from packer.catalogue.gpus import estimated_allocatable, gpus_matching
    from packer.cluster.pooling import Unknown
    from packer.domain.basis import Basis

    if len(candidates) > 1:
        return Unknown(f"{kind.product} may be {', '.join(one.name for one in candidates)}")
    card = candidates[0]
    # Labels cannot hold the plus that slices write before "me" (media engines).
    label = f"{card.label}-MIG-{kind.profile.replace('+', '.')}"
    listed = gpus_matching(label)
    if len(listed) == 1:
        return listed[0]
    part = max(1, round(kind.memory_bytes * _MEMORY_SLICES / card.nominal_bytes))
    return replace(
        card,
        name=f"{card.name} MIG {kind.profile}",
        label=label,
        nominal_bytes=kind.memory_bytes,
        allocatable_bytes=estimated_allocatable(kind.memory_bytes),
        allocatable_basis=Basis.ESTIMATED,
        bandwidth_bytes_per_second=card.bandwidth_bytes_per_second * part // _MEMORY_SLICES,
        aliases=(),
    )
