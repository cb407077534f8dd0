"""An inventory file's text as an Inventory, and everything it can get wrong."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from packer.domain.basis import Basis
from packer.domain.node import Inventory, Price, Sharing
from packer.errors import InvalidInput, Problem
from packer.spec.gpu_by_hand import allocatable_bytes
from packer.spec.inventory_file import read_inventory
from packer.units import GIB, MIB
from tests.spec_lookups import LOOKUPS

INVENTORY = Path("tests/data/spec/inventory.yaml")
GOOD = """\
apiVersion: gpu-packer/v1
kind: Inventory
metadata: {name: eu}
nodePools:
- name: l40s
  gpu: L40S
  gpusPerNode: 4
  nodes: 3
  hostMemory: 256Gi
  zones: {eu-a: 2, eu-b: 1}
  linkGroups: [[0, 1], [2, 3]]
  pricePerHour: {onDemand: 7.20, currency: EUR, asOf: 2026-11-01}
  taken: {l40s-2: {gpu1: 6Gi}}
  unavailable: [l40s-0]
- name: live
  gpu: {name: X9, memory: 24Gi, bandwidth: 864G, computeCapability: 8.9}
  gpusPerNode: 1
  nodes: 1
  hostMemory: 64Gi
  nodeNames: [worker-1]
  gpuUuids: {worker-1: [GPU-0b4c6f6e-8f1a-4d0c-9b3e-5d1f2a3b4c5d]}
