"""What cards can run, and what an operation reserves there beyond its result."""

import pytest

from packer.domain.quantization import ELEMENT_TYPES_BY_NAME
from packer.memory.compute_cuda import allocation_bytes, batch_rows, can_run, has_flash_kernel
from packer.memory.compute_tensor import F32, GraphTensor

HOST = 1


def tensor(kind: str, *shape: int, operation: str = "none") -> GraphTensor:
    full = (*shape, 1, 1, 1)
    return GraphTensor(operation, ELEMENT_TYPES_BY_NAME[kind], (full[0], full[1], full[2], full[3]))


def node(operation: str, *sources: GraphTensor, variant: str = "") -> GraphTensor:
    return GraphTensor(operation, F32, sources[0].shape, sources, variant)


def attention(
    rows: int,
    head: int = 128,
    heads: int = 32,
    kv_heads: int = 8,
    kinds: tuple[str, str] = ("f16", "f16"),
    cells: int = 4096,
    head_v: int = 0,
    streams: int = 1,
) -> GraphTensor:
    query = tensor("f32", head, rows, heads, streams)
    key = tensor(kinds[0], head, cells, kv_heads)
    value = tensor(kinds[1], head_v or head, cells, kv_heads)
    mask = tensor("f16", cells, rows)
    return GraphTensor(
        "flash_attn", F32, (head_v or head, heads, rows, 1), (query, key, value, mask)
    )


@pytest.mark.parametrize(
    ("found", "runs"),
    [
        (node("mul_mat", tensor("q4_K", 256, 8), tensor("f32", 256, 4)), True),
        (node("mul_mat", tensor("tq1_0", 256, 8), tensor("f32", 256, 4)), False),
        (node("mul_mat", tensor("q4_K", 256, 8), tensor("f16", 256, 4)), False),
        (node("mul_mat", tensor("f16", 256, 8), tensor("f16", 256, 4)), True),
        (node("mul_mat_id", tensor("q4_K", 256, 8), tensor("f32", 256, 4)), True),
        (
            node("mul_mat_id", tensor("q4_K", 256, 8), tensor("f32", 256), variant="precise"),
            False,
        ),
        (node("get_rows", tensor("q4_K", 256, 8), tensor("i32", 4)), True),
        (node("get_rows", tensor("iq4_nl", 256, 8), tensor("i32", 4)), True),
        (node("get_rows", tensor("iq4_nl", 64, 8), tensor("i32", 4)), False),
        (node("get_rows", tensor("nvfp4", 256, 8), tensor("i32", 4)), False),
        (node("add", tensor("f32", 8), tensor("bf16", 8)), False),
        (node("add", tensor("f32", 8), tensor("f16", 8)), True),
        (node("unary", tensor("f32", 8), variant="silu"), True),
        (node("repeat", tensor("q8_0", 32)), False),
        (node("concat", tensor("f32", 8), tensor("f32", 8)), True),
    ],
)
def test_what_a_card_can_run(found: GraphTensor, runs: bool) -> None:
    assert can_run(found, 0, HOST) is runs


def scan(state: tuple[int, ...], decay: int, groups: int) -> GraphTensor:
    """A scan of states [state, head, heads] with keys of so many groups."""
    operands = [tensor("f32", 8) for _ in range(3)]
    return node(
        "ssm_scan",
        tensor("f32", *state),
        *operands[1:],
        tensor("f32", decay),
        tensor("f32", 8, groups),
    )


@pytest.mark.parametrize(
    ("found", "runs"),
    [
        # Mamba 1: a decay of its own for every element of the state.
        (scan((16, 1, 128), 16, 1), True),
        (scan((16, 1, 384), 16, 1), True),
        (scan((16, 1, 129), 16, 1), False),
        (scan((16, 1, 64), 16, 1), False),
        (scan((16, 2, 128), 16, 1), False),
        (scan((8, 1, 128), 16, 1), False),
        (scan((16, 1, 128), 16, 2), False),
        # Mamba 2: one decay for each head.
        (scan((128, 64, 4), 1, 2), True),
        (scan((96, 64, 4), 1, 2), True),
        (scan((256, 64, 4), 1, 2), True),
        (scan((128, 24, 4), 1, 2), False),
        (scan((64, 64, 4), 1, 2), False),
    ],
)
def test_states_a_card_scans(found: GraphTensor, runs: bool) -> None:
    assert can_run(found, 0, HOST) is runs


