"""Bytes and times of one workload that are known so far, whatever its number of replicas."""

from dataclasses import dataclass, field, replace

from packer.domain.workload import Workload
from packer.performance.learnt import Learnt
from packer.solver.candidate import AS_STATED, Candidate, Offer, ServerWay
from packer.solver.quick_sizing import QuickSizing
from packer.solver.replica_options import CommandLines, workload_options
from packer.solver.serving_case import ServingCase
from packer.solver.serving_ways import ServingWays

Sized = tuple[list[Candidate], str]


@dataclass
class KnownSizes:
    """Bytes and times known so far, which differ by slots and pool but not by replicas.

    Attributes:
        build: llama.cpp build of the server image.
        learnt: The user's own measurements.
        most_share: Part of a card's time that may be planned at all.
    """

    build: str
    learnt: Learnt | None = None
    most_share: float = 1.0
    _sized: dict[tuple[str, int, str, str, ServerWay], Sized] = field(default_factory=dict)
    _ways: dict[tuple[str, int, str, str], ServingWays] = field(default_factory=dict)
    _lines: dict[tuple[str, int, str, ServerWay], CommandLines] = field(default_factory=dict)

    def ways(self, workload: Workload, rank: int, cache_type: str, offer: Offer) -> ServingWays:
        """Ways to serve with one file and cache type on one product."""
        key = (workload.name, rank, cache_type, offer.gpu.name)
        if key not in self._ways:
            variant, calibration = workload.variants[rank], None
            if self.learnt is not None:
                calibration = self.learnt.speed(offer.gpu.name, variant.model, self.build)
            case = ServingCase(
                workload,
                variant,
                cache_type,
                offer,
                calibration,
                self.most_share,
                options=self._lines_of(workload, rank, cache_type, AS_STATED).plain,
                build=self.build,
            )
            self._ways[key] = ServingWays(case)
        return self._ways[key]

    def sized(
        self, workload: Workload, rank: int, cache_type: str, offer: Offer, way: ServerWay
    ) -> Sized:
        """Splits of one way that fit, or why none does; without its load."""
        bare = replace(way, load_permille=0)
        key = (workload.name, rank, cache_type, offer.gpu.name, bare)
        found = self._sized.get(key)
        if found is None:
            cache_rank = workload.cache_types.index(cache_type)
            lines = self._lines_of(workload, rank, cache_type, bare)
            variant = workload.variants[rank]
            sizing = QuickSizing(workload, variant, cache_type, offer, self.build, bare, lines)
            found = self._sized[key] = sizing.candidates(rank, cache_rank)
        return found

    def _lines_of(
        self, workload: Workload, rank: int, cache_type: str, way: ServerWay
    ) -> CommandLines:
        """Command lines of one way, which are the same on every product."""
        key = (workload.name, rank, cache_type, way)
        found = self._lines.get(key)
        if found is None:
            plain = workload_options(workload, workload.variants[rank], cache_type, way)
            found = self._lines[key] = CommandLines(plain)
        return found
