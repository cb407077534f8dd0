"""What pods hold of their nodes: memory and cards that the scheduler counts as given."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from packer.cluster.connection import Json
from packer.cluster.ownership import plan_of
from packer.units import parse_quantity

GPU = "nvidia.com/gpu"
_HAMI_ALLOCATED = "hami.io/vgpu-devices-allocated"


@dataclass(frozen=True)
class Pod:
    """One pod that has not ended.

    Attributes:
        node: Where it is bound; empty while it waits.
        plan: Plan it was rendered from; empty for pods of others.
        memory_bytes: Memory the scheduler counts for it on the node [bytes].
        gpus: Cards asked of the device plugin.
        resources: Every ``nvidia.com/…`` amount it asks for, such as MIG slices.
        hami_bytes: Card UUID → memory HAMi gave it [bytes].
    """

    namespace: str
    name: str
    uid: str
    node: str
    plan: str
    memory_bytes: int
    resources: Mapping[str, int]
    hami_bytes: Mapping[str, int]

    @property
    def gpus(self) -> int:
        """Whole cards asked of the device plugin."""
        return self.resources.get(GPU, 0)


def pod_of(item: Json) -> Pod | None:
    """The pod of an API object; None once it has ended, for then it holds nothing."""
    if item.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return None
    meta, spec = item["metadata"], item["spec"]
    requests = pod_requests(spec)
    return Pod(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        node=spec.get("nodeName", ""),
        plan=plan_of(item),
        memory_bytes=requests.get("memory", 0),
        resources={name: n for name, n in requests.items() if name.startswith("nvidia.com/") and n},
        hami_bytes=_hami_bytes((meta.get("annotations") or {}).get(_HAMI_ALLOCATED, "")),
    )


def pod_requests(spec: Json) -> dict[str, int]:
    """Resource → amount the scheduler counts for a pod, in whole units rounded up. Exact.

    Source:
        Kubernetes, component-helpers/resource/helpers.go: containers and side cars together, or
        the largest init container with the side cars started before it; requests of the pod as a
        whole replace that; overhead is added.
    """
    running: dict[str, int] = {}
    for container in spec.get("containers") or ():
        _add(running, _requests(container))
    starting: dict[str, int] = {}
    sidecars: dict[str, int] = {}
    for container in spec.get("initContainers") or ():
        asked = _requests(container)
        if container.get("restartPolicy") == "Always":
            _add(running, asked)
            _add(sidecars, asked)
            _raise(starting, sidecars)
        else:
            _raise(starting, _sum((sidecars, asked)))
    _raise(running, starting)
    running.update(_requests(spec))
    _add(running, _amounts(spec.get("overhead") or {}))
    return running


def _requests(part: Json) -> dict[str, int]:
    """Requests of a container or pod; a limit alone is a request too."""
    resources = part.get("resources") or {}
    return _amounts((resources.get("limits") or {}) | (resources.get("requests") or {}))


def _amounts(quantities: Mapping[str, str]) -> dict[str, int]:
    return {name: -int(-parse_quantity(str(text)) // 1) for name, text in quantities.items()}


def _sum(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        _add(total, part)
    return total


def _add(total: dict[str, int], part: Mapping[str, int]) -> None:
    for name, amount in part.items():
        total[name] = total.get(name, 0) + amount


def _raise(total: dict[str, int], part: Mapping[str, int]) -> None:
    for name, amount in part.items():
        total[name] = max(total.get(name, 0), amount)


def _hami_bytes(annotation: str) -> dict[str, int]:
    """Memory per card of an annotation such as ``GPU-…,NVIDIA,3000,30:;`` (MiB and cores).

    Source:
        HAMi, docs of the device protocol: containers end in ``;``, devices in ``:``.
    """
    held: dict[str, int] = {}
    for device in annotation.replace(";", ":").split(":"):
        parts = device.split(",")
        if len(parts) == 4 and parts[2].isdecimal():
            held[parts[0]] = held.get(parts[0], 0) + int(parts[2]) * 2**20
    return held
