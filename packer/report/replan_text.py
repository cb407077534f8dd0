"""What a new plan changes, line by line, with cards and cost before and after."""

from collections.abc import Iterator
from decimal import Decimal

from packer.plan.plan import MovedReplica, Plan

_MOST_LINES = 40


def replan_text(old: Plan, new: Plan) -> str:
    """What changes against what runs, and against the last plan's cards and cost.

    Args:
        old: The last plan.
        new: The one that follows it; its moves are against what runs.
    """
    lines = list(_changes(new))
    shown = lines[:_MOST_LINES]
    if len(lines) > _MOST_LINES:
        shown.append(f"and {len(lines) - _MOST_LINES} more")
    if not lines:
        shown = ["nothing moves"]
    elif new.moves is not None:
        shown.append(f"servers: {new.moves.kept} stay as they are")
    shown.append(f"cards: {old.cards} → {new.cards}")
    shown.append(f"cost per hour: {_price(old)} → {_price(new)}")
    return "\n".join(shown)


def _changes(plan: Plan) -> Iterator[str]:
    moves = plan.moves
    if moves is None:
        return
    places = {f"{p.workload}-{p.replica}": _where(p.node, p.gpus) for p in plan.placements}
    for one in moves.moved:
        yield _moved(one)
    for name in moves.started:
        yield f"new      {name} on {places[name]}"
    for name in moves.stopped:
        yield f"gone     {name}"


def _moved(one: MovedReplica) -> str:
    name, there = f"{one.workload}-{one.replica}", _where(one.node, one.gpus)
    if (one.from_node, one.from_gpus) == (one.node, one.gpus):
        return f"restart  {name} on {there}"
    return f"move     {name}: {_where(one.from_node, one.from_gpus)} → {there}"


def _where(node: str, gpus: tuple[int, ...]) -> str:
    return f"{node} {' '.join(f'gpu{gpu}' for gpu in gpus)}".strip()


def _price(plan: Plan) -> str:
    price: Decimal | None = plan.price_per_hour
    return "unknown" if price is None else f"{price:.2f} {plan.currency}".rstrip()
