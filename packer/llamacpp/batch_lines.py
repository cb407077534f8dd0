"""Lines of a batch of estimates: cards, a tab, and a literal command line."""

import re
import shlex
from dataclasses import dataclass

from packer.errors import InvalidInput, Location, Problem
from packer.memory.result import Card
from packer.units import MIB

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_NAME = re.compile(r"\s*[A-Za-z]")
_CARD = re.compile(r"\s*([0-9]{1,9})\s*(?::\s*([0-9]{1,9})\s*)?")


@dataclass(frozen=True)
class BatchLine:
    """One question of a batch.

    Attributes:
        cards: Cards the process sees, in CUDA order; empty where ``names`` are given instead.
        argv: Words of the command line, the program first.
        environment: Variables set in front of the program, as in a shell.
    """

    cards: tuple[Card, ...]
    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    names: str = ""


def read_batch_line(text: str, number: int, file: str = "batch") -> BatchLine:
    """One line: cards, a tab, and the command line.

    Cards are ``total[:free],…`` in MiB, names such as ``L40S:2``, or nothing for none.

    Args:
        text: The line, with or without its end.
        number: Its place in the file, from 1, for errors.
        file: Name of the file, for errors.

    Raises:
        InvalidInput: The line is not of this form.
    """
    line = text.rstrip("\r\n")
    cards, tab, command = line.partition("\t")
    if not tab:
        raise _refusal(line, number, file, 0, "a tab must stand between cards and command line")
    is_named = _NAME.match(cards) is not None
    found = () if is_named else read_cards(cards)
    if found is None:
        why = "cards are total[:free] in MiB with commas, such as 81079:80000,24210, or names"
        raise _refusal(line, number, file, 0, why)
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise _refusal(line, number, file, len(cards) + 1, str(error)) from None
    environment, argv = split_environment(words)
    if not argv:
        raise _refusal(line, number, file, len(cards) + 1, "no command line follows the tab")
    return BatchLine(found, argv, environment, names=cards if is_named else "")


def read_cards(text: str) -> tuple[Card, ...] | None:
    """Cards named CUDA0, CUDA1 …; None if the text is not of the form ``total[:free],…``."""
    if not text.strip():
        return ()
    matches = [_CARD.fullmatch(part) for part in text.split(",")]
    cards = []
    for index, match in enumerate(matches):
        if match is None:
            return None
        total, free = int(match[1]), int(match[2] or match[1])
        if not 0 < total >= free:
            return None
        cards.append(Card(f"CUDA{index}", total * MIB, free * MIB))
    return tuple(cards)


def split_environment(
    words: list[str],
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Leading ``NAME=VALUE`` words, and the command line behind them."""
    variables: list[tuple[str, str]] = []
    for word in words:
        match = _ASSIGNMENT.fullmatch(word)
        if match is None:
            break
        variables.append((match[1], match[2]))
    return tuple(variables), tuple(words[len(variables) :])


def _refusal(line: str, number: int, file: str, start: int, why: str) -> InvalidInput:
    where = Location(file, number, start + 1, line, max(1, len(line) - start))
    return InvalidInput(
        Problem(
            "P0411",
            "a batch line cannot be read",
            where,
            why,
            "write GPUS<TAB>llama-server -m model.gguf …",
        )
    )
