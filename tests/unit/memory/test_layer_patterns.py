"""Which blocks have a window, a state, an indexer or a cache of their own, block by block."""

import pytest

from packer.errors import InvalidModelFile
from packer.memory.hyperparameters import HyperParameters
from tests.memory_models import MadeUp


def sizes(architecture: str, layers: int, **keys: int | tuple[int, ...]) -> HyperParameters:
    """Hyper-parameters of a model without tensors that matter; ``__`` is a point."""
    stated = {key.replace("__", "."): value for key, value in keys.items()}
    return MadeUp(architecture, layers=layers, keys=stated).sizes()


def blocks(where: tuple[bool, ...]) -> list[int]:
    return [block for block, has in enumerate(where) if has]


@pytest.mark.parametrize(
    ("architecture", "layers", "keys", "window", "where"),
    [
        # The last block of each period is dense, or the first.
        ("cohere2", 9, {"attention__sliding_window": 5}, 5, [0, 1, 2, 4, 5, 6, 8]),
        ("cohere2moe", 9, {"attention__sliding_window": 5}, 5, [1, 2, 3, 5, 6, 7]),
        # A period of the file's own; 0 has no dense block, 1 has none with a window.
        (
            "cohere2",
            7,
            {"attention__sliding_window": 5, "attention__sliding_window_pattern": 3},
            5,
            [0, 1, 3, 4, 6],
        ),
        (
            "cohere2",
            3,
            {"attention__sliding_window": 5, "attention__sliding_window_pattern": 0},
            5,
            [0, 1, 2],
        ),
        (
            "cohere2",
            3,
            {"attention__sliding_window": 5, "attention__sliding_window_pattern": 1},
            5,
            [],
        ),
        (
            "cohere2moe",
            3,
            {"attention__sliding_window": 5, "attention__sliding_window_pattern": 1},
            5,
            [],
        ),
        # Blocks that predict further tokens have none by the period.
        ("cohere2", 6, {"attention__sliding_window": 5, "nextn_predict_layers": 2}, 5, [0, 1, 2]),
        # Without a size there is no window, unless the architecture has one.
        ("cohere2", 4, {}, 0, []),
        ("gemma2", 5, {}, 4096, [0, 2, 4]),
        ("gemma2", 5, {"attention__sliding_window": 0}, 0, []),
        ("llama4", 5, {}, 8192, [0, 1, 2, 4]),
        ("afmoe", 5, {"attention__sliding_window": 7}, 7, [0, 1, 2, 4]),
        ("exaone-moe", 5, {}, 128, [0, 1, 2, 4]),
        ("gemma-embedding", 7, {"attention__sliding_window": 7}, 7, [0, 1, 2, 3, 4, 6]),
        ("gemma3", 7, {"attention__sliding_window": 7}, 7, [0, 1, 2, 3, 4, 6]),
        ("gemma3n", 6, {"attention__sliding_window": 7}, 7, [0, 1, 2, 3, 5]),
        ("gpt-oss", 5, {"attention__sliding_window": 7}, 7, [0, 2, 4]),
        ("laguna", 5, {"attention__sliding_window": 7}, 7, [1, 2, 3]),
        ("mellum", 5, {"attention__sliding_window": 7}, 7, [0, 1, 2, 4]),
        ("modern-bert", 5, {"attention__sliding_window": 7}, 7, [1, 2, 4]),
        ("muse-glimmer", 5, {"attention__sliding_window": 7}, 7, [0, 1, 2, 4]),
        ("olmo2", 5, {"attention__sliding_window": 7}, 7, [0, 1, 2, 4]),
        ("plamo3", 9, {"attention__sliding_window": 7}, 7, [0, 1, 2, 3, 4, 5, 6, 8]),
        ("llama4", 5, {"attention__sliding_window": 7}, 8192, [0, 1, 2, 4]),
        ("smallthinker", 5, {}, 0, []),
        ("smallthinker", 5, {"attention__sliding_window": 7}, 4096, [1, 2, 3]),
        # EXAONE 4 has it with 64 blocks only, and those that predict are not counted.
        ("exaone4", 64, {}, 4096, [block for block in range(64) if block % 4 < 3]),
        ("exaone4", 63, {}, 0, []),
        ("exaone4", 65, {}, 0, []),
        (
            "exaone4",
            65,
            {"nextn_predict_layers": 1},
            4096,
            [block for block in range(64) if block % 4 < 3],
        ),
        ("exaone4", 63, {"nextn_predict_layers": 1}, 0, []),
        (
            "exaone4",
            128,
            {"nextn_predict_layers": 64},
            4096,
            [block for block in range(64) if block % 4 < 3],
        ),
    ],
)
def test_windows(
    architecture: str,
    layers: int,
    keys: dict[str, int],
    window: int,
    where: list[int],
) -> None:
    found = sizes(architecture, layers, **keys)
    assert (found.window, blocks(found.window_layers)) == (window, where)


