"""Claims of a part of a card's memory (consumable capacity): the scheduler adds them up.

Where the plan names its cards, every replica claims its own bytes of its own cards, from a
template, so that each pod's share is accounted by itself. Where it does not, one claim per card
group asks for the sum: separate claims would be packed by the scheduler one by one, in any order,
and might then not fit on the planned number of cards.

Source:
    KEP-5075 (beta and on by default in Kubernetes 1.36); NVIDIA's DRA driver v0.5 with
    ``consumableShares=memory`` takes requests in steps of 1 Mi.
"""

import json
from hashlib import sha256

from packer.kubernetes_objects.card_groups import CardGroup
from packer.kubernetes_objects.device_selector import DRIVER, device_request, request_name
from packer.kubernetes_objects.labels import (
    PLAN_HASH,
    PLANNED_BYTES,
    metadata,
    plan_labels,
    planned_bytes,
)
from packer.kubernetes_objects.names import LONGEST_NAME, shortened
from packer.kubernetes_objects.resource_claim import CLAIM, claim_object
from packer.kubernetes_objects.server import replica_name
from packer.kubernetes_objects.yaml_text import KubernetesObject, Value
from packer.plan.plan import Placement, Plan
from packer.units import MIB


def memory_claim(plan: Plan, group: CardGroup, namespace: str, plan_hash: str) -> KubernetesObject:
    """Claim of all bytes planned on the cards of a group.

    Two requests of one claim could be given parts of the same card; a split model needs them on
    different ones.
    """
    requests: list[Value] = [
        device_request(group, card, _whole_mib(card.used_bytes)) for card in group.cards
    ]
    apart: KubernetesObject = {
        "requests": [request_name(gpu) for gpu in group.gpus],
        "distinctAttribute": f"{DRIVER}/uuid",
    }
    constraints = {"constraints": [apart]} if len(group.gpus) > 1 else {}
    return claim_object(plan, group, namespace, plan_hash, {"requests": requests, **constraints})


def memory_claim_template(
    plan: Plan, group: CardGroup, placement: Placement, namespace: str, plan_hash: str
) -> KubernetesObject:
    """Template of the claim of one replica: its bytes of each of its cards, by UUID."""
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": metadata(
            template_name(group, placement),
            namespace,
            plan_labels(plan),
            {PLAN_HASH: plan_hash, PLANNED_BYTES: planned_bytes((placement,))},
        ),
        "spec": {
            "metadata": {"labels": plan_labels(plan)},
            "spec": {"devices": {"requests": _requests(group, placement)}},
        },
    }


def template_name(group: CardGroup, placement: Placement) -> str:
    """Name of a replica's template. A template cannot be changed, so a new request renames it."""
    text = json.dumps(_requests(group, placement), sort_keys=True)
    digest = sha256(text.encode()).hexdigest()[:8]
    return shortened(f"{replica_name(placement)}-{digest}", LONGEST_NAME)


def template_claims(group: CardGroup, placement: Placement) -> list[Value]:
    """``spec.resourceClaims`` of a pod with a claim of its own."""
    return [{"name": CLAIM, "resourceClaimTemplateName": template_name(group, placement)}]


def _requests(group: CardGroup, placement: Placement) -> list[Value]:
    cards = {card.index: card for card in group.cards}
    return [
        device_request(group, cards[gpu], _whole_mib(device.high_bytes))
        for gpu, device in zip(placement.gpus, placement.devices, strict=True)
    ]


def _whole_mib(planned: int) -> int:
    """Planned bytes, rounded up to the driver's step [bytes]."""
    return -(-planned // MIB) * MIB
