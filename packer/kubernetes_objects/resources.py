"""Requests and limits of a server's container."""

from packer.kubernetes_objects.card_access import CardAccess
from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.server import Server
from packer.kubernetes_objects.yaml_text import KubernetesObject
from packer.units import MIB, format_quantity


def resources(server: Server, options: RenderOptions, access: CardAccess) -> KubernetesObject:
    """CPU, memory, scratch room and cards of a container.

    The memory limit is the plan's host memory: weights on the CPU, prompt cache, checkpoints and
    the process. Pages of a mapped model file are charged to the pod too, but the kernel takes them
    back before it would kill anything. No CPU limit: throttled threads stall the GPU.
    """
    scratch = format_quantity(options.scratch_bytes)
    memory = format_quantity(host_limit_bytes(server, options))
    bounded = {"memory": memory, "ephemeral-storage": scratch}
    return {
        "requests": {"cpu": _cpu(options.cpu_request_millicores), **bounded},
        "limits": {**bounded, **access.limits},
        **({"claims": access.container_claims} if access.container_claims else {}),
    }


def host_limit_bytes(server: Server, options: RenderOptions) -> int:
    """Memory limit of a container: host memory of all it runs, in whole MiB [bytes]."""
    host_bytes = sum(placement.host.total_bytes for placement in server.placements)
    router_bytes = options.router_process_bytes if server.preset else 0
    return -(-(host_bytes + router_bytes) // MIB) * MIB


def _cpu(millicores: int) -> str:
    return f"{millicores}m" if millicores % 1000 else str(millicores // 1000)
