"""The simpler ways: what they need, and what is said when they find no placement or price."""

from dataclasses import replace
from decimal import Decimal

from packer.domain.node import Price
from packer.domain.quantization import ELEMENT_TYPES_BY_NAME
from packer.domain.workload import Spread
from packer.plan.baselines import card_price
from packer.plan.fp16 import as_fp16
from tests.small_fleets import fleet, gpu, inventory, model, plan, pool, workload

PRICE = Price(Decimal("3.00"))


def test_each_way_counts_its_cards_and_money() -> None:
    asked = fleet(workload("a", replicas=2), workload("b", "gemma-3-1b", "Q4_K_M"))
    made = plan(asked, inventory(pool("p", gpu(8000), 2, 2, price=PRICE)))
    found = made.baselines
    assert made.cards == 1
    assert found.fp16_one_model_per_card_set_cards == 3
    assert found.fp16_one_model_per_card_set_price_per_hour == Decimal("4.50")
    assert found.quantized_one_model_per_card_set_cards == 3
    assert found.first_fit_decreasing_cards == 1
    assert found.first_fit_decreasing_price_per_hour == Decimal("3.00")
    assert (found.lower_bound_cards, found.lower_bound_price_per_hour) == (1, None)
    assert found.notes[-1] == "money of a card set: its cards' share of the node price"


def test_what_fits_only_quantized_is_said_of_fp16() -> None:
    made = plan(
        fleet(workload("a", "qwen3-1.7b", "Q4_K_M")), inventory(pool("p", gpu(3000), price=PRICE))
    )
    found = made.baselines
    assert found.fp16_one_model_per_card_set_cards is None
    assert found.fp16_one_model_per_card_set_price_per_hour is None
    assert found.quantized_one_model_per_card_set_cards == 1
    assert "FP16 fits on no node here: a" in found.notes


def test_an_unknown_price_is_never_zero() -> None:
    made = plan(fleet(workload("a")), inventory(pool("p", gpu(3000)), pool("q", gpu(1000))))
    found = made.baselines
    assert found.quantized_one_model_per_card_set_cards == 1
    assert found.quantized_one_model_per_card_set_price_per_hour is None
    assert found.first_fit_decreasing_price_per_hour is None
    assert not any("money" in note for note in found.notes)


def test_first_fit_may_find_nothing_where_a_plan_exists() -> None:
    # First fit puts "a" on the node that "b" would have needed whole.
    names = ("a", "b")
    asked = fleet(
        workload("a", context_per_slot=1024),
        workload("b", context_per_slot=1024, spread=Spread.NODE, replicas=2),
        keep_apart=(names,),
    )
    there = inventory(pool("p", gpu(9000), 1, 2), pool("q", gpu(2000), 1, 1))
    made = plan(asked, there)
    found = made.baselines.first_fit_decreasing_cards
    assert found is None or found >= made.cards


def test_the_cheapest_card_of_a_product_is_its_share_of_a_node() -> None:
    card = gpu(3000)
    there = inventory(
        pool("a", card, 4, price=Price(Decimal(8))),
        pool("b", card, 2, price=Price(Decimal(3))),
        pool("c", card, 1, price=Price(None)),
        pool("d", gpu(5000), 1),
    )
    assert card_price(there, "small 3000") == Decimal("1.5")
    assert card_price(there, "small 5000") is None
    assert card_price(there, "none") is None


def test_fp16_leaves_norms_and_native_types_as_they_are() -> None:
    quantized, half = model("qwen3-0.6b", "Q4_K_M"), as_fp16(model("qwen3-0.6b", "Q4_K_M"))
    assert {tensor.type.name for tensor in half.tensors} == {"f16", "f32"}
    assert half.parameter_count == quantized.parameter_count
    assert half.file_bytes == sum(tensor.data_bytes for tensor in half.tensors)
    assert (half.size_low, half.size_high) == (1.0, 1.0)
    assert half.origin == "catalogue:qwen3-0.6b:Q4_K_M as FP16"
    native = as_fp16(model("gpt-oss-20b", "MXFP4"))
    assert "mxfp4" in {tensor.type.name for tensor in native.tensors}
    wide = replace(quantized.tensors[0], type=ELEMENT_TYPES_BY_NAME["bf16"])
    assert as_fp16(replace(quantized, tensors=(wide,))).tensors == (wide,)
