"""Planning: candidates, packing, proof, command lines, and the audit, in that order."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from packer.domain.node import Inventory
from packer.domain.workload import Fleet, Objective, Workload
from packer.errors import Infeasible, InvalidInput, OutOfTime, Problem
from packer.memory.calibration import with_measured_processes
from packer.performance.learnt import Learnt
from packer.plan.assembly import Decision, assemble
from packer.plan.audit import audit
from packer.plan.conflict import reasons, refusals, relaxations
from packer.plan.count_trials import Weighing, none_has_a_plan, over_all_counts, packed_counts
from packer.plan.plan import Plan
from packer.plan.replica_choice import (
    Sets,
    Trial,
    best_trial,
    counts_to_try,
    with_counts,
    with_slots,
)
from packer.plan.running import Running
from packer.plan.tools import Facts, Tools
from packer.solver.candidates import CandidateSet, Offer, find_candidates_by_replicas
from packer.solver.feasibility import Answer, can_be_placed
from packer.solver.fleet_instance import fleet_instance
from packer.solver.offers import offers_of
from packer.solver.outcome import Progress
from packer.solver.requirements import Part
from packer.solver.stopping import Clock, Limits

# Answering "what would help" may take as long as this [s].
_QUESTIONS_SECONDS = 20.0
_ONE_QUESTION_SECONDS = 10.0
_ONE_QUESTION_EFFORT = 1.0

Known = dict[int, tuple[Workload, tuple[CandidateSet, ...]]]
"""Candidates of workloads by their identity; the workload is held, so that it stays its own."""


def make_plan(
    fleet: Fleet,
    inventory: Inventory,
    tools: Tools,
    facts: Facts,
    *,
    limits: Limits,
    progress: Callable[[Progress], None] | None = None,
    current: tuple[Running, ...] = (),
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
    families = _families(fleet, offers, learnt)
    counts = counts_to_try(families, offers, fleet.load_limit_percent)
    weigh = Weighing(inventory, limits, current, move_weight)
    trials = packed_counts(fleet, counts, weigh, progress)
    best = best_trial(trials)
    if best is None:
        if none_has_a_plan(trials, families, counts, weigh):
            raise _infeasible(trials[0], inventory, learnt, brief=brief)
        first = trials[0]
        raise OutOfTime(first.packed.value(first.solution.bound or 0), limits.time_seconds)
    solution = best.solution
    if len(trials) > 1:
        solution = over_all_counts(best, trials, families, counts, weigh)
    served = with_slots(best)
    decision = Decision(
        served,
        inventory,
        best.packed,
        best.sets,
        offers,
        solution,
        current,
        brief,
        tuple(trials),
        tuple(
            (family[0].workload.name, tuple(one.workload.replicas for one in family))
            for family in families
        ),
    )
    plan = assemble(decision, tools, facts, limits)
    audit(plan, served, bare, tools.parse_arguments)
    seconds = round(time.monotonic() - started, 3)
    run = replace(plan.run, solver_seconds=round(solution.seconds, 3), total_seconds=seconds)
    return replace(plan, run=run)


def _families(
    fleet: Fleet,
    offers: tuple[Offer, ...],
    learnt: Learnt | None,
    known: Known | None = None,
) -> tuple[tuple[CandidateSet, ...], ...]:
    """Per workload, its candidates with each number of replicas worth planning with.

    Args:
        fleet: Its workloads.
        offers: What every product has room for.
        learnt: What was measured.
        known: Answers for equal offers, added to.
    """
    build, share = fleet.server_image.build, fleet.load_limit_percent / 100
    answers: Known = {} if known is None else known
    for one in fleet.workloads:
        if id(one) not in answers:
            found = find_candidates_by_replicas(
                one, offers, build=build, learnt=learnt, most_share=share
            )
            answers[id(one)] = one, found
    return tuple(answers[id(one)][1] for one in fleet.workloads)


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
    trial: Trial, inventory: Inventory, learnt: Learnt | None, *, brief: bool
) -> Infeasible:
    """Why there is no plan, of the most promising numbers of replicas."""
    fleet, sets, conflict = trial.fleet, trial.sets, trial.solution.conflict
    because = reasons(conflict, fleet, sets, inventory)
    if brief:
        return Infeasible(because)
    deadline = time.monotonic() + _QUESTIONS_SECONDS

    known: Known = {}

    def attempt(changed_fleet: Fleet, changed_inventory: Inventory) -> bool | None:
        if time.monotonic() > deadline:
            return None
        offers = offers_of(changed_inventory, changed_fleet.headroom)
        same = offers == offers_of(inventory, fleet.headroom)
        families = _families(changed_fleet, offers, learnt, known if same else {})
        counts = counts_to_try(families, offers, changed_fleet.load_limit_percent)
        return any(_has_plan(changed_fleet, changed_inventory, sets) for sets in counts.tried)

    return Infeasible(
        because,
        relaxations(_named(conflict, fleet), fleet, inventory, attempt),
        refusals(sets),
    )


def _has_plan(fleet: Fleet, inventory: Inventory, sets: Sets) -> bool:
    """Whether a plan with these numbers of replicas is found at once."""
    if not all(one.candidates for one in sets):
        return False
    packed = fleet_instance(with_counts(fleet, sets), inventory, sets)
    clock = Clock(Limits(time_seconds=_ONE_QUESTION_SECONDS))
    whole = Part(packed.instance, frozenset())
    return can_be_placed(whole, clock, _ONE_QUESTION_EFFORT) is Answer.POSSIBLE


def _named(conflict: Sequence[str], fleet: Fleet) -> list[str]:
    """Workloads a conflict speaks of, in the order of the fleet."""
    spoken = {one.split(":")[1] for one in conflict if not one.startswith("constraint:")}
    return [workload.name for workload in fleet.workloads if workload.name in spoken]
