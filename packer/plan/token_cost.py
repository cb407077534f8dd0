"""What a million tokens cost: the attributed price over what the replicas can do in an hour.

An estimate with the band of its speed, and only where somebody measured the card or its kind: a
speed of the default constants gives no money.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from packer.performance.figure import SpeedBasis
from packer.plan.attribution import MoneyBand, TokenCost
from packer.plan.cost import CostKind, CostLine
from packer.plan.plan import Placement, Plan, PlannedFigure, PlannedSpeed

_SECONDS_PER_HOUR = 3600
_TOKENS = 10**6
_QUANTUM = Decimal("0.0001")

Speeds = Mapping[tuple[str, int], PlannedSpeed | str]
"""(workload, replica) → its speed, or why it is not known."""


@dataclass(frozen=True)
class _Rate:
    """Tokens per second of all replicas of a workload, with band."""

    value: float
    low: float
    high: float


def token_costs(plan: Plan, lines: Sequence[CostLine], speeds: Speeds) -> tuple[TokenCost, ...]:
    """One line per workload, in the order of the fleet; nothing where the bill is unknown."""
    prices = {line.name: line.per_hour for line in lines if line.kind is CostKind.WORKLOAD}
    on_card = Counter((one.node, gpu) for one in plan.placements for gpu in one.gpus)
    return tuple(
        _cost(name, price, [p for p in plan.placements if p.workload == name], speeds, on_card)
        for name, price in prices.items()
    )


def _cost(
    name: str,
    price: Decimal,
    replicas: Sequence[Placement],
    speeds: Speeds,
    on_card: Counter[tuple[str, int]],
) -> TokenCost:
    found = [
        speeds.get((one.workload, one.replica), "its speed was not estimated") for one in replicas
    ]
    known = [one for one in found if isinstance(one, PlannedSpeed)]
    neighbours = [max(on_card[one.node, gpu] for gpu in one.gpus) for one in replicas]
    why = next((one for one in found if isinstance(one, str)), "") or _no_basis(known)
    if why or not known:
        return TokenCost(
            name,
            None,
            None,
            None,
            None,
            None,
            max(neighbours, default=0),
            0,
            0,
            why or "no replica",
        )
    out = [one.decode_aggregate_tokens_per_second for one in known]
    prompt = [one.prefill_tokens_per_second for one in known]
    alone = [1] * len(known)
    return TokenCost(
        workload=name,
        per_million_out=_money(price, _rate(out, alone)),
        per_million_in=_money(price, _rate(prompt, alone)),
        shared_per_million_out=_money(price, _rate(out, neighbours)),
        shared_per_million_in=_money(price, _rate(prompt, neighbours)),
        basis=_worst(known),
        processes=max(neighbours),
        depth=max(one.depth for one in known),
        slots=max(one.slots for one in known),
    )


def _worst(known: Sequence[PlannedSpeed]) -> SpeedBasis:
    basis = SpeedBasis.MEASURED
    for one in known:
        for figure in (one.decode_aggregate_tokens_per_second, one.prefill_tokens_per_second):
            basis = basis.worse(figure.basis)
    return basis


def _no_basis(known: Sequence[PlannedSpeed]) -> str:
    if known and _worst(known) is SpeedBasis.DEFAULT:
        return "nobody measured llama.cpp on this card; `gpu-packer calibrate` takes measurements"
    return ""


def _rate(figures: Sequence[PlannedFigure], processes: Sequence[int]) -> _Rate:
    """Of all replicas, each with an equal share of its fullest card's time."""
    pairs = list(zip(figures, processes, strict=True))
    return _Rate(
        value=sum(one.value / count for one, count in pairs),
        low=sum(one.low / count for one, count in pairs),
        high=sum(one.high / count for one, count in pairs),
    )


def _money(price: Decimal, rate: _Rate) -> MoneyBand | None:
    """Price of a million tokens; None for a server that makes none, such as of embeddings."""
    if not rate.low:
        return None

    def of(tokens_per_second: float) -> Decimal:
        tokens = Decimal(repr(tokens_per_second)) * _SECONDS_PER_HOUR
        return (price * _TOKENS / tokens).quantize(_QUANTUM)

    return MoneyBand(of(rate.value), of(rate.high), of(rate.low))
