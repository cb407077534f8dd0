"""Values out of a parsed JSON document, every problem collected instead of the first raised."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from packer.errors import Problem

_MOST_SUGGESTIONS = 100
"""Problems that get one; a document of another kind altogether would have thousands."""
LARGEST_INTEGER = 2**44
"""Largest number an instance may hold: sums over a whole fleet still fit 63 bits."""


class DocumentReader:
    """Reads typed values by path; a wrong one becomes a Problem and a harmless default."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def refuse(self, code: str, title: str, help_text: str = "") -> None:
        """Collect one problem."""
        self.problems.append(Problem(code, title, help=help_text))

    def mapping(
        self, value: object, path: str, required: Collection[str], optional: Collection[str] = ()
    ) -> Mapping[str, Any]:
        """An object with exactly the known keys; missing keys are reported here."""
        if not isinstance(value, dict):
            self._wrong_type(value, path, "an object")
            return {}
        known = [*required, *optional]
        for key in required:
            if key not in value:
                self.refuse("P0601", f"{path} has no key '{key}'", f"add '{key}' to {path}")
        for key in value:
            if key not in known:
                self._unknown_key(str(key), path, known)
        return value

    def _unknown_key(self, key: str, path: str, known: Sequence[str]) -> None:
        is_shown = len(self.problems) < _MOST_SUGGESTIONS
        near = difflib.get_close_matches(key[:80], known, 1) if is_shown else []
        self.refuse(
            "P0602",
            f"{path} has an unknown key '{key}'",
            f"write '{near[0]}'" if near else "known keys: " + ", ".join(known),
        )

    def sequence(self, value: object, path: str) -> Sequence[Any]:
        """A list."""
        if isinstance(value, list | tuple):
            return value
        self._wrong_type(value, path, "a list")
        return ()

    def text(self, value: object, path: str) -> str:
        """A string."""
        if isinstance(value, str):
            return value
        self._wrong_type(value, path, "a text")
        return ""

    def flag(self, value: object, path: str) -> bool:
        """True or false."""
        if isinstance(value, bool):
            return value
        self._wrong_type(value, path, "true or false")
        return False

    def whole(self, value: object, path: str, least: int = 0) -> int:
        """A whole number from ``least`` up to LARGEST_INTEGER."""
        if isinstance(value, bool) or not isinstance(value, int):
            self._wrong_type(value, path, "a whole number")
            return least
        if not least <= value <= LARGEST_INTEGER:
            self.refuse(
                "P0604",
                f"{path} is {value if abs(value) < 10**20 else 'a number of over 20 digits'}",
                f"write a whole number from {least} to {LARGEST_INTEGER}",
            )
            return least
        return value

    def optional_whole(self, value: object, path: str, least: int = 0) -> int | None:
        """A whole number or null."""
        return None if value is None else self.whole(value, path, least)

    def vector(
        self, value: object, path: str, length: int | None, least: int = 0
    ) -> tuple[int, ...]:
        """A list of whole numbers, of a given length where one is asked for."""
        numbers = self.sequence(value, path)
        if length is not None and len(numbers) != length:
            self.refuse(
                "P0605",
                f"{path} has {len(numbers)} numbers, not {length}",
                "write one number per dimension",
            )
            return (least,) * length
        return tuple(
            self.whole(number, f"{path}[{position}]", least)
            for position, number in enumerate(numbers)
        )

    def choice(self, value: object, path: str, choices: Sequence[str]) -> str:
        """One of a few words; the first one stands in for a wrong one."""
        if isinstance(value, str) and value in choices:
            return value
        near = difflib.get_close_matches(str(value)[:80], choices, 1)
        self.refuse(
            "P0603",
            f"{path} is {value!r}",
            f"write {near[0]!r}" if near else "write one of " + ", ".join(choices),
        )
        return choices[0]

    def _wrong_type(self, value: object, path: str, wanted: str) -> None:
        names = {bool: "true or false", int: "a number", float: "a fraction", str: "a text"}
        names |= {list: "a list", dict: "an object", type(None): "null"}
        got = names.get(type(value), type(value).__name__)
        self.refuse("P0603", f"{path} is {got}, not {wanted}", f"write {wanted}")
