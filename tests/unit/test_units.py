"""Quantities in and out: what is read, what is refused in which words, what people see."""

from decimal import Decimal

import pytest

from packer.units import (
    GIB,
    KIB,
    MIB,
    InvalidQuantity,
    format_bytes,
    format_gib,
    format_quantity,
    parse_quantity,
    parse_whole,
    per_month,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", "0"),
        ("24Gi", 24 * GIB),
        ("24G", 24 * 10**9),
        ("1.5Mi", 3 * MIB // 2),
        (".5", "0.5"),
        ("5.", "5"),
        ("+1k", 1000),
        ("-1Ki", -KIB),
        ("500m", "0.5"),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1E", 10**18),
        ("2e-2", "0.02"),
        ("3n", "3e-9"),
        ("3u", "3e-6"),
    ],
)
def test_parse_quantity(text: str, value: str | int) -> None:
    assert parse_quantity(text) == Decimal(value)


def test_a_long_quantity_is_not_rounded() -> None:
    digits = "1" * 60
    assert parse_quantity(digits + "Ki") == int(digits) * 1024
    assert parse_whole(digits + "Ki") == int(digits) * 1024
    with pytest.raises(InvalidQuantity, match="is not a whole number"):
        parse_whole("1." + "0" * 50 + "1Gi")


@pytest.mark.parametrize("text", ["", " ", "1 Gi", "Gi", "1KiB", "1K", "0x10", "1e", "1e3Gi", "²"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(InvalidQuantity, match="is not a Kubernetes quantity"):
        parse_quantity(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "24GB",
            "GB is not a Kubernetes quantity; write 24Gi (25769803776 bytes) "
            "or 24G (24000000000 bytes)",
        ),
        ("16 kB", "kB is not a Kubernetes quantity; write 16Ki (16384 bytes) or 16k (16000 bytes)"),
        ("1.5GiB", "GiB is not a Kubernetes quantity; write 1.5Gi (1610612736 bytes)"),
        ("lots", "'lots' is not a Kubernetes quantity; write a number and a unit"),
        ("9" * 100, "'9999999999999999999999999999999999999...' is not a Kubernetes quantity"),
    ],
)
def test_the_refusal_says_what_to_write(text: str, words: str) -> None:
    with pytest.raises(InvalidQuantity) as caught:
        parse_quantity(text)
    assert str(caught.value).startswith(words)


def test_parse_whole() -> None:
    assert parse_whole("16Ki") == 16384
    assert parse_whole(7) == 7
    assert parse_whole("1.5Ki") == 1536
    with pytest.raises(InvalidQuantity, match=r"1\.5 is not a whole number"):
        parse_whole("1.5")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536 * KIB, "1.5 MiB"),
        (-GIB, "-1.0 GiB"),
        (3 * 2**40, "3.0 TiB"),
    ],
)
def test_format_bytes(count: int, text: str) -> None:
    assert format_bytes(count) == text


def test_format_gib() -> None:
    assert format_gib(43 * GIB + 100 * MIB) == "43.1"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (24 * GIB, "24Gi"), (2**40, "1Ti"), (MIB + 1, "1048577"), (512 * MIB, "512Mi")],
)
def test_format_quantity(count: int, text: str) -> None:
    assert format_quantity(count) == text
    assert parse_whole(text) == count


def test_a_month_has_730_hours() -> None:
    assert per_month(Decimal("1.86")) == Decimal("1357.80")
