"""Seconds of one decode step and of one prompt, over all devices of a process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packer.domain.gpu import GpuProduct
from packer.domain.model import ModelFile
from packer.domain.quantization import ElementType
from packer.domain.server_options import ServerOptions
from packer.memory.layer_split import HOST
from packer.memory.resolution import cache_type
from packer.performance.attention_kernels import attends_on_card
from packer.performance.batching import experts_touched, slots_seconds
from packer.performance.constants import CardConstants, card_constants, speed_constants
from packer.performance.decode import cache_seconds, launch_seconds, weight_seconds
from packer.performance.depth import cache_bytes_read
from packer.performance.model_reads import ModelReads, model_reads
from packer.performance.offload import host_bytes_per_second, host_seconds, streaming_seconds
from packer.performance.placement import DeviceReads, placed_reads
from packer.performance.prefill import (
    OFFLOADED_FROM_TOKENS,
    attention_flops,
    attention_seconds,
    batch_seconds,
    pipeline_gain,
)


@dataclass(frozen=True)
class StepSeconds:
    """Predicted seconds of one step or prompt, before calibration.

    Attributes:
        rest: Kernels, weights, states, the CPU.
        depth: Keys and values, or attention of a prompt.
    """

    rest: float
    depth: float

    @property
    def total(self) -> float:
        """Both parts [s]."""
        return self.rest + self.depth


@dataclass(frozen=True)
class ServerWork:
    """What one process computes, and on which devices.

    Attributes:
        devices: Reads of every card that holds something, and of the host (-1).
        cards: Constants of every visible card.
        bandwidths: Specified bandwidth of every visible card [bytes/s].
        host_rate: Bandwidth the CPU reaches; ``host_bandwidth`` is the specified one [bytes/s].
        ubatch: Physical batch [tokens].
        names: Product of every visible card.
        attends_on_card: Whether cards have kernels for attention to these cache types.
        prompt_card: Card that multiplies long prompts with the CPU's weights; None is the CPU.
    """

    reads: ModelReads
    devices: Mapping[int, DeviceReads]
    cards: tuple[CardConstants, ...]
    bandwidths: tuple[int, ...]
    host_rate: float
    key: ElementType
    value: ElementType
    ubatch: int
    has_flash_attention: bool
    names: tuple[str, ...] = ()
    prompt_card: int | None = None
    attends_on_card: bool = True

    @property
    def host_bandwidth(self) -> float:
        """Specified memory bandwidth of the node [bytes/s]."""
        return self.host_rate / host_bytes_per_second(1)

    @property
    def used_cards(self) -> tuple[int, ...]:
        """Cards that hold something, in order."""
        return tuple(sorted(place for place in self.devices if place != HOST))

    @property
    def place(self) -> str:
        """What computes: products of the cards, and ``CPU``, with `` + `` between."""
        used = dict.fromkeys(self.names[place] for place in self.used_cards)
        return " + ".join([*used, *(["CPU"] if HOST in self.devices else [])])


def server_work(
    model: ModelFile,
    options: ServerOptions,
    gpus: Sequence[GpuProduct],
    layers: Sequence[int],
    *,
    has_flash_attention: bool,
    host_bandwidth_bytes_per_second: int | None = None,
    build: str = "",
) -> ServerWork:
    """Work of one process.

    Args:
        model: Header of the served model.
        options: Command line of the server.
        gpus: Product of every visible card, in CUDA order.
        layers: Device of every block and of the output layer, as ``MemoryEstimate.layers``.
        has_flash_attention: Whether attention runs fused.
        host_bandwidth_bytes_per_second: Specified memory bandwidth of the node.
        build: llama.cpp build; empty is the newest.
    """
    devices = placed_reads(model, layers, options, len(gpus))
    copied_to = min((place for place in devices if place != HOST), default=0)
    return ServerWork(
        reads=model_reads(model),
        devices=devices,
        cards=tuple(card_constants(gpu) for gpu in gpus),
        bandwidths=tuple(gpu.bandwidth_bytes_per_second for gpu in gpus),
        host_rate=host_bytes_per_second(host_bandwidth_bytes_per_second),
        key=cache_type(options.cache_type_k),
        value=cache_type(options.cache_type_v),
        ubatch=options.ubatch_size or options.batch_size,
        has_flash_attention=has_flash_attention,
        names=tuple(gpu.name for gpu in gpus),
        prompt_card=copied_to if gpus and options.op_offload else None,
        attends_on_card=not has_flash_attention
        or attends_on_card(options.cache_type_k, options.cache_type_v, build),
    )


def decode_step(
    work: ServerWork, depth: int, slots: int, tokens: int = 1, *, is_served: bool = True
) -> StepSeconds:
    """Seconds in which every one of ``slots`` slots decodes one token [s]. Estimate.

    Cards work one after the other: a further card adds room, not speed.

    Args:
        work: What the process computes.
        depth: Tokens already in each slot.
        slots: Slots that decode.
        tokens: Tokens each slot computes at once: 1, or 1 + drafted ones that are verified.
        is_served: Whether a server does it; a benchmark has nothing to do between steps.
    """
    constants = speed_constants()
    share = _touched(work, slots * tokens)
    used = work.used_cards
    rest = constants.number("fixed_seconds")
    rest += constants.number("server_seconds") if is_served else 0.0
    rest += constants.number("hop_seconds") * max(0, len(used) - 1)
    in_depth = 0.0
    for place in used:
        device, card = work.devices[place], work.cards[place]
        rest += _card_step(work, place, share, slots * tokens)
        read = _cache_bytes(work, device, depth, slots)
        if work.attends_on_card:
            in_depth += cache_seconds(read, card, work.has_flash_attention)
        else:
            rest += len(device.cached) * constants.number("host_layer_seconds")
            in_depth += read / work.host_rate
    host = work.devices.get(HOST)
    if host is not None:
        rest += _host_step(work, host, share, slots * tokens)
        in_depth += _cache_bytes(work, host, depth, slots) / work.host_rate
    return StepSeconds(rest, in_depth)


def prompt_seconds(work: ServerWork, tokens: int, depth: int) -> StepSeconds:
    """Seconds to read one prompt of ``tokens`` behind ``depth`` tokens [s]. Estimate."""
    size = min(tokens, work.ubatch)
    batches = tokens / size
    used = work.used_cards
    rest = in_depth = 0.0
    for place in used:
        device, card = work.devices[place], work.cards[place]
        rest += batches * batch_seconds(device, work.reads, size, card)
        seen = depth + tokens / 2
        if work.attends_on_card:
            in_depth += attention_seconds(
                device.cached, tokens, seen, card, work.has_flash_attention
            )
        else:
            in_depth += _host_attention(device, tokens, seen)
    gain = pipeline_gain(len(used), batches) if used else 1.0
    host = work.devices.get(HOST)
    if host is not None:
        rest += gain * batches * _host_batch_seconds(work, host, size)
        in_depth += gain * _host_attention(host, tokens, depth + tokens / 2)
    fixed = speed_constants().number("fixed_seconds")
    return StepSeconds(fixed + rest / gain, in_depth / gain)


def nextn_seconds(work: ServerWork) -> float:
    """Seconds to draft one token with the model's own nextn blocks [s]. Estimate.

    A drafted token reads these blocks and the output matrix. Zero where the model has none.
    """
    if not work.reads.nextn or not work.used_cards:
        return 0.0
    card = work.cards[work.used_cards[-1]]
    constants, share = speed_constants(), work.reads.share_used
    costly = weights = launches = 0.0
    for layer in (*work.reads.nextn, work.reads.layers[-1]):
        launches += constants.launches(layer)
        costly += constants.costly_bytes(layer.weights)
        costly += constants.costly_bytes(layer.experts) * share
        weights += layer.parameters + layer.expert_parameters * share
    fixed = constants.number("fixed_seconds")
    return fixed + launch_seconds(launches, card) + weight_seconds(costly, weights, card)


def bandwidth_limit(work: ServerWork, depth: int, slots: int) -> float:
    """Tokens per second of one slot that no software exceeds: bandwidth over bytes. Exact."""
    share = _touched(work, slots)
    seconds = 0.0
    for place, device in work.devices.items():
        rate = work.host_bandwidth if place == HOST else work.bandwidths[place]
        read = device.weights_bytes + device.experts_bytes * share
        seconds += (read + _cache_bytes(work, device, depth, slots)) / rate
    return 1.0 / seconds


def _card_step(work: ServerWork, place: int, share: float, slots: int) -> float:
    """Seconds of one card's part of a step, its cache apart."""
    constants = speed_constants()
    device, card = work.devices[place], work.cards[place]
    states = device.state_bytes / constants.number("state_share")
    states += device.scanned_bytes / constants.number("scan_share")
    flops = 2.0 * (device.parameters + device.expert_parameters * work.reads.share_used)
    reached = card.flops_per_second * constants.number("slot_flops_share")
    return (
        launch_seconds(device.launches, card)
        + weight_seconds(
            device.costly_bytes + device.costly_experts_bytes * share,
            device.parameters + device.expert_parameters * share,
            card,
        )
        + slots_seconds(slots, states, work.bandwidths[place], flops, reached)
    )


