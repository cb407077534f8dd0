"""Price books as YAML, and what inventories say about renting and paying."""

from dataclasses import replace
from decimal import Decimal

import pytest

from packer.domain.instance_price import InstancePrice, RentalQuery
from packer.domain.node import Price
from packer.domain.node_reserve import memory_for_pods
from packer.domain.payment import Payment
from packer.errors import InvalidInput, Problem
from packer.spec.fleet_file import read_fleet
from packer.spec.inventory_file import read_inventory
from packer.spec.lookups import Lookups
from packer.spec.price_book_file import read_price_book
from packer.units import GIB
from tests.spec_lookups import LOOKUPS

BOOK = """
apiVersion: gpu-packer/v1
kind: PriceBook
metadata: {name: acme}
currency: EUR
asOf: 2026-11-01
source: contract
prices:
- {provider: aws, region: eu, instanceType: x1, gpu: L40S, gpus: 1, memory: 32Gi, onDemand: 2.1}
- {provider: own, gpu: H100, gpus: 8, reserved1y: 9, currency: USD, asOf: 2026-01-01, source: mail}
discounts:
- {provider: aws, percent: 12.5, instanceTypes: [g6e.*], payment: [on-demand]}
owned:
- {pool: l40s, purchasePrice: 35040, years: 4, powerWatts: 1000, coolingFactor: 1.5,
   electricityPrice: 0.20}
rates:
- {currency: EUR, to: USD, rate: 1.08}
"""
INVENTORY = """
apiVersion: gpu-packer/v1
kind: Inventory
metadata: {name: mixed}
nodePools:
- {name: l40s, gpu: L40S, gpusPerNode: 1, nodes: 1, hostMemory: 64Gi, pricePerHour: 3,
   payment: on-demand}
rent:
- {provider: aws, region: eu, instanceTypes: [g*], maxNodes: 3, zones: [a, b]}
"""
ROW = InstancePrice(
    provider="aws",
    region="eu",
    instance_type="g1.large",
    gpu="L40S",
    products=("L40S",),
    gpu_count=1,
    vcpus=4,
    memory_gib=32,
    on_demand_per_hour=Decimal(2),
    spot_per_hour=Decimal("0.9"),
    reserved_1y_per_hour=None,
    reserved_3y_per_hour=None,
    reserved_note="",
    currency="USD",
    as_of=None,
    as_of_note="",
    source="test",
)


def renting(*rows: InstancePrice) -> Lookups:
    return replace(LOOKUPS, rentals=lambda query: rows)


def problems(text: str) -> list[Problem]:
    with pytest.raises(InvalidInput) as caught:
        read_price_book(text, "book.yaml", LOOKUPS)
    return list(caught.value.problems)


def test_a_book_says_what_it_says() -> None:
    book = read_price_book(BOOK, "book.yaml", LOOKUPS)
    first, second = book.prices
    assert (first.on_demand_per_hour, first.currency) == (Decimal("2.1"), "EUR")
    assert (first.products, first.memory_gib, first.source) == (("L40S",), 32, "contract")
    assert str(first.as_of) == "2026-11-01"
    assert (second.reserved_1y_per_hour, second.currency, second.source) == (
        Decimal(9),
        "USD",
        "mail",
    )
    assert second.products == ("H100 SXM", "H100 PCIe")
    (discount,) = book.discounts
    assert (discount.percent, discount.payments) == (Decimal("12.5"), (Payment.ON_DEMAND,))
    assert (book.owned[0].price_per_hour, book.owned[0].currency) == (Decimal("1.30"), "EUR")
    assert str(book.rates[0]) == "1 EUR = 1.08 USD, 2026-11-01, contract"


@pytest.mark.parametrize(
    ("old", "new", "code", "line"),
    [
        ("onDemand: 2.1", "onDemand: -2.1", "P0107", 9),
        ("onDemand: 2.1", "onDemand: 0", "P0107", 9),
        (", onDemand: 2.1", "", "P0912", 9),
        ("gpu: L40S", "gpu: L4OS", "P0901", 9),
        ("percent: 12.5", "percent: 100", "P0107", 12),
        ("coolingFactor: 1.5", "coolingFactor: 0.5", "P0107", 14),
        ("purchasePrice: 35040, ", "", "P0105", 14),
        ("rates:", "rate:", "P0104", 16),
        ("currency: EUR, to", "currency: euro, to", "P0116", 17),
    ],
)
def test_what_is_wrong_is_said_at_its_place(old: str, new: str, code: str, line: int) -> None:
    found = problems(BOOK.replace(old, new, 1))
    assert [one.where.line for one in found if one.where] == [line]
    assert [one.code for one in found] == [code]


