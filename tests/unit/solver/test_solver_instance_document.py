"""Strict reading of neutral instances: every problem at once, and what is beyond support."""

import copy
from typing import Any

import pytest

from packer.errors import InvalidInput
from packer.solver.instance_document import parse_instance
from packer.solver.instance_writer import format_instance
from tests.packing_instances import FOLDER, packing_document

NAMES = sorted(path.name.removesuffix(".json.gz") for path in FOLDER.glob("*.json.gz"))


def codes(document: object) -> list[str]:
    with pytest.raises(InvalidInput) as refused:
        parse_instance(document)
    return [problem.code for problem in refused.value.problems]


def small() -> dict[str, Any]:
    return packing_document("fleet-d20-8")


@pytest.mark.parametrize("name", [name for name in NAMES if "d10k" not in name])
def test_formatting_and_parsing_again_gives_the_same(name: str) -> None:
    instance = parse_instance(packing_document(name))
    assert parse_instance(format_instance(instance)) == instance


@pytest.mark.parametrize(
    "key",
    ["schema", "dims", "node_dims", "objective", "node_types", "items", "constraints", "name"],
)
def test_a_missing_key_is_named(key: str) -> None:
    document = small()
    del document[key]
    assert "P0601" in codes(document)


@pytest.mark.parametrize("key", ["count", "gpus", "gpu_cap", "node_cap", "gpu_price", "gpu_type"])
def test_a_missing_key_of_a_node_type_is_named(key: str) -> None:
    document = small()
    del document["node_types"][0][key]
    assert codes(document) == ["P0601"]


@pytest.mark.parametrize("key", ["count", "alts", "max_per_gpu", "max_per_node", "max_per_zone"])
def test_a_missing_key_of_an_item_is_named(key: str) -> None:
    document = small()
    del document["items"][0][key]
    assert "P0601" in codes(document)


@pytest.mark.parametrize("key", ["shares", "node", "gpu_types", "one_link", "name"])
def test_a_missing_key_of_an_alternative_is_named(key: str) -> None:
    document = small()
    del document["items"][0]["alts"][0][key]
    assert "P0601" in codes(document)


@pytest.mark.parametrize("value", [True, 1.0, "1", None, [1]])
def test_a_count_must_be_a_whole_number(value: object) -> None:
    document = small()
    document["items"][0]["count"] = value
    assert codes(document) == ["P0603"]


@pytest.mark.parametrize("value", [-1, 2**63, 10**30])
def test_numbers_out_of_range_are_refused(value: int) -> None:
    document = small()
    document["items"][0]["alts"][0]["shares"][0][0] = value
    assert codes(document) == ["P0604"]


def test_all_problems_come_at_once() -> None:
    document = small()
    document["items"][0]["count"] = -1
    document["items"][1]["alts"][0]["shares"] = [[1]]
    document["items"][2]["name"] = document["items"][3]["name"]
    document["node_types"][0]["gpu_cap"][0] = 0
    document["objective"] = "gpu"
    assert sorted(codes(document)) == ["P0603", "P0604", "P0605", "P0607", "P0608"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"zones": {"a": 7}}, "P0606"),
        ({"zones": [1]}, "P0603"),
        ({"links": [[0, 9]]}, "P0606"),
        ({"unavailable": [0, 0]}, "P0607"),
        ({"unavailable": [5]}, "P0606"),
        ({"gpu_caps": [[1, 1, 1]]}, "P0605"),
        ({"gpus": 0}, "P0604"),
        ({"gpu_capp": [1]}, "P0602"),
    ],
)
def test_node_types_are_checked(change: dict[str, Any], code: str) -> None:
    document = small()
    document["node_types"][0] |= change
    assert code in codes(document)


@pytest.mark.parametrize(
    ("constraint", "code"),
    [
        ({"type": "affinity", "items": ["model0"], "scope": "node"}, "P0605"),
        ({"type": "affinity", "items": ["model0", "nobody"], "scope": "node"}, "P0606"),
        ({"type": "attraction", "items": ["model0", "model1"], "scope": "node"}, "P0603"),
        ({"type": "anti_affinity", "items": ["model0", "model1"], "scope": "rack"}, "P0603"),
        ({"type": "anti_affinity", "items": "model0", "scope": "node"}, "P0603"),
    ],
)
def test_constraints_are_checked(constraint: dict[str, Any], code: str) -> None:
    document = small()
    document["constraints"] = [constraint]
    assert code in codes(document)


@pytest.mark.parametrize("document", [None, [], "x", 3, {}])
def test_what_is_no_instance_is_refused(document: object) -> None:
    assert codes(document)


def test_a_description_may_say_anything_known() -> None:
    assert parse_instance(small() | {"note": "hello"}).name == "fleet-d20-8"
    assert codes(small() | {"constrains": []}) == ["P0602"]


@pytest.mark.parametrize("current", [3, {"placed": []}, {"placed": [], "move_cost": 3}])
def test_the_current_state_is_checked(current: object) -> None:
    assert codes(small() | {"current": current})


def test_the_extensions_of_the_planner_survive() -> None:
    document = small() | {"even_headroom": True}
    document["items"][0]["alts"][0]["penalty"] = 3
    kind = document["node_types"][0]
    kind["gpu_caps"] = [kind["gpu_cap"]] * kind["gpus"]
    instance = parse_instance(document)
    assert instance.even_headroom
    assert instance.items[0].alternatives[0].penalty == 3
    assert parse_instance(format_instance(instance)) == instance


@pytest.mark.parametrize(("key", "value"), [("count", 10**6), ("count", 100_001)])
def test_more_replicas_than_supported_are_refused_clearly(key: str, value: int) -> None:
    document = copy.deepcopy(small())
    document["items"][0][key] = value
    with pytest.raises(InvalidInput, match="replicas are more than the supported"):
        parse_instance(document)


def test_more_gpus_than_supported_are_refused() -> None:
    document = small()
    document["node_types"][0]["count"] = 10**9
    assert codes(document) == ["P0609"]
