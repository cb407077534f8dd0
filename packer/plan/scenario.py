"""Scenarios: one fleet under other prices, contexts, files and demands, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from packer.domain.payment import Payment
from packer.domain.workload import Objective

ANY = "any"
"""Name of the quantization floor that refuses nothing."""


@dataclass(frozen=True)
class Factor:
    """How much of something there is against the fleet file.

    Attributes:
        everywhere: For every workload that ``workloads`` does not name.
        workloads: For single workloads.
    """

    name: str
    everywhere: Decimal = Decimal(1)
    workloads: Mapping[str, Decimal] = field(default_factory=dict)

    def of(self, workload: str) -> Decimal:
        """Factor of one workload."""
        return self.workloads.get(workload, self.everywhere)


@dataclass(frozen=True)
class PriceTerms:
    """What nodes cost in a scenario.

    Attributes:
        payment: Terms every node is paid on; None leaves them as the inventory says.
        factor: On every price that ``pools`` does not give.
        pools: Price of one node per hour, by pool.
        book: Price book whose prices come before the inventory's; empty for none.
    """

    name: str
    payment: Payment | None = None
    factor: Decimal = Decimal(1)
    pools: Mapping[str, Decimal] = field(default_factory=dict)
    book: str = ""


@dataclass(frozen=True)
class Scenario:
    """One combination of everything a sweep varies.

    Attributes:
        inventory: Its file, as the sweep names it.
        context: On the tokens of each conversation; embedding and reranking only where named.
        quantization_floor: Files coarser than this are not acceptable; ``any`` refuses none.
        demand: On the requests of workloads that state them, and on replicas that are stated,
            rounded up.
        is_in_grid: Whether it is one of the combinations, not a single scenario.
    """

    name: str
    inventory: str
    prices: PriceTerms
    context: Factor
    quantization_floor: str
    demand: Factor
    is_in_grid: bool = True

    @property
    def source(self) -> tuple[str, str]:
        """Files of its inventory and of its price book, the latter empty if it has none."""
        return self.inventory, self.prices.book


@dataclass(frozen=True)
class Scenarios:
    """What a sweep asks.

    Attributes:
        fleet: Its file, as the sweep names it.
        objective: In every scenario; None is that of the fleet.
        scenarios: With different names, in the order of the table.
    """

    name: str
    fleet: str
    objective: Objective | None
    scenarios: tuple[Scenario, ...]

    @property
    def sources(self) -> tuple[tuple[str, str], ...]:
        """Every inventory file with every price book it is asked with, once, in order."""
        return tuple(dict.fromkeys(one.source for one in self.scenarios))
