"""How many replicas each workload with a demand gets: the counts tried, and what each came to."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from packer.domain.workload import Fleet, Objective, Workload
from packer.plan.plan import Alternative
from packer.solver.candidate import Candidate, CandidateSet, Offer
from packer.solver.fleet_instance import FleetInstance
from packer.solver.instance import Instance, Item, Rule
from packer.solver.outcome import Solution, Status

MOST_TRIED = 6
"""Combinations of counts that are packed; each is a whole packing problem."""

Sets = tuple[CandidateSet, ...]


@dataclass(frozen=True)
class Counts:
    """Combinations of numbers of replicas, the most promising first.

    Attributes:
        is_complete: Whether these are all.
    """

    tried: tuple[Sets, ...]
    is_complete: bool


@dataclass(frozen=True)
class Trial:
    """One combination, packed."""

    fleet: Fleet
    sets: Sets
    packed: FleetInstance
    solution: Solution


def counts_to_try(
    families: Sequence[Sequence[CandidateSet]], offers: Sequence[Offer], load_limit: int
) -> Counts:
    """Combinations of one set per workload.

    Args:
        families: Per workload, one set for each number of replicas worth trying.
        offers: What each product offers, to judge which sets are cheap.
        load_limit: Part of a card's time that may be planned [percent].
    """
    if prod(len(family) for family in families) == 1:
        return Counts((tuple(family[0] for family in families),), is_complete=True)
    rooms = {offer.gpu.name: offer.room_bytes for offer in offers}

    def cards(one: CandidateSet) -> float:
        """Cards its replicas fill at least, by bytes or by time."""
        each = [_card_share(candidate, rooms, load_limit) for candidate in one.candidates]
        return one.workload.replicas * min(each) if each else float("inf")

    ranked = [sorted(family, key=cards) for family in families]
    if prod(len(family) for family in families) <= MOST_TRIED:
        return Counts(tuple(sorted(product(*ranked), key=_by(cards))), is_complete=True)
    best = tuple(family[0] for family in ranked)
    others = sorted(_single_changes(best, ranked), key=_by(cards))
    return Counts((best, *others[: MOST_TRIED - 1]), is_complete=False)


def _by(cards: Callable[[CandidateSet], float]) -> Callable[[Sets], float]:
    return lambda sets: sum(map(cards, sets))


def _single_changes(best: Sets, ranked: Sequence[Sequence[CandidateSet]]) -> Iterator[Sets]:
    for place, family in enumerate(ranked):
        for other in family[1:]:
            yield (*best[:place], other, *best[place + 1 :])


def _card_share(one: Candidate, rooms: dict[str, int], load_limit: int) -> float:
    memory = sum(one.shares_bytes) / max(1, rooms[one.gpu])
    return max(memory, len(one.shares_bytes) * one.way.load_permille / (10 * load_limit))


def with_counts(fleet: Fleet, sets: Sets) -> Fleet:
    """The fleet with the numbers of replicas of these sets."""
    return replace(fleet, workloads=tuple(one.workload for one in sets))


def with_slots(trial: Trial) -> Fleet:
    """The fleet with the slots its replicas got; the most, where they differ."""
    chosen = [one.candidate for one in trial.packed.assignments(trial.solution.placed)]
    most: dict[str, int] = {}
    for one in chosen:
        most[one.workload] = max(most.get(one.workload, 0), one.estimate.slots)
    workloads = tuple(
        replace(one, slots=most.get(one.name, one.slots)) if one.derives_slots else one
        for one in trial.fleet.workloads
    )
    return replace(trial.fleet, workloads=workloads)


def best_trial(trials: Sequence[Trial]) -> Trial | None:
    """The cheapest plan; of equal ones that with the more wanted files, then the fewest replicas.

    None if no combination has a plan.
    """
    solved = [one for one in trials if one.solution.objective is not None]
    return min(solved, key=_rank, default=None)


def _rank(trial: Trial) -> tuple[int, int, int]:
    assigned = trial.packed.assignments(trial.solution.placed)
    return (
        trial.solution.objective or 0,
        max((one.candidate.variant for one in assigned), default=0),
        len(assigned),
    )


def proven_bound(trials: Sequence[Trial], relaxed: int | None) -> int:
    """What no plan with any of the counts is cheaper than.

    Args:
        trials: Combinations that were packed; one without a plan bounds nothing.
        relaxed: Bound of all combinations together, where some were not packed.
    """
    bounds = [one.solution.bound or 0 for one in trials if one.solution.status != Status.INFEASIBLE]
    return min([*bounds, *([] if relaxed is None else [relaxed])], default=0)


def relaxed_instance(instance: Instance) -> Instance:
    """An instance no dearer than any combination: fewest replicas, every alternative, no partners.

    Of a plan with more replicas some can be left out; what remains solves this.

    Args:
        instance: With every number of replicas of a workload as an item of its own.
    """
    families: dict[str, list[Item]] = {}
    for item in instance.items:
        families.setdefault(item.name, []).append(item)
    items = tuple(
        replace(
            family[0],
            count=min(item.count for item in family),
            alternatives=tuple(dict.fromkeys(one for item in family for one in item.alternatives)),
        )
        for family in families.values()
    )
    rules = tuple(one for one in instance.constraints if one.rule is Rule.ANTI_AFFINITY)
    return replace(instance, items=items, constraints=rules)


def other_counts(trials: Sequence[Trial], chosen: Workload) -> tuple[Alternative, ...]:
    """What other numbers of replicas of a workload came to.

    Args:
        trials: Every combination that was packed.
        chosen: The workload with the number it got.
    """
    best: dict[int, Trial] = {}
    for trial in trials:
        count = next(one.replicas for one in trial.fleet.workloads if one.name == chosen.name)
        best[count] = best_trial([trial, *([best[count]] if count in best else [])]) or trial
    return tuple(
        Alternative(f"{count} replica{'s' if count != 1 else ''}", _came_to(trial))
        for count, trial in sorted(best.items())
        if count != chosen.replicas
    )


def _came_to(trial: Trial) -> str:
    if trial.solution.objective is None:
        return "no plan was found with as many"
    value = trial.packed.value(trial.solution.objective)
    unit = "cards" if trial.fleet.objective is Objective.CARDS else "per hour"
    return f"the fleet would take {value:f} {unit}"
