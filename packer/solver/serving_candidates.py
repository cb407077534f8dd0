"""Candidates of workloads with a demand, goals or a choice of drafters, each with its load."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from packer.domain.speculation import Drafter, Speculation
from packer.domain.workload import Variant, Workload
from packer.memory.layer_split import HOST
from packer.performance.calibration import Calibration
from packer.performance.learnt import Learnt
from packer.performance.serving_goal import least_share, meets_goals, shortfall
from packer.performance.speculation_choice import AS_FAST, SpeculationVerdict
from packer.solver.candidate import Candidate, Considered, Offer, Refused, ServerWay
from packer.solver.serving import ServingCase, fewest_replicas, placed, rounded_share
from packer.solver.sizing import QuickSizing
from packer.units import format_gib

_MOST_REPLICAS = 512
_MOST_COUNTS = 3

_Sized = tuple[list[Candidate], str]


@dataclass
class SizedWays:
    """Bytes and times known so far, which differ by slots and pool but not by replicas."""

    kept: dict[tuple[str, int, str, str, ServerWay], _Sized] = field(default_factory=dict)
    cases: dict[tuple[str, int, str, str], ServingCase] = field(default_factory=dict)

    def case(
        self,
        workload: Workload,
        rank: int,
        cache_type: str,
        offer: Offer,
        calibration: Calibration | None,
        most_share: float,
        build: str,
    ) -> ServingCase:
        """One file and cache type on one product, whatever the number of replicas."""
        key = (workload.name, rank, cache_type, offer.gpu.name)
        if key not in self.cases:
            variant = workload.variants[rank]
            self.cases[key] = ServingCase(
                workload, variant, cache_type, offer, calibration, most_share, build=build
            )
        return self.cases[key]

    def sized(
        self,
        workload: Workload,
        rank: int,
        cache_type: str,
        offer: Offer,
        way: ServerWay,
        build: str,
    ) -> _Sized:
        """Splits of one way that fit, or why none does; without its load."""
        bare = replace(way, load_permille=0)
        key = (workload.name, rank, cache_type, offer.gpu.name, bare)
        if key not in self.kept:
            cache_rank = workload.cache_types.index(cache_type)
            sizing = QuickSizing(workload, workload.variants[rank], cache_type, offer, build, bare)
            self.kept[key] = sizing.candidates(rank, cache_rank)
        return self.kept[key]


@dataclass
class ServingSearch:
    """One workload with a number of replicas on one product, with one file and cache type."""

    workload: Workload
    rank: int
    cache_type: str
    offer: Offer
    build: str
    sizes: SizedWays
    learnt: Learnt | None
    most_share: float
    found: list[Candidate] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    considered: list[Considered] = field(default_factory=list)

    def run(self) -> None:
        """Try every way to draft; what does not fit, pay or suffice is refused in words."""
        reason = _too_large(self.workload, self._variant, self.offer)
        if reason:
            self._refuse(reason)
            return
        slots = self._busy_slots()
        if not self.workload.speculations:
            self.found += self._sized(None, slots)
            return
        by_speed: list[tuple[SpeculationVerdict, list[Candidate]]] = []
        case = self._case
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
    def _case(self) -> ServingCase:
        calibration = None
        if self.learnt is not None:
            gpu, model = self.offer.gpu.name, self._variant.model
            calibration = self.learnt.speed(gpu, model, self.build)
        return self.sizes.case(
            self.workload,
            self.rank,
            self.cache_type,
            self.offer,
            calibration,
            self.most_share,
            self.build,
        )

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
        ways, _ = self._case.ways(first, self.workload.replicas)
        if not ways or ways[0].slots is None:
            return self.workload.slots
        return ways[0].slots

    def _sized(self, chosen: Speculation | None, slots: int) -> list[Candidate]:
        """Candidates of one way to draft, with the load they have where their layers are."""
        ways, reason = self._case.ways(chosen, self.workload.replicas)
        if not ways:
            self._refuse(_named(chosen, reason))
        found: list[Candidate] = []
        for way in ways:
            some, reason = self.sizes.sized(
                self.workload, self.rank, self.cache_type, self.offer, way, self.build
            )
            if reason:
                self._refuse(_named(chosen, reason))
            for one in some:
                found += self._at_its_place(one, way, slots)
        return found

    def _at_its_place(self, one: Candidate, way: ServerWay, slots: int) -> Iterator[Candidate]:
        """The candidate with its way and load, if it reaches the goals with its layers."""
        way = replace(way, expert_layers_on_host=one.way.expert_layers_on_host)
        layers = one.estimate.layers
        is_assumed = not any(layers)  # one card, as the search took it
        if is_assumed and not one.options.cpu_moe_layers:
            yield replace(one, way=way)
            return
        case = placed(self._case, layers, one.options)
        drafting = case.drafting(way.speculation)
        if way.speculation is not None and way.speculation.drafter is not Drafter.NONE:
            verdict = case.verdict(drafting, self._case, slots)
            if self._is_pointless(way.speculation, verdict):
                self._consider(way.speculation, verdict)
                return
        if self.workload.demand is None:
            some, reason = case.ways(way.speculation, self.workload.replicas)
            if not some:
                self._refuse(_named(way.speculation, reason))
                return
            yield replace(one, way=way)
            return
        load, asked = case.load(drafting), case.asked(self.workload.replicas)
        held = way.slots or self.workload.slots
        if not meets_goals(load, asked, held, self.most_share):
            where = "with layers on the CPU" if HOST in layers else f"over {max(layers) + 1} cards"
            short = shortfall(load, asked, held, self.most_share)
            self._refuse(_named(way.speculation, f"{where}: {short}"))
            return
        permille = rounded_share(least_share(load, asked, held), self.most_share)
        yield replace(one, way=replace(way, load_permille=max(permille, way.load_permille)))

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


def replica_counts(
    workload: Workload,
    offers: tuple[Offer, ...],
    build: str,
    learnt: Learnt | None,
    most_share: float,
    sizes: SizedWays,
) -> tuple[int, ...]:
    """Numbers of replicas worth planning with: the fewest each product needs, and one more."""
    if not workload.derives_replicas:
        return (workload.replicas,)
    least = max(1, workload.min_available or 1)
    counts: set[int] = set()
    for offer in offers:
        fewest = [
            count
            for rank, variant in enumerate(workload.variants)
            if not _too_large(workload, variant, offer)
            for count in [_fewest(workload, rank, offer, build, learnt, most_share, sizes)]
            if count is not None
        ]
        if fewest:
            counts |= {max(least, min(fewest)), max(least, min(fewest) + 1)}
    return tuple(sorted(counts)[:_MOST_COUNTS]) or (least,)


def _fewest(
    workload: Workload,
    rank: int,
    offer: Offer,
    build: str,
    learnt: Learnt | None,
    most_share: float,
    sizes: SizedWays,
) -> int | None:
    model = workload.variants[rank].model
    calibration = learnt.speed(offer.gpu.name, model, build) if learnt else None
    cache_type = workload.cache_types[0]
    case = sizes.case(workload, rank, cache_type, offer, calibration, most_share, build)
    return fewest_replicas(case, _MOST_REPLICAS)


def _too_large(workload: Workload, variant: Variant, offer: Offer) -> str:
    """Why the weights alone are too large for all cards of a node; empty if they are not.

    A bound that costs nothing: what fails it is not sized.
    """
    if workload.partial_offload.value != "none":
        return ""
    cards = min(offer.cards, workload.max_gpus or offer.cards)
    weights = int(variant.model.file_bytes * variant.model.size_low)
    weights -= _embedding_bytes(variant)
    if weights <= cards * offer.room_bytes:
        return ""
    room = format_gib(max(0, cards * offer.room_bytes))
    return f"needs {format_gib(weights)} GiB for weights alone, {cards} cards have {room} GiB"


def _embedding_bytes(variant: Variant) -> int:
    """Bytes that may stay in the node's memory: token embeddings of every kind."""
    return sum(t.data_bytes for t in variant.model.tensors if "token_embd" in t.name)


def _named(chosen: Speculation | None, reason: str) -> str:
    if chosen is None:
        return reason
    return f"{chosen if chosen.depth else 'without drafting'}: {reason}"
