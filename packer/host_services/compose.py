"""A compose file per host: one service per replica, each with its own cards.

Source:
    compose-spec, 2026-06: services.*.deploy.resources.reservations.devices; ``$$`` is one dollar
    sign in every value.
"""

from typing import TypeAlias

from packer.host_services.command_line import container_folder, host_folder, with_flags
from packer.host_services.options import HostOptions
from packer.host_services.servers import HostServer, startup_seconds
from packer.plan.plan import Plan

Value: TypeAlias = "str | int | bool | list[Value] | Document"
Document: TypeAlias = "dict[str, Value]"
_PORT = 8080
_TMP = "/tmp"  # noqa: S108 — a path in the container


def compose_file(plan: Plan, servers: tuple[HostServer, ...], options: HostOptions) -> Document:
    """The compose file of one host."""
    wait = startup_seconds(servers, options.disk_bytes_per_second, options.startup_margin_seconds)
    return {
        "name": plan.name,
        "services": {server.name: _service(plan, server, options, wait) for server in servers},
    }


def _service(plan: Plan, server: HostServer, options: HostOptions, wait: int) -> Document:
    inside = {"--host": "0.0.0.0", "--port": str(_PORT)}  # noqa: S104 — published below
    words = with_flags(server.placement.argv[1:], inside)
    key: Document = {"env_file": [options.key_file]} if options.key_file else {}
    return {
        "image": plan.server.image,
        "entrypoint": [options.image_program],
        "command": [word.replace("$", "$$") for word in words],
        "environment": {
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            "CUDA_VISIBLE_DEVICES": _visible_devices(server),
            "HOME": _TMP,
            "LLAMA_CACHE": f"{_TMP}/llama.cpp",
        },
        **key,
        "volumes": _volumes(server, options),
        "ports": [
            {
                "target": _PORT,
                "published": str(server.port),
                "host_ip": options.address,
                "protocol": "tcp",
            }
        ],
        "deploy": {"resources": _resources(server)},
        "healthcheck": {
            "test": ["CMD", "curl", "-f", f"http://127.0.0.1:{_PORT}/health"],
            "interval": "10s",
            "timeout": "5s",
            "retries": 3,
            "start_period": f"{wait}s",
        },
        "restart": "unless-stopped",
        "stop_grace_period": f"{options.stop_seconds}s",
        "init": True,
        "user": f"{options.user_id}:{options.group_id}",
        "read_only": True,
        "tmpfs": [f"{_TMP}:size={options.scratch_bytes}"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }


def _visible_devices(server: HostServer) -> str:
    """Cards inside the container, which sees only its own, by the order of the bus."""
    if all(card.uuid for card in server.cards):
        return server.visible_devices
    order = sorted(server.placement.gpus)
    return ",".join(str(order.index(gpu)) for gpu in server.placement.gpus)


def _volumes(server: HostServer, options: HostOptions) -> list[Value]:
    folders = {
        container_folder(mount): host_folder(mount, options.models_folder)
        for mount in server.mounts
    }
    return [
        {
            "type": "bind",
            "source": source.replace("$", "$$"),
            "target": target,
            "read_only": True,
            "bind": {"create_host_path": False},
        }
        for target, source in folders.items()
    ]


def _resources(server: HostServer) -> Document:
    devices = [card.uuid or str(card.index) for card in server.cards]
    reserved: Document = {"driver": "nvidia", "device_ids": [*devices], "capabilities": ["gpu"]}
    return {
        "limits": {"memory": f"{server.memory_limit_bytes}b"},
        "reservations": {"devices": [reserved]},
    }
