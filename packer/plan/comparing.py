"""Comparing: the fleet planned on every scenario, ranked by money, each with its bound."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from packer.domain.node import Inventory
from packer.domain.workload import Fleet, Objective
from packer.errors import Infeasible, OutOfTime
from packer.plan.attributing import attribute
from packer.plan.attribution import Attribution
from packer.plan.comparison import Contender, Outcome, PaidNodes
from packer.plan.cost import monthly
from packer.plan.plan import Plan, Status
from packer.plan.planning import make_plan
from packer.plan.priced_inventory import PricedInventory
from packer.plan.simpler_ways import simpler_ways
from packer.plan.tools import Facts, Tools
from packer.solver.outcome import Progress
from packer.solver.stopping import Limits

_WAY_PART = 0.25
"""Part of a plan's limits that each simpler way may spend."""

Report = Callable[[str, Progress], None]


@dataclass(frozen=True)
class Planned:
    """A contender and its plan, if there is one."""

    contender: Contender
    plan: Plan | None


def compare_scenarios(
    fleet: Fleet,
    scenarios: Sequence[PricedInventory],
    tools: Tools,
    facts: Callable[[PricedInventory], Facts],
    *,
    limits: Limits,
    progress: Report | None = None,
) -> tuple[Planned, ...]:
    """The fleet on every scenario, best first, each with why it is not chosen.

    Prices of all scenarios are in one currency. A scenario that has no placement, or none in
    time, is a row like the others.

    Args:
        fleet: What must be served; its own objective does not count, money does.
        scenarios: Where, and on what terms.
        tools: How command lines are written and read back.
        facts: What the plan of a scenario records beside its figures.
        limits: What the solver may spend on each.
        progress: Told about phases of the scenario it names.
    """
    found = [_planned(fleet, one, tools, facts(one), limits, progress) for one in scenarios]
    found.sort(key=_order)
    return _ranked(found)


def _planned(
    fleet: Fleet,
    scenario: PricedInventory,
    tools: Tools,
    facts: Facts,
    limits: Limits,
    progress: Report | None,
) -> Planned:
    inventory = scenario.inventory
    unpriced = tuple(pool.name for pool in inventory.pools if pool.price_per_hour is None)
    fleet = replace(fleet, objective=Objective.CARDS if unpriced else Objective.PRICE)

    def tell(now: Progress) -> None:
        if progress is not None:
            progress(scenario.name, now)

    row = _empty(scenario, unpriced)
    try:
        plan = make_plan(fleet, inventory, tools, facts, limits=limits, progress=tell, brief=True)
    except Infeasible as answer:
        reasons = tuple(reason.text for reason in answer.reasons)
        return Planned(replace(row, outcome=Outcome.INFEASIBLE, reasons=reasons), None)
    except OutOfTime as answer:
        bound = None if unpriced or answer.bound is None else Decimal(answer.bound)
        return Planned(replace(row, outcome=Outcome.UNKNOWN, bound_per_hour=bound), None)
    part = replace(
        limits,
        time_seconds=limits.time_seconds * _WAY_PART,
        effort=limits.effort * _WAY_PART,
    )
    ways = simpler_ways(plan, fleet, inventory, part, solves=not scenario.is_part)
    return Planned(replace(_row(row, plan, inventory), ways=ways), plan)


def _empty(scenario: PricedInventory, unpriced: tuple[str, ...]) -> Contender:
    return Contender(
        scenario=scenario.name,
        inventory=scenario.inventory.name,
        inventory_sha256=scenario.inventory_sha256,
        payments=scenario.terms,
        rank=0,
        is_chosen=False,
        why_not="",
        is_proved_dearer=False,
        outcome=Outcome.UNKNOWN,
        cards=None,
        cards_paid=None,
        nodes=None,
        price_per_hour=None,
        price_per_month=None,
        idle_per_hour=None,
        idle_per_month=None,
        bound_per_hour=None,
        gap_percent=None,
        unpriced=unpriced,
    )


def _row(row: Contender, plan: Plan, inventory: Inventory) -> Contender:
    """The figures of a plan. Exact."""
    share: Attribution = attribute(plan)
    used = [node for node in plan.nodes if node.is_used]
    price = plan.price_per_hour
    bound = plan.bound if plan.objective is Objective.PRICE else None
    gap = None if not price or bound is None else (price - bound) / price * 100
    return replace(
        row,
        outcome=Outcome.OPTIMAL if plan.status is Status.OPTIMAL else Outcome.FEASIBLE,
        cards=plan.cards,
        cards_paid=sum(len(node.cards) for node in used),
        nodes=len(used),
        price_per_hour=price,
        price_per_month=monthly(price),
        idle_per_hour=share.idle_per_hour,
        idle_per_month=share.idle_per_month,
        bound_per_hour=bound,
        gap_percent=None if gap is None else gap.quantize(Decimal("0.01")),
        mix=_mix(plan, inventory),
    )


