"""What each phase of a solve does with the incumbent."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from packer.solver.bound import prove_bound
from packer.solver.branching import objective_grid
from packer.solver.brim_fill import BrimFill
from packer.solver.budget import BudgetSearch
from packer.solver.consolidation import Consolidation
from packer.solver.fill_style import FillStyle
from packer.solver.first_fit import FirstFit
from packer.solver.guided_fill import guided_fill
from packer.solver.incumbent import NEAR_ENOUGH, Incumbent
from packer.solver.instance import Placed
from packer.solver.levels import minimise_objective, whole_model
from packer.solver.movable_load import MovableLoad
from packer.solver.moving import count_moves, kept_cost, move_cost, places_now
from packer.solver.neighbourhood import NeighbourhoodSearch
from packer.solver.packing import Packing
from packer.solver.patterns import pattern_bound
from packer.solver.repack import repaired
from packer.solver.room_pricing import RoomPricing
from packer.solver.search import run_search
from packer.solver.set_filling import SetFilling
from packer.solver.squeeze import Squeeze

EXACT_SPOTS = 60_000
"""Alternatives times GPUs up to which the whole problem is searched at once."""
FROM_SCRATCH_SHARE = 0.1
"""Share of the time kept for a plan from scratch, where what runs stays far from the bound."""
MOST_ITEMS = 4000
"""Items above which the relaxation takes long and is solved only for a wide gap."""
TIGHT_STEPS = 15
"""So many times the steps where nothing may be wasted: then nothing else helps."""
STEPS_PER_MOVE = 0.6
"""Steps per replica that a plan from scratch moved: of 211 moves in 220 about 55 are left."""
CHUNK = 500
"""Steps of consolidation between two offers."""
QUICK = FillStyle(sample=100)


def prove(run: Incumbent, most_leaves: int) -> None:
    """The relaxation with branching; put off for huge instances that are close already."""
    huge = len(run.instance.items) > MOST_ITEMS
    if not most_leaves or (huge and run.is_within(NEAR_ENOUGH)):
        return
    run.take_bound(
        prove_bound(
            run.instance,
            run.columns,
            most_leaves=most_leaves,
            target=run.objective,
            may_go_on=run.clock.has_time,
            seconds=run.clock.left,
        )
    )


def prove_by_patterns(run: Incumbent) -> None:
    """The configuration bound, where capacities are small."""
    run.take_patterns(pattern_bound(run.instance, run.clock.has_time))


def fill(run: Incumbent, style: FillStyle) -> None:
    """A guided fill by uniform prices, or by those of the relaxation where that leaves some out."""
    for prices in (None, None if run.bound is None else run.bound.root.prices):
        packing = guided_fill(run.geometry, run.columns, prices, style, run.clock.has_time)
        run.offer("fill", packing)
        if not packing.missing():
            return


def first_fit(run: Incumbent) -> None:
    """First-fit-decreasing: no plan is worse than it."""
    packing = Packing(run.geometry)
    FirstFit(packing, run.columns).place_all(may_go_on=run.clock.has_time)
    run.offer("first fit", packing)


def complete(run: Incumbent, steps: int, start: Sequence[Placed] = ()) -> None:
    """A first plan by search, where no fill had room for everything; a start stands for a fill."""
    if run.placed is not None:
        return
    types = run.instance.node_types
    pricing = RoomPricing(run.instance, run.columns, run.clock)
    nodes = [len(one.available) for one in types]
    prices = pricing.prices([n * one.gpus for n, one in zip(nodes, types, strict=True)], nodes)
    if prices is None:
        return
    usable = run.geometry.usable[run.geometry.gpu_node]
    begun = Packing(pricing.geometry, start)
    filling = SetFilling(begun, usable, prices, run.clock, run.limits.seed)
    if not start:
        filling.fill(run.columns, (prices.rows, None), (QUICK,))
    if filling.improve(round(steps * run.limits.effort), run.clock.has_time):
        run.offer("search", Packing(run.geometry, filling.packing.placed))


def buy(run: Incumbent) -> None:
    """Budget search, where GPUs or nodes have different prices."""
    costs = np.unique(np.concatenate([run.geometry.gpu_cost, run.geometry.node_cost]))
    if run.objective is None or len(costs[costs > 0]) < 2:
        return
    styles = (QUICK, FillStyle(sample=100, smallest_type_first=True))
    search = BudgetSearch(run.geometry, run.columns, styles, run.clock)
    grid = objective_grid(run.instance)
    for packing in search.run(run.bound_value, run.objective, grid, run.limits.effort):
        run.offer("budget", packing)


def squeeze(run: Incumbent, steps: int, near: float = 0.0) -> None:
    """One GPU less by search, where GPUs are paid for and the bound is not near."""
    small = run.instance.replicas <= MOST_ITEMS
    if run.geometry.charges_nodes or run.placed is None or run.is_within(near) or not small:
        return
    squeezed = Squeeze(Packing(run.geometry, run.placed), run.columns, run.clock)
    for packing in squeezed.run(run.bound_value, round(steps * run.limits.effort)):
        run.offer("squeeze", packing)


def gather(run: Incumbent, steps: int, style: FillStyle | None) -> None:
    """Consolidate the slack of the best plan, or of a fresh fill."""
    if run.geometry.charges_nodes or run.placed is None:
        return
    if style is None:
        packing = Packing(run.geometry, run.placed)
    else:
        packing = guided_fill(run.geometry, run.columns, None, style, run.clock.has_time)
        if packing.missing() or not packing.affinity_holds():
            return
    slack = Consolidation(packing, run.columns, run.limits.seed)
    left = round(steps * run.limits.effort)
    chunk = CHUNK if run.instance.replicas <= MOST_ITEMS else 4 * CHUNK
    while left > 0 and not run.is_closed() and run.clock.has_time():
        if slack.run(min(left, chunk), run.clock.has_time):
            run.offer("consolidation", slack.packing())
        else:
            left -= chunk


def fill_to_the_brim(run: Incumbent, steps: int) -> None:
    """One GPU less where the others can take everything with hardly any waste."""
    if run.geometry.charges_nodes or run.placed is None:
        return
    load = MovableLoad(Packing(run.geometry, run.placed), run.columns)
    brim = BrimFill(load, run.columns, run.limits.seed)
    if not brim.applies():
        return
    worth = TIGHT_STEPS if brim.is_tight() else 1
    if brim.run(round(steps * worth * run.limits.effort), run.clock.has_time):
        run.offer("brim", load.packing())


def search_whole(run: Incumbent, effort: float | None = None) -> None:
    """The exact model of everything: may prove what the bound does not."""
    if is_refused_by_search(run, 8.0 * run.limits.effort if effort is None else effort):
        run.explain()


def is_refused_by_search(run: Incumbent, effort: float) -> bool:
    """Whether the exact model of everything has no plan; its plan and bound are taken."""
    exact = whole_model(run.geometry, run.kept)
    found = minimise_objective(exact, run.placed, run.bound_value, run.clock, effort)
    if found.placed is not None:
        run.offer("exact", Packing(run.geometry, found.placed))
    if found.finished and not found.infeasible:
        run.searched_bound = found.value
    return found.infeasible


def improve(run: Incumbent, steps: int) -> None:
    """Neighbourhood search from the best plan."""
    if run.placed is None:
        return
    search = NeighbourhoodSearch(Packing(run.geometry, run.placed), run.kept, run.clock, 0.3)
    most = round(steps * run.limits.effort)
    search.run(most, run.is_closed, partial(run.offer, "neighbourhood"))


def repair(run: Incumbent) -> None:
    """What runs now, completed with few moves."""
    packing = repaired(run.geometry, run.columns, QUICK, run.clock.has_time)
    run.offer("repair", packing)


def improve_with_few_moves(run: Incumbent) -> None:
    """Cost down step by step, then moves back; large plans stop two percent off the bound."""
    if run.placed is None:
        return
    packing = Packing(run.geometry, run.placed)
    search = NeighbourhoodSearch(packing, run.all_alternatives(), run.clock, 0.3)
    steps = round(80 * run.limits.effort)
    tolerance = 0.0 if run.has_spots_up_to(EXACT_SPOTS // 2) else NEAR_ENOUGH

    kept_back = FROM_SCRATCH_SHARE * run.limits.time_seconds

    def enough() -> bool:
        near = packing.objective - run.bound_value <= tolerance * packing.objective
        return near or run.clock.left < kept_back

    search.run(steps, enough, partial(run.offer, "neighbourhood"))
    if run.clock.left >= kept_back:
        search.move_back(steps)
    run.replace(packing)


def bring_back(run: Incumbent) -> None:
    """What a plan from scratch moved without need, step by step; in small fleets levels do it."""
    moves = None if run.placed is None else count_moves(run.instance, run.placed)
    if moves is None or run.placed is None or run.has_spots_up_to(EXACT_SPOTS // 2):
        return
    if run.limits.trades_moves or moves.moved <= moves.kept:
        return
    packing = Packing(run.geometry, run.placed)
    search = NeighbourhoodSearch(packing, run.all_alternatives(), run.clock, 0.3)
    search.move_back(round(min(300, STEPS_PER_MOVE * moves.moved) * run.limits.effort))
    run.replace(packing)


def trade(run: Incumbent) -> None:
    """Cost against moves, as the limits weigh them, by the exact model of everything."""
    current, limits = run.instance.current, run.limits
    if current is None:
        return
    exact = whole_model(run.geometry, run.all_alternatives())
    exact.hint(run.placed or ())
    kept = exact.kept()
    now = places_now(run.instance)
    if limits.max_moves is not None:
        exact.model.add(sum(kept.values()) >= now.total() - limits.max_moves)
    saved = sum(move_cost(current, key) * variable for key, variable in kept.items())
    cost_first = 1 + kept_cost(current, now)
    weight = limits.move_weight
    aim = exact.cost() * cost_first - saved if weight is None else exact.cost() - weight * saved
    found = run_search(exact, aim, run.clock, effort=8.0 * limits.effort)
    if found.placed is not None:
        run.replace(Packing(run.geometry, found.placed))


def stop(run: Incumbent) -> None:
    """Nothing more is to be tried."""
    run.settled = True


def settle(run: Incumbent) -> None:
    """Where things run, a plan from scratch is worth its moves only if it is much cheaper."""
    dearest = int(max(run.geometry.gpu_cost.max(initial=0), run.geometry.node_cost.max(initial=0)))
    one_off = run.objective is not None and run.objective - run.bound_value <= dearest
    run.settled = one_off or run.is_within(NEAR_ENOUGH)
