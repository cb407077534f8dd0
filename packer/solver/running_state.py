"""What runs now, as the ``current`` of a packing instance: unchanged demand does not move."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from packer.solver.assignment import Assignment
from packer.solver.candidates import Candidate
from packer.solver.fleet_instance import FleetInstance
from packer.solver.instance import Current, Placed
from packer.units import GIB


@dataclass(frozen=True)
class RunningReplica:
    """One replica of the current plan.

    Attributes:
        layers_per_gpu: Layers on each card, in the order of ``gpus``.
    """

    workload: str
    replica: int
    model: str
    cache_type: str
    node: str
    gpus: tuple[int, ...]
    layers_per_gpu: tuple[int, ...]


def current_state(packed: FleetInstance, running: Iterable[RunningReplica]) -> Current:
    """Placements of running replicas that the instance still knows; each move costs its file.

    A replica whose workload, node or configuration is gone is left out: it has to move or stop
    whatever is planned. A move costs the GiB that must be read again, at least one.
    """
    sites = {
        pool.node_name(index): (number, position)
        for number, (pool, indices) in enumerate(packed.sites)
        for position, index in enumerate(indices)
    }
    placed = []
    for one in running:
        site = sites.get(one.node)
        if site is None:
            continue
        pool = packed.sites[site[0]][0]
        alternative = _alternative(packed.candidates.get(one.workload, ()), one, pool.gpu.name)
        if alternative is not None and all(gpu < pool.gpus_per_node for gpu in one.gpus):
            placed.append(Placed(one.workload, alternative, *site, one.gpus))
    return Current(tuple(placed), _move_costs(packed.candidates))


def _alternative(
    candidates: tuple[Candidate, ...], one: RunningReplica, product: str
) -> int | None:
    """Index of the candidate a replica runs as on a product."""
    for index, candidate in enumerate(candidates):
        layers = candidate.estimate.layers
        counts = tuple(layers.count(card) for card in range(len(candidate.shares_bytes)))
        same = (candidate.gpu, candidate.options.model, candidate.options.cache_type_k, counts)
        if same == (product, one.model, one.cache_type, one.layers_per_gpu):
            return index
    return None


def _move_costs(candidates: Mapping[str, tuple[Candidate, ...]]) -> dict[str, int]:
    return {
        name: max((_weights_gib(one) for one in some), default=1)
        for name, some in candidates.items()
    }


def _weights_gib(candidate: Candidate) -> int:
    total = sum(device.weights_bytes for device in candidate.estimate.devices)
    return max(1, round(total / GIB))


def with_kept_numbers(
    assignments: Iterable[Assignment], running: Iterable[RunningReplica]
) -> tuple[Assignment, ...]:
    """The same assignments, where a replica that stays keeps its number.

    Numbers are 0 … n-1 per workload; what moves, or had one beyond that, takes the lowest free.
    """
    found = tuple(assignments)
    count = Counter(one.candidate.workload for one in found)
    known: dict[tuple[str, str, tuple[int, ...]], list[int]] = {}
    for replica in running:
        if replica.replica < count[replica.workload]:
            place = (replica.workload, replica.node, tuple(sorted(replica.gpus)))
            known.setdefault(place, []).append(replica.replica)
    numbers: list[int | None] = []
    for one in found:
        numbers_here = known.get(_place(one), [])
        numbers.append(numbers_here.pop(0) if numbers_here else None)
    free = {name: iter(_free(name, n, found, numbers)) for name, n in count.items()}
    return tuple(
        replace(one, replica=next(free[one.candidate.workload]) if number is None else number)
        for one, number in zip(found, numbers, strict=True)
    )


def _place(one: Assignment) -> tuple[str, str, tuple[int, ...]]:
    return one.candidate.workload, one.node_name, tuple(sorted(one.gpus))


def _free(
    name: str, count: int, found: tuple[Assignment, ...], numbers: Sequence[int | None]
) -> list[int]:
    """Numbers of a workload that nobody keeps, lowest first."""
    pairs = zip(found, numbers, strict=True)
    kept = {number for one, number in pairs if one.candidate.workload == name}
    return [number for number in range(count) if number not in kept]
