"""Small fleets and inventories written in code, and plans of them without files."""

from dataclasses import replace
from functools import cache
from typing import Any

from packer import api
from packer.catalogue.gpus import find_gpu
from packer.catalogue.models import load_model_file
from packer.domain.gpu import GpuProduct
from packer.domain.model import ModelFile
from packer.domain.node import Inventory, NodePool
from packer.domain.workload import Fleet, Headroom, Objective, ServerImage, Variant, Workload
from packer.plan.plan import Plan
from packer.units import GIB, MIB

BUILD = "b11434"
IMAGE = ServerImage("ghcr.io/ggml-org/llama.cpp:server-cuda-b11434", BUILD)
NO_HEADROOM = Headroom(bytes=0, percent=0)


@cache
def model(name: str, quantization: str) -> ModelFile:
    """A model of the catalogue."""
    return load_model_file(name, quantization)


def variant(name: str, quantization: str) -> Variant:
    """One file of a catalogue model, on a claim."""
    return Variant(quantization, model(name, quantization), f"pvc://models/{name}.gguf")


def workload(
    name: str, model_name: str = "qwen3-0.6b", *quantizations: str, **options: Any
) -> Workload:
    """A workload of one small model with 2048 tokens of context."""
    variants = tuple(variant(model_name, one) for one in quantizations or ("Q8_0",))
    basic = Workload(
        name, f"catalogue:{model_name}", variants, context_per_slot=2048, prompt_cache_bytes=0
    )
    return replace(basic, **options)


def gpu(mib: int, name: str = "") -> GpuProduct:
    """A card like an A10 with another amount of memory; its process overhead is the default."""
    product = find_gpu("A10")
    label = name or f"small {mib}"
    return replace(product, name=label, allocatable_bytes=mib * MIB, nominal_bytes=mib * MIB)


def pool(name: str, card: GpuProduct, gpus: int = 1, nodes: int = 1, **options: Any) -> NodePool:
    """A pool of nodes that exist, with plenty of node memory."""
    basic = NodePool(name, card, gpus, nodes, is_rentable=False, host_memory_bytes=256 * GIB)
    return replace(basic, **options)


def fleet(*workloads: Workload, **options: Any) -> Fleet:
    """A fleet that minimises cards and keeps no headroom."""
    basic = Fleet("fleet", IMAGE, Objective.CARDS, workloads, NO_HEADROOM)
    return replace(basic, **options)


def inventory(*pools: NodePool) -> Inventory:
    """An inventory of pools."""
    return Inventory("inventory", pools)


def plan(asked: Fleet, there: Inventory, **options: Any) -> Plan:
    """The audited plan of a fleet on an inventory."""
    return api.plan(api.Input(asked, there, "0" * 64, "1" * 64), **options)
