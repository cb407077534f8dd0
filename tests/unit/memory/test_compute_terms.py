"""Sums of products of open sizes: what they are made of, and what is known of their sign."""

import pytest

from packer.memory.compute_terms import (
    BITS,
    CONSTANT,
    Terms,
    difference,
    factors_of,
    reduced,
    sign_of,
)

A, B, C = (1 << BITS * symbol for symbol in range(3))


@pytest.mark.parametrize(
    ("product", "factors"),
    [
        (CONSTANT, ()),
        (A, (0,)),
        (C, (2,)),
        (3 * A, (0, 0, 0)),
        (2 * A + C, (0, 0, 2)),
        (A + 2 * B + 3 * C, (0, 1, 1, 2, 2, 2)),
        (4 * A, (0,) * 4),
        (9 * A + 15 * B, (0,) * 9 + (1,) * 15),
    ],
)
def test_a_product_has_its_factors(product: int, factors: tuple[int, ...]) -> None:
    assert factors_of(product) == factors


def test_what_cancels_is_gone() -> None:
    one: Terms = {A: 3, B: 2, CONSTANT: 5}
    assert difference(one, {A: 3, B: 1, C: 4}) == {B: 1, C: -4, CONSTANT: 5}
    assert difference(one, one) == {}
    assert one == {A: 3, B: 2, CONSTANT: 5}


@pytest.mark.parametrize(
    ("terms", "sign"),
    [
        ({}, 0),
        ({A: 1}, 1),
        ({A: 1, CONSTANT: 7}, 1),
        ({A: -1}, -1),
        ({A: -1, B + C: -9}, -1),
        ({A: -1, CONSTANT: 1}, 0),
        ({A: 5, B: -5}, 0),
    ],
)
def test_signs(terms: Terms, sign: int) -> None:
    assert sign_of(terms) == sign


@pytest.mark.parametrize(
    ("terms", "left"),
    [
        ({A: 6, B: -4}, {A: 3, B: -2}),
        ({A: 6, CONSTANT: -4}, {A: 3, CONSTANT: -2}),
        ({2 * A + B: 4, A + C: -8}, {A + B: 1, C: -2}),
        ({A + C: 3, 2 * A + C: -3}, {CONSTANT: 1, A: -1}),
        ({2 * C: 5, 3 * C: -10}, {CONSTANT: 1, C: -2}),
    ],
)
def test_what_terms_have_in_common_is_divided_out(terms: Terms, left: Terms) -> None:
    assert reduced(terms) == left
