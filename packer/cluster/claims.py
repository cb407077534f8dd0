"""Which devices are given away, and how much of each: the status of every ResourceClaim."""

from collections.abc import Iterator
from dataclasses import dataclass

from packer.cluster.connection import Json
from packer.cluster.devices import NVIDIA, DeviceId
from packer.cluster.ownership import plan_of
from packer.units import parse_quantity


@dataclass(frozen=True)
class Holding:
    """One device, or a part of its memory, that a claim was given.

    Attributes:
        memory_bytes: Part of the memory [bytes]; None for the device as a whole.
    """

    device: DeviceId
    memory_bytes: int | None


@dataclass(frozen=True)
class Claim:
    """One claim with an allocation.

    Attributes:
        plan: Plan it was rendered from; empty for claims of others.
        pods: UIDs of the pods that use it.
    """

    namespace: str
    name: str
    plan: str
    pods: tuple[str, ...]
    holdings: tuple[Holding, ...]


def claim_of(item: Json) -> Claim | None:
    """The claim of an API object; None while nothing of NVIDIA's driver is allocated to it."""
    status = item.get("status") or {}
    holdings = tuple(_holdings(status.get("allocation") or {}))
    if not holdings:
        return None
    meta = item["metadata"]
    users = [user["uid"] for user in status.get("reservedFor") or ()]
    owners = [one["uid"] for one in meta.get("ownerReferences") or () if one.get("kind") == "Pod"]
    return Claim(
        meta["namespace"],
        meta["name"],
        plan_of(item),
        tuple(dict.fromkeys(users + owners)),
        holdings,
    )


def _holdings(allocation: Json) -> Iterator[Holding]:
    for result in (allocation.get("devices") or {}).get("results") or ():
        # Admin access looks at a device that somebody else may hold; it takes nothing.
        if result["driver"] != NVIDIA or result.get("adminAccess"):
            continue
        consumed = result.get("consumedCapacity")
        memory = (consumed or {}).get("memory") or (consumed or {}).get(f"{NVIDIA}/memory")
        yield Holding(
            DeviceId(result["driver"], result["pool"], result["device"]),
            int(parse_quantity(str(memory))) if memory is not None else None,
        )
