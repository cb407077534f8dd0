"""Which blocks of a trunk are built: every kind, and a few repetitions of each periodic stretch."""

from dataclasses import replace

import pytest

from packer.domain.model import ModelFile, Tensor
from packer.domain.quantization import ELEMENT_TYPES_BY_NAME
from packer.memory.compute_blocks import BlockChoice, block_kinds, choose_blocks, types_count
from tests.memory_models import F16, Keys, MadeUp

HOST = 9
BF16 = ELEMENT_TYPES_BY_NAME["bf16"]


def windowed(layers: int, period: int) -> ModelFile:
    """A trunk whose every ``period``-th block has no window."""
    keys = {"attention.sliding_window": 512, "attention.sliding_window_pattern": period}
    return MadeUp("cohere2", layers=layers, keys=keys).file()


@pytest.mark.parametrize(
    "name", ["blk.weight", "blk.x.attn_q.weight", "dec.1.attn_q.weight", "1.2.3"]
)
def test_names_that_only_look_like_those_of_blocks(name: str) -> None:
    plain = block_kinds(MadeUp().file())
    found = block_kinds(MadeUp(more=(Tensor(name, (256, 256), F16),)).file())
    assert found.names == plain.names


def chosen(
    model: ModelFile,
    repetitions: int | None,
    layers: tuple[int, ...] = (),
    *,
    overridden: tuple[str, ...] = (),
) -> BlockChoice:
    count = model.number("block_count")
    return choose_blocks(
        model,
        layers or (0,) * (count + 1),
        HOST,
        lambda name, block: HOST if name in overridden else (layers[block] if layers else 0),
        has_overrides=bool(overridden),
        repetitions=repetitions,
    )


@pytest.mark.parametrize(
    ("layers", "repetitions", "blocks", "repeats"),
    [
        (1, 2, (0,), ()),
        (2, 2, (0, 1), ()),
        (3, 2, (0, 1, 2), ()),
        (4, 2, (0, 1, 3), ((1, 0),)),
        (8, 2, (0, 1, 7), ((1, 0),)),
        (8, None, (0, 1, 2, 3, 4, 5, 6, 7), ()),
        # Where more than two stay, an even number is left out: of seven three or five, of eight
        # four, and a circle of three leads over none of the four others.
        (8, 3, (0, 1, 2, 7), ((2, 1, 0),)),
        (8, 4, (0, 1, 2, 3, 4, 7), ((4, 3, 2),)),
        (9, 3, (0, 1, 2, 3, 8), ((3, 2, 1),)),
        (10, 3, (0, 1, 2, 9), ((2, 1, 0),)),
    ],
)
def test_equal_blocks(
    layers: int,
    repetitions: int | None,
    blocks: tuple[int, ...],
    repeats: tuple[tuple[int, ...], ...],
) -> None:
    """The last block is its own kind: only the tokens that are asked for go through it."""
    found = chosen(MadeUp(layers=layers).file(), repetitions)
    assert (found.blocks, found.repeats) == (blocks, repeats)
    assert len(found.marks) == len(blocks)


@pytest.mark.parametrize(
    ("layers", "period", "repetitions", "blocks", "repeats"),
    [
        # Four periods of six, one block more, and the last.
        (26, 6, 2, (*range(12), 24, 25), ((11, 5),)),
        (26, 6, 3, tuple(range(26)), ()),
        (32, 6, 3, (*range(18), 30, 31), ((17, 11, 5),)),
        (38, 6, 3, (*range(24), 36, 37), ((23, 17, 11),)),
        # Five periods of eight; of the sixth, seven blocks with a window are alike.
        (48, 8, 2, (*range(16), 40, 41, 47), ((15, 7), (17, 16))),
        # A longer period is not looked for: each run of eight is cut for itself.
        (20, 9, 2, (0, 1, 8, 9, 10, 17, 18, 19), ((1, 0), (4, 3))),
    ],
)
def test_periodic_blocks(
    layers: int,
    period: int,
    repetitions: int,
    blocks: tuple[int, ...],
    repeats: tuple[tuple[int, ...], ...],
) -> None:
    found = chosen(windowed(layers, period), repetitions)
    assert (found.blocks, found.repeats) == (blocks, repeats)


def test_blocks_elsewhere_are_no_repetition() -> None:
    layers = (HOST, HOST, HOST, 0, 0, 1, 1, 1, 1)
    found = chosen(MadeUp(layers=8).file(), 2, layers)
    assert (found.blocks, found.repeats) == ((0, 1, 3, 4, 5, 6, 7), ((1, 0),))
    assert found.marks == (*((0, layers[block]) for block in found.blocks[:-1]), ("last", (0, 1)))


