"""A comparison as tables: for a terminal, a pull request and a spreadsheet."""

from collections.abc import Sequence
from decimal import Decimal

from packer.plan.attribution import Attribution, MoneyBand
from packer.plan.comparison import Contender, FleetComparison, Outcome, PaidNodes, WayOnScenario
from packer.plan.cost import CostKind, CostLine
from packer.plan.headline import Way
from packer.report.csv_tables import csv_table
from packer.report.markdown import escaped, markdown_table
from packer.report.text_columns import columns

_UNKNOWN = "unknown"
_NONE = "–"
_WAYS = {
    Way.FP16_ONE_MODEL_PER_CARD_SET: "one FP16 model per card set",
    Way.QUANTIZED_ONE_MODEL_PER_CARD_SET: "one quantized model per card set",
    Way.FIRST_FIT_DECREASING: "first-fit-decreasing",
    Way.THIS_PLAN: "gpu-packer",
    Way.LOWER_BOUND: "proven lower bound",
}
_KINDS = {
    CostKind.HEADROOM: "headroom, kept by rule",
    CostKind.HELD_BY_OTHERS: "held by others",
    CostKind.IDLE_MEMORY: "idle memory",
    CostKind.IDLE_CARDS: "idle cards",
}
_CSV_HEAD = (
    "rank,scenario,chosen,outcome,cards,cards_paid,nodes,price_per_hour,price_per_month,"
    "idle_per_hour,idle_per_month,currency,bound_per_hour,gap_percent,mix,why_not"
)


def comparison_table(comparison: FleetComparison, *, width: int) -> str:
    """The comparison for a terminal; ends with a newline."""
    lines = [*_ranking(comparison, width), ""]
    chosen = next((one for one in comparison.contenders if one.is_chosen), None)
    if chosen is not None:
        lines += [*_ways(chosen, comparison.currency), ""]
    if comparison.attribution is not None:
        lines += [*_bill(comparison.attribution), ""]
    return "\n".join([*lines, *(f"note: {note}" for note in _notes(comparison))]) + "\n"


def _notes(comparison: FleetComparison) -> list[str]:
    rates = [f"rate of exchange: {rate}" for rate in comparison.rates]
    return [*rates, *comparison.notes]


def _ranking(comparison: FleetComparison, width: int) -> list[str]:
    hourly = f"{comparison.currency}/h"
    head = (
        *("#", "SCENARIO", "CARDS", "NODES", hourly, f"{comparison.currency}/MONTH", "IDLE/h"),
        *("BOUND/h", "GAP %", ""),
    )
    rows = [
        (str(number), one.scenario, *_figures(one), "CHOSEN" if one.is_chosen else "")
        for number, one in enumerate(comparison.contenders, 1)
    ]
    table = columns(head, rows, 0, frozenset({0, 2, 3, 4, 5, 6, 7, 8}))
    reasons = [(str(number), verdict(one)) for number, one in enumerate(comparison.contenders, 1)]
    return [*table, "", *columns(("#", "WHAT IS PAID · WHY NOT"), reasons, width, frozenset({0}))]


def _figures(one: Contender) -> tuple[str, ...]:
    return (
        _count(one.cards),
        _count(one.nodes),
        _money(one.price_per_hour, one),
        _money(one.price_per_month, one),
        _money(one.idle_per_hour, one),
        _money(one.bound_per_hour, one),
        _NONE if one.gap_percent is None else str(one.gap_percent),
    )


def verdict(one: Contender) -> str:
    """CHOSEN or why not, and what is paid for."""
    mix = mix_words(one.mix)
    if one.is_chosen:
        return f"CHOSEN · {mix}"
    return f"{mix} · {one.why_not}" if mix else one.why_not


def mix_words(mix: Sequence[PaidNodes]) -> str:
    """Such as ``2 × g6e.12xlarge (4 × L40S), 1 × g6.xlarge spot``."""
    return ", ".join(
        f"{part.nodes} × {part.instance_type or part.pool}"
        f"{'' if part.payment == 'on-demand' else f' {part.payment.value}'}"
        f" ({part.gpus_per_node} × {part.product})"
        for part in mix
    )


def _count(number: int | None) -> str:
    return _NONE if number is None else str(number)


