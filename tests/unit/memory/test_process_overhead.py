"""Process overhead by generation, batch and the user's own measurement."""

import pytest

from packer.catalogue.gpus import find_gpu
from packer.domain.basis import Basis
from packer.memory.part import Part
from packer.memory.process_overhead import MEASURED, host_process_overhead, process_overhead
from packer.memory.result import Card
from packer.units import GIB, MIB


def card(name: str, process: Part | None = None) -> Card:
    gpu = find_gpu(name)
    return Card(
        gpu.name,
        gpu.allocatable_bytes,
        generation=gpu.generation,
        compute_capability=gpu.compute_capability,
        process=process,
    )


@pytest.mark.parametrize(("name", "capability"), [("RTX 4090", "8.9"), ("L40S", "8.9")])
def test_a_measured_generation_covers_all_its_logs(name: str, capability: str) -> None:
    part = process_overhead(card(name))
    logs = MEASURED[capability]
    assert part.basis is Basis.CALIBRATED
    # A small card of the generation takes less: an RTX 4060 Ti 107 MiB for its context.
    assert part.low == 107 * MIB
    assert logs.lowest_mib * MIB <= part.bytes <= logs.highest_mib * MIB
    assert part.high >= 1.5 * (logs.highest_mib - 1) * MIB


def test_what_nobody_measured_is_an_estimate_on_the_safe_side() -> None:
    part = process_overhead(card("A100 SXM 80GB"))
    assert part.basis is Basis.ESTIMATED
    assert part.high == GIB
    assert part.low < part.bytes < part.high


def test_pools_grow_with_the_physical_batch_and_not_below_the_measured_one() -> None:
    small, usual, large = (process_overhead(card("L40S"), n) for n in (64, 512, 4096))
    assert small == usual
    assert large.high - usual.high == 7 * 160 * MIB
    assert usual.bytes < large.bytes < large.high


def test_the_users_own_measurement_wins() -> None:
    mine = Part(430 * MIB, 420 * MIB, 440 * MIB, Basis.CALIBRATED)
    assert process_overhead(card("A100 SXM 80GB", mine), 4096) is mine


def test_a_cuda_context_costs_host_memory_once() -> None:
    assert host_process_overhead(0) < host_process_overhead(1) == host_process_overhead(8)
