"""Parts that no allocator pins: projector, process, reserve, notes and refusals, at their edges."""

from dataclasses import replace
from typing import Any

import pytest

from packer.catalogue.gpus import find_gpu
from packer.domain.basis import Basis
from packer.domain.gpu import MeasuredProcess
from packer.domain.model import ModelFile, Tensor
from packer.domain.node import Sharing
from packer.domain.quantization import ELEMENT_TYPES_BY_NAME
from packer.domain.server_options import FlashAttention, ServerOptions, SplitMode
from packer.domain.workload import Headroom
from packer.errors import InvalidInput
from packer.memory.calibration import learnt_process_part, with_measured_processes
from packer.memory.card_reserve import card_reserve_bytes
from packer.memory.context_checks import check_cache_buffers, check_weight_devices
from packer.memory.estimate import estimate_memory
from packer.memory.layer_split import (
    HOST,
    Layout,
    dividing_shares,
    layer_devices,
    named_card,
    visible_cards,
)
from packer.memory.part import Part
from packer.memory.process_overhead import host_process_overhead, process_overhead
from packer.memory.projector import projector_part
from packer.memory.resolution import pad
from packer.memory.result import Card
from packer.memory.tensor_size import aligned, card_bytes, host_bytes
from packer.memory.visible_card import visible_card
from packer.units import GIB, MIB
from tests.memory_models import F16, MadeUp, cards
from tests.small_fleets import inventory, pool

MODEL = MadeUp().file()
OPTIONS = ServerOptions(
    context_size=4096, slots=2, prompt_cache_mib=64, fit=False, load_mode="none"
)


def projector(kind: str = "vision", **keys: Any) -> ModelFile:
    metadata = {f"clip.{kind}.{key}": value for key, value in keys.items()}
    tensors = (Tensor("v.blk.0.ffn_up.weight", (100, 3), F16),)
    return ModelFile("mmproj", "clip", metadata, tensors, 0, 0, "mmproj.gguf")


WEIGHTS = 640  # 2 · 300 bytes in steps of 128


@pytest.mark.parametrize(
    ("kind", "keys", "floats", "usual", "most"),
    [
        ("vision", {}, 4 * 1024 + 2 * 4096, 256, 1024),
        ("vision", {"embedding_length": 10}, 4 * 10 + 2 * 40, 256, 1024),
        ("vision", {"embedding_length": 10, "feed_forward_length": 7}, 54, 256, 1024),
        ("audio", {"embedding_length": 10, "feed_forward_length": 7}, 54, 256, 1024),
        ("audio", {}, 4 * 1024 + 2 * 4096, 256, 1024),
        ("vision", {"embedding_length": 10, "image_size": 896}, 120, 64 * 64, 16384),
        ("vision", {"embedding_length": 10, "image_size": 280}, 120, 400, 1600),
        ("vision", {"embedding_length": 10, "image_size": 293}, 120, 400, 1600),
        ("vision", {"embedding_length": 10, "patch_size": 10}, 120, 256, 1024),
        ("vision", {"embedding_length": 10, "patch_size": 0, "image_size": 20}, 120, 400, 1600),
        (
            "vision",
            {"embedding_length": 10, "patch_size": 10, "image_max_pixels": 200_099},
            120,
            256,
            2000,
        ),
        (
            "vision",
            {"embedding_length": 10, "patch_size": 10, "image_max_pixels": 100},
            120,
            256,
            256,
        ),
        ("vision", {"embedding_length": True, "patch_size": "x"}, 4 * 1024 + 2 * 4096, 256, 1024),
    ],
)
def test_a_projector(kind: str, keys: dict[str, Any], floats: int, usual: int, most: int) -> None:
    part = projector_part(projector(kind, **keys), is_on_card=True)
    assert part == Part(
        WEIGHTS + 4 * usual * floats, WEIGHTS, WEIGHTS + 8 * most * floats, Basis.ESTIMATED
    )


def test_the_weights_of_a_projector_lie_as_its_device_wants() -> None:
    made = replace(projector(), tensors=(Tensor("v.w", (96, 5), ELEMENT_TYPES_BY_NAME["q8_0"]),))
    on_card = projector_part(made, is_on_card=True).low
    on_host = projector_part(made, is_on_card=False).low
    assert on_host == 15 * 34 + 2  # in steps of 32
    assert on_card == 15 * 34 + 13 * 34 + 72  # the row filled to 512, in steps of 128


