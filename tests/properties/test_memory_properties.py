"""What must hold for every model, split and context."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from packer.domain.model import ModelFile
from packer.domain.server_options import ServerOptions
from packer.memory.estimate import estimate_memory
from packer.memory.hyperparameters import read_hyperparameters
from packer.memory.kv_cache import kv_cache_bytes
from packer.memory.layer_split import HOST, layer_devices, model_layout
from packer.memory.resolution import resolve_context
from packer.memory.weights import weight_bytes
from tests.memory_models import MadeUp, cards

MODELS = tuple(
    made.file()
    for made in (
        MadeUp(),
        MadeUp("qwen3", layers=7, is_tied=True),
        MadeUp("gemma3", layers=12, keys={"attention.sliding_window": 512}),
        MadeUp("gemma3", layers=5, is_tied=True),
    )
)
MODEL = st.sampled_from(MODELS)
SHARES = st.lists(st.integers(0, 9), min_size=1, max_size=4).filter(any)
OPTIONS = st.builds(
    ServerOptions,
    context_size=st.integers(256, 200_000),
    slots=st.integers(1, 16),
    kv_unified=st.booleans(),
    ubatch_size=st.sampled_from((64, 512, 2048)),
    cache_type_k=st.sampled_from(("f16", "f32", "q8_0")),
    cache_type_v=st.sampled_from(("f16", "f32", "q8_0")),
    fit=st.just(False),
)


@given(blocks=st.integers(1, 128), wanted=st.integers(0, 140), shares=SHARES)
def test_layers_go_to_cards_in_order_and_the_last_ones_first(
    blocks: int, wanted: int, shares: list[int]
) -> None:
    count = len(shares)
    layout = layer_devices(
        blocks, wanted, [float(s) for s in shares], cards(count), tuple(range(count))
    )
    assert len(layout.layers) == blocks + 1
    on_cards = [device for device in layout.layers if device != HOST]
    assert layout.layers == (HOST,) * (blocks + 1 - len(on_cards)) + tuple(sorted(on_cards))
    assert len(on_cards) == min(wanted, blocks + 1)
    assert all(shares[card] for card in on_cards)


@given(model=MODEL, shares=SHARES)
def test_splitting_over_more_cards_moves_weights_and_makes_none(
    model: ModelFile, shares: list[int]
) -> None:
    count = len(shares)
    blocks = model.number("block_count")
    alone = weight_bytes(model, (0,) * (blocks + 1))
    split = layer_devices(
        blocks, None, [float(s) for s in shares], cards(count), tuple(range(count))
    )
    held = weight_bytes(model, split.layers)
    assert held[HOST] == alone[HOST]
    assert sum(held.values()) == sum(alone.values())


@given(model=MODEL, options=OPTIONS, shares=SHARES)
def test_a_context_takes_the_same_wherever_it_lies(
    model: ModelFile, options: ServerOptions, shares: list[int]
) -> None:
    asked = replace(options, tensor_split=tuple(float(s) for s in shares))
    one = estimate_memory(model, replace(asked, tensor_split=()), cards(1))
    many = estimate_memory(model, asked, cards(len(shares)))
    assert one.devices[0].context_bytes == sum(d.context_bytes for d in many.devices)
    assert one.host.output_bytes == many.host.output_bytes


@given(model=MODEL, options=OPTIONS, more=st.integers(0, 100_000))
def test_more_context_never_takes_less(model: ModelFile, options: ServerOptions, more: int) -> None:
    sizes = read_hyperparameters(model)
    larger = replace(options, context_size=(options.context_size or 0) + more)
    layers = model_layout(sizes.block_count, options, cards(1)).layers
    taken = [
        kv_cache_bytes(sizes, resolve_context(sizes, asked), layers, True).get(0, 0)
        for asked in (options, larger)
    ]
    assert taken[0] <= taken[1]


@given(model=MODEL, options=OPTIONS, shares=SHARES)
def test_the_same_question_has_the_same_answer(
    model: ModelFile, options: ServerOptions, shares: list[int]
) -> None:
    asked = replace(options, tensor_split=tuple(float(s) for s in shares))
    found = estimate_memory(model, asked, cards(len(shares)))
    assert found == estimate_memory(model, asked, cards(len(shares)))
    for device in found.devices:
        assert 0 <= device.low_bytes <= device.total_bytes <= device.high_bytes