def test_a_block_with_a_weight_elsewhere_is_its_own_kind() -> None:
    found = chosen(MadeUp(layers=8).file(), 2, overridden=("blk.4.ffn_up.weight",))
    assert (found.blocks, found.repeats) == ((0, 1, 4, 5, 6, 7), ((1, 0),))


def test_types_of_norms_are_seen_those_of_matrices_are_not() -> None:
    model = MadeUp(layers=2, matrix="q8_0").file()

    def print_with(name: str) -> int:
        kinds = [replace(t, type=BF16) if t.name == name else t for t in model.tensors]
        return block_kinds(replace(model, tensors=tuple(kinds))).shape_print

    own = block_kinds(model).shape_print
    assert print_with("blk.1.attn_norm.weight") != own
    assert print_with("blk.1.ffn_up.weight") == own


def test_tensors_beyond_the_last_block_are_no_block() -> None:
    model = MadeUp(layers=8).file()
    odd = Tensor("blk.8.ffn_up.weight", (256, 512), F16)
    assert chosen(replace(model, tensors=(*model.tensors, odd)), 2).blocks == (0, 1, 7)


WINDOW = {"attention.sliding_window": 512, "attention.sliding_window_pattern": 2}
LISTED: Keys = {
    "attention.sliding_window": 512,
    "attention.sliding_window_pattern": (True, True, False, True),
    "attention.rope_pattern": (True, False, False, True),
    "swiglu_clamp_exp": (0.0, 0.0, 0.0, 1.0),
}


@pytest.mark.parametrize(
    ("made", "kinds"),
    [
        (MadeUp("llama", layers=9), (0,) * 9),
        # Every fourth block has no positions, whatever the windows are.
        (MadeUp("smollm3", layers=9), (0, 0, 0, 1, 0, 0, 0, 1, 0)),
        (MadeUp("afmoe", layers=9, keys=WINDOW), (0, 1, 0, 2, 0, 1, 0, 2, 0)),
        (MadeUp("llama4", layers=9, keys=WINDOW), (0, 1, 0, 2, 0, 1, 0, 2, 0)),
        (MadeUp("smallthinker", layers=9, keys=WINDOW), (0, 1, 2, 1, 0, 1, 2, 1, 0)),
        (MadeUp("cohere2", layers=9, keys=WINDOW), (0, 1) * 4 + (0,)),
        # The first ten are sparse, behind twenty the cache is an earlier block's.
        (MadeUp("gemma3n", layers=24), (0,) * 10 + (1,) * 10 + (2,) * 4),
        (MadeUp("qwen3vl", layers=5, keys={"n_deepstack_layers": 2}), (0, 1, 2, 2, 2)),
        (MadeUp("granite_swa", layers=4, keys=LISTED), (0, 1, 2, 3)),
        (MadeUp("maple", layers=4, keys=LISTED), (0, 1, 2, 3)),
    ],
)
def test_blocks_that_look_alike_but_behave_otherwise(made: MadeUp, kinds: tuple[int, ...]) -> None:
    found = block_kinds(made.file())
    assert found.shapes == found.types == kinds


def test_experts_of_one_type_are_their_own_kind_as_they_run_together() -> None:
    def kinds(*pairs: tuple[str, str]) -> tuple[int, ...]:
        more = [
            Tensor(f"blk.{block}.{name}.weight", (256, 512, *extra), ELEMENT_TYPES_BY_NAME[kind])
            for block, pair in enumerate(pairs)
            for name, kind, extra in zip(
                ("ffn_up_exps", "ffn_up_shexp"), pair, ((8,), ()), strict=True
            )
        ]
        made = MadeUp("qwen2moe", layers=len(pairs), more=tuple(more))
        return block_kinds(made.file()).shapes

    assert kinds(("q8_0", "q8_0"), ("q4_K", "q4_K"), ("q8_0", "q4_K")) == (0, 0, 1)
    assert kinds(("f16", "f16"), ("q8_0", "q4_K"), ("bf16", "bf16"), ("f32", "f32")) == (0,) * 4


def test_types_of_weights_count_where_some_are_copied_to_a_card() -> None:
    assert types_count((0, 0, 1), 1, has_overrides=False)
    assert types_count((0, 0, 0), 1, has_overrides=True)
    assert types_count((0, 0), 0, has_overrides=True)
    assert not types_count((0, 0, 0), 1, has_overrides=False)
    assert not types_count((0, 0), 0, has_overrides=False)
