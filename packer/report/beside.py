"""Answers of other commands that a report may show beside its plan."""

from dataclasses import dataclass

from packer.plan.comparison import FleetComparison
from packer.plan.risk import Risk
from packer.plan.rollout.record import AppliedChange
from packer.plan.sweep import Sweep


@dataclass(frozen=True)
class Beside:
    """Of each kind at most one; they are about the plan's fleet.

    Attributes:
        risk: Losses and stresses of this very plan.
        comparison: Inventories and terms of payment, ranked by money.
        sweep: The fleet under other circumstances.
        change: The way from what ran to this plan, and how it ended.
    """

    risk: Risk | None = None
    comparison: FleetComparison | None = None
    sweep: Sweep | None = None
    change: AppliedChange | None = None


NOTHING = Beside()
