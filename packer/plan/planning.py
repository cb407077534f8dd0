"""Planning: candidates, packing, proof, command lines, and the audit, in that order."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from packer.domain.node import Inventory
from packer.domain.workload import Fleet, Objective
from packer.errors import Infeasible, InvalidInput, OutOfTime, Problem
from packer.memory.calibration import with_measured_processes
from packer.plan.assembly import Decision, assemble
from packer.plan.audit import audit
from packer.plan.conflict import reasons, refusals, relaxations
from packer.plan.moves import running_replicas
from packer.plan.plan import Placement, Plan
from packer.plan.tools import Facts, Tools
from packer.solver.candidates import CandidateSet, Offer, find_candidates
from packer.solver.fleet_instance import FleetInstance, fleet_instance
from packer.solver.offers import offers_of
from packer.solver.outcome import Progress
from packer.solver.running_state import current_state
from packer.solver.solve import solve
from packer.solver.stopping import Limits
from packer.solver.useful_nodes import useful_nodes

# Answering "what would help" may take as long as this [s].
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
    current: tuple[Placement, ...] = (),
    move_weight: float | None = None,
    brief: bool = False,
) -> Plan:
    """The plan of a fleet on an inventory, audited.

    Args:
        fleet: What must be served.
        inventory: Where.
        tools: How command lines are written and read back.
        facts: What the plan records beside its figures.
        limits: What the solver may spend.
        progress: Told about phases, incumbents and bounds.
        current: What runs now.
        move_weight: What moving one GiB of weights is worth; None puts the objective first.
        brief: Leave out what only explains: simpler ways, better files, changes that would help.

    Raises:
        Infeasible: No placement exists; reasons and what would help.
        OutOfTime: None was found in time.
        InvalidInput: The objective is price, and a pool has none.
        AuditFailed: The plan contradicts its own command lines, which is a bug.
    """
    started = time.monotonic()
    _require_prices(fleet, inventory)
    bare, learnt = inventory, facts.calibration
    inventory = with_measured_processes(inventory, learnt.processes if learnt else ())
    offers = offers_of(inventory, fleet.headroom)
    sets = _candidate_sets(fleet, offers)
    weighs = move_weight is not None
    packed = fleet_instance(fleet, inventory, sets, weighs_moves=weighs)
    packed = _from_current(packed, current)
    if move_weight is not None:
        limits = replace(limits, move_weight=round(move_weight * packed.money_scale))
    stuck = [one.workload.name for one in sets if not one.candidates]
    if stuck:
        conflict = [f"count:{name}" for name in stuck]
        raise _infeasible(conflict, fleet, inventory, sets, brief=brief)
    useful = useful_nodes(packed.instance)
    solution = solve(useful.instance, limits, progress)
    solution = replace(solution, placed=useful.as_before(solution.placed))
    if solution.status == "infeasible":
        raise _infeasible(solution.conflict, fleet, inventory, sets, brief=brief)
    if solution.status == "unknown":
        raise OutOfTime(packed.value(solution.bound or 0), limits.time_seconds)
    decision = Decision(fleet, inventory, packed, sets, offers, solution, current, brief)
    plan = assemble(decision, tools, facts, limits)
    audit(plan, fleet, bare, tools.parse_arguments)
    seconds = round(time.monotonic() - started, 3)
    run = replace(plan.run, solver_seconds=round(solution.seconds, 3), total_seconds=seconds)
    return replace(plan, run=run)


def _from_current(packed: FleetInstance, current: tuple[Placement, ...]) -> FleetInstance:
    """The instance that prefers what runs now."""
    if not current:
        return packed
    state = current_state(packed, running_replicas(current))
    return replace(packed, instance=replace(packed.instance, current=state))


def _candidate_sets(fleet: Fleet, offers: tuple[Offer, ...]) -> tuple[CandidateSet, ...]:
    build = fleet.server_image.build
    return tuple(find_candidates(workload, offers, build=build) for workload in fleet.workloads)


def _require_prices(fleet: Fleet, inventory: Inventory) -> None:
    if fleet.objective is not Objective.PRICE:
        return
    missing = [pool.name for pool in inventory.pools if pool.price_per_hour is None]
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
    conflict: Sequence[str],
    fleet: Fleet,
    inventory: Inventory,
    sets: Sequence[CandidateSet],
    *,
    brief: bool,
) -> Infeasible:
    if brief:
        return Infeasible(reasons(conflict, fleet, sets))
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

    return Infeasible(
        reasons(conflict, fleet, sets),
        relaxations(_named(conflict, fleet), fleet, inventory, attempt),
        refusals(sets),
    )


def _named(conflict: Sequence[str], fleet: Fleet) -> list[str]:
    """Workloads a conflict speaks of, in the order of the fleet."""
    spoken = {one.split(":")[1] for one in conflict if not one.startswith("constraint:")}
    return [workload.name for workload in fleet.workloads if workload.name in spoken]
