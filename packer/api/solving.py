"""The bare packing engine on the neutral instance format, and the check of its answers."""

import gzip
import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packer.errors import InvalidInput, Location, Problem

if TYPE_CHECKING:
    from packer.solver.certificate_check import Verdict
    from packer.solver.outcome import Progress

# A hostile archive may unpack to anything; the largest instance of the study is 40 MB of text.
_MOST_BYTES = 2**30
_GZIP = b"\x1f\x8b"


def solve(
    instance: Mapping[str, Any] | str | Path,
    *,
    time_limit_seconds: float = 60.0,
    gap: float = 0.0,
    seed: int = 1,
    workers: int = 2,
    max_moves: int | None = None,
    move_weight: int | None = None,
    progress: "Callable[[Progress], None] | None" = None,
) -> dict[str, Any]:
    """Solution of a ``gpupack/1`` instance, as the JSON object of ``gpu-packer solve``.

    Args:
        instance: The parsed instance, or the path of its file (``.json`` or ``.json.gz``).
        time_limit_seconds: Wall time [s].
        gap: Stop at this proven gap.
        seed: Seed of every random choice.
        workers: Solver threads.
        max_moves: Most replicas of ``current`` that may move.
        move_weight: Weigh moves against the objective instead of after it.
        progress: Told about phases, incumbents and bounds.

    Raises:
        InvalidInput: The instance is not one; with every problem.
    """
    from packer.solver.instance_document import parse_instance
    from packer.solver.solution_document import format_solution
    from packer.solver.solve import solve as solve_instance
    from packer.solver.stopping import Limits

    limits = Limits(
        time_seconds=time_limit_seconds,
        gap=gap,
        seed=seed,
        workers=workers,
        max_moves=max_moves,
        move_weight=move_weight,
    )
    parsed = parse_instance(_document(instance))
    return format_solution(solve_instance(parsed, limits, progress))


def verify(
    instance: Mapping[str, Any] | str | Path, solution: Mapping[str, Any] | str | Path
) -> "Verdict":
    """Objective and bound of a solution, recomputed in exact arithmetic by independent code.

    Raises:
        Refused: Something claimed is not so.
        InvalidInput: A file cannot be read.
    """
    from packer.solver.certificate_check import verify_solution

    return verify_solution(_document(instance), _document(solution))


def _document(source: Mapping[str, Any] | str | Path) -> Any:
    if isinstance(source, Mapping):
        return source
    try:
        return json.loads(_content(Path(source)))
    except OSError as error:
        why = error.strerror or str(error)
        problem = Problem("P0101", "the file cannot be read", Location(str(source)), why)
        raise InvalidInput(problem) from error
    except (ValueError, EOFError, RecursionError, zlib.error) as error:
        problem = Problem("P0609", "the file is not JSON", Location(str(source)), str(error))
        raise InvalidInput(problem) from error


def _content(path: Path) -> bytes:
    """Content of a file, unpacked where it is gzip; no more is read than an instance may have."""
    with path.open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
        if data[:2] == _GZIP:
            file.seek(0)
            data = gzip.GzipFile(fileobj=file).read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError("the file is larger than a gigabyte")
    return data