"""


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(InvalidInput) as caught:
        read_inventory(text, "inventory.yaml", LOOKUPS)
    return caught.value.problems


@pytest.fixture(scope="module")
def inventory() -> Inventory:
    return read_inventory(INVENTORY.read_text(), str(INVENTORY), LOOKUPS)


def test_a_pool_with_every_key(inventory: Inventory) -> None:
    pool = inventory.pools[0]
    assert inventory.name == "eu-cluster"
    assert (pool.name, pool.gpu.name, pool.gpus_per_node, pool.nodes) == ("l40s", "L40S", 4, 3)
    assert not pool.is_rentable
    assert pool.host_memory_bytes == 256 * GIB
    assert pool.host_memory_bandwidth_bytes_per_second == 300 * 10**9
    assert list(pool.zones.items()) == [("eu-a", 2), ("eu-b", 1)]
    assert pool.link_groups == ((0, 1), (2, 3))
    assert pool.sharing is Sharing.DRA_MEMORY
    assert pool.price == Price(
        Decimal("7.20"), Decimal("2.90"), "USD", date(2026, 11, 1), "price book"
    )
    assert pool.taken == {"l40s-2": {1: 6 * GIB}}
    assert pool.unavailable == ("l40s-0",)
    assert [pool.zone_of(index) for index in range(3)] == ["eu-a", "eu-a", "eu-b"]


def test_a_live_pool_keeps_names_and_uuids(inventory: Inventory) -> None:
    pool = inventory.pools[1]
    assert pool.node_name(0) == "ip-10-0-0-1.compute.internal"
    assert len(pool.gpu_uuids[pool.node_name(0)]) == 2
    assert pool.price is None


def test_a_rentable_pool_of_cards_described_by_hand(inventory: Inventory) -> None:
    pool = inventory.pools[2]
    assert (pool.nodes, pool.is_rentable, pool.host_memory_bytes) == (20, True, 64 * GIB)
    assert pool.price == Price(Decimal(3))
    gpu = pool.gpu
    assert (gpu.name, gpu.vendor, gpu.generation) == ("X9 Pro (48GB)", "NVIDIA", "Blackwell")
    assert (gpu.compute_capability, gpu.label) == ("12.0", "NVIDIA-X9-Pro-48GB")
    assert (gpu.nominal_bytes, gpu.allocatable_basis) == (24 * GIB, Basis.ESTIMATED)
    assert gpu.bandwidth_bytes_per_second == 864 * 10**9
    assert gpu.is_modelled


@pytest.mark.parametrize(
    ("capability", "family"),
    [
        ("6.1", "Pascal"),
        ("7.0", "Volta"),
        ("7.5", "Turing"),
        ("8.0", "Ampere"),
        ("8.6", "Ampere"),
        ("'8.9'", "Ada"),
        ("9.0", "Hopper"),
        ("10.3", "Blackwell"),
        ("12.0", "Blackwell"),
        ("7.9", ""),
    ],
)
def test_the_chip_family_follows_from_the_compute_capability(capability: str, family: str) -> None:
    gpu = read_inventory(GOOD.replace("8.9", capability), "i", LOOKUPS).pools[1].gpu
    assert gpu.generation == family
    assert gpu.compute_capability == capability.strip("'")


def test_what_is_said_of_a_card_is_taken_as_it_is() -> None:
    more = "memory: 24Gi, allocatable: 24000Mi, label: Tesla-X9"
    gpu = read_inventory(GOOD.replace("memory: 24Gi", more), "i", LOOKUPS).pools[1].gpu
    assert (gpu.allocatable_bytes, gpu.allocatable_basis) == (24000 * MIB, Basis.EXACT)
    assert gpu.label == "Tesla-X9"


@pytest.mark.parametrize(
    # nvidia-smi's and llama.cpp's totals, both from logs [MiB].
    ("nominal", "real"),
    [
        (46068, 45467),
        (81920, 81151),
        (81559, 81079),
        (24564, 24077),
        (15360, 14912),
        (32607, 32106),
    ],
)
def test_the_allocatable_estimate_is_low_but_near(nominal: int, real: int) -> None:
    estimate = allocatable_bytes(nominal * MIB) / MIB
    assert real * 0.99 < estimate <= real


def test_a_tiny_card_has_no_negative_memory() -> None:
    assert allocatable_bytes(1) == 0


CASES = [
    ("gpusPerNode: 4", "gpuPerNode: 4", [("P0104", 7, 3), ("P0105", 5, 3)], "gpusPerNode?"),
    ("gpusPerNode: 4", "gpusPerNode: 0", [("P0107", 7, 16)], "at least 1"),
    ("gpusPerNode: 4", "gpusPerNode: 65", [("P0107", 7, 16)], "at most 64"),
    ("nodes: 3", "nodes: -3", [("P0107", 8, 10)], "at least 0"),
    ("nodes: 3", "nodes: 3.5", [("P0106", 8, 10)], "a whole number"),
    ("256Gi", "256GB", [("P0103", 9, 15)], "256Gi"),
    ("256Gi", "0", [("P0107", 9, 15)], "at least 1"),
    ("256Gi", "2Ei", [("P0107", 9, 15)], "at most"),
    ("gpu: L40S", "gpu: L40Z", [("P0901", 6, 8)], "L40S"),
    ("gpu: L40S", "gpu: 4090", [("P0106", 6, 8)], "put it in quotes"),
    ("gpu: L40S", "gpu: MI300X", [("P0520", 6, 8)], "AMD"),
    ("gpu: L40S", "gpu: '<b>'", [("P0116", 6, 8)], "such as L40S"),
    ("memory: 24Gi", "memori: 24Gi", [("P0104", 16, 19), ("P0105", 16, 8)], "memory?"),
    ("memory: 24Gi", "memory: 24Gi, allocatable: 25Gi", [("P0228", 16, 46)], "memory is 24Gi"),
    ("8.9", "89", [("P0116", 16, 69)], "such as 8.9"),
    ("8.9", "gfx942", [("P0116", 16, 69)], "such as 8.9"),
    ("eu-b: 1", "eu-b: 2", [("P0221", 10, 10)], "2 + 2 = 4, not 3"),
    ("eu-b: 1", "eu-b: -1", [("P0107", 10, 26)], "at least 0"),
    ("eu-b: 1", "'$(x)': 1", [("P0109", 10, 20)], "label value"),
    ("[2, 3]", "[2, 4]", [("P0226", 11, 28)], "cards are 0 to 3"),
    ("[2, 3]", "[2, 1]", [("P0226", 11, 28)], "came before"),
    ("[2, 3]", "[2, -1]", [("P0107", 11, 28)], "at least 0"),
    ("7.20", "-7.20", [("P0107", 12, 28)], "above 0"),
    ("7.20", "0", [("P0107", 12, 28)], "leave the price out"),
    ("7.20", "1e9", [("P0107", 12, 28)], "up to 1000000"),
    ("7.20", "$7", [("P0106", 12, 28)], "a number per hour"),
    ("7.20", "7.1234567", [("P0106", 12, 28)], "six decimals"),
    ("EUR", "euro", [("P0116", 12, 44)], "three capital letters"),
    ("2026-11-01", "01.11.2026", [("P0116", 12, 55)], "year-month-day"),
    ("2026-11-01", "2026-13-01", [("P0116", 12, 55)], "month"),
    ("l40s-2:", "l40s-3:", [("P0222", 13, 11)], "l40s-0 … l40s-2"),
    ("l40s-2:", "l40s-02:", [("P0222", 13, 11)], "has 3 nodes"),
    ("gpu1: 6Gi", "gpu4: 6Gi", [("P0223", 13, 26)], "gpu0 to gpu3"),
    ("gpu1: 6Gi", "1: 6Gi", [("P0116", 13, 20)], "gpu0, gpu1"),
    ("gpu1: 6Gi", "gpu1: 45Gi", [("P0223", 13, 26)], "L40S has 44Gi"),
    ("[l40s-0]", "[l40s-0, worker-1]", [("P0222", 14, 25)], "l40s has 3 nodes"),
    ("[worker-1]", "[worker-1, worker-2]", [("P0224", 20, 14)], "2 names for 1 nodes"),
    ("[worker-1]", "[worker-2]", [("P0222", 21, 14)], "did you mean worker-2?"),
    ("[worker-1]", "[Worker_1]", [("P0109", 20, 15)], "small letters"),
    ("5d]", "5d, GPU-1b4c6f6e-8f1a-4d0c-9b3e-5d1f2a3b4c5d]", [("P0225", 21, 14)], "2 UUIDs for 1"),
    ("5d]", "5]", [("P0116", 21, 25)], "nvidia-smi -L"),
    ("- name: live", "- name: l40s", [("P0201", 15, 9)], "line 5"),
    ("sPerNode: 1\n  nodes: 1", "sPerNode: 1", [("P0227", 15, 3)], "maxNodes: 20"),
    ("nodes: 1", "nodes: 1\n  maxNodes: 1", [("P0227", 19, 3)], "two pools"),
    ("64Gi", "64Gi\n  pricePerHour: 3", [("P0212", 20, 17)], "in EUR"),
    ("sPerNode: 1\n  nodes: 1", "sPerNode: 1\n  sharing: mps", [("P0108", 18, 12)], "dra-memory"),
]


@pytest.mark.parametrize(("good", "bad", "places", "words"), CASES)
def test_problems_at_their_places(
    good: str, bad: str, places: list[tuple[str, int, int]], words: str
) -> None:
    assert good in GOOD
    found = problems(GOOD.replace(good, bad, 1))
    shown = "\n\n".join(map(str, found))
    at = [(one.code, one.where.line, one.where.column) for one in found if one.where]
    assert sorted(at) == sorted(places), shown
    assert words in " ".join(f"{one.why} {one.help}" for one in found), shown


def test_the_text_that_the_cases_change_is_fine() -> None:
    assert read_inventory(GOOD, "i", LOOKUPS).gpu_count == 13


@pytest.mark.parametrize(
    "pools",
    [
        "nodePools: []",
        "nodePools:\n- {name: a, gpu: L40S, gpusPerNode: 1, nodes: 0, hostMemory: 1Gi}",
    ],
)
def test_an_inventory_without_a_card_is_refused(pools: str) -> None:
    (problem,) = problems(GOOD.partition("nodePools")[0] + pools)
    assert (problem.code, problem.where and problem.where.line) == ("P0220", 4)


def test_cards_of_unavailable_nodes_do_not_count() -> None:
    pool = "nodePools:\n- {name: a, gpu: L40S, gpusPerNode: 2, nodes: 1, hostMemory: 1Gi, "
    (problem,) = problems(GOOD.partition("nodePools")[0] + pool + "unavailable: [a-0]}")
    assert problem.code == "P0220"


def test_absurdly_many_cards_are_refused() -> None:
    pools = "".join(
        f"- {{name: p{n}, gpu: L40S, gpusPerNode: 16, maxNodes: 10000, hostMemory: 1Gi}}\n"
        for n in range(2)
    )
    (problem,) = problems(GOOD.partition("- name")[0] + pools)
    assert (problem.code, problem.why) == (
        "P0232",
        "320000 cards, at most 250000 are planned at once",
    )


@pytest.mark.parametrize("names", ["[worker-1]", "[l40s-1]"])
def test_a_node_of_another_pool_cannot_have_the_same_name(names: str) -> None:
    other = "- {name: other, gpu: L40S, gpusPerNode: 1, nodes: 1, hostMemory: 1Gi, nodeNames: "
    (problem,) = problems(GOOD + other + names + "}\n")
    owner = "live" if "worker" in names else "l40s"
    assert (problem.code, problem.why) == ("P0201", f"pool {owner} has it")


def test_a_node_name_twice_in_one_pool() -> None:
    text = GOOD.replace("  nodes: 1", "  nodes: 2").replace("[worker-1]", "[worker-1, worker-1]")
    (problem,) = problems(text)
    assert (problem.code, problem.why) == ("P0201", "another node has it")


def test_a_uuid_twice() -> None:
    uuid = "GPU-0b4c6f6e-8f1a-4d0c-9b3e-5d1f2a3b4c5d"
    text = GOOD.replace("gpusPerNode: 1", "gpusPerNode: 2").replace(
        f"[{uuid}]", f"[{uuid}, {uuid}]"
    )
    (problem,) = problems(text)
    assert (problem.code, problem.where and problem.where.column) == ("P0225", 67)
