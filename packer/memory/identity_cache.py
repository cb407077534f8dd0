"""Values derived once per object, for objects that cannot be hashed: headers hold mappings."""

import weakref
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


def derived_once(function: Callable[[Key], Value]) -> Callable[[Key], Value]:
    """Remember a function's answer for as long as its argument lives, by identity."""
    answers: dict[int, tuple[weakref.ref[Key], Value]] = {}

    @wraps(function)
    def remembered(argument: Key) -> Value:
        identity = id(argument)
        known = answers.get(identity)
        if known is not None and known[0]() is argument:
            return known[1]
        value = function(argument)
        answers[identity] = (weakref.ref(argument, lambda _: answers.pop(identity, None)), value)
        return value

    return remembered
