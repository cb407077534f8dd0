"""What a plan can lose or gain before it breaks. The dataclasses are the JSON contract."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from packer.plan.plan import API_VERSION, Inputs, Run, Versions


class Unit(StrEnum):
    """What may be lost at once."""

    CARD = "card"
    NODE = "node"
    ZONE = "zone"


class Verdict(StrEnum):
    """Whether the fleet can be placed after a change."""

    FITS = "fits"
    DOES_NOT_FIT = "does-not-fit"
    UNKNOWN = "unknown"
    NOT_ASKED = "not-asked"


class StressKind(StrEnum):
    """What grows or shrinks."""

    MEMORY = "memory"
    CONTEXT = "context"
    REPLICAS = "replicas"
    PRICE = "price"


@dataclass(frozen=True)
class Replanned:
    """What planning everything anew after a change gives.

    Attributes:
        verdict: ``unknown`` when time ran out, ``not-asked`` when the time for all was spent.
        is_proved: Whether the plan was proved best; the bound says how far off it may be.
        cards: With at least one replica.
        price_per_hour: Of the nodes in use; None when unknown.
        objective_change: Objective less that of the plan: cards, or money per hour.
        bound: No placement after the change is better.
        reasons: Demands that clash where nothing fits.
    """

    verdict: Verdict
    is_proved: bool = False
    cards: int | None = None
    price_per_hour: Decimal | None = None
    objective_change: Decimal | None = None
    bound: Decimal | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loss:
    """One card, node or zone lost, and those that are just like it.

    Attributes:
        example: The one of them that hits the plan hardest, such as ``l40s-0 card 2``.
        alike: How many are equal to it before anything is placed.
        replicas_lost: Replicas of the plan that stop with the example.
        workloads_out: Workloads that lose every replica with it.
        after: The whole fleet planned on what is left.
        remedy: The cheapest single addition with which it fits again; empty if it fits, or none
            was found.
    """

    unit: Unit
    example: str
    alike: int
    replicas_lost: int
    workloads_out: tuple[str, ...]
    after: Replanned
    remedy: str = ""


@dataclass(frozen=True)
class Stress:
    """One change of demand or price, and the fleet planned anew with it.

    Attributes:
        change: In words, such as ``memory of every process +10 %``.
        percent: Size of the change; None for replicas.
        breaks_in_place: Cards of the plan that would overflow if nothing were moved.
        price_in_place: Price per hour if nothing were moved; None when unknown.
    """

    kind: StressKind
    change: str
    percent: int | None
    breaks_in_place: tuple[str, ...]
    price_in_place: Decimal | None
    after: Replanned


@dataclass(frozen=True)
class TightCard:
    """The card with the least room for growth.

    Attributes:
        slack_bytes: Left over after headroom.
        growth_percent: Growth of every process on it that still fits, two decimals, headroom kept.
        growth_into_headroom_percent: The same when the headroom is used up too.
    """

    node: str
    card: int
    used_bytes: int
    slack_bytes: int
    headroom_bytes: int
    growth_percent: Decimal
    growth_into_headroom_percent: Decimal


@dataclass(frozen=True)
class Risk:
    """Losses and stresses of one plan.

    Attributes:
        objective_value: Of the plan: cards, or money per hour.
        tightest: None for a plan without replicas.
        breaks_first: The mildest change that no new plan survives, in words; empty if every one
            that was asked does.
        time_limit_seconds: Given to each question.
    """

    fleet: str
    inventory: str
    objective: str
    objective_value: Decimal
    currency: str
    cards: int
    price_per_hour: Decimal | None
    tightest: TightCard | None
    losses: tuple[Loss, ...]
    stresses: tuple[Stress, ...]
    breaks_first: str
    time_limit_seconds: float
    inputs: Inputs
    versions: Versions
    run: Run
    notes: tuple[str, ...] = ()
    apiVersion: str = field(default=API_VERSION)  # noqa: N815 — the name Kubernetes tools expect
    kind: str = field(default="Risk")
