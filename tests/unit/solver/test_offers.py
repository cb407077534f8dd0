"""What the products of an inventory offer: the best of their nodes, in every respect."""

from packer.domain.node import Sharing
from packer.domain.workload import Headroom
from packer.memory.card_reserve import card_reserve_bytes
from packer.solver.offers import offers_of
from packer.units import GIB, MIB
from tests.small_fleets import NO_HEADROOM, gpu, inventory, pool

CARD, OTHER = gpu(3000), gpu(5000)


def test_one_offer_per_product_with_the_most_of_everything() -> None:
    there = inventory(
        pool("a", CARD, 4, host_memory_bytes=8 * GIB),
        pool("b", OTHER, 1),
        pool("c", CARD, 2, host_memory_bytes=64 * GIB),
        pool("empty", CARD, 8, 0, host_memory_bytes=999 * GIB),
    )
    first, second = offers_of(there, NO_HEADROOM)
    assert (first.gpu, first.cards, first.host_bytes) == (CARD, 4, 64 * GIB)
    assert (second.gpu, second.cards) == (OTHER, 1)
    assert first.room_bytes == 3000 * MIB


def test_a_product_without_nodes_is_not_offered() -> None:
    assert offers_of(inventory(pool("a", CARD, 4, 0)), NO_HEADROOM) == ()


def test_headroom_and_a_router_take_their_part() -> None:
    headroom = Headroom(100 * MIB, 0)
    (shared,) = offers_of(inventory(pool("a", CARD)), headroom)
    assert shared.room_bytes == 2900 * MIB
    whole = pool("a", CARD, sharing=Sharing.WHOLE)
    (routed,) = offers_of(inventory(whole), headroom)
    reserve = card_reserve_bytes(whole, headroom)
    assert reserve > 100 * MIB + 300 * MIB
    assert routed.room_bytes == 3000 * MIB - reserve


def test_one_untouched_card_is_enough_for_full_room() -> None:
    held = {"a-0": {0: 500 * MIB, 1: 600 * MIB}}
    some = inventory(pool("a", CARD, 2, 2, taken=held))
    assert offers_of(some, NO_HEADROOM)[0].room_bytes == 3000 * MIB
    every = inventory(pool("a", CARD, 2, 1, taken=held))
    assert offers_of(every, NO_HEADROOM)[0].room_bytes == 2500 * MIB
    half = inventory(pool("a", CARD, 2, 1, taken={"a-0": {0: MIB}}))
    assert offers_of(half, NO_HEADROOM)[0].room_bytes == 3000 * MIB
