"""How large an instance may be: memory stays bounded, and what is beyond is refused clearly."""

from packer.errors import Problem
from packer.solver.instance import Instance

MOST_REPLICAS = 100_000
"""Replicas of all items together; measured to 45,570."""
MOST_GPUS = 100_000
"""GPUs of all node types together."""
MOST_ALTERNATIVES = 1_000_000
"""Alternatives of all items together."""


def size_problems(instance: Instance) -> list[Problem]:
    """What is larger than the engine supports."""
    gpus = sum(node_type.count * node_type.gpus for node_type in instance.node_types)
    alternatives = sum(len(item.alternatives) for item in instance.items)
    sizes = (
        ("replicas", instance.replicas, MOST_REPLICAS),
        ("GPUs", gpus, MOST_GPUS),
        ("alternatives", alternatives, MOST_ALTERNATIVES),
    )
    return [
        Problem(
            "P0609",
            f"{size} {what} are more than the supported {most}",
            help="split the fleet, for example by zone, and solve the parts",
        )
        for what, size, most in sizes
        if size > most
    ]