@pytest.mark.parametrize(
    ("capability", "ubatch", "part"),
    [
        ("8.9", 512, Part(453 * MIB, 107 * MIB, 684 * MIB, Basis.CALIBRATED)),
        ("8.9", 1, Part(453 * MIB, 107 * MIB, 684 * MIB, Basis.CALIBRATED)),
        ("8.9", 1024, Part(493 * MIB, 107 * MIB, 844 * MIB, Basis.CALIBRATED)),
        ("8.9", 768, Part(473 * MIB, 107 * MIB, 764 * MIB, Basis.CALIBRATED)),
        ("12.0", 512, Part(728 * MIB, 107 * MIB, 1129 * MIB, Basis.CALIBRATED)),
        ("9.0", 512, Part(677 * MIB, 107 * MIB, 1024 * MIB, Basis.ESTIMATED)),
        ("9.0", 1024, Part(717 * MIB, 107 * MIB, 1184 * MIB, Basis.ESTIMATED)),
        ("9.0", 4096, Part(957 * MIB, 107 * MIB, 2144 * MIB, Basis.ESTIMATED)),
        ("12.0", 4096, Part(1008 * MIB, 107 * MIB, 2249 * MIB, Basis.CALIBRATED)),
    ],
)
def test_a_process_takes_what_was_seen(capability: str, ubatch: int, part: Part) -> None:
    found = process_overhead(Card("x", GIB, compute_capability=capability), ubatch)
    assert found == part
    assert {type(one) for one in (found.bytes, found.low, found.high)} == {int}


def test_a_process_on_the_host() -> None:
    assert [host_process_overhead(count) for count in (0, 1, 2)] == [
        512 * MIB,
        768 * MIB,
        768 * MIB,
    ]


@pytest.mark.parametrize(
    ("overheads", "figures"),
    [
        ([400], (400, 300, 500)),
        ([401], (401, 300, 502)),
        ([100, 300], (200, 50, 350)),
        ([100, 301], (201, 49, 352)),
        ([10, 400], (205, 0, 467)),
        ([1, 1, 2], (2, 0, 3)),
    ],
)
def test_what_measurements_teach(overheads: list[int], figures: tuple[int, int, int]) -> None:
    assert learnt_process_part(overheads) == Part(*figures, Basis.CALIBRATED)


def test_only_the_measured_product_learns() -> None:
    learnt = MeasuredProcess("L40S", ("L40S",), 5, 4, 6, 1)
    there = inventory(pool("a", find_gpu("L40S")), pool("b", find_gpu("A10")))
    first, second = with_measured_processes(there, (learnt,)).pools
    assert first.gpu.measured_process == learnt
    assert second.gpu.measured_process is None
    assert visible_card(first.gpu).process == Part(5, 4, 6, Basis.CALIBRATED)
    forgotten = with_measured_processes(inventory(first), ()).pools[0]
    assert forgotten.gpu.measured_process is None


