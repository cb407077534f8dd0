"""Every GPU and node of an instance under one number, as arrays: the ground the engine works on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from packer.solver.card_classes import gpu_cost, node_cost
from packer.solver.instance import Instance, Objective

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Geometry:
    """GPUs and nodes, numbered over all node types in order.

    Attributes:
        gpu_capacity: [GPUs, dims]. node_capacity: [nodes, node dims].
        gpu_node, gpu_type, gpu_index: Node, node type and index on the node, per GPU.
        gpu_link: Number of the link group per GPU; -1 outside of every group.
        node_type, node_index, node_zone, first_gpu, gpus: Per node.
        usable: Whether a node may be used. zones: Zone names.
        gpu_cost, node_cost: What using one adds to the objective.
    """

    instance: Instance
    gpu_capacity: Integers
    gpu_node: Integers
    gpu_type: Integers
    gpu_index: Integers
    gpu_link: Integers
    gpu_cost: Integers
    node_capacity: Integers
    node_type: Integers
    node_index: Integers
    node_zone: Integers
    node_cost: Integers
    first_gpu: Integers
    gpus: Integers
    usable: NDArray[np.bool_]
    zones: tuple[str, ...]
    first_node: tuple[int, ...]

    def node_number(self, node_type: int, node: int) -> int:
        """Number of a node given by its type and index."""
        return self.first_node[node_type] + node

    def gpus_of(self, node: int) -> range:
        """Numbers of the GPUs of a node."""
        first = int(self.first_gpu[node])
        return range(first, first + int(self.gpus[node]))

    @property
    def charges_nodes(self) -> bool:
        """Whether nodes, not GPUs, are paid for."""
        return self.instance.objective is Objective.NODE_PRICE


def build_geometry(instance: Instance) -> Geometry:
    """Number all GPUs and nodes of an instance."""
    types = instance.node_types
    counts = np.array([one.count for one in types], dtype=np.int64)
    per_node = np.array([one.gpus for one in types], dtype=np.int64)
    node_type = np.repeat(np.arange(len(types)), counts)
    gpus = per_node[node_type]
    first_gpu = np.concatenate([[0], np.cumsum(gpus)])[:-1].astype(np.int64)
    gpu_node = np.repeat(np.arange(len(node_type)), gpus)
    gpu_type = node_type[gpu_node]
    gpu_index = np.arange(len(gpu_node)) - first_gpu[gpu_node]
    names = [name for one in types for name in one.zone_of_node]
    zones = tuple(dict.fromkeys(names))
    numbers = {name: number for number, name in enumerate(zones)}
    first_node = tuple(int(n) for n in np.concatenate([[0], np.cumsum(counts)])[:-1])
    node_index = np.arange(len(node_type)) - np.array(first_node, dtype=np.int64)[node_type]
    return Geometry(
        instance,
        _gpu_capacity(instance),
        gpu_node,
        gpu_type,
        gpu_index,
        _links(instance),
        np.array([gpu_cost(instance, t) for t in range(len(types))], dtype=np.int64)[gpu_type],
        _stack([one.node_cap for one in types], len(instance.node_dims))[node_type],
        node_type,
        node_index,
        np.array([numbers[name] for name in names], dtype=np.int64),
        np.array([node_cost(instance, t) for t in range(len(types))], dtype=np.int64)[node_type],
        first_gpu,
        gpus,
        np.array([n not in one.unavailable for one in types for n in range(one.count)], dtype=bool),
        zones,
        first_node,
    )


def _stack(rows: list[tuple[int, ...]], width: int) -> Integers:
    return np.array(rows, dtype=np.int64).reshape(len(rows), width)


def _gpu_capacity(instance: Instance) -> Integers:
    blocks = [
        np.tile(_stack(list(one.capacities), len(instance.dims)), (one.count, 1))
        for one in instance.node_types
    ]
    empty = np.zeros((0, len(instance.dims)), dtype=np.int64)
    return np.concatenate([empty, *blocks])


def _links(instance: Instance) -> Integers:
    """Link group numbers; GPUs of overlapping groups get one number each, as none are alike."""
    numbers: list[int] = []
    used = 0
    for one in instance.node_types:
        named = [gpu for group in one.link_groups for gpu in group]
        overlap = len(set(named)) < len(named)
        groups = [(gpu,) for gpu in range(one.gpus)] if overlap else one.link_groups
        group_of = {gpu: g for g, group in enumerate(groups) for gpu in group}
        for _ in range(one.count):
            numbers += [used + group_of[g] if g in group_of else -1 for g in range(one.gpus)]
            used += len(groups)
    return np.array(numbers, dtype=np.int64)
