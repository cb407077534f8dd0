"""Planning everything anew after a change, as a question: what would it take, and is it proved?"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from packer.domain.node import Inventory
from packer.domain.workload import Fleet
from packer.plan.conflict import reasons
from packer.plan.risk import Replanned, Verdict
from packer.solver.candidates import CandidateSet, Offer, find_candidates
from packer.solver.fleet_instance import FleetInstance, fleet_instance
from packer.solver.instance import Instance
from packer.solver.offers import offers_of
from packer.solver.outcome import Solution, Status
from packer.solver.short_menu import solve_rentals
from packer.solver.stopping import Limits


@dataclass
class Questions:
    """Asks what planning gives after a change, each within its limits and all within a time.

    Attributes:
        value: Objective of the plan that changes are measured against.
        limits: What each answer may spend.
        seconds: What all answers together may take [s].
    """

    fleet: Fleet
    inventory: Inventory
    value: Decimal
    limits: Limits
    seconds: float
    _started: float = field(default_factory=time.monotonic)
    _known: dict[int, tuple[Fleet, tuple[CandidateSet, ...]]] = field(default_factory=dict)

    def on(self, inventory: Inventory) -> Replanned:
        """The same fleet on other nodes, of products it had before."""
        return self._answer(self.fleet, inventory, self._sets())

    def of(self, fleet: Fleet) -> Replanned:
        """Another fleet on the same nodes."""
        if not self._has_time():
            return Replanned(Verdict.NOT_ASKED)
        return self._answer(fleet, self.inventory, _candidates(fleet, self._offers()))

    def with_replicas(self, fleet: Fleet) -> Replanned:
        """The same workloads with other numbers of replicas."""
        sets = tuple(
            replace(one, workload=workload)
            for one, workload in zip(self._sets(), fleet.workloads, strict=True)
        )
        return self._answer(fleet, self.inventory, sets)

    def with_memory(self, percent: int) -> Replanned:
        """Every process with that many percent more memory on its cards, or fewer."""
        if not self._has_time():
            return Replanned(Verdict.NOT_ASKED)
        # What is found must fit once it has grown, so it is looked for in smaller room.
        offers = tuple(
            replace(one, room_bytes=one.room_bytes * 100 // (100 + percent))
            for one in self._offers()
        )
        sets = _candidates(self.fleet, offers)
        return self._answer(self.fleet, self.inventory, sets, percent)

    def _offers(self) -> tuple[Offer, ...]:
        return offers_of(self.inventory, self.fleet.headroom)

    def _sets(self) -> tuple[CandidateSet, ...]:
        """Candidates of the fleet as it is, found once."""
        if 0 not in self._known:
            self._known[0] = (self.fleet, _candidates(self.fleet, self._offers()))
        return self._known[0][1]

    def _has_time(self) -> bool:
        return time.monotonic() - self._started < self.seconds

    def _answer(
        self,
        fleet: Fleet,
        inventory: Inventory,
        sets: Sequence[CandidateSet],
        percent: int = 0,
    ) -> Replanned:
        if not self._has_time():
            return Replanned(Verdict.NOT_ASKED)
        stuck = [f"count:{one.workload.name}" for one in sets if not one.candidates]
        if stuck:
            texts = tuple(one.text for one in reasons(stuck, fleet, sets, inventory))
            return Replanned(Verdict.DOES_NOT_FIT, is_proved=True, reasons=texts)
        packed = fleet_instance(fleet, inventory, sets)
        if percent:
            packed = replace(packed, instance=_grown(packed.instance, percent))
        solution = solve_rentals(packed.instance, self.limits)
        if solution.status is Status.INFEASIBLE:
            texts = tuple(one.text for one in reasons(solution.conflict, fleet, sets, inventory))
            return Replanned(Verdict.DOES_NOT_FIT, is_proved=True, reasons=texts)
        return self._figures(packed, solution)

    def _figures(self, packed: FleetInstance, solution: Solution) -> Replanned:
        bound = None if solution.bound is None else packed.value(solution.bound)
        if solution.objective is None:
            return Replanned(Verdict.UNKNOWN, bound=bound)
        assigned = packed.assignments(solution.placed)
        prices = {one.node_name: one.pool.price_per_hour for one in assigned}
        known = [price for price in prices.values() if price is not None]
        return Replanned(
            verdict=Verdict.FITS,
            is_proved=solution.status is Status.OPTIMAL,
            cards=len({(one.node_name, gpu) for one in assigned for gpu in one.gpus}),
            price_per_hour=sum(known, Decimal(0)) if len(known) == len(prices) else None,
            objective_change=packed.value(solution.objective) - self.value,
            bound=bound,
        )


def _candidates(fleet: Fleet, offers: tuple[Offer, ...]) -> tuple[CandidateSet, ...]:
    build = fleet.server_image.build
    return tuple(find_candidates(one, offers, build=build) for one in fleet.workloads)


def _grown(instance: Instance, percent: int) -> Instance:
    """Every share of a card in the first dimension larger by a percentage, rounded up."""

    def grown(share: tuple[int, ...]) -> tuple[int, ...]:
        return (-(-share[0] * (100 + percent) // 100), *share[1:])

    items = tuple(
        replace(
            item,
            alternatives=tuple(
                replace(a, shares=tuple(map(grown, a.shares))) for a in item.alternatives
            ),
        )
        for item in instance.items
    )
    return replace(instance, items=items)
