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
from packer.memory.compute_graphs.context import Batch
from packer.memory.compute_lifetimes import Lifetimes
from packer.memory.compute_peaks import Occasion
from packer.memory.compute_program import Program
from packer.memory.compute_terms import BITS, factors_of

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
    assert not is_never_above(one + two, one)
    assert is_never_above(one, one)
    assert not is_never_above(one, two)
    assert not is_never_above(two, one)
    assert terms_of(one * 0) == {}


@pytest.mark.parametrize("divisor", [1, 2, 3, 4, 8, 32])
def test_a_constant_is_divided_apart_and_left_out_where_nothing_stays(divisor: int) -> None:
    symbols = Symbols((5, 7, 11))
    for constant in range(-40, 41):
        quotient = (24 * 4 * symbols.extent(0) + constant) // divisor
        left = {0: constant // divisor} if constant // divisor else {}
        assert terms_of(quotient) == {1: 96 // divisor} | left
        assert value_of(quotient) == (480 + constant) // divisor
    assert symbols.answers == {}


@pytest.mark.parametrize("divisor", [1, 2, 3, 4, 8, 32])
def test_rests_that_no_value_changes_are_not_asked_for(divisor: int) -> None:
    for factor in (0, 1, 2, 5):
        for constant in range(-9, 70):
            symbols = Symbols((5, 7, 11))
            assert (factor * divisor * symbols.extent(0) + constant) % divisor == constant % divisor
            assert symbols.answers == {}
    symbols = Symbols((5, 7, 11))
    assert (symbols.extent(0) + 3) % 7 == 1
    assert len(symbols.answers) == 1


def test_no_size_is_below_itself() -> None:
    symbols = Symbols((5, 7, 11))
    one, same = symbols.extent(0) + 3, symbols.extent(0) + 3
    assert not symbols.is_below(one, same)
    assert [one < same, one > same, one <= same, one >= same] == [False, False, True, True]
    assert symbols.answers == {}


def test_products_of_sums_have_a_term_for_each_product() -> None:
    symbols = Symbols((3, 5))
    one, two = symbols.extent(0), symbols.extent(1)
    first, second = terms_of(one), terms_of(two)
    (a,), (b,) = first, second
    assert terms_of((one + two) * (one + two)) == {2 * a: 1, a + b: 2, 2 * b: 1}
    assert terms_of((one - two) * (one + two)) == {2 * a: 1, 2 * b: -1}
    assert terms_of((2 * one + 3) * (two + 4)) == {a + b: 2, a: 8, b: 3, 0: 12}
    assert terms_of((6 * one * two + 4 * one) // (2 * one)) == {b: 3, 0: 2}
    assert terms_of((6 * one + 7) // 2) == {a: 3, 0: 3}
    assert terms_of((6 * one + 1) // 2) == {a: 3}
    assert terms_of((6 * one + 3) // 2) == {a: 3, 0: 1}
    assert value_of((one + two) * (one + two)) == 64
    assert not symbols.answers


def test_comparisons_of_sizes() -> None:
    symbols = Symbols((3, 5, 3))
    one, two, three = (symbols.extent(number) for number in range(3))
    assert [one < two, one <= two, one > two, one >= two, one == two] == [1, 1, 0, 0, 0]
    assert [two < one, two <= one, two > one, two >= one, two != one] == [0, 0, 1, 1, 1]
    assert [one < three, one <= three, one > three, one >= three, one == three] == [0, 1, 0, 1, 1]
    assert [one <= 2, one <= 3, one >= 3, one >= 4] == [0, 1, 1, 0]
    assert [bool(one), bool(one - 3), 10 - one, 10 % two, 10 // one] == [1, 0, 7, 0, 3]


@pytest.mark.parametrize(
    ("occasion", "open_numbers"),
    [
        (Occasion(Batch(48, 3, 7), 1024, 512, 5), (0, 1, 2, 3, 4, 5)),
        (Occasion(Batch(48, 3, 3), 1024, 512, 3), (0, 1, 3, 4)),
        (Occasion(Batch(48, 3, 48), 1024, 512, 3), (0, 1, 3, 4)),
        (Occasion(Batch(3, 3, 3), 1024, 512, 5), (1, 3, 4, 5)),
        (Occasion(Batch(48, 1, 1), 1024, 512, 1), (0, 3, 4)),
        (Occasion(Batch(1, 1, 1), 1024, 512, 5), (3, 4, 5)),
    ],
)
def test_numbers_of_an_occasion_that_are_left_open(
    occasion: Occasion, open_numbers: tuple[int, ...]
) -> None:
    found = occasion.opened(Symbols(occasion.values))
    batch = found.batch
    sizes = [batch.tokens, batch.sequences, batch.outputs]
    sizes += [found.cells, found.window_cells, found.states]
    asked = occasion.batch
    assert [value_of(one) for one in sizes] == [
        *(asked.tokens, asked.sequences, asked.outputs),
        *(occasion.cells, occasion.window_cells, occasion.states),
    ]
    met = {symbol for one in sizes for product in terms_of(one) for symbol in factors_of(product)}
    assert tuple(sorted(met)) == open_numbers
    assert terms_of(found.cells) == {1 << BITS * 3: 1}
    assert terms_of(found.window_cells) == {1 << BITS * 4: 1}
