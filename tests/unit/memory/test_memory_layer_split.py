"""Layers go to cards by llama.cpp's own rule and its own 32-bit arithmetic."""

import pytest

from packer.catalogue.models import load_model_file
from packer.domain.server_options import ServerOptions, SplitMode
from packer.errors import InvalidInput, UnsupportedModel
from packer.memory.estimate import estimate_memory
from packer.memory.layer_split import HOST, layer_devices, model_layout
from packer.memory.result import Card
from packer.units import GIB
from tests.memory_models import cards


def layers_of(options: ServerOptions, blocks: int = 8, count: int = 2) -> tuple[int, ...]:
    return model_layout(blocks, options, cards(count)).layers


def test_everything_goes_to_the_only_card() -> None:
    assert layers_of(ServerOptions(), count=1) == (0,) * 9


def test_without_cards_everything_is_on_the_host() -> None:
    assert layers_of(ServerOptions(), count=0) == (HOST,) * 9


def test_equal_cards_take_half_each_and_the_output_counts() -> None:
    assert layers_of(ServerOptions(tensor_split=(1, 1))) == (0,) * 5 + (1,) * 4


def test_the_last_layers_are_offloaded() -> None:
    assert layers_of(ServerOptions(gpu_layers=3), count=1) == (HOST,) * 6 + (0,) * 3


def test_as_many_gpu_layers_as_blocks_leave_block_zero_on_the_host() -> None:
    layout = model_layout(8, ServerOptions(gpu_layers=8), cards(1))
    assert layout.layers[0] == HOST
    assert layout.output_device == 0
    assert not layout.is_all_offloaded


@pytest.mark.parametrize("layers", [None, -1, 9, 99])
def test_more_layers_than_there_are_mean_all(layers: int | None) -> None:
    assert model_layout(8, ServerOptions(gpu_layers=layers), cards(1)).is_all_offloaded


def test_a_card_with_a_share_of_zero_gets_nothing() -> None:
    assert set(layers_of(ServerOptions(tensor_split=(1, 0, 1)), count=3)) == {0, 2}


def test_missing_trailing_shares_are_zero() -> None:
    assert set(layers_of(ServerOptions(tensor_split=(1,)), count=2)) == {0}


def test_without_a_split_free_memory_decides() -> None:
    uneven = (Card("a", 30, free_bytes=10), Card("b", 10, free_bytes=30))
    layout = model_layout(7, ServerOptions(), uneven)
    assert layout.layers == (0, 0, 1, 1, 1, 1, 1, 1)


def test_boundaries_are_rounded_to_32_bits() -> None:
    """70/81 lies on the boundary of 7 of 8.1 in 64 bits but not in 32."""
    layout = layer_devices(80, None, (7.0, 1.1), cards(2), (0, 1))
    assert layout.layers.index(1) == 70


def test_split_mode_none_uses_the_main_gpu() -> None:
    options = ServerOptions(split_mode=SplitMode.NONE, main_gpu=1)
    assert layers_of(options) == (1,) * 9


def test_a_negative_main_gpu_is_the_host() -> None:
    options = ServerOptions(split_mode=SplitMode.NONE, main_gpu=-1)
    assert layers_of(options) == (HOST,) * 9


def test_devices_reorder_the_cards() -> None:
    options = ServerOptions(devices=("CUDA1", "CUDA0"), tensor_split=(2, 1))
    assert layers_of(options) == (1,) * 6 + (0,) * 3


@pytest.mark.parametrize("devices", [(), ("none",)])
def test_no_device_is_the_host(devices: tuple[str, ...]) -> None:
    assert layers_of(ServerOptions(devices=devices)) == (HOST,) * 9


def test_a_main_gpu_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"P0504.*--main-gpu 2"):
        layers_of(ServerOptions(split_mode=SplitMode.NONE, main_gpu=2))


def test_a_device_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"P0504.*CUDA7"):
        layers_of(ServerOptions(devices=("CUDA7",)))


@pytest.mark.parametrize("shares", [(3e38, 3e38), (1e39, 1.0), (1e-50, 0.0), (-1.0, 3.0, -2.0)])
def test_shares_that_do_not_add_up_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(InvalidInput, match="P0516"):
        layer_devices(8, None, shares, cards(len(shares)), tuple(range(len(shares))))


@pytest.mark.parametrize("mode", [SplitMode.ROW, SplitMode.TENSOR])
def test_other_split_modes_are_refused_by_name(mode: SplitMode) -> None:
    with pytest.raises(UnsupportedModel, match=f"--split-mode {mode.value}"):
        layers_of(ServerOptions(split_mode=mode))


def test_what_is_remembered_of_a_context_does_not_hold_for_other_shares() -> None:
    """Without --tensor-split free memory divides the layers, so cards count; else they do not."""
    model, equal = load_model_file("llama-3.2-1b", "Q4_K_M"), (Card("a", 8 * GIB),) * 2
    uneven = (Card("a", 8 * GIB), Card("b", 24 * GIB))
    plain = ServerOptions(context_size=8192, slots=1)
    split = ServerOptions(context_size=8192, slots=1, tensor_split=(1.0, 1.0))
    found = [estimate_memory(model, plain, cards).layers for cards in (equal, uneven, equal)]
    assert found[0] == found[2] != found[1]
    assert estimate_memory(model, split, uneven).layers == found[0]
    one, other = (estimate_memory(model, split, cards) for cards in (equal, uneven))
    assert [device.name for device in other.devices] == ["a", "b"]
    assert [d.compute_bytes for d in one.devices] == [d.compute_bytes for d in other.devices]
