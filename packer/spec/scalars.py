"""Plain YAML scalars by the core schema of YAML 1.2: ``no`` is a word, ``0777`` is 777."""

import re
from decimal import Decimal

Scalar = None | bool | int | Decimal | str

_WORDS: dict[str, Scalar] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# Longer numbers stay text: nothing accepts them, and arithmetic on them would cost time.
_DECIMAL_WHOLE = re.compile(r"[-+]?[0-9]{1,40}")
_OCTAL_OR_HEXADECIMAL = re.compile(r"0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}")
_FRACTION = re.compile(r"[-+]?(\.[0-9]{1,40}|[0-9]{1,40}(\.[0-9]{0,40})?)([eE][-+]?[0-9]{1,3})?")


def resolve_scalar(text: str) -> Scalar:
    """Value of an unquoted scalar; fractions are Decimal, so prices stay exact."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "0123456789+-.":
        return text
    if _DECIMAL_WHOLE.fullmatch(text):
        return int(text)
    if _OCTAL_OR_HEXADECIMAL.fullmatch(text):
        return int(text, base=0)
    if _FRACTION.fullmatch(text):
        return Decimal(text)
    return text
