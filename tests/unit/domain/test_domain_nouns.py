"""The nouns: what nodes, models, headroom and bases answer about themselves."""

from dataclasses import replace

import pytest

from packer.domain.basis import Basis
from packer.domain.model import ModelFile, Tensor
from packer.domain.node import Inventory
from packer.domain.quantization import ELEMENT_TYPES, ELEMENT_TYPES_BY_NAME
from packer.domain.workload import Headroom
from packer.units import GIB, MIB
from tests.small_fleets import gpu, pool


def test_a_sum_is_as_good_as_its_worst_part() -> None:
    assert Basis.EXACT.worse(Basis.CALIBRATED) is Basis.CALIBRATED
    assert Basis.ESTIMATED.worse(Basis.CALIBRATED) is Basis.ESTIMATED
    assert Basis.EXACT.worse(Basis.EXACT) is Basis.EXACT


def test_nodes_are_named_for_their_pool_or_by_hand() -> None:
    made = pool("l40s", gpu(1000), nodes=2)
    assert [made.node_name(index) for index in range(2)] == ["l40s-0", "l40s-1"]
    assert replace(made, node_names=("ares", "zeus")).node_name(1) == "zeus"


def test_zones_hold_nodes_in_order() -> None:
    zoned = pool("l40s", gpu(1000), nodes=4, zones={"a": 1, "b": 0, "c": 2})
    assert [zoned.zone_of(index) for index in range(4)] == ["a", "c", "c", ""]


def test_memory_of_others_is_not_free() -> None:
    shared = pool("l40s", gpu(1000), 2, 2, taken={"l40s-1": {1: 300 * MIB}})
    free = [shared.free_bytes(node, card) // MIB for node in range(2) for card in range(2)]
    assert free == [1000, 1000, 1000, 700]


def test_an_inventory_counts_every_card() -> None:
    pools = (pool("a", gpu(1000), 4, 2), pool("b", gpu(1000), 3, 0))
    assert Inventory("i", pools).gpu_count == 8


@pytest.mark.parametrize(
    ("headroom", "room"),
    [
        (Headroom(0, 0), 0),
        (Headroom(512 * MIB, 2), 983 * MIB + 41944),
        (Headroom(GIB, 2), GIB),
        (Headroom(0, 50), 24 * GIB),
    ],
)
def test_headroom_is_the_larger_of_both_and_rounded_up(headroom: Headroom, room: int) -> None:
    assert headroom.on(48 * GIB) == room


def _model(**metadata: int | bool | str) -> ModelFile:
    f16 = ELEMENT_TYPES_BY_NAME["f16"]
    tensors = (Tensor("a", (4, 3), f16), Tensor("b", (5,), f16))
    known = {f"qwen3.{key}": value for key, value in metadata.items()}
    return ModelFile("m", "qwen3", known, tensors, 100, 10, "m.gguf")


def test_numbers_of_a_header() -> None:
    model = _model(context_length=4096, flag=True, name="x")
    assert model.context_length == 4096
    assert model.number("absent", 7) == 7
    assert model.parameter_count == 17
    for key in ("absent", "flag", "name"):
        with pytest.raises(KeyError, match=f"qwen3.{key}"):
            model.number(key)


def test_bytes_of_a_tensor() -> None:
    q8 = ELEMENT_TYPES_BY_NAME["q8_0"]
    assert Tensor("t", (64, 2), q8).data_bytes == 4 * 34
    assert Tensor("scalar", (), ELEMENT_TYPES_BY_NAME["f32"]).element_count == 1


def test_element_types_are_found_by_id_and_by_name() -> None:
    assert len(ELEMENT_TYPES) == len(ELEMENT_TYPES_BY_NAME)
    assert all(ELEMENT_TYPES_BY_NAME[one.name] is one for one in ELEMENT_TYPES.values())
    quantized = {one.name for one in ELEMENT_TYPES.values() if one.is_quantized}
    assert {"q4_K", "mxfp4", "iq1_m"} <= quantized
    assert not {"f16", "bf16", "f32", "i8"} & quantized
