"""Speed of one replica at its share of a demand, from its command line and its bytes alone."""

from dataclasses import dataclass

from packer.domain.demand import Demand, Goals
from packer.domain.gpu import GpuProduct
from packer.domain.model import ModelFile
from packer.domain.server_options import ServerOptions
from packer.domain.speculation import NO_SPECULATION, Drafter, Speculation
from packer.memory.result import MemoryEstimate
from packer.performance.calibration import Calibration
from packer.performance.estimate import estimate_speed
from packer.performance.figure import Figure
from packer.performance.queueing import ServerQueue
from packer.performance.request_load import RequestLoad, mean_depth, request_load
from packer.performance.request_mix import within_context
from packer.performance.server_work import ServerWork, server_work
from packer.performance.serving_goal import ServerDemand
from packer.performance.serving_times import serving_times
from packer.performance.speculation import tokens_per_cycle
from packer.performance.speculation_choice import cycle_seconds
from packer.performance.step import decode_step
from packer.performance.tokens_in_flight import tokens_in_flight

_UNSURE_GAIN = 0.2
"""How far off the gain from drafting may be. Source: leave-one-out over published pairs."""


@dataclass(frozen=True)
class Replica:
    """One server whose speed is asked.

    Attributes:
        model: Header of the served file.
        options: Its command line.
        gpu: Product of its cards.
        memory: Bytes of the same command line, which tell where layers are.
        context_per_slot: Tokens one conversation may hold.
        speculation: How it drafts.
        draft: Header of the draft model, where one drafts.
        host_bandwidth_bytes_per_second: Memory bandwidth of its node; None if unknown.
    """

    model: ModelFile
    options: ServerOptions
    gpu: GpuProduct
    memory: MemoryEstimate
    context_per_slot: int
    speculation: Speculation = NO_SPECULATION
    draft: ModelFile | None = None
    host_bandwidth_bytes_per_second: int | None = None
    calibration: Calibration | None = None


@dataclass(frozen=True)
class ReplicaSpeed:
    """What one replica does; figures hold while ``slots`` decode at ``depth``.

    Attributes:
        first_token_p95_seconds: With the share of its cards' time it was given; None without a
            demand.
        overflow_probability: Chance that a shared cache is too small for the tokens in flight.
    """

    decode: Figure
    aggregate: Figure
    prefill: Figure
    depth: int
    slots: int
    first_token_p95_seconds: float | None = None
    overflow_probability: float = 0.0


def replica_work(replica: Replica) -> ServerWork:
    """What the replica computes, device by device."""
    return server_work(
        replica.model,
        replica.options,
        [replica.gpu] * len(replica.memory.devices),
        replica.memory.layers,
        has_flash_attention=replica.memory.flash_attention,
        host_bandwidth_bytes_per_second=replica.host_bandwidth_bytes_per_second,
        build=replica.memory.build,
    )


def draft_work(replica: Replica) -> ServerWork | None:
    """What the draft model computes, on the first card; None where no model drafts."""
    if replica.draft is None or replica.speculation.drafter is not Drafter.DRAFT:
        return None
    layers = [0] * (replica.draft.number("block_count") + 1)
    return server_work(
        replica.draft,
        ServerOptions(),
        [replica.gpu],
        layers,
        has_flash_attention=replica.memory.flash_attention,
        build=replica.memory.build,
    )


def replica_load(replica: Replica, demand: Demand, work: ServerWork) -> RequestLoad:
    """The demand's requests as work of this replica."""
    mix = within_context(demand, replica.context_per_slot)[0].mix
    service = serving_times(
        work,
        depth=round(mean_depth(mix)),
        longest_prompt=int(max(one.input_tokens for one in mix)),
        batch_tokens=replica.options.batch_size,
        speculation=replica.speculation,
        draft=draft_work(replica),
        calibration=replica.calibration,
    )
    return request_load(service, mix)


def server_demand(demand: Demand, goals: Goals, replicas: int) -> ServerDemand:
    """What one of several replicas gets when requests are spread over them at random."""
    return ServerDemand(
        demand.requests_per_second / replicas, 1 + (demand.burstiness - 1) / replicas, goals
    )


def replica_speed(
    replica: Replica, demand: Demand | None, asked: ServerDemand, share: float
) -> ReplicaSpeed:
    """Speed of a replica. Estimate.

    Args:
        replica: The server.
        demand: Traffic of all replicas; None shows all slots busy at half of the context.
        asked: Its own part of it.
        share: Part of its cards' time it is given.
    """
    work = replica_work(replica)
    if demand is None:
        return _at(replica, work, replica.context_per_slot // 2, replica.memory.slots)
    load = replica_load(replica, demand, work)
    queue = ServerQueue(load, asked.rate / share, replica.memory.slots, asked.burstiness)
    mix = within_context(demand, replica.context_per_slot)[0].mix
    depth = min(round(mean_depth(mix)), replica.memory.context_cells_per_slot)
    speed = _at(replica, work, depth, queue.busy_slots)
    overflow = 0.0
    if replica.options.kv_unified:
        overflow = tokens_in_flight(queue, mix).excess_chance(replica.memory.context_cells)
    return ReplicaSpeed(
        decode=speed.decode,
        aggregate=speed.aggregate,
        prefill=speed.prefill,
        depth=speed.depth,
        slots=speed.slots,
        first_token_p95_seconds=queue.first_token_seconds() / share,
        overflow_probability=overflow,
    )


def _at(replica: Replica, work: ServerWork, depth: int, slots: int) -> ReplicaSpeed:
    speed = estimate_speed(
        replica.model,
        replica.options,
        [replica.gpu] * len(replica.memory.devices),
        replica.memory,
        depth=depth,
        slots=slots,
        host_bandwidth_bytes_per_second=replica.host_bandwidth_bytes_per_second,
        calibration=replica.calibration,
    )
    decode = speed.decode_tokens_per_second
    if replica.speculation.drafter is not Drafter.NONE:
        decode = _with_gain(decode, _gain(replica, work, depth, slots))
    return ReplicaSpeed(
        decode=decode,
        aggregate=decode.scaled(slots),
        prefill=speed.prefill_tokens_per_second,
        depth=depth,
        slots=slots,
    )


def _gain(replica: Replica, work: ServerWork, depth: int, slots: int) -> float:
    """Speed with drafts over speed of the same server without."""
    spec = replica.speculation
    cycle = cycle_seconds(spec, work, depth=depth, slots=slots, draft=draft_work(replica))
    plain = decode_step(work, depth, slots).total
    return tokens_per_cycle(spec.acceptance, spec.depth) * plain / cycle


def _with_gain(figure: Figure, gain: float) -> Figure:
    return Figure(
        figure.value * gain,
        figure.low * gain * (1 - _UNSURE_GAIN),
        figure.high * gain * (1 + _UNSURE_GAIN),
        figure.basis,
    )
