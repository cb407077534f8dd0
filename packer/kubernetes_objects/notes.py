"""NOTES.md beside the manifests: what must exist first, how to apply, what is guaranteed."""

from collections.abc import Iterator

from packer.domain.model_mount import Volume, volume_of
from packer.domain.mount import MountKind
from packer.kubernetes_objects.front_door import front_door, surroundings_needs
from packer.kubernetes_objects.guarantees import describe_guarantees
from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.server import Server
from packer.kubernetes_objects.sharing_needs import sharing_needs
from packer.kubernetes_objects.volumes import mounts_of
from packer.plan.plan import Plan

FILE_NAME = "NOTES.md"


def notes(plan: Plan, servers: tuple[Server, ...], options: RenderOptions) -> str:
    """Markdown text for whoever applies the manifests."""
    lines = [
        f"# Manifests of the plan {plan.name}",
        "",
        "Written by gpu-packer; change the fleet and render again instead of editing.",
        "",
        "## What must exist before",
        "",
        *(f"- {line}" for line in _needs(servers, options)),
        "",
        "## Apply",
        "",
        "```sh",
        "kubectl apply --server-side -k .",
        "```",
        "",
        "## What is planned on each card, and what is guaranteed",
        "",
        *(f"- {line}" for line in describe_guarantees(plan, options.sharing)),
        *_section("Where clients send requests", front_door(plan, options)),
    ]
    return "\n".join(lines) + "\n"


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    """A section that is left out when it has nothing to say."""
    found = [f"- {line}" for line in lines]
    yield from ("", f"## {title}", "", *found) if found else ()


def _needs(servers: tuple[Server, ...], options: RenderOptions) -> Iterator[str]:
    yield from sharing_needs([server.group for server in servers], options.mig_strategy)
    yield from surroundings_needs(options)
    if options.api_key_secret:
        yield (
            f"the Secret `{options.api_key_secret}` with the API key clients send, never written "
            f"here: `kubectl create secret generic {options.api_key_secret} "
            f"--from-file={options.api_key_entry}=FILE{_namespace_flag(options)}`"
        )
    mounts = (mount for s in servers for p in s.placements for mount in mounts_of(p))
    yield from map(_volume_need, dict.fromkeys(map(volume_of, mounts)))


def _volume_need(volume: Volume) -> str:
    needs = {
        MountKind.CLAIM: "the PersistentVolumeClaim `{}` with the model files; pods on several "
        "nodes need the access mode ReadOnlyMany or ReadWriteMany",
        MountKind.CSI: "the CSI driver `{}`, which serves inline volumes",
        MountKind.IMAGE: "image volumes (on by default since Kubernetes 1.35) for `{}`",
        MountKind.HOST: "the directory `{}` on every node; a host path gives up the Pod Security "
        'level "restricted"',
    }
    return needs[volume[0]].format(volume[1])


def _namespace_flag(options: RenderOptions) -> str:
    return f" -n {options.namespace}" if options.namespace else ""
