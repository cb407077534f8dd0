"""Card classes: the equal GPUs of a node type, with how many there are and what they cost."""

from collections import Counter
from dataclasses import dataclass

from packer.solver.instance import Instance, Objective, Vector


@dataclass(frozen=True)
class CardClass:
    """Equal GPUs over all usable nodes of a type.

    Attributes:
        count: GPUs of the class on usable nodes.
        cost: What using one adds to the objective.
    """

    node_type: int
    capacity: Vector
    count: int
    cost: int


def card_classes(instance: Instance) -> tuple[CardClass, ...]:
    """Card classes of every node type, in order."""
    classes = []
    for position, node_type in enumerate(instance.node_types):
        for capacity, count in Counter(node_type.capacities).items():
            classes.append(
                CardClass(
                    position,
                    capacity,
                    count * len(node_type.available),
                    gpu_cost(instance, position),
                )
            )
    return tuple(classes)


def gpu_cost(instance: Instance, node_type: int) -> int:
    """What using one more GPU of a type adds to the objective."""
    if instance.objective is Objective.GPUS:
        return 1
    if instance.objective is Objective.GPU_PRICE:
        return instance.node_types[node_type].gpu_price
    return 0


def node_cost(instance: Instance, node_type: int) -> int:
    """What using one more node of a type adds to the objective."""
    if instance.objective is Objective.NODE_PRICE:
        return instance.node_types[node_type].node_price
    return 0


def cost_of_everything(instance: Instance) -> int:
    """Objective if every usable GPU and node were used; no placement costs more. Exact."""
    return sum(
        len(node_type.available)
        * (node_type.gpus * gpu_cost(instance, position) + node_cost(instance, position))
        for position, node_type in enumerate(instance.node_types)
    )
