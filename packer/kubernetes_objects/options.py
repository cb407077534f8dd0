"""What a user can decide about rendered objects that the plan leaves open."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from packer.domain.node import Sharing
from packer.domain.rendering import Gateway, MigStrategy
from packer.kubernetes_objects.card_groups import CardGroup
from packer.units import GIB

PRESET_PATH = "/etc/gpu-packer/preset.ini"
"""Where a router pod finds its preset; the router's command line names it."""


@dataclass(frozen=True)
class RenderOptions:
    """Choices of one rendering.

    Attributes:
        namespace: Namespace of every object; empty leaves it to ``kubectl -n``.
        create_namespace: Whether a Namespace object is rendered too.
        sharing: Overrides how every pool's cards are shared.
        allow_host_path: Whether ``file://`` models may be mounted from the node's own disk, which
            gives up the Pod Security level "restricted".
        api_key_secret: Secret that holds the API key; empty serves without a key.
        api_key_entry: Key of the API key in that Secret's data.
        program: Path of llama-server in the image; empty keeps the image's own entry point.
        disk_bytes_per_second: Slowest disk to wait for while models load [bytes/s].
        startup_margin_seconds: Time to start besides reading the model [s].
        cpu_request_millicores: CPU requested by every pod [m].
        scratch_bytes: Room for ``/tmp`` and logs [bytes].
        router_process_bytes: Host memory of a router process itself, an estimate [bytes].
        user_id, group_id: Whom the processes run as; never root.
        termination_grace_seconds: Time to finish answers before a pod is killed [s].
        pool_selectors: Pool name → labels of its nodes, where a product alone does not tell them.
        gateway: What stands in front of all models.
        gateway_image: Image of LiteLLM.
        gateway_secret: Secret with the key clients send LiteLLM.
        gateway_parent: Gateway of the cluster that HTTPRoutes attach to, ``[NAMESPACE/]NAME``.
        monitoring: Whether PodMonitors and alert rules are rendered.
        monitoring_namespace: Namespace of Prometheus, which policies let in.
        network_policy: Whether policies deny what the pods are not for; a LiteLLM gateway has
            them anyway.
        log_buffers: Whether servers log the buffers they allocate, which ``verify`` compares; each
            request then adds some 25 lines to their logs.
        mig_strategy: How the device plugin names MIG slices, where they are asked for from it.
        preset: Text of the router preset of a card group; needed for ``whole``.
        router_command: Command line of the router of a card group, program first, with
            ``--models-preset`` at ``PRESET_PATH``; needed for ``whole``.
    """

    namespace: str = ""
    create_namespace: bool = False
    sharing: Sharing | None = None
    allow_host_path: bool = False
    api_key_secret: str = "llama-api-key"  # noqa: S105 — the name of a Secret, not a secret
    api_key_entry: str = "api-key"
    program: str = "/app/llama-server"
    disk_bytes_per_second: int = 200_000_000
    startup_margin_seconds: int = 120
    cpu_request_millicores: int = 1000
    scratch_bytes: int = GIB
    router_process_bytes: int = GIB // 2
    user_id: int = 65532
    group_id: int = 65532
    termination_grace_seconds: int = 60
    pool_selectors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    gateway: Gateway = Gateway.NONE
    gateway_image: str = "ghcr.io/berriai/litellm-non_root:main-stable"
    gateway_secret: str = "litellm-master-key"  # noqa: S105 — the name of a Secret, not a secret
    gateway_parent: str = "llm"
    monitoring: bool = False
    monitoring_namespace: str = "monitoring"
    network_policy: bool = False
    log_buffers: bool = False
    mig_strategy: MigStrategy = MigStrategy.MIXED
    preset: Callable[[CardGroup], str] | None = None
    router_command: Callable[[CardGroup], tuple[str, ...]] | None = None