def test_a_router_on_whole_cards_takes_one_process_more() -> None:
    card = find_gpu("L40S")
    headroom = Headroom(bytes=7, percent=0)
    assert card_reserve_bytes(pool("a", card), headroom) == 7
    whole = replace(pool("a", card), sharing=Sharing.WHOLE)
    assert card_reserve_bytes(whole, headroom) == 7 + 684 * MIB
    by_share = Headroom(bytes=0, percent=1)
    assert card_reserve_bytes(pool("a", card), by_share) == -(-card.allocatable_bytes // 100)


@pytest.mark.parametrize(("value", "multiple", "padded"), [(0, 8, 0), (1, 8, 8), (8, 8, 8)])
def test_rounding_up(value: int, multiple: int, padded: int) -> None:
    assert pad(value, multiple) == aligned(value, multiple) == padded


def test_rows_of_quantized_tensors_are_filled_on_cards() -> None:
    quantized = ELEMENT_TYPES_BY_NAME["q8_0"]
    assert card_bytes(quantized, 512, 1024) == 32 * 34 + 64
    assert card_bytes(quantized, 480, 960) == 30 * 34 + 34 + 98
    assert card_bytes(F16, 480, 960) == 1920
    assert (host_bytes(F16, 1), host_bytes(F16, 16), host_bytes(F16, 17)) == (32, 32, 64)


def test_keys_are_not_compressed_unless_the_file_says_so() -> None:
    assert (MadeUp().sizes().kv_lora_rank, MadeUp("deepseek2").sizes().kv_lora_rank) == (0, 0)


@pytest.mark.parametrize(("key", "value"), [(0, 0), (192, 0), (0, 128), (192, 128)])
def test_latent_heads_have_keys_and_values(key: int, value: int) -> None:
    said = {"attention.key_length_mla": key, "attention.value_length_mla": value}
    for keys in (said, {name: length for name, length in said.items() if length}):
        assert MadeUp("deepseek2", keys=keys).sizes().is_mla is (key > 0 and value > 0)


def test_bands() -> None:
    guessed = Part(50, 40, 70, Basis.ESTIMATED)
    assert guessed.and_exactly(9) == Part(59, 49, 79, Basis.ESTIMATED)
    assert Part.exact(5) == Part(5, 5, 5, Basis.EXACT)
    assert Part.scaled(5, 0.5, 1.5, Basis.ESTIMATED) == Part(5, 2, 8, Basis.ESTIMATED)


def notes(count: int = 1, model: ModelFile = MODEL, **options: Any) -> tuple[str, ...]:
    return estimate_memory(model, replace(OPTIONS, **options), cards(count)).notes


@pytest.mark.parametrize(
    ("count", "options", "said"),
    [
        (1, {}, None),
        (1, {"slots": 1, "context_size": 32768}, None),
        (
            1,
            {"slots": 1, "context_size": 33024},
            "a slot has 33024 cells, the model was trained for 32768",
        ),
        (1, {"context_size": 4095, "slots": 1}, "4095 cells became 4096 by padding"),
        (1, {"context_size": None}, None),
        (
            1,
            {"context_size": None, "fit": True},
            "without --ctx-size llama.cpp may shrink the context to fit; pass --fit off",
        ),
        (1, {"fit": True}, None),
        (2, {}, "without --tensor-split the layers follow the memory free at load time"),
        (2, {"tensor_split": (1.0, 1.0)}, None),
        (1, {"prompt_cache_mib": 0}, None),
        (
            1,
            {"prompt_cache_mib": -1},
            "the prompt cache has no limit in bytes; one full context is counted",
        ),
        (
            1,
            {"load_mode": "auto"},
            "weights on the host are mapped from the file: page cache that can be given back",
        ),
        (
            1,
            {"load_mode": "mmap"},
            "weights on the host are mapped from the file: page cache that can be given back",
        ),
        (1, {"load_mode": "mlock"}, None),
    ],
)
def test_notes_at_their_edges(count: int, options: dict[str, Any], said: str | None) -> None:
    assert notes(count, **options) == (() if said is None else (said,))


@pytest.mark.parametrize(
    ("card", "k", "v", "noted"),
    [
        ("8.9", "f16", "f16", False),
        ("8.9", "iq4_nl", "f16", True),
    ],
)
def test_flash_attention_that_is_not_there(card: str, k: str, v: str, noted: bool) -> None:
    asked = replace(OPTIONS, cache_type_k=k, cache_type_v=v, flash_attention=FlashAttention.AUTO)
    found = estimate_memory(MODEL, asked, [Card("x", 24 * GIB, compute_capability=card)]).notes
    assert any("flash attention is off" in one for one in found) is noted


def test_a_device_with_an_empty_cache_is_named() -> None:
    check_cache_buffers({0: 5, 1: 7})
    check_cache_buffers({0: 0, 1: 0})
    check_cache_buffers({})
    for cache, name in (
        ({0: 5, 1: 0}, "card 1"),
        ({0: 5, 1: 0, 2: 0}, "card 1"),
        ({HOST: 0, 0: 5}, "the host"),
    ):
        with pytest.raises(InvalidInput, match=f"P0511.*{name} would only hold"):
            check_cache_buffers(cache)


def test_stray_weights_are_named() -> None:
    check_weight_devices([HOST, 0, 1], [0, 1])
    check_weight_devices([HOST], [])
    with pytest.raises(InvalidInput, match="names CUDA1, which"):
        check_weight_devices([HOST, 0, 2, 1], [0])


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"slots": 256, "context_size": 65536}, None),
        ({"slots": 257, "context_size": 65792}, "P0506"),
        ({"slots": 4, "batch_size": 4}, None),
        ({"slots": 4, "batch_size": 3}, "P0517"),
        ({"cache_type_v": "q8_0", "flash_attention": FlashAttention.OFF}, "P0509"),
        ({"cache_type_k": "q8_0", "flash_attention": FlashAttention.OFF}, None),
        ({"cache_type_v": "q8_0", "flash_attention": FlashAttention.ON}, None),
        ({"cache_type_v": "bf16", "flash_attention": FlashAttention.OFF}, None),
        ({"context_size": 100, "slots": 2}, None),
        ({"context_size": 1, "slots": 300}, "P0506"),
        ({"cache_type_k": "q9"}, "P0505"),
    ],
)
def test_contexts_that_are_refused(options: dict[str, Any], code: str | None) -> None:
    asked = replace(OPTIONS, **options)
    if code is None:
        assert estimate_memory(MODEL, asked, cards(1)).slots == asked.slots
        return
    with pytest.raises(InvalidInput) as refused:
        estimate_memory(MODEL, asked, cards(1))
    assert code in [one.code for one in refused.value.problems]