@pytest.mark.parametrize("head", [40, 64, 72, 80, 96, 112, 128, 256])
def test_heads_of_equal_keys_and_values_with_a_kernel(head: int) -> None:
    assert has_flash_kernel(attention(1, head=head))
    assert not has_flash_kernel(attention(1, head=head + 1))


def test_an_operand_on_another_card_cannot_be_read() -> None:
    weight = tensor("f16", 256, 8)
    found = node("mul_mat", weight, tensor("f32", 256, 4))
    weight.home = 1
    assert not can_run(found, 0, host=2)
    weight.home = 2
    assert can_run(found, 0, host=2)


def test_a_row_that_is_padded_takes_more_on_a_card() -> None:
    narrow = tensor("q8_0", 96, 10)
    assert allocation_bytes(narrow, is_card=False) == 10 * 102
    assert allocation_bytes(narrow, is_card=True) == 10 * 102 + 13 * 34


@pytest.mark.parametrize(
    ("operation", "rows"),
    [("get_rows", 0), ("mul_mat", 4), ("mul_mat_id", 5), ("rope", 5), ("add", 20)],
)
def test_rows_that_decide_where_a_host_weight_is_used(operation: str, rows: int) -> None:
    assert batch_rows(tensor("f32", 3, 4, 5, operation=operation)) == rows


@pytest.mark.parametrize(
    ("found", "fits"),
    [
        (attention(1), True),
        (attention(1, kinds=("q8_0", "q8_0")), True),
        (attention(1, kinds=("iq4_nl", "q8_0")), False),
        (attention(1, head=112), True),
        (attention(1, head=32), False),
        (attention(1, head=128, head_v=64), False),
        (attention(1, head=192, head_v=128, heads=64), True),
        (attention(1, head=192, head_v=128, heads=24), False),
        (attention(1, head=320, head_v=256, heads=64, kv_heads=2), True),
        (attention(1, head=512, heads=32), True),
        (attention(1, head=576, head_v=512, heads=16, kv_heads=1), True),
        (attention(1, head=576, head_v=512, heads=1, kv_heads=1), False),
    ],
)
def test_heads_and_caches_with_a_flash_attention_kernel(found: GraphTensor, fits: bool) -> None:
    assert has_flash_kernel(found) is fits


def test_flash_attention_of_a_prompt_needs_keys_and_values_in_half_precision() -> None:
    halves = allocation_bytes(attention(512), is_card=True)
    quarters = allocation_bytes(attention(512, kinds=("q8_0", "q8_0")), is_card=True)
    assert quarters - halves == 2 * 2 * 128 * 4096 * 8


def test_flash_attention_of_one_token_reads_a_cache_of_one_type_as_it_is() -> None:
    plain = allocation_bytes(attention(1), is_card=True)
    assert allocation_bytes(attention(1, kinds=("q8_0", "q8_0")), is_card=True) == plain
    mixed = allocation_bytes(attention(1, kinds=("q8_0", "q4_0")), is_card=True)
    assert mixed - plain == 2 * 2 * 128 * 4096 * 8


@pytest.mark.parametrize("head", [64, 128, 256])
def test_heads_whose_quantized_cache_is_read_as_it_is(head: int) -> None:
    plain = allocation_bytes(attention(1, head=head), is_card=True)
    assert allocation_bytes(attention(1, head=head, kinds=("q8_0",) * 2), is_card=True) == plain


HALVES = 128 * 4096 * 2
"""Bytes of one head's keys in f16."""


