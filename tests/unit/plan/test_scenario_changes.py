"""What a scenario changes of a fleet and an inventory, and what it leaves alone."""

from decimal import Decimal

import pytest

from packer.domain.demand import Demand, RequestClass
from packer.domain.node import Price
from packer.domain.payment import Payment
from packer.domain.workload import Objective
from packer.errors import Infeasible, InvalidInput
from packer.plan.scenario import ANY, Factor, PriceTerms, Scenario
from packer.plan.scenario_changes import changed_fleet, changed_inventory, floor_bits, reaches
from packer.sweep.fingerprint import Fingerprints
from tests.small_fleets import fleet, gpu, inventory, model, pool, workload

PRICE = Price(Decimal("2.00"), spot=Decimal("0.50"), currency="EUR")
SAME = Factor("×1")


def scenario(
    *,
    context: Factor = SAME,
    floor: str = ANY,
    demand: Factor = SAME,
    prices: PriceTerms | None = None,
) -> Scenario:
    return Scenario("s", "i.yaml", prices or PriceTerms("as listed"), context, floor, demand)


def test_nothing_changes_in_a_scenario_of_ones() -> None:
    asked = fleet(workload("a", "qwen3-0.6b", "Q8_0", "Q4_K_M", replicas=3, min_available=2))
    assert changed_fleet(asked, scenario()) == asked
    there = inventory(pool("p", gpu(8000), price=PRICE))
    assert changed_inventory(there, PriceTerms("as listed")) == there


def test_demand_is_rounded_up_and_may_name_workloads() -> None:
    asked = fleet(
        workload("a", replicas=3, min_available=3), workload("b", replicas=1), workload("c")
    )
    half = Factor("half", Decimal("0.5"), {"b": Decimal("2.1")})
    found = changed_fleet(asked, scenario(demand=half), Objective.PRICE)
    assert [one.replicas for one in found.workloads] == [2, 3, 1]
    assert found.workloads[0].min_available == 2
    assert found.objective is Objective.PRICE


def test_a_stated_demand_grows_and_derived_replicas_follow_from_it() -> None:
    mix = (RequestClass(100.0, 50.0, 1.0),)
    traffic = Demand(4.0, mix, burstiness=2.0, mean_requests_per_second=1.0)
    asked = fleet(
        workload("a", replicas=2, demand=traffic),
        workload("b", demand=traffic, derives_replicas=True),
    )
    found = changed_fleet(asked, scenario(demand=Factor("×1.5", Decimal("1.5")))).workloads
    assert [one.replicas for one in found] == [3, 1]
    for one in found:
        assert one.demand == Demand(6.0, mix, burstiness=2.0, mean_requests_per_second=1.5)


def test_contexts_of_embeddings_grow_only_where_named() -> None:
    asked = fleet(
        workload("chat"), workload("embed", embedding=True), workload("rank", reranking=True)
    )
    grown = changed_fleet(asked, scenario(context=Factor("×1.5", Decimal("1.5"))))
    assert [one.context_per_slot for one in grown.workloads] == [3072, 2048, 2048]
    named = Factor("embed too", Decimal(1), {"embed": Decimal(2)})
    found = changed_fleet(asked, scenario(context=named))
    assert [one.context_per_slot for one in found.workloads] == [2048, 4096, 2048]


def test_a_context_beyond_the_training_is_refused_unless_it_was_so_already() -> None:
    asked = fleet(workload("chat", "qwen3-0.6b"))
    limit = model("qwen3-0.6b", "Q8_0").context_length
    with pytest.raises(InvalidInput, match="P0205"):
        changed_fleet(asked, scenario(context=Factor("×100", Decimal(100))))
    beyond = fleet(workload("chat", "qwen3-0.6b", context_per_slot=limit + 1))
    assert changed_fleet(beyond, scenario()) == beyond


