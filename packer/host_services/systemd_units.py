"""systemd units: one service per replica, and one target that starts all of a host."""

from collections.abc import Iterator

from packer.host_services.command_line import host_folder, server_words
from packer.host_services.options import HostOptions
from packer.host_services.servers import HostServer
from packer.host_services.systemd_text import command_line, environment, plain_text
from packer.plan.plan import Plan

# Everything but the cards' device files and the network, which a server needs.
_HARDENING = (
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    "PrivateTmp=yes",
    "ProtectControlGroups=yes",
    "ProtectKernelTunables=yes",
    "RestrictSUIDSGID=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
)


def systemd_units(
    plan: Plan, host: str, servers: tuple[HostServer, ...], options: HostOptions
) -> dict[str, str]:
    """File name → text of every unit of a host."""
    target = f"llama-{plan.name}.target"
    units = {unit_name(server): _service(plan, server, target, options) for server in servers}
    return {target: _target(plan, host, tuple(units)), **units}


def unit_name(server: HostServer) -> str:
    """Name of the service of a replica."""
    return f"llama-{server.name}.service"


def _target(plan: Plan, host: str, services: tuple[str, ...]) -> str:
    lines = (
        "[Unit]",
        f"Description={plain_text(f'llama-servers of the plan {plan.name} on {host}')}",
        *(f"Wants={service}" for service in services),
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    )
    return _text(lines)


def _service(plan: Plan, server: HostServer, target: str, options: HostOptions) -> str:
    lines = (
        "[Unit]",
        f"Description={plain_text(f'llama-server {server.name} of the plan {plan.name}')}",
        f"PartOf={target}",
        "Wants=network-online.target",
        "After=network-online.target nvidia-persistenced.service",
        *_folders(server, options),
        "StartLimitIntervalSec=600",
        "StartLimitBurst=5",
        "",
        "[Service]",
        "Type=exec",
        *_run(server, options),
        "Restart=on-failure",
        "RestartSec=10",
        f"TimeoutStopSec={options.stop_seconds}",
        f"MemoryMax={server.memory_limit_bytes}",
        "DynamicUser=yes",
        f"CacheDirectory=llama-{server.name}",
        *_HARDENING,
        "",
        "[Install]",
        f"WantedBy={target}",
    )
    return _text(lines)


def _folders(server: HostServer, options: HostOptions) -> Iterator[str]:
    """Folders that must be mounted first; a path may hold nothing that needs quoting."""
    folders = (host_folder(mount, options.models_folder) for mount in server.mounts)
    yield from (f"RequiresMountsFor={plain_text(folder)}" for folder in dict.fromkeys(folders))


def _run(server: HostServer, options: HostOptions) -> Iterator[str]:
    flags = {"--host": options.address, "--port": str(server.port)}
    words = server_words(server, options.program, options.models_folder, flags)
    yield f"Environment={environment('CUDA_DEVICE_ORDER', 'PCI_BUS_ID')}"
    yield f"Environment={environment('CUDA_VISIBLE_DEVICES', server.visible_devices)}"
    # %C is the cache directory; CUDA keeps compiled kernels below the home directory.
    yield f"Environment=HOME=%C/llama-{server.name} LLAMA_CACHE=%C/llama-{server.name}"
    if options.key_file:
        yield f"EnvironmentFile={plain_text(options.key_file)}"
    if options.checker and options.estimate:
        yield f"ExecStartPre={command_line((options.checker, *options.estimate(server, words)))}"
    yield f"ExecStart={command_line(words)}"


def _text(lines: tuple[str, ...]) -> str:
    return "\n".join(lines) + "\n"