def test_one_pool_is_bought_once() -> None:
    again = BOOK.replace(
        "rates:",
        "- {pool: l40s, purchasePrice: 1, years: 1, powerWatts: 1, "
        "coolingFactor: 1, electricityPrice: 1}\nrates:",
    )
    assert [one.code for one in problems(again)] == ["P0201"]


def test_what_is_rented_becomes_pools_of_each_payment() -> None:
    read = read_inventory(INVENTORY, "i", renting(ROW))
    _, on_demand, spot = read.pools
    assert (on_demand.name, spot.name) == ("g1-large", "g1-large-spot")
    assert (on_demand.price_per_hour, spot.price_per_hour) == (Decimal(2), Decimal("0.9"))
    assert (on_demand.may_be_interrupted, spot.may_be_interrupted) == (False, True)
    assert on_demand.is_rentable
    assert (on_demand.nodes, dict(on_demand.zones)) == (6, {"a": 3, "b": 3})
    assert on_demand.host_memory_bytes == memory_for_pods(32 * GIB)
    assert (on_demand.instance_type, on_demand.provider, on_demand.region) == (
        "g1.large",
        "aws",
        "eu",
    )


def test_the_query_is_what_the_entry_says() -> None:
    asked: list[RentalQuery] = []

    def rentals(query: RentalQuery) -> tuple[InstancePrice, ...]:
        asked.append(query)
        return (ROW,)

    text = INVENTORY.replace("zones: [a, b]", "gpu: L40S, payment: [reserved-1y, spot]")
    (_, spot) = read_inventory(text, "i", replace(LOOKUPS, rentals=rentals)).pools
    terms = (Payment.RESERVED_1Y, Payment.SPOT)
    assert asked == [RentalQuery("aws", ("eu",), ("g*",), "L40S", terms)]
    assert spot.payment is Payment.SPOT


def test_instances_of_one_name_are_told_apart() -> None:
    other = replace(ROW, region="us")
    twin = replace(ROW, gpu_count=2)
    names = [pool.name for pool in read_inventory(INVENTORY, "i", renting(ROW, other, twin)).pools]
    assert len(set(names)) == len(names) == 7
    assert "g1-large-us" in names


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (replace(ROW, memory_gib=None), "P0910"),
        (replace(ROW, on_demand_per_hour=None, spot_per_hour=None), "P0915"),
        (replace(ROW, instance_type="l40s"), "P0201"),
    ],
)
def test_rows_that_cannot_be_planned_are_refused(row: InstancePrice, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_inventory(INVENTORY, "i", renting(row))
    assert {one.code for one in caught.value.problems} == {code}


def test_memory_may_be_said_where_the_row_does_not() -> None:
    text = INVENTORY.replace("zones: [a, b]", "hostMemory: 24Gi")
    read = read_inventory(text, "i", renting(replace(ROW, memory_gib=None)))
    assert read.pools[1].host_memory_bytes == 24 * GIB


def test_without_prices_nothing_is_for_rent() -> None:
    with pytest.raises(InvalidInput, match="P0906"):
        read_inventory(INVENTORY, "i", LOOKUPS)


def test_own_hardware_costs_what_the_book_says() -> None:
    known = replace(
        renting(ROW), own_price=lambda name: Price(Decimal(1)) if name == "l40s" else None
    )
    assert read_inventory(INVENTORY, "i", known).pools[0].price_per_hour == 1


def test_a_pool_may_be_paid_as_reserved() -> None:
    text = INVENTORY.replace("pricePerHour: 3", "pricePerHour: {onDemand: 3, reserved1y: 2}")
    text = text.replace("payment: on-demand", "payment: reserved-1y")
    assert read_inventory(text, "i", renting(ROW)).pools[0].price_per_hour == 2


@pytest.mark.parametrize(("said", "allowed"), [("", False), ("  spot: allowed\n", True)])
def test_spot_is_only_for_workloads_that_allow_it(said: str, allowed: bool) -> None:
    text = (
        "apiVersion: gpu-packer/v1\nkind: Fleet\nmetadata: {name: f}\n"
        "serverImage: {image: x/y:server-cuda-b11434}\nworkloads:\n"
        "- name: a\n  model: catalogue:bge-m3\n  quantizations: [F16]\n  context: 1Ki\n"
        f"  embedding: true\n{said}"
    )
    assert read_fleet(text, "f", LOOKUPS).workloads[0].spot_allowed is allowed
