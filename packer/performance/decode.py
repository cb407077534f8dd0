"""Seconds of one decode step on one card: kernels, weights, cache.

A step starts some hundred kernels, each of which takes a few microseconds beyond the bytes it
moves; it reads every weight once, as fast as memory delivers or multiprocessors unpack, whichever
is slower; and it reads the keys and values of every token so far.
"""

from packer.performance.constants import CardConstants

# The slower of two limits, rounded where they meet: a fourth-power mean.
_SHARPNESS = 4.0


def launch_seconds(launches: float, card: CardConstants) -> float:
    """Seconds of a step's kernels beyond the bytes they move [s]. Estimate."""
    return launches * card.launch_seconds


def weight_seconds(costly_bytes: float, weights: float, card: CardConstants) -> float:
    """Seconds to read weights once [s]. Estimate.

    Args:
        costly_bytes: Bytes weighed by how slowly their element type is read.
        weights: Number of weights.
        card: Constants of the GPU.

    Source:
        Fitted, data/speed_constants.json. GPUs with much bandwidth per multiprocessor (A100, H100,
        GTX 1050 Ti) are limited by the multiprocessors: one unpacks a dozen weights a cycle.
    """
    delivered = costly_bytes / card.bytes_per_second
    unpacked = weights / card.unpacked_weights_per_second
    slower: float = (delivered**_SHARPNESS + unpacked**_SHARPNESS) ** (1 / _SHARPNESS)
    return slower


def cache_seconds(cache_bytes: float, card: CardConstants, has_flash_attention: bool) -> float:
    """Seconds to read keys and values [s]. Estimate."""
    if has_flash_attention:
        return cache_bytes / card.cache_bytes_per_second
    return cache_bytes / card.plain_cache_bytes_per_second
