"""Demand and prices changed a little: what the plan stands as it is, and what it costs anew."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from operator import attrgetter

from packer.domain.node import Inventory, NodePool, Price
from packer.domain.price_book import rounded_price
from packer.domain.workload import Fleet, Objective, Workload
from packer.plan.plan import CardBudget, DeviceBytes, Plan
from packer.plan.replanning import Questions
from packer.plan.risk import Replanned, Stress, StressKind, TightCard, Verdict

_MEMORY_PERCENTS = (10, -10)
_CONTEXT_PERCENT = 25
_PRICE_PERCENTS = (20, -20)
_MOST_POOLS = 12
"""Pools whose price is changed one by one."""


def stresses(
    plan: Plan, fleet: Fleet, inventory: Inventory, questions: Questions
) -> tuple[Stress, ...]:
    """Every change in turn: memory, context, replicas, prices."""
    return (
        *_memory(plan, questions),
        _context(plan, fleet, questions),
        *_replicas(plan, fleet, questions),
        *_prices(plan, inventory, questions),
    )


def _memory(plan: Plan, questions: Questions) -> Iterator[Stress]:
    for percent in _MEMORY_PERCENTS:
        yield Stress(
            kind=StressKind.MEMORY,
            change=f"memory of every process on its cards {percent:+d} %",
            percent=percent,
            breaks_in_place=_overfull(plan, percent, attrgetter("high_bytes")),
            price_in_place=plan.price_per_hour,
            after=questions.with_memory(percent),
        )


def _context(plan: Plan, fleet: Fleet, questions: Questions) -> Stress:
    """Conversations a quarter longer, as far as the models were trained for it."""
    longer = replace(fleet, workloads=tuple(map(_with_longer_context, fleet.workloads)))
    kept = [
        old.name
        for old, new in zip(fleet.workloads, longer.workloads, strict=True)
        if old.context_per_slot * (100 + _CONTEXT_PERCENT) // 100 > new.context_per_slot
    ]
    note = f" (less for {', '.join(kept)}: trained length, or pooled inputs)" if kept else ""
    return Stress(
        kind=StressKind.CONTEXT,
        change=f"context of every conversation +{_CONTEXT_PERCENT} %{note}",
        percent=_CONTEXT_PERCENT,
        breaks_in_place=_overfull(plan, _CONTEXT_PERCENT, attrgetter("context_bytes")),
        price_in_place=plan.price_per_hour,
        after=questions.of(longer),
    )


def _with_longer_context(workload: Workload) -> Workload:
    if workload.embedding or workload.reranking:
        return workload
    wanted = workload.context_per_slot * (100 + _CONTEXT_PERCENT) // 100
    trained = _trained_context(workload)
    if trained is not None:
        wanted = min(wanted, max(trained, workload.context_per_slot))
    return replace(workload, context_per_slot=wanted)


def _trained_context(workload: Workload) -> int | None:
    """Longest context the model's header names; None if it names none."""
    model = workload.variants[0].model
    value = model.metadata.get(f"{model.architecture}.context_length")
    return value if isinstance(value, int) else None


def _replicas(plan: Plan, fleet: Fleet, questions: Questions) -> Iterator[Stress]:
    """One replica more of every workload alone, then of all at once."""
    groups = [[workload.name] for workload in fleet.workloads]
    if len(groups) > 1:
        groups.append([workload.name for workload in fleet.workloads])
    for names in groups:
        more = tuple(
            replace(one, replicas=one.replicas + 1) if one.name in names else one
            for one in fleet.workloads
        )
        who = names[0] if len(names) == 1 else "every workload"
        yield Stress(
            kind=StressKind.REPLICAS,
            change=f"one replica more of {who}",
            percent=None,
            breaks_in_place=(),
            price_in_place=None,
            after=questions.with_replicas(replace(fleet, workloads=more)),
        )


