"""Which device holds which layer: llama.cpp's own rule, in its own 32-bit arithmetic."""

import struct
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from packer.domain.server_options import ServerOptions, SplitMode
from packer.errors import InvalidInput, Problem, UnsupportedModel
from packer.memory.result import Card

HOST = -1
"""Device index of the host."""


@dataclass(frozen=True)
class Layout:
    """Layers and the devices that hold them.

    Attributes:
        cards: Indices of the cards this model may use, in llama.cpp's device order.
        layers: Card index, or -1 for the host, of every block; the last entry is the output layer.
        offloaded: Layers on cards, the output layer counted; ``n_gpu_layers`` capped.
    """

    cards: tuple[int, ...]
    layers: tuple[int, ...]
    offloaded: int

    @property
    def output_device(self) -> int:
        """Device of the output layer."""
        return self.layers[-1]

    @property
    def is_all_offloaded(self) -> bool:
        """Whether every block and the output layer are on cards."""
        return HOST not in self.layers


def visible_cards(
    cards: Sequence[Card],
    devices: tuple[str, ...] | None,
    split_mode: SplitMode = SplitMode.LAYER,
    main_gpu: int = 0,
) -> tuple[int, ...]:
    """Indices of the cards one model uses, in order.

    Source:
        llama.cpp b11434, src/llama.cpp, llama_prepare_model_devices(): `--device` order, and with
        `--split-mode none` the main GPU alone (a negative one means the CPU).

    Raises:
        InvalidInput: A device or the main GPU does not exist.
        UnsupportedModel: The split mode is not modelled.
    """
    chosen = tuple(range(len(cards))) if devices is None else _named_cards(cards, devices)
    if split_mode in (SplitMode.ROW, SplitMode.TENSOR):
        raise UnsupportedModel(
            Problem(
                code="P0503",
                title=f"--split-mode {split_mode.value} is not modelled",
                why="its buffers follow other rules than whole layers",
                help="use --split-mode layer or none",
            )
        )
    if split_mode is SplitMode.NONE and chosen:
        if main_gpu < 0:
            return ()
        if main_gpu >= len(chosen):
            raise InvalidInput(
                Problem(
                    code="P0504",
                    title=f"--main-gpu {main_gpu} does not exist",
                    why=f"there are {len(chosen)} cards, counted from 0",
                    help=f"use a number from 0 to {len(chosen) - 1}",
                )
            )
        return (chosen[main_gpu],)
    return chosen


def layer_devices(
    block_count: int,
    gpu_layers: int | None,
    tensor_split: Sequence[float],
    cards: Sequence[Card],
    card_indices: tuple[int, ...],
) -> Layout:
    """Layers of one model on its devices. Exact.

    Args:
        block_count: Blocks of the file, nextn blocks included.
        gpu_layers: `--gpu-layers`; None or negative is all.
        tensor_split: `--tensor-split`, one entry per used card; missing ones are 0.
        cards: Every visible card.
        card_indices: The ones this model uses, in order.

    Source:
        llama.cpp b11434, src/llama-model.cpp, load_tensors(): the last layers go to the cards, and
        a layer's card is the first whose cumulative share exceeds its relative position.

    Raises:
        InvalidInput: The shares do not add up to a number.
    """
    count = len(card_indices)
    if count == 0:
        return Layout((), (HOST,) * (block_count + 1), 0)
    shares = tuple(tensor_split[:count]) + (0.0,) * (count - len(tensor_split))
    if not any(shares):
        shares = tuple(float(_free_bytes(cards[i])) for i in card_indices)
    wanted = block_count + 1 if gpu_layers is None or gpu_layers < 0 else gpu_layers
    return _layout(block_count, min(wanted, block_count + 1), shares, card_indices)


def model_layout(block_count: int, options: ServerOptions, cards: Sequence[Card]) -> Layout:
    """Layers of the served model on its devices. Exact."""
    indices = visible_cards(cards, options.devices, options.split_mode, options.main_gpu)
    return layer_devices(block_count, options.gpu_layers, options.tensor_split, cards, indices)


def dividing_shares(options: ServerOptions, cards: Sequence[Card]) -> tuple[int, ...]:
    """What of the cards decides which layer lies where: free bytes, if nothing else does. Exact."""
    if any(options.tensor_split):
        return ()
    free = tuple(_free_bytes(card) for card in cards)
    return free if len(free) > 1 else tuple(min(1, one) for one in free)


@lru_cache(maxsize=4096)
def _layout(
    block_count: int, offloaded: int, shares: tuple[float, ...], card_indices: tuple[int, ...]
) -> Layout:
    """Layers over cards by their shares."""
    places = _places(block_count, offloaded, shares)
    layers = tuple(HOST if place < 0 else card_indices[place] for place in places)
    return Layout(card_indices, layers, offloaded)


def _places(block_count: int, offloaded: int, shares: tuple[float, ...]) -> tuple[int, ...]:
    """Position in the device list of every layer, -1 for the host."""
    start = block_count + 1 - offloaded
    try:
        ends = _cumulative(shares)
    except ArithmeticError as error:
        raise _no_shares(shares) from error
    places = tuple(
        HOST if layer < start else bisect_right(ends, _float32((layer - start) / offloaded))
        for layer in range(block_count + 1)
    )
    if max(places) >= len(shares):
        raise _no_shares(shares)
    return places


def _no_shares(shares: Sequence[float]) -> InvalidInput:
    """Shares that 32-bit floats cannot add up: llama.cpp finds no card for a layer and stops."""
    return InvalidInput(
        Problem(
            code="P0516",
            title=f"--tensor-split {','.join(f'{share:g}' for share in shares)} divides nothing",
            why="its sum is not a positive, finite 32-bit number",
            help="use small numbers such as 3,1",
        )
    )


def _cumulative(shares: Sequence[float]) -> list[float]:
    """Cumulative shares of the whole, rounded to 32 bits after every step as llama.cpp does."""
    total, ends = 0.0, []
    for share in shares:
        total = _float32(total + _float32(share))
        ends.append(total)
    return [_float32(end / total) for end in ends]


def _float32(value: float) -> float:
    """Nearest 32-bit float."""
    rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    return rounded


def _free_bytes(card: Card) -> int:
    """Memory that decides an absent tensor split [bytes]."""
    return card.allocatable_bytes if card.free_bytes is None else card.free_bytes


def named_card(name: str, card_count: int) -> int:
    """Index of the card a device name such as ``CUDA1`` stands for.

    Raises:
        InvalidInput: There is no such card.
    """
    known = {f"CUDA{index}": index for index in range(card_count)}
    if name.upper() not in known:
        raise InvalidInput(
            Problem(
                code="P0504",
                title=f"device {name} does not exist",
                why=f"the process sees {card_count} cards",
                help=f"use {', '.join(known) or 'none'}",
            )
        )
    return known[name.upper()]


def _named_cards(cards: Sequence[Card], devices: tuple[str, ...]) -> tuple[int, ...]:
    """Cards named by `--device`; ``none`` is the CPU alone."""
    if devices == ("none",):
        return ()
    return tuple(named_card(name, len(cards)) for name in devices)
