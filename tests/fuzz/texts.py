"""Changes of logs, tables and command lines by the line, the word and the number."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

_TOKEN = re.compile(rb"[0-9]+(?:\.[0-9]+)?|[A-Za-z_]+|[^A-Za-z0-9_]")
_NUMBERS = (
    b"0", b"-1", b"1", b"2", b"4096", b"2147483647", b"9" * 20, b"9" * 400, b"1e308", b"1e999",
    b"nan", b"inf", b"0.1.2", b"1e-400", b"", b"16k", "１".encode(), b"0x10", b"1_000", b"+5",
)  # fmt: skip
_MOST_COPIES = 40


@dataclass(frozen=True)
class Pieces:
    """What texts of one kind are made of.

    Attributes:
        separator: Between lines of a file, or between words of a command line.
        whole: Lines that were seen.
        tokens: Words, numbers and signs that were seen.
    """

    separator: bytes
    whole: Sequence[bytes]
    tokens: Sequence[bytes]


def pieces(texts: Iterable[bytes], separator: bytes = b"\n", more: Sequence[bytes] = ()) -> Pieces:
    """Lines and tokens of texts; ``more`` are lines of their own."""
    lines = [line for text in texts for line in text.split(separator)] + list(more)
    tokens = sorted({token for line in lines for token in _TOKEN.findall(line)})
    return Pieces(separator, tuple(dict.fromkeys(lines)), tuple(tokens))


def changed(content: bytes, known: Pieces, draw: Random) -> bytes:
    """The text after one to four changes."""
    lines = content.split(known.separator)
    for _ in range(draw.choice((1, 1, 2, 4))):
        if not lines:
            break
        draw.choice(_CHANGES)(lines, draw.randrange(len(lines)), known, draw)
    return known.separator.join(lines)


def _remove(lines: list[bytes], place: int, known: Pieces, draw: Random) -> None:
    del lines[place : place + draw.choice((1, 1, 2, 8))]


def _insert(lines: list[bytes], place: int, known: Pieces, draw: Random) -> None:
    """A line that was seen somewhere, with the one that follows it there half of the time."""
    start = draw.randrange(len(known.whole))
    lines[place:place] = known.whole[start : start + draw.choice((1, 2))]


def _repeat(lines: list[bytes], place: int, known: Pieces, draw: Random) -> None:
    lines[place:place] = lines[place : place + 2] * draw.choice((1, 2, _MOST_COPIES))


def _swap(lines: list[bytes], place: int, known: Pieces, draw: Random) -> None:
    other = draw.randrange(len(lines))
    lines[place], lines[other] = lines[other], lines[place]


def _token(lines: list[bytes], place: int, known: Pieces, draw: Random) -> None:
    """One token becomes another, nothing, or itself again and again."""
    tokens = _TOKEN.findall(lines[place]) or [b""]
    chosen = draw.randrange(len(tokens))
    # Only short ones often, as a change may meet what another has made long.
    again = tokens[chosen][:8] * draw.choice((2, _MOST_COPIES, _MOST_COPIES**2))
    tokens[chosen] = draw.choice((draw.choice(known.tokens), again, b"", b'"', b",", b"("))
    lines[place] = b"".join(tokens)


def _number(lines: list[bytes], place: int, known: Pieces, draw: Random) -> None:
    """One number becomes one that readers stumble over."""
    tokens = _TOKEN.findall(lines[place]) or [b""]
    digits = [index for index, token in enumerate(tokens) if token[:1].isdigit()]
    tokens[draw.choice(digits or [0])] = draw.choice(_NUMBERS)
    lines[place] = b"".join(tokens)


_CHANGES = (_remove, _insert, _insert, _repeat, _swap, _token, _token, _number)
