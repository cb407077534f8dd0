"""A fleet and an inventory as a scenario changes them. Exact."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal

from packer.domain.demand import Demand
from packer.domain.model import ModelFile
from packer.domain.node import Inventory, NodePool, Price
from packer.domain.payment import Payment
from packer.domain.price_book import rounded_price
from packer.domain.quantization import ELEMENT_TYPES_BY_NAME, ElementType
from packer.domain.workload import Fleet, Objective, Variant, Workload
from packer.errors import Infeasible, InvalidInput, Problem, Reason
from packer.plan.scenario import ANY, PriceTerms, Scenario

NATIVE_TYPE = "mxfp4"
"""Models that have tensors of this type are published in it; no finer file of them exists."""
_SUFFIXES = ("", "_S", "_M", "_L", "_XL")


def changed_fleet(fleet: Fleet, scenario: Scenario, objective: Objective | None = None) -> Fleet:
    """The fleet with a scenario's contexts, files and replicas.

    Raises:
        InvalidInput: The scenario names a workload that the fleet lacks, or a context is longer
            than a model was trained for.
        Infeasible: A workload lists no file that reaches the quantization floor.
    """
    problems = [*_unknown_workloads(fleet, scenario), *_too_long(fleet, scenario)]
    if problems:
        raise InvalidInput(problems)
    floor = floor_bits(scenario.quantization_floor)
    workloads = tuple(_changed(one, scenario, floor) for one in fleet.workloads)
    short = [one.name for one in workloads if not one.variants]
    if short:
        what = f"no quantization of {{}} reaches {scenario.quantization_floor}"
        raise Infeasible(Reason(f"floor:{name}", what.format(name)) for name in short)
    return replace(fleet, workloads=workloads, objective=objective or fleet.objective)


def changed_inventory(inventory: Inventory, prices: PriceTerms) -> Inventory:
    """The inventory at a scenario's prices; what has no price on its terms has none.

    Raises:
        InvalidInput: The scenario gives the price of a pool that the inventory lacks.
    """
    known = [pool.name for pool in inventory.pools]
    unknown = [name for name in prices.pools if name not in known]
    if unknown:
        title = f"prices {prices.name}: {inventory.name} has no pool {', '.join(unknown)}"
        raise InvalidInput(Problem("P0261", title, help=f"pools: {', '.join(known)}"))
    return replace(inventory, pools=tuple(_priced(pool, prices) for pool in inventory.pools))


def floor_bits(name: str) -> Decimal:
    """Bits per element of the type a quantization is named after; 0 for ``any``. Exact.

    Raises:
        InvalidInput: It is named after no type of ggml.
    """
    if name.casefold() == ANY:
        return Decimal(0)
    types = {known.casefold(): one for known, one in ELEMENT_TYPES_BY_NAME.items()}
    for suffix in _SUFFIXES:
        found = types.get(name.upper().removesuffix(suffix).casefold())
        if found and name.upper().endswith(suffix):
            return bits_per_element(found)
    title = f"quantization floor {name} is named after no type of ggml"
    known = ", ".join(sorted(one.upper() for one in types if one[0] in "qib"))
    raise InvalidInput(
        Problem("P0262", title, help=f"a type, with _S, _M or _L if need be: {known}")
    )


def bits_per_element(type_: ElementType) -> Decimal:
    """Bits one element takes, block scales included. Exact."""
    return Decimal(8 * type_.block_bytes) / type_.block_elements


def reaches(model: ModelFile, floor: Decimal) -> bool:
    """Whether the type that holds most elements of a file has at least as many bits. Exact.

    Files in a model's native type always do: nothing was lost.
    """
    elements: Counter[str] = Counter()
    for tensor in model.tensors:
        elements[tensor.type.name] += tensor.element_count
    if not elements:
        return True
    (main, _), *_ = elements.most_common(1)
    return NATIVE_TYPE in elements or bits_per_element(ELEMENT_TYPES_BY_NAME[main]) >= floor


def _changed(workload: Workload, scenario: Scenario, floor: Decimal) -> Workload:
    growth = scenario.demand.of(workload.name)
    is_derived = workload.derives_replicas
    replicas = workload.replicas if is_derived else _ceiling(workload.replicas * growth)
    least = workload.min_available
    return replace(
        workload,
        context_per_slot=_context(workload, scenario),
        variants=tuple(one for one in workload.variants if reaches(one.model, floor)),
        replicas=replicas,
        demand=_grown(workload.demand, growth) if workload.demand else None,
        min_available=None if least is None else min(least, replicas),
    )


def _grown(demand: Demand, growth: Decimal) -> Demand:
    """More requests of the same kind."""
    return replace(
        demand,
        requests_per_second=demand.requests_per_second * float(growth),
        mean_requests_per_second=demand.mean_requests_per_second * float(growth),
    )


def _context(workload: Workload, scenario: Scenario) -> int:
    """Tokens of a conversation; texts to embed or to rank do not grow unless one says so."""
    is_named = workload.name in scenario.context.workloads
    if (workload.embedding or workload.reranking) and not is_named:
        return workload.context_per_slot
    return _ceiling(workload.context_per_slot * scenario.context.of(workload.name))


def _ceiling(amount: Decimal) -> int:
    return int(amount.to_integral_value(ROUND_CEILING))


def _unknown_workloads(fleet: Fleet, scenario: Scenario) -> Iterator[Problem]:
    known = [one.name for one in fleet.workloads]
    for factor, what in ((scenario.context, "context"), (scenario.demand, "demand")):
        unknown = [name for name in factor.workloads if name not in known]
        if unknown:
            title = f"{what} {factor.name}: the fleet has no workload {', '.join(unknown)}"
            yield Problem("P0261", title, help=f"workloads: {', '.join(known)}")


def _too_long(fleet: Fleet, scenario: Scenario) -> Iterator[Problem]:
    for workload in fleet.workloads:
        context = _context(workload, scenario)
        limits = [limit for one in workload.variants if (limit := _trained(one)) is not None]
        limit = min(limits, default=context)
        if context > max(limit, workload.context_per_slot):
            title = f"{workload.name}: context {context} is over the model's limit"
            why = f"{workload.model} was trained for {limit} tokens"
            yield Problem("P0205", title, why=why, help="leave the workload out of this growth")


def _trained(variant: Variant) -> int | None:
    try:
        return variant.model.context_length
    except KeyError:
        return None


def _priced(pool: NodePool, prices: PriceTerms) -> NodePool:
    payment = prices.payment or pool.payment
    given = prices.pools.get(pool.name)
    if given is not None:
        currency = pool.price.currency if pool.price else "USD"
        price: Price | None = Price(given, currency=currency, source=prices.name)
        return replace(pool, price=price, payment=Payment.ON_DEMAND)
    price = _scaled(pool.price, prices.factor) if pool.price else None
    return replace(pool, price=price, payment=payment)


def _scaled(price: Price, factor: Decimal) -> Price:
    def scaled(amount: Decimal | None) -> Decimal | None:
        return None if amount is None else rounded_price(amount * factor)

    if factor == 1:
        return price
    return replace(
        price,
        on_demand=scaled(price.on_demand),
        spot=scaled(price.spot),
        reserved_1y=scaled(price.reserved_1y),
        reserved_3y=scaled(price.reserved_3y),
    )
