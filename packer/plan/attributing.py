"""Dividing a plan's bill among its workloads by a stated key. Exact: it always adds up."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from packer.plan.attribution import Attribution, Key, LoadBasis
from packer.plan.cost import IDLE, CostLine, Divide, bill, by_memory, cost_lines
from packer.plan.plan import Placement, Plan
from packer.plan.token_cost import Speeds, token_costs
from packer.units import HOURS_PER_MONTH

_LOAD_WORDS = {
    LoadBasis.DEMAND: "the part of the card's time each replica needs for its planned demand",
    LoadBasis.GIVEN: "the loads given, each spread evenly over a workload's replicas",
    LoadBasis.SLOTS: "the slots of each process, as no demand is known",
}
_MEMORY_WORDS = "the bytes of each process on the card, upper bands"


def attribute(
    plan: Plan,
    key: Key = Key.MEMORY,
    *,
    loads: Mapping[str, Decimal] | None = None,
    speeds: Speeds | None = None,
) -> Attribution:
    """Who pays for what of a plan, idle apart.

    A card's price is that of its node over its cards. The part of its bytes that replicas take is
    theirs, and the key divides it among them; headroom, what others hold and what is left over
    are lines of their own under every key.

    Args:
        plan: The plan.
        key: What workloads share a card by.
        loads: Workload → load, in any unit; None takes the planned demand, or else slots.
        speeds: Speed of each replica, for the cost of a million tokens; None asks for none.
    """
    whole = bill(plan)
    basis = _load_basis(plan, loads)
    divide = _divide(key, _loads_by_card(plan, basis, loads or {}))
    lines = () if whole.per_hour is None else cost_lines(plan, whole.per_hour, divide)
    return Attribution(
        key=key,
        load_basis=basis,
        meaning=_meaning(key, basis),
        currency=whole.currency,
        hours_per_month=HOURS_PER_MONTH,
        per_hour=whole.per_hour,
        per_month=whole.per_month,
        idle_per_hour=_idle([line.per_hour for line in _idle_lines(lines)], whole.per_hour),
        idle_per_month=_idle([line.per_month for line in _idle_lines(lines)], whole.per_month),
        lines=lines,
        tokens=() if speeds is None else token_costs(plan, lines, speeds),
    )


def _idle_lines(lines: Sequence[CostLine]) -> list[CostLine]:
    return [line for line in lines if line.kind in IDLE]


def _idle(amounts: Sequence[Decimal], whole: Decimal | None) -> Decimal | None:
    return None if whole is None else sum(amounts, Decimal(0))


def _load_basis(plan: Plan, loads: Mapping[str, Decimal] | None) -> LoadBasis:
    if loads:
        return LoadBasis.GIVEN
    planned = [one.speed is not None and one.speed.load_permille > 0 for one in plan.placements]
    return LoadBasis.DEMAND if planned and all(planned) else LoadBasis.SLOTS


def _meaning(key: Key, basis: LoadBasis) -> str:
    if key is Key.MEMORY:
        return _MEMORY_WORDS
    if key is Key.LOAD:
        return _LOAD_WORDS[basis]
    return f"the mean of two shares: {_MEMORY_WORDS}; {_LOAD_WORDS[basis]}"


_CardLoads = Mapping[tuple[str, int], Mapping[str, Fraction]]


def _loads_by_card(plan: Plan, basis: LoadBasis, loads: Mapping[str, Decimal]) -> _CardLoads:
    """(node, card) → workload → load of its replicas there."""
    found: dict[tuple[str, int], dict[str, Fraction]] = {}
    replicas = {workload.name: workload.replicas for workload in plan.workloads}
    for one in plan.placements:
        load = _load(one, basis, loads, replicas.get(one.workload, 1))
        for gpu in one.gpus:
            on_card = found.setdefault((one.node, gpu), {})
            on_card[one.workload] = on_card.get(one.workload, Fraction(0)) + load
    return found


def _load(
    one: Placement, basis: LoadBasis, loads: Mapping[str, Decimal], replicas: int
) -> Fraction:
    """Load of one replica on each of its cards; those it is split over work in turn."""
    if basis is LoadBasis.DEMAND and one.speed is not None:
        return Fraction(one.speed.load_permille)
    whole = Fraction(one.variant.slots)
    if basis is LoadBasis.GIVEN:
        whole = Fraction(loads.get(one.workload, Decimal(0))) / replicas
    return whole / len(one.gpus)


def _divide(key: Key, loads: _CardLoads) -> Divide:
    """The weights of a key; a card on which nothing has a load is divided by memory."""
    if key is Key.MEMORY:
        return by_memory

    def weights(node: str, card: int, sizes: Mapping[str, int]) -> Mapping[str, Fraction]:
        load = loads[node, card]
        total = sum(load.values(), Fraction(0))
        if not total:
            return by_memory(node, card, sizes)
        by_load = {name: load[name] / total for name in sizes}
        if key is Key.LOAD:
            return by_load
        whole = sum(sizes.values())
        return {name: (by_load[name] + Fraction(size, whole)) / 2 for name, size in sizes.items()}

    return weights
