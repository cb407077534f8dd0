"""Bytes, tokens and money as people write them: Kubernetes quantities in, exact integers out."""

import re
from decimal import Decimal, localcontext

KIB = 2**10
MIB = 2**20
GIB = 2**30
HOURS_PER_MONTH = 730
"""Average hours in a month, the figure cloud bills use [h]."""

_SUFFIXES: dict[str, Decimal] = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}
# No real quantity is near this; the cap bounds Decimal arithmetic on hostile input.
_LONGEST_QUANTITY = 64
_DIGITS = 2 * _LONGEST_QUANTITY
"""Enough for any such number times any suffix, so that nothing is rounded."""
_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))"
    r"(?:(?P<exponent>[eE][+-]?[0-9]{1,2})|(?P<suffix>[KMGTPE]i|[numkMGTPE])?)"
)


class InvalidQuantity(ValueError):
    """A text is not a Kubernetes quantity, or not one of the kind asked for."""


def parse_quantity(text: str) -> Decimal:
    """Value of a Kubernetes quantity such as ``24Gi``, ``500m`` or ``1e3``. Exact.

    Raises:
        InvalidQuantity: The text is not a quantity; the message says why and what to write.

    Source:
        Kubernetes apimachinery, pkg/api/resource/quantity.go (the grammar in its package comment).
    """
    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST_QUANTITY else None
    if match is None:
        raise InvalidQuantity(_why_not_a_quantity(text))
    if match["exponent"]:
        return Decimal(match["number"] + match["exponent"])
    with localcontext(prec=_DIGITS):
        return Decimal(match["number"]) * _SUFFIXES[match["suffix"] or ""]


def parse_whole(text: str | int) -> int:
    """Whole number written as a Kubernetes quantity: bytes (``24Gi``) or tokens (``16Ki``). Exact.

    Raises:
        InvalidQuantity: Not a quantity, or it has a fraction.
    """
    if isinstance(text, int):
        return text
    value = parse_quantity(text)
    whole = int(value)
    if value != whole:
        raise InvalidQuantity(f"{text} is not a whole number")
    return whole


def _why_not_a_quantity(text: str) -> str:
    stripped = text.strip()
    near = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kKmMgGtTpP])(?:i?)[bB]", stripped)
    if near:
        number, letter = near[1], near[2].upper()
        decimal_letter = "k" if letter == "K" else letter
        unit = stripped[len(number) :].strip()
        return (
            f"{unit} is not a Kubernetes quantity; write {number}{letter}i "
            f"({_whole_bytes(number + letter + 'i')} bytes) or {number}{decimal_letter} "
            f"({_whole_bytes(number + decimal_letter)} bytes)"
        )
    shown = text if len(text) <= 40 else text[:37] + "..."
    return (
        f"{shown!r} is not a Kubernetes quantity; write a number and a unit, such as 24Gi or 500m"
    )


def _whole_bytes(text: str) -> int:
    """Whole part of a quantity that is known to parse."""
    return int(parse_quantity(text))


def format_bytes(count: int) -> str:
    """Bytes in the largest binary unit they reach, one decimal, for people: ``43.1 GiB``."""
    size, sign = abs(count), "-" if count < 0 else ""
    for unit, scale in (("TiB", 2**40), ("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if size >= scale:
            return f"{sign}{size / scale:.1f} {unit}"
    return f"{sign}{size} B"


def format_gib(count: int) -> str:
    """Bytes in GiB with one decimal and no unit, for tables: ``43.1``."""
    return f"{count / GIB:.1f}"


def format_quantity(count: int) -> str:
    """Bytes as the shortest exact Kubernetes quantity: ``24Gi``, ``512Mi`` or plain. Exact."""
    for suffix in ("Ti", "Gi", "Mi", "Ki"):
        scale = int(_SUFFIXES[suffix])
        if count and count % scale == 0:
            return f"{count // scale}{suffix}"
    return str(count)


def per_month(price_per_hour: Decimal) -> Decimal:
    """Price of 730 hours, unrounded [currency per month]. Exact."""
    return price_per_hour * HOURS_PER_MONTH
