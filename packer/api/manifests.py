"""Kubernetes manifests of a plan."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from packer.domain.node import Sharing
from packer.domain.rendering import Gateway, MigStrategy

if TYPE_CHECKING:
    from packer.domain.server_options import ServerOptions
    from packer.kubernetes_objects.card_groups import CardGroup
    from packer.kubernetes_objects.options import RenderOptions
    from packer.plan.plan import Placement, Plan


class ManifestChoices(TypedDict, total=False):
    """What the plan leaves open; each as in ``RenderOptions``, whose defaults hold.

    Attributes:
        namespace: Namespace of every object; ``llm`` unless it is given.
        sharing: Overrides how every pool's cards are shared.
    """

    namespace: str
    create_namespace: bool
    sharing: Sharing | None
    mig_strategy: MigStrategy
    allow_host_path: bool
    api_key_secret: str
    pool_selectors: Mapping[str, Mapping[str, str]]
    disk_bytes_per_second: int
    gateway: Gateway
    gateway_image: str
    gateway_parent: str
    monitoring: bool
    monitoring_namespace: str
    network_policy: bool
    log_buffers: bool


def manifests(plan: "Plan", **choices: Unpack[ManifestChoices]) -> dict[str, str]:
    """Kubernetes manifests of a plan: relative path → YAML."""
    from packer.kubernetes_objects.render import render as render_objects

    return render_objects(plan, _render_options(plan, choices))


def manifest_objects(plan: "Plan", **choices: Unpack[ManifestChoices]) -> "list[dict[str, Any]]":
    """Kubernetes objects of a plan, as its manifests hold them."""
    from packer.kubernetes_objects.render import rendered_objects

    return [_plain(one) for one in rendered_objects(plan, _render_options(plan, choices))]


def served_placements(
    plan: "Plan", **choices: Unpack[ManifestChoices]
) -> "dict[str, tuple[Placement, ...]]":
    """Name of every rendered server → replicas it serves; a router serves several."""
    from packer.kubernetes_objects.server import servers

    return {one.name: one.placements for one in servers(plan, _render_options(plan, choices))}


def _plain(value: Any) -> Any:
    """Lists and dictionaries all the way down, as JSON has them."""
    if isinstance(value, str | int):
        return value
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def _render_options(plan: "Plan", choices: ManifestChoices) -> "RenderOptions":
    from packer.domain.serving_options import ServingOptions
    from packer.kubernetes_objects.options import PRESET_PATH, RenderOptions
    from packer.llamacpp.arguments import parse_arguments
    from packer.llamacpp.command import format_router_command
    from packer.llamacpp.router_preset import format_preset

    build = plan.server.build

    def preset(group: "CardGroup") -> str:
        models = []
        for one in group.placements:
            told = parse_arguments(one.argv, build=build)
            options = _on_devices(told, group.device_names(one))
            draft = told.draft.model if told.draft else ""
            serving = ServingOptions(
                alias=one.workload,
                model_path=told.model,
                draft_path=draft,
                projector_path=told.projector or "",
            )
            models.append((options, serving))
        return format_preset(models, build=build)

    def router_command(group: "CardGroup") -> tuple[str, ...]:
        serving = ServingOptions(alias="", model_path="")
        return format_router_command(PRESET_PATH, len(group.placements), serving, build=build)

    named: ManifestChoices = {"namespace": "llm", "gateway": plan.policy.gateway, **choices}
    return RenderOptions(**named, preset=preset, router_command=router_command)


def _on_devices(told: "ServerOptions", devices: tuple[str, ...]) -> "ServerOptions":
    """Options of a server in a pod that sees more cards than its own: every part on its own."""
    draft = replace(told.draft, devices=devices) if told.draft else None
    projector = devices[0] if told.projector and told.projector_offload else None
    return replace(told, devices=devices, draft=draft, projector_device=projector)


def render(plan: "Plan", out: str | Path, **choices: Unpack[ManifestChoices]) -> tuple[str, ...]:
    """Write the manifests of a plan into a folder; returns their relative paths."""
    from packer.files.directory import write_tree

    texts = manifests(plan, **choices)
    write_tree(Path(out), texts, "manifests")
    return tuple(sorted(texts))


def guarantees(plan: "Plan", *, sharing: Sharing | None = None) -> tuple[str, ...]:
    """Per card: what is planned, and what the sharing mechanism guarantees."""
    from packer.kubernetes_objects.guarantees import describe_guarantees

    return tuple(describe_guarantees(plan, sharing))
