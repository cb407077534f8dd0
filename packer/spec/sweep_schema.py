"""What a user writes in a sweep file, key by key."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from packer.spec.field_types import (
    ModelText,
    Name,
    QuantizationName,
    ServiceName,
    SourceText,
    refusal,
)
from packer.spec.inventory_schema import PaymentName
from packer.spec.quantity_types import Money
from packer.spec.strict_model import MAPPING_TAG, VALUE_TAG, Metadata, StrictModel

MOST_SCENARIOS = 10_000
_MOST_ITEMS = 1_000
_LARGEST_FACTOR = 1_000


def _factor(value: object) -> Decimal:
    """Exact factor; percent signs are refused, so that 50 % more and 50 % are never mixed up."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise refusal("factor", "a factor is a number", "such as 1.5, which is 50 % more")
    amount = Decimal(value)
    if not 0 < amount <= _LARGEST_FACTOR:
        raise refusal("factor_range", f"a factor lies above 0 and up to {_LARGEST_FACTOR}")
    return amount


FactorNumber = Annotated[
    Decimal,
    BeforeValidator(_factor),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": _LARGEST_FACTOR}),
]
Label = Annotated[SourceText, Field(min_length=1, max_length=60)]


class FactorEntry(StrictModel):
    """A factor with a name, and with others for single workloads."""

    name: Label
    """Name in the table."""
    factor: FactorNumber | None = None
    """For every workload that is not named below. Default 1."""
    workloads: Annotated[dict[ServiceName, FactorNumber], Field(max_length=_MOST_ITEMS)] = Field(
        default_factory=dict
    )
    """Workload → factor."""


class PriceTermsEntry(StrictModel):
    """What nodes cost."""

    name: Label
    """Name in the table."""
    payment: PaymentName | None = None
    """Terms every node is paid on. Default: as the inventory says."""
    factor: FactorNumber | None = None
    """On every price; 0.8 is a discount of 20 %. Default 1."""
    pools: Annotated[dict[Name, Money], Field(max_length=_MOST_ITEMS)] = Field(default_factory=dict)
    """Pool → price of one of its nodes per hour, instead of the inventory's."""
    book: ModelText | None = None
    """Price book (YAML); its prices come before the inventory's."""


def _mapping_or_value(value: object) -> str:
    return MAPPING_TAG if isinstance(value, dict | StrictModel) else VALUE_TAG


FactorItem = Annotated[
    Annotated[FactorNumber, Tag(VALUE_TAG)] | Annotated[FactorEntry, Tag(MAPPING_TAG)],
    Discriminator(_mapping_or_value),
]


class GridEntry(StrictModel):
    """Every combination of these is a scenario; a list left out is the fleet as it is."""

    inventories: Annotated[tuple[ModelText, ...], Field(min_length=1, max_length=_MOST_ITEMS)]
    """Inventory files; paths begin at the folder of this file."""
    prices: Annotated[tuple[PriceTermsEntry, ...], Field(max_length=_MOST_ITEMS)] = ()
    """Terms and prices of the nodes."""
    contexts: Annotated[tuple[FactorItem, ...], Field(max_length=_MOST_ITEMS)] = ()
    """Factors on the context of each conversation; embedding and reranking only where named."""
    quantization_floors: Annotated[tuple[QuantizationName, ...], Field(max_length=100)] = ()
    """Coarsest acceptable quantization, such as `Q5_K_M`; `any` refuses none."""
    demands: Annotated[tuple[FactorItem, ...], Field(max_length=_MOST_ITEMS)] = ()
    """Factors on the demand, and on replicas that the fleet states, rounded up."""


class ScenarioEntry(StrictModel):
    """One scenario that is not part of the grid."""

    name: Label
    """Name in the table."""
    inventory: ModelText
    """Inventory file; its path begins at the folder of this file."""
    prices: PriceTermsEntry | None = None
    """Terms and prices of the nodes. Default: as the inventory says."""
    context: FactorItem | None = None
    """Factor on the context of each conversation. Default 1."""
    quantization_floor: QuantizationName = "any"
    """Coarsest acceptable quantization; `any` refuses none."""
    demand: FactorItem | None = None
    """Factor on the demand, and on replicas that the fleet states, rounded up. Default 1."""


class SweepEntry(StrictModel):
    """One fleet under many circumstances."""

    api_version: Literal["gpu-packer/v1"]
    """Version of this format."""
    kind: Literal["Sweep"]
    """Kind of this document."""
    metadata: Metadata
    """Name of the sweep."""
    fleet: ModelText
    """Fleet file; its path begins at the folder of this file."""
    objective: Literal["cards", "price"] | None = None
    """What every scenario minimises first. Default: what the fleet says."""
    grid: GridEntry | None = None
    """Lists of which every combination is a scenario."""
    scenarios: Annotated[tuple[ScenarioEntry, ...], Field(max_length=MOST_SCENARIOS)] = ()
    """Single scenarios, after those of the grid."""
