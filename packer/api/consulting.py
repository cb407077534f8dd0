"""An installed llama.cpp asked about the same command line, beside our own answer."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from packer.api.model_headers import Models, is_local
from packer.domain.llama_build import MEASURED_BUILD
from packer.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from packer.llamacpp.oracle import Oracle
    from packer.llamacpp.oracle_question import OracleQuestion
    from packer.llamacpp.oracle_rows import OracleRow
    from packer.memory.resolution import ResolvedContext
    from packer.memory.result import Card, DeviceEstimate, HostEstimate
    from packer.report.oracle_comparison import ComparedPart, OracleComparison

_PARTS = ("weights", "context", "compute")


def ask_oracle(
    argv: Sequence[str],
    cards: "Sequence[Card]",
    *,
    models: str | Path = ".",
    environment: Mapping[str, str] | None = None,
    build: str = MEASURED_BUILD,
) -> "OracleComparison":
    """What an installed llama.cpp plans for a command line, and what we say of the same one.

    The question is put as ``llama-fit-params`` understands it: the served model alone, logits for a
    whole batch. Both columns are about that question.

    Args:
        argv: Words of the command line, the program first.
        cards: Cards of this machine, in the order llama.cpp sees them; not used if it sees none.
        models: Folder that relative model paths start from.
        environment: Variables the program would see.
        build: llama.cpp build of the program.

    Raises:
        InvalidInput: P0491 to P0494, or the command line is refused.
    """
    from packer.llamacpp.arguments import parse_arguments
    from packer.llamacpp.batch_lines import split_environment
    from packer.llamacpp.oracle import ask, find_oracle
    from packer.llamacpp.oracle_question import PLANNER, oracle_question
    from packer.memory.estimate import estimate_memory
    from packer.memory.hyperparameters import read_hyperparameters
    from packer.memory.metadata_override import with_metadata
    from packer.memory.resolution import resolve_context
    from packer.report.oracle_comparison import OracleComparison

    variables, words = split_environment(list(argv))
    variables_seen = {**(environment or {}), **dict(variables)}
    options = parse_arguments(words, variables_seen, build=build)
    if not is_local(options.model):
        raise _no_file(options.model)
    files = Models(Path(models))
    model = files.read(options.model)
    sizes = read_hyperparameters(with_metadata(model, options.override_metadata))
    context = resolve_context(sizes, options)
    oracle = find_oracle(prefers_program=bool(cards))
    question = oracle_question(
        words,
        variables_seen,
        build=build,
        model_path=str(files.path(options.model)),
        context_cells=context.context_cells,
        slots=context.slots,
        is_unified=context.is_unified and oracle.knows_unified,
    )
    answer = ask(oracle, question)
    asked = replace(parse_arguments(question.words, build=build), program=PLANNER)
    seen = _seen_cards(cards, answer.rows)
    ours = estimate_memory(model, asked, seen, build=build)
    holders: list[DeviceEstimate | HostEstimate] = [*ours.devices, ours.host]
    return OracleComparison(
        oracle=oracle.name,
        words=question.words,
        resolution_bytes=answer.resolution_bytes,
        parts=tuple(
            part
            for holder, row in zip(holders, answer.rows, strict=True)
            for part in _compared(holder, row)
        ),
        notes=(*_differences(question, context, oracle), *_unseen(cards, seen)),
    )


def _compared(
    holder: "DeviceEstimate | HostEstimate", row: "OracleRow"
) -> "tuple[ComparedPart, ...]":
    from packer.report.oracle_comparison import ComparedPart

    return tuple(
        ComparedPart(
            row.device, part, getattr(holder, f"{part}_bytes"), getattr(row, f"{part}_bytes")
        )
        for part in _PARTS
    )


def _seen_cards(cards: "Sequence[Card]", rows: "Sequence[OracleRow]") -> "Sequence[Card]":
    """The cards the oracle answered about: all of them, or none.

    Raises:
        InvalidInput: P0494, it sees another number of cards.
    """
    count = len(rows) - 1
    if count in (0, len(cards)):
        return cards[:count]
    raise InvalidInput(
        Problem(
            "P0494",
            f"the oracle sees {count} devices, the question has {len(cards)} cards",
            why="it plans for the devices of this machine",
            help="name as many cards, or hide some with CUDA_VISIBLE_DEVICES",
        )
    )


def _unseen(cards: "Sequence[Card]", seen: "Sequence[Card]") -> list[str]:
    if cards and not seen:
        return ["the oracle sees no card here: both columns are those of a server on the host"]
    return []


def _differences(
    question: "OracleQuestion", context: "ResolvedContext", oracle: "Oracle"
) -> list[str]:
    """How the question differs from the user's command line."""
    notes = ["logits are counted for a whole batch, a llama-server keeps fewer"]
    if context.is_unified and context.slots > 1 and not oracle.knows_unified:
        notes.append("the oracle knows no --kv-unified: both columns are for one cache per slot")
    if question.left_out:
        notes.append(f"not asked about: {', '.join(question.left_out)}")
    return notes


def _no_file(reference: str) -> InvalidInput:
    return InvalidInput(
        Problem(
            "P0493",
            f"an oracle cannot be asked about {reference}",
            why="llama.cpp would download it, or does not know it",
            help="give -m a file on this machine",
        )
    )
