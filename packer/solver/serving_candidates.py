"""Candidates of workloads with a demand, goals or a choice of drafters, each with its load."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from packer.domain.speculation import Drafter, Speculation
from packer.domain.workload import Variant, Workload
from packer.memory.layer_split import HOST
from packer.performance.serving_goal import least_share, meets_goals, shortfall
from packer.performance.speculation_choice import AS_FAST, SpeculationVerdict
from packer.solver.candidate import Candidate, Considered, Offer, Refused, ServerWay
from packer.solver.known_sizes import KnownSizes
from packer.solver.least_weights import too_large
from packer.solver.serving_ways import ServingWays, rounded_share


@dataclass
class ServingSearch:
    """One workload with a number of replicas on one product, with one file and cache type."""

    workload: Workload
    rank: int
    cache_type: str
    offer: Offer
    known: KnownSizes
    found: list[Candidate] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    considered: list[Considered] = field(default_factory=list)

    def run(self) -> None:
        """Try every way to draft; what does not fit, pay or suffice is refused in words."""
        reason = too_large(self.workload, self._variant, self.offer)
        if reason:
            self._refuse(reason)
            return
        slots = self._busy_slots()
        if not self.workload.speculations:
            self.found += self._sized(None, slots)
            return
        by_speed: list[tuple[SpeculationVerdict, list[Candidate]]] = []
        case = self._ways.case
        for chosen in self._speculations():
            verdict = case.verdict(chosen, case, slots)
            self._consider(chosen, verdict)
            if self._is_pointless(chosen, verdict):
                continue
            some = self._sized(chosen, slots)
            if some:
                by_speed.append((verdict, some))
        fastest = min((verdict.seconds_per_token for verdict, _ in by_speed), default=0.0)
        by_speed.sort(key=lambda one: _slowness(one[0], fastest))
        for slowness, (_, some) in enumerate(by_speed):
            self.found += [replace(one, slowness=slowness) for one in some]

    @property
    def _variant(self) -> Variant:
        return self.workload.variants[self.rank]

    @property
    def _ways(self) -> ServingWays:
        return self.known.ways(self.workload, self.rank, self.cache_type, self.offer)

    def _speculations(self) -> list[Speculation]:
        """Ways to draft, the one without first."""
        return sorted(self.workload.speculations, key=lambda one: one.drafter is not Drafter.NONE)

    def _is_pointless(self, chosen: Speculation, verdict: SpeculationVerdict) -> bool:
        """Whether the plain server, which is allowed too, is faster."""
        allows_plain = any(one.drafter is Drafter.NONE for one in self.workload.speculations)
        return chosen.drafter is not Drafter.NONE and allows_plain and not verdict.pays

    def _busy_slots(self) -> int:
        """Slots at which drafters are judged: what is busy with the first way that suffices."""
        if self.workload.demand is None:
            return self.workload.slots
        first = next(iter(self._speculations()), None)
        ways, _ = self._ways.of(first, self.workload.replicas)
        if not ways or ways[0].slots is None:
            return self.workload.slots
        return ways[0].slots

    def _sized(self, chosen: Speculation | None, slots: int) -> list[Candidate]:
        """Candidates of one way to draft, with the load they have where their layers are."""
        ways, reason = self._ways.of(chosen, self.workload.replicas)
        if not ways:
            self._refuse(_named(chosen, reason))
        found: list[Candidate] = []
        for way in ways:
            some, reason = self.known.sized(
                self.workload, self.rank, self.cache_type, self.offer, way
            )
            if reason:
                self._refuse(_named(chosen, reason))
            for one in some:
                found += self._at_its_place(one, way, slots)
        return found

    def _at_its_place(self, one: Candidate, way: ServerWay, slots: int) -> Iterator[Candidate]:
        """The candidate with its way and load, if it reaches the goals with its layers."""
        layers, plain = one.estimate.layers, self._ways.case
        if layers == plain.assumed_layers and not one.options.cpu_moe_layers:
            yield replace(one, way=way)
            return
        case = plain.placed(layers, one.options)
        drafting = case.drafting(way.speculation)
        if way.speculation is not None and way.speculation.drafter is not Drafter.NONE:
            verdict = case.verdict(drafting, plain, slots)
            if self._is_pointless(way.speculation, verdict):
                self._consider(way.speculation, verdict)
                return
        if self.workload.demand is None:
            some, reason = ServingWays(case).of(way.speculation, self.workload.replicas)
            if not some:
                self._refuse(_named(way.speculation, reason))
                return
            yield replace(one, way=way)
            return
        load, asked = case.load(drafting), case.asked(self.workload.replicas)
        held = way.slots or self.workload.slots
        if not meets_goals(load, asked, held, case.most_share):
            short = shortfall(load, asked, held, case.most_share)
            self._refuse(_named(way.speculation, f"{_where(one)}: {short}"))
            return
        permille = rounded_share(least_share(load, asked, held), case.most_share)
        if way.pool_cells is not None:
            # Its cells are for what is in flight with that part of the cards' time.
            permille = max(permille, way.load_permille)
        yield replace(one, way=replace(way, load_permille=permille))

    def _consider(self, chosen: Speculation, verdict: SpeculationVerdict) -> None:
        reason = verdict.reason
        if verdict.failed is not None:
            reason = f"{verdict.failed}; {reason}"
        one = Considered(self.rank, self.cache_type, self.offer.gpu.name, str(chosen), reason)
        if one not in self.considered:
            self.considered.append(one)

    def _refuse(self, reason: str) -> None:
        name, gpu = self.workload.name, self.offer.gpu.name
        one = Refused(name, self.rank, self.cache_type, gpu, reason)
        if one not in self.refused:
            self.refused.append(one)


def _slowness(verdict: SpeculationVerdict, fastest: float) -> tuple[bool, float, float]:
    """Order of ways to draft: of those nearly as fast as the fastest, shallow ones first."""
    is_slower = verdict.seconds_per_token > fastest * AS_FAST
    depth = 0 if is_slower else verdict.speculation.depth
    return is_slower, depth, verdict.seconds_per_token


def _where(one: Candidate) -> str:
    layers = one.estimate.layers
    if HOST in layers:
        return "with layers on the CPU"
    if one.options.cpu_moe_layers:
        return "with experts on the CPU"
    return f"over {max(layers) + 1} cards" if any(layers) else "on one card"


def _named(chosen: Speculation | None, reason: str) -> str:
    if chosen is None:
        return reason
    return f"{chosen if chosen.depth else 'without drafting'}: {reason}"
