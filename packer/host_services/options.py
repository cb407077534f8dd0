"""What a user can decide about services on hosts that the plan leaves open."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from packer.host_services.servers import HostServer


class HostTarget(StrEnum):
    """What runs the servers of a host."""

    SYSTEMD = "systemd"
    COMPOSE = "compose"
    LLAMA_SWAP = "llama-swap"


@dataclass(frozen=True)
class HostOptions:
    """Choices of one rendering for hosts.

    Attributes:
        program: Path of llama-server on the hosts.
        image_program: Path of llama-server in the plan's image, for compose.
        checker: Path of gpu-packer on the hosts; empty starts servers unchecked.
        models_folder: Where the volumes of the fleet's ``file:`` lie on the hosts.
        address: Address the servers listen on.
        first_port: Port of the first server of each host; the next ones count up.
        key_file: File with ``LLAMA_API_KEY=…``; empty serves without a key.
        disk_bytes_per_second: Slowest disk to wait for while models load [bytes/s].
        startup_margin_seconds: Time to start besides reading the model [s].
        stop_seconds: Time to finish answers before a server is killed [s].
        scratch_bytes: Room for ``/tmp`` of a container [bytes].
        user_id, group_id: Whom containers run as.
        estimate: Words of ``gpu-packer`` that check a server against its part of its cards; None
            where nothing checks.
    """

    program: str = "/usr/local/bin/llama-server"
    image_program: str = "/app/llama-server"
    checker: str = "/usr/local/bin/gpu-packer"
    models_folder: str = "/models"
    address: str = "127.0.0.1"
    first_port: int = 8080
    key_file: str = "/etc/gpu-packer/llama-server.env"
    disk_bytes_per_second: int = 200_000_000
    startup_margin_seconds: int = 120
    stop_seconds: int = 60
    scratch_bytes: int = 2**30
    user_id: int = 65532
    group_id: int = 65532
    estimate: Callable[[HostServer, tuple[str, ...]], tuple[str, ...]] | None = None
