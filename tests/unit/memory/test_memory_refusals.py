"""Numbers that refusals name: what was asked, what there is, and what would be taken."""

from dataclasses import replace

import pytest

from packer.domain.server_options import FlashAttention, ServerOptions, SplitMode
from packer.errors import InvalidInput, Problem
from packer.memory.context_checks import check_context, check_weight_devices
from packer.memory.layer_split import HOST, named_card, visible_cards
from packer.memory.resolution import resolve_context
from packer.memory.tensor_override import tensor_overrides
from tests.memory_models import MadeUp, cards

OPTIONS = ServerOptions(context_size=4096, slots=1)


def problem(made: MadeUp, options: ServerOptions) -> Problem:
    sizes = made.sizes()
    with pytest.raises(InvalidInput) as refused:
        check_context(sizes, resolve_context(sizes, options), options)
    (found,) = refused.value.problems
    return found


def test_slots() -> None:
    found = problem(MadeUp(), replace(OPTIONS, slots=300, context_size=2**20))
    assert found.title == "--parallel 300 is more than 256 slots"
    assert found.help == "use at most 256"


def test_slots_beyond_a_batch() -> None:
    found = problem(MadeUp(), replace(OPTIONS, slots=6, batch_size=4))
    assert found.title == "a batch of 4 tokens cannot serve 6 slots"
    assert found.help.endswith("to 6")


@pytest.mark.parametrize(("ubatch", "slots", "most"), [(100, 3, 99), (512, 5, 510)])
def test_slots_that_do_not_divide_a_pooled_batch(ubatch: int, slots: int, most: int) -> None:
    asked = replace(OPTIONS, slots=slots, ubatch_size=ubatch, embedding=True, pooling="mean")
    found = problem(MadeUp(), asked)
    assert found.title == f"{slots} slots cannot share a batch of {ubatch} tokens"
    assert found.help == f"use --ubatch-size {most}, or other slots"


def test_the_smallest_of_the_heads_that_are_no_whole_blocks() -> None:
    made = MadeUp(keys={"attention.key_length": 72, "attention.value_length": 40})
    asked = replace(OPTIONS, cache_type_k="q8_0", flash_attention=FlashAttention.ON)
    found = problem(made, asked)
    assert found.title == "a K head of 72 elements cannot be q8_0"
    assert found.why == "q8_0 packs 32 elements in a block"


def test_one_cache_of_two_types() -> None:
    keys = {"attention.key_length_mla": 192, "attention.value_length_mla": 128}
    found = problem(MadeUp("deepseek2", keys=keys), replace(OPTIONS, cache_type_k="q8_0"))
    assert found.why == "K is q8_0 but V is f16"


def test_cards_that_there_are() -> None:
    with pytest.raises(InvalidInput) as refused:
        visible_cards(cards(3), None, SplitMode.NONE, 3)
    (found,) = refused.value.problems
    assert found.why == "there are 3 cards, counted from 0"
    assert found.help == "use a number from 0 to 2"
    with pytest.raises(InvalidInput) as refused:
        named_card("CUDA7", 2)
    (found,) = refused.value.problems
    assert (found.why, found.help) == ("the process sees 2 cards", "use CUDA0, CUDA1")
    with pytest.raises(InvalidInput) as refused:
        named_card("CUDA0", 0)
    assert refused.value.problems[0].help == "use none"


def test_buffers_that_there_are() -> None:
    with pytest.raises(InvalidInput) as refused:
        tensor_overrides(replace(OPTIONS, override_tensors=(("ffn", "CUDA2"),)), 2)
    assert refused.value.problems[0].help == "use one of CPU, CUDA0, CUDA1"


def test_the_first_of_the_cards_a_model_does_not_use() -> None:
    with pytest.raises(InvalidInput, match="names CUDA2, which the model does not use"):
        check_weight_devices([3, 2, HOST, 0], [0, 1])
