"""Compute buffers equal what llama.cpp's allocator reserved, to the byte, on every device."""

from collections import defaultdict

import pytest

from packer.catalogue.models import catalogue_models
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


def _by_model(name: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows(name):
        groups[row["id"].partition("/")[0]].append(row)
    return groups


MEASURED = _by_model("truth")
CATALOGUE = _by_model("truth_catalogue")
KNOWN = {
    model: group
    for model, group in _by_model("truth_architectures").items()
    if is_known(tiny_model(group[0]["cmd"].split()[2]).architecture, is_nextn=False)
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


@pytest.mark.parametrize("model", sorted(KNOWN))
def test_tiny_model_of_known_architecture_is_equal_to_the_byte(model: str) -> None:
    assert not _wrong(KNOWN[model], tiny_model)


def test_every_architecture_of_the_catalogue_has_a_graph_of_its_own() -> None:
    architectures = {model.architecture for model in catalogue_models()}
    assert all(is_known(architecture, is_nextn=False) for architecture in architectures)
