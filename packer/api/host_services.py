"""Services of a plan on hosts without Kubernetes."""

from pathlib import Path
from typing import TYPE_CHECKING

from packer.errors import InvalidInput
from packer.units import MIB

if TYPE_CHECKING:
    from packer.host_services.options import HostOptions, HostTarget
    from packer.host_services.servers import HostServer
    from packer.plan.plan import Plan


def host_services(
    plan: "Plan", target: "HostTarget", options: "HostOptions | None" = None
) -> dict[str, str]:
    """Systemd units, compose files or llama-swap configurations: relative path → text."""
    from packer.host_services.options import HostOptions
    from packer.host_services.render import host_files
    from packer.kubernetes_objects.yaml_text import to_yaml

    files = host_files(plan, target, _checked(plan, options or HostOptions()))
    header = f"Written by gpu-packer from the plan {plan.name}; change the fleet and render again."
    texts = {
        path: content if isinstance(content, str) else to_yaml(content, header)
        for path, content in files.items()
    }
    return {
        path: f"# {header}\n{text}" if path.endswith((".service", ".target")) else text
        for path, text in texts.items()
    }


def render_host_services(
    plan: "Plan", out: str | Path, target: "HostTarget", options: "HostOptions | None" = None
) -> tuple[str, ...]:
    """Write the services of a plan into a folder; returns their relative paths."""
    from packer.files.directory import write_tree

    texts = host_services(plan, target, options)
    write_tree(Path(out), texts, "host services")
    return tuple(sorted(texts))


def host_guarantees(
    plan: "Plan", target: "HostTarget", options: "HostOptions | None" = None
) -> tuple[str, ...]:
    """Per card: what is planned, and what holds its servers to it."""
    from packer.host_services.notes import host_guarantees as describe
    from packer.host_services.options import HostOptions
    from packer.host_services.servers import host_servers

    chosen = _checked(plan, options or HostOptions())
    return describe(plan, host_servers(plan, chosen.first_port), target, chosen)


def _checked(plan: "Plan", options: "HostOptions") -> "HostOptions":
    """Options with the words that let gpu-packer check a server before it starts."""
    from dataclasses import replace

    def estimate(server: "HostServer", words: tuple[str, ...]) -> tuple[str, ...]:
        cards = _cards(server)
        left = ",".join(f"{size // MIB}Mi" for size in server.left_bytes())
        host = f"{server.memory_limit_bytes // MIB}Mi"
        sizes = (*cards, "--left", left, "--host-memory", host)
        return ("estimate", *sizes, "--build", plan.server.build, "--", *words)

    return replace(options, estimate=estimate)


def _cards(server: "HostServer") -> tuple[str, ...]:
    """The cards as ``estimate`` is told them: by product, or by size where nobody knows it."""
    from packer.catalogue.gpus import find_gpu

    product, count = server.node.product, len(server.placement.gpus)
    try:
        find_gpu(product)
    except InvalidInput:
        return "--gpus", ",".join(f"{card.allocatable_bytes // MIB}Mi" for card in server.cards)
    return "--gpu", f"{product}:{count}"
