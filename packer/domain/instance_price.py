"""What an instance costs at a provider: rows of the price catalogue and of price books."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from packer.domain.node import Price
from packer.domain.payment import Payment


@dataclass(frozen=True)
class InstancePrice:
    """What one instance cost per hour; a price that is not known is None, never 0.

    Attributes:
        instance_type: The provider's name for it; empty where the source has none.
        gpu: The card as the provider names it.
        products: GPU products it may be; several where the provider says only "H100".
        gpu_count: Cards of the instance.
        vcpus, memory_gib: The instance's own, the lower figure of a range.
        reserved_note: What "reserved" means in the source.
        as_of: Day the price was seen, the first of a month; None if the source gives none.
        as_of_note: What the source says about its date.
    """

    provider: str
    region: str
    instance_type: str
    gpu: str
    products: tuple[str, ...]
    gpu_count: int
    vcpus: int | None
    memory_gib: int | None
    on_demand_per_hour: Decimal | None
    spot_per_hour: Decimal | None
    reserved_1y_per_hour: Decimal | None
    reserved_3y_per_hour: Decimal | None
    reserved_note: str
    currency: str
    as_of: date | None
    as_of_note: str
    source: str

    @property
    def price(self) -> Price:
        """The same as the price of a node."""
        return Price(
            on_demand=self.on_demand_per_hour,
            spot=self.spot_per_hour,
            currency=self.currency,
            as_of=self.as_of,
            source=self.source,
            reserved_1y=self.reserved_1y_per_hour,
            reserved_3y=self.reserved_3y_per_hour,
        )

    @property
    def key(self) -> tuple[str, str, str, tuple[str, ...], int]:
        """What a later row must share to replace this one."""
        return self.provider, self.region, self.instance_type, self.products, self.gpu_count

    def age_days(self, today: date) -> int | None:
        """Days since the price was seen; None if nobody says when."""
        return None if self.as_of is None else (today - self.as_of).days


@dataclass(frozen=True)
class RentalQuery:
    """Instances somebody would rent; empty fields take all.

    Attributes:
        regions, instance_types: Names or patterns such as ``eu-*`` and ``g6e.*``.
        gpu: The card, which also tells which one is meant where a provider says only "A100".
    """

    provider: str
    regions: tuple[str, ...] = ()
    instance_types: tuple[str, ...] = ()
    gpu: str = ""
    payments: tuple[Payment, ...] = ()