def test_heads_that_are_no_whole_blocks() -> None:
    odd = MadeUp(width=240, heads=5, kv_heads=5).file()
    on = replace(OPTIONS, flash_attention=FlashAttention.ON)
    for letter, asked in (
        ("K", replace(on, cache_type_k="q8_0")),
        ("V", replace(on, cache_type_v="q4_0")),
    ):
        with pytest.raises(InvalidInput, match=f"a {letter} head of 48 elements cannot be"):
            estimate_memory(odd, asked, cards(1))


@pytest.mark.parametrize(
    ("gpu_layers", "split", "layers", "offloaded"),
    [
        (None, (1.0, 1.0), (0, 0, 0, 1, 1), 5),
        (-1, (1.0, 1.0), (0, 0, 0, 1, 1), 5),
        (5, (1.0, 1.0), (0, 0, 0, 1, 1), 5),
        (99, (1.0, 1.0), (0, 0, 0, 1, 1), 5),
        (4, (1.0, 1.0), (HOST, 0, 0, 1, 1), 4),
        (1, (1.0, 1.0), (HOST, HOST, HOST, HOST, 0), 1),
        (0, (1.0, 1.0), (HOST,) * 5, 0),
        (None, (1.0,), (0,) * 5, 5),
        (None, (0.0, 1.0), (1,) * 5, 5),
        (None, (4.0, 1.0), (0, 0, 0, 0, 1), 5),
        (None, (1.0, 1.0, 9.0), (0, 0, 0, 1, 1), 5),
    ],
)
def test_layers_and_their_cards(
    gpu_layers: int | None, split: tuple[float, ...], layers: tuple[int, ...], offloaded: int
) -> None:
    layout = layer_devices(4, gpu_layers, split, cards(2), (0, 1))
    assert layout == Layout((0, 1), layers, offloaded)
    assert layout.output_device == layers[-1]
    assert layout.is_all_offloaded is (offloaded == 5)


def test_layers_follow_the_free_memory_where_nothing_is_said() -> None:
    there = [Card("a", 4 * GIB), Card("b", 99 * GIB, free_bytes=GIB)]
    assert layer_devices(4, None, (), there, (0, 1)).layers == (0, 0, 0, 0, 1)
    assert layer_devices(4, None, (0.0, 0.0), there, (1, 0)).layers == (1, 0, 0, 0, 0)
    assert layer_devices(4, None, (), there, ()) == Layout((), (HOST,) * 5, 0)
    options = ServerOptions()
    assert dividing_shares(options, there) == (4 * GIB, GIB)
    assert dividing_shares(options, there[1:]) == (1,)
    assert dividing_shares(options, [Card("x", 0)]) == (0,)
    assert dividing_shares(replace(options, tensor_split=(1.0,)), there) == ()


@pytest.mark.parametrize("split", [(1e39, 1.0), (3e38, 3e38), (float("nan"), 1.0)])
def test_shares_that_divide_nothing(split: tuple[float, ...]) -> None:
    with pytest.raises(InvalidInput, match="P0516"):
        layer_devices(4, None, split, cards(2), (0, 1))


@pytest.mark.parametrize(
    ("devices", "mode", "main", "seen"),
    [
        (None, SplitMode.LAYER, 0, (0, 1, 2)),
        (("CUDA2", "cuda0"), SplitMode.LAYER, 0, (2, 0)),
        (("none",), SplitMode.LAYER, 0, ()),
        ((), SplitMode.NONE, 5, ()),
        (None, SplitMode.NONE, 2, (2,)),
        (("CUDA2", "CUDA1"), SplitMode.NONE, 1, (1,)),
        (None, SplitMode.NONE, -1, ()),
    ],
)
def test_cards_a_model_sees(devices: Any, mode: SplitMode, main: int, seen: Any) -> None:
    assert visible_cards(cards(3), devices, mode, main) == seen


def test_cards_that_do_not_exist() -> None:
    with pytest.raises(InvalidInput, match="--main-gpu 3 does not exist"):
        visible_cards(cards(3), None, SplitMode.NONE, 3)
    with pytest.raises(InvalidInput, match="--main-gpu 7 does not exist"):
        visible_cards(cards(3), None, SplitMode.NONE, 7)
    assert visible_cards(cards(3), None, SplitMode.NONE) == (0,)
    with pytest.raises(InvalidInput, match="device CUDA3 does not exist"):
        visible_cards(cards(3), ("CUDA3",))
    with pytest.raises(InvalidInput, match="device CUDA0 does not exist"):
        named_card("CUDA0", 0)
    assert named_card("CUDA0", 1) == 0
