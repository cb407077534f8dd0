"""Claims of whole cards or slices, shared by name by all pods on them.

A claim hands out cards and names them once; every pod that references it gets the same ones. A card
that the plan names by UUID has a claim of its own, so that a change of one server leaves the claims
of its neighbours alone. Unnamed cards that split models tie are one claim: its parts are allocated
on one node together, while two claims could each be given a card on different nodes.
"""

from dataclasses import replace

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
            {PLAN_HASH: plan_hash, PLANNED_BYTES: planned_bytes(group.placements, group.gpus)},
        ),
        "spec": {"devices": devices},
    }


def claim_parts(group: CardGroup) -> tuple[CardGroup, ...]:
    """Parts of a group that have a claim each: every named card, or the group as a whole."""
    if not group.is_pinned:
        return (group,)
    return tuple(card_part(group, gpu) for gpu in group.gpus)


def card_part(group: CardGroup, gpu: int) -> CardGroup:
    """One card of a group with the replicas on it."""
    on_it = tuple(placed for placed in group.placements if gpu in placed.gpus)
    return replace(group, gpus=(gpu,), placements=on_it)


def pod_claims(group: CardGroup, placement: Placement) -> list[Value]:
    """``spec.resourceClaims`` of a pod on cards of the group, in the order of its cards."""
    if not group.is_pinned:
        return [{"name": CLAIM, "resourceClaimName": group.name}]
    return [
        {"name": request_name(gpu), "resourceClaimName": card_part(group, gpu).name}
        for gpu in placement.gpus
    ]


def container_claims(group: CardGroup, placement: Placement) -> list[Value]:
    """``resources.claims`` of a container: its own cards where they are named.

    Which card an unnamed request was given is not known, so there every container sees the whole
    group and CUDA_VISIBLE_DEVICES picks its cards.
    """
    if not group.is_pinned:
        return [{"name": CLAIM}]
    return [{"name": request_name(gpu)} for gpu in placement.gpus]


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
