"""What a running llama-server says of its slots at ``/slots``.

Source: llama.cpp b11434, tools/server/server-context.cpp, server_slot::to_json().
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ServerSlots:
    """The slots of a running server.

    Attributes:
        contexts: Cells of each slot [tokens].
        is_speculative: Whether any of them drafts.
    """

    contexts: tuple[int, ...]
    is_speculative: bool


def read_server_slots(answer: object) -> ServerSlots:
    """The answer of ``/slots``.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(answer, list) or not all(_is_slot(one) for one in answer):
        raise ValueError("it is no list of slots")
    slots: Sequence[dict[str, Any]] = answer
    return ServerSlots(
        contexts=tuple(int(one["n_ctx"]) for one in slots),
        is_speculative=any(bool(one.get("speculative")) for one in slots),
    )


def _is_slot(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("n_ctx"), int)
