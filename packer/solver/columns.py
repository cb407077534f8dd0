"""Columns of the compact relaxation: every (item, alternative, node type) that fits, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from packer.solver.fit import fits_node_type
from packer.solver.instance import Instance, Vector

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Columns:
    """One row per column.

    Attributes:
        item, alternative, node_type: What the column stands for.
        shares: Largest number of GPUs times dimensions, zero-padded: [columns, GPUs, dims].
        node: What the node gives [columns, node dims].
        width: GPUs used per replica.
    """

    item: Integers
    alternative: Integers
    node_type: Integers
    shares: Integers
    node: Integers
    width: Integers

    def __len__(self) -> int:
        return len(self.item)

    @cached_property
    def load(self) -> Integers:
        """Capacity used on all GPUs together, per dimension [columns, dims]."""
        return np.asarray(self.shares.sum(axis=1))


def build_columns(instance: Instance, kept: Sequence[Sequence[int]] | None = None) -> Columns:
    """Every placement kind that fits an empty node, of the kept alternatives or of all."""
    rows: list[tuple[int, int, int]] = []
    shares: list[Sequence[Vector]] = []
    nodes: list[Vector] = []
    for i, item in enumerate(instance.items):
        for a in range(len(item.alternatives)) if kept is None else kept[i]:
            alternative = item.alternatives[a]
            for t, node_type in enumerate(instance.node_types):
                if node_type.available and fits_node_type(alternative, node_type):
                    rows.append((i, a, t))
                    shares.append(alternative.shares)
                    nodes.append(alternative.node)
    width = np.array([len(share) for share in shares], dtype=np.int64)
    padded = np.zeros((len(rows), int(width.max(initial=1)), len(instance.dims)), dtype=np.int64)
    for gpus in np.unique(width):
        chosen = np.flatnonzero(width == gpus)
        padded[chosen, :gpus] = [shares[c] for c in chosen]
    keys = np.array(rows, dtype=np.int64).reshape(-1, 3)
    node = np.array(nodes, dtype=np.int64).reshape(len(rows), len(instance.node_dims))
    return Columns(keys[:, 0], keys[:, 1], keys[:, 2], padded, node, width)
