"""Memory of a node that others hold: read, refused where there is not so much, and respected."""

import pytest

from packer.domain.node import NodePool
from packer.errors import InvalidInput
from packer.spec.inventory_file import read_inventory
from tests.spec_lookups import LOOKUPS

INVENTORY = """\
apiVersion: gpu-packer/v1
kind: Inventory
metadata: {name: live}
nodePools:
- name: l40s
  gpu: L40S
  gpusPerNode: 4
  nodes: 2
  hostMemory: 384Gi
  hostTaken: {l40s-1: %s}
"""


def read(text: str) -> NodePool:
    return read_inventory(text, "inventory.yaml", LOOKUPS).pools[0]


def test_what_others_hold_is_subtracted_on_their_node_only() -> None:
    pool = read(INVENTORY % "84Gi")
    assert pool.host_free_bytes(0) == 384 * 2**30
    assert pool.host_free_bytes(1) == 300 * 2**30


def test_more_than_the_node_has_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        read(INVENTORY % "400Gi")
    assert caught.value.problems[0].code == "P0223"


def test_an_unknown_node_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        read((INVENTORY % "4Gi").replace("l40s-1", "l40s-7"))
    assert caught.value.problems[0].code == "P0222"
