"""Levels after the objective: fewer moves, then what is wanted more, then even headroom."""

from dataclasses import replace

import pytest

from packer.solver import later_levels as module
from packer.solver.geometry import build_geometry
from packer.solver.instance import Alternative, Current, Instance, Item, NodeType, Objective, Placed
from packer.solver.later_levels import later_levels
from packer.solver.packing import Packing
from packer.solver.stopping import Clock, Limits


def alternative(name: str, share: int, penalty: int = 0) -> Alternative:
    return Alternative(name, ((share,),), penalty=penalty)


def item(name: str, count: int, *alternatives: Alternative) -> Item:
    return Item(name, count, alternatives)


def instance(*items: Item, cards: int = 2, room: int = 10, **options: object) -> Instance:
    node_type = NodeType("t", "G", 1, cards, (room,), ())
    basic = Instance("i", ("vram",), (), Objective.GPUS, (node_type,), items)
    return replace(basic, **options)  # type: ignore[arg-type]


def improved(given: Instance, *placed: Placed) -> tuple[Placed, ...]:
    kept = [tuple(range(len(one.alternatives))) for one in given.items]
    limits = Limits(time_seconds=600, workers=1)
    found = later_levels(build_geometry(given), tuple(placed), kept, Clock(limits), 1.0)
    after, before = (Packing(build_geometry(given), one) for one in (found, placed))
    assert not after.missing()
    assert after.objective <= before.objective
    assert (after.free >= 0).all()
    return found


def at(name: str, gpu: int, choice: int = 0) -> Placed:
    return Placed(name, choice, 0, 0, (gpu,))


SMALL_FIRST = (alternative("large", 6), alternative("small", 3, penalty=100))


def test_the_wanted_alternative_is_taken_where_it_fits() -> None:
    given = instance(item("a", 1, *SMALL_FIRST))
    (found,) = improved(given, at("a", 0, 1))
    assert found.alternative == 0


def test_no_card_more_is_taken_for_it() -> None:
    given = instance(item("a", 3, *SMALL_FIRST))
    found = improved(given, *[at("a", 0, 1)] * 3)
    assert sorted(one.alternative for one in found) == [1, 1, 1]
    assert len({one.gpus for one in found}) == 1


def test_other_cards_are_tried_where_they_cost_the_same() -> None:
    # The card in use is too small for the wanted alternative; the other is not.
    caps = ((5,), (10,))
    given = instance(item("a", 1, *SMALL_FIRST))
    node_type = replace(given.node_types[0], gpu_caps=caps)
    (found,) = improved(replace(given, node_types=(node_type,)), at("a", 0, 1))
    assert (found.alternative, found.gpus) == (0, (1,))


def test_headroom_is_evened_on_the_cards_in_use() -> None:
    given = instance(item("a", 4, alternative("x", 3)), cards=3, even_headroom=True)
    found = improved(given, *[at("a", 0)] * 3, at("a", 1))
    assert sorted(one.gpus for one in found) == [(0,), (0,), (1,), (1,)]


def test_what_runs_stays_where_it_is_before_anything_is_wanted_more() -> None:
    runs = at("a", 1, 1)
    given = instance(item("a", 1, *SMALL_FIRST), current=Current((runs,), {"a": 5}))
    assert improved(given, at("a", 0, 0)) == (runs,)


def test_replicas_go_back_where_they_run_though_all_cards_are_too_many_to_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Room for the cards of the plan and of what runs, not for all sixty.
    monkeypatch.setattr(module, "EXACT_VARIABLES", 40)
    runs = (at("a", 50), at("a", 50), at("b", 51))
    items = (item("a", 2, alternative("x", 4)), item("b", 1, alternative("y", 6)))
    given = instance(*items, cards=60, current=Current(runs))
    found = improved(given, at("b", 0), at("a", 0), at("a", 1))
    assert sorted(found) == sorted(runs)


def test_a_state_in_which_nothing_runs_has_no_moves() -> None:
    given = instance(item("a", 1, *SMALL_FIRST), current=Current(()))
    (found,) = improved(given, at("a", 0, 1))
    assert found.alternative == 0


def test_what_ran_and_is_not_wanted_any_more_keeps_nothing() -> None:
    gone = Placed("b", 0, 0, 0, (0,))
    given = instance(
        item("a", 1, alternative("x", 3)),
        item("b", 0, alternative("y", 3)),
        current=Current((gone,)),
    )
    assert [one.item for one in improved(given, at("a", 0))] == ["a"]


def test_a_model_that_is_too_large_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXACT_VARIABLES", 0)
    given = instance(item("a", 1, *SMALL_FIRST), even_headroom=True)
    assert improved(given, at("a", 0, 1)) == (at("a", 0, 1),)


def test_without_time_nothing_changes() -> None:
    given = instance(item("a", 1, *SMALL_FIRST), even_headroom=True)
    clock = Clock(Limits(time_seconds=0.0, workers=1))
    placed = (at("a", 0, 1),)
    assert later_levels(build_geometry(given), placed, [(0, 1)], clock, 1.0) == placed
