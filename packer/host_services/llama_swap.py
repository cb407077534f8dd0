"""llama-swap's configuration of one host: its servers, and which of them run side by side.

The plan holds all servers of a host in memory at once, so its matrix has one set with all of them.
Whoever adds models by hand writes further sets; the cost of an eviction is what must be read again
[GB].

Source:
    llama-swap of 2026-08, config-schema.json and config.example.yaml; internal/config/macros.go
    replaces ``${NAME}`` anywhere, and a command is split as a POSIX shell splits words.
"""

import shlex
from collections.abc import Iterable

from packer.host_services.command_line import server_words
from packer.host_services.compose import Document
from packer.host_services.options import HostOptions
from packer.host_services.servers import HostServer, startup_seconds

_LEAST_TIMEOUT_SECONDS = 15
_LEAST_LIMIT = 10
"""llama-swap's own limit of requests to one model; beyond it clients are refused."""
_QUEUE_PER_SLOT = 4
_PORT = "${PORT}"
_PORT_PLACE = "\0"
"""Stands for the port until words are quoted: no argument of a plan holds control characters."""


def llama_swap_file(servers: tuple[HostServer, ...], options: HostOptions) -> Document:
    """The configuration of one host."""
    wait = startup_seconds(servers, options.disk_bytes_per_second, options.startup_margin_seconds)
    ids = _ids(servers)
    selectors = _selectors(servers, ids)
    return {
        "healthCheckTimeout": max(wait, _LEAST_TIMEOUT_SECONDS),
        "startPort": options.first_port + 1,
        **({"selectors": selectors} if selectors else {}),
        "models": {ids[server.name]: _model(server, options) for server in servers},
        "routing": {"router": {"use": "matrix", "settings": {"matrix": _matrix(servers, ids)}}},
        "hooks": {"on_startup": {"preload": [ids[server.name] for server in servers]}},
    }


def _ids(servers: Iterable[HostServer]) -> dict[str, str]:
    """Name of a server → its model ID: what clients send, unless replicas of it share the host."""
    names = [server.placement.workload for server in servers]
    return {
        server.name: server.placement.workload
        if names.count(server.placement.workload) == 1
        else server.name
        for server in servers
    }


def _selectors(servers: Iterable[HostServer], ids: dict[str, str]) -> Document:
    """One name for replicas that share the host: a server's slots are filled before the next's."""
    found: Document = {}
    for server in servers:
        workload = server.placement.workload
        if ids[server.name] != workload and workload not in found:
            same = [ids[one.name] for one in servers if one.placement.workload == workload]
            settings: Document = {"spillover": server.placement.variant.slots}
            found[workload] = {"strategy": "spillover", "targets": [*same], "settings": settings}
    return found


def _model(server: HostServer, options: HostOptions) -> Document:
    flags = {"--host": "127.0.0.1", "--port": _PORT_PLACE}
    words = server_words(server, options.program, options.models_folder, flags)
    devices = server.visible_devices
    return {
        "cmd": " ".join(_quoted(word) for word in words),
        "proxy": f"http://127.0.0.1:{_PORT}",
        "checkEndpoint": "/health",
        "env": ["CUDA_DEVICE_ORDER=PCI_BUS_ID", f"CUDA_VISIBLE_DEVICES={devices}"],
        "useModelName": server.placement.workload,
        "concurrencyLimit": max(_LEAST_LIMIT, _QUEUE_PER_SLOT * server.placement.variant.slots),
        "ttl": 0,
    }


def _quoted(word: str) -> str:
    """A word as a shell reads it; ``${`` is cut in two, so that it is no macro."""
    return _PORT if word == _PORT_PLACE else shlex.quote(word).replace("${", "$''{")


def _matrix(servers: tuple[HostServer, ...], ids: dict[str, str]) -> Document:
    short = {f"m{number}": server for number, server in enumerate(servers)}
    return {
        "vars": {name: ids[server.name] for name, server in short.items()},
        "evict_costs": {
            name: max(1, server.load_bytes() // 10**9) for name, server in short.items()
        },
        "sets": {"planned": " & ".join(short)},
    }
