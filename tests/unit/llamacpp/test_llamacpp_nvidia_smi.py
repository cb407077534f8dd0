"""nvidia-smi's CSV: both queries, their spellings, and what cannot be read."""

import pytest

from packer.errors import InvalidInput
from packer.llamacpp.nvidia_smi import ProcessOnCard, read_nvidia_smi
from packer.units import MIB

GPUS = """index, name, uuid
0, NVIDIA L40S, GPU-aa
1, NVIDIA A100-SXM4-80GB, GPU-bb
"""
APPS = """pid, process_name, gpu_uuid, used_gpu_memory [MiB]
77, /app/llama-server, GPU-bb, 3238 MiB
77, /app/llama-server, GPU-aa, 512 MiB
78, "a, b", GPU-aa, 1 MiB
"""
ROWS = (
    ProcessOnCard(77, "/app/llama-server", "NVIDIA A100-SXM4-80GB", 3238 * MIB),
    ProcessOnCard(77, "/app/llama-server", "NVIDIA L40S", 512 * MIB),
    ProcessOnCard(78, "a, b", "NVIDIA L40S", MIB),
)


def test_two_queries_in_one_text() -> None:
    assert read_nvidia_smi(GPUS + APPS) == ROWS
    assert read_nvidia_smi(APPS + "\r\n" + GPUS.replace("\n", "\r\n")) == ROWS


def test_without_units_and_with_the_products_name_in_one_query() -> None:
    text = "pid, used_memory [MiB], gpu_name\n5, 40, NVIDIA L40S\n"
    assert read_nvidia_smi(text) == (ProcessOnCard(5, "", "NVIDIA L40S", 40 * MIB),)


def test_cards_known_by_bus() -> None:
    text = "pci.bus_id, name\n00:1, L4\npid, gpu_bus_id, used_memory [MiB]\n5, 00:1, 40 MiB\n"
    assert read_nvidia_smi(text)[0].gpu == "L4"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it lists no process"),
        (GPUS, "it lists no process"),
        ("77, llama-server, GPU-aa, 3238 MiB", "it lists no process"),
        (APPS, "which product"),
        (GPUS + APPS.replace("512 MiB", "[N/A]"), "a container or MIG may hide it"),
        ("pid, gpu_name\n5, L4", "no column used_memory"),
        ("pid, gpu_name, used_memory [MiB]\nx, L4, 5 MiB", "no process id"),
        ("pid, gpu_name, used_memory [MiB]\n5, L4, 9999999999 MiB", "9999999999"),
        ('pid, gpu_name, used_memory [MiB]\n5, "L4, 5 MiB', "it lists no process"),
    ],
)
def test_what_cannot_be_read(text: str, why: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read_nvidia_smi(text)
    (problem,) = error.value.problems
    assert problem.code == "P0496"
    assert why in problem.why
