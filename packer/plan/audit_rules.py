"""Rules of a fleet that a plan must keep, checked from its placements alone; part of the audit."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from packer.domain.node import NodePool, Sharing
from packer.domain.workload import Fleet, Objective, Spread, Workload
from packer.plan.plan import Placement, Plan, Status


@dataclass(frozen=True)
class Site:
    """One node of the inventory."""

    pool: NodePool
    index: int


def broken_rules(
    plan: Plan, placements: Sequence[Placement], fleet: Fleet, sites: Mapping[str, Site]
) -> Iterator[str]:
    """Every rule the placements break, and every total of the plan they do not give."""
    workloads = {workload.name: workload for workload in fleet.workloads}
    yield from _missing_replicas(plan, workloads)
    yield from _broken_spread(placements, workloads, sites)
    yield from _broken_routers(placements, sites)
    yield from _broken_neighbours(placements, fleet)
    yield from _refused_spot(placements, workloads, sites)
    yield from _wrong_totals(plan, sites)


def _missing_replicas(plan: Plan, workloads: Mapping[str, Workload]) -> Iterator[str]:
    placed: dict[str, list[int]] = defaultdict(list)
    for placement in plan.placements:
        placed[placement.workload].append(placement.replica)
    for name, workload in workloads.items():
        if sorted(placed[name]) != list(range(workload.replicas)):
            yield f"{name}: replicas {sorted(placed[name])} of {workload.replicas} are placed"


def _broken_spread(
    placements: Iterable[Placement],
    workloads: Mapping[str, Workload],
    sites: Mapping[str, Site],
) -> Iterator[str]:
    seen: Counter[tuple[str, str]] = Counter()
    for placement in placements:
        spread = workloads[placement.workload].spread
        site = sites[placement.node]
        if spread is Spread.NODE:
            seen[placement.workload, placement.node] += 1
        elif spread is Spread.ZONE:
            seen[placement.workload, f"zone {site.pool.zone_of(site.index)!r}"] += 1
    for (name, unit), count in seen.items():
        if count > 1:
            yield f"{name}: {count} replicas meet on {unit}"


def _broken_routers(placements: Iterable[Placement], sites: Mapping[str, Site]) -> Iterator[str]:
    """Whole cards are served by one router, which runs one process per model name.

    Its processes see all its cards, so beside a split model they take more than their own.
    """
    crowds: dict[tuple[str, int], list[Placement]] = defaultdict(list)
    for placement in placements:
        if sites[placement.node].pool.sharing is Sharing.WHOLE:
            for gpu in placement.gpus:
                crowds[placement.node, gpu].append(placement)
    for (node, gpu), crowd in crowds.items():
        if len(crowd) > 1 and any(len(one.gpus) > 1 for one in crowd):
            names = sorted({one.workload for one in crowd})
            yield f"{node} card {gpu}: {names} share a router's card, and one of them is split"
    seen = Counter(
        (placement.workload, placement.node, gpu)
        for placement in placements
        if sites[placement.node].pool.sharing is Sharing.WHOLE
        for gpu in placement.gpus
    )
    for (name, node, gpu), count in seen.items():
        if count > 1:
            yield f"{name}: {count} replicas meet in the router of {node} card {gpu}"


def _broken_neighbours(placements: Sequence[Placement], fleet: Fleet) -> Iterator[str]:
    on_node: dict[str, set[str]] = defaultdict(set)
    for placement in placements:
        on_node[placement.node].add(placement.workload)
    for node, names in sorted(on_node.items()):
        for group in fleet.keep_apart:
            if len(names & set(group)) > 1:
                yield f"{node}: {sorted(names & set(group))} must be kept apart"
        for group in fleet.keep_together:
            if names & set(group) and not set(group) <= names:
                yield f"{node}: {sorted(group)} must be kept together"


def _refused_spot(
    placements: Iterable[Placement],
    workloads: Mapping[str, Workload],
    sites: Mapping[str, Site],
) -> Iterator[str]:
    for placement in placements:
        may_stop = sites[placement.node].pool.may_be_interrupted
        if may_stop and not workloads[placement.workload].spot_allowed:
            yield f"{placement.workload}: spot is not allowed, and {placement.node} is a spot node"


def _wrong_totals(plan: Plan, sites: Mapping[str, Site]) -> Iterator[str]:
    cards = {(p.node, gpu) for p in plan.placements for gpu in p.gpus}
    nodes = sorted({node for node, _ in cards if node in sites})
    if plan.cards != len(cards):
        yield f"the plan says {plan.cards} cards, its placements use {len(cards)}"
    value = Decimal(len(cards))
    if plan.objective is Objective.PRICE:
        prices = [sites[node].pool.price_per_hour for node in nodes]
        known = [price for price in prices if price is not None]
        if len(known) != len(prices):
            yield "the objective is price, and a used node has none"
            return
        value = sum(known, Decimal(0))
    if plan.objective_value != value:
        yield f"the plan says {plan.objective_value} {plan.objective}, its placements give {value}"
    if plan.bound > plan.objective_value:
        yield f"the bound {plan.bound} is above the value {plan.objective_value}"
    if plan.status is Status.OPTIMAL and plan.bound != plan.objective_value:
        yield "the plan is called optimal, and its bound is lower than its value"