def _money(amount: Decimal | None, one: Contender) -> str:
    """An amount; a price that is not known is no price of nothing."""
    if amount is not None:
        return f"{amount:f}"
    has_plan = one.outcome in (Outcome.OPTIMAL, Outcome.FEASIBLE)
    return _UNKNOWN if has_plan else _NONE


def _ways(one: Contender, currency: str) -> list[str]:
    head = ("PLACED AS", "CARDS", "NODES", f"{currency}/h", "× CARDS", "× MONEY", "NOTE")
    rows = [_way(way) for way in one.ways]
    return columns(head, rows, 0, frozenset(range(1, 6)))


def _way(way: WayOnScenario) -> tuple[str, ...]:
    proved = "" if way.is_proved or way.way is Way.FIRST_FIT_DECREASING else "not proved best"
    return (
        _WAYS[way.way],
        _count(way.cards),
        _count(way.nodes),
        _NONE if way.price_per_hour is None else f"{way.price_per_hour:f}",
        _ratio(way.cards_ratio),
        _ratio(way.price_ratio),
        way.note or (proved if way.cards is not None else ""),
    )


def _ratio(ratio: Decimal | None) -> str:
    return _NONE if ratio is None else f"{ratio}"


def attribution_table(share: Attribution) -> str:
    """A divided bill for a terminal; ends with a newline."""
    return "\n".join(_bill(share)) + "\n"


def _bill(share: Attribution) -> list[str]:
    if share.per_hour is None:
        return ["the bill is unknown, as a price is"]
    tokens = {one.workload: one for one in share.tokens}
    head = (
        *("WHO PAYS", "%", f"{share.currency}/h", f"{share.currency}/MONTH"),
        *("PER MILLION OUT", "PER MILLION IN", "SPEED"),
    )
    rows = []
    for line in share.lines:
        token = tokens.get(line.name) if line.kind is CostKind.WORKLOAD else None
        rows.append(
            (
                line.name if line.kind is CostKind.WORKLOAD else _KINDS[line.kind],
                *_amounts(line),
                _band(token.per_million_out if token else None),
                _band(token.per_million_in if token else None),
                "" if token is None else token.why_unknown or f"{token.basis}",
            )
        )
    rows.append(("the bill", "100.0", f"{share.per_hour:f}", f"{share.per_month:f}", "", "", ""))
    return [
        *columns(head, rows, 0, frozenset({1, 2, 3, 4, 5})),
        f"cards are shared by {share.meaning}",
    ]


def _amounts(line: CostLine) -> tuple[str, str, str]:
    return str(line.percent), f"{line.per_hour:f}", f"{line.per_month:f}"


def _band(band: MoneyBand | None) -> str:
    return _NONE if band is None else f"{band.value} ({band.low}–{band.high})"


def comparison_markdown(comparison: FleetComparison) -> str:
    """The comparison for a pull request."""
    currency = comparison.currency
    head = ("scenario", "what is paid · why not", "rank", "cards", "nodes", f"{currency}/h")
    titles = (*head, f"{currency}/month", "idle/h", "bound/h", "gap %")
    rows = [
        tuple(map(escaped, (one.scenario, verdict(one), one.rank, *_figures(one))))
        for one in comparison.contenders
    ]
    notes = "\n".join(f"- {escaped(note)}" for note in _notes(comparison))
    table = "\n".join(markdown_table(titles, rows, 2))
    return f"## {escaped(comparison.fleet)}: which nodes\n\n{table}\n\n{notes}\n"


def comparison_csv(comparison: FleetComparison) -> str:
    """The ranking for a spreadsheet; unknown amounts are empty."""
    rows = [
        (
            one.rank,
            one.scenario,
            one.is_chosen,
            one.outcome.value,
            one.cards,
            one.cards_paid,
            one.nodes,
            one.price_per_hour,
            one.price_per_month,
            one.idle_per_hour,
            one.idle_per_month,
            comparison.currency,
            one.bound_per_hour,
            one.gap_percent,
            mix_words(one.mix),
            one.why_not,
        )
        for one in comparison.contenders
    ]
    return csv_table(_CSV_HEAD.split(","), rows)
