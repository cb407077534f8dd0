"""Sizes that are left open: what they come to, and what is remembered of each question."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packer.memory.compute_extent import (
    IS_NEGATIVE,
    IS_ZERO,
    Extent,
    Symbols,
    is_never_above,
    terms_of,
)
from packer.memory.compute_lifetimes import Lifetimes
from packer.memory.compute_program import Program

VALUES = st.tuples(*(st.integers(1, 4096),) * 3)
Formula = Callable[[int, int, int], int]


def formulas() -> st.SearchStrategy[Formula]:
    """What graphs do with sizes."""
    return st.sampled_from(
        [
            lambda a, b, c: a * b + 3 * c - 7,
            lambda a, b, c: 4 * a * b * c // (2 * a),
            lambda a, b, c: (a * b) // b + c % 32,
            lambda a, b, c: a if a * b < 512 * c else b,
            lambda a, b, c: max(a, b, c) - min(a, b),
            lambda a, b, c: -(-a // 256) * 256 + (5 if b == c else 6),
            lambda a, b, c: (a - 1) * (b + 1) + (1 if c - 1 else 2),
            lambda a, b, c: sum(range(a % 7)) + len([b] * (c % 5)),
            lambda a, b, c: 1000 - a if a >= b else 1000 // c,
            lambda a, b, c: (a + 4 * b) // 2 + a * c // 4 + (2 * a + 8 * b * c) // 2,
            lambda a, b, c: (a * b + 5) // (b + c) + (a + 5) % 7,
            lambda a, b, c: (6 * a * c + 4 * c) // (2 * c) - (a * b + c) // (a * b + c),
            lambda a, b, c: (32 * a + 13) // 32 + 1000 % b + (b + 3) * (a - c),
        ]
    )


def value_of(size: int) -> int:
    """Value of a size, without fixing it."""
    return size.value if isinstance(size, Extent) else size


def program(formula: Formula, values: tuple[int, ...]) -> tuple[Program, int]:
    """A program with one block of the formula's size, and that size."""
    symbols = Symbols(values)
    size = formula(*(symbols.extent(number) for number in range(3)))
    assert value_of(size) == formula(*values)
    lifetimes = Lifetimes((((0, 0, 0, 0),),), ((size, 1),), ())
    return Program(symbols, lifetimes, ()), formula(*values)


@given(formula=formulas(), values=VALUES, others=st.lists(VALUES, max_size=8))
def test_a_program_answers_like_the_formula_or_not_at_all(
    formula: Formula, values: tuple[int, ...], others: list[tuple[int, ...]]
) -> None:
    made, size = program(formula, values)
    first = made.run(values)
    assert first is not None
    assert first.peaks == (size,)
    for other in others:
        found = made.run(other)
        assert found is None or found.peaks == (formula(*other),)


def test_what_always_holds_leaves_no_check_behind() -> None:
    symbols = Symbols((512, 4))
    tokens, slots = symbols.extent(0), symbols.extent(1)
    assert tokens * slots > 0
    assert 128 * tokens + slots != 0
    assert (tokens * slots * 128) % 128 == 0
    assert tokens * slots // slots == tokens
    assert not symbols.answers


def test_questions_are_remembered_without_common_factors() -> None:
    symbols = Symbols((512, 4))
    tokens, slots = symbols.extent(0), symbols.extent(1)
    assert 64 * tokens * slots > 320 * slots
    assert tokens != 4 * slots
    assert tokens % 256 == 0
    kinds = {kind: terms for kind, terms in symbols.answers}
    assert kinds[IS_NEGATIVE] == ((0, 5), (1, -1))
    assert set(kinds) == {IS_NEGATIVE, IS_ZERO, 256}


def test_a_value_that_is_needed_is_fixed() -> None:
    symbols = Symbols((7,))
    extent = symbols.extent(0)
    assert list(range(extent))[-1] == 6
    assert {extent: 1}
    assert symbols.answers == {(IS_ZERO, ((0, -7), (1, 1))): 1}


def test_extents_refuse_what_could_lose_them() -> None:
    extent = Symbols((7,)).extent(0)
    assert isinstance(extent, Extent)
    with pytest.raises(TypeError):
        _ = extent / 2
    assert extent != "7"


def test_one_size_is_above_another_for_all_values_or_only_some() -> None:
    symbols = Symbols((3, 5))
    one, two = symbols.extent(0), symbols.extent(1)
    assert is_never_above(one, one + two)
    assert not is_never_above(one, two)
    assert not is_never_above(two, one)
    assert terms_of(one * 0) == {}
