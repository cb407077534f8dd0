"""A report as data: every figure any format shows, computed once from a plan.

HTML, Markdown, CSV and JSON only spell what is here. All but ``run`` is a function of the plan's
own content, so the same plan gives the same report.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from packer.domain.basis import Basis
from packer.domain.workload import Objective
from packer.plan.attributing import attribute
from packer.plan.attribution import Attribution, Key
from packer.plan.cost import Bill, bill
from packer.plan.headline import Headline, headline
from packer.plan.plan import (
    API_VERSION,
    Inputs,
    Plan,
    Policy,
    Run,
    ServerImageUsed,
    Status,
    Versions,
)
from packer.report.beside import NOTHING, Beside
from packer.report.card_figures import NodeFigures, node_figures
from packer.report.growth_figures import CardGrowth, card_growths
from packer.report.honesty import Caveat, caveats
from packer.report.node_bills import NodeBill, node_bills
from packer.report.workload_figures import WorkloadFigures, workload_figures


@dataclass(frozen=True)
class Report:
    """Everything a report says about one plan.

    Attributes:
        node_bills: What each paid node's price is for; empty where a price is unknown.
        growth: How much each card's processes may grow, those that break first before others.
        attributions: The bill by every key: memory, load, both.
        is_estimated: Whether any replica's bytes rest on a catalogue size or another estimate.
        run: Facts of the machine and the clock; the only part two equal plans differ in.
    """

    name: str
    status: Status
    objective: Objective
    objective_value: Decimal
    bound: Decimal
    currency: str
    headline: Headline
    bill: Bill
    nodes: tuple[NodeFigures, ...]
    workloads: tuple[WorkloadFigures, ...]
    is_estimated: bool
    caveats: tuple[Caveat, ...]
    baseline_notes: tuple[str, ...]
    notes: tuple[str, ...]
    policy: Policy
    inputs: Inputs
    versions: Versions
    server: ServerImageUsed
    run: Run
    node_bills: tuple[NodeBill, ...]
    growth: tuple[CardGrowth, ...]
    attributions: tuple[Attribution, ...]
    beside: Beside
    apiVersion: str = field(default=API_VERSION)  # noqa: N815 — the name Kubernetes tools expect
    kind: str = field(default="Report")


def report(plan: Plan, beside: Beside = NOTHING) -> Report:
    """All figures of one plan, with what other commands answered about it."""
    cost = bill(plan)
    workloads = workload_figures(plan, cost)
    nodes = node_figures(plan)
    return Report(
        name=plan.name,
        status=plan.status,
        objective=plan.objective,
        objective_value=plan.objective_value,
        bound=plan.bound,
        currency=plan.currency,
        headline=headline(plan),
        bill=cost,
        nodes=nodes,
        workloads=workloads,
        is_estimated=any(one.basis is Basis.ESTIMATED for one in workloads),
        caveats=caveats(plan, cost),
        baseline_notes=plan.baselines.notes,
        notes=plan.notes,
        policy=plan.policy,
        inputs=plan.inputs,
        versions=plan.versions,
        server=plan.server,
        run=plan.run,
        node_bills=node_bills(plan),
        growth=card_growths(nodes),
        attributions=_attributions(plan),
        beside=beside,
    )


def _attributions(plan: Plan) -> tuple[Attribution, ...]:
    """The bill by every key; the cost of tokens only from speeds that the plan itself states."""
    silent = "the plan says nothing of its speed"
    speeds = {(one.workload, one.replica): one.speed or silent for one in plan.placements}
    return tuple(attribute(plan, key, speeds=speeds) for key in Key)
