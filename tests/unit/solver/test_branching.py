"""Bounds that branching alone proves, as the independent judge reads them from the certificate."""

import json

import pytest

from packer.solver.bound import prove_bound
from packer.solver.certificate_document import certificate_document
from packer.solver.certificate_linear import linear_bound
from packer.solver.instance_document import parse_instance
from tests.tiny_packing import Document, alternative, instance, item, node_type


def nodes_of_one(name: str, count: int, capacity: int, price: int) -> Document:
    return node_type(name, count=count, gpus=1, gpu_cap=[capacity], node_price=price)


def priced_nodes(types: list[Document], items: dict[str, int]) -> Document:
    wanted = [item(name, 1, alternative([size])) for name, size in items.items()]
    return instance(types, wanted, objective="node_price")


def hair_too_much() -> Document:
    """Three full nodes and one thousandth: the LP calls that missing room next to nothing."""
    types = [nodes_of_one("n", 5, 1000, 40), nodes_of_one("dear", 2, 1000, 47)]
    return priced_nodes(types, {"i": 1000, "j": 1000, "k": 1000, "hair": 1})


def larger_than_a_third() -> Document:
    """Three of 60 or 70 fit on no node, though volume alone calls for two nodes."""
    types = [nodes_of_one("small", 3, 100, 10), nodes_of_one("large", 3, 184, 18)]
    return priced_nodes(types, {"a": 70, "b": 70, "c": 60, "d": 60, "e": 30})


@pytest.mark.parametrize(
    ("document", "root", "proven"), [(hair_too_much(), 121, 160), (larger_than_a_third(), 30, 36)]
)
def test_branching_proves_what_the_root_does_not(
    document: Document, root: int, proven: int
) -> None:
    parsed = parse_instance(document)
    alone, branched = prove_bound(parsed), prove_bound(parsed, most_leaves=400)
    assert (alone.value, branched.value) == (root, proven)
    written = certificate_document(parsed, branched.certificate)
    assert linear_bound(document, json.loads(json.dumps(written))) == proven
