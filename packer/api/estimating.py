"""Memory and speed of literal command lines: one, or a batch of them."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packer.api.cards import NamedCards, cards_by_name, check_count, read_gpus
from packer.api.model_headers import Models
from packer.api.process_speed import ServerEstimate, SpeedQuestion, with_speed
from packer.domain.llama_build import MEASURED_BUILD
from packer.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from packer.api.measurements import Calibration
    from packer.memory.result import Card, MemoryEstimate


def estimate_server(
    argv: Sequence[str],
    cards: "Sequence[Card]",
    *,
    models: str | Path = ".",
    environment: Mapping[str, str] | None = None,
    build: str = MEASURED_BUILD,
    host_bytes: int | None = None,
    calibration: "Calibration | None" = None,
    notes: Sequence[str] = (),
    speed: SpeedQuestion | None = None,
) -> ServerEstimate:
    """Memory one literal command line takes on given cards, and how fast it is there.

    Args:
        argv: Words of the command line: ``NAME=VALUE`` words as in a shell, the program, its flags.
        cards: Every card the process sees, in CUDA order.
        models: Folder that relative model paths start from.
        environment: Variables the program would see.
        build: llama.cpp build of the program, such as ``b11434``.
        host_bytes: Memory of the host the process may use; None is not checked [bytes].
        calibration: Process overheads and speeds measured on the user's own cards.
        notes: What a reader must know about the cards.
        speed: Depth and slots to give the speed for; None computes none.

    Raises:
        InvalidInput: The command line, a model or an option is refused; with every problem.
    """
    from packer.llamacpp.arguments import parse_arguments
    from packer.llamacpp.batch_lines import split_environment
    from packer.memory.estimate import estimate_memory

    _check_build(build)
    check_count(cards)
    variables, words = split_environment(list(argv))
    options = parse_arguments(words, {**(environment or {}), **dict(variables)}, build=build)
    if calibration is not None:
        cards, doubts = calibration.applied_to(cards)
        notes = (*notes, *doubts)
    headers = Models(Path(models)).of_command(options)
    found = estimate_memory(
        headers.target,
        options,
        cards,
        draft=headers.draft,
        projector=headers.projector,
        loras=headers.loras,
        build=build,
        host_allocatable_bytes=host_bytes,
    )
    memory = replace(found, notes=(*found.notes, *notes)) if notes else found
    if speed is None:
        return ServerEstimate(memory)
    return with_speed(memory, headers, options, cards, speed, calibration)


def estimate_process(
    argv: Sequence[str],
    cards: "Sequence[Card]",
    *,
    models: str | Path = ".",
    environment: Mapping[str, str] | None = None,
    build: str = MEASURED_BUILD,
    host_bytes: int | None = None,
    calibration: "Calibration | None" = None,
) -> "MemoryEstimate":
    """Memory one literal command line takes on given cards; as ``estimate_server``.

    Raises:
        InvalidInput: The command line, a model or an option is refused; with every problem.
    """
    return estimate_server(
        argv,
        cards,
        models=models,
        environment=environment,
        build=build,
        host_bytes=host_bytes,
        calibration=calibration,
    ).memory


def _check_build(build: str) -> None:
    if not re.fullmatch(r"b?[0-9]{1,9}", build):
        raise InvalidInput(
            Problem(
                "P0490",
                f"{build!r} is no build of llama.cpp",
                why="flags and buffers change from build to build",
                help="write its number, such as b11434; `llama-server --version` says it",
            )
        )


def estimate_command(
    argv: Sequence[str] | str,
    *,
    gpus: "str | Sequence[Card | str | int]" = "",
    models: str | Path = ".",
    environment: Mapping[str, str] | None = None,
    build: str = MEASURED_BUILD,
    calibration: "Calibration | None" = None,
    depth: int | None = None,
    slots: int | None = None,
    host_bandwidth: int | None = None,
) -> dict[str, Any]:
    """The JSON object of ``gpu-packer estimate -o json`` for one literal command line.

    Args:
        argv: Words of the command line, or one text with shell quoting.
        gpus: ``total[:free],…`` in MiB as in a batch, sizes with a unit, names such as ``L40S:2``,
            or cards; empty is none. Only a name says how fast a card is.
        models: Folder that relative model paths start from.
        environment: Variables the program would see.
        build: llama.cpp build of the program.
        calibration: Process overheads and speeds measured on the user's own cards.
        depth: Tokens in every slot that decodes; None is 512, or a whole slot if that is less.
        slots: Slots that decode at once; None is all of them.
        host_bandwidth: Specified memory bandwidth of the node [bytes/s].

    Raises:
        InvalidInput: The command line, a model or an option is refused; with every problem.
    """
    from packer.report.estimate_document import estimate_document

    named = read_gpus(gpus)
    found = estimate_server(
        _words(argv) if isinstance(argv, str) else argv,
        named.cards,
        models=models,
        environment=environment,
        build=build,
        calibration=calibration,
        notes=named.notes,
        speed=SpeedQuestion(depth, slots, host_bandwidth),
    )
    return estimate_document(found.memory, found.speed, found.speed_notes)


def _words(text: str) -> list[str]:
    """Words of a command line as a shell parts them.

    Raises:
        InvalidInput: P0411, a quotation mark is missing.
    """
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InvalidInput(
            Problem("P0411", "the command line cannot be parted into words", why=str(error))
        ) from error


def estimate_batch(
    text: str,
    *,
    models: str | Path = ".",
    build: str = MEASURED_BUILD,
    file: str = "batch",
    host_bytes: int | None = None,
    calibration: "Calibration | None" = None,
    speed: SpeedQuestion | None = None,
) -> Iterator[dict[str, Any]]:
    """One JSON object per line of a batch, in order: the estimate, or why there is none.

    Every line is answered, an empty one too, so the n-th answer is that of line n. Variables of
    this process do not count; a line may begin with ``NAME=VALUE`` words.

    Args:
        text: Lines ``total[:free],…<TAB>command line``, sizes in MiB, or names such as ``L40S:2``.
        models: Folder that relative model paths start from.
        build: llama.cpp build of the programs.
        file: Name of the batch, for errors.
        host_bytes: Memory of the host each process may use; None is not checked [bytes].
        calibration: Process overheads and speeds measured on the user's own cards.
        speed: Depth and slots to give speeds for; None takes the usual ones.

    Raises:
        InvalidInput: The build is none; nothing about lines.
    """
    from packer.llamacpp.batch_lines import read_batch_line
    from packer.report.estimate_document import error_document, estimate_document

    _check_build(build)
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, 1):
        try:
            asked = read_batch_line(line, number, file)
            named = cards_by_name([asked.names]) if asked.names else NamedCards(asked.cards, ())
            found = estimate_server(
                asked.argv,
                named.cards,
                models=models,
                environment=dict(asked.environment),
                build=build,
                host_bytes=host_bytes,
                calibration=calibration,
                notes=named.notes,
                speed=speed or SpeedQuestion(),
            )
            answer = estimate_document(found.memory, found.speed, found.speed_notes)
        except Exception as error:
            # A fault of ours in one line must not take the answers of the others.
            answer = error_document(error)
        yield answer
