"""Seconds until a server answers after its start."""

from packer.performance.figure import Figure, SpeedBasis

# Estimates for a container on a node with a local NVMe disk or a warm page cache.
_USUAL_BYTES_PER_SECOND = 1.5e9
_SLOW_BYTES_PER_SECOND = 0.3e9
_FAST_BYTES_PER_SECOND = 6e9
_START_SECONDS = 3.0
_WARM_UP_SECONDS = 1.0


def load_seconds(weights_bytes: int, storage_bytes_per_second: float | None = None) -> Figure:
    """Seconds from start to the first answer [s]. Estimate with a wide band.

    Args:
        weights_bytes: Bytes read from storage: the model file, its draft and projector.
        storage_bytes_per_second: Rate of the storage; None takes a usual local disk.
    """
    rest = _START_SECONDS + _WARM_UP_SECONDS
    if storage_bytes_per_second is not None:
        seconds = weights_bytes / storage_bytes_per_second
        return Figure(rest + seconds, rest / 2 + seconds, rest * 3 + seconds, SpeedBasis.MEASURED)
    return Figure(
        rest + weights_bytes / _USUAL_BYTES_PER_SECOND,
        rest / 2 + weights_bytes / _FAST_BYTES_PER_SECOND,
        rest * 3 + weights_bytes / _SLOW_BYTES_PER_SECOND,
        SpeedBasis.DEFAULT,
    )
