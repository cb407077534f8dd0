"""Changes of YAML and JSON documents that keep them documents, so that what they mean is fuzzed."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any

import yaml

NASTY: tuple[object, ...] = (
    None, True, False, 0, 1, 2, -1, 3, 64, 256, 2**16, 2**31 - 1, 2**31, 2**44, 2**63, 10**30, 0.5,
    -0.0, 1e-300, 1e300, "", " ", "a", "0", "1", "on", "none", "16Ki", "1.5Gi", "-1", "1e400",
    "nan", "a" * 64, "ü", "\x85", "‮", "../x", "-x", "$(X)", "{quantization}", "null", [], {}, [[]],
    [0], {"a": 0}, [None], "2026-02-30", "2026-11-22", 999999, "https://a/b", "pvc://a/b.gguf",
)  # fmt: skip
_MOST_COPIES = 24
_LONGEST_COPIED = 400
"""Characters of what is repeated often; copies of copies would fill the memory."""
_MOST_PLACES = 5_000
_SHARE_OF_YAML = 0.1
_DEEPEST = 8


@dataclass(frozen=True)
class Vocabulary:
    """What documents of one kind are made of.

    Attributes:
        values: Values by the key they stand under.
        below: Keys that a mapping has, by the key it stands under itself; "" for the document.
    """

    values: Mapping[str, Sequence[object]]
    below: Mapping[str, Sequence[str]]

    def keys(self, parent: str) -> Sequence[str]:
        """Keys of a mapping under ``parent``; of the document where nobody knows."""
        return self.below.get(parent) or self.below[""]


class _Gathered:
    """Keys and values as they are found."""

    def __init__(self) -> None:
        self.values: dict[str, list[object]] = {}
        self.below: dict[str, list[str]] = {"": []}

    def add(self, parent: str, key: str, values: Iterable[object]) -> None:
        """A key below another, with values of its own."""
        known = self.below.setdefault(parent, [])
        known += [] if key in known else [key]
        self.values.setdefault(key, []).extend(values)

    def document(self, content: bytes) -> None:
        """What a document holds."""
        for holder, key, parent in _places([read(content)]):
            if isinstance(holder, dict):
                self.add(parent, str(key), [holder[key]])

    def schema(self, whole: Any, part: Any, parent: str = "", depth: int = 0) -> None:
        """What a JSON Schema says of the properties of one of its parts, and below them."""
        for one in _alternatives(whole, part):
            for key, below in one.get("properties", {}).items():
                suggested = [w for each in _alternatives(whole, below) for w in _words(each)]
                is_new = key not in self.below.get(parent, ())
                self.add(parent, key, suggested)
                if is_new and depth < _DEEPEST:
                    self.schema(whole, below, key, depth + 1)


def vocabulary(documents: Iterable[bytes], schema: Any = None) -> Vocabulary:
    """Keys and values of documents, and what a JSON Schema suggests for its properties."""
    gathered = _Gathered()
    if schema is not None:
        gathered.schema(schema, schema)
    for content in documents:
        gathered.document(content)
    return Vocabulary(gathered.values, gathered.below)


def _alternatives(whole: Any, part: Any) -> Iterator[Any]:
    """A part of a schema, what it refers to, and the items of a list."""
    if "$ref" in part:
        yield from _alternatives(whole, whole["$defs"][part["$ref"].rpartition("/")[2]])
    yield part
    items = part.get("items")
    more = [items] if isinstance(items, dict) else []
    for one in (*part.get("anyOf", ()), *part.get("oneOf", ()), *more):
        yield from _alternatives(whole, one)


def _words(part: Any) -> Iterator[object]:
    """Values a part of a schema suggests: its words and examples, and what lies at its bounds."""
    yield from (*part.get("enum", ()), *part.get("examples", ()))
    yield from [part[key] for key in ("const", "default") if key in part]
    bounds = [part[key] for key in ("minimum", "maximum") if key in part]
    yield from [bound + step for bound in bounds for step in (-1, 0, 1)]


def read(content: bytes) -> Any:
    """The document in some bytes, JSON first because that is quicker; None if there is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        pass
    try:
        return yaml.load(content, yaml.CSafeLoader)
    except Exception:
        return None


def changed(content: bytes, words: Vocabulary, draw: Random, in_yaml: bool = False) -> bytes:
    """The document after one to four changes, as JSON or as either; empty if there is none."""
    root = [read(content)]
    if not isinstance(root[0], dict | list):
        return b""
    places = list(islice(_places(root), _MOST_PLACES))
    if len(places) == _MOST_PLACES:  # anchors may make a document of any size, or one in itself
        return b""
    for _ in range(draw.choice((1, 1, 2, 4))):
        # An earlier change may have taken the place away.
        with suppress(KeyError, IndexError):
            draw.choice(_CHANGES)(_Place(*draw.choice(places)), words, draw)
    return _written(root[0] if root else None, in_yaml and draw.random() < _SHARE_OF_YAML)


