"""Changes that would make an infeasible instance feasible, each verified by placing everything."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from packer.solver.card_classes import gpu_cost, node_cost
from packer.solver.columns import build_columns
from packer.solver.feasibility import Answer, can_be_placed
from packer.solver.instance import Instance, NodeType
from packer.solver.outcome import Change
from packer.solver.requirements import Part, requirements, with_only
from packer.solver.stopping import Clock

MOST_NODES_ADDED = 4
_EFFORT = 1.0


def find_relaxations(
    instance: Instance, conflict: Sequence[str], clock: Clock
) -> tuple[Change, ...]:
    """Verified changes, supply first by price, then dropped rules, then fewer replicas.

    Args:
        instance: The infeasible instance.
        conflict: Its minimal conflict, where every help must begin.
        clock: Wall time left; changes not verified in time are not named.
    """
    supply = sorted(_more_nodes(instance, conflict, clock), key=lambda one: (one.price, one.change))
    return (*supply, *_dropped_rules(instance, conflict, clock), *_fewer(instance, conflict, clock))


def _works(instance: Instance, clock: Clock) -> bool:
    return can_be_placed(Part(instance, frozenset()), clock, _EFFORT) is Answer.POSSIBLE


def _more_nodes(instance: Instance, conflict: Sequence[str], clock: Clock) -> Iterator[Change]:
    """The fewest more nodes of each type the clashing items can use."""
    concerned = {one.partition(":")[2] for one in conflict if one.startswith("count:")}
    columns = build_columns(instance)
    names = [instance.items[i].name for i in columns.item.tolist()]
    usable = {
        t for name, t in zip(names, columns.node_type.tolist(), strict=True) if name in concerned
    }
    for t in sorted(usable):
        for more in range(1, MOST_NODES_ADDED + 1):
            if not clock.has_time():
                return
            types = list(instance.node_types)
            types[t] = _grown(types[t], more)
            if _works(replace(instance, node_types=tuple(types), current=None), clock):
                price = gpu_cost(instance, t) * types[t].gpus + node_cost(instance, t)
                yield Change(f"supply:{types[t].name} +{more}", more * price)
                break


def _grown(node_type: NodeType, more: int) -> NodeType:
    """The type with more nodes, all in its last zone so that no other node changes its number."""
    zones = node_type.zones
    if zones:
        name, count = zones[-1]
        zones = (*zones[:-1], (name, count + more))
    return replace(node_type, count=node_type.count + more, zones=zones)


def _dropped_rules(instance: Instance, conflict: Sequence[str], clock: Clock) -> Iterator[Change]:
    every = requirements(instance)
    for rule in conflict:
        if rule.startswith("count:") or not clock.has_time():
            continue
        part = with_only(instance, [one for one in every if one != rule])
        if can_be_placed(part, clock, _EFFORT) is Answer.POSSIBLE:
            yield Change(f"drop {rule}", 0)


def _fewer(instance: Instance, conflict: Sequence[str], clock: Clock) -> Iterator[Change]:
    """The fewest replicas of one clashing item to give up, halving the step."""
    for rule in conflict:
        kind, _, name = rule.partition(":")
        if kind != "count" or not clock.has_time():
            continue
        position = instance.item_index[name]
        low, high = 0, instance.items[position].count  # low replicas fit, high do not
        if not _works(_with_count(instance, position, 0), clock):
            continue
        while high - low > 1 and clock.has_time():
            middle = (low + high) // 2
            fits = _works(_with_count(instance, position, middle), clock)
            low, high = (middle, high) if fits else (low, middle)
        missing = instance.items[position].count - low
        yield Change(f"count:{name} -{missing}", 0)


def _with_count(instance: Instance, position: int, count: int) -> Instance:
    items = list(instance.items)
    items[position] = replace(items[position], count=count)
    return replace(instance, items=tuple(items), current=None)
