"""Seconds of one prompt over all devices of a process."""

from packer.memory.layer_split import HOST
from packer.performance.constants import speed_constants
from packer.performance.offload import host_step_seconds, streaming_seconds
from packer.performance.placement import DeviceReads
from packer.performance.prefill import (
    OFFLOADED_FROM_TOKENS,
    attention_flops,
    attention_seconds,
    batch_seconds,
    pipeline_gain,
)
from packer.performance.server_work import ServerWork
from packer.performance.step_seconds import StepSeconds


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
                device.cached_kinds, tokens, seen, card, work.has_flash_attention
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


def _host_batch_seconds(work: ServerWork, host: DeviceReads, size: int) -> float:
    """Seconds the CPU's share of one physical batch takes."""
    share = 1.0 - (1.0 - work.reads.share_used) ** size if work.reads.experts else 0.0
    if work.prompt_card is not None and size >= OFFLOADED_FROM_TOKENS:
        card = work.cards[work.prompt_card]
        return streaming_seconds(host, share) + batch_seconds(host, work.reads, size, card)
    return host_step_seconds(host, work.reads, share, size, work.host_rate)


def _host_attention(device: DeviceReads, tokens: float, depth: float) -> float:
    """Seconds of a prompt's attention to a device's cache, computed by the CPU."""
    flops = attention_flops(device.cached_kinds, tokens, depth)
    return flops / speed_constants().number("host_attention_flops_per_second")