def _prices(plan: Plan, inventory: Inventory, questions: Questions) -> Iterator[Stress]:
    """All prices together, which scales the bill, then each pool's: may the choice change?"""
    if plan.price_per_hour is None:
        return
    for percent in _PRICE_PERCENTS:
        yield _all_prices(plan, percent)
    if plan.objective is not Objective.PRICE:
        return
    used = {node.pool for node in plan.nodes if node.is_used}
    for pool in _movable(inventory, used):
        percent = 20 if pool.name in used else -20
        changed = _with_price(inventory, pool.name, percent)
        yield Stress(
            kind=StressKind.PRICE,
            change=f"price of {pool.name} {percent:+d} %",
            percent=percent,
            breaks_in_place=(),
            price_in_place=_price_in_place(plan, changed),
            after=questions.on(changed),
        )


def _movable(inventory: Inventory, used: set[str]) -> list[NodePool]:
    """Pools whose price is changed: those in use first."""
    return sorted(inventory.pools, key=lambda pool: pool.name not in used)[:_MOST_POOLS]


def _all_prices(plan: Plan, percent: int) -> Stress:
    """Every price by the same factor: the best plan stays the best, so nothing is solved."""
    bill = plan.price_per_hour
    scaled = None if bill is None else bill * (100 + percent) / 100
    by_price = plan.objective is Objective.PRICE
    return Stress(
        kind=StressKind.PRICE,
        change=f"every price {percent:+d} %",
        percent=percent,
        breaks_in_place=(),
        price_in_place=scaled,
        after=Replanned(
            verdict=Verdict.FITS,
            is_proved=plan.bound == plan.objective_value,
            cards=plan.cards,
            price_per_hour=scaled,
            objective_change=plan.objective_value * percent / 100 if by_price else Decimal(0),
            bound=plan.bound * (100 + percent) / 100 if by_price else plan.bound,
        ),
    )


def _with_price(inventory: Inventory, name: str, percent: int) -> Inventory:
    pools = tuple(
        replace(pool, price=_scaled(pool.price, percent)) if pool.name == name else pool
        for pool in inventory.pools
    )
    return replace(inventory, pools=pools)


def _scaled(price: Price | None, percent: int) -> Price | None:
    if price is None:
        return None

    def times(amount: Decimal | None) -> Decimal | None:
        return None if amount is None else rounded_price(amount * (100 + percent) / 100)

    return replace(
        price,
        on_demand=times(price.on_demand),
        spot=times(price.spot),
        reserved_1y=times(price.reserved_1y),
        reserved_3y=times(price.reserved_3y),
    )


def _price_in_place(plan: Plan, inventory: Inventory) -> Decimal | None:
    prices = {pool.name: pool.price_per_hour for pool in inventory.pools}
    paid = [prices[node.pool] for node in plan.nodes if node.is_used]
    known = [price for price in paid if price is not None]
    return sum(known, Decimal(0)) if len(known) == len(paid) else None


def _overfull(plan: Plan, percent: int, part: Callable[[DeviceBytes], int]) -> tuple[str, ...]:
    """Cards whose headroom is touched when a part of every process's bytes grows so much."""
    extra: dict[tuple[str, int], int] = {}
    for one in plan.placements:
        for gpu, device in zip(one.gpus, one.devices, strict=True):
            site = (one.node, gpu)
            extra[site] = extra.get(site, 0) + part(device) * percent // 100
    return tuple(
        f"{node.name} card {card.index}"
        for node in plan.nodes
        for card in node.cards
        if extra.get((node.name, card.index), 0) > max(0, card.slack_bytes)
    )


def tightest_card(plan: Plan) -> TightCard | None:
    """The card on which every process may grow least before its headroom is touched. Exact."""
    cards = [(node.name, card) for node in plan.nodes for card in node.cards if card.used_bytes]
    if not cards:
        return None
    name, card = min(cards, key=lambda one: _growth(one[1], one[1].slack_bytes))
    return TightCard(
        node=name,
        card=card.index,
        used_bytes=card.used_bytes,
        slack_bytes=card.slack_bytes,
        headroom_bytes=card.headroom_bytes,
        growth_percent=_growth(card, card.slack_bytes),
        growth_into_headroom_percent=_growth(card, card.slack_bytes + card.headroom_bytes),
    )


def _growth(card: CardBudget, room: int) -> Decimal:
    return (Decimal(room) * 100 / card.used_bytes).quantize(Decimal("0.01"), rounding="ROUND_FLOOR")
