"""Slots, cells, batches and outputs as llama-server resolves them."""

from dataclasses import replace
from typing import Any

import pytest

from packer.domain.server_options import ServerOptions
from packer.errors import InvalidInput
from packer.memory.context_checks import check_context
from packer.memory.resolution import ResolvedContext, cache_type, resolve_context
from tests.memory_models import MadeUp

MODEL = MadeUp().sizes()


def resolved(**options: Any) -> ResolvedContext:
    return resolve_context(MODEL, ServerOptions(**options))


def test_automatic_slots_are_four_and_share_one_cache() -> None:
    context = resolved(context_size=8192, kv_unified=False)
    assert (context.slots, context.streams, context.cells_per_slot) == (4, 1, 8192)


def test_no_slots_are_one() -> None:
    context = resolved(context_size=8192, slots=0)
    assert (context.slots, context.is_unified) == (1, False)


def test_given_slots_split_the_context() -> None:
    context = resolved(context_size=32768, slots=4)
    assert (context.streams, context.cells_per_slot, context.context_cells) == (4, 8192, 32768)


def test_a_split_can_round_the_context_up() -> None:
    context = resolved(context_size=10000, slots=3)
    assert (context.cells_per_slot, context.context_cells) == (3584, 10752)


def test_a_unified_cache_is_shared_by_all_slots() -> None:
    context = resolved(context_size=10000, slots=3, kv_unified=True)
    assert (context.streams, context.cells_per_slot) == (1, 10240)


@pytest.mark.parametrize("size", [None, 0])
def test_without_a_size_the_model_decides(size: int | None) -> None:
    assert resolved(context_size=size, slots=1).context_cells == 32768


def test_cells_per_slot_add_up_when_no_size_is_given() -> None:
    assert resolved(context_per_slot=4096, slots=3).context_cells == 12288


def test_a_size_of_zero_wins_over_cells_per_slot() -> None:
    assert resolved(context_size=0, context_per_slot=4096, slots=1).context_cells == 32768


def test_the_batch_is_no_longer_than_a_causal_context() -> None:
    context = resolved(context_size=300, slots=1)
    assert (context.batch_size, context.ubatch_size, context.context_cells) == (300, 300, 512)


def test_an_encoder_keeps_its_batch() -> None:
    model = MadeUp(keys={"attention.causal": False}).sizes()
    context = resolve_context(model, ServerOptions(context_size=256, slots=1))
    assert (context.batch_size, context.ubatch_size) == (2048, 512)


def test_embeddings_lower_the_batch_and_return_all_of_it() -> None:
    context = resolved(context_size=4096, slots=2, embedding=True)
    assert (context.batch_size, context.outputs_max) == (512, 512)


def test_pooling_returns_the_whole_batch() -> None:
    assert resolved(context_size=4096, slots=2, pooling="mean").outputs_max == 2048


def test_a_server_returns_one_row_per_slot_and_drafted_token() -> None:
    assert resolved(context_size=4096, slots=4).outputs_max == 4
    drafting = resolved(context_size=4096, slots=4, speculation=("draft-mtp",))
    assert (drafting.outputs_max, drafting.draft_depth) == (16, 3)


def test_a_plain_draft_model_does_not_draft() -> None:
    assert resolved(context_size=4096, slots=1, draft_depth=16).outputs_max == 1


def test_n_gram_speculation_widens_the_outputs() -> None:
    context = resolved(context_size=4096, slots=2, speculation=("ngram-mod",), ngram_depth=64)
    assert context.outputs_max == 130


def test_fit_params_counts_the_whole_batch_and_one_slot() -> None:
    context = resolved(program="llama-fit-params", context_size=4096)
    assert (context.slots, context.streams, context.outputs_max) == (1, 1, 2048)


def test_only_rolling_back_speculation_keeps_older_states() -> None:
    model = MadeUp("nemotron_h", keys={"attention.head_count_kv": (0, 2, 0, 0)}).sizes()
    plain = ServerOptions(speculation=("draft-simple",))
    rolling = ServerOptions(speculation=("draft-eagle3",), draft_depth=5)
    assert resolve_context(model, plain).rollback_depth == 0
    assert resolve_context(model, rolling).rollback_depth == 5
    assert resolve_context(MODEL, rolling).rollback_depth == 0


def test_an_ubatch_of_zero_is_the_batch() -> None:
    assert resolved(context_size=4096, slots=1, ubatch_size=0).ubatch_size == 2048


def test_fewer_cells_than_slots_are_refused() -> None:
    with pytest.raises(InvalidInput, match="P0506"):
        resolved(context_size=256, slots=300)


@pytest.mark.parametrize(
    "options",
    [
        ServerOptions(context_size=1024, slots=2, batch_size=1),
        ServerOptions(context_size=1024, slots=4, batch_size=2, embedding=True),
    ],
)
def test_a_batch_smaller_than_the_slots_is_refused(options: ServerOptions) -> None:
    with pytest.raises(InvalidInput, match="P0517"):
        check_context(MODEL, resolve_context(MODEL, options), options)


def test_mean_pooling_of_slots_that_do_not_divide_the_batch_is_refused() -> None:
    asked = ServerOptions(context_size=4096, slots=3, embedding=True, pooling="mean")
    with pytest.raises(InvalidInput, match=r"P0518[^$]*--ubatch-size 510"):
        check_context(MODEL, resolve_context(MODEL, asked), asked)
    for fine in (
        replace(asked, ubatch_size=510),
        replace(asked, slots=4),
        replace(asked, pooling="cls"),
    ):
        check_context(MODEL, resolve_context(MODEL, fine), fine)


def test_an_unknown_cache_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match=r"P0505.*'q6_K'"):
        cache_type("q6_K")
