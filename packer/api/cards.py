"""Cards a command line is estimated for: by size, by name, or as a batch writes them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packer.domain.basis import Basis
from packer.domain.gpu import GpuProduct
from packer.errors import InvalidInput, Problem
from packer.units import MIB, InvalidQuantity, parse_whole

if TYPE_CHECKING:
    from packer.memory.result import Card

_MOST_CARDS = 16
"""GGML_CUDA_MAX_DEVICES. Source: llama.cpp b11434, ggml/include/ggml-cuda.h."""
_SMALLEST_BYTES = 64 * MIB
"""No card is as small; a bare number below was meant as MiB."""


@dataclass(frozen=True)
class NamedCards:
    """Cards of the catalogue, and what a reader must know about their sizes."""

    cards: "tuple[Card, ...]"
    notes: tuple[str, ...]


def card_of(product: GpuProduct) -> "Card":
    """A whole card of a product, with nobody else on it.

    Raises:
        InvalidInput: The memory model does not cover this kind of card.
    """
    from packer.memory.visible_card import visible_card

    if not product.is_modelled:
        raise InvalidInput(
            Problem(
                "P0520",
                f"{product.name} is not modelled",
                why=f"what lacks is {product.not_modelled}",
                help="name a card of `gpu-packer catalogue gpus` that is modelled",
            )
        )
    return visible_card(product)


def cards_by_size(text: str, option: str = "--gpus") -> "tuple[Card, ...]":
    """Cards ``CUDA0``, ``CUDA1`` … of ``80Gi,24Gi:20Gi``: allocatable, and free if it is less.

    Raises:
        InvalidInput: P0486, for every part that is no size.
    """
    from packer.memory.result import Card

    cards, problems = list[Card](), list[Problem]()
    for index, part in enumerate(text.split(",")):
        total, colon, free = part.strip().partition(":")
        try:
            size = card_bytes(total, option)
            left = card_bytes(free, option) if colon else size
            if left > size:
                problems.append(_no_size(option, part, "more is free than there is"))
            cards.append(Card(f"CUDA{index}", size, left))
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    return tuple(cards)


def with_left(cards: "Sequence[Card]", text: str) -> "tuple[Card, ...]":
    """The cards with only what others leave of them, ``20Gi,18Gi``, one amount per card.

    Raises:
        InvalidInput: P0486, an amount is no size, is more than the card has, or is missing.
    """
    parts = text.split(",")
    if len(parts) != len(cards):
        why = f"{len(parts)} amounts for {len(cards)} cards"
        raise InvalidInput(_no_size("--left", text, why, "write one amount per card: 20Gi,18Gi"))
    left = [memory_bytes(part, "--left") for part in parts]
    for part, card, size in zip(parts, cards, left, strict=True):
        if size > card.allocatable_bytes:
            raise InvalidInput(_no_size("--left", part, f"{card.name} has less"))
    return tuple(
        replace(card, allocatable_bytes=size) for card, size in zip(cards, left, strict=True)
    )


def card_bytes(text: str, option: str) -> int:
    """Memory of one card [bytes].

    Raises:
        InvalidInput: P0486.
    """
    size = memory_bytes(text, option)
    if size < _SMALLEST_BYTES:
        raise InvalidInput(_no_size(option, text, "no card is as small", f"write {text}Mi"))
    return size


def memory_bytes(text: str, option: str) -> int:
    """An amount of memory above zero [bytes].

    Raises:
        InvalidInput: P0486.
    """
    try:
        size = parse_whole(text)
    except InvalidQuantity as error:
        raise InvalidInput(_no_size(option, text, str(error))) from error
    if size <= 0:
        raise InvalidInput(_no_size(option, text, "it is no memory at all"))
    return size


def _no_size(option: str, text: str, why: str, help_: str = "write a size such as 24Gi") -> Problem:
    return Problem("P0486", f"{option} {text.strip()!r} is not a size", why=why, help=help_)


def cards_by_name(names: Iterable[str]) -> NamedCards:
    """Cards of ``L40S`` and ``RTX-4090:2``, several in one text parted by commas.

    Raises:
        InvalidInput: P0487 or one of the catalogue's, for every part that names no card.
    """
    from packer.catalogue.gpus import find_gpu

    cards, problems = list["Card"](), list[Problem]()
    products: dict[str, GpuProduct] = {}
    for part in (part.strip() for text in names for part in text.split(",")):
        name, _, count = part.partition(":")
        try:
            if not name or (count and not re.fullmatch(r"[1-9][0-9]?", count)):
                raise InvalidInput(
                    Problem("P0487", f"--gpu {part!r} is no card", help="write L40S or L40S:2")
                )
            product = find_gpu(name)
            cards += [card_of(product)] * int(count or 1)
            products[product.name] = product
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    guessed = [p for p in products.values() if p.allocatable_basis is not Basis.EXACT]
    return NamedCards(tuple(cards), tuple(map(_guess_note, guessed)))


def _guess_note(product: GpuProduct) -> str:
    return (
        f"allocatable memory of {product.name} is estimated on the safe side: "
        "no log of llama.cpp on it is known"
    )


def read_gpus(gpus: "str | Sequence[Card | str | int]") -> NamedCards:
    """Cards as a caller gives them; empty is no card.

    Args:
        gpus: ``total[:free],…`` in MiB as in a batch, sizes with a unit (``80Gi,24Gi``), whole
            numbers of MiB, names (``L40S:2``), or finished cards.

    Raises:
        InvalidInput: P0484, P0486, P0487 or one of the catalogue's.
    """
    from packer.llamacpp.batch_lines import read_cards
    from packer.memory.result import Card

    if not isinstance(gpus, str):
        if gpus and all(isinstance(one, Card) for one in gpus):
            return NamedCards(tuple(one for one in gpus if isinstance(one, Card)), ())
        gpus = ",".join(map(str, gpus))
    if re.match(r"\s*[A-Za-z]", gpus):
        return cards_by_name([gpus])
    found = read_cards(gpus)
    if found is not None:
        return NamedCards(found, ())
    if re.fullmatch(r"[\s0-9:,]*", gpus):
        raise InvalidInput(
            Problem(
                "P0484",
                f"gpus {gpus!r} are no cards",
                why="total[:free] in MiB, and no more is free than there is",
                help="write 81079:80000,24210",
            )
        )
    return NamedCards(cards_by_size(gpus, "gpus"), ())


def check_count(cards: "Sequence[Card]") -> None:
    """Refuse more cards than one process of llama.cpp can use.

    Raises:
        InvalidInput: P0487.
    """
    if len(cards) > _MOST_CARDS:
        why = f"{len(cards)} are given"
        raise InvalidInput(
            Problem("P0487", f"llama.cpp uses at most {_MOST_CARDS} cards at once", why=why)
        )
