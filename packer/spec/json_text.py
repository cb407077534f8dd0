"""JSON as plan files hold it: exact decimals, one spelling for each value, strict on the way in."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

MOST_CHARACTERS = 64 * 2**20
"""Largest plan; 4,000 replicas take about 20 million characters."""
_LONGEST_NUMBER = 40
_LARGEST_EXPONENT = 400


class InvalidJson(ValueError):
    """A text is not JSON, or JSON that a plan cannot be; with its offset if one is known."""

    def __init__(self, message: str, offset: int | None = None) -> None:
        """Keep both."""
        super().__init__(message)
        self.offset = offset


def parse_json(text: str) -> Any:
    """Values of a JSON text; numbers with a fraction are Decimal.

    Raises:
        InvalidJson: No JSON, a repeated key, NaN, a number beyond reason, or nested too deeply.
    """
    if len(text) > MOST_CHARACTERS:
        raise InvalidJson(f"it has {len(text)} characters, at most {MOST_CHARACTERS} are read")
    try:
        return json.loads(
            text,
            parse_int=_whole,
            parse_float=_fraction,
            parse_constant=_no_constant,
            object_pairs_hook=_unique_keys,
        )
    except json.JSONDecodeError as error:
        raise InvalidJson(error.msg, error.pos) from error
    except RecursionError as error:
        raise InvalidJson("it is nested too deeply") from error


def _whole(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise InvalidJson(f"a number of {len(text)} digits is beyond reason")
    return int(text)


def _fraction(text: str) -> Decimal:
    try:
        number = Decimal(text) if len(text) <= _LONGEST_NUMBER else Decimal("NaN")
    except InvalidOperation:  # an exponent of twenty digits is none for Decimal
        number = Decimal("NaN")
    if not number.is_finite() or abs(number.adjusted()) > _LARGEST_EXPONENT:
        raise InvalidJson(f"the number {text[:_LONGEST_NUMBER]} is beyond reason")
    return number


def _no_constant(text: str) -> Any:
    raise InvalidJson(f"{text} is not a number")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        again = counts.most_common(1)[0][0]
        raise InvalidJson(f"key {again[:60]!r} is repeated")
    return values


def format_json(value: object) -> str:
    """JSON text of dicts, lists, numbers, text and enums: keys as given, one item per line."""
    return "".join(_pieces(value, "\n")) + "\n"


def _pieces(value: object, line: str) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield from _items(value, line)
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        yield from _list(value, line)
    else:
        yield _scalar(value)


def _items(values: Mapping[Any, object], line: str) -> Iterator[str]:
    inner = line + "  "
    before = "{" + inner
    for key, value in values.items():
        yield f"{before}{json.dumps(str(key), ensure_ascii=False)}: "
        yield from _pieces(value, inner)
        before = "," + inner
    yield line + "}"


def _list(values: Sequence[object], line: str) -> Iterator[str]:
    """Short lists of scalars on one line, so that card and layer lists stay readable."""
    if not any(isinstance(value, Mapping | list | tuple) for value in values):
        flat = "[" + ", ".join(map(_scalar, values)) + "]"
        if len(flat) <= 88:
            yield flat
            return
    inner = line + "  "
    before = "[" + inner
    for value in values:
        yield before
        yield from _pieces(value, inner)
        before = "," + inner
    yield line + "]"


def _scalar(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
