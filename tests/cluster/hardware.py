"""GPU nodes without GPUs: what NVIDIA's and HAMi's components publish about real ones.

Source of the shapes: kubernetes-sigs/dra-driver-nvidia-gpu, cmd/gpu-kubelet-plugin (deviceinfo.go,
consumable_shares.go, partitions.go); NVIDIA/k8s-device-plugin, GPU feature discovery's labels;
Project-HAMi/HAMi, protocol of device registration. Read in November 2026.
"""

import json
import uuid
from dataclasses import dataclass
from typing import Any

MIB = 2**20
DRIVER = "gpu.nvidia.com"
Json = dict[str, Any]


@dataclass(frozen=True)
class Card:
    """One kind of card as its driver tells it."""

    product: str
    memory_mib: int
    architecture: str
    capability: str
    brand: str = "Nvidia"


L40S = Card("NVIDIA L40S", 46068, "Ada Lovelace", "8.9.0")
A100 = Card("NVIDIA A100-SXM4-80GB", 81920, "Ampere", "8.0.0")
RTX_4090 = Card("NVIDIA GeForce RTX 4090", 24564, "Ada Lovelace", "8.9.0", "GeForce")


@dataclass(frozen=True)
class Machine:
    """One node: its cards, its memory, where it stands."""

    name: str
    card: Card
    cards: int
    memory: str
    zone: str = ""

    def uuid(self, index: int) -> str:
        """UUID of a card, the same in every run."""
        return f"GPU-{uuid.uuid5(uuid.NAMESPACE_DNS, f'{self.name}/{index}')}"


def company_machines() -> tuple[Machine, ...]:
    """40 nodes: L40S × 4, A100 × 8 and RTX 4090 × 2, in two zones."""
    kinds = (
        ("l40s", L40S, 4, "384Gi", 16),
        ("a100", A100, 8, "960Gi", 8),
        ("rtx4090", RTX_4090, 2, "128Gi", 16),
    )
    return tuple(
        Machine(f"{name}-{number}.example.internal", card, cards, memory, f"eu-{'ab'[number % 2]}")
        for name, card, cards, memory, count in kinds
        for number in range(count)
    )


def node(machine: Machine, *, labels: dict[str, str] | None = None, gpus: int = 0) -> Json:
    """Node object with its status; ``gpus`` is what a device plugin offers."""
    amounts = {"cpu": "96", "memory": machine.memory, "pods": "250", "ephemeral-storage": "2Ti"}
    if gpus:
        amounts["nvidia.com/gpu"] = str(gpus)
    zone = {"topology.kubernetes.io/zone": machine.zone} if machine.zone else {}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": machine.name,
            "labels": {"kubernetes.io/hostname": machine.name, **zone, **(labels or {})},
        },
        "status": {
            "capacity": amounts,
            "allocatable": amounts,
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": "",
                "containerRuntimeVersion": "",
                "kernelVersion": "",
                "kubeProxyVersion": "",
                "kubeletVersion": "v1.37.1",
                "machineID": "",
                "operatingSystem": "linux",
                "osImage": "",
                "systemUUID": "",
            },
        },
    }


def feature_labels(machine: Machine) -> dict[str, str]:
    """Labels of GPU feature discovery."""
    major, minor, _ = machine.card.capability.split(".")
    return {
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.product": machine.card.product.replace(" ", "-"),
        "nvidia.com/gpu.memory": str(machine.card.memory_mib),
        "nvidia.com/gpu.count": str(machine.cards),
        "nvidia.com/gpu.replicas": "1",
        "nvidia.com/gpu.sharing-strategy": "none",
        "nvidia.com/gpu.family": machine.card.architecture.split()[0].lower(),
        "nvidia.com/gpu.compute.major": major,
        "nvidia.com/gpu.compute.minor": minor,
        "nvidia.com/mig.strategy": "single",
        "nvidia.com/cuda.driver-version.full": "580.95.05",
        "nvidia.com/cuda.runtime-version.full": "13.0",
    }


def labelled_node(machine: Machine) -> Json:
    """Node of a cluster with the device plugin and GPU feature discovery."""
    return node(machine, labels=feature_labels(machine), gpus=machine.cards)


