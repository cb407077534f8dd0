"""Volumes of a pod: the models, a place to scratch, and a router's preset."""

from collections.abc import Iterable

from packer.domain.model_mount import Volume, mount_path, volume_of
from packer.domain.mount import Mount, MountKind, parse_mount
from packer.kubernetes_objects.options import PRESET_PATH, RenderOptions
from packer.kubernetes_objects.yaml_text import KubernetesObject, Value
from packer.plan.plan import Placement
from packer.units import format_quantity

_PRESET_DIRECTORY = PRESET_PATH.rpartition("/")[0]


def mounts_of(placement: Placement) -> tuple[Mount, ...]:
    """Every model file of one replica: its model, draft model and projector.

    Raises:
        InvalidMount: A URI is not a mount.
    """
    variant = placement.variant
    uris = (variant.mount, variant.draft_mount, variant.projector_mount)
    return tuple(parse_mount(uri) for uri in uris if uri)


def model_volumes(placements: Iterable[Placement]) -> tuple[list[Value], list[Value]]:
    """Volumes and mounts of all models of one pod, each volume once, read-only."""
    distinct = dict.fromkeys(volume_of(m) for placed in placements for m in mounts_of(placed))
    volumes: list[Value] = []
    mounts: list[Value] = []
    for index, volume in enumerate(distinct):
        name = f"models-{index}"
        volumes.append({"name": name, **_volume_source(volume)})
        mounts.append({"name": name, "mountPath": mount_path(volume), "readOnly": True})
    return volumes, mounts


def scratch_volume(options: RenderOptions) -> tuple[Value, Value]:
    """Volume and mount of ``/tmp``, the only place a server can write to."""
    size = format_quantity(options.scratch_bytes // 2)
    return (
        {"name": "scratch", "emptyDir": {"sizeLimit": size}},
        {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108 — a path in the pod
    )


def preset_volume(config_map: str) -> tuple[Value, Value]:
    """Volume and mount of a router's preset."""
    return (
        {"name": "preset", "configMap": {"name": config_map}},
        {"name": "preset", "mountPath": _PRESET_DIRECTORY, "readOnly": True},
    )


def _volume_source(volume: Volume) -> KubernetesObject:
    kind, source, attributes = volume
    sources: dict[MountKind, KubernetesObject] = {
        MountKind.CLAIM: {
            "persistentVolumeClaim": {"claimName": source, "readOnly": True},
        },
        MountKind.CSI: {
            "csi": {
                "driver": source,
                "readOnly": True,
                **({"volumeAttributes": dict(attributes)} if attributes else {}),
            },
        },
        MountKind.IMAGE: {"image": {"reference": source, "pullPolicy": "IfNotPresent"}},
        MountKind.HOST: {"hostPath": {"path": source, "type": "Directory"}},
    }
    return sources[kind]