@pytest.mark.parametrize(
    ("found", "copied"),
    [
        # One token whose heads are not in groups: every kind a kernel reads is read as it is.
        (attention(1, heads=8, kinds=("bf16", "bf16"), streams=2), 0),
        (attention(2, heads=8, kinds=("bf16", "bf16"), streams=2), 16 * HALVES),
        (attention(1, heads=8, kinds=("q4_0", "q4_0")), 0),
        (attention(1, heads=8, kinds=("q5_0", "q5_0")), 16 * HALVES),
        (attention(1, heads=8, kinds=("f32", "f32")), 16 * HALVES),
        (attention(1, heads=8, kinds=("f16", "q8_0")), 8 * HALVES),
        (attention(1, heads=8, kinds=("q8_0", "f16")), 8 * HALVES),
        # In groups: one token of one sequence, and not where many queries share a long cache.
        (attention(1, kinds=("bf16", "bf16")), 0),
        (attention(2, kinds=("bf16", "bf16")), 16 * HALVES),
        (attention(1, kinds=("bf16", "bf16"), streams=2), 16 * HALVES),
        (attention(1, heads=40, kinds=("bf16", "bf16")), 0),
        (attention(1, kinds=("bf16", "bf16"), cells=8192), 0),
        (attention(1, heads=40, kinds=("bf16", "bf16"), cells=7936), 0),
        (attention(1, heads=40, kinds=("bf16", "bf16"), cells=8192), 32 * HALVES),
        (attention(1, head=256, heads=32, kinds=("bf16", "bf16")), 0),
        (attention(1, head=256, heads=40, kinds=("bf16", "bf16")), 32 * HALVES),
        # Quantized: up to two tokens.
        (attention(2, kinds=("q8_0", "q8_0")), 0),
        (attention(3, kinds=("q8_0", "q8_0")), 16 * HALVES),
        (attention(2, heads=40, kinds=("q8_0", "q8_0"), cells=8192), 0),
        # Cells that are no whole strides, and heads without this kernel.
        (attention(1, kinds=("q8_0", "q8_0"), cells=4095), 16 * HALVES // 4096 * 4095),
        (attention(1, head=64, kinds=("q8_0", "q8_0")), 0),
        (attention(1, head=96, kinds=("q8_0", "q8_0")), 16 * HALVES // 4 * 3),
        (attention(1, head=192, heads=64, kinds=("q8_0",) * 2, head_v=128), 20 * HALVES),
    ],
)
def test_copies_of_the_cache_in_half_precision(found: GraphTensor, copied: int) -> None:
    plain = allocation_bytes(found, is_card=False)
    assert allocation_bytes(found, is_card=True) - plain == copied


def test_values_that_are_part_of_the_keys_are_copied_once() -> None:
    found = attention(2, head=576, head_v=512, heads=16, kv_heads=1, kinds=("q8_0", "q8_0"))
    key, value = found.sources[1:3]
    plain, one = allocation_bytes(found, is_card=False), 2 * 4096
    assert allocation_bytes(found, is_card=True) - plain == one * (576 + 512)
    value.root = key
    assert allocation_bytes(found, is_card=True) - plain == one * 576
    value.root = key.root = tensor("q8_0", 576, 4096)
    assert allocation_bytes(found, is_card=True) - plain == one * 576
    value.view_offset = 34
    assert allocation_bytes(found, is_card=True) - plain == one * (576 + 512)


@pytest.mark.parametrize(
    ("found", "fits"),
    [
        # Large heads want at least two queries for each key, and multiples of some number.
        (attention(1, head=512, heads=16), True),
        (attention(1, head=512, heads=8), False),
        (attention(1, head=512, heads=32, cells=4095), False),
        (attention(1, head=512, head_v=256, heads=32), False),
        (attention(1, head=192, head_v=192, heads=64), False),
        (attention(1, head=320, head_v=256, heads=48, kv_heads=2), False),
        (attention(1, head=320, head_v=320, heads=64, kv_heads=2), False),
        (attention(1, head=576, head_v=576, heads=16, kv_heads=1), False),
        (attention(1, head=128, head_v=256), False),
        (attention(1, kinds=("f16", "iq4_nl")), False),
    ],
)
def test_pairs_of_heads_with_and_without_a_kernel(found: GraphTensor, fits: bool) -> None:
    assert has_flash_kernel(found) is fits


def test_large_heads_need_a_mask_no_linear_biases_and_strides_of_sixteen() -> None:
    found = attention(1, head=512)
    assert has_flash_kernel(found)
    found.variant = "alibi"
    assert not has_flash_kernel(found)
    found.variant, mask = "", found.sources[3]
    found.sources = list(found.sources[:3])
    assert not has_flash_kernel(found)
    found.sources.append(mask)
    assert has_flash_kernel(found)
    found.sources[1].strides = (2, 1024, 1032, 4194304)
    assert not has_flash_kernel(found)


@pytest.mark.parametrize(
    ("head", "heads", "kind", "runs"),
    [
        (128, 4, "f16", True),
        (128, 32, "q8_0", True),
        (128, 64, "bf16", True),
        (128, 16, "f16", False),
        (64, 32, "f16", False),
        (256, 32, "f16", False),
        (128, 32, "iq4_nl", False),
    ],
)
def test_indexers_a_card_runs(head: int, heads: int, kind: str, runs: bool) -> None:
    query, key = tensor("f32", head, heads, 5), tensor(kind, head, 1, 512)
    assert can_run(node("lightning_indexer", query, key), 0, HOST) is runs


@pytest.mark.parametrize(
    ("left", "right", "result", "runs"),
    [
        ("bf16", "bf16", "bf16", True),
        ("bf16", "f32", "bf16", True),
        ("bf16", "f16", "bf16", False),
        ("bf16", "f32", "f32", False),
        ("f32", "bf16", "f32", False),
        ("f32", "bf16", "bf16", False),
        ("f16", "f16", "f16", True),
        ("f16", "f32", "f16", True),
        ("f32", "i32", "f32", False),
        ("q8_0", "f32", "f32", False),
    ],
)
@pytest.mark.parametrize("operation", ["add", "sub", "mul", "div"])
def test_types_that_can_be_combined(
    operation: str, left: str, right: str, result: str, runs: bool
) -> None:
    operands = (tensor(left, 32), tensor(right, 32))
    kind = ELEMENT_TYPES_BY_NAME[result]
    found = GraphTensor(operation, kind, operands[0].shape, operands)
    assert can_run(found, 0, HOST) is runs


def with_strides(found: GraphTensor, *strides: int) -> GraphTensor:
    found.strides = (strides[0], strides[1], strides[2], strides[3])
    return found


@pytest.mark.parametrize(
    ("operation", "operand", "runs"),
    [
        ("ssm_conv", tensor("f32", 4, 256), True),
        ("ssm_conv", tensor("f32", 4, 200), False),
        ("unary", with_strides(tensor("f32", 8, 4), 4, 64, 256, 256), False),
        # A gated activation wants matrices one behind the other; rows may have gaps.
        ("glu", with_strides(tensor("f32", 8, 4, 2), 4, 64, 256, 512), True),
        ("glu", with_strides(tensor("f32", 8, 4, 2), 4, 64, 512, 1024), False),
        ("glu", with_strides(tensor("f32", 8, 4, 2), 4, 64, 256, 1024), False),
        ("rope", with_strides(tensor("f32", 8, 4, 2), 4, 64, 512, 4096), True),
        ("rope", with_strides(tensor("f32", 8, 4, 2, 3), 4, 64, 512, 1024), True),
        ("rope", with_strides(tensor("f32", 8, 4, 2, 3), 4, 64, 512, 4096), False),
        ("rope", with_strides(tensor("f32", 8, 4, 2), 8, 64, 512, 1024), False),
        # Smaller strides behind larger ones: dimensions exchanged.
        ("rope", with_strides(tensor("f32", 8, 4, 2, 3), 4, 192, 768, 64), False),
        ("glu", with_strides(tensor("f32", 8, 4, 2, 3), 4, 64, 768, 256), False),
        ("glu", with_strides(tensor("f32", 8, 4, 2), 4, 128, 64, 256), False),
        ("repeat", tensor("f16", 8), True),
        ("repeat", tensor("bf16", 8), False),
    ],
)
def test_layouts_a_card_can_run(operation: str, operand: GraphTensor, runs: bool) -> None:
    assert can_run(node(operation, operand), 0, HOST) is runs


def test_products_want_elements_side_by_side() -> None:
    for turned in (0, 1):
        operands = [tensor("f16", 256, 8), tensor("f32", 256, 4)]
        assert can_run(node("mul_mat", *operands), 0, HOST)
        with_strides(operands[turned], 512, 4, 4096, 4096)
        assert not can_run(node("mul_mat", *operands), 0, HOST)


def test_flash_attention_without_a_kernel_reserves_its_result_alone() -> None:
    found = attention(1, head=32)
    assert allocation_bytes(found, is_card=True) == allocation_bytes(found, is_card=False)


def test_bytes_of_a_tensor_with_gaps_end_with_its_last_row() -> None:
    found = with_strides(tensor("q8_0", 96, 10), 34, 136, 1360, 1360)
    assert allocation_bytes(found, is_card=False) == 102 + 9 * 136
    halves = with_strides(tensor("f16", 8, 4, 3), 2, 32, 256, 768)
    assert allocation_bytes(halves, is_card=False) == 8 * 2 + 3 * 32 + 2 * 256


@pytest.mark.parametrize("shape", [(0, 4, 3), (8, 0, 3), (8, 4, 0)])
def test_a_tensor_of_nothing_takes_nothing(shape: tuple[int, ...]) -> None:
    assert allocation_bytes(tensor("f16", *shape), is_card=False) == 0
    assert allocation_bytes(with_strides(tensor("f16", *shape), 2, 32, 256, 768), is_card=True) == 0
