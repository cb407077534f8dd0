"""A plan from inputs: the floors below wired together."""

import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from packer import __version__
from packer.api.inputs import Input

if TYPE_CHECKING:
    from packer.api.measurements import Calibration
    from packer.plan.plan import Plan
    from packer.plan.running import RunningFleet
    from packer.plan.tools import Facts, Tools
    from packer.solver.outcome import Progress


def plan(
    inputs: Input,
    *,
    time_limit_seconds: float = 60.0,
    gap: float = 0.0,
    seed: int = 1,
    workers: int = 2,
    effort: float = 1.0,
    progress: "Callable[[Progress], None] | None" = None,
    current: "Plan | RunningFleet | None" = None,
    max_moves: int | None = None,
    move_weight: float | None = None,
    calibration: "Calibration | None" = None,
    brief: bool = False,
) -> "Plan":
    """The plan of a fleet on an inventory: optimal, or with its certified gap; always audited.

    Args:
        inputs: What is asked, and where.
        time_limit_seconds: Wall time of the solver [s].
        gap: Stop at this proven gap.
        seed: Seed of every random choice.
        workers: Solver threads.
        effort: Deterministic work per phase of the solver; 1 is meant for a minute on two cores.
        progress: Told about phases, incumbents and bounds.
        current: What runs now, as a plan or as read from a cluster; what need not move stays.
        max_moves: Most running replicas that may move or stop.
        move_weight: Cards (or money per hour) that moving one GiB of weights is worth, weighed
            against the objective; None puts the objective first.
        calibration: What was measured on the user's own cards; the plan records what it used.
        brief: Leave out what only explains: simpler ways, better files, changes that would help.

    Raises:
        Infeasible: No placement exists; carries the reasons and what would help.
        OutOfTime: No plan was found in time; carries the bound.
        InvalidInput: The objective is price, and a pool has none; or nothing of the calibration is
            about this fleet and inventory.
    """
    from packer.plan.planning import make_plan
    from packer.solver.stopping import Limits

    limits = Limits(
        time_seconds=time_limit_seconds,
        gap=gap,
        seed=seed,
        workers=workers,
        effort=effort,
        max_moves=max_moves if current else None,
    )
    build = inputs.fleet.server_image.build
    return make_plan(
        inputs.fleet,
        inputs.inventory,
        tools_for(build),
        facts_of(inputs, calibration),
        limits=limits,
        progress=progress,
        current=current.placements if current else (),
        move_weight=move_weight if current else None,
        brief=brief,
    )


def tools_for(build: str) -> "Tools":
    """How command lines of a build are written and read back."""
    from packer.llamacpp.arguments import parse_arguments
    from packer.llamacpp.command import format_command
    from packer.plan.tools import Tools

    return Tools(
        format_command=lambda options, serving: format_command(options, serving, build=build),
        parse_arguments=lambda argv: parse_arguments(argv, build=build),
    )


def facts_of(inputs: Input, calibration: "Calibration | None" = None) -> "Facts":
    """What a plan records beside its figures: hashes, versions, measurements, the machine."""
    from importlib.metadata import version

    from packer.api.learning import learnt_about
    from packer.catalogue.edition import catalogue_edition
    from packer.llamacpp.flag_table import build_notes
    from packer.plan.plan import Inputs, Run, Versions
    from packer.plan.tools import Facts

    learnt, notes = learnt_about(inputs, calibration) if calibration else (None, ())
    build = inputs.fleet.server_image.build
    return Facts(
        inputs=Inputs(
            fleet_name=inputs.fleet.name,
            fleet_sha256=inputs.fleet_sha256,
            inventory_name=inputs.inventory.name,
            inventory_sha256=inputs.inventory_sha256,
        ),
        versions=Versions(
            gpu_packer=__version__,
            ortools=version("ortools"),
            llama_cpp_build=build,
            catalogue=catalogue_edition(),
        ),
        run=Run(
            solver_seconds=0.0,
            total_seconds=0.0,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            python=platform.python_version(),
            platform=f"{sys.platform} {platform.machine()}",
            processors=os.cpu_count() or 1,
        ),
        calibration=learnt,
        notes=(*notes, *build_notes(build)),
    )
