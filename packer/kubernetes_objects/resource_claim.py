"""Claims of whole cards or slices: one per card group, shared by name by all its pods.

A claim hands out cards and names them once; every pod that references it gets the same ones.
Cards tied by a split model must be one claim: the parts of one claim are allocated on one node
together, while two claims could each be given a card on different nodes.
"""

from packer.kubernetes_objects.card_groups import CardGroup
from packer.kubernetes_objects.device_selector import device_request, request_name
from packer.kubernetes_objects.labels import (
    PLAN_HASH,
    PLANNED_BYTES,
    metadata,
    plan_labels,
    planned_bytes,
)
from packer.kubernetes_objects.yaml_text import KubernetesObject, Value
from packer.plan.plan import Placement, Plan

CLAIM = "gpu"
"""Name a pod gives its claim."""


def resource_claim(
    plan: Plan, group: CardGroup, namespace: str, plan_hash: str
) -> KubernetesObject:
    """Claim of a card group with one request per card."""
    requests: list[Value] = [device_request(group, card) for card in group.cards]
    return claim_object(plan, group, namespace, plan_hash, {"requests": requests})


def claim_object(
    plan: Plan, group: CardGroup, namespace: str, plan_hash: str, devices: KubernetesObject
) -> KubernetesObject:
    """The claim all pods of a group share, whatever it asks of the devices."""
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": metadata(
            group.name,
            namespace,
            plan_labels(plan),
            {PLAN_HASH: plan_hash, PLANNED_BYTES: planned_bytes(group.placements)},
        ),
        "spec": {"devices": devices},
    }


def pod_claims(group: CardGroup) -> list[Value]:
    """``spec.resourceClaims`` of a pod on the group's cards."""
    return [{"name": CLAIM, "resourceClaimName": group.name}]


def container_claims(group: CardGroup, placement: Placement) -> list[Value]:
    """``resources.claims`` of a container: one request where that is enough, else the whole claim.

    Containers name requests only of pinned groups: which card an unpinned request was given is not
    known, so there every container sees the whole group and CUDA_VISIBLE_DEVICES picks its cards.
    Two of three requests cannot be named at all: the API merges this list by claim name alone.
    """
    if group.is_pinned and len(placement.gpus) == 1 < len(group.gpus):
        return [{"name": CLAIM, "request": request_name(placement.gpus[0])}]
    return [{"name": CLAIM}]


def visible_devices(group: CardGroup, placement: Placement) -> str:
    """``CUDA_VISIBLE_DEVICES`` of one replica, in the order its split is written for.

    UUIDs where the plan knows them. Otherwise places in PCI bus order among the group's cards:
    every container of the group sees the same cards in the same order, so all of them agree which
    card is which, whatever the claim was given.
    """
    if group.is_pinned:
        uuids = dict(zip(group.gpus, (card.uuid for card in group.cards), strict=True))
        return ",".join(uuids[gpu] for gpu in placement.gpus)
    return ",".join(str(group.rank(gpu)) for gpu in placement.gpus)
