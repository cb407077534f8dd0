"""Devices that DRA drivers publish: which pools are complete, and what each device is.

A driver that changes a pool writes new slices with a higher generation; until all of them are
there, nobody, the scheduler included, knows the pool.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from packer.cluster.connection import Json
from packer.units import InvalidQuantity, parse_quantity

NVIDIA = "gpu.nvidia.com"
"""Name of NVIDIA's DRA driver, and the domain of its attributes."""
_PCI_BUS_ID = "resource.kubernetes.io/pciBusID"


@dataclass(frozen=True)
class DeviceId:
    """What an allocation calls a device."""

    driver: str
    pool: str
    device: str


@dataclass(frozen=True)
class Device:
    """One published device.

    Attributes:
        node: Node it is in; empty if the slice does not name one.
        kind: ``gpu``, ``mig`` or ``vfio``.
        memory_bytes: Capacity ``memory`` [bytes]; 0 if it is not published.
        has_memory_shares: Whether several claims may each take a part of its memory.
        profile, parent_uuid: Of a MIG slice.
        taints: Device taints that keep pods away, as ``key=value:effect``.
    """

    id: DeviceId
    node: str
    kind: str
    uuid: str
    product: str
    memory_bytes: int
    compute_capability: str
    pci_bus_id: str
    has_memory_shares: bool
    profile: str = ""
    parent_uuid: str = ""
    taints: tuple[str, ...] = ()

    @property
    def order(self) -> tuple[str, list[int], str]:
        """Place among the cards of its node: PCI bus order, else by the numbers in its name."""
        return (self.pci_bus_id, [int(n) for n in re.findall(r"\d+", self.id.device)], self.uuid)


@dataclass(frozen=True)
class Slice:
    """One ResourceSlice, as far as it is needed."""

    driver: str
    pool: str
    generation: int
    slice_count: int
    node: str
    devices: tuple[Device, ...]


@dataclass(frozen=True)
class HalfPool:
    """A pool of which not every slice of the newest generation is there."""

    driver: str
    pool: str
    node: str
    generation: int
    present: int
    expected: int


def slice_of(item: Json) -> Slice | None:
    """The slice of an API object; None for drivers of other things than NVIDIA's cards."""
    spec = item["spec"]
    if spec["driver"] != NVIDIA:
        return None
    pool, node = spec["pool"], spec.get("nodeName", "")
    return Slice(
        driver=spec["driver"],
        pool=pool["name"],
        generation=int(pool["generation"]),
        slice_count=int(pool["resourceSliceCount"]),
        node=node,
        devices=tuple(_device(one, pool["name"], node) for one in spec.get("devices") or ()),
    )


def complete_devices(slices: Iterable[Slice]) -> tuple[list[Device], list[HalfPool]]:
    """Devices of every pool that is complete at its highest generation, and the pools that are not.

    Source:
        Kubernetes, api/resource/v1/types.go, ResourcePool: consumers use only the highest
        generation and wait until as many slices are there as each of them says.
    """
    newest: dict[tuple[str, str], list[Slice]] = {}
    for one in slices:
        known = newest.setdefault((one.driver, one.pool), [])
        if known and known[0].generation < one.generation:
            known.clear()
        if not known or known[0].generation == one.generation:
            known.append(one)
    devices: list[Device] = []
    half: list[HalfPool] = []
    for parts in newest.values():
        first = parts[0]
        if len(parts) == first.slice_count:
            devices += [device for part in parts for device in part.devices]
        else:
            node = next((part.node for part in parts if part.node), "")
            half.append(
                HalfPool(
                    first.driver, first.pool, node, first.generation, len(parts), first.slice_count
                )
            )
    return devices, half


def _device(item: Json, pool: str, node: str) -> Device:
    attributes = {_local(name): value for name, value in (item.get("attributes") or {}).items()}
    capacity = {_local(name): value for name, value in (item.get("capacity") or {}).items()}
    memory = capacity.get("memory") or {}
    return Device(
        id=DeviceId(NVIDIA, pool, item["name"]),
        node=item.get("nodeName") or node,
        kind=_text(attributes, "type"),
        uuid=_text(attributes, "uuid"),
        product=_text(attributes, "productName"),
        memory_bytes=_bytes(memory.get("value", "0")),
        compute_capability=_text(attributes, "cudaComputeCapability"),
        pci_bus_id=_text(attributes, _PCI_BUS_ID) or _text(attributes, "pciBusID"),
        has_memory_shares=bool(
            item.get("allowMultipleAllocations") and memory.get("requestPolicy")
        ),
        profile=_text(attributes, "profile"),
        parent_uuid=_text(attributes, "parentUUID"),
        taints=tuple(filter(None, map(taint_text, item.get("taints") or ()))),
    )


def _local(name: str) -> str:
    """An attribute's name without the driver's own domain, which may be written or left out."""
    return name.removeprefix(f"{NVIDIA}/")


def _text(attributes: Mapping[str, Json], name: str) -> str:
    value = attributes.get(name) or {}
    return str(value.get("string") or value.get("version") or "")


def _bytes(quantity: str) -> int:
    try:
        return int(parse_quantity(str(quantity)))
    except InvalidQuantity:
        return 0


def taint_text(taint: Json) -> str:
    """A device taint as ``key=value:effect``; empty if it keeps no new pod away."""
    if taint.get("effect") not in ("NoSchedule", "NoExecute"):
        return ""
    return f"{taint.get('key', '')}={taint.get('value', '')}:{taint['effect']}"
