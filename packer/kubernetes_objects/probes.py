"""Probes on ``/health``, and how long a server may take to load its model."""

from packer.kubernetes_objects.card_groups import CardGroup
from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.yaml_text import KubernetesObject
from packer.plan.plan import Placement

PORT_NAME = "http"
_STARTUP_PERIOD_SECONDS = 10
_HEALTH: KubernetesObject = {"path": "/health", "port": PORT_NAME}


def startup_seconds(group: CardGroup, options: RenderOptions) -> int:
    """Time a server on these cards may take to load [s]. Estimated.

    After a reboot every model of the node is read at the same time from one disk, so each may have
    to wait for all of them.
    """
    load_bytes = sum(_load_bytes(placement) for placement in group.neighbours)
    return -(-load_bytes // options.disk_bytes_per_second) + options.startup_margin_seconds


def probes(startup: int) -> KubernetesObject:
    """Startup, readiness and liveness probes; ``/health`` answers 503 while a model loads.

    Args:
        startup: Time to start before the container is taken for dead [s].
    """
    return {
        "startupProbe": {
            "httpGet": _HEALTH,
            "periodSeconds": _STARTUP_PERIOD_SECONDS,
            "timeoutSeconds": 5,
            "failureThreshold": -(-startup // _STARTUP_PERIOD_SECONDS),
        },
        "readinessProbe": {
            "httpGet": _HEALTH,
            "periodSeconds": 5,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
        "livenessProbe": {
            "httpGet": _HEALTH,
            "periodSeconds": 10,
            "timeoutSeconds": 10,
            "failureThreshold": 6,
        },
    }


def _load_bytes(placement: Placement) -> int:
    """Bytes read from disk before a replica answers: model, draft model and projector [bytes]."""
    devices = placement.devices
    return (
        placement.variant.file_bytes
        + sum(device.draft_weights_bytes + device.projector_bytes for device in devices)
        + placement.host.draft_bytes
    )
