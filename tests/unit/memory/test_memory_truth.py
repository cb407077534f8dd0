"""Weights and contexts equal llama.cpp's own allocator to the byte, on every device."""

from collections import defaultdict

import pytest

from packer.catalogue.models import catalogue_models
from packer.memory.architectures import ARCHITECTURES
from packer.memory.compute_graphs.registry import is_known
from tests.memory_truth import (
    Row,
    catalogue_model,
    differences,
    exact,
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
ARCHITECTURE_ROWS = _by_model("truth_architectures")


def test_all_measured_rows_are_here() -> None:
    assert sum(map(len, MEASURED.values())) == 707
    assert len(MEASURED) == 13


def test_rows_of_the_catalogue_cover_every_model_and_its_architecture() -> None:
    names = {row["cmd"].split()[2] for group in CATALOGUE.values() for row in group}
    assert len(CATALOGUE) == 98
    assert len({catalogue_model(name).architecture for name in names}) == 32


def test_every_modelled_architecture_has_rows() -> None:
    measured = {measured_model(row["cmd"].split()[2]).architecture for row in rows("truth")}
    tiny = {tiny_model(row["cmd"].split()[2]).architecture for row in rows("truth_architectures")}
    catalogue = {model.architecture for model in catalogue_models()}
    assert set(ARCHITECTURES) == measured | tiny | catalogue


@pytest.mark.parametrize("model", sorted(MEASURED))
def test_measured_model_is_equal_to_the_byte(model: str) -> None:
    wrong = {
        row["id"]: found
        for row in MEASURED[model]
        if (found := differences(row, exact(row, measured_model)))
    }
    assert not wrong


@pytest.mark.parametrize("model", sorted(CATALOGUE))
def test_catalogue_model_is_equal_to_the_byte(model: str) -> None:
    wrong = {
        row["id"]: found
        for row in CATALOGUE[model]
        if (found := differences(row, exact(row, catalogue_model)))
    }
    assert not wrong


@pytest.mark.parametrize("model", sorted(ARCHITECTURE_ROWS))
def test_tiny_model_of_every_architecture_is_equal_to_the_byte(model: str) -> None:
    """Of a graph that is only guessed, nobody knows where the scheduler puts attention."""
    wrong = {
        row["id"]: found
        for row in ARCHITECTURE_ROWS[model]
        if (found := differences(row, exact(row, tiny_model)))
        and (found != ["flash attention: ours True, llama.cpp False"] or is_built(row))
    }
    assert not wrong


def is_built(row: Row) -> bool:
    return is_known(tiny_model(row["cmd"].split()[2]).architecture, is_nextn=False)
