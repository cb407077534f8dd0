"""Probes, and how long a server may take to load its model.

A router answers ``/health`` before any of its models is loaded, so its start-up probe asks every
model. That needs the API key and several requests, which only a command can do.
"""

import shlex

from packer.kubernetes_objects.card_groups import CardGroup
from packer.kubernetes_objects.container_command import port_of
from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.server import Server
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


def probes(server: Server, startup: int) -> KubernetesObject:
    """Startup, readiness and liveness probes; ``/health`` answers 503 while a model loads.

    Args:
        server: What is asked.
        startup: Time to start before the container is taken for dead [s].
    """
    return {
        "startupProbe": {
            **_started(server),
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


def _started(server: Server) -> KubernetesObject:
    """What shows that everything a server serves is loaded.

    Source:
        llama.cpp b11434, tools/server/README.md: a router forwards ``GET /props?model=NAME`` and
        answers 503 while that model loads; the server image holds curl for its own health check.
    """
    if not server.preset:
        return {"httpGet": _HEALTH}
    names = " ".join(shlex.quote(placement.workload) for placement in server.placements)
    url = f"http://127.0.0.1:{port_of(server.argv)}/props?model=$m&autoload=false"
    script = (
        f"for m in {names}; do curl -fsS -o /dev/null -m 4 "
        f'-H "Authorization: Bearer ${{LLAMA_API_KEY:-none}}" "{url}" || exit 1; done'
    )
    return {"exec": {"command": ["/bin/sh", "-c", script]}}


def _load_bytes(placement: Placement) -> int:
    """Bytes read from disk before a replica answers: model, draft model and projector [bytes]."""
    devices = placement.devices
    return (
        placement.variant.file_bytes
        + sum(device.draft_weights_bytes + device.projector_bytes for device in devices)
        + placement.host.draft_bytes
    )
