"""Layers and experts on the CPU: how fast the node's memory delivers them."""

from packer.performance.constants import speed_constants
from packer.performance.model_reads import ModelReads
from packer.performance.placement import DeviceReads

USUAL_HOST_BYTES_PER_SECOND = 76_800_000_000
"""Two channels of DDR5-4800, where a node does not say its own [bytes/s]."""


def host_bytes_per_second(specified: int | None) -> float:
    """Bandwidth the CPU reaches on weights [bytes/s]. Estimate.

    Args:
        specified: Specified memory bandwidth of the node; None takes a usual desktop's.

    Source: 40–62 GB/s were measured on 76.8 and 89.6 GB/s (design of the speed model, part 5).
    """
    share = speed_constants().number("host_efficiency")
    return share * (USUAL_HOST_BYTES_PER_SECOND if specified is None else specified)


def host_seconds(host: DeviceReads, experts_share: float, bytes_per_second: float) -> float:
    """Seconds of one step's work on the CPU, cache apart [s]. Estimate.

    Args:
        host: What the CPU reads.
        experts_share: Share of the experts the step touches.
        bytes_per_second: Bandwidth the CPU reaches.
    """
    constants = speed_constants()
    read = host.weights_bytes + host.experts_bytes * experts_share
    return (
        read / bytes_per_second
        + host.layers * constants.number("host_layer_seconds")
        + host.expert_layers * constants.number("host_experts_seconds")
    )


def host_step_seconds(
    host: DeviceReads, reads: ModelReads, experts_share: float, tokens: int, bytes_per_second: float
) -> float:
    """Seconds of the CPU's part for some tokens: reading or computing, what takes longer [s]."""
    flops = 2.0 * tokens * (host.parameters + host.expert_parameters * reads.share_used)
    computed = flops / speed_constants().number("host_flops_per_second")
    return max(computed, host_seconds(host, experts_share, bytes_per_second))


def streaming_seconds(host: DeviceReads, experts_share: float) -> float:
    """Seconds to copy the CPU's weights to a card for one physical batch [s]. Estimate.

    From 32 tokens on llama.cpp multiplies on the card, with weights copied there each time.

    Source: llama.cpp b11434, ggml/src/ggml-cuda/ggml-cuda.cu, offload_op().
    """
    read = host.weights_bytes + host.experts_bytes * experts_share
    return read / speed_constants().number("copied_bytes_per_second")
