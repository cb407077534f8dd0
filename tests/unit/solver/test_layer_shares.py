"""Splits of layers over cards: balanced, full, and between."""

from dataclasses import replace

import pytest

from packer.memory.result import DeviceEstimate, HostEstimate, MemoryEstimate
from packer.solver.layer_shares import LayerSplits

_HOST = HostEstimate(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
_DEVICE = DeviceEstimate("x", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, {})


def sizer(layer_bytes: list[int], per_card: int = 0):  # type: ignore[no-untyped-def]
    """Bytes of consecutive layers, plus a constant per card."""

    def size(counts: tuple[int, ...]) -> MemoryEstimate:
        assert sum(counts) == len(layer_bytes)
        sizes, first = [], 0
        for count in counts:
            sizes.append(sum(layer_bytes[first : first + count]) + per_card)
            first += count
        devices = tuple(replace(_DEVICE, high_bytes=size) for size in sizes)
        return MemoryEstimate(devices, _HOST, (), 0, 0, 1, True, True, "b11434")

    return size


def test_balanced_moves_layers_off_the_card_with_the_heavy_output() -> None:
    layers = [1] * 10 + [5]
    assert LayerSplits(11, 2, 100).balanced(sizer(layers)) == (7, 4)


@pytest.mark.parametrize("cards", [2, 3, 4, 8])
def test_balanced_is_as_good_as_trying_every_split(cards: int) -> None:
    layers = [3, 3, 3, 7, 3, 3, 3, 7, 3, 3, 3, 7, 9]
    size = sizer(layers, per_card=2)
    found = LayerSplits(len(layers), cards, 10**6).balanced(size)
    fullest = max(d.high_bytes for d in size(found).devices)
    best = min(
        max(d.high_bytes for d in size(counts).devices) for counts in _splits(len(layers), cards)
    )
    # One layer at a time finds the optimum up to the largest layer.
    assert fullest <= best + max(layers)
    assert sum(found) == len(layers)
    assert min(found) >= 1


def _splits(layers: int, cards: int) -> list[tuple[int, ...]]:
    if cards == 1:
        return [(layers,)]
    return [
        (first, *rest)
        for first in range(1, layers - cards + 2)
        for rest in _splits(layers - first, cards - 1)
    ]


def test_full_split_fills_the_first_cards_and_leaves_the_last_nearly_empty() -> None:
    splits = LayerSplits(12, 3, 50)
    size = sizer([10] * 12)
    even = splits.balanced(size)
    assert even == (4, 4, 4)
    assert splits.filled(size, even) == (5, 5, 2)


def test_a_split_that_does_not_fit_has_no_full_form() -> None:
    splits = LayerSplits(12, 2, 50)
    assert splits.filled(sizer([10] * 12), (6, 6)) is None
    assert splits.choose(sizer([10] * 12)) == [(6, 6)]


def test_more_cards_than_layers_give_no_split() -> None:
    assert LayerSplits(2, 3, 50).choose(sizer([1, 1])) == []


def test_choices_are_distinct_and_place_every_layer() -> None:
    chosen = LayerSplits(33, 2, 260).choose(sizer([10] * 33))
    assert len(chosen) == len(set(chosen)) == 3
    assert all(sum(counts) == 33 for counts in chosen)
