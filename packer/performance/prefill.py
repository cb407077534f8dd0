"""Seconds to read a prompt on one card: arithmetic of large batches, attention, weights."""

from collections.abc import Sequence

from packer.performance.constants import CardConstants, speed_constants
from packer.performance.decode import launch_seconds, weight_seconds
from packer.performance.model_reads import LayerReads, ModelReads
from packer.performance.placement import DeviceReads

OFFLOADED_FROM_TOKENS = 32
"""Smallest batch whose CPU weights are multiplied on a card [tokens]."""


def batch_seconds(
    device: DeviceReads, reads: ModelReads, tokens: float, card: CardConstants
) -> float:
    """Seconds of one physical batch without its attention [s]. Estimate.

    Experts see only their share of the batch, too few tokens to fill a matrix unit: with n tokens
    each they reach n ÷ (n + 40) of the speed of a dense layer.
    """
    constants = speed_constants()
    flops = 2.0 * tokens * device.parameters
    touched = 0.0
    if reads.experts:
        each = tokens * reads.share_used
        fill = each / (each + constants.number("expert_half_tokens"))
        flops += 2.0 * tokens * device.expert_parameters * reads.share_used / fill
        touched = 1.0 - (1.0 - reads.share_used) ** tokens
    computed = flops / card.flops_per_second
    read = weight_seconds(
        device.costly_bytes + device.costly_experts_bytes * touched,
        device.parameters + device.expert_parameters * touched,
        card,
    )
    return max(computed, read) + launch_seconds(device.launches, card)


def attention_seconds(
    layers: Sequence[tuple[LayerReads, int]],
    tokens: float,
    depth: float,
    card: CardConstants,
    has_flash_attention: bool,
) -> float:
    """Seconds of attention for ``tokens`` at a mean ``depth`` [s]. Estimate.

    Args:
        layers: Layers that attend, and how many there are of each.
        tokens: Tokens of the prompt.
        depth: Mean tokens each of them sees.
        card: Constants of the GPU.
        has_flash_attention: Whether attention runs fused.
    """
    flops = attention_flops(layers, tokens, depth)
    name = "attention_share" if has_flash_attention else "plain_attention_share"
    return flops / (card.flops_per_second * speed_constants().number(name))


def attention_flops(layers: Sequence[tuple[LayerReads, int]], tokens: float, depth: float) -> float:
    """Arithmetic of attention for ``tokens`` at a mean ``depth``. Exact."""
    flops = 0.0
    for layer, count in layers:
        seen = min(depth, layer.window) if layer.window else depth
        flops += 4.0 * layer.attention_width * seen * tokens * count
    return flops


def pipeline_gain(cards: int, batches: float) -> float:
    """How much faster several cards read a prompt than one after the other. Estimate.

    Args:
        cards: Cards the layers are on.
        batches: Physical batches of the prompt: a pipeline is only filled by many.

    Source: published rows of two to eight cards: ×1.3–1.6, ×1.8–2.6, ×2.5–2.9.
    """
    loss = speed_constants().number("pipeline_loss")
    filled = max(1.0, batches) * cards / (max(1.0, batches) + cards - 1)
    return min(cards / (1.0 + loss * (cards - 1)), filled)
