from pathlib import Path

import pytest

from packer.catalogue.gpus import estimated_allocatable, gpu_products
from packer.catalogue.models import catalogue_models
from packer.catalogue.prices import prices, prices_left_out
from packer.units import MIB

ROOT = Path(__file__).parents[3]
PAGE = " ".join((ROOT / "docs" / "catalogue.md").read_text("utf-8").split())


@pytest.mark.parametrize(
    "sentence",
    [
        f"{len(gpu_products())} products",
        f"{len(catalogue_models())} models of "
        f"{len({m.architecture for m in catalogue_models()})} architectures",
        f"{sum(len(m.aliases) for m in catalogue_models())} further names",
        f"{sum(len(m.quantizations) for m in catalogue_models())} combinations",
        f"{sum(m.status == 'from-memory' for m in catalogue_models())} are from memory",
        f"{len(prices())} rows of",
        f"{sum(prices_left_out().values())} rows are left out",
    ],
)
def test_the_page_states_figures_that_are_true(sentence: str) -> None:
    assert sentence in PAGE


def test_the_page_states_the_rule_of_the_estimate() -> None:
    assert "less 360 MiB and 0.8 %" in PAGE
    assert estimated_allocatable(1000 * MIB) == (1000 - 360 - 8) * MIB


def test_every_source_of_prices_is_in_the_notice() -> None:
    notice = (ROOT / "NOTICE").read_text("utf-8")
    for source in {price.source for price in prices()}:
        words = source.replace("skypilot-catalog", "SkyPilot's").replace("AWS", "AWS's").split()
        assert words[1 if words[0] == "github" else 0] in notice, source
