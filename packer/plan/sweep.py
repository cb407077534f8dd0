"""Answers of a sweep: one row per scenario. The dataclasses are the JSON contract."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from packer.domain.workload import Objective
from packer.plan.plan import API_VERSION, Versions


class Outcome(StrEnum):
    """What came of a scenario.

    optimal: Placed, and proved best. feasible: Placed, with a bound.
    infeasible: Nothing fits. unknown: Nothing was found in the time given.
    invalid: What it asks makes no sense. failed: Its computation broke.
    """

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    UNKNOWN = "unknown"
    INVALID = "invalid"
    FAILED = "failed"

    @property
    def is_placed(self) -> bool:
        """Whether there is a plan."""
        return self in (Outcome.OPTIMAL, Outcome.FEASIBLE)

    @property
    def is_answer(self) -> bool:
        """Whether asking the same again would say nothing else."""
        return self not in (Outcome.INVALID, Outcome.FAILED)


@dataclass(frozen=True)
class PoolUse:
    """What is used of one pool: nodes that are paid, and cards with a replica."""

    pool: str
    product: str
    nodes: int
    cards: int


@dataclass(frozen=True)
class Answer:
    """What planning one scenario gave; figures are None without a plan, money without prices.

    Attributes:
        reason: Why there is no plan; empty with one.
        objective_value, bound: Cards, or money per hour; no plan takes less than the bound.
        gap_percent: (value − bound) ÷ value, two decimals.
        cards: With at least one replica. nodes: That hold them.
        idle_per_month: Paid for memory and cards that are left over.
        planned_percent: Planned ÷ allocatable memory of the cards in use, one decimal.
        replicas: Of all workloads. first_choices: Of them, how many run the file wanted most.
        bits_per_weight: Bits of all model files placed ÷ their parameters, two decimals.
        is_cut_short: Whether the clock ended the search: another machine may answer otherwise.
    """

    outcome: Outcome
    reason: str = ""
    objective_value: Decimal | None = None
    bound: Decimal | None = None
    gap_percent: Decimal | None = None
    cards: int | None = None
    nodes: int | None = None
    price_per_hour: Decimal | None = None
    price_per_month: Decimal | None = None
    idle_per_month: Decimal | None = None
    currency: str = ""
    planned_percent: Decimal | None = None
    replicas: int | None = None
    first_choices: int | None = None
    bits_per_weight: Decimal | None = None
    pools: tuple[PoolUse, ...] = ()
    is_cut_short: bool = False


@dataclass(frozen=True)
class SweepRow:
    """One scenario with its answer.

    Attributes:
        inventory, prices, context, quantization_floor, demand: What was varied, by name.
        context_factor, demand_factor: For workloads that are not named singly.
        input_sha256: Of all that the answer follows from; empty if it could not be put together.
        answer: None while it was not computed.
        is_in_grid: Whether it is one of the combinations, not a single scenario.
    """

    scenario: str
    inventory: str
    prices: str
    context: str
    quantization_floor: str
    demand: str
    context_factor: Decimal
    demand_factor: Decimal
    input_sha256: str
    answer: Answer | None
    is_in_grid: bool = True


@dataclass(frozen=True)
class SweepRun:
    """Facts of the machine and the clock.

    Attributes:
        engine: ``processes``, ``ray`` or ``dask``. processes: How many computed at once.
        computed: Scenarios computed now. kept: Answers found from earlier runs.
        seconds: Wall time [s]. scenario_seconds: Of all computations together [s].
    """

    created: str
    engine: str
    processes: int
    computed: int
    kept: int
    seconds: float
    scenario_seconds: float


@dataclass(frozen=True)
class SweepLimits:
    """What each scenario may spend; a part of what its answer follows from.

    Attributes:
        effort: Deterministic work of the solver, the same on every machine.
        time_seconds: Wall time [s], which should never be reached: then machines differ.
    """

    effort: float
    time_seconds: float
    gap: float
    seed: int
    threads: int


@dataclass(frozen=True)
class Sweep:
    """All scenarios of a sweep; everything outside ``run`` follows from the inputs."""

    name: str
    fleet: str
    fleet_sha256: str
    objective: Objective
    limits: SweepLimits
    rows: tuple[SweepRow, ...]
    versions: Versions
    run: SweepRun
    apiVersion: str = field(default=API_VERSION)  # noqa: N815 — the name Kubernetes tools expect
    kind: str = field(default="Sweep")
