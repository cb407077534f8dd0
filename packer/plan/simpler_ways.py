"""The same fleet on the same nodes, placed in simpler ways, with whole nodes paid for.

One model per card set is solved like any other placement, with cards that take one process each,
so its nodes are packed as well as can be and the comparison is fair to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from packer.domain.node import Inventory
from packer.domain.workload import Fleet, Variant, Workload
from packer.plan.baselines import CardSetBaseline, one_quantized_model_per_card_set
from packer.plan.comparison import WayOnScenario
from packer.plan.cost import monthly
from packer.plan.fp16 import as_fp16
from packer.plan.headline import Way
from packer.plan.plan import Plan, Status
from packer.solver.candidates import CandidateSet, find_candidates
from packer.solver.first_fit import first_fit_decreasing
from packer.solver.fleet_instance import FleetInstance, fleet_instance
from packer.solver.instance import Instance, Placed
from packer.solver.offers import offers_of
from packer.solver.outcome import Status as Outcome
from packer.solver.short_menu import solve_rentals
from packer.solver.stopping import Limits

_ALONE = "processes"


@dataclass(frozen=True)
class _Found:
    """What one way needs; None where it finds no placement."""

    cards: int | None
    nodes: int | None
    price: Decimal | None
    is_proved: bool = False
    note: str = ""


def simpler_ways(
    plan: Plan, fleet: Fleet, inventory: Inventory, limits: Limits, *, solves: bool = True
) -> tuple[WayOnScenario, ...]:
    """Every way of a plan, most wasteful first, and the proven bound last.

    Args:
        plan: Our plan.
        fleet: What was to be served.
        inventory: Where.
        limits: What each way may spend.
        solves: Whether to place one model per card set, which takes as long as a plan.
    """
    sets = _sets(fleet, inventory)
    found: dict[Way, _Found] = {}
    if solves:
        fp16 = replace(fleet, workloads=tuple(map(_fp16, fleet.workloads)))
        found[Way.FP16_ONE_MODEL_PER_CARD_SET] = _card_sets(
            fp16, inventory, _sets(fp16, inventory), limits
        )
        found[Way.QUANTIZED_ONE_MODEL_PER_CARD_SET] = _card_sets(fleet, inventory, sets, limits)
    packed = fleet_instance(fleet, inventory, sets)
    found[Way.FIRST_FIT_DECREASING] = _used(packed, first_fit_decreasing(packed.instance))
    used = sum(node.is_used for node in plan.nodes)
    proved = plan.status is Status.OPTIMAL
    found[Way.THIS_PLAN] = _Found(plan.cards, used, plan.price_per_hour, proved)
    found[Way.LOWER_BOUND] = _bound(plan)
    return tuple(_way(way, one, plan) for way, one in found.items())


def _way(way: Way, found: _Found, plan: Plan) -> WayOnScenario:
    return WayOnScenario(
        way=way,
        cards=found.cards,
        nodes=found.nodes,
        price_per_hour=found.price,
        price_per_month=monthly(found.price),
        is_proved=found.is_proved,
        cards_ratio=_ratio(found.cards, plan.cards),
        price_ratio=_ratio(found.price, plan.price_per_hour),
        note=found.note,
    )


def _ratio(theirs: Decimal | int | None, ours: Decimal | int | None) -> Decimal | None:
    if theirs is None or not ours:
        return None
    return (Decimal(theirs) / Decimal(ours)).quantize(Decimal("0.01"))


def _bound(plan: Plan) -> _Found:
    """Nothing is below it, whatever the way."""
    if plan.objective == "price":
        return _Found(None, None, plan.bound, True)
    return _Found(int(plan.bound), None, None, True)


def _fp16(workload: Workload) -> Workload:
    """The workload with its model at 16 bits, an f16 cache, and as many cards as it takes."""
    model = as_fp16(workload.variants[0].model)
    return replace(
        workload.without_wishes(),
        variants=(Variant("FP16", model),),
        cache_types=("f16",),
        max_gpus=None,
    )


def _sets(fleet: Fleet, inventory: Inventory) -> tuple[CandidateSet, ...]:
    offers = offers_of(inventory, fleet.headroom)
    build = fleet.server_image.build
    return tuple(find_candidates(one, offers, build=build) for one in fleet.workloads)


def _card_sets(
    fleet: Fleet, inventory: Inventory, sets: Sequence[CandidateSet], limits: Limits
) -> _Found:
    """Every replica alone on its cards; nodes packed and paid like any others."""
    missing = [one.workload.name for one in sets if not one.candidates]
    if missing:
        return _Found(None, None, None, True, f"fits on no node here: {', '.join(missing)}")
    packed = fleet_instance(fleet, inventory, sets)
    packed = replace(packed, instance=_alone(packed.instance))
    solution = solve_rentals(packed.instance, limits)
    if solution.status is Outcome.INFEASIBLE:
        return _without_supply(one_quantized_model_per_card_set(sets, inventory))
    if solution.objective is None:
        return _Found(None, None, None, False, f"none found in {limits.time_seconds:g} s")
    found = _used(packed, solution.placed)
    return replace(found, is_proved=solution.status is Outcome.OPTIMAL)


def _without_supply(needed: CardSetBaseline) -> _Found:
    """Cards it would take if there were enough, at their share of a node."""
    note = "supply ignored, as there are not enough cards; money is the cards' share of a node"
    return _Found(needed.cards, None, needed.price_per_hour, False, note)


def _alone(instance: Instance) -> Instance:
    """The same instance with room for one process on each card."""
    return replace(
        instance,
        dims=(*instance.dims, _ALONE),
        node_types=tuple(
            replace(
                one,
                gpu_cap=(*one.gpu_cap, 1),
                gpu_caps=tuple((*capacity, 1) for capacity in one.gpu_caps),
            )
            for one in instance.node_types
        ),
        items=tuple(
            replace(
                item,
                alternatives=tuple(
                    replace(a, shares=tuple((*share, 1) for share in a.shares))
                    for a in item.alternatives
                ),
            )
            for item in instance.items
        ),
        even_headroom=False,
    )


def _used(packed: FleetInstance, placed: tuple[Placed, ...] | None) -> _Found:
    if placed is None:
        return _Found(None, None, None, False, "it leaves replicas without a place")
    assigned = packed.assignments(placed)
    prices = {one.node_name: one.pool.price_per_hour for one in assigned}
    known = [price for price in prices.values() if price is not None]
    total = sum(known, Decimal(0)) if len(known) == len(prices) else None
    cards = {(one.node_name, gpu) for one in assigned for gpu in one.gpus}
    return _Found(len(cards), len(prices), total)
