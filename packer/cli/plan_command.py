"""``gpu-packer plan``: the placement, proven or with its gap."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from packer.cli import exit_status
from packer.cli.console import print_data, say, say_error
from packer.cli.options import Context, FleetFile, Kubeconfig, PriceBook
from packer.cli.progress import SolverProgress
from packer.errors import Infeasible, InvalidInput, OutOfTime, Unreachable

if TYPE_CHECKING:
    from packer.plan.plan import Plan
    from packer.plan.running import RunningFleet

LiveInventory = Annotated[
    str,
    typer.Option(
        "--inventory", "-i", metavar="FILE|live", help="Inventory file; live reads the cluster."
    ),
]


class Format(StrEnum):
    """What ``-o`` may be."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "plan",
        epilog="Examples: gpu-packer plan -f fleet.yaml -i inventory.yaml --out plan.json   |   "
        "gpu-packer plan -f fleet.yaml -i inventory.yaml -o json --max-cost 12/h   |   "
        "gpu-packer plan -f fleet.yaml -i live --from live --watch",
    )(plan)


def plan(
    fleet: FleetFile,
    inventory: LiveInventory,
    output: Annotated[Format, typer.Option("--output", "-o", help="Format on stdout.")] = (
        Format.TABLE
    ),
    out: Annotated[
        str, typer.Option("--out", metavar="PLAN.json", help="Save the plan here.")
    ] = "",
    time_limit: Annotated[
        float,
        typer.Option(
            min=0.1, max=86400, envvar="GPU_PACKER_TIME_LIMIT", help="Seconds for the solver."
        ),
    ] = 60.0,
    gap: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Stop at this proven gap; 0.01 is 1 %.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of the solver.")] = 1,
    workers: Annotated[
        int,
        typer.Option(min=1, max=256, envvar="GPU_PACKER_WORKERS", help="Solver threads."),
    ] = 2,
    current: Annotated[
        str,
        typer.Option(
            "--from", metavar="PLAN.json|live", help="What runs now: a plan, or read the cluster."
        ),
    ] = "",
    max_moves: Annotated[
        int | None, typer.Option(min=0, help="With --from: most replicas that may move.")
    ] = None,
    move_weight: Annotated[
        float | None,
        typer.Option(
            min=0.0, help="With --from: cards (or money per hour) one GiB moved is worth."
        ),
    ] = None,
    calibration: Annotated[
        str,
        typer.Option(metavar="FILE", help="What calibrate measured on your cards; the plan says."),
    ] = "",
    max_cost: Annotated[
        str, typer.Option(metavar="12/h", help="Exit 1 when the plan costs more.")
    ] = "",
    prices: PriceBook = "",
    min_headroom: Annotated[
        str, typer.Option(metavar="10%", help="Exit 1 when a used card keeps less free.")
    ] = "",
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Plan again when an input changes; say what it changes."),
    ] = False,
    watch_every: Annotated[
        float,
        typer.Option(
            min=0.1, help="Seconds between two looks at the files; at a cluster, five times that."
        ),
    ] = 2.0,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="With --from live: where the servers are.")
    ] = "llm",
) -> int:
    """Place every replica on the fewest cards, or the least money, and prove it."""
    from packer import api
    from packer.cli.policy import parse_cost, parse_headroom, policy_violations
    from packer.files.single_file import refuse_what_is_no_file

    cost_limit = parse_cost(max_cost) if max_cost else None
    headroom_limit = parse_headroom(min_headroom) if min_headroom else None
    if out:
        refuse_what_is_no_file(Path(out))  # before a minute of solving, not after it
    sources = api.PlanSources(
        fleet, inventory, prices, current, context=context, kubeconfig=kubeconfig,
        namespace=namespace,
    )  # fmt: skip
    changes = api.Changes(api.watched(sources, watch_every), watch_every) if watch else ()
    measured = api.read_calibration(calibration) if calibration else None

    def planned(last: "Plan | None") -> "Plan":
        """The plan of the sources as they are now; nothing said to run, the last one does."""
        inputs = sources.read()
        running = sources.read_current(inputs) or last
        _say_notes(running)
        with SolverProgress() as progress:
            made = api.plan(
                inputs,
                time_limit_seconds=time_limit,
                gap=gap,
                seed=seed,
                workers=workers,
                progress=progress,
                current=running,
                max_moves=max_moves,
                move_weight=move_weight,
                calibration=measured,
            )
        if out:
            api.save(made, out)
        return made

    def judged(made: "Plan") -> int:
        """Exit status of a plan; every limit it breaks is said."""
        violations = policy_violations(made, cost_limit, headroom_limit)
        for violation in violations:
            say(f"policy: {violation}")
        return exit_status.NO if violations else exit_status.DONE

    result = planned(None)
    print_data(_shown(result, output))
    if result.moves is not None:
        say(api.moves_text(result))
    status = judged(result)
    for changed in changes:
        result = _planned_again(planned, result, changed, output)
        judged(result)
    return status


def _say_notes(running: "Plan | RunningFleet | None") -> None:
    """What to know of a fleet that was read from its cluster."""
    from packer.plan.running import RunningFleet

    for note in running.notes if isinstance(running, RunningFleet) else ():
        say(f"note: {note}")


def _planned_again(
    planned: "Callable[[Plan | None], Plan]", last: "Plan", changed: tuple[str, ...], output: Format
) -> "Plan":
    """The next plan, with what it changes; the last one where there is none."""
    from packer import api

    say(f"{', '.join(changed)} changed; planning again")
    try:
        made = planned(last)
    except (InvalidInput, Infeasible, OutOfTime, Unreachable) as error:
        say_error(error)
        say("the last plan stands; still watching")
        return last
    if output in (Format.JSON, Format.YAML):
        print_data(_shown(made, output))
        say(api.replan_text(last, made))
    else:
        print_data(api.replan_text(last, made))
    return made


def _shown(plan: "Plan", output: Format) -> str:
    from packer import api
    from packer.cli.terminal_width import terminal_width

    if output is Format.JSON:
        return api.plan_text(plan)
    if output is Format.YAML:
        return api.plan_yaml(plan)
    return api.plan_table(plan, wide=output is Format.WIDE, width=terminal_width())
