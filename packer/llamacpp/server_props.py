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
        model_path: Path of the model file as the server sees it; empty if it does not say.
    """

    slots: int | None
    context_per_slot: int | None
    model_path: str = ""


def read_server_props(answer: Mapping[str, Any]) -> ServerProps:
    """The answer of ``/props``; what is not of its kind counts as not told."""
    generation = answer.get("default_generation_settings")
    context = generation.get("n_ctx") if isinstance(generation, Mapping) else None
    path = answer.get("model_path")
    return ServerProps(
        slots=_count(answer.get("total_slots")),
        context_per_slot=_count(context),
        model_path=path if isinstance(path, str) else "",
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def padded_context(tokens: int) -> int:
    """Cells llama.cpp makes of a context asked for. Exact [tokens]."""
    return -(-tokens // CONTEXT_STEP) * CONTEXT_STEP
