"""The search for a smallest conflict: what is asked, and what is known without asking."""

import pytest

from packer.solver import feasibility, infeasibility
from packer.solver.feasibility import Answer, can_be_placed
from packer.solver.infeasibility import find_conflict
from packer.solver.instance_document import parse_instance
from packer.solver.requirements import Part
from packer.solver.stopping import Clock, Limits
from tests.tiny_packing import Document, alternative, instance, item, node_type

CLOCK_LIMITS = Limits(time_seconds=600, workers=1)


def crowded() -> Document:
    """Two of three sevens fit on two cards of ten; eight small ones hide the clash."""
    small = [item(f"s{n}", 1, alternative([1])) for n in range(4)]
    large = [item(f"x{n}", 1, alternative([7])) for n in range(3)]
    return instance([node_type()], [*small, *large])


def test_the_smallest_conflict_is_found() -> None:
    found = find_conflict(parse_instance(crowded()), Clock(CLOCK_LIMITS))
    assert found is not None
    assert found.minimal
    assert found.ids == ("count:x0", "count:x1", "count:x2")


def test_nothing_is_asked_twice_nor_what_follows_from_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[frozenset[str], Answer]] = []

    def recorded(part: Part, clock: Clock, effort: float, *, certain: bool = False) -> Answer:
        found = can_be_placed(part, clock, effort, certain=certain)
        key = frozenset(one.name for one in part.instance.items)
        if not certain:
            for known, answer in asked:
                assert not (answer is Answer.POSSIBLE and key <= known)
                assert not (answer is Answer.IMPOSSIBLE and key >= known)
            asked.append((key, found))
        return found

    monkeypatch.setattr(infeasibility, "can_be_placed", recorded)
    found = find_conflict(parse_instance(crowded()), Clock(CLOCK_LIMITS))
    assert found is not None
    assert found.minimal
    assert len(asked) >= 3


def test_a_question_in_vain_is_asked_again_only_with_more_effort(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    efforts: list[float] = []

    def unknown(part: Part, clock: Clock, effort: float, *, certain: bool = False) -> Answer:
        efforts.append(effort)
        return Answer.UNKNOWN

    monkeypatch.setattr(infeasibility, "can_be_placed", unknown)
    tester = infeasibility._Tester(parse_instance(crowded()), Clock(CLOCK_LIMITS))
    for effort in (1.0, 0.5, 1.0, 2.0, 2.0):
        assert tester.answer(["count:x0"], effort) is Answer.UNKNOWN
    assert efforts == [1.0, 2.0]


def test_no_model_is_built_once_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def built(*_: object) -> None:
        raise AssertionError("a model was built")

    monkeypatch.setattr(feasibility, "ExactModel", built)
    problem = parse_instance(instance([node_type()], [item("x", 4, alternative([5]))]))
    over = Clock(Limits(time_seconds=-1.0, workers=1))
    assert can_be_placed(Part(problem, frozenset()), over, 1.0) is Answer.UNKNOWN


def test_what_fills_leave_over_is_brought_in_without_the_whole_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def whole(*_: object) -> None:
        raise AssertionError("the whole model was searched")

    monkeypatch.setattr(feasibility, "_search", whole)
    # A perfect fit of twos, threes and fives that a largest-first fill misses.
    sizes = {"a": (6, [5]), "b": (6, [3]), "c": (6, [2])}
    items = [item(name, count, alternative(share)) for name, (count, share) in sizes.items()]
    problem = parse_instance(instance([node_type(count=3)], items))
    part = Part(problem, frozenset())
    assert can_be_placed(part, Clock(CLOCK_LIMITS), 1.0) is Answer.POSSIBLE
