"""Types of amounts in the files: bytes, tokens and money; each refuses in words."""

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from packer.spec.field_types import refusal
from packer.units import InvalidQuantity, parse_whole

MOST_BYTES = 2**50
MOST_TOKENS = 2**27
_LARGEST_PRICE = 10**6


def _quantity(value: object) -> int:
    """Whole number from a Kubernetes quantity, as text or as a number."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise refusal("quantity_type", "a quantity is needed", "such as 24Gi")
    try:
        return parse_whole(value if isinstance(value, int) else str(value))
    except InvalidQuantity as error:
        why, _, help_ = str(error).partition("; ")
        raise refusal("quantity", why, help_) from error


def _quantity_schema(example: str, least: int) -> WithJsonSchema:
    pattern = r"^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2}|[KMGTPE]i|[numkMGTPE])?$"
    text = {"type": "string", "pattern": pattern}
    number = {"type": "integer", "minimum": least}
    return WithJsonSchema({"anyOf": [text, number], "examples": [example]})


Bytes = Annotated[
    int, BeforeValidator(_quantity), Field(ge=0, le=MOST_BYTES), _quantity_schema("2Gi", 0)
]
PositiveBytes = Annotated[
    int, BeforeValidator(_quantity), Field(ge=1, le=MOST_BYTES), _quantity_schema("256Gi", 1)
]
Tokens = Annotated[
    int, BeforeValidator(_quantity), Field(ge=1, le=MOST_TOKENS), _quantity_schema("16Ki", 1)
]


def _money(value: object) -> Decimal:
    """Price as an exact decimal; text is refused, so that no currency sign slips in."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise refusal("money", "a price is a number per hour", "such as 7.20")
    amount = Decimal(value)
    if not 0 < amount <= _LARGEST_PRICE:
        help_ = "leave the price out where it is unknown"
        raise refusal("money_range", f"a price lies above 0 and up to {_LARGEST_PRICE}", help_)
    if amount != round(amount, 6):
        raise refusal("money", "more than six decimals are not read", f"such as {amount:.6f}")
    return amount


Money = Annotated[
    Decimal,
    BeforeValidator(_money),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": _LARGEST_PRICE}),
]


def _number(value: object) -> float:
    """A plain number; text is refused."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise refusal("quantity_type", "a number is needed", "such as 0.5")
    return float(value)


def _number_schema(**limits: float) -> WithJsonSchema:
    return WithJsonSchema({"type": "number", **limits})


Share = Annotated[
    float, BeforeValidator(_number), Field(ge=0, le=1), _number_schema(minimum=0, maximum=1)
]
Rate = Annotated[
    float,
    BeforeValidator(_number),
    Field(ge=1e-6, le=1e6),
    _number_schema(minimum=1e-6, maximum=1e6),
]
