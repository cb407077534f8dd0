"""Every claim of a plan, in the order of nodes and cards."""

from collections.abc import Iterator

from packer.domain.node import Sharing
from packer.kubernetes_objects.card_groups import card_groups
from packer.kubernetes_objects.memory_claim import memory_claim, memory_claim_template
from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.resource_claim import claim_parts, resource_claim
from packer.kubernetes_objects.server import replica_name
from packer.kubernetes_objects.yaml_text import KubernetesObject
from packer.plan.plan import Plan


def claims(
    plan: Plan, options: RenderOptions, plan_hash: str
) -> Iterator[tuple[str, KubernetesObject]]:
    """Path and object of every ResourceClaim and ResourceClaimTemplate."""
    namespace = options.namespace
    for group in card_groups(plan, options.sharing):
        if group.sharing is Sharing.DRA:
            for part in claim_parts(group):
                yield f"claims/{part.name}.yaml", resource_claim(plan, part, namespace, plan_hash)
        elif group.shares_claim:
            yield f"claims/{group.name}.yaml", memory_claim(plan, group, namespace, plan_hash)
        elif group.sharing is Sharing.DRA_MEMORY:
            for placement in group.placements:
                template = memory_claim_template(plan, group, placement, namespace, plan_hash)
                yield f"claim-templates/{replica_name(placement)}.yaml", template
