"""Bounds that branching alone proves, as the independent judge reads them from the certificate."""

import json

import pytest

from packer.solver.bound import prove_bound
from packer.solver.branching import Branching, objective_grid
from packer.solver.card_classes import cost_of_everything
from packer.solver.certificate import evaluate_leaf, price_scale, round_prices
from packer.solver.certificate_document import certificate_document
from packer.solver.certificate_linear import linear_bound
from packer.solver.instance_document import parse_instance
from packer.solver.relaxation import Relaxation
from packer.solver.relaxation_result import RelaxationResult
from tests.packing_instances import packing_document
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


def two_gpus_each() -> list[Document]:
    small = node_type("small", count=3, gpus=2, gpu_cap=[100], node_price=10)
    return [small, node_type("large", count=3, gpus=2, gpu_cap=[184], node_price=18)]


SEVENTY_AND_SIXTY = {"a": 70, "b": 70, "c": 70, "d": 70, "f": 70, "g": 60, "h": 60, "i": 60}


@pytest.mark.parametrize("free", [[], [node_type("free", gpus=2, gpu_cap=[20], node_price=0)]])
def test_a_free_node_among_paid_ones_leaves_the_branching_on_nodes(free: list[Document]) -> None:
    """GPUs of nodes that are paid for cost nothing: parts that differ in them prove no more."""
    document = priced_nodes(two_gpus_each() + free, SEVENTY_AND_SIXTY | {"e": 30})
    assert prove_bound(parse_instance(document), most_leaves=20).value == 36


def test_where_gpus_are_paid_for_no_part_differs_in_nodes() -> None:
    """Twenty parts are few: half of them spent on nodes, which cost nothing, would prove 5570."""
    parsed = parse_instance(packing_document("fleet-d50-64-price"))
    assert prove_bound(parsed, most_leaves=20).value >= 5580


def test_a_part_that_costs_everything_may_still_have_no_room() -> None:
    """447 of 460 are needed, so every node is; that this does not do is proven in the parts."""
    types = [
        node_type("small", gpus=2, gpu_cap=[100], node_price=10),
        node_type("large", gpus=2, gpu_cap=[130], node_price=14),
    ]
    sizes = (38, 88, 48, 71, 73, 40, 25, 64)
    document = priced_nodes(types, {f"i{size}": size for size in sizes})
    parsed = parse_instance(document)
    assert prove_bound(parsed).value == cost_of_everything(parsed) == 24
    branched = prove_bound(parsed, most_leaves=100)
    assert branched.value > 24
    written = json.loads(json.dumps(certificate_document(parsed, branched.certificate)))
    assert linear_bound(document, written) == branched.value


class Tired(Relaxation):
    """A relaxation that from some moment on knows prices which prove nothing."""

    is_tired = False

    def solve(self, most_rounds: int = 50) -> RelaxationResult | None:
        """The optimum, until it is tired."""
        return self.idle() if self.is_tired else super().solve(most_rounds)


def test_parts_prove_no_less_than_the_whole_did() -> None:
    """Prices that are known already prove something of each part, too."""
    parsed = parse_instance(larger_than_a_third())
    relaxation, scale = Tired(parsed), price_scale(parsed)
    root = relaxation.solve()
    assert root is not None
    limits = tuple((0, one.count) for one in relaxation.classes)
    leaf = evaluate_leaf(relaxation, round_prices(root.prices, scale), scale, limits, limits)
    assert leaf.value > 0
    relaxation.is_tired = True
    tree = Branching(relaxation, scale, objective_grid(parsed))
    proven = tree.run(root, leaf, 3, None, lambda: True)
    assert proven.value * scale >= leaf.value
