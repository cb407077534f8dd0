"""Quantities against the Kubernetes client's own reader."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kubernetes.utils.quantity import parse_quantity as reference

from packer.units import InvalidQuantity, format_quantity, parse_quantity, parse_whole

_SUFFIXES = ("", *"numkMGTPE", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_NUMBERS = st.from_regex(r"[+-]?([0-9]{1,9}(\.[0-9]{0,6})?|\.[0-9]{1,6})", fullmatch=True)
quantity_settings = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


@given(_NUMBERS, st.sampled_from(_SUFFIXES))
@quantity_settings
def test_agrees_with_the_client_on_every_quantity(number: str, suffix: str) -> None:
    text = number + suffix
    with localcontext(prec=100):  # the client rounds to 28 digits, we never do
        expected = reference(text)
    assert parse_quantity(text) == expected


@given(st.integers(0, 10**6), st.sampled_from("eE"), st.integers(-9, 9))
@quantity_settings
def test_agrees_with_the_client_on_exponents(number: int, letter: str, exponent: int) -> None:
    text = f"{number}{letter}{exponent}"
    assert parse_quantity(text) == reference(text)


@given(st.text(alphabet="0123456789.+-eEinumkKMGTPB _", max_size=8))
@quantity_settings
def test_accepts_nothing_the_client_refuses(text: str) -> None:
    try:
        value = parse_quantity(text)
    except InvalidQuantity:
        return
    assert reference(text) == value


@pytest.mark.parametrize("text", ["1K", "1_0", " 1 ", "NaN", "inf", "1e3k"])
def test_is_stricter_where_the_client_is_looser_than_the_grammar(text: str) -> None:
    assert isinstance(reference(text), Decimal)
    with pytest.raises(InvalidQuantity):
        parse_quantity(text)


@given(st.integers(0, 2**60))
@quantity_settings
def test_written_quantities_read_back(count: int) -> None:
    assert parse_whole(format_quantity(count)) == count
    assert reference(format_quantity(count)) == count
