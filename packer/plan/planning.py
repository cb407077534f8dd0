"""Planning: candidates, packing, proof, command lines, and the audit, in that order."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

from packer.domain.node import Inventory
from packer.domain.workload import Fleet, Objective
from packer.errors import Infeasible, InvalidInput, OutOfTime, Problem
from packer.plan.audit import audit
from packer.plan.baselines import (
    CardSetBaseline,
    card_price,
    one_fp16_model_per_card_set,
    one_quantized_model_per_card_set,
)
from packer.plan.better_quantization import (
    refused_alternatives,
    why_not_better,
    worst_rank,
)
from packer.plan.building import node_budgets, placements_of, price_of
from packer.plan.conflict import reasons, refusals, relaxations
from packer.plan.plan import (
    Baselines,
    Plan,
    Policy,
    ServerImageUsed,
    Status,
    WorkloadSummary,
)
from packer.plan.tools import Facts, Tools
from packer.solver.assignment import Assignment, in_card_order
from packer.solver.candidates import CandidateSet, Offer, find_candidates
from packer.solver.first_fit import first_fit_decreasing
from packer.solver.fleet_instance import FleetInstance, fleet_instance
from packer.solver.instance import Instance
from packer.solver.offers import offers_of
from packer.solver.outcome import Progress, Solution
from packer.solver.solve import solve
from packer.solver.stopping import Limits

# Answering "what would help" and "why not better" may take as long as this, together [s].
_QUESTIONS_SECONDS = 20.0
_ONE_QUESTION_SECONDS = 2.0


def make_plan(
    fleet: Fleet,
    inventory: Inventory,
    tools: Tools,
    facts: Facts,
    *,
    limits: Limits,
    progress: Callable[[Progress], None] | None = None,
) -> Plan:
    """The plan of a fleet on an inventory, audited.

    Raises:
        Infeasible: No placement exists; reasons and what would help.
        OutOfTime: None was found in time.
        InvalidInput: The objective is price, and a pool has none.
        AuditFailed: The plan contradicts its own command lines, which is a bug.
    """
    started = time.monotonic()
    _require_prices(fleet, inventory)
    offers = offers_of(inventory, fleet.headroom)
    sets = _candidate_sets(fleet, offers)
    packed = fleet_instance(fleet, inventory, sets)
    stuck = [one.workload.name for one in sets if not one.candidates]
    if stuck:
        conflict = [f"count:{name}" for name in stuck]
        raise _infeasible(conflict, fleet, inventory, sets)
    solution = solve(packed.instance, limits, progress)
    if solution.status == "infeasible":
        raise _infeasible(solution.conflict, fleet, inventory, sets)
    if solution.status == "unknown":
        raise OutOfTime(solution.bound, limits.time_seconds)
    plan = _assemble(fleet, inventory, tools, facts, packed, sets, offers, solution, limits)
    audit(plan, fleet, inventory, tools.parse_arguments)
    seconds = round(time.monotonic() - started, 3)
    run = replace(plan.run, solver_seconds=round(solution.seconds, 3), total_seconds=seconds)
    return replace(plan, run=run)


def _candidate_sets(fleet: Fleet, offers: tuple[Offer, ...]) -> tuple[CandidateSet, ...]:
    build = fleet.server_image.build
    return tuple(find_candidates(workload, offers, build=build) for workload in fleet.workloads)


def _require_prices(fleet: Fleet, inventory: Inventory) -> None:
    if fleet.objective is not Objective.PRICE:
        return
    missing = [
        pool.name for pool in inventory.pools if not pool.price or pool.price.on_demand is None
    ]
    currencies = {pool.price.currency for pool in inventory.pools if pool.price}
    problems = []
    if missing:
        problems.append(
            Problem(
                "P0211",
                f"objective price, but no pricePerHour for {', '.join(missing)}",
                help="add pricePerHour to these pools, or write objective: cards",
            )
        )
    if len(currencies) > 1:
        problems.append(
            Problem(
                "P0212",
                f"prices in different currencies: {', '.join(sorted(currencies))}",
                help="give every pool's price in one currency",
            )
        )
    if problems:
        raise InvalidInput(problems)


def _infeasible(
    conflict: Sequence[str], fleet: Fleet, inventory: Inventory, sets: Sequence[CandidateSet]
) -> Infeasible:
    deadline = time.monotonic() + _QUESTIONS_SECONDS

    def attempt(changed_fleet: Fleet, changed_inventory: Inventory) -> bool | None:
        if time.monotonic() > deadline:
            return None
        offers = offers_of(changed_inventory, changed_fleet.headroom)
        changed_sets = _candidate_sets(changed_fleet, offers)
        if any(not one.candidates for one in changed_sets):
            return False
        packed = fleet_instance(changed_fleet, changed_inventory, changed_sets)
        found = solve(packed.instance, Limits(time_seconds=_ONE_QUESTION_SECONDS, gap=1.0), None)
        return found.status in ("optimal", "feasible")

    names = [name for name in _named(conflict, fleet)]
    return Infeasible(
        reasons(conflict, fleet, inventory, sets),
        relaxations(names, fleet, inventory, attempt),
        refusals(sets),
    )


def _named(conflict: Sequence[str], fleet: Fleet) -> list[str]:
    """Workloads a conflict speaks of, in the order of the fleet."""
    spoken = {part for one in conflict for part in one.split(":")[1:2]}
    return [workload.name for workload in fleet.workloads if workload.name in spoken]


def _assemble(
    fleet: Fleet,
    inventory: Inventory,
    tools: Tools,
    facts: Facts,
    packed: FleetInstance,
    sets: Sequence[CandidateSet],
    offers: tuple[Offer, ...],
    solution: Solution,
    limits: Limits,
) -> Plan:
    assignments = in_card_order(packed.assignments(solution.placed))
    placements = placements_of(assignments, fleet, tools.format_command)
    nodes = node_budgets(placements, fleet, inventory)
    price = price_of(nodes)
    value, bound = packed.value(solution.objective), packed.value(solution.bound)
    by_price = fleet.objective is Objective.PRICE
    currencies = {pool.price.currency for pool in inventory.pools if pool.price}
    return Plan(
        name=fleet.name,
        status=Status.OPTIMAL if solution.status == "optimal" else Status.FEASIBLE,
        objective=fleet.objective,
        objective_value=value,
        bound=bound,
        gap=float((value - bound) / value) if value else 0.0,
        cards=len({(one.node, gpu) for one in placements for gpu in one.gpus}),
        cards_available=inventory.gpu_count,
        price_per_hour=price if len(currencies) <= 1 else None,
        currency=next(iter(currencies)) if len(currencies) == 1 else "",
        baselines=_baselines(fleet, inventory, packed, sets, offers, bound),
        server=ServerImageUsed(fleet.server_image.image, fleet.server_image.build),
        workloads=_summaries(sets, assignments, packed, solution, limits),
        placements=placements,
        nodes=nodes,
        policy=Policy(
            objective=fleet.objective,
            headroom_bytes=fleet.headroom.bytes,
            headroom_percent=fleet.headroom.percent,
            keep_apart=fleet.keep_apart,
            keep_together=fleet.keep_together,
            seed=limits.seed,
            gap_limit=str(limits.gap),
        ),
        inputs=facts.inputs,
        versions=facts.versions,
        notes=_notes(sets, assignments, by_price),
        run=facts.run,
    )


def _notes(
    sets: Sequence[CandidateSet], assignments: Sequence[Assignment], by_price: bool
) -> tuple[str, ...]:
    notes = [
        f"{one.candidate.workload}: {note}"
        for one in assignments
        for note in one.candidate.estimate.notes
    ]
    estimated = sorted(
        {
            one.workload.name
            for one in sets
            if any(variant.model.basis != "exact" for variant in one.workload.variants)
        }
    )
    if estimated:
        notes.append(
            "sizes from the catalogue, to be replaced by the header of the real file: "
            + ", ".join(estimated)
        )
    if by_price:
        notes.append("money counts whole nodes with at least one replica")
    return tuple(dict.fromkeys(notes))


def _summaries(
    sets: Sequence[CandidateSet],
    assignments: Sequence[Assignment],
    packed: FleetInstance,
    solution: Solution,
    limits: Limits,
) -> tuple[WorkloadSummary, ...]:
    deadline = time.monotonic() + _QUESTIONS_SECONDS

    def resolve(changed: Instance) -> tuple[int, bool] | None:
        if time.monotonic() > deadline:
            return None
        short = replace(limits, time_seconds=_ONE_QUESTION_SECONDS)
        found = solve(changed, short, None)
        if found.status not in ("optimal", "feasible"):
            return None
        return found.objective, found.status == "optimal"

    return tuple(_summary(one, assignments, packed, solution, resolve) for one in sets)


def _summary(
    one: CandidateSet,
    assignments: Sequence[Assignment],
    packed: FleetInstance,
    solution: Solution,
    resolve: Callable[[Instance], tuple[int, bool] | None],
) -> WorkloadSummary:
    workload = one.workload
    rank = worst_rank(assignments, workload.name)
    default_available = workload.replicas - 1 if workload.replicas > 1 else 0
    chosen = workload.min_available
    return WorkloadSummary(
        name=workload.name,
        model=workload.model,
        architecture=workload.variants[0].model.architecture,
        replicas=workload.replicas,
        quantizations=tuple(variant.quantization for variant in workload.variants),
        cache_types=workload.cache_types,
        context_per_slot=workload.context_per_slot,
        slots=workload.slots,
        spread=workload.spread,
        embedding=workload.embedding,
        reranking=workload.reranking,
        min_available=default_available if chosen is None else chosen,
        why_not_better=why_not_better(one, rank, packed, solution.objective, resolve),
        refused=refused_alternatives(one),
    )


def _baselines(
    fleet: Fleet,
    inventory: Inventory,
    packed: FleetInstance,
    sets: Sequence[CandidateSet],
    offers: tuple[Offer, ...],
    bound: Decimal,
) -> Baselines:
    fp16 = one_fp16_model_per_card_set(fleet, inventory, offers)
    quantized = one_quantized_model_per_card_set(sets, inventory)
    greedy = first_fit_decreasing(packed.instance)
    cards, price = None, None
    if greedy is not None:
        assigned = packed.assignments(greedy)
        cards = len({(one.node_name, gpu) for one in assigned for gpu in one.gpus})
        price = _node_prices(assigned)
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
        notes=_baseline_notes(fp16, inventory),
    )


def _node_prices(assigned: Sequence[Assignment]) -> Decimal | None:
    prices = {one.node_name: one.pool.price for one in assigned}
    if any(price is None or price.on_demand is None for price in prices.values()):
        return None
    known = [price.on_demand for price in prices.values() if price and price.on_demand is not None]
    return sum(known, Decimal(0))


def _baseline_notes(fp16: CardSetBaseline, inventory: Inventory) -> tuple[str, ...]:
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
