"""Answers of other commands about the sample plans, for reports that show them."""

from dataclasses import replace
from decimal import Decimal

from packer.domain.payment import Payment
from packer.domain.workload import Objective
from packer.plan.comparison import Contender, FleetComparison, PaidNodes
from packer.plan.comparison import Outcome as ContenderOutcome
from packer.plan.plan import Plan
from packer.plan.risk import (
    Loss,
    Replanned,
    Risk,
    Stress,
    StressKind,
    TightCard,
    Unit,
    Verdict,
)
from packer.plan.rollout.record import (
    AppliedChange,
    Ending,
    RecordedGap,
    RecordedPeak,
    RecordedShortfall,
    RecordedStep,
    RecordedStop,
)
from packer.plan.sweep import Answer, Outcome, PoolUse, Sweep, SweepLimits, SweepRow, SweepRun
from packer.report.beside import Beside
from tests.report_plans import HOSTILE


def risk_of(plan: Plan) -> Risk:
    """One loss and four stresses, one of which nothing survives; money per hour."""
    fits = Replanned(Verdict.FITS, True, 11, Decimal("36.10"), Decimal("1.20"), Decimal("36.10"))
    gone = Replanned(Verdict.DOES_NOT_FIT, reasons=(HOSTILE,))
    less = replace(fits, objective_change=Decimal("-6.98"), price_per_hour=Decimal("27.92"))
    late = Replanned(Verdict.NOT_ASKED)
    return Risk(
        fleet=plan.inputs.fleet_name,
        inventory=plan.inputs.inventory_name,
        objective="price",
        objective_value=Decimal("34.90"),
        currency="USD",
        cards=plan.cards,
        price_per_hour=plan.price_per_hour,
        tightest=TightCard("l40s-0", 0, 10, 1, 1, Decimal("3.12"), Decimal("5.00")),
        losses=(Loss(Unit.NODE, "l40s-0", 2, 3, (HOSTILE,), gone, "one more l40s node"),),
        stresses=(
            Stress(StressKind.MEMORY, "memory +10 %", 10, ("l40s-0 card 0",), None, fits),
            Stress(StressKind.PRICE, "every price -20 %", -20, (), Decimal("27.92"), less),
            Stress(StressKind.CONTEXT, HOSTILE, 25, (), None, gone),
            Stress(StressKind.REPLICAS, "one replica more of chat", None, (), None, late),
        ),
        breaks_first=HOSTILE,
        time_limit_seconds=5.0,
        inputs=plan.inputs,
        versions=plan.versions,
        run=plan.run,
    )


def comparison_of(plan: Plan) -> FleetComparison:
    """A chosen scenario, a dearer one, and one where nothing fits."""
    paid = PaidNodes(
        *("pool", "L40S", 4, "g6e.12xlarge", "cloud", "eu-west", Payment.SPOT, 2, 7),
        *(Decimal("7.20"), None, HOSTILE),
    )
    first = Contender(
        scenario="ours",
        inventory="eu-cluster",
        inventory_sha256="0" * 64,
        payments=(Payment.ON_DEMAND,),
        rank=1,
        is_chosen=True,
        why_not="",
        is_proved_dearer=False,
        outcome=ContenderOutcome.OPTIMAL,
        cards=10,
        cards_paid=16,
        nodes=4,
        price_per_hour=Decimal("34.90"),
        price_per_month=Decimal("25477.00"),
        idle_per_hour=Decimal("1.00"),
        idle_per_month=Decimal("730.00"),
        bound_per_hour=Decimal("34.90"),
        gap_percent=Decimal("0.00"),
        mix=(paid,),
    )
    second = replace(
        first,
        scenario=HOSTILE,
        rank=2,
        is_chosen=False,
        why_not="costs 1.00 per hour more",
        price_per_month=Decimal("26207.00"),
        price_per_hour=Decimal("35.90"),
    )
    none = replace(
        first,
        scenario="too small",
        rank=3,
        is_chosen=False,
        why_not="",
        outcome=ContenderOutcome.INFEASIBLE,
        cards=None,
        nodes=None,
        price_per_hour=None,
        price_per_month=None,
        idle_per_month=None,
        gap_percent=None,
        mix=(),
        reasons=("chat: needs more",),
    )
    return FleetComparison(
        fleet="company",
        fleet_sha256=plan.inputs.fleet_sha256,
        currency="USD",
        hours_per_month=730,
        rates=(),
        chosen="ours",
        contenders=(first, second, none),
        attribution=None,
        oldest_price=None,
        undated=1,
        notes=(),
        versions=plan.versions,
        run=plan.run,
    )


