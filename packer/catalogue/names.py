"""One rule for names people type: case, spaces, hyphens, underscores and vendor do not count."""

import difflib
import re
from collections.abc import Iterable, Sequence

_VENDOR_WORDS = ("nvidia", "geforce", "tesla", "amd", "radeon", "instinct", "intel")
_NOT_A_NAME = re.compile(r"[^a-z0-9.]+")


def name_key(name: str) -> str:
    """What of a name counts: lower-case letters, digits and dots, without the vendor in front."""
    key = _NOT_A_NAME.sub("", name.lower())
    while True:
        vendor = next((word for word in _VENDOR_WORDS if key.startswith(word) and key != word), "")
        if not vendor:
            return key
        key = key[len(vendor) :]


def words_of(name: str) -> set[str]:
    """Words of a name, lower-case; punctuation but the dot parts them."""
    return set(_NOT_A_NAME.sub(" ", name.lower()).split())


def is_written_with(key: str, words: Iterable[str]) -> set[str] | None:
    """Which of ``words``, each at most once and in any order, make up ``key``; None if none do."""
    return _spell(key, frozenset(words))


def _spell(key: str, words: frozenset[str]) -> set[str] | None:
    if not key:
        return set()
    # The longest word first: "sxm4" before "sxm", or its "4" would be left over.
    for word in sorted(words, key=len, reverse=True):
        if key.startswith(word):
            rest = _spell(key[len(word) :], words - {word})
            if rest is not None:
                return rest | {word}
    return None


def nearest_names(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Known names that look most like ``name``, nearest first; never empty if any are known."""
    by_key = {name_key(candidate): candidate for candidate in known}
    keys = difflib.get_close_matches(name_key(name)[:80], by_key, n=most, cutoff=0.5)
    if not keys:
        keys = difflib.get_close_matches(name_key(name)[:80], by_key, n=1, cutoff=0.0)
    return [by_key[key] for key in keys]


def shortened(name: str) -> str:
    """A name in quotes, cut where it is absurdly long."""
    return repr(name if len(name) <= 60 else name[:57] + "...")


def listed(names: Sequence[str]) -> str:
    """Names for people: ``a, b or c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
