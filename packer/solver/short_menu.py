"""A first plan from a short menu, where many kinds of node are for rent.

Searching every kind at once takes long; a few of each already hold a good plan. Its price then
leaves out what no cheaper plan can pay, and the rest is searched for something better and for the
bound. What is found is as proved as if it had been searched at once.
"""

from collections.abc import Sequence
from dataclasses import replace

from packer.solver.fit import fits_node_type
from packer.solver.incumbent import Report
from packer.solver.instance import Instance, Item, NodeType, Objective
from packer.solver.outcome import Solution, Status
from packer.solver.solve import solve
from packer.solver.stopping import Limits
from packer.solver.useful_nodes import UsefulNodes, first_nodes, most_asked, useful_nodes

_MOST_SPOTS = 60_000
"""Alternatives times GPUs that are searched at once without a menu."""
_SIZES = 2
"""Kinds of node kept of those with equal cards: the cheapest, and the next with more memory."""
_PRODUCTS = 2
"""Products kept for each number of cards of a node, the cheapest by room."""
_NODE_SIZES = 2
"""Numbers of cards of a node that are kept, those with the cheapest room."""
_CARDS_PER_KIND = 4
_PART = 0.5
"""Part of the limits for the menu."""


def solve_rentals(
    instance: Instance, limits: Limits | None = None, progress: Report | None = None
) -> Solution:
    """Placements with a proven bound, as ``solve`` gives them; quicker where nodes are for rent.

    Args:
        instance: The packing problem.
        limits: What may be spent in all.
        progress: Told about every better plan and bound.
    """
    limits = limits or Limits()
    useful = useful_nodes(instance)
    if instance.objective is not Objective.NODE_PRICE or _spots(useful.instance) <= _MOST_SPOTS:
        found = _as_before(solve(useful.instance, limits, progress), useful)
        return found if useful.instance == instance else _explained(found, instance, limits)
    menu = _menu(useful.instance)
    part = replace(limits, time_seconds=limits.time_seconds * _PART, effort=limits.effort * _PART)
    first = solve(menu.instance, part, progress)
    if first.objective is None:
        found = _as_before(solve(useful.instance, limits, progress), useful)
        return _explained(found, instance, limits)
    placed = useful.as_before(menu.as_before(first.placed))
    left = useful_nodes(instance, budget=first.objective)
    rest = replace(part, time_seconds=max(1.0, limits.time_seconds - first.seconds))
    second = _as_before(solve(left.instance, rest, progress), left)
    return _better(replace(first, placed=placed), second)


def _explained(found: Solution, instance: Instance, limits: Limits) -> Solution:
    """The solution; where there is none, with a conflict of the whole instance.

    Nodes that no replica may use are among those left out, and they are what a requirement about
    kinds of cards is about.
    """
    if found.status is not Status.INFEASIBLE:
        return found
    rest = replace(limits, time_seconds=max(1.0, limits.time_seconds - found.seconds))
    again = solve(instance, rest)
    return again if again.status is Status.INFEASIBLE else found


def _as_before(solution: Solution, nodes: UsefulNodes) -> Solution:
    return replace(solution, placed=nodes.as_before(solution.placed))


def _better(first: Solution, second: Solution) -> Solution:
    """The cheaper plan, with the bound of the second, which is that of the whole menu.

    The second was searched among everything that costs no more than the first, so its bound holds
    up to the first's price, and finding nothing there proves the first.
    """
    price = first.objective or 0
    seconds = first.seconds + second.seconds
    if second.status is Status.INFEASIBLE:
        return replace(first, status=Status.OPTIMAL, bound=price, seconds=seconds)
    if second.objective is not None and second.objective <= price:
        return replace(second, seconds=seconds)
    bound = min(price, second.bound or 0)
    status = Status.OPTIMAL if bound == price else Status.FEASIBLE
    certificate = second.certificate
    return replace(first, status=status, bound=bound, certificate=certificate, seconds=seconds)


def _spots(instance: Instance) -> int:
    cards = sum(len(one.available) * one.gpus for one in instance.node_types)
    return cards * sum(len(item.alternatives) for item in instance.items)


def _menu(instance: Instance) -> UsefulNodes:
    """Few nodes of few kinds: the cheapest cards of each size of node, and what must be there."""
    types = instance.node_types
    kinds: dict[tuple[int, object], list[int]] = {}
    for t, one in enumerate(types):
        if one.count:
            kinds.setdefault((one.gpus, (one.gpu_type, one.capacities)), []).append(t)
    groups = [sorted(group, key=lambda t: (types[t].node_price, t)) for group in kinds.values()]
    groups.sort(key=lambda group: _price_per_room(types[group[0]]))
    kept: set[int] = set()
    sizes = list(dict.fromkeys(types[group[0]].gpus for group in groups))
    for size in sizes[:_NODE_SIZES]:
        of_size = [group for group in groups if types[group[0]].gpus == size]
        kept.update(t for group in of_size[:_PRODUCTS] for t in _sizes(instance, group))
    for item in instance.items:
        if not any(_holds(item, types[t]) for t in kept):
            able = (t for group in groups for t in group if _holds(item, types[t]))
            kept.update([t for t in [next(able, None)] if t is not None])
    return first_nodes(instance, [_few(one) if t in kept else 0 for t, one in enumerate(types)])


def _price_per_room(one: NodeType) -> float:
    """Price of a node over the first dimension of its cards; orders types, decides nothing."""
    return one.node_price / max(1, sum(capacity[0] for capacity in one.capacities))


def _holds(item: Item, one: NodeType) -> bool:
    """Whether an empty node of a type can take a replica."""
    return bool(one.count) and any(
        fits_node_type(alternative, one) for alternative in item.alternatives
    )


def _sizes(instance: Instance, group: Sequence[int]) -> list[int]:
    """The cheapest type of equal cards; one more while replicas could ask for more memory."""
    found: list[int] = []
    for t in group:
        room = instance.node_types[t].node_cap
        if not found or room > instance.node_types[found[-1]].node_cap:
            found.append(t)
        asked = tuple(most_asked(instance, instance.node_types[t], dim) for dim in range(len(room)))
        if len(found) == _SIZES or all(r >= a for r, a in zip(room, asked, strict=True)):
            break
    return found


def _few(one: NodeType) -> int:
    """Nodes of a zone on the menu: a handful of cards."""
    return max(2 if one.gpus <= _CARDS_PER_KIND else 1, _CARDS_PER_KIND // one.gpus)
