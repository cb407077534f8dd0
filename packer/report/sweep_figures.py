"""What a sweep's table and pictures show: one measure of cost, growth along one axis, the front."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from packer.plan.scenario import ANY
from packer.plan.sweep import Answer, Outcome, Sweep, SweepRow
from packer.report.wording import UNKNOWN, amount, counted, symbol

OUTCOME_NAMES: dict[Outcome, str] = {
    Outcome.OPTIMAL: "proved optimal",
    Outcome.FEASIBLE: "feasible",
    Outcome.INFEASIBLE: "does not fit",
    Outcome.UNKNOWN: "out of time",
    Outcome.INVALID: "not computed: the scenario makes no sense",
    Outcome.FAILED: "not computed: it broke",
}
NOT_YET = "not computed yet"


@dataclass(frozen=True)
class Cost:
    """What scenarios are compared by.

    Attributes:
        of: Amount of an answer; None if it has none.
        words: The measure, for titles of axes and columns.
    """

    of: Callable[[Answer], Decimal | None]
    words: str


def cost_of(sweep: Sweep) -> Cost:
    """Money per month where every placed scenario has a price in one currency; else cards."""
    placed = placed_rows(sweep)
    currencies = {answer.currency for _, answer in placed}
    is_priced = all(answer.price_per_month is not None for _, answer in placed)
    if placed and is_priced and len(currencies) == 1:
        return Cost(lambda answer: answer.price_per_month, f"{symbol(currencies.pop())} a month")
    return Cost(lambda answer: Decimal(answer.cards or 0), "cards")


def placed_rows(sweep: Sweep) -> list[tuple[SweepRow, Answer]]:
    """Scenarios that have a plan, with their answers."""
    return [(row, row.answer) for row in sweep.rows if row.answer and row.answer.outcome.is_placed]


def fidelity_front(sweep: Sweep) -> list[tuple[SweepRow, Answer]]:
    """Scenarios that no other beats in cost without fewer bits per weight, coarsest first.

    Only scenarios that serve the same are compared: the demand and contexts that most share.
    """
    cost = cost_of(sweep)
    front: list[tuple[SweepRow, Answer]] = []
    rows = [(row, answer) for row, answer in comparable_rows(sweep) if cost.of(answer) is not None]
    by_cost = sorted(rows, key=lambda one: (cost.of(one[1]), -(one[1].bits_per_weight or 0)))
    for row, answer in by_cost:
        if not front or (answer.bits_per_weight or 0) > (front[-1][1].bits_per_weight or 0):
            front.append((row, answer))
    return front


def comparable_rows(sweep: Sweep) -> list[tuple[SweepRow, Answer]]:
    """Placed scenarios with the demand and the context of the first that has a plan."""
    placed = placed_rows(sweep)
    if not placed:
        return []
    first = placed[0][0]
    return [
        (row, answer)
        for row, answer in placed
        if (row.demand, row.context) == (first.demand, first.context)
    ]


def outcome_words(answer: Answer | None) -> str:
    """What came of a scenario, for people."""
    if answer is None:
        return NOT_YET
    words = OUTCOME_NAMES[answer.outcome]
    if answer.outcome is Outcome.FEASIBLE:
        words += f", gap {answer.gap_percent} %"
    return f"{words}, cut short by the clock" if answer.is_cut_short else words


def money(value: Decimal | None, answer: Answer | None, digits: int = 2) -> str:
    """Money of a placed scenario; a dash where there is no plan, and never 0 for unknown."""
    if answer is None or not answer.outcome.is_placed:
        return "–"
    return UNKNOWN if value is None else amount(value, digits)


def pools_words(answer: Answer | None) -> str:
    """Nodes in use by pool: ``3 × l40s + 1 × a100``."""
    if answer is None:
        return ""
    return " + ".join(f"{one.nodes} × {one.pool}" for one in answer.pools)


def summary_words(sweep: Sweep) -> str:
    """How many scenarios came out how."""
    counts: dict[str, int] = {}
    for row in sweep.rows:
        words = OUTCOME_NAMES[row.answer.outcome] if row.answer else NOT_YET
        counts[words] = counts.get(words, 0) + 1
    parts = [f"{words} {count}" for words, count in counts.items()]
    return f"{counted(len(sweep.rows), 'scenario')}: {', '.join(parts)}"


def varied(rows: Sequence[SweepRow]) -> tuple[str, ...]:
    """Which of the five dimensions differ between rows, in the order they are named."""
    names = ("inventory", "prices", "context", "quantization_floor", "demand")
    return tuple(name for name in names if len({getattr(row, name) for row in rows}) > 1)


def label_of(row: SweepRow, dimensions: Sequence[str]) -> str:
    """A row by some of its dimensions: ``eu-cluster · Q5_K_M or finer``."""
    words = {
        "inventory": row.inventory.rpartition("/")[2].rsplit(".", 1)[0],
        "prices": row.prices,
        "context": f"context {row.context}",
        "quantization_floor": (
            "any quantization"
            if row.quantization_floor == ANY
            else f"{row.quantization_floor} or finer"
        ),
        "demand": f"demand {row.demand}",
    }
    return " · ".join(words[name] for name in dimensions)
