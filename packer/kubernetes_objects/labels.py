"""Labels and annotations: the recommended ones, and ours for what a plan means.

A pod carries ``workload.gpu-packer/NAME: "true"`` for every workload it serves, so that a Service
finds pods of one model and routers of many in the same way.
"""

from collections.abc import Sequence

from packer.kubernetes_objects.names import shortened
from packer.kubernetes_objects.yaml_text import KubernetesObject
from packer.plan.plan import Placement, Plan

NODE_LABEL = "gpu-packer/node"
INSTANCE = "app.kubernetes.io/instance"
PART_OF = "app.kubernetes.io/part-of"
PLAN_HASH = "gpu-packer/plan-sha256"
PLANNED_BYTES = "gpu-packer/planned-bytes"
PLANNED_HOST_BYTES = "gpu-packer/planned-host-bytes"
PLACED = "gpu-packer/placed"


def workload_label(workload: str) -> str:
    """Label key of the pods that serve a workload."""
    return f"workload.gpu-packer/{workload}"


def plan_labels(plan: Plan) -> dict[str, str]:
    """Labels of every object."""
    return {PART_OF: plan.name, "app.kubernetes.io/managed-by": "gpu-packer"}


def selector_labels(plan: Plan, server: str) -> dict[str, str]:
    """Labels that tell one server's pods from all others; a Deployment cannot change them."""
    return {
        "app.kubernetes.io/name": "llama-server",
        INSTANCE: shortened(server),
        PART_OF: plan.name,
    }


def server_labels(plan: Plan, server: str, component: str) -> dict[str, str]:
    """Labels of a Deployment and its pods."""
    return {
        **selector_labels(plan, server),
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/version": plan.server.build,
        "app.kubernetes.io/managed-by": "gpu-packer",
    }


def pod_labels(
    plan: Plan, server: str, component: str, placements: Sequence[Placement]
) -> dict[str, str]:
    """Labels of a pod: its server's, its planned node, and every workload it serves."""
    served = dict.fromkeys(workload_label(placement.workload) for placement in placements)
    return {
        **server_labels(plan, server, component),
        NODE_LABEL: shortened(placements[0].node),
        **dict.fromkeys(served, "true"),
    }


def planned_bytes(placements: Sequence[Placement], gpus: Sequence[int] | None = None) -> str:
    """Bytes the placements take on each card at most, such as ``gpu0=123,gpu1=45``.

    Args:
        placements: Replicas of one node.
        gpus: Only these cards; None for all.
    """
    totals: dict[int, int] = {}
    for placement in placements:
        for gpu, device in zip(placement.gpus, placement.devices, strict=True):
            totals[gpu] = totals.get(gpu, 0) + device.high_bytes
    shown = sorted(totals if gpus is None else totals.keys() & set(gpus))
    return ",".join(f"gpu{gpu}={totals[gpu]}" for gpu in shown)


def metadata(
    name: str,
    namespace: str,
    labels: dict[str, str],
    annotations: dict[str, str] | None = None,
) -> KubernetesObject:
    """Metadata of an object; no namespace leaves it to whoever applies it."""
    return {
        "name": name,
        **({"namespace": namespace} if namespace else {}),
        "labels": labels,
        **({"annotations": annotations} if annotations else {}),
    }
