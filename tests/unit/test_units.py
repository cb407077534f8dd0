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


@pytest.mark.parametrize(
    ("suffix", "scale"),
    [
        *zip(("n", "u", "m"), (Decimal(10) ** power for power in (-9, -6, -3)), strict=True),
        *zip(("", *"kMGTPE"), (10**power for power in range(0, 19, 3)), strict=True),
        *zip(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), (1024**n for n in range(1, 7)), strict=True),
    ],
)
def test_every_suffix(suffix: str, scale: int | Decimal) -> None:
    assert parse_quantity(f"3{suffix}") == 3 * scale
    assert parse_quantity(f"-1.5{suffix}") == Decimal("-1.5") * scale


def test_units_are_powers_of_two() -> None:
    assert (KIB, MIB, GIB) == (1024, 1024**2, 1024**3)


def test_the_longest_quantity() -> None:
    assert parse_quantity("1" * 64) == int("1" * 64)
    with pytest.raises(InvalidQuantity):
        parse_quantity("1" * 65)
    longest = "1" * 62 + "Ei"
    assert parse_whole(longest) == int("1" * 62) * 1024**6


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
        ("2TB", "TB is not a Kubernetes quantity; write 2Ti (2199023255552 bytes) or 2T (20000"),
        ("3 pb", "pb is not a Kubernetes quantity; write 3Pi"),
        (" 7kib ", "kib is not a Kubernetes quantity; write 7Ki (7168 bytes) or 7k (7000 bytes)"),
        ("x" * 40, f"{'x' * 40!r} is not a Kubernetes quantity"),
        ("x" * 41, f"{'x' * 37 + '...'!r} is not a Kubernetes quantity"),
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
    assert parse_whole("-1.5Ki") == -1536
    with pytest.raises(InvalidQuantity, match=r"-1\.5 is not a whole number"):
        parse_whole("-1.5")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (-1, "-1 B"),
        (-1024, "-1.0 KiB"),
        (MIB - 1, "1024.0 KiB"),
        (MIB, "1.0 MiB"),
        (1536 * KIB, "1.5 MiB"),
        (GIB - 1, "1024.0 MiB"),
        (2**40 - 1, "1024.0 GiB"),
        (2**40, "1.0 TiB"),
        (-GIB, "-1.0 GiB"),
        (3 * 2**40, "3.0 TiB"),
    ],
)
def test_format_bytes(count: int, text: str) -> None:
    assert format_bytes(count) == text


def test_format_gib() -> None:
    assert format_gib(43 * GIB + 100 * MIB) == "43.1"
    assert format_gib(-GIB // 2) == "-0.5"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (24 * GIB, "24Gi"),
        (2**40, "1Ti"),
        (MIB + 1, "1048577"),
        (512 * MIB, "512Mi"),
        (1024, "1Ki"),
        (1023, "1023"),
        (1536 * GIB, "1536Gi"),
        (-GIB, "-1Gi"),
    ],
)
def test_format_quantity(count: int, text: str) -> None:
    assert format_quantity(count) == text
    assert parse_whole(text) == count


def test_a_month_has_730_hours() -> None:
    assert per_month(Decimal("1.86")) == Decimal("1357.80")
