"""Deployments: one pod each, stopped before its successor starts."""

from packer.kubernetes_objects.labels import (
    PLACED,
    PLAN_HASH,
    PLANNED_BYTES,
    PLANNED_HOST_BYTES,
    metadata,
    planned_bytes,
    selector_labels,
    server_labels,
)
from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.pod_template import pod_template
from packer.kubernetes_objects.probes import startup_seconds
from packer.kubernetes_objects.server import Server
from packer.kubernetes_objects.yaml_text import KubernetesObject
from packer.plan.plan import Plan
from packer.plan.running_text import running_text

_SCHEDULING_SECONDS = 600
"""Time for image pull and scheduling before a roll-out counts as stuck [s]."""


def deployment(
    plan: Plan, server: Server, options: RenderOptions, plan_hash: str
) -> KubernetesObject:
    """Deployment of one server.

    The plan's hash, bytes and placement stand on the Deployment, not on its pods: a new plan must
    not restart pods it leaves as they are.
    """
    startup = startup_seconds(server.group, options)
    annotations = {
        PLAN_HASH: plan_hash,
        PLANNED_BYTES: planned_bytes(server.placements),
        PLANNED_HOST_BYTES: str(sum(p.host.total_bytes for p in server.placements)),
        PLACED: running_text(server.placements, _uuids(server)),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(
            server.name,
            options.namespace,
            server_labels(plan, server.name, server.component),
            annotations,
        ),
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 2,
            "progressDeadlineSeconds": startup + _SCHEDULING_SECONDS,
            # A second pod of the same model would need its memory on the card twice.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": selector_labels(plan, server.name)},
            "template": pod_template(plan, server, options),
        },
    }


def _uuids(server: Server) -> dict[tuple[str, int], str]:
    """UUIDs of the cards that the plan names."""
    group = server.group
    if not group.is_pinned:
        return {}
    return {(group.node.name, card.index): card.uuid for card in group.cards}
