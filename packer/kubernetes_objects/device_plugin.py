"""Cards and MIG slices by the device plugin: one pod owns them, the plugin chooses them.

Source:
    NVIDIA k8s-device-plugin, MIG strategies: ``mixed`` publishes ``nvidia.com/mig-<profile>``, with
    ``.product`` as a label behind it; ``single`` publishes slices as ``nvidia.com/gpu``
    and names the profile in ``nvidia.com/gpu.product``.
"""

from packer.domain.rendering import MigStrategy
from packer.kubernetes_objects.card_groups import CardGroup

_CARD = "nvidia.com/gpu"
_PRODUCT = "nvidia.com/gpu.product"


def device_limits(group: CardGroup, strategy: MigStrategy) -> dict[str, int]:
    """Limits of the pod that owns the cards of a group."""
    return {_resource(group, strategy): len(group.gpus)}


def product_labels(group: CardGroup, strategy: MigStrategy) -> dict[str, str]:
    """Labels of the nodes that have the planned product."""
    if group.slice and strategy is MigStrategy.MIXED:
        return {f"{_resource(group, strategy)}.product": group.node.product_label}
    return {_PRODUCT: group.node.product_label}


def _resource(group: CardGroup, strategy: MigStrategy) -> str:
    if group.slice and strategy is MigStrategy.MIXED:
        return f"nvidia.com/mig-{group.slice.profile}"
    return _CARD
