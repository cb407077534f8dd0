"""What a server's pod asks for to get at its cards, in every way of sharing them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from packer.domain.node import Sharing
from packer.kubernetes_objects.device_plugin import device_limits
from packer.kubernetes_objects.hami import (
    SCHEDULER,
    hami_annotations,
    hami_environment,
    hami_limits,
)
from packer.kubernetes_objects.memory_claim import template_claims
from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.resource_claim import (
    CLAIM,
    container_claims,
    pod_claims,
    visible_devices,
)
from packer.kubernetes_objects.server import Server
from packer.kubernetes_objects.yaml_text import Value


@dataclass(frozen=True)
class CardAccess:
    """Parts of a pod that give it cards.

    Attributes:
        pod_claims: ``spec.resourceClaims``.
        container_claims: ``resources.claims`` of the container.
        limits: Extended resources of the container.
        annotations: Of the pod.
        environment: Of the container.
        scheduler: ``spec.schedulerName``; empty for the cluster's own.
    """

    pod_claims: list[Value] = field(default_factory=list)
    container_claims: list[Value] = field(default_factory=list)
    limits: Mapping[str, int] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    scheduler: str = ""


def card_access(server: Server, options: RenderOptions) -> CardAccess:
    """How one server gets at its cards."""
    group, placement = server.group, server.placements[0]
    if group.sharing is Sharing.WHOLE:
        return CardAccess(limits=device_limits(group, options.mig_strategy))
    if group.sharing is Sharing.HAMI:
        return CardAccess(
            limits=hami_limits(placement),
            annotations=hami_annotations(group, placement),
            environment=hami_environment(placement),
            scheduler=SCHEDULER,
        )
    visible = {"CUDA_VISIBLE_DEVICES": visible_devices(group, placement)}
    if group.shares_claim:
        claims = container_claims(group, placement)
        return CardAccess(pod_claims(group, placement), claims, environment=visible)
    return CardAccess(template_claims(group, placement), [{"name": CLAIM}], environment=visible)
