"""Speed of one literal command line, where the cards it sees are known products."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packer.api.measurements import Calibration
    from packer.api.model_headers import CommandModels
    from packer.domain.gpu import GpuProduct
    from packer.domain.server_options import ServerOptions
    from packer.memory.result import Card, MemoryEstimate
    from packer.performance.estimate import SpeedEstimate

USUAL_DEPTH = 512
"""Depth a speed is given for where none is asked, if a slot holds as many [tokens]."""


@dataclass(frozen=True)
class SpeedQuestion:
    """What a speed is asked for.

    Attributes:
        depth: Tokens in every slot that decodes; None takes ``USUAL_DEPTH``.
        slots: Slots that decode at once; None takes all of the server.
        host_bandwidth: Specified memory bandwidth of the node; None takes a desktop's [bytes/s].
    """

    depth: int | None = None
    slots: int | None = None
    host_bandwidth: int | None = None


@dataclass(frozen=True)
class ServerEstimate:
    """Memory and speed of one llama-server.

    Attributes:
        speed: None where it cannot be said; ``speed_notes`` says why.
    """

    memory: "MemoryEstimate"
    speed: "SpeedEstimate | None" = None
    speed_notes: tuple[str, ...] = ()


def with_speed(
    memory: "MemoryEstimate",
    models: "CommandModels",
    options: "ServerOptions",
    cards: "Sequence[Card]",
    asked: SpeedQuestion,
    calibration: "Calibration | None" = None,
) -> ServerEstimate:
    """The memory estimate of a process with its speed beside it.

    Raises:
        InvalidInput: P1003 or P1004, this server has no such depth or slots.
    """
    from packer.performance.estimate import estimate_speed
    from packer.performance.learnt import Learnt

    unknown = sorted({card.name for card in cards if _product(card.name) is None})
    if unknown:
        why = f"no speed: nothing but the memory of {', '.join(unknown)} is known; --gpu names it"
        return ServerEstimate(memory, None, (why,))
    usual = min(USUAL_DEPTH, memory.context_cells_per_slot)
    speed = estimate_speed(
        models.target,
        options,
        [product for card in cards if (product := _product(card.name))],
        memory,
        depth=usual if asked.depth is None else asked.depth,
        slots=asked.slots,
        host_bandwidth_bytes_per_second=asked.host_bandwidth,
        further_file_bytes=sum(
            file.file_bytes for file in (models.draft, models.projector, *models.loras) if file
        ),
        learnt=Learnt(speeds=calibration.learnt_speeds()) if calibration else None,
    )
    if options.embedding or options.reranking:
        speed = _without_decoding(speed)
    return ServerEstimate(memory, speed, (*speed.notes, *_about(options)))


def _without_decoding(speed: "SpeedEstimate") -> "SpeedEstimate":
    """The speed of a server that answers with the end of its prompt."""
    none = speed.decode_tokens_per_second.scaled(0.0)
    read = speed.prefill_tokens_per_second.inverted().scaled(max(speed.depth, 1))
    return replace(
        speed,
        decode_tokens_per_second=none,
        decode_aggregate_tokens_per_second=none,
        first_token_seconds=read,
        bandwidth_limit_tokens_per_second=0.0,
    )


def _about(options: "ServerOptions") -> tuple[str, ...]:
    """What the command line asks for and the figures leave out."""
    notes = []
    if options.embedding or options.reranking:
        notes.append("this server answers with embeddings or ranks: it decodes nothing")
    if set(options.speculation) - {"none"} or (options.draft and options.draft.model):
        notes.append("decoding without speculation: its gain depends on the acceptance")
    return tuple(notes)


@cache
def _product(name: str) -> "GpuProduct | None":
    """The product a card is called after; None for a card given by its size."""
    from packer.catalogue.gpus import gpus_matching

    found = gpus_matching(name)
    return found[0] if len(found) == 1 and found[0].name == name else None
