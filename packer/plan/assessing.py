"""The risk of a plan: everything that may be lost or grow, and what breaks first."""

from collections.abc import Sequence
from dataclasses import replace
from time import monotonic

from packer.domain.node import Inventory
from packer.domain.workload import Fleet
from packer.plan.losses import losses
from packer.plan.plan import Plan
from packer.plan.replanning import Questions
from packer.plan.risk import Loss, Replanned, Risk, Stress, StressKind, Unit, Verdict
from packer.plan.stresses import stresses, tightest_card
from packer.solver.stopping import Limits


def assess(
    plan: Plan, fleet: Fleet, inventory: Inventory, *, limits: Limits, total_seconds: float
) -> Risk:
    """What a plan can lose or gain before it breaks; every answer with its proof or its bound.

    Args:
        plan: The plan.
        fleet: What it was made from.
        inventory: Where it stands.
        limits: What each answer may spend.
        total_seconds: What all of them may take; those that are left are called not asked [s].
    """
    started = monotonic()
    asked = replace(fleet, objective=plan.objective)
    questions = Questions(asked, inventory, plan.objective_value, limits, total_seconds)
    lost = losses(plan, inventory, questions)
    stressed = stresses(plan, asked, inventory, questions)
    run = replace(plan.run, total_seconds=round(monotonic() - started, 3))
    return Risk(
        fleet=plan.inputs.fleet_name,
        inventory=plan.inputs.inventory_name,
        objective=plan.objective.value,
        objective_value=plan.objective_value,
        currency=plan.currency,
        cards=plan.cards,
        price_per_hour=plan.price_per_hour,
        tightest=tightest_card(plan),
        losses=lost,
        stresses=stressed,
        breaks_first=_first(lost, stressed),
        time_limit_seconds=limits.time_seconds,
        inputs=plan.inputs,
        versions=plan.versions,
        run=run,
        notes=_notes(inventory, lost, stressed),
    )


_MILDEST_FIRST: tuple[StressKind | Unit, ...] = (
    Unit.CARD,
    StressKind.MEMORY,
    StressKind.REPLICAS,
    StressKind.CONTEXT,
    Unit.NODE,
    Unit.ZONE,
)


def _first(lost: Sequence[Loss], stressed: Sequence[Stress]) -> str:
    """The mildest change that nothing survives; losses and growth in the order of their size."""
    for kind in _MILDEST_FIRST:
        for loss in lost:
            if loss.unit is kind and loss.after.verdict is Verdict.DOES_NOT_FIT:
                return f"losing {loss.example}{_because(loss.after)}"
        for stress in stressed:
            if stress.kind is kind and stress.after.verdict is Verdict.DOES_NOT_FIT:
                return f"{stress.change}{_because(stress.after)}"
    return ""


def _because(after: Replanned) -> str:
    return f": {'; '.join(after.reasons[:3])}" if after.reasons else ""


def _notes(
    inventory: Inventory, lost: Sequence[Loss], stressed: Sequence[Stress]
) -> tuple[str, ...]:
    notes = [
        "each answer plans everything anew: replicas may move, and what runs is not kept in place",
        "a lost card, node or zone stays lost; nodes that would be rented anew count as left",
    ]
    if not any(pool.zones for pool in inventory.pools):
        notes.append("no pool names zones, so none can be lost")
    answers = [*(one.after for one in lost), *(one.after for one in stressed)]
    skipped = sum(one.verdict is Verdict.NOT_ASKED for one in answers)
    if skipped:
        notes.append(f"{skipped} changes were not asked about, as the time for all was spent")
    return tuple(notes)
