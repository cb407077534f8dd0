"""A solved packing as a plan: placements, budgets, totals, and what a reader must know."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from packer.domain.basis import Basis
from packer.domain.node import Inventory, Sharing
from packer.domain.workload import Fleet, Objective
from packer.plan.baselines import baselines, only_bound
from packer.plan.building import node_budgets, placements_of, price_of
from packer.plan.demand_notes import counts_note, demand_notes
from packer.plan.moves import moves_between, running_replicas
from packer.plan.plan import Baselines, Plan, Policy, ServerImageUsed, Status
from packer.plan.replica_choice import Trial
from packer.plan.running import Running
from packer.plan.summaries import Questions, summaries
from packer.plan.tools import Facts, Tools
from packer.solver.assignment import Assignment, in_card_order
from packer.solver.candidates import CandidateSet, Offer
from packer.solver.fleet_instance import FleetInstance
from packer.solver.outcome import Solution
from packer.solver.running_state import with_kept_numbers
from packer.solver.stopping import Limits


@dataclass(frozen=True)
class Decision:
    """What was asked, what could be chosen, what runs now, and what the solver chose.

    Attributes:
        brief: Whether only the placement counts, not what a reader would compare it with.
        trials: Every combination of numbers of replicas that was packed.
        counts: Workloads whose number of replicas was chosen, with the numbers considered.
    """

    fleet: Fleet
    inventory: Inventory
    packed: FleetInstance
    sets: tuple[CandidateSet, ...]
    offers: tuple[Offer, ...]
    solution: Solution
    current: tuple[Running, ...] = ()
    brief: bool = False
    trials: tuple[Trial, ...] = ()
    counts: tuple[tuple[str, tuple[int, ...]], ...] = ()


def assemble(decision: Decision, tools: Tools, facts: Facts, limits: Limits) -> Plan:
    """The plan of a solution that places every replica; not yet audited."""
    fleet, inventory, packed = decision.fleet, decision.inventory, decision.packed
    solution = decision.solution
    assignments = _numbered(decision)
    placements = placements_of(assignments, fleet, tools.format_command, facts.calibration)
    nodes = node_budgets(placements, fleet, inventory)
    value, bound = packed.value(solution.objective or 0), packed.value(solution.bound or 0)
    currencies = sorted({pool.price.currency for pool in inventory.pools if pool.price})
    questions = None if decision.brief else Questions(packed, solution, limits)
    return Plan(
        name=fleet.name,
        status=Status.OPTIMAL if solution.status == "optimal" else Status.FEASIBLE,
        objective=fleet.objective,
        objective_value=value,
        bound=bound,
        gap=float((value - bound) / value) if value else 0.0,
        cards=len({(one.node, gpu) for one in placements for gpu in one.gpus}),
        cards_available=inventory.gpu_count,
        price_per_hour=price_of(nodes) if len(currencies) <= 1 else None,
        currency=currencies[0] if len(currencies) == 1 else "",
        baselines=_baselines(decision, bound),
        server=ServerImageUsed(fleet.server_image.image, fleet.server_image.build),
        workloads=summaries(decision.sets, assignments, questions, decision.trials),
        placements=placements,
        nodes=nodes,
        policy=_policy(decision, limits),
        inputs=facts.inputs,
        versions=facts.versions,
        notes=(*_notes(decision, assignments), *facts.notes),
        run=facts.run,
        moves=moves_between(decision.current, placements) if decision.current else None,
        calibration=facts.calibration,
    )


def _baselines(decision: Decision, bound: Decimal) -> Baselines:
    fleet, inventory, packed = decision.fleet, decision.inventory, decision.packed
    if decision.brief:
        return only_bound(fleet.objective, bound)
    return baselines(fleet, inventory, packed, decision.sets, decision.offers, bound)


def _numbered(decision: Decision) -> tuple[Assignment, ...]:
    """Assignments with their replica and card numbers: as they run now, or as reads best."""
    found = decision.packed.assignments(decision.solution.placed)
    if decision.current:
        return with_kept_numbers(found, running_replicas(decision.current))
    return in_card_order(found)


def _policy(decision: Decision, limits: Limits) -> Policy:
    fleet = decision.fleet
    has_load = "load_permille" in decision.packed.instance.dims
    return Policy(
        load_limit_permille=10 * fleet.load_limit_percent if has_load else 0,
        objective=fleet.objective,
        headroom_bytes=fleet.headroom.bytes,
        headroom_percent=fleet.headroom.percent,
        keep_apart=fleet.keep_apart,
        keep_together=fleet.keep_together,
        gateway=fleet.gateway,
        seed=limits.seed,
        gap_limit=str(limits.gap),
    )


def _notes(decision: Decision, assignments: Sequence[Assignment]) -> tuple[str, ...]:
    fleet, inventory = decision.fleet, decision.inventory
    notes = [
        f"{one.candidate.workload}: {note}"
        for one in assignments
        for note in one.candidate.estimate.notes
    ]
    estimated = _estimated(fleet, assignments)
    if estimated:
        notes.append(
            "sizes from the catalogue, to be replaced by the header of the real file: "
            + ", ".join(estimated)
        )
    routers = [pool.name for pool in inventory.pools if pool.sharing is Sharing.WHOLE]
    if routers and any(workload.replicas > 1 for workload in fleet.workloads):
        notes.append(
            "replicas of one workload share no card anywhere, because a router serves the cards "
            f"of {', '.join(routers)} and runs one process per model name; the bound counts this"
        )
    notes += demand_notes(fleet, assignments)
    notes += counts_note(decision.counts)
    if fleet.objective is Objective.PRICE:
        notes.append("money counts whole nodes with at least one replica")
    return tuple(dict.fromkeys(notes))


def _estimated(fleet: Fleet, assignments: Sequence[Assignment]) -> list[str]:
    """Workloads that load a file whose header was not read, in the order of the fleet."""
    chosen = {(one.candidate.workload, one.candidate.variant) for one in assignments}
    return [
        workload.name
        for workload in fleet.workloads
        if any(
            variant.model.basis is not Basis.EXACT
            for rank, variant in enumerate(workload.variants)
            if (workload.name, rank) in chosen
        )
        or (workload.draft and workload.draft.variant.model.basis is not Basis.EXACT)
        or (workload.projector and workload.projector.model.basis is not Basis.EXACT)
    ]
