"""A sweep as tables: for a terminal, a pull request and a spreadsheet."""

from packer.plan.sweep import Sweep, SweepRow
from packer.report.csv_tables import csv_table
from packer.report.markdown import escaped, markdown_table
from packer.report.sweep_figures import (
    cost_of,
    fidelity_front,
    money,
    outcome_words,
    pools_words,
    summary_words,
)
from packer.report.text_columns import columns
from packer.report.wording import symbol

_CSV_HEAD = (
    "scenario,inventory,prices,context,quantization_floor,demand,outcome,reason,objective_value,"
    "bound,gap_percent,cards,nodes,price_per_hour,price_per_month,idle_per_month,currency,"
    "planned_percent,replicas,first_choices,bits_per_weight,pools,input_sha256"
)


def sweep_table(sweep: Sweep, *, width: int) -> str:
    """The sweep for a terminal; ends with a newline."""
    head = ("SCENARIO", "CARDS", "NODES", f"{_currency(sweep)}/MONTH", "IDLE", "GAP %", "OUTCOME")
    rows = [(row.scenario, *_figures(row), _short_outcome(row)) for row in sweep.rows]
    lines = columns(head, rows, width, frozenset(range(1, 6)))
    return "\n".join([*lines, "", summary_words(sweep)]) + "\n"


def _currency(sweep: Sweep) -> str:
    found = {row.answer.currency for row in sweep.rows if row.answer and row.answer.currency}
    return symbol(found.pop()) if len(found) == 1 else "PRICE"


def _figures(row: SweepRow) -> tuple[str, ...]:
    answer = row.answer
    if answer is None or not answer.outcome.is_placed:
        return ("–",) * 5
    return (
        str(answer.cards),
        str(answer.nodes),
        money(answer.price_per_month, answer, 0),
        money(answer.idle_per_month, answer, 0),
        str(answer.gap_percent),
    )


def _outcome(row: SweepRow) -> str:
    words = outcome_words(row.answer)
    return f"{words}: {row.answer.reason}" if row.answer and row.answer.reason else words


def _short_outcome(row: SweepRow) -> str:
    """Without the demands that clash, which are long; what is wrong with a scenario stays."""
    is_answer = row.answer is None or row.answer.outcome.is_answer
    return outcome_words(row.answer) if is_answer else _outcome(row)


def sweep_markdown(sweep: Sweep) -> str:
    """The sweep for a pull request; what the run contributed is not in it."""
    head = (
        "scenario",
        "cards",
        "nodes",
        f"{_currency(sweep)}/month",
        "idle",
        "gap %",
        "bits/weight",
        "outcome",
    )
    rows = [
        (
            escaped(row.scenario),
            *map(escaped, _figures(row)),
            str(row.answer.bits_per_weight) if row.answer and row.answer.bits_per_weight else "–",
            escaped(_outcome(row)),
        )
        for row in sweep.rows
    ]
    front = ", ".join(escaped(row.scenario) for row, _ in fidelity_front(sweep))
    lines = [
        f"## Sweep {escaped(sweep.name)} of {escaped(sweep.fleet)}",
        "",
        escaped(summary_words(sweep)),
        "",
        *markdown_table(head, rows, 1),
    ]
    if front:
        words = cost_of(sweep).words
        lines += ["", f"Not beaten in both {escaped(words)} and bits per weight: {front}"]
    return "\n".join(lines) + "\n"


def sweep_csv(sweep: Sweep) -> str:
    """The sweep for a spreadsheet: exact figures, empty where there is none."""
    return csv_table(_CSV_HEAD.split(","), map(_csv_row, sweep.rows))


def _csv_row(row: SweepRow) -> tuple[object, ...]:
    asked = (row.scenario, row.inventory, row.prices, row.context, row.quantization_floor)
    answer = row.answer
    if answer is None:
        return (*asked, row.demand, "", *[""] * 15, row.input_sha256)
    return (
        *asked,
        row.demand,
        answer.outcome.value,
        answer.reason,
        *(answer.objective_value, answer.bound, answer.gap_percent, answer.cards, answer.nodes),
        *(answer.price_per_hour, answer.price_per_month, answer.idle_per_month, answer.currency),
        *(answer.planned_percent, answer.replicas, answer.first_choices, answer.bits_per_weight),
        pools_words(answer),
        row.input_sha256,
    )
