"""What a placement must keep to be rendered: its command line, its mounts, its router."""

from collections import Counter
from collections.abc import Iterator

from packer.domain.model_mount import pod_path
from packer.domain.mount import InvalidMount, MountKind
from packer.errors import Problem
from packer.kubernetes_objects.card_groups import CardGroup
from packer.kubernetes_objects.container_command import SECRET_FLAGS, port_of
from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.problems import contradiction, shown
from packer.kubernetes_objects.server import replica_name
from packer.kubernetes_objects.volumes import mounts_of
from packer.plan.plan import PlacedVariant, Placement


def placement_problems(placement: Placement, options: RenderOptions) -> Iterator[Problem]:
    """Problems of one replica's command line and model volumes."""
    yield from _command_problems(placement)
    for part in _unmounted(placement.variant):
        yield Problem(
            "P0714",
            f"nothing says which volume holds the {part} of workload {shown(placement.workload)}",
            help="write file: pvc://CLAIM/path/model.gguf (or csi://, image://) in the fleet",
        )
    try:
        mounts = [(mount, pod_path(mount)) for mount in mounts_of(placement)]
    except InvalidMount as error:
        yield Problem(
            "P0715",
            f"a model of workload {shown(placement.workload)} has no usable mount",
            why=str(error),
            help="correct file: in the fleet and plan again",
        )
        return
    for mount, path in mounts:
        if mount.kind is MountKind.HOST and not options.allow_host_path:
            yield _host_path(placement.workload)
        if path not in placement.argv:
            name = shown(replica_name(placement))
            yield contradiction(f"the command line of {name} does not read {path}")


def _unmounted(variant: PlacedVariant) -> Iterator[str]:
    if not variant.mount:
        yield "model"
    if variant.draft_model and not variant.draft_mount:
        yield "draft model"
    if variant.projector_model and not variant.projector_mount:
        yield "projector"


def _host_path(workload: str) -> Problem:
    return Problem(
        "P0716",
        f"a model of workload {shown(workload)} lies on the node's own disk",
        why='a hostPath volume gives up the Pod Security level "restricted"',
        help="use pvc://, csi:// or image://, or render with --allow-host-path",
    )


def _command_problems(placement: Placement) -> Iterator[Problem]:
    name = shown(replica_name(placement))
    if not placement.argv:
        yield contradiction(f"{name} has no command line")
        return
    if not all(argument.isprintable() for argument in placement.argv):
        yield contradiction(f"the command line of {name} holds control characters")
    if any(argument.partition("=")[0] in SECRET_FLAGS for argument in placement.argv):
        yield Problem(
            "P0717",
            f"the command line of {name} holds a secret",
            why="everyone who may read pods, plans or manifests would see it",
            help="leave it out; the API key comes from a Secret",
        )
    try:
        port_of(placement.argv)
    except ValueError as error:
        yield contradiction(f"the command line of {name}: {error}")


def router_problems(group: CardGroup) -> Iterator[Problem]:
    """Replicas that one router cannot serve: it knows one process per model name."""
    counts = Counter(placement.workload for placement in group.placements)
    for workload, count in counts.items():
        if count > 1:
            yield Problem(
                "P0718",
                f"{count} replicas of {shown(workload)} share the router pod of {group.name}",
                why="a router runs one process per model name; the rest would get no requests",
                help=f"write spread: node for {workload}, or one replica with more slots",
            )
