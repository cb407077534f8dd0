"""Fillings dealt to nodes: where a node has too little left, its other fillings make room."""

from typing import Any

import pytest

from packer.solver.columns import build_columns
from packer.solver.geometry import build_geometry
from packer.solver.instance import Placed
from packer.solver.instance_document import parse_instance
from packer.solver.movable_load import MovableLoad
from packer.solver.node_dealing import deal_to_nodes
from packer.solver.packing import Packing
from tests.unit.solver.test_brim_fill import document, piece


def crowded(light: int, other: int | None = None, *, large: int = 500) -> MovableLoad:
    """A node of 100 with two fillings of 40 and one GPU of its own size, and one of light ones."""
    items: list[dict[str, Any]] = [
        piece("a", [large, 10], node=40),
        piece("b", [large, 10], node=40),
        piece("c", [500, 10], node=light),
        piece("d", [500, 10], node=light if other is None else other),
        piece("new", [900, 10], node=50),
        piece("wide", [100, 10], [100, 10]),
        *([piece("narrows", [300, 10], [300, 10])] if large > 500 else []),
    ]
    places = {"a": (0, 0), "b": (0, 1), "c": (1, 0), "d": (1, 1), "new": (2, 0)}
    instance = parse_instance(document(items, 3, 100))
    placed = [Placed(name, 0, 0, node, (gpu,)) for name, (node, gpu) in places.items()]
    placed.append(Placed("wide", 0, 0, 0, (2, 3)))
    if large > 500:
        placed.append(Placed("narrows", 0, 0, 1, (0, 1)))
    packing = Packing(build_geometry(instance), placed)
    return MovableLoad(packing, build_columns(instance))


def dealt(load: MovableLoad) -> bool:
    """Whether the new filling came to the GPU that is just large enough, on the crowded node."""
    new = next(one for one in load.bins if one.node == 2)
    place = next(one for one in load.bins if one.has_fixed and one.node == 0)
    items = new.items
    assert load.put([new], [[]])
    return not deal_to_nodes(load, [(place, items)])


def names(load: MovableLoad, node: int) -> set[str]:
    return {load.instance.items[i].name for one in load.bins if one.node == node for i in one.items}


@pytest.mark.parametrize("light", [10, 0])
def test_one_exchange_makes_room(light: int) -> None:
    load = crowded(light)
    assert dealt(load)
    assert "new" in names(load, 0)
    assert len(names(load, 0) & {"a", "b"}) == 1
    assert load.node_left[0] == [100 - 40 - light - 50]
    assert load.node_left[1] == [100 - 40 - light]
    packing = load.packing()
    assert not packing.missing()
    assert (packing.free >= 0).all()


def test_two_exchanges_make_room() -> None:
    load = crowded(25)
    assert dealt(load)
    assert names(load, 0) == {"c", "d", "new"}
    assert load.node_left == {0: [0], 1: [20], 2: [100]}


def test_nothing_changes_where_no_exchange_helps() -> None:
    load = crowded(40)
    assert not dealt(load)
    assert names(load, 0) == {"a", "b"}
    assert load.node_left == {0: [20], 1: [20], 2: [100]}


@pytest.mark.parametrize("other", [25, 0])
def test_the_exchange_that_just_frees_enough_comes_first(other: int) -> None:
    load = crowded(10, other)
    assert dealt(load)
    assert "c" in names(load, 0)
    assert "d" in names(load, 1)


def test_a_filling_does_not_come_to_a_smaller_gpu() -> None:
    load = crowded(10, large=800)
    assert not dealt(load)
    assert names(load, 0) == {"a", "b"}
    assert all(one.slack >= 0 for one in load.bins)
