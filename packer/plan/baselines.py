"""The same fleet planned in simpler ways, so that a reader sees what packing is worth."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from packer.domain.node import Inventory
from packer.domain.workload import Fleet, Objective, Variant, Workload
from packer.plan.fp16 import as_fp16
from packer.plan.plan import Baselines
from packer.solver.candidates import CandidateSet, Offer, find_candidates
from packer.solver.first_fit import first_fit_decreasing
from packer.solver.fleet_instance import FleetInstance


@dataclass(frozen=True)
class CardSetBaseline:
    """Cards and money when every replica has cards of its own.

    Attributes:
        cards: None when some workload fits on no card set of the inventory.
        price_per_hour: Cards at their share of the node price; None when a price is unknown.
        missing: Workloads that fit nowhere that way.
    """

    cards: int | None
    price_per_hour: Decimal | None
    missing: tuple[str, ...]


def card_price(inventory: Inventory, product: str) -> Decimal | None:
    """Cheapest hourly price of one card of a product, as its share of a node; None if unknown."""
    prices = [
        pool.price_per_hour / pool.gpus_per_node
        for pool in inventory.pools
        if pool.gpu.name == product and pool.price_per_hour is not None
    ]
    return min(prices, default=None)


def one_fp16_model_per_card_set(
    fleet: Fleet, inventory: Inventory, offers: tuple[Offer, ...]
) -> CardSetBaseline:
    """Cards when each replica serves FP16 with an f16 cache, alone on its cards; supply ignored."""

    def candidates(workload: Workload) -> CandidateSet:
        model = as_fp16(workload.variants[0].model)
        twin = replace(
            workload.without_wishes(),
            variants=(Variant("FP16", model),),
            cache_types=("f16",),
            max_gpus=None,
        )
        build = fleet.server_image.build
        return find_candidates(twin, offers, build=build)

    return _card_sets(fleet.workloads, inventory, candidates)


def one_quantized_model_per_card_set(
    candidate_sets: Iterable[CandidateSet], inventory: Inventory
) -> CardSetBaseline:
    """Cards when each replica takes its smallest candidate, alone on its cards; supply ignored."""
    by_name = {one.workload.name: one for one in candidate_sets}
    workloads = [one.workload for one in by_name.values()]
    return _card_sets(workloads, inventory, lambda workload: by_name[workload.name])


def _card_sets(
    workloads: Iterable[Workload],
    inventory: Inventory,
    candidates: Callable[[Workload], CandidateSet],
) -> CardSetBaseline:
    cards, price, missing = 0, Decimal(0), []
    price_known = True
    for workload in workloads:
        options = candidates(workload).candidates
        if not options:
            missing.append(workload.name)
            continue
        cards += workload.replicas * min(len(one.shares_bytes) for one in options)
        prices = [
            each * len(one.shares_bytes)
            for one in options
            if (each := card_price(inventory, one.gpu)) is not None
        ]
        price_known = price_known and bool(prices)
        price += workload.replicas * min(prices, default=Decimal(0))
    return CardSetBaseline(
        None if missing else cards,
        price if price_known and not missing else None,
        tuple(missing),
    )


def baselines(
    fleet: Fleet,
    inventory: Inventory,
    packed: FleetInstance,
    sets: Sequence[CandidateSet],
    offers: tuple[Offer, ...],
    bound: Decimal,
) -> Baselines:
    """All baselines of a fleet, beside the proven bound of its objective."""
    fp16 = one_fp16_model_per_card_set(fleet, inventory, offers)
    quantized = one_quantized_model_per_card_set(sets, inventory)
    cards, price = _first_fit(packed)
    by_price = fleet.objective is Objective.PRICE
    return Baselines(
        fp16_one_model_per_card_set_cards=fp16.cards,
        fp16_one_model_per_card_set_price_per_hour=fp16.price_per_hour,
        quantized_one_model_per_card_set_cards=quantized.cards,
        quantized_one_model_per_card_set_price_per_hour=quantized.price_per_hour,
        first_fit_decreasing_cards=cards,
        first_fit_decreasing_price_per_hour=price,
        lower_bound_cards=None if by_price else int(bound),
        lower_bound_price_per_hour=bound if by_price else None,
        notes=_notes(fp16, inventory),
    )


def only_bound(objective: Objective, bound: Decimal) -> Baselines:
    """No simpler way beside a plan, only the proven bound of its objective."""
    by_price = objective is Objective.PRICE
    return Baselines(
        *(None, None, None, None, None, None),
        lower_bound_cards=None if by_price else int(bound),
        lower_bound_price_per_hour=bound if by_price else None,
    )


def _first_fit(packed: FleetInstance) -> tuple[int | None, Decimal | None]:
    placed = first_fit_decreasing(packed.instance)
    if placed is None:
        return None, None
    assigned = packed.assignments(placed)
    cards = len({(one.node_name, gpu) for one in assigned for gpu in one.gpus})
    prices = {one.node_name: one.pool.price_per_hour for one in assigned}
    known = [price for price in prices.values() if price is not None]
    return cards, sum(known, Decimal(0)) if len(known) == len(prices) else None


def _notes(fp16: CardSetBaseline, inventory: Inventory) -> tuple[str, ...]:
    notes = [
        "one model per card set: each replica on the fewest cards of one node that hold it alone, "
        "supply ignored; FP16 means every quantized tensor but MXFP4 at 16 bits, and an f16 cache"
    ]
    if fp16.missing:
        notes.append(f"FP16 fits on no node here: {', '.join(fp16.missing)}")
    products = {pool.gpu.name for pool in inventory.pools}
    if all(card_price(inventory, product) is not None for product in products):
        notes.append("money of a card set: its cards' share of the node price")
    return tuple(notes)
