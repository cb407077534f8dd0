"""One fleet on several inventories, ranked by money. The dataclasses are the JSON contract."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from packer.domain.payment import Payment
from packer.plan.attribution import Attribution
from packer.plan.headline import Way
from packer.plan.plan import API_VERSION, Run, Versions


class Outcome(StrEnum):
    """What planning a scenario gave."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class PaidNodes:
    """Equal nodes that are paid for.

    Attributes:
        instance_type, provider, region: Empty for hardware of one's own.
        nodes: How many hold at least one replica. cards_used: Of them, with a replica.
        price_per_hour: Of one node; None when unknown.
        as_of: Day the price was seen; None if nobody says. source: Where it comes from.
    """

    pool: str
    product: str
    gpus_per_node: int
    instance_type: str
    provider: str
    region: str
    payment: Payment
    nodes: int
    cards_used: int
    price_per_hour: Decimal | None
    as_of: date | None
    source: str


@dataclass(frozen=True)
class WayOnScenario:
    """The same fleet on the same inventory, placed in a simpler way; None where it cannot be.

    Attributes:
        price_per_hour: Whole nodes, as they are paid.
        is_proved: Whether no better placement of that way exists.
        cards_ratio, price_ratio: Its figure ÷ that of our plan, two decimals.
        note: Why there is no figure, or what limits it.
    """

    way: Way
    cards: int | None
    nodes: int | None
    price_per_hour: Decimal | None
    price_per_month: Decimal | None
    is_proved: bool
    cards_ratio: Decimal | None
    price_ratio: Decimal | None
    note: str = ""


@dataclass(frozen=True)
class Contender:
    """One scenario: an inventory, paid on some terms.

    Attributes:
        scenario: Its name: the inventory, and what was restricted in it.
        payments: Terms its nodes could be paid on.
        rank: 1 is the best; those without a placement share the last ranks.
        is_chosen: The cheapest with a placement and a known price.
        why_not: Why it is not the chosen one, in money; empty for the chosen one.
        is_proved_dearer: Whether even its bound is above the chosen price.
        cards: With at least one replica. cards_paid: On nodes that are paid for.
        idle_per_hour, idle_per_month: Memory and cards that are paid and left over.
        bound_per_hour: No placement on this scenario costs less; None if not known.
        gap_percent: (price − bound) ÷ price, two decimals; None without both.
        mix: What is paid for, dearest part first.
        ways: Simpler ways and the bound, beside this plan.
        reasons: Demands that clash where nothing fits.
        unpriced: Pools whose price is unknown, for which the scenario has none.
        plan_sha256: Hash of the plan, of everything but its ``run``; empty without a plan.
    """

    scenario: str
    inventory: str
    inventory_sha256: str
    payments: tuple[Payment, ...]
    rank: int
    is_chosen: bool
    why_not: str
    is_proved_dearer: bool
    outcome: Outcome
    cards: int | None
    cards_paid: int | None
    nodes: int | None
    price_per_hour: Decimal | None
    price_per_month: Decimal | None
    idle_per_hour: Decimal | None
    idle_per_month: Decimal | None
    bound_per_hour: Decimal | None
    gap_percent: Decimal | None
    mix: tuple[PaidNodes, ...] = ()
    ways: tuple[WayOnScenario, ...] = ()
    reasons: tuple[str, ...] = ()
    unpriced: tuple[str, ...] = ()
    plan_sha256: str = ""


@dataclass(frozen=True)
class FleetComparison:
    """One fleet on every scenario, best first; everything outside ``run`` follows from the inputs.

    Attributes:
        currency: Of every amount. rates: Rates of exchange that were used, in words.
        chosen: Name of the chosen scenario; empty if none has a placement and a price.
        contenders: In the order of their ranks.
        attribution: Who pays for what of the chosen plan.
        oldest_price: Day of the oldest dated price in use. undated: prices in use without a date.
        notes: What a reader must know.
    """

    fleet: str
    fleet_sha256: str
    currency: str
    hours_per_month: int
    rates: tuple[str, ...]
    chosen: str
    contenders: tuple[Contender, ...]
    attribution: Attribution | None
    oldest_price: date | None
    undated: int
    notes: tuple[str, ...]
    versions: Versions
    run: Run
    apiVersion: str = field(default=API_VERSION)  # noqa: N815 — the name Kubernetes tools expect
    kind: str = field(default="FleetComparison")