def _answer(month: str, bits: str, cards: int = 3) -> Answer:
    price = Decimal(month)
    return Answer(
        outcome=Outcome.OPTIMAL,
        objective_value=price / 730,
        bound=price / 730,
        gap_percent=Decimal("0.00"),
        cards=cards,
        nodes=cards,
        price_per_hour=price / 730,
        price_per_month=price,
        idle_per_month=Decimal("12.34"),
        currency="USD",
        planned_percent=Decimal("91.2"),
        replicas=5,
        first_choices=3,
        bits_per_weight=Decimal(bits),
        pools=(PoolUse("l40s", "L40S", cards, cards),),
    )


def sweep_of(plan: Plan) -> Sweep:
    """Two inventories, two floors, three demands; one combination does not fit, one is open."""
    amounts = {
        ("own", "any"): (("730.00", "4.90"), ("1460.00", "4.90"), None),
        ("own", "Q6_K"): (("1460.00", "6.60"), None, None),
        ("cloud", "any"): (("876.00", "5.10"), ("1606.00", "5.10"), ("2409.00", "5.10")),
        ("cloud", "Q6_K"): (("1168.00", "6.60"), ("2117.00", "6.60"), ("3322.00", "6.60")),
    }
    rows: list[SweepRow] = []
    for (inventory, floor), answers in amounts.items():
        for demand, given in enumerate(answers, start=1):
            answer = _answer(*given) if given else Answer(Outcome.INFEASIBLE, HOSTILE)
            name = f"{inventory} · {floor} · demand ×{demand}"
            rows.append(
                SweepRow(
                    *(name, f"{inventory}.yaml", "as listed", "×1", floor, f"×{demand}"),
                    *(Decimal(1), Decimal(demand), f"{len(rows):064x}", answer),
                )
            )
    bad = replace(rows[0], scenario=HOSTILE, answer=None, is_in_grid=False, input_sha256="")
    wrong = replace(bad, scenario="wrong", answer=Answer(Outcome.INVALID, f"P0261: {HOSTILE}"))
    return Sweep(
        name="growth",
        fleet="company",
        fleet_sha256=plan.inputs.fleet_sha256,
        objective=Objective.PRICE,
        limits=SweepLimits(0.2, 600.0, 0.0, 1, 1),
        rows=(*rows, bad, wrong),
        versions=plan.versions,
        run=SweepRun("2026-11-22T12:00:00+00:00", "processes", 2, 11, 1, 3.5, 6.5),
    )


def change_of(plan: Plan) -> AppliedChange:
    """An apply of four steps in two waves, with a forced stop, a shortfall and a fault."""
    return AppliedChange(
        plan=plan.name,
        inputs=plan.inputs,
        cluster=HOSTILE,
        namespace="llm",
        started="2026-11-22T12:00:00+00:00",
        difference=("move     chat-0: l40s-0 gpu0 → l40s-1 gpu0", HOSTILE),
        steps=(
            RecordedStep(1, "stop", "code-0"),
            RecordedStep(1, "start", HOSTILE),
            RecordedStep(2, "replace", "chat-0"),
            RecordedStep(2, "start", "code-0"),
        ),
        peaks=(
            RecordedPeak("l40s-0", 0, 30 * 2**30, 44 * 2**30),
            RecordedPeak("l40s-0", None, 8 * 2**30, 0),
        ),
        forced_stops=(RecordedStop("code-0", ("chat-0",)),),
        stops_are_fewest=True,
        shortfalls=(RecordedShortfall("code", 0, 1, ("code-0",)),),
        gaps=(RecordedGap("code", 90.0),),
        seconds=120.0,
        ending=Ending.FAILED,
        taken_seconds=77.4,
        written=("Deployment chat-0",),
        problem=HOSTILE,
    )


def beside(plan: Plan) -> Beside:
    """All four."""
    return Beside(risk_of(plan), comparison_of(plan), sweep_of(plan), change_of(plan))
