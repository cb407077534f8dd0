"""Memory that a Kubernetes node keeps for itself."""

from packer.units import GIB, MIB

_EVICTION_BYTES = 100 * MIB
_KERNEL_PERCENT = 3
_STEPS = ((4 * GIB, 25), (4 * GIB, 20), (8 * GIB, 10), (112 * GIB, 6))
_BEYOND_PERCENT = 2


def memory_for_pods(instance_bytes: int) -> int:
    """Memory that pods can have of an instance's nominal memory [bytes]. Estimate, safe side.

    The kernel takes 3 %, then the steps by which Google's Kubernetes Engine reserves: 25 % of the
    first 4 GiB, 20 % of the next 4, 10 % of the next 8, 6 % of the next 112, 2 % of what is beyond,
    and 100 MiB for evictions. Other providers reserve less.

    Source: Google Kubernetes Engine documentation, "Plan node sizes" (read in 2025); the kernel's
    share is ours.
    """
    left = seen = instance_bytes - instance_bytes * _KERNEL_PERCENT // 100
    reserved = _EVICTION_BYTES
    for size, percent in _STEPS:
        part = min(left, size)
        reserved += part * percent // 100
        left -= part
    reserved += left * _BEYOND_PERCENT // 100
    return max(0, seen - reserved)