def _host_batch_seconds(work: ServerWork, host: DeviceReads, size: int) -> float:
    """Seconds the CPU's share of one physical batch takes."""
    share = 1.0 - (1.0 - work.reads.share_used) ** size if work.reads.experts else 0.0
    if work.prompt_card is not None and size >= OFFLOADED_FROM_TOKENS:
        card = work.cards[work.prompt_card]
        return streaming_seconds(host, share) + batch_seconds(host, work.reads, size, card)
    return _host_step(work, host, share, size)


def _host_step(work: ServerWork, host: DeviceReads, share: float, tokens: int) -> float:
    """Seconds of the CPU's part for some tokens: reading or computing, what takes longer."""
    flops = 2.0 * tokens * (host.parameters + host.expert_parameters * work.reads.share_used)
    computed = flops / speed_constants().number("host_flops_per_second")
    return max(computed, host_seconds(host, share, work.host_rate))


def _host_attention(device: DeviceReads, tokens: float, depth: float) -> float:
    """Seconds of a prompt's attention to a device's cache, computed by the CPU."""
    flops = attention_flops(device.cached, tokens, depth)
    return flops / speed_constants().number("host_attention_flops_per_second")


def _touched(work: ServerWork, slots: int) -> float:
    """Share of the experts one step reads."""
    independence = speed_constants().number("expert_independence")
    return experts_touched(slots, work.reads.experts, work.reads.experts_used, independence)


def _cache_bytes(work: ServerWork, device: DeviceReads, depth: int, slots: int) -> float:
    """Keys and values of all slots on one device [bytes]."""
    return slots * sum(
        cache_bytes_read(layer, depth, work.key, work.value) for layer in device.cached
    )
