"""How the page's template spells figures; no arithmetic but lengths of bars."""

from collections.abc import Callable
from decimal import Decimal

from markupsafe import Markup

from packer.domain.workload import Objective
from packer.plan.cost import CostKind, CostLine
from packer.plan.headline import Comparison, Way
from packer.report.card_figures import CardFigures, Part, ProcessFigures
from packer.report.command_text import command_text
from packer.report.difference_text import signed
from packer.report.document import Report
from packer.report.phrases import chosen_words, cost_name, place_words, replica_words
from packer.report.svg_cards import Scale, card_svg
from packer.report.svg_marks import key
from packer.report.sweep_figures import money, outcome_words, pools_words
from packer.report.wording import (
    BASIS_MARKS,
    PART_COLUMNS,
    SHARING_NAMES,
    WAY_NAMES,
    amount,
    counted,
    rate,
    symbol,
)
from packer.report.workload_figures import ReplicaGroup, WorkloadFigures
from packer.units import GIB, format_quantity


def gib(count: int, digits: int = 1) -> str:
    """Bytes in GiB."""
    return f"{count / GIB:,.{digits}f}"


def part(process: ProcessFigures, of: Part) -> str:
    """One part of a process in GiB with its basis mark; a dash when it has none."""
    size = process.bytes_of(of)
    return f"{BASIS_MARKS[process.basis_of(of)]}{gib(size, 2)}" if size else "–"


def layers(process: ProcessFigures) -> str:
    """Layers of a process on its card."""
    if process.first_layer is None:
        return "none"
    return f"{process.first_layer}–{process.last_layer}"


def group_title(group: ReplicaGroup, one: WorkloadFigures) -> str:
    """Names of the replicas of a group: ``chat-0, chat-1``."""
    return replica_words(one.asked.name, [place.replica for place in group.places])


def host(group: ReplicaGroup) -> str:
    """Node memory of one replica, with its largest known shares."""
    total = f"{gib(group.host.total_bytes, 2)} GiB per replica"
    parts = {
        "weights": group.host.weights_bytes,
        "prompt cache": group.host.prompt_cache_bytes,
        "checkpoints": group.host.checkpoint_bytes,
    }
    named = [f"{name} {gib(size, 2)}" for name, size in parts.items() if size]
    return f"{total} ({', '.join(named)})" if named else total


def ratio(one: Comparison, facts: Report) -> Decimal | None:
    """One way against the plan, in what the plan minimises."""
    return one.price_ratio if facts.objective is Objective.PRICE else one.cards_ratio


def comparison_bar(one: Comparison, facts: Report) -> Markup:
    """One way against the plan as a bar; the longest fills the column."""
    sizes = [ratio(each, facts) or Decimal(0) for each in facts.headline.comparisons]
    size = ratio(one, facts)
    if not size:
        return Markup("")
    css = {Way.THIS_PLAN: "bar us", Way.LOWER_BOUND: "bar bound"}.get(one.way, "bar")
    return _bar(css, size * 99 / max(sizes))


def known(value: Decimal | None, digits: int = 2) -> str:
    """Money, or a dash where none was computed."""
    return "–" if value is None else amount(value, digits)


def share_bar(line: CostLine) -> Markup:
    """Share of the bill as a bar; the whole bill would fill the column."""
    return _bar("bar us" if line.kind is CostKind.WORKLOAD else "bar", line.percent * 99 / 100)


def _bar(css: str, percent: Decimal) -> Markup:
    shape = (
        '<svg class="bars" aria-hidden="true"><rect class="{}" x=".5" y="1" width="{}%" '
        'height="13"/></svg>'
    )
    return Markup(shape).format(css, f"{percent:.1f}")  # noqa: S704 — format() escapes


def _groups(groups: tuple[tuple[str, ...], ...]) -> str:
    return "; ".join(" + ".join(group) for group in groups) or "–"


def _picture(card: CardFigures, scale: Scale) -> Markup:
    return Markup(card_svg(card, scale))  # noqa: S704 — card_svg escapes every name it is given


def _drawn(picture: str) -> Markup:
    return Markup(picture)  # noqa: S704 — the modules of pictures escape every name


def _rate(value: Decimal | None, currency: str) -> str:
    return rate(value, currency, "h")


FILTERS: dict[str, Callable[..., object]] = {
    "amount": amount,
    "chosen": chosen_words,
    "command": command_text,
    "comparison_bar": comparison_bar,
    "cost_name": cost_name,
    "counted": counted,
    "drawn": _drawn,
    "gib": gib,
    "grouped": "{:,}".format,
    "group_title": group_title,
    "groups": _groups,
    "host": host,
    "key": lambda style: _drawn(key(style)),
    "known": known,
    "layers": layers,
    "money": money,
    "outcome": outcome_words,
    "pools": pools_words,
    "mark": lambda basis: BASIS_MARKS[basis],
    "part": part,
    "part_column": lambda one: PART_COLUMNS[one],
    "picture": _picture,
    "places": place_words,
    "quantity": format_quantity,
    "rate": _rate,
    "ratio": ratio,
    "share_bar": share_bar,
    "signed": signed,
    "sharing": lambda sharing: SHARING_NAMES[sharing],
    "symbol": symbol,
    "way": lambda one: WAY_NAMES[one],
}
