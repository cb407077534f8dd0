"""Compute buffers equal what llama.cpp's allocator reserved, to the byte, on every device."""

from collections import defaultdict

import pytest

from packer.memory.architectures import ARCHITECTURES
from packer.memory.compute_graphs.registry import is_known
from tests.compute_truth import computed, reserved
from tests.memory_truth import (
    OpenModel,
    Row,
    catalogue_model,
    measured_model,
    rows,
    tiny_model,
)


def _by_model(name: str, every: int = 1) -> dict[str, list[Row]]:
    """Rows of each model; ``every`` leaves some to ``benchmarks/memory_table.py``."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows(name):
        groups[row["id"].partition("/")[0]].append(row)
    return {model: group[len(model) % every :: every] for model, group in groups.items()}


MEASURED = _by_model("truth", every=2)
CATALOGUE = _by_model("truth_catalogue", every=7)
# llama.cpp loads experts in a Refact file, but its graph has no place for them.
NOT_A_MODEL = "refact-moe.gguf"
TINY = {
    model: [row for row in group if row["cmd"].split()[2] != NOT_A_MODEL]
    for model, group in _by_model("truth_architectures").items()
}


def _wrong(group: list[Row], open_model: OpenModel) -> list[str]:
    return [
        f"{row['id']} {key}: {ours} is not {reserved(row, key)}"
        for row in group
        for key, ours in computed(row, open_model).items()
        if ours != reserved(row, key)
    ]


@pytest.mark.parametrize("model", sorted(MEASURED))
def test_measured_model_is_equal_to_the_byte(model: str) -> None:
    assert not _wrong(MEASURED[model], measured_model)


@pytest.mark.parametrize("model", sorted(CATALOGUE))
def test_catalogue_model_is_equal_to_the_byte(model: str) -> None:
    assert not _wrong(CATALOGUE[model], catalogue_model)


@pytest.mark.parametrize("model", sorted(TINY))
def test_tiny_model_of_every_architecture_is_equal_to_the_byte(model: str) -> None:
    assert not _wrong(TINY[model], tiny_model)


def test_every_modelled_architecture_has_a_graph() -> None:
    assert all(is_known(architecture, is_nextn=False) for architecture in ARCHITECTURES)
