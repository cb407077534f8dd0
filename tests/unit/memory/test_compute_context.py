"""Where graphs find weights, and how many tokens and rows they are reserved for."""

from typing import Any

import pytest

from packer.domain.server_options import ServerOptions
from packer.memory.compute_context import (
    one_sequence_batch,
    pooling,
    prompt_batch,
    single_batch,
    weight_homes,
)
from packer.memory.layer_split import HOST
from packer.memory.resolution import resolve_context
from tests.memory_models import MadeUp


def test_the_output_layer_reads_its_own_copy_of_a_tied_embedding() -> None:
    made = MadeUp(is_tied=True)
    home = weight_homes(made.file(), made.sizes(), ServerOptions(), (2, 0, 0, 1, 1), {HOST: 2})
    assert home("token_embd.weight", -1) == 2
    assert home("token_embd.weight", 0) == 2
    assert home("token_embd.weight", 4) == 1
    assert [home(f"blk.{block}.ffn_up.weight", block) for block in range(4)] == [2, 0, 0, 1]


def test_overrides_reach_every_card_and_the_host() -> None:
    made, backend = MadeUp(), {HOST: 2, 0: 0, 1: 1}
    overrides = (("ffn_up", "CUDA1"), ("ffn_down", "CUDA0"), ("ffn_gate", "CPU"))
    options = ServerOptions(override_tensors=overrides)
    home = weight_homes(made.file(), made.sizes(), options, (2, 0, 0, 1, 1), backend)
    for block, own in enumerate((2, 0, 0, 1)):
        found = [home(f"blk.{block}.{stem}.weight", block) for stem in ("ffn_up", "ffn_down")]
        assert found == [1, 0]
        assert home(f"blk.{block}.ffn_gate.weight", block) == 2
        assert home(f"blk.{block}.attn_q.weight", block) == own


def test_batches_of_a_context() -> None:
    options = ServerOptions(context_size=4096, slots=3, ubatch_size=100)
    context = resolve_context(MadeUp().sizes(), options)
    prompt, one = prompt_batch(context, "b11434"), one_sequence_batch(context)
    assert (prompt.tokens, prompt.sequences, prompt.outputs) == (102, 3, 3)
    assert prompt.tokens_per_sequence == 34
    assert (one.tokens, one.sequences, one.outputs) == (100, 1, 3)
    single = single_batch(context)
    assert (single.tokens, single.sequences, single.outputs) == (3, 3, 3)


def test_older_builds_reserve_every_output() -> None:
    context = resolve_context(MadeUp().sizes(), ServerOptions(context_size=4096, slots=2))
    outputs = {b: prompt_batch(context, b).outputs for b in ("b9499", "b9500", "b9501", "custom")}
    assert outputs == {"b9499": 512, "b9500": 2, "b9501": 2, "custom": 2}


@pytest.mark.parametrize(
    ("said", "options", "found"),
    [
        (1, {}, ""),
        (0, {"embedding": True}, "none"),
        (1, {"embedding": True}, "mean"),
        (2, {"embedding": True}, "cls"),
        (3, {"embedding": True}, "last"),
        (4, {"embedding": True}, "rank"),
        (5, {"embedding": True}, "none"),
        (1, {"embedding": True, "pooling": "last"}, "last"),
        (1, {"reranking": True, "pooling": "last"}, "rank"),
    ],
)
def test_how_embeddings_are_pooled(said: int, options: dict[str, Any], found: str) -> None:
    sizes = MadeUp(keys={"pooling_type": said}).sizes()
    assert pooling(sizes, ServerOptions(**options)) == found
