"""Small files that ask for much: what they cost must follow from their length."""

import time
from dataclasses import replace
from itertools import combinations

import pytest

from packer.domain.instance_price import InstancePrice, RentalQuery
from packer.errors import InvalidInput, Problem
from packer.spec.fleet_file import read_fleet
from packer.spec.inventory_file import read_inventory
from packer.spec.problems import MOST_PROBLEMS
from tests.spec_lookups import LOOKUPS

FLEET = """
apiVersion: gpu-packer/v1
kind: Fleet
metadata: {name: hostile}
serverImage: {image: "x:b11434"}
workloads:
"""
OPTIONS = "model: llama-3.1-8b, quantizations: [Q8_0], context: 4096"
INVENTORY = """
apiVersion: gpu-packer/v1
kind: Inventory
metadata: {name: hostile}
nodePools:
"""


def _workloads(count: int, more: str = "") -> str:
    return "".join(f"- {{name: w{number}, {OPTIONS}{more}}}\n" for number in range(count))


def _group(key: str, names: list[str]) -> str:
    return f"{key}: [[{', '.join(names)}]]\n"


def _problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(InvalidInput) as caught:
        read_fleet(text, "fleet.yaml", LOOKUPS)
    return tuple(caught.value.problems)


def test_bands_of_many_workloads_are_kept_apart_in_pairs() -> None:
    bands = ", bands: [{context: 1024}, {context: 2048}]"
    names = [f"w{number}" for number in range(20)]
    fleet = read_fleet(
        FLEET + _workloads(20, bands) + _group("keepApart", names), "fleet.yaml", LOOKUPS
    )
    apart = {frozenset(pair) for group in fleet.keep_apart for pair in combinations(group, 2)}
    assert len(fleet.keep_apart) == len(apart) == 190 * 4
    assert frozenset(("w0-1k", "w19-2k")) in apart
    assert frozenset(("w0-1k", "w0-2k")) not in apart


def test_a_group_without_bands_stays_one_group() -> None:
    text = FLEET + _workloads(3) + _group("keepApart", ["w2", "w0", "w1"])
    assert read_fleet(text, "fleet.yaml", LOOKUPS).keep_apart == (("w2", "w0", "w1"),)


def test_more_pairs_of_bands_than_a_plan_can_use_are_refused() -> None:
    bands = ", bands: [{context: 1024}, {context: 2048}, {context: 3072}, {context: 4096}]"
    for count, codes in ((50, set()), (52, {"P0234"})):  # 19,600 and 21,216 pairs
        names = [f"w{number}" for number in range(count)]
        text = FLEET + _workloads(count, bands) + _group("keepApart", names)
        text = text.replace("context: 4096, bands", "context: 8192, bands")
        try:
            read_fleet(text, "fleet.yaml", LOOKUPS)
            found = set()
        except InvalidInput as error:
            found = {problem.code for problem in error.problems}
        assert found == codes


def test_chains_of_groups_that_share_members_are_one_block() -> None:
    groups = "keepTogether: [[w0, w1], [w2, w3], [w4, w5], [w3, w4], [w5, w0]]\n"
    found = _problems(FLEET + _workloads(7) + groups + _group("keepApart", ["w6", "w1", "w2"]))
    assert [problem.title for problem in found] == ["w1 and w2 cannot be apart and together"]


@pytest.mark.parametrize(
    "text",
    [
        FLEET + _workloads(500) + _group("keepApart", [f"x{number}" for number in range(5_000)]),
        FLEET + _workloads(20, f", gpus: {{allow: [{', '.join(f'q{n}' for n in range(100))}]}}"),
    ],
    ids=["members of groups", "cards"],
)
def test_a_wall_of_unknown_names_is_cut(text: str) -> None:
    begun = time.process_time()
    found = _problems(text)
    assert [problem.code for problem in found[MOST_PROBLEMS:]] == ["P0118"]
    assert time.process_time() - begun < 5


def test_a_wall_of_patterns_that_nothing_is_like_is_cut() -> None:
    asked = list[RentalQuery]()

    def rentals(query: RentalQuery) -> tuple[InstancePrice, ...]:
        asked.append(query)
        raise InvalidInput(Problem("P0908", f"{query.provider} {n}") for n in range(60))

    rents = "".join(f"- {{provider: p{number}, maxNodes: 1}}\n" for number in range(50))
    text = INVENTORY.replace("nodePools:", "rent:") + rents
    with pytest.raises(InvalidInput) as caught:
        read_inventory(text, "inventory.yaml", replace(LOOKUPS, rentals=rentals))
    assert len(asked) == 2
    assert [problem.code for problem in caught.value.problems[MOST_PROBLEMS:]] == ["P0118"]


def test_a_wall_of_unknown_nodes_is_cut() -> None:
    names = ", ".join(f"n{number}" for number in range(5_000))
    unknown = ", ".join(f"m{number}" for number in range(5_000))
    pool = "{name: a, gpu: L40S, gpusPerNode: 1, nodes: 5000, hostMemory: 1Gi"
    pools = f"- {pool}, nodeNames: [{names}], unavailable: [{unknown}]}}\n"
    begun = time.process_time()
    with pytest.raises(InvalidInput) as caught:
        read_inventory(INVENTORY + pools, "inventory.yaml", LOOKUPS)
    codes = [problem.code for problem in caught.value.problems]
    assert codes.count("P0222") >= MOST_PROBLEMS - 1
    assert codes[-1] == "P0118"
    assert time.process_time() - begun < 5
