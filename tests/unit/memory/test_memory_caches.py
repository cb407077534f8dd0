"""Key/value caches and recurrent states, layer by layer."""

from typing import Any

import pytest

from packer.domain.server_options import FlashAttention, ServerOptions
from packer.errors import InvalidInput, UnsupportedModel
from packer.memory.context_checks import check_cache_buffers, check_context
from packer.memory.flash_attention import attention_heads, transposes_values
from packer.memory.flash_attention_choice import uses_flash_attention
from packer.memory.hyperparameters import HyperParameters, read_hyperparameters
from packer.memory.kv_cache import CachedRows, kv_cache_bytes, slot_row_bytes, window_cells
from packer.memory.layer_split import HOST, model_layout
from packer.memory.recurrent_state import recurrent_state_bytes, state_elements
from packer.memory.resolution import ResolvedContext, resolve_context
from tests.memory_models import Keys, MadeUp, cards

ON_CARD = (0,) * 5
ROW = 2 * 64  # kv heads × head size


def context(model: HyperParameters, **options: Any) -> ResolvedContext:
    asked: dict[str, Any] = {"context_size": 4096, "slots": 2} | options
    return resolve_context(model, ServerOptions(**asked))


def cached(model: HyperParameters, has_flash_attention: bool = True, **options: Any) -> int:
    held = kv_cache_bytes(model, context(model, **options), ON_CARD, has_flash_attention)
    assert set(held) <= {0}
    return held.get(0, 0)


def test_every_layer_keeps_a_key_and_a_value_per_cell() -> None:
    assert cached(MadeUp().sizes()) == 4 * 4096 * 2 * 2 * ROW


