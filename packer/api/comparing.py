"""One fleet on several inventories and terms of payment: what is cheapest, and is it proved."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from packer.api.comparison_inputs import ComparisonInputs, read_comparison_inputs
from packer.api.inputs import Input
from packer.api.planning import facts_of, tools_for
from packer.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from packer.plan.attribution import Key
    from packer.plan.comparing import Planned
    from packer.plan.comparison import FleetComparison
    from packer.plan.plan import Plan
    from packer.plan.priced_inventory import PricedInventory
    from packer.plan.tools import Facts
    from packer.solver.outcome import Progress

_NOTES = (
    "money counts whole nodes with at least one replica, 730 hours a month",
    "maxNodes holds for each instance type and each way of paying",
    "prices are what somebody once asked, not offers; storage, traffic and taxes are not in them",
)


@dataclass(frozen=True)
class Compared:
    """A comparison, with the plan of every scenario that has one, by its name."""

    comparison: "FleetComparison"
    plans: "Mapping[str, Plan]"

    @property
    def chosen_plan(self) -> "Plan | None":
        """Plan of the chosen scenario."""
        return self.plans.get(self.comparison.chosen)


def compare(
    fleet: str | Path,
    inventories: Sequence[str | Path],
    *,
    prices: str | Path = "",
    terms: Sequence[str] = (),
    each_type: bool = False,
    currency: str = "",
    rates: Sequence[str] = (),
    key: str = "memory",
    time_limit_seconds: float = 60.0,
    gap: float = 0.0,
    seed: int = 1,
    workers: int = 2,
    progress: "Callable[[str, Progress], None] | None" = None,
) -> Compared:
    """The fleet planned on every inventory for the least money, ranked, each with its bound.

    Args:
        fleet: Fleet file; its own objective does not count.
        inventories: Inventory files.
        prices: The user's price book; comes before all other prices.
        terms: ``on-demand``, ``spot``, ``reserved-1y`` or ``reserved-3y``: one scenario each, with
            rentable nodes paid so; none leaves them as the inventory says.
        each_type: Further scenarios with one rentable instance type alone.
        currency: Of the result; that of the first known price if empty.
        rates: Rates of exchange such as ``EUR=1.08``, into that currency.
        key: What the chosen plan's bill is divided by: ``memory``, ``load`` or ``both``.
        time_limit_seconds: Wall time of the solver for each scenario [s].
        gap: Stop each at this proven gap.
        seed: Seed of every random choice.
        workers: Solver threads.
        progress: Told about phases of the scenario it names.

    Raises:
        InvalidInput: Everything that is wrong with any file, terms, or currencies without a rate.
    """
    from packer.plan.attribution import Key
    from packer.plan.comparing import compare_scenarios
    from packer.solver.stopping import Limits

    started = monotonic()
    asked = read_comparison_inputs(fleet, inventories, prices, currency, rates)
    scenarios = _scenarios(asked, terms, each_type=each_type)
    limits = Limits(time_seconds=time_limit_seconds, gap=gap, seed=seed, workers=workers)

    def facts(scenario: "PricedInventory") -> "Facts":
        given = Input(
            asked.fleet, scenario.inventory, asked.fleet_sha256, scenario.inventory_sha256
        )
        return facts_of(given)

    found = compare_scenarios(
        asked.fleet,
        scenarios,
        tools_for(asked.fleet.server_image.build),
        facts,
        limits=limits,
        progress=progress,
    )
    comparison = _comparison(asked, found, Key(key), facts(scenarios[0]))
    seconds = round(monotonic() - started, 3)
    spent = sum(one.plan.run.solver_seconds for one in found if one.plan)
    run = replace(comparison.run, solver_seconds=round(spent, 3), total_seconds=seconds)
    plans = {one.contender.scenario: one.plan for one in found if one.plan}
    return Compared(replace(comparison, run=run), plans)


def _scenarios(
    asked: ComparisonInputs, terms: Sequence[str], *, each_type: bool
) -> "tuple[PricedInventory, ...]":
    """Every inventory on every terms, and its single types.

    Raises:
        InvalidInput: Terms that are none, or for which no price is known anywhere.
    """
    from packer.plan.priced_inventory import as_written, on_terms
    from packer.plan.priced_inventory import each_type as single

    found: list[PricedInventory] = []
    problems: list[Problem] = []
    for inventory, sha256 in asked.inventories:
        written = as_written(inventory, sha256)
        try:
            rents = any(pool.is_rentable for pool in inventory.pools)
            whole = [on_terms(written, name) for name in (terms if rents else ())] or [written]
        except InvalidInput as error:
            problems += error.problems
            continue
        found += whole
        if each_type:
            found += [part for one in whole for part in single(one)]
    if problems:
        raise InvalidInput(problems)
    return tuple(found)


def _comparison(
    asked: ComparisonInputs, found: "Sequence[Planned]", key: "Key", facts: "Facts"
) -> "FleetComparison":
    from packer.api.replica_speeds import replica_speeds
    from packer.plan.attributing import attribute
    from packer.plan.comparing import price_days
    from packer.plan.comparison import FleetComparison
    from packer.spec.plan_file import content_sha256
    from packer.units import HOURS_PER_MONTH

    rows = [
        replace(one.contender, plan_sha256=content_sha256(one.plan) if one.plan else "")
        for one in found
    ]
    chosen = next((one for one in found if one.contender.is_chosen), None)
    share = None
    if chosen is not None and chosen.plan is not None:
        share = attribute(chosen.plan, key, speeds=replica_speeds(chosen.plan))
    oldest, undated = price_days(rows)
    return FleetComparison(
        fleet=asked.fleet.name,
        fleet_sha256=asked.fleet_sha256,
        currency=asked.currency,
        hours_per_month=HOURS_PER_MONTH,
        rates=asked.rates,
        chosen=chosen.contender.scenario if chosen else "",
        contenders=tuple(rows),
        attribution=share,
        oldest_price=oldest,
        undated=undated,
        notes=_NOTES,
        versions=facts.versions,
        run=facts.run,
    )
