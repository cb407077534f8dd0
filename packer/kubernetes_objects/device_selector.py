"""Which device a request of a claim means: class and CEL expression, for cards and MIG slices."""

from packer.domain.gpu import MigSlice
from packer.kubernetes_objects.card_groups import CardGroup
from packer.kubernetes_objects.yaml_text import KubernetesObject
from packer.plan.plan import CardBudget
from packer.units import format_quantity

DRIVER = "gpu.nvidia.com"
_CARD_CLASS = "gpu.nvidia.com"
_SLICE_CLASS = "mig.nvidia.com"
_ATTRIBUTES = f"device.attributes['{DRIVER}']"


def request_name(gpu: int) -> str:
    """Name of a card's request in its group's claim."""
    return f"gpu{gpu}"


def device_request(
    group: CardGroup, card: CardBudget, memory_bytes: int | None = None
) -> KubernetesObject:
    """Request for one card of a group.

    Args:
        group: The card's group.
        card: The card.
        memory_bytes: Part of its memory to take, where the driver lets claims share a card.
    """
    capacity = {"requests": {"memory": format_quantity(memory_bytes)}} if memory_bytes else None
    return {
        "name": request_name(card.index),
        "exactly": {
            "deviceClassName": _SLICE_CLASS if group.slice else _CARD_CLASS,
            "selectors": [{"cel": {"expression": _expression(group, card)}}],
            **({"capacity": capacity} if capacity else {}),
        },
    }


def _expression(group: CardGroup, card: CardBudget) -> str:
    if group.is_pinned:
        return f"{_ATTRIBUTES}.uuid == '{card.uuid}'"
    if group.slice:
        return _slice_expression(group.slice, card)
    return _card_expression(group.node.product_label, card)


def _card_expression(product_label: str, card: CardBudget) -> str:
    """CEL that takes any card of the planned product with the planned memory.

    The driver publishes names with spaces (``NVIDIA L40S``); the node label, which the catalogue
    and the plan hold, has hyphens in their place. Capacity is what nvidia-smi calls the total,
    never less than what llama.cpp can allocate.
    """
    return (
        f"{_product(product_label)}"
        f" && device.capacity['{DRIVER}'].memory"
        f".compareTo(quantity('{format_quantity(card.allocatable_bytes)}')) >= 0"
    )


def _slice_expression(slice_: MigSlice, card: CardBudget) -> str:
    """CEL that takes any slice of the profile, of the named card if the plan names it.

    Source:
        NVIDIA DRA driver v0.5, cmd/gpu-kubelet-plugin/deviceinfo.go: attributes ``profile``,
        ``productName`` and ``parentUUID`` of a MIG device; the profile has a plus where labels
        have a dot (``1g.10gb+me``).
    """
    profile = slice_.profile.replace(".me", "+me")
    parent = f" && {_ATTRIBUTES}.parentUUID == '{card.uuid}'" if card.uuid else ""
    return f"{_product(slice_.card_label)} && {_ATTRIBUTES}.profile == '{profile}'{parent}"


def _product(label: str) -> str:
    return f"{_ATTRIBUTES}.productName.replace(' ', '-') == '{label}'"
