"""Two plans compared, as Markdown: for a pull request, and for a terminal."""

from collections.abc import Iterator
from decimal import Decimal

from packer.plan.moves import moves_note
from packer.report.csv_tables import csv_table
from packer.report.difference import Difference, Figure, FigureChange
from packer.report.markdown import escaped, markdown_table
from packer.report.wording import UNKNOWN, amount, symbol

FIGURE_NAMES: dict[Figure, str] = {
    Figure.PRICE_PER_HOUR: "price an hour",
    Figure.PRICE_PER_MONTH: "price a month",
    Figure.IDLE_PER_MONTH: "of which idle a month",
    Figure.CARDS: "cards",
    Figure.NODES: "nodes in use",
    Figure.WORKLOADS: "workloads",
    Figure.REPLICAS: "replicas",
    Figure.PLANNED_PERCENT: "memory planned, %",
}
_COUNTS = frozenset({Figure.CARDS, Figure.NODES, Figure.WORKLOADS, Figure.REPLICAS})
NO_MONEY = "Prices are in different currencies, so no money is compared."


def signed(value: Decimal | None, digits: int = 2) -> str:
    """A change with its sign; ``unknown`` is never 0, and no change is ``±0``."""
    if value is None:
        return UNKNOWN
    return f"{value:+,.{digits}f}".replace("-", "−") if value else "±0"


def figure_cells(one: FigureChange) -> tuple[str, str, str]:
    """Before, after and change of a figure."""
    digits = 0 if one.figure in _COUNTS else 1 if one.figure is Figure.PLANNED_PERCENT else 2
    cells = (amount(value, digits) for value in (one.before, one.after))
    return *cells, signed(one.change, digits)  # type: ignore[return-value]


def verdict_words(facts: Difference) -> str:
    """The change in one sentence, money first."""
    if facts.is_same:
        return "Nothing changes."
    changes = {one.figure: one.change for one in facts.figures}
    month = changes.get(Figure.PRICE_PER_MONTH)
    cards = changes[Figure.CARDS] or Decimal(0)
    if month is None:
        money = "The change in money is unknown"
    elif not month:
        money = "It costs the same"
    else:
        more = "more" if month > 0 else "less"
        money = f"It costs {amount(abs(month))} {symbol(facts.currency)} a month {more}"
    return f"{money}; cards {signed(cards, 0)}."


def difference_markdown(facts: Difference) -> str:
    """What changed, short enough for a pull request; equal inputs give equal text."""
    sections = [_summary(facts), _bill(facts), _nodes(facts), _workloads(facts), _moves(facts)]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _summary(facts: Difference) -> list[str]:
    names = f"{facts.old.fleet_name} → {facts.new.fleet_name}"
    rows = [
        (escaped(FIGURE_NAMES[one.figure]), *map(escaped, figure_cells(one)))
        for one in facts.figures
    ]
    lines = [
        f"## What changes: {escaped(names)}",
        "",
        f"**{escaped(verdict_words(facts))}**",
        "",
        *markdown_table(("", "before", "after", "change"), rows, 1),
    ]
    return lines if facts.currency else [*lines, "", NO_MONEY]


def _bill(facts: Difference) -> list[str]:
    changed = [one for one in facts.lines if one.change]
    if not changed:
        return []
    rows = [
        (escaped(one.name), amount(one.before), amount(one.after), escaped(signed(one.change)))
        for one in changed
    ]
    head = ("paid for", "before", "after", f"change, {escaped(symbol(facts.currency))}/month")
    return ["### Who pays more or less", "", *markdown_table(head, rows, 1)]


def _nodes(facts: Difference) -> list[str]:
    if not facts.nodes:
        return []
    rows = [
        (
            escaped(one.node),
            escaped(one.product),
            one.what,
            *("–" if value is None else amount(value) for value in (one.before, one.after)),
            escaped(signed(one.change)),
        )
        for one in facts.nodes
    ]
    head = (
        "node",
        "product",
        "",
        "before",
        "after",
        f"change, {escaped(symbol(facts.currency))}/h",
    )
    return ["### Nodes", "", *markdown_table(head, rows, 3)]


def _workloads(facts: Difference) -> list[str]:
    if not facts.workloads:
        return []
    rows = [(escaped(one.name), escaped("; ".join(one.changes))) for one in facts.workloads]
    return ["### Workloads", "", *markdown_table(("workload", "what changes"), rows, 9)]


def _moves(facts: Difference) -> list[str]:
    words = moves_note(facts.moves).partition(": ")[2]
    return ["### Replicas", "", escaped(words[:1].upper() + words[1:] + ".")]


def difference_csv(facts: Difference) -> dict[str, str]:
    """File name → table; an unknown amount is an empty cell."""
    return {
        "figures.csv": csv_table(
            ("figure", "before", "after", "change"),
            [(one.figure.value, one.before, one.after, one.change) for one in facts.figures],
        ),
        "cost.csv": csv_table(
            ("part", "before_per_month", "after_per_month", "change_per_month"),
            [(one.name, one.before, one.after, one.change) for one in facts.lines],
        ),
        "nodes.csv": csv_table(
            ("node", "product", "what", "before_per_hour", "after_per_hour", "change_per_hour"),
            list(_node_rows(facts)),
        ),
    }


def _node_rows(facts: Difference) -> Iterator[tuple[object, ...]]:
    for one in facts.nodes:
        yield one.node, one.product, one.what, one.before, one.after, one.change
