"""Cards renumbered so that every process meets its shares in rising order."""

from packer.domain.node import NodePool
from packer.solver.assignment import Assignment, in_card_order
from packer.solver.candidates import Candidate, find_candidates
from packer.solver.offers import offers_of
from tests.small_fleets import BUILD, NO_HEADROOM, gpu, inventory, pool, workload

CARD = gpu(9000)
NODE = pool("p", CARD, 4)


def candidate() -> Candidate:
    offers = offers_of(inventory(NODE), NO_HEADROOM)
    return find_candidates(workload("a"), offers, build=BUILD).candidates[0]


ANY = candidate()


def ordered(*gpus: tuple[int, ...], node: NodePool = NODE) -> list[tuple[int, ...]]:
    given = [Assignment(ANY, i, node, 0, one) for i, one in enumerate(gpus)]
    found = in_card_order(given)
    assert [one.replica for one in found] == list(range(len(gpus)))
    return [one.gpus for one in found]


def test_cards_are_numbered_from_zero_in_rising_order() -> None:
    assert ordered((3, 1)) == [(0, 1)]
    assert ordered((2,), (3, 0)) == [(0,), (1, 2)]


def test_every_order_that_can_be_kept_is_kept() -> None:
    for found in (ordered((3, 1), (1, 0), (3, 0, 2)), ordered((0,), (2, 1), (3, 2))):
        assert all(list(one) == sorted(one) for one in found)


def test_neighbours_stay_neighbours() -> None:
    before = [(3, 1), (1,), (0,), (3,)]
    after = ordered(*before)
    for one, new in zip(before, after, strict=True):
        for other, moved in zip(before, after, strict=True):
            assert bool(set(one) & set(other)) == bool(set(new) & set(moved))


def test_two_that_want_opposite_orders_keep_their_numbers() -> None:
    assert ordered((2, 1), (1, 2)) == [(2, 1), (1, 2)]


def test_cards_that_are_not_alike_keep_their_numbers() -> None:
    taken = pool("p", CARD, 4, taken={"p-0": {0: 1}})
    assert ordered((3, 1), node=taken) == [(3, 1)]
    linked = pool("p", CARD, 4, link_groups=((0, 1), (2, 3)))
    assert ordered((3, 2), node=linked) == [(3, 2)]
    together = pool("p", CARD, 4, link_groups=((0, 1, 2, 3),))
    assert ordered((3, 2), node=together) == [(0, 1)]


def test_nodes_are_renumbered_one_by_one() -> None:
    two = pool("p", CARD, 4, 2)
    given = [Assignment(ANY, node, two, node, (3, 2)) for node in range(2)]
    found = in_card_order(given)
    assert [(one.node_name, one.gpus) for one in found] == [("p-0", (0, 1)), ("p-1", (0, 1))]
