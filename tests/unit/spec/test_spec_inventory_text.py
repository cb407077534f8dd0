"""An inventory written as text reads back as itself."""

from dataclasses import replace

from packer.catalogue.gpus import find_gpu
from packer.domain.basis import Basis
from packer.domain.node import Inventory, NodePool, Sharing
from packer.spec.inventory_file import read_inventory
from packer.spec.inventory_text import format_inventory
from tests.spec_lookups import LOOKUPS

L40S = find_gpu("L40S")
POOL = NodePool(
    name="l40s-x2",
    gpu=L40S,
    gpus_per_node=2,
    nodes=2,
    is_rentable=False,
    host_memory_bytes=384 * 2**30,
    zones={"eu-a": 1, "1": 1},
    link_groups=((0,), (1,)),
    sharing=Sharing.DRA_MEMORY,
    taken={"on.example": {1: 5 * 2**20}},
    node_names=("0.example", "on.example"),
    gpu_uuids={"0.example": ("GPU-0b4c6f6e-8f1a-4d0c-9b3e-5d1f2a3b4c5d",) * 1},
    unavailable=("0.example",),
    host_taken={"on.example": 2**30},
)


def test_everything_a_cluster_tells_reads_back() -> None:
    uuids = tuple(f"GPU-0b4c6f6e-8f1a-4d0c-9b3e-5d1f2a3b4c5{n}" for n in range(2))
    pool = replace(POOL, gpu_uuids={"0.example": uuids})
    text = format_inventory(Inventory("live", (pool,)), notes=["a\nb: *"])
    lookups = replace(LOOKUPS, gpu=lambda name: find_gpu(name))
    assert read_inventory(text, "x", lookups) == Inventory("live", (pool,))
    assert text.startswith("# a b: *\n")


def test_slices_are_described_by_hand() -> None:
    piece = replace(
        L40S, name="L40S MIG 3g.24gb", label="NVIDIA-L40S-MIG-3g.24gb", nominal_bytes=24 * 2**30
    )
    piece = replace(piece, allocatable_bytes=23 * 2**30, allocatable_basis=Basis.EXACT)
    pool = replace(POOL, gpu=piece, gpu_uuids={}, taken={}, sharing=Sharing.MIG)
    text = format_inventory(Inventory("live", (pool,)), by_hand={piece.name})
    (read,) = read_inventory(text, "x", LOOKUPS).pools
    assert (read.gpu.name, read.gpu.label, read.gpu.allocatable_bytes) == (
        piece.name,
        piece.label,
        piece.allocatable_bytes,
    )
