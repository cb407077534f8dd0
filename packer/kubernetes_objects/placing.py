"""Where pods may land: on the very node of a live cluster, or on one node per planned node.

Planned nodes that nobody has named yet are kept apart and together by labels: pods of one planned
node share a real node, pods of two never do. So spread and keep-apart hold as planned, and a small
claim cannot take the last card a larger one on the same real node would need.
"""

from packer.domain.node import Sharing
from packer.domain.workload import Spread
from packer.kubernetes_objects.card_groups import CardGroup
from packer.kubernetes_objects.device_plugin import product_labels
from packer.kubernetes_objects.labels import NODE_LABEL, PART_OF, workload_label
from packer.kubernetes_objects.names import shortened
from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.server import Server
from packer.kubernetes_objects.yaml_text import KubernetesObject, Value
from packer.plan.plan import NodeBudget, Plan

_HOSTNAME = "kubernetes.io/hostname"
_ZONE = "topology.kubernetes.io/zone"

GPU_TOLERATION: KubernetesObject = {
    "key": "nvidia.com/gpu",
    "operator": "Exists",
    "effect": "NoSchedule",
}


def placing(plan: Plan, server: Server, options: RenderOptions) -> KubernetesObject:
    """``nodeSelector``, ``affinity`` and ``tolerations`` of a server's pod."""
    group = server.group
    selector = {} if group.node.is_live else _node_selector(group, options)
    affinity = _named_node(group.node) if group.node.is_live else _unnamed_node(plan, server)
    return {
        **({"nodeSelector": selector} if selector else {}),
        **({"affinity": affinity} if affinity else {}),
        "tolerations": [GPU_TOLERATION],
    }


def _node_selector(group: CardGroup, options: RenderOptions) -> dict[str, Value]:
    """Labels every node of the planned kind has.

    The product label only where the device plugin's stack writes it; with claims it may be absent,
    and the claim itself asks for the product.
    """
    node, is_whole = group.node, group.sharing is Sharing.WHOLE
    return {
        **(product_labels(group, options.mig_strategy) if is_whole else {}),
        **({_ZONE: node.zone} if node.zone else {}),
        **options.pool_selectors.get(node.pool, {}),
    }


def _named_node(node: NodeBudget) -> dict[str, Value]:
    """Affinity to a node by its name; its hostname label need not be the same."""
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node.name]}]}
    return {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}
        }
    }


def _unnamed_node(plan: Plan, server: Server) -> dict[str, Value]:
    together = _same_node(plan, server.group)
    apart = [*_other_nodes(plan, server.group), *_spread(plan, server)]
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    return {
        **({"podAffinity": {required: together}} if together else {}),
        **({"podAntiAffinity": {required: apart}} if apart else {}),
    }


def _same_node(plan: Plan, group: CardGroup) -> list[Value]:
    """Pods of the same planned node, unless they are one, or one claim holds them together."""
    is_held = group.shares_claim or group.sharing is Sharing.WHOLE or len(group.placements) == 1
    if is_held and len(group.neighbours) == len(group.placements):
        return []
    labels = {PART_OF: plan.name, NODE_LABEL: shortened(group.node.name)}
    return [{"labelSelector": {"matchLabels": labels}, "topologyKey": _HOSTNAME}]


def _other_nodes(plan: Plan, group: CardGroup) -> list[Value]:
    """Pods of every other planned node."""
    if sum(node.is_used and not node.is_live for node in plan.nodes) < 2:
        return []
    other: KubernetesObject = {
        "key": NODE_LABEL,
        "operator": "NotIn",
        "values": [shortened(group.node.name)],
    }
    selector: KubernetesObject = {
        "matchLabels": {PART_OF: plan.name},
        "matchExpressions": [{"key": NODE_LABEL, "operator": "Exists"}, other],
    }
    return [{"labelSelector": selector, "topologyKey": _HOSTNAME}]


def _spread(plan: Plan, server: Server) -> list[Value]:
    """Replicas of the same workload, where the fleet spreads them; said once more on its own."""
    here = {placement.workload for placement in server.placements}
    topology = {Spread.NODE: _HOSTNAME, Spread.ZONE: _ZONE}
    return [
        {
            "labelSelector": {
                "matchLabels": {PART_OF: plan.name, workload_label(workload.name): "true"}
            },
            "topologyKey": topology[workload.spread],
        }
        for workload in plan.workloads
        if workload.name in here and workload.replicas > 1 and workload.spread in topology
    ]