def test_a_window_of_every_block_with_attention() -> None:
    kv_heads = (0, 2, 0, 2, 2)
    found = sizes(
        "lfm2",
        5,
        attention__sliding_window=9,
        attention__head_count_kv=kv_heads,
        nextn_predict_layers=1,
    )
    assert (found.window, blocks(found.window_layers)) == (9, [1, 3])
    found = sizes(
        "lfm2",
        6,
        attention__sliding_window=9,
        attention__head_count_kv=(0, 2, 0, 2, 2, 2),
        nextn_predict_layers=3,
    )
    assert (found.window, blocks(found.window_layers)) == (9, [1])


@pytest.mark.parametrize(
    ("architecture", "keys", "where"),
    [
        ("llama", {}, []),
        ("mamba", {}, [0, 1, 2, 3, 4, 5]),
        ("falcon-h1", {}, [0, 1, 2, 3, 4, 5]),
        ("jamba", {"attention__head_count_kv": (0, 2, 0, 2, 0, 0)}, [0, 2, 4, 5]),
        (
            "jamba",
            {"attention__head_count_kv": (0, 2, 0, 2, 0, 0), "nextn_predict_layers": 1},
            [0, 2, 4],
        ),
        (
            "nemotron_h",
            {
                "attention__head_count_kv": (0, 2, 0, 0, 0, 0),
                "feed_forward_length": (0, 0, 9, 0, 9, 0),
            },
            [0, 3, 5],
        ),
        (
            "nemotron_h",
            {
                "attention__head_count_kv": (0, 2, 0, 0, 0, 0),
                "feed_forward_length": (0, 0, 9, 0, 9, 0),
                "nextn_predict_layers": 2,
            },
            [0, 3],
        ),
        ("qwen3next", {}, [0, 1, 2, 4, 5]),
        ("qwen3next", {"full_attention_interval": 2}, [0, 2, 4]),
        ("qwen3next", {"full_attention_interval": 1}, []),
        ("qwen3next", {"nextn_predict_layers": 2}, [0, 1, 2]),
        ("qwen3next", {"attention__recurrent_layers": (1, 0, 0, 1, 0, 1)}, [0, 3, 5]),
        ("minimax-01", {"attention__key_length": 8}, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_recurrent_states(
    architecture: str, keys: dict[str, int | tuple[int, ...]], where: list[int]
) -> None:
    assert blocks(sizes(architecture, 6, **keys).recurrent_layers) == where


def test_attention_in_no_block_at_all_is_refused() -> None:
    with pytest.raises(InvalidModelFile, match="full_attention_interval is not above zero"):
        sizes("qwen3next", 6, full_attention_interval=0)


@pytest.mark.parametrize(
    ("architecture", "keys", "where"),
    [
        ("deepseek2", {}, []),
        ("deepseek32", {}, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        ("deepseek32", {"nextn_predict_layers": 2}, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("minimax-m3", {}, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        ("minimax-m3", {"leading_dense_block_count": 3, "nextn_predict_layers": 7}, [3, 4]),
        ("glm-dsa", {"context_length": 1048575}, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        ("glm-dsa", {"context_length": 1048576}, [0, 1, 2, 6, 10]),
        ("glm-dsa", {"context_length": 1048576, "nextn_predict_layers": 2}, [0, 1, 2, 6]),
        (
            "glm-dsa",
            {
                "context_length": 1048576,
                "nextn_predict_layers": 1,
                "attention__indexer__types": (0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 1),
            },
            [1, 4, 10],
        ),
    ],
)
def test_keys_of_an_indexer(
    architecture: str, keys: dict[str, int | tuple[int, ...]], where: list[int]
) -> None:
    assert blocks(sizes(architecture, 12, **keys).indexer_layers) == where


@pytest.mark.parametrize(
    ("architecture", "layers", "keys", "own"),
    [
        ("llama", 30, {}, 30),
        ("gemma3n", 30, {}, 20),
        ("gemma3n", 19, {}, 19),
        ("gemma4", 30, {"attention__sliding_window": 0}, 30),
        ("gemma4", 30, {"attention__sliding_window": 0, "attention__shared_kv_layers": 12}, 18),
        ("gemma4", 30, {"attention__sliding_window": 0, "attention__shared_kv_layers": 31}, 0),
    ],
)
def test_blocks_with_a_cache_of_their_own(
    architecture: str, layers: int, keys: dict[str, int], own: int
) -> None:
    assert sizes(architecture, layers, **keys).cached_layers == own


def test_as_many_blocks_as_llama_cpp_takes() -> None:
    assert sizes("llama", 512).block_count == 512
    with pytest.raises(InvalidModelFile, match="block_count is not between 1 and 512"):
        sizes("llama", 513)


@pytest.mark.parametrize(
    ("architecture", "period"),
    [("qwen35", 4), ("qwen35moe", 4), ("qwen3next", 4), ("minimax-01", 8)],
)
def test_periods_of_attention_where_a_file_says_nothing(architecture: str, period: int) -> None:
    """Source: llama.cpp b11434, src/models/, load_arch_hparams() of each."""
    found = blocks(sizes(architecture, 25).recurrent_layers)
    assert [block for block in range(25) if block not in found] == list(
        range(period - 1, 25, period)
    )
