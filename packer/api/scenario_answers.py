"""One scenario of a sweep, planned: what every process and every machine of a sweep runs."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from packer import __version__
from packer.api.inputs import Input
from packer.domain.workload import Fleet, Objective
from packer.errors import GpuPackerError, Infeasible, InvalidInput, OutOfTime
from packer.plan.scenario import Scenario
from packer.plan.sweep import Answer, Outcome, PoolUse, SweepLimits

if TYPE_CHECKING:
    from packer.plan.plan import Plan

_HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True)
class Setting:
    """What all scenarios of a sweep share.

    Attributes:
        inputs: (Inventory file, price book) → the fleet on it.
        version: Of the gpu-packer that asks; answers of another would not be the same.
    """

    inputs: Mapping[tuple[str, str], Input]
    objective: Objective | None
    limits: SweepLimits
    version: str = __version__


@dataclass(frozen=True)
class Timed:
    """An answer and how long it took [s]."""

    answer: Answer
    seconds: float


def changed_inputs(setting: Setting, scenario: Scenario) -> Input:
    """The fleet and the inventory as a scenario changes them.

    Raises:
        InvalidInput: The scenario makes no sense for them.
        Infeasible: No listed file reaches its quantization floor.
    """
    from packer.plan.scenario_changes import changed_fleet, changed_inventory

    given = setting.inputs[scenario.source]
    fleet = changed_fleet(given.fleet, scenario, setting.objective)
    inventory = changed_inventory(given.inventory, scenario.prices)
    return Input(fleet, inventory, given.fleet_sha256, given.inventory_sha256)


def answer_scenario(setting: Setting, scenario: Scenario) -> Timed:
    """The answer of one scenario; no placement is an answer too.

    Raises:
        RuntimeError: This machine has another gpu-packer than the one that asks.
    """
    from packer.api.planning import plan

    if setting.version != __version__:
        raise RuntimeError(f"gpu-packer {__version__} is installed there, {setting.version} here")
    started, limits = time.perf_counter(), setting.limits
    try:
        inputs = changed_inputs(setting, scenario)
        made = plan(
            inputs,
            time_limit_seconds=limits.time_seconds,
            gap=limits.gap,
            seed=limits.seed,
            workers=limits.threads,
            effort=limits.effort,
            brief=True,
        )
        is_cut_short = made.run.solver_seconds >= limits.time_seconds
        answer = replace(answer_of(made, inputs.fleet), is_cut_short=is_cut_short)
    except (InvalidInput, Infeasible, OutOfTime) as error:
        answer = without_plan(error)
    return Timed(answer, round(time.perf_counter() - started, 3))


def without_plan(error: GpuPackerError) -> Answer:
    """The answer of a scenario that has no plan, with its reason in one line."""
    if isinstance(error, InvalidInput):
        words = "; ".join(f"{one.code}: {one.title}" for one in error.problems)
        return Answer(Outcome.INVALID, words)
    if isinstance(error, Infeasible):
        return Answer(Outcome.INFEASIBLE, "; ".join(reason.text for reason in error.reasons))
    if isinstance(error, OutOfTime):
        return Answer(
            Outcome.UNKNOWN, str(error), bound=Decimal(error.bound or 0), is_cut_short=True
        )
    return Answer(Outcome.FAILED, str(error))


def answer_of(plan: "Plan", fleet: Fleet) -> Answer:
    """The figures of a plan that a sweep compares. Exact."""
    from packer.plan.cost import bill
    from packer.plan.headline import headline

    head, cost = headline(plan), bill(plan)
    return Answer(
        outcome=Outcome(plan.status.value),
        objective_value=plan.objective_value,
        bound=plan.bound,
        gap_percent=head.gap_percent,
        cards=head.cards,
        nodes=head.nodes,
        price_per_hour=cost.per_hour,
        price_per_month=cost.per_month,
        idle_per_month=cost.idle_per_month,
        currency=plan.currency,
        planned_percent=head.memory.planned_percent,
        replicas=head.replicas,
        first_choices=sum(one.variant.rank == 0 for one in plan.placements),
        bits_per_weight=_bits_per_weight(plan, fleet),
        pools=tuple(_pool_uses(plan)),
    )


def _bits_per_weight(plan: "Plan", fleet: Fleet) -> Decimal:
    """Bits of all model files of all replicas over their parameters, drafts left out."""
    variants = {one.name: one.variants for one in fleet.workloads}
    size, parameters = 0, 0
    counts = Counter((one.workload, one.variant.rank) for one in plan.placements)
    for (workload, rank), replicas in counts.items():
        model = variants[workload][rank].model
        size += replicas * sum(tensor.data_bytes for tensor in model.tensors)
        parameters += replicas * model.parameter_count
    return (Decimal(8 * size) / max(1, parameters)).quantize(_HUNDREDTH)


def _pool_uses(plan: "Plan") -> Iterator[PoolUse]:
    busy = {(one.node, gpu) for one in plan.placements for gpu in one.gpus}
    used = [node for node in plan.nodes if node.is_used]
    for name in dict.fromkeys(node.pool for node in used):
        nodes = [node for node in used if node.pool == name]
        cards = sum((node.name, card.index) in busy for node in nodes for card in node.cards)
        yield PoolUse(name, nodes[0].product, len(nodes), cards)