def test_cache_types_are_sized_in_their_blocks_and_padded_on_cards() -> None:
    model = MadeUp().sizes()
    padding = (512 - ROW) // 32 * 34
    row = ROW // 32 * 34
    padded = -(-(4096 * row + padding) // 128) * 128
    assert cached(model, cache_type_k="q8_0") == 4 * (padded + 4096 * 2 * ROW)


def test_a_cache_on_the_host_has_no_row_padding() -> None:
    model = MadeUp().sizes()
    made = context(model, cache_type_k="q8_0", cache_type_v="q8_0")
    held = kv_cache_bytes(model, made, (HOST, 0, 0, 0, 0), True)
    assert held[HOST] == 2 * 4096 * ROW // 32 * 34


def test_without_offload_the_cache_is_on_the_host_alone() -> None:
    model = MadeUp().sizes()
    held = kv_cache_bytes(model, context(model, kv_offload=False), ON_CARD, True)
    assert held == {HOST: 4 * 4096 * 2 * 2 * ROW}


def test_without_flash_attention_every_value_is_as_wide_as_the_widest() -> None:
    model = MadeUp("deci", keys={"attention.head_count_kv": (2, 1, 2, 0)}).sizes()
    keys = 4096 * 2 * (2 + 1 + 2 + 0) * 64
    assert cached(model) == 2 * keys
    assert cached(model, has_flash_attention=False) == keys + 4 * 4096 * 2 * 2 * 64


WINDOWED = MadeUp("gemma3", layers=4, keys={"attention.sliding_window": 512}).sizes()


@pytest.mark.parametrize(
    ("options", "cells"),
    [
        ({}, 1024),
        ({"ubatch_size": 100}, 768),
        ({"context_size": 1024}, 512),
        ({"kv_unified": True}, 1536),
        ({"swa_full": True}, 2048),
    ],
)
def test_a_window_keeps_itself_and_a_ubatch(options: dict[str, Any], cells: int) -> None:
    assert window_cells(WINDOWED, context(WINDOWED, **options)) == cells


def test_windows_follow_the_period_or_the_files_pattern() -> None:
    def layers(**keys: Any) -> tuple[bool, ...]:
        made = {"attention.sliding_window": 512} | keys
        return MadeUp("gemma3", layers=7, keys=made).sizes().window_layers

    assert layers() == (True,) * 5 + (False, True)
    assert layers(**{"attention.sliding_window_pattern": 2}) == (True, False) * 3 + (True,)
    assert layers(**{"attention.sliding_window_pattern": 0}) == (True,) * 7
    listed = (True, False, False, True, True, True, False)
    assert layers(**{"attention.sliding_window_pattern": listed}) == listed
    assert layers(**{"attention.sliding_window": 0}) == (False,) * 7


def test_a_pattern_can_begin_with_the_dense_layer() -> None:
    keys = {"attention.sliding_window": 512}
    assert MadeUp("cohere2moe", layers=5, keys=keys).sizes().window_layers == (
        (False,) + (True,) * 3 + (False,)
    )


def test_llama_4_has_chunks_of_8192_whatever_the_file_says() -> None:
    assert MadeUp("llama4").sizes().window == 8192
    assert MadeUp("llama4", keys={"attention.sliding_window": 100}).sizes().window == 8192
    assert MadeUp("llama4", keys={"attention.sliding_window": 0}).sizes().window == 0


def test_exaone_4_has_windows_with_64_layers_only() -> None:
    assert MadeUp("exaone4", layers=30).sizes().window == 0
    assert MadeUp("exaone4", layers=64).sizes().window == 4096


def test_lfm2_windows_cover_every_attention_layer() -> None:
    keys: Keys = {
        "attention.head_count_kv": (0, 2, 0, 2),
        "attention.sliding_window": 128,
        "shortconv.l_cache": 3,
    }
    assert MadeUp("lfm2", keys=keys).sizes().window_layers == (False, True, False, True)


def test_a_compressed_cache_has_no_values() -> None:
    keys = {
        "attention.head_count_kv": 1,
        "attention.key_length": 576,
        "attention.value_length": 512,
        "attention.key_length_mla": 192,
        "attention.value_length_mla": 128,
    }
    assert cached(MadeUp("deepseek2", keys=keys).sizes()) == 4 * 4096 * 2 * 576


def test_an_indexer_adds_one_key_per_cell() -> None:
    keys = {"attention.indexer.key_length": 128}
    plain = cached(MadeUp("deepseek32").sizes())
    assert cached(MadeUp("deepseek32", keys=keys).sizes()) - plain == 4 * 4096 * 2 * 128


def test_minimax_m3_indexes_behind_the_dense_layers_with_a_value() -> None:
    keys = {"attention.indexer.key_length": 128, "leading_dense_block_count": 1}
    added = cached(MadeUp("minimax-m3", keys=keys).sizes()) - cached(MadeUp().sizes())
    assert added == 3 * 4096 * 2 * (128 + 64)


def test_glm_dsa_indexes_the_layers_its_file_calls_full() -> None:
    def layers(**keys: Any) -> tuple[bool, ...]:
        return MadeUp("glm-dsa", layers=7, keys=keys).sizes().indexer_layers

    assert layers() == (True,) * 7
    assert layers(context_length=2**20) == (True, True, True, False, False, False, True)
    types = (1, 0, 0, 1, 0, 1, 0)
    assert layers(**{"attention.indexer.types": types}) == tuple(map(bool, types))


def test_gemma_3n_caches_its_first_twenty_layers() -> None:
    model = MadeUp("gemma3n", layers=30, keys={"attention.sliding_window": 512}).sizes()
    held = kv_cache_bytes(model, context(model), (0,) * 20 + (1,) * 11, True)
    assert set(held) == {0}


def test_gemma_4_shares_as_many_layers_as_its_file_says() -> None:
    keys: Keys = {
        "attention.shared_kv_layers": 1,
        "attention.sliding_window_pattern": (False,) * 4,
        "attention.sliding_window": 512,
    }
    assert cached(MadeUp("gemma4", keys=keys).sizes()) == 3 * 4096 * 2 * 2 * ROW


def test_encoders_cache_nothing() -> None:
    assert cached(MadeUp("bert", keys={"attention.causal": False}).sizes()) == 0


def test_a_pattern_that_must_be_there_is_asked_for() -> None:
    with pytest.raises(InvalidInput, match=r"P0502.*sliding_window_pattern is missing"):
        MadeUp("gemma4", keys={"attention.sliding_window": 512}).sizes()


SPACE = {
    "ssm.conv_kernel": 4,
    "ssm.inner_size": 512,
    "ssm.state_size": 128,
    "ssm.group_count": 2,
}


@pytest.mark.parametrize(
    ("architecture", "keys", "elements"),
    [
        ("mamba2", SPACE, (3 * (512 + 2 * 2 * 128), 512 * 128)),
        ("lfm2", {"shortconv.l_cache": 3}, (256 * 2, 0)),
        ("kimi-linear", {"kda.head_dim": 64, "ssm.conv_kernel": 4}, (9 * 256, 64 * 256)),
        ("kimi-linear", {"kda.head_dim": 64}, (9 * 256, 64 * 256)),
        ("minimax-01", {}, (0, 64 * 64 * 4)),
        ("mamba", {"wkv.head_size": 64}, (2 * 256, 64 * 256)),
    ],
)
def test_sizes_of_one_recurrent_row(
    architecture: str, keys: dict[str, int], elements: tuple[int, int]
) -> None:
    assert state_elements(MadeUp(architecture, keys=dict(keys)).sizes()) == elements


def test_recurrent_layers_keep_one_row_per_slot_and_drafted_token() -> None:
    model = MadeUp("qwen35", keys=dict(SPACE)).sizes()
    row = 4 * (3 * 1024 + 512 * 128)
    assert recurrent_state_bytes(model, context(model), ON_CARD) == {0: 3 * 2 * row}
    drafting = context(model, speculation=("draft-mtp",), draft_depth=3)
    assert recurrent_state_bytes(model, drafting, ON_CARD) == {0: 3 * 2 * 4 * row}
    on_host = context(model, kv_offload=False)
    assert recurrent_state_bytes(model, on_host, ON_CARD) == {HOST: 3 * 2 * row}


def test_listed_recurrent_layers_win_over_the_interval() -> None:
    keys: dict[str, Any] = dict(SPACE) | {"attention.recurrent_layers": (1, 0, 0, 1)}
    model = MadeUp("qwen35", keys=keys).sizes()
    assert model.recurrent_layers == (True, False, False, True)


def test_an_interval_of_zero_is_refused() -> None:
    with pytest.raises(InvalidInput, match="full_attention_interval"):
        MadeUp("qwen35", keys=dict(SPACE) | {"full_attention_interval": 0}).sizes()


def test_nemotron_h_has_blocks_with_neither_cache_nor_state() -> None:
    keys = dict(SPACE) | {
        "attention.head_count_kv": (0, 2, 0, 0),
        "feed_forward_length": (0, 0, 512, 0),
    }
    model = MadeUp("nemotron_h", keys=keys).sizes()
    assert model.recurrent_layers == (True, False, False, True)
    assert cached(model) == 4096 * 2 * 2 * ROW


def test_falcon_h1_has_both_in_every_layer() -> None:
    model = MadeUp("falcon-h1", keys=dict(SPACE)).sizes()
    assert cached(model) == 4 * 4096 * 2 * 2 * ROW
    assert recurrent_state_bytes(model, context(model), ON_CARD)[0] > 0


def test_without_a_convolution_nothing_of_the_past_is_kept_for_it() -> None:
    for kernel, history in ((0, 0), (1, 0), (2, 1), (4, 3)):
        model = MadeUp("mamba2", keys=dict(SPACE) | {"ssm.conv_kernel": kernel}).sizes()
        space = model.state_space
        convolved = history * (space.inner + 2 * space.groups * space.state)
        assert state_elements(model) == (convolved, space.state * space.inner)


def test_one_cell_of_keys_values_and_their_index() -> None:
    rows = CachedRows(key=128, value=96, index_key=64, index_value=32, has_window=False)
    model = MadeUp().sizes()
    assert slot_row_bytes(context(model), rows) == 2 * (128 + 96 + 64 + 32)
    mixed = context(model, cache_type_k="q8_0", cache_type_v="q4_0")
    assert slot_row_bytes(mixed, rows) == (128 + 64) // 32 * 34 + (96 + 32) // 32 * 18


def flash(made: MadeUp, **options: Any) -> bool:
    asked = ServerOptions(context_size=4096, slots=1, **options)
    model = made.file()
    sizes = read_hyperparameters(model)
    layout = model_layout(sizes.block_count, asked, cards(1))
    return uses_flash_attention(model, sizes, resolve_context(sizes, asked), layout, asked)


def test_flash_attention_follows_the_flag_or_the_cards_kernels() -> None:
    model = MadeUp()
    odd = MadeUp(keys={"attention.key_length": 100, "attention.value_length": 100})
    assert flash(model)
    assert not flash(model, flash_attention=FlashAttention.OFF)
    assert flash(odd, flash_attention=FlashAttention.ON)
    assert not flash(odd)
    assert flash(odd, gpu_layers=0)
    assert not flash(model, cache_type_k="iq4_nl")
    assert flash(model, cache_type_k="iq4_nl", cache_type_v="q8_0")
    assert not flash(MadeUp("grok"), flash_attention=FlashAttention.ON)


@pytest.mark.parametrize(
    ("key", "value", "heads", "has"),
    [
        (192, 128, 8, True),
        (192, 128, 16, True),
        (192, 128, 4, False),
        (192, 192, 8, False),
        (320, 256, 32, True),
        (320, 256, 16, False),
        (512, 512, 1, False),
        (512, 512, 2, True),
        (512, 256, 2, False),
        (576, 512, 8, True),
        (576, 576, 8, False),
        # Heads that need no groups have values as wide as keys, never narrower or wider.
        (128, 128, 1, True),
        (128, 256, 1, False),
        (256, 128, 1, False),
        (40, 40, 1, True),
        (72, 72, 1, True),
        (80, 80, 1, True),
        (112, 112, 1, True),
        (48, 48, 8, False),
    ],
)
def test_large_heads_need_grouped_queries(key: int, value: int, heads: int, has: bool) -> None:
    keys = {"attention.key_length": key, "attention.value_length": value}
    assert flash(MadeUp(heads=heads, kv_heads=1, keys=keys)) is has


def test_an_automatic_choice_does_not_transpose_the_cache() -> None:
    assert transposes_values(FlashAttention.OFF)
    assert not transposes_values(FlashAttention.AUTO)


@pytest.mark.parametrize(
    ("made", "options", "wanted"),
    [
        (MadeUp(), {"slots": 257, "context_size": 2**20}, "257 is more than 256 slots"),
        (MadeUp(), {"cache_type_v": "q8_0", "flash_attention": FlashAttention.OFF}, "P0509"),
        (MadeUp("grok"), {"cache_type_v": "q8_0"}, "P0509"),
        (MadeUp(width=240), {"cache_type_k": "q8_0"}, "a K head of 60 elements cannot be q8_0"),
        (MadeUp(width=240), {"cache_type_v": "q4_0"}, "a V head of 60 elements cannot be q4_0"),
    ],
)
def test_what_llama_cpp_refuses_is_refused(
    made: MadeUp, options: dict[str, Any], wanted: str
) -> None:
    model = made.sizes()
    asked = ServerOptions(**({"context_size": 4096, "slots": 1} | options))
    with pytest.raises(InvalidInput, match=wanted):
        check_context(model, resolve_context(model, asked), asked)


def test_a_compressed_cache_needs_one_type() -> None:
    keys = {"attention.key_length_mla": 192, "attention.value_length_mla": 128}
    model = MadeUp("deepseek2", keys=keys).sizes()
    asked = ServerOptions(context_size=4096, slots=1, cache_type_k="q8_0")
    with pytest.raises(InvalidInput, match="one cache for keys and values"):
        check_context(model, resolve_context(model, asked), asked)


def test_without_flash_attention_a_broken_row_is_refused_all_the_same() -> None:
    model = MadeUp(width=240, heads=4, kv_heads=1).sizes()
    with pytest.raises(UnsupportedModel, match="60 elements"):
        cached(model, cache_type_k="q8_0")


def test_a_device_without_a_byte_of_cache_is_refused() -> None:
    check_cache_buffers({})
    check_cache_buffers({0: 0})
    with pytest.raises(InvalidInput, match="card 1 would only hold layers without attention"):
        check_cache_buffers({0: 100, 1: 0})
    with pytest.raises(InvalidInput, match="the host would"):
        check_cache_buffers({HOST: 0, 0: 100})


def test_blocks_without_key_heads_do_not_attend() -> None:
    keys: Keys = {"attention.head_count_kv": (2, 0, 1, 0)}
    assert attention_heads(MadeUp("deci", keys=keys).sizes()) == {(64, 64, 2), (64, 64, 4)}
    assert attention_heads(MadeUp("jamba", keys=keys).sizes()) == {(64, 64, 2), (64, 64, 4)}
    assert attention_heads(MadeUp("mamba2").sizes()) == set()
    assert attention_heads(MadeUp("falcon-h1").sizes()) == {(64, 64, 2)}