def device(machine: Machine, index: int, *, shares: bool = False) -> Json:
    """One card as NVIDIA's DRA driver publishes it, with or without consumable memory."""
    card = machine.card
    memory: Json = {"value": f"{card.memory_mib}Mi"}
    if shares:
        valid = {"min": "1Mi", "max": memory["value"], "step": "1Mi"}
        memory["requestPolicy"] = {"default": memory["value"], "validRange": valid}
    return {
        "name": f"gpu-{index}",
        **({"allowMultipleAllocations": True} if shares else {}),
        "attributes": {
            "type": {"string": "gpu"},
            "uuid": {"string": machine.uuid(index)},
            "productName": {"string": card.product},
            "brand": {"string": card.brand},
            "architecture": {"string": card.architecture},
            "cudaComputeCapability": {"version": card.capability},
            "driverVersion": {"version": "580.95.5"},
            "cudaDriverVersion": {"version": "13.0.0"},
            "addressingMode": {"string": "None"},
            "resource.kubernetes.io/pciBusID": {"string": f"0000:{0x10 + index:02x}:00.0"},
            "resource.kubernetes.io/pcieRoot": {"string": f"pci0000:{index // 2:02x}"},
        },
        "capacity": {"memory": memory},
    }


def mig_device(machine: Machine, parent: int, place: int, profile: str, memory: str) -> Json:
    """One static MIG slice as NVIDIA's DRA driver publishes it."""
    key = f"{machine.name}/{parent}/{place}"
    one = device(machine, parent)
    one["name"] = f"gpu-{parent}-mig-{profile.replace('.', '')}-19-{place}"
    one["attributes"] |= {
        "type": {"string": "mig"},
        "uuid": {"string": f"MIG-{uuid.uuid5(uuid.NAMESPACE_DNS, key)}"},
        "parentUUID": {"string": machine.uuid(parent)},
        "profile": {"string": profile},
    }
    one["capacity"] = {"memory": {"value": memory}, "multiprocessors": {"value": "42"}}
    return one


def resource_slice(
    machine: Machine,
    devices: list[Json],
    *,
    generation: int = 1,
    count: int = 1,
    number: int = 0,
) -> Json:
    """A slice of a node's pool; ``count`` is how many the driver says there are."""
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": f"{machine.name}-{DRIVER}-{generation}-{number}"},
        "spec": {
            "driver": DRIVER,
            "nodeName": machine.name,
            "pool": {
                "name": machine.name,
                "generation": generation,
                "resourceSliceCount": count,
            },
            "devices": devices,
        },
    }


def published_slice(machine: Machine, *, shares: bool = False) -> Json:
    """The one slice of a node with all its cards."""
    cards = [device(machine, index, shares=shares) for index in range(machine.cards)]
    return resource_slice(machine, cards)


def device_classes() -> list[Json]:
    """DeviceClasses of the driver's chart."""
    kinds = {DRIVER: "gpu", "mig.nvidia.com": "mig"}
    return [
        {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "DeviceClass",
            "metadata": {"name": name},
            "spec": {
                "selectors": [
                    {
                        "cel": {
                            "expression": f"device.driver == '{DRIVER}' && "
                            f"device.attributes['{DRIVER}'].type == '{kind}'"
                        }
                    }
                ]
            },
        }
        for name, kind in kinds.items()
    ]


SLICES_PER_CARD = 2
SLICE_PROFILE, SLICE_MIB = "3g.40gb", 40192
"""Both halves of an A100 with 80 GB."""


def sliced_node(machine: Machine) -> Json:
    """Node with the device plugin in its mixed MIG strategy, every card cut in two."""
    name, count = f"nvidia.com/mig-{SLICE_PROFILE}", machine.cards * SLICES_PER_CARD
    label = f"{machine.card.product.replace(' ', '-')}-MIG-{SLICE_PROFILE}"
    labels = {
        **feature_labels(machine),
        "nvidia.com/mig.strategy": "mixed",
        f"{name}.count": str(count),
        f"{name}.memory": str(SLICE_MIB),
        f"{name}.product": label,
    }
    made = node(machine, labels=labels)
    for amounts in (made["status"]["capacity"], made["status"]["allocatable"]):
        amounts |= {name: str(count), "nvidia.com/gpu": "0"}
    return made


def sliced_slice(machine: Machine) -> Json:
    """The one slice of a node whose cards are all cut in two."""
    devices = [
        mig_device(machine, card, place, SLICE_PROFILE, f"{SLICE_MIB}Mi")
        for card in range(machine.cards)
        for place in range(0, 4 * SLICES_PER_CARD, 4)
    ]
    return resource_slice(machine, devices)


def hami_node(machine: Machine) -> Json:
    """Node of a cluster with HAMi: its annotation, and each card offered ten times."""
    entries = [
        {
            "id": machine.uuid(index),
            **({"index": index} if index else {}),
            "count": 10,
            "devmem": machine.card.memory_mib,
            "devcore": 100,
            "type": f"NVIDIA-{machine.card.product}",
            "mode": "hami-core",
            "health": True,
        }
        for index in range(machine.cards)
    ]
    made = node(machine, labels={"gpu": "on"}, gpus=10 * machine.cards)
    made["metadata"]["annotations"] = {"hami.io/node-nvidia-register": json.dumps(entries)}
    return made
