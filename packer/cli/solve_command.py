"""``gpu-packer solve``: the bare packing engine, and the independent check of a bound."""

import json
from pathlib import Path
from typing import Annotated

import typer

from packer.cli import exit_status
from packer.cli.console import print_data, say
from packer.cli.progress import SolverProgress
from packer.errors import InvalidInput, Problem


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "solve",
        epilog="Examples: gpu-packer solve instance.json.gz --out solution.json --time-limit 30   "
        "|   gpu-packer solve instance.json.gz --verify solution.json",
    )(solve)


def solve(
    instance: Annotated[str, typer.Argument(metavar="INSTANCE.json[.gz]", help="gpupack/1.")],
    out: Annotated[
        str, typer.Option("--out", metavar="SOLUTION.json", help="Write the solution here.")
    ] = "",
    verify: Annotated[
        str, typer.Option("--verify", metavar="SOLUTION.json", help="Check a solution instead.")
    ] = "",
    time_limit: Annotated[
        float, typer.Option(min=0.1, max=86400, help="Seconds for the solver.")
    ] = 60.0,
    gap: Annotated[float, typer.Option(min=0.0, max=1.0, help="Stop at this proven gap.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of the solver.")] = 1,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Solver threads.")] = 2,
    max_moves: Annotated[
        int | None, typer.Option(min=0, help="Most replicas of `current` that may move.")
    ] = None,
    move_weight: Annotated[
        int | None, typer.Option(min=0, help="Weigh moves against the objective.")
    ] = None,
) -> int:
    """Solve a packing instance, or check a solution and its bound in exact arithmetic."""
    if verify:
        return _verify(instance, verify)
    if not out:
        raise InvalidInput(
            Problem("P0489", "neither --out nor --verify is given", help="--out solution.json")
        )
    from packer import api
    from packer.files.single_file import write_file

    with SolverProgress() as progress:
        solution = api.solve(
            instance,
            time_limit_seconds=time_limit,
            gap=gap,
            seed=seed,
            workers=workers,
            max_moves=max_moves,
            move_weight=move_weight,
            progress=progress,
        )
    write_file(Path(out), json.dumps(solution, separators=(",", ":")) + "\n")
    return _told(solution)


def _told(solution: dict[str, object]) -> int:
    """Say in a line what was found; exit by it."""
    status = solution["status"]
    if status == "infeasible":
        say(f"infeasible: {', '.join(map(str, solution['conflict']))}")  # type: ignore[call-overload]
        return exit_status.NO
    if "placed" not in solution:
        say(f"no placement in time; at least {solution['bound']} is needed")
        return exit_status.OUT_OF_TIME
    say(f"{status}: objective {solution['objective']}, bound {solution['bound']}")
    return exit_status.DONE


def _verify(instance: str, solution: str) -> int:
    from packer import api
    from packer.solver.certificate_check import Refused

    try:
        verdict = api.verify(instance, solution)
    except Refused as refusal:
        say(f"refused: {refusal}")
        return exit_status.NO
    print_data(json.dumps({"objective": verdict.objective, "bound": verdict.bound}))
    return exit_status.DONE
