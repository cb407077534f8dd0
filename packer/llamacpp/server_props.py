"""What a running llama-server says of itself at ``/props``.

Source: llama.cpp b11434, tools/server: server_context, get_props.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CONTEXT_STEP = 256
"""Cells of a context come in whole multiples of this. Source: llama-context.cpp."""


@dataclass(frozen=True)
class ServerProps:
    """A running server; None for what this build does not tell.

    Attributes:
        context_per_slot: Cells one slot may use, rounded up by llama.cpp [tokens].
    """

    slots: int | None
    context_per_slot: int | None


def read_server_props(answer: Mapping[str, Any]) -> ServerProps:
    """The answer of ``/props``."""
    generation = answer.get("default_generation_settings") or {}
    slots, context = answer.get("total_slots"), generation.get("n_ctx")
    return ServerProps(
        slots=int(slots) if slots is not None else None,
        context_per_slot=int(context) if context is not None else None,
    )


def padded_context(tokens: int) -> int:
    """Cells llama.cpp makes of a context asked for. Exact [tokens]."""
    return -(-tokens // CONTEXT_STEP) * CONTEXT_STEP
