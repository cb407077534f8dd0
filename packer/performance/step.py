"""Seconds of one decode step over all devices of a process."""

from packer.memory.layer_split import HOST
from packer.performance.batching import experts_touched, slots_seconds
from packer.performance.constants import speed_constants
from packer.performance.decode import cache_seconds, launch_seconds, weight_seconds
from packer.performance.depth import cache_bytes_read
from packer.performance.offload import host_step_seconds
from packer.performance.placement import DeviceReads
from packer.performance.server_work import ServerWork
from packer.performance.step_seconds import StepSeconds


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
        rest += host_step_seconds(host, work.reads, share, slots * tokens, work.host_rate)
        in_depth += _cache_bytes(work, host, depth, slots) / work.host_rate
    return StepSeconds(rest, in_depth)


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


def _touched(work: ServerWork, slots: int) -> float:
    """Share of the experts one step reads."""
    independence = speed_constants().number("expert_independence")
    return experts_touched(slots, work.reads.experts, work.reads.experts_used, independence)


def _cache_bytes(work: ServerWork, device: DeviceReads, depth: int, slots: int) -> float:
    """Keys and values of all slots on one device [bytes]."""
    return slots * sum(
        count * cache_bytes_read(layer, depth, work.key, work.value)
        for layer, count in device.cached_kinds
    )
