"""What context costs, by hand and against the estimate of a whole server."""

import pytest

from packer.catalogue.models import load_model_file
from packer.domain.server_options import ServerOptions
from packer.errors import InvalidInput
from packer.memory.cache_cost import CACHE_TYPES, cache_cost
from packer.memory.estimate import estimate_memory
from tests.memory_models import MadeUp

MODELS = ("llama-3.1-8b", "gemma-3-12b", "qwen3.5-27b", "gemma-3n-e4b", "deepseek-v3", "bge-m3")


def test_a_plain_transformer_by_hand() -> None:
    # 2 heads of 64 elements for K and V each, 4 layers.
    cost = cache_cost(MadeUp().file(), "f16")
    assert cost.bytes_per_token == 2 * 2 * 64 * 2 * 4
    assert (cost.bytes_per_slot, cost.window_bytes) == (0, 0)
    assert cache_cost(MadeUp().file(), "q8_0").bytes_per_token == 2 * 2 * 64 // 32 * 34 * 4


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("cells", [2**15, 2**16])
def test_the_parts_add_up_to_a_servers_context(name: str, cells: int) -> None:
    model = load_model_file(name, "Q8_0" if name != "deepseek-v3" else "Q4_K_M")
    cost = cache_cost(model, "f16")
    found = estimate_memory(model, ServerOptions(context_size=cells, slots=1), ())
    assert found.host.context_bytes == (
        cells * cost.bytes_per_token + cost.bytes_per_slot + cost.window_bytes
    )


def test_a_window_wider_than_long_contexts_is_filled_first() -> None:
    window = 300_000
    keys = {"attention.sliding_window": window, "context_length": 10**6}
    made = MadeUp("mellum", keys=keys | {"attention.sliding_window_pattern": 2})
    cost = cache_cost(made.file(), "f16")
    dense = [has for has in made.sizes().window_layers if not has]
    assert 0 < len(dense) < 4
    assert cost.bytes_per_token == 2 * 2 * 64 * 2 * len(dense)
    assert cost.window_bytes >= 2 * 2 * 64 * 2 * (4 - len(dense)) * window


def test_types_are_sorted_by_size() -> None:
    costs = [cache_cost(MadeUp().file(), cache_type).bytes_per_token for cache_type in CACHE_TYPES]
    assert costs == sorted(costs, reverse=True)


def test_a_type_llama_cpp_refuses() -> None:
    with pytest.raises(InvalidInput):
        cache_cost(MadeUp(heads=64).file(), "q8_0")
