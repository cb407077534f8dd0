"""Largest contexts: what they promise, asked of the estimate itself."""

from pathlib import Path

import pytest

from packer import api
from packer.errors import InvalidInput
from packer.memory.result import Card
from packer.units import GIB
from tests.tiny_models import TinyShape, write_tiny_model


@pytest.mark.parametrize("cache_type", ["f16", "q8_0"])
def test_one_step_more_would_not_fit(cache_type: str) -> None:
    reference, cards = "catalogue:llama-3.1-8b:Q4_K_M", [Card("CUDA0", 12 * GIB)]
    cells = api.largest_context(reference, cards, cache_type=cache_type)
    assert cells is not None
    assert cells % 256 == 0
    assert cells < 131072

    def fits(size: int) -> bool:
        words = f"llama-server -m {reference} -c {size} -np 1 -ctk {cache_type} -ctv {cache_type}"
        return api.estimate_process(words.split(), cards).fits

    assert fits(cells)
    assert not fits(cells + 256)


def test_two_cards_hold_more_than_one() -> None:
    reference, card = "catalogue:llama-3.1-8b:Q4_K_M", Card("CUDA0", 8 * GIB)
    one, two = (api.largest_context(reference, [card] * count) for count in (1, 2))
    assert one is not None
    assert two is not None
    assert two > 2 * one


def test_no_context_at_all_is_none() -> None:
    assert api.largest_context("catalogue:llama-3.1-8b:Q4_K_M", [Card("CUDA0", GIB)]) is None


def test_the_models_own_limit_need_not_be_a_multiple_of_256(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "tiny.gguf", TinyShape(context=2000))
    assert api.largest_context(path, [Card("CUDA0", 24 * GIB)]) == 2000


def test_types_the_model_cannot_have_are_left_out(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "tiny.gguf", TinyShape(head_width=16, key_value_heads=1))
    assert [cost.cache_type for cost in api.cache_costs(path)] == ["f16", "bf16"]
    with pytest.raises(InvalidInput):
        api.largest_context(path, [Card("CUDA0", 24 * GIB)], cache_type="q8_0")


def test_an_architecture_that_is_not_modelled_is_refused(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "odd.gguf", TinyShape(architecture="llamaesque"))
    with pytest.raises(InvalidInput) as error:
        api.cache_costs(path)
    assert error.value.problems[0].code == "P0501"
    assert api.inspect(path).architecture == "llamaesque"