@pytest.mark.parametrize(
    ("floor", "left"),
    [
        ("any", ["F16", "Q8_0", "Q6_K", "Q4_K_M"]),
        ("Q4_K_S", ["F16", "Q8_0", "Q6_K", "Q4_K_M"]),
        ("q5_k_m", ["F16", "Q8_0", "Q6_K"]),
        ("Q8_0", ["F16", "Q8_0"]),
        ("F16", ["F16"]),
    ],
)
def test_files_under_the_floor_are_left_out(floor: str, left: list[str]) -> None:
    asked = fleet(workload("a", "llama-3.1-8b", "F16", "Q8_0", "Q6_K", "Q4_K_M"))
    found = changed_fleet(asked, scenario(floor=floor))
    assert [one.quantization for one in found.workloads[0].variants] == left


def test_a_workload_without_a_file_that_reaches_the_floor_is_infeasible() -> None:
    asked = fleet(workload("a", "llama-3.1-8b", "Q4_K_M"), workload("b", "qwen3-4b", "Q8_0"))
    with pytest.raises(Infeasible) as caught:
        changed_fleet(asked, scenario(floor="Q5_K_M"))
    assert [one.requirement for one in caught.value.reasons] == ["floor:a"]


def test_models_in_their_native_type_reach_every_floor() -> None:
    native = model("gpt-oss-20b", "MXFP4")
    assert reaches(native, floor_bits("F16"))
    assert not reaches(model("qwen3-4b", "Q8_0"), floor_bits("F16"))


@pytest.mark.parametrize("name", ["Q9_K", "M", "_M", "large", "Q4_K_MM", ""])
def test_floors_that_are_no_type_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="P0262"):
        floor_bits(name)


@pytest.mark.parametrize(
    ("name", "bits"),
    [("IQ4_XS", "4.25"), ("Q4_K_M", "4.5"), ("Q6_K", "6.5625"), ("bf16", "16"), ("ANY", "0")],
)
def test_floors_count_by_the_bits_of_their_type(name: str, bits: str) -> None:
    assert floor_bits(name) == Decimal(bits)


def test_prices_are_scaled_replaced_and_paid_on_other_terms() -> None:
    there = inventory(pool("p", gpu(8000), price=PRICE), pool("q", gpu(8000)))
    cheap = changed_inventory(there, PriceTerms("less", factor=Decimal("0.8")))
    assert cheap.pools[0].price_per_hour == Decimal("1.6")
    assert cheap.pools[1].price_per_hour is None
    spot = changed_inventory(there, PriceTerms("spot", Payment.SPOT))
    assert spot.pools[0].price_per_hour == Decimal("0.50")
    assert spot.pools[0].may_be_interrupted
    reserved = changed_inventory(there, PriceTerms("year", Payment.RESERVED_1Y))
    assert reserved.pools[0].price_per_hour is None
    given = changed_inventory(there, PriceTerms("quote", pools={"p": Decimal(9), "q": Decimal(1)}))
    assert [one.price_per_hour for one in given.pools] == [Decimal(9), Decimal(1)]
    assert given.pools[0].price is not None
    assert given.pools[0].price.currency == "EUR"
    with pytest.raises(InvalidInput, match="has no pool nowhere"):
        changed_inventory(there, PriceTerms("x", pools={"nowhere": Decimal(1)}))


def test_a_hash_follows_from_all_of_the_inputs_and_nothing_else() -> None:
    asked, there = fleet(workload("a")), inventory(pool("p", gpu(8000), price=PRICE))
    key = Fingerprints().of(asked, there)
    again = Fingerprints().of(fleet(workload("a")), inventory(pool("p", gpu(8000), price=PRICE)))
    assert key == again
    others = [
        (fleet(workload("a", replicas=2)), there),
        (fleet(workload("a", "qwen3-0.6b", "Q4_K_M")), there),
        (asked, inventory(pool("p", gpu(8000)))),
        (asked, inventory(pool("p", gpu(8001), price=PRICE))),
        (there, asked),
    ]
    prints = Fingerprints()
    assert len({key, *(prints.of(*one) for one in others)}) == 6