def _mix(plan: Plan, inventory: Inventory) -> tuple[PaidNodes, ...]:
    """Nodes that are paid for, by pool, dearest part first."""
    busy = {(place.node, gpu) for place in plan.placements for gpu in place.gpus}
    found = []
    for pool in inventory.pools:
        names = {node.name for node in plan.nodes if node.is_used and node.pool == pool.name}
        if names:
            found.append(
                PaidNodes(
                    pool=pool.name,
                    product=pool.gpu.name,
                    gpus_per_node=pool.gpus_per_node,
                    instance_type=pool.instance_type,
                    provider=pool.provider,
                    region=pool.region,
                    payment=pool.payment,
                    nodes=len(names),
                    cards_used=sum(node in names for node, _ in busy),
                    price_per_hour=pool.price_per_hour,
                    as_of=pool.price.as_of if pool.price else None,
                    source=pool.price.source if pool.price else "",
                )
            )
    return tuple(sorted(found, key=lambda one: -one.nodes * (one.price_per_hour or Decimal(0))))


_CLASSES = {Outcome.OPTIMAL: 0, Outcome.FEASIBLE: 0, Outcome.UNKNOWN: 2, Outcome.INFEASIBLE: 3}


def _order(one: Planned) -> tuple[int, Decimal, int]:
    """Known prices by price, then plans without a price by cards, then no plan."""
    row = one.contender
    unpriced = row.outcome in (Outcome.OPTIMAL, Outcome.FEASIBLE) and row.price_per_hour is None
    place = 1 if unpriced else _CLASSES[row.outcome]
    return place, row.price_per_hour or Decimal(0), row.cards or 0


def _ranked(found: Sequence[Planned]) -> tuple[Planned, ...]:
    """Ranks and reasons; those without a plan share the rank after the others."""
    best = found[0].contender if found and found[0].contender.price_per_hour is not None else None
    plans = sum(one.plan is not None for one in found)
    ranked = []
    for place, one in enumerate(found, 1):
        row = replace(one.contender, rank=min(place, plans + 1))
        if best is not None and place == 1:
            row = replace(row, is_chosen=True)
        else:
            row = replace(
                row, why_not=_why_not(row, best), is_proved_dearer=_is_proved_dearer(row, best)
            )
        ranked.append(Planned(row, one.plan))
    return tuple(ranked)


def _is_proved_dearer(row: Contender, best: Contender | None) -> bool:
    """Whether nothing on it can be as cheap as what was chosen."""
    if best is None or best.price_per_hour is None:
        return False
    if row.outcome is Outcome.INFEASIBLE:
        return True
    return row.bound_per_hour is not None and row.bound_per_hour > best.price_per_hour


def _why_not(row: Contender, best: Contender | None) -> str:
    if row.outcome is Outcome.INFEASIBLE:
        return f"does not fit: {'; '.join(row.reasons[:3])}"
    if row.outcome is Outcome.UNKNOWN:
        least = f"; at least {row.bound_per_hour} per hour is needed" if row.bound_per_hour else ""
        return f"no plan was found in time{least}"
    if row.price_per_hour is None:
        return f"its price is unknown: {', '.join(row.unpriced)}"
    if best is None or best.price_per_hour is None:
        return ""
    return _dearer(row, row.price_per_hour, best.price_per_hour)


def _dearer(row: Contender, price: Decimal, best: Decimal) -> str:
    more = price - best
    if not more:
        return "costs the same, and takes as many cards or more"
    percent = (more / best * 100).quantize(Decimal("0.1")) if best else Decimal(0)
    words = f"costs {more} per hour more (+{percent} %)"
    if row.bound_per_hour is not None and row.bound_per_hour <= best:
        return f"{words}; its bound {row.bound_per_hour} does not rule out as cheap a plan"
    return f"{words}; proved: nothing on it costs less than {row.bound_per_hour}"


def price_days(rows: Sequence[Contender]) -> tuple[date | None, int]:
    """Day of the oldest dated price of all mixes, and how many of their prices have no date."""
    days = [part.as_of for row in rows for part in row.mix if part.price_per_hour is not None]
    return min((day for day in days if day), default=None), sum(day is None for day in days)