def _written(tree: object, in_yaml: bool) -> bytes:
    try:
        if in_yaml:
            return yaml.dump(tree, Dumper=yaml.CSafeDumper, allow_unicode=True).encode()
        return json.dumps(tree, ensure_ascii=False, default=str, separators=(",", ":")).encode()
    except (UnicodeEncodeError, ValueError, RecursionError):
        return b""


def _places(tree: Any) -> Iterator[tuple[Any, Any, str]]:
    """Every value below a tree: its holder, its key, and the key the holder stands under."""
    stack = [(tree, "")]
    while stack:
        holder, parent = stack.pop()
        is_mapping = isinstance(holder, dict)
        for key in list(holder) if is_mapping else range(len(holder)):
            yield holder, key, parent
            if isinstance(holder[key], dict | list):
                stack.append((holder[key], str(key) if is_mapping else parent))


def _copy(value: object) -> Any:
    return json.loads(json.dumps(value, default=str))


@dataclass
class _Place:
    """One value of a document, by its holder and key."""

    holder: Any
    key: Any
    parent: str

    @property
    def value(self) -> Any:
        return self.holder[self.key]

    @value.setter
    def value(self, new: object) -> None:
        if isinstance(self.holder, list) and self.key >= len(self.holder):
            raise IndexError
        self.holder[self.key] = new

    @property
    def name(self) -> str:
        """The key it stands under; that of the list where it is an item."""
        return str(self.key) if isinstance(self.holder, dict) else self.parent


def _remove(place: _Place, words: Vocabulary, draw: Random) -> None:
    del place.holder[place.key]


def _nasty(place: _Place, words: Vocabulary, draw: Random) -> None:
    place.value = _copy(draw.choice(NASTY))


def _usual(place: _Place, words: Vocabulary, draw: Random) -> None:
    """A value that stands under the same key elsewhere, or one item of it."""
    place.value = _known(place.name, words, draw, is_item=isinstance(place.holder, list))


def _known(key: str, words: Vocabulary, draw: Random, is_item: bool = False) -> Any:
    value = draw.choice(words.values.get(key) or NASTY)
    if is_item and isinstance(value, list) and value:
        value = draw.choice(value)
    return _copy(value)


def _add(place: _Place, words: Vocabulary, draw: Random) -> None:
    """A key that documents of this kind have there, below or beside."""
    value = place.value
    target, parent = (
        (value, place.name) if isinstance(value, dict) else (place.holder, place.parent)
    )
    if isinstance(target, dict):
        key = draw.choice(words.keys(parent))
        target[key] = _known(key, words, draw)
    else:
        target.append(_known(parent, words, draw, is_item=True))


def _misplace(place: _Place, words: Vocabulary, draw: Random) -> None:
    """A value of any key, or the value under another name."""
    key = draw.choice(words.keys(draw.choice(tuple(words.below))))
    if isinstance(place.holder, dict) and draw.random() < 0.5:
        place.holder[draw.choice((key, f"{place.key}s"))] = place.holder.pop(place.key)
    else:
        place.value = _known(key, words, draw)


def _repeat(place: _Place, words: Vocabulary, draw: Random) -> None:
    """More of the same, with names and numbers counted on."""
    value = place.value
    is_small = len(json.dumps(value, default=str)) <= _LONGEST_COPIED
    copies = draw.choice((1, 2, 3, _MOST_COPIES)) if is_small else 1
    if isinstance(place.holder, list):
        place.holder[place.key : place.key] = [_counted(value, number) for number in range(copies)]
    elif isinstance(value, list) and value:
        value += [_counted(value[-1], number) for number in range(copies)]


def _counted(value: Any, number: int) -> Any:
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        return _copy(value) | {"name": f"{value['name']}{number}"}
    if isinstance(value, int) and not isinstance(value, bool):
        return value + number
    return _copy(value)


def _nudge(place: _Place, words: Vocabulary, draw: Random) -> None:
    """Nearly the same."""
    value = place.value
    if isinstance(value, bool) or value is None:
        place.value = not value
    elif isinstance(value, int):
        place.value = draw.choice((value + 1, value - 1, -value, value * 2, value * 1000))
    elif isinstance(value, float):
        place.value = draw.choice((value / 3, -value, value * 1e9, 1))
    elif isinstance(value, str):
        at = draw.randrange(len(value) + 1)
        letter = draw.choice(("", "a", "-", "{", "}", "/", ":", "\n", "é", "0", " ", "\0", "*"))
        place.value = value[:at] + letter + value[at + draw.choice((0, 1)) :]
    elif isinstance(value, list):
        draw.shuffle(value)


_CHANGES = (
    _remove, _nasty, _usual, _usual, _usual, _misplace, _add, _add, _add, _repeat, _nudge, _nudge,
)  # fmt: skip
