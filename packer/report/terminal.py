"""The plan as ``gpu-packer plan`` prints it: plain text, aligned, with a bar per card."""

from collections.abc import Iterator
from itertools import groupby
from typing import TextIO

from packer.domain.basis import Basis
from packer.domain.workload import Objective
from packer.plan.headline import Comparison, Way
from packer.plan.plan import Plan
from packer.report.card_figures import CardFigures, NodeFigures
from packer.report.document import Report, report
from packer.report.phrases import choices, chosen_words, joined_notes, process_words, status_words
from packer.report.text_columns import columns, wrapped
from packer.report.wording import (
    BASIS_MARKS,
    WAY_NAMES,
    amount,
    counted,
    rate,
    symbol,
)
from packer.report.workload_figures import ReplicaGroup, WorkloadFigures
from packer.units import format_bytes, format_gib

_BAR_WIDTH, _SHORT_BAR_WIDTH = 20, 8
_ROOMY = 100
"""Narrower terminals get short bars [columns]."""
_EIGHTHS = " ▏▎▍▌▋▊▉"
_HOLD = "\N{NO-BREAK SPACE}"
_ASCII = str.maketrans(
    {
        "·": "-",
        "–": "-",
        "×": "x",
        "≈": "~",
        "≤": "<=",
        "…": "...",
        "€": "EUR",
        "£": "GBP",
        "█": "#",
    }
    | {"▒": ":", "▉": "#", "▊": "#", "▋": "#", "▌": "#", "▍": " ", "▎": " ", "▏": " "}
)


def shows_unicode(stream: TextIO) -> bool:
    """Whether block characters can be written to a stream."""
    return (stream.encoding or "").lower().replace("-", "").replace("_", "").startswith("utf")


def plan_table(plan: Plan, *, wide: bool, width: int, unicode: bool = True) -> str:
    """A plan for the terminal; ends with a newline.

    Args:
        plan: What to print.
        wide: Adds what a narrow screen has no room for, and never wraps.
        width: Columns of the terminal.
        unicode: Whether the stream can show more than ASCII.
    """
    facts = report(plan)
    room = 0 if wide else width
    sections = [
        _title(facts, room),
        _figures(facts, wide, room),
        _nodes(facts, wide, room),
        _workloads(facts, wide, room),
        _remarks(facts, width),
    ]
    text = "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"
    text = "".join(sign for sign in text if sign.isprintable() or sign == "\n")
    if unicode:
        return text
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")


def _title(facts: Report, width: int) -> list[str]:
    parts = [
        f"{facts.inputs.fleet_name} on {facts.inputs.inventory_name}",
        status_words(facts.headline, facts.bound, facts.objective, facts.currency),
        f"{facts.run.total_seconds:.1f} s",
        f"seed {facts.policy.seed}",
        f"llama.cpp {facts.server.build}",
    ]
    return wrapped(" · ".join(part.replace(" ", _HOLD) for part in parts), width)


def _figures(facts: Report, wide: bool, width: int) -> list[str]:
    """Cards beside the simpler ways, and the money."""
    head = facts.headline
    cards = f"{head.cards} {'card' if head.cards == 1 else 'cards'} of {head.cards_available}"
    money = rate(facts.bill.per_hour, facts.currency, "h")
    left = max(len(cards), len(money)) + 6
    texts = [(cards, _ways(facts, wide))]
    if facts.objective is Objective.PRICE:
        texts += [(money, _price_ways(facts, wide)), ("", _month(facts))]
    else:
        texts.append((money, _month(facts)))
    lines = []
    for label, text in texts:
        first, *rest = wrapped(text, max(20, width - left - 2) if width else 0)
        lines.append(f"  {label:<{left}}{first}".rstrip())
        lines += [" " * (left + 2) + line for line in rest]
    return lines


def _shown_ways(facts: Report, wide: bool) -> Iterator[Comparison]:
    hidden = {Way.THIS_PLAN} if wide else {Way.THIS_PLAN, Way.QUANTIZED_ONE_MODEL_PER_CARD_SET}
    return (one for one in facts.headline.comparisons if one.way not in hidden)


def _ways(facts: Report, wide: bool) -> str:
    """Cards of the simpler ways; the bound only when it is one of cards."""
    ways = [
        f"no plan with {WAY_NAMES[one.way]}"
        if one.cards is None
        else f"{one.cards} {WAY_NAMES[one.way]}"
        for one in _shown_ways(facts, wide)
        if one.way is not Way.LOWER_BOUND or one.cards is not None
    ]
    return " · ".join(way.replace(" ", _HOLD) for way in ways)


def _price_ways(facts: Report, wide: bool) -> str:
    """Money of the simpler ways and the bound, where it is known."""
    ways = []
    for one in _shown_ways(facts, wide):
        if one.price_per_hour is not None:
            ways.append(f"{amount(one.price_per_hour)} {WAY_NAMES[one.way]}")
        elif one.card_share_per_hour is not None:
            ways.append(f"{amount(one.card_share_per_hour)} {WAY_NAMES[one.way]} (cards alone)")
    return " · ".join(way.replace(" ", _HOLD) for way in ways)


def _month(facts: Report) -> str:
    bill = facts.bill
    if bill.per_month is None:
        unpriced = counted(len(bill.unpriced_nodes), "node")
        return f"{unpriced} in use without a price" if bill.unpriced_nodes else "several currencies"
    month = f"{amount(bill.per_month, 0)} {symbol(facts.currency)}/month"
    return f"{month} ({bill.hours_per_month} h), of which idle {amount(bill.idle_per_month, 0)}"


def _nodes(facts: Report, wide: bool, width: int) -> list[str]:
    head = ["NODE", "GPU", "PRODUCT", "USED / ALLOCATABLE", "", "PROCESSES"]
    if wide:
        extra = ["POOL", "ZONE", "EXPECTED", "HEADROOM", "TAKEN", "LEFT"]
        rows = [
            [*_card_cells(card, _BAR_WIDTH), *_wide_card_cells(node, card), _processes(card)]
            for node in facts.nodes
            for card in node.cards
        ]
        right = frozenset({1, 3, 7, 8, 9, 10})
        return columns([*head[:-1], *extra, head[-1]], rows, width, right)
    cells = _BAR_WIDTH if width >= _ROOMY else _SHORT_BAR_WIDTH
    rows = [row for node in facts.nodes if node.is_used for row in _node_rows(node, cells)]
    lines = columns(head, rows, width, frozenset({1, 3}))
    unused = [node for node in facts.nodes if not node.is_used]
    if unused:
        cards = counted(sum(len(node.cards) for node in unused), "card")
        lines.append(f"… and {cards} on {counted(len(unused), 'node')} without a replica")
    return lines


def _node_rows(node: NodeFigures, cells: int) -> Iterator[list[str]]:
    """Rows of one node; neighbouring empty cards share one."""
    for is_busy, group in groupby(node.cards, key=lambda card: bool(card.processes)):
        cards = list(group)
        if is_busy:
            yield from ([*_card_cells(card, cells), _processes(card)] for card in cards)
        else:
            first, last = cards[0].gpu, cards[-1].gpu
            span = str(first) if first == last else f"{first}–{last}"
            yield [node.name, span, node.product, "empty", "", "–"]


def _card_cells(card: CardFigures, cells: int) -> list[str]:
    mark = BASIS_MARKS[Basis.ESTIMATED] if card.basis is Basis.ESTIMATED else ""
    used = f"{mark}{format_gib(card.planned_bytes)} / {format_gib(card.allocatable_bytes)} GiB"
    return [card.node, str(card.gpu), card.product, used, _bar(card, cells)]


def _wide_card_cells(node: NodeFigures, card: CardFigures) -> list[str]:
    sizes = (card.expected_bytes, card.headroom_bytes, card.taken_bytes, card.slack_bytes)
    return [node.pool, node.zone, *map(format_gib, sizes)]


def _bar(card: CardFigures, cells: int) -> str:
    """Planned bytes as blocks from the left, what others hold as shade from the right."""
    whole = card.allocatable_bytes
    eighths = min(8 * cells, round(8 * cells * card.planned_bytes / whole))
    planned = "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
    others = "▒" * min(cells - len(planned), round(cells * card.taken_bytes / whole))
    return planned + others.rjust(cells - len(planned))


def _processes(card: CardFigures) -> str:
    return ", ".join(process_words(one).replace(" ", _HOLD) for one in card.processes) or "–"


def _workloads(facts: Report, wide: bool, width: int) -> list[str]:
    head = ["WORKLOAD", "REPLICAS", "CHOSEN", "WHY NOT BETTER"]
    if wide:
        extra = ["MODEL", "FILE", "PER REPLICA", f"{symbol(facts.currency)}/MONTH"]
        rows = [row for one in facts.workloads for row in _wide_workload_rows(one)]
        return columns([*head[:-1], *extra, head[-1]], rows, width, frozenset({1, 4, 5, 6}))
    rows = [
        [one.asked.name, str(count), words, one.asked.why_not_better or "–"]
        if not index
        else ["", str(count), words, ""]
        for one in facts.workloads
        for index, (words, count) in enumerate(choices(one).items())
    ]
    return columns(head, rows, width, frozenset({1}))


def _wide_workload_rows(one: WorkloadFigures) -> Iterator[list[str]]:
    """Rows of one workload, one for each command line that differs."""
    for index, group in enumerate(one.groups):
        chosen = [one.asked.name if not index else "", str(group.replicas), chosen_words(group)]
        why = "" if index else one.asked.why_not_better or "–"
        yield [*chosen, *_wide_workload_cells(one, group, index), why]


def _wide_workload_cells(one: WorkloadFigures, group: ReplicaGroup, index: int) -> list[str]:
    mark = BASIS_MARKS[Basis.ESTIMATED] if group.variant.basis is Basis.ESTIMATED else ""
    return [
        one.asked.model,
        mark + format_bytes(group.variant.file_bytes),
        mark + format_bytes(group.planned_bytes),
        amount(one.per_month, 0) if not index else "",
    ]


def _remarks(facts: Report, width: int) -> list[str]:
    return [line for text in _remark_texts(facts) for line in wrapped(text, width)]


def _remark_texts(facts: Report) -> Iterator[str]:
    yield "USED is the upper band of every figure; headroom is kept on top of it."
    if facts.is_estimated:
        yield (
            "~ estimated: rests on a catalogue size or another stated guess; published files of "
            "one name differ by 1–8 %, so name the served file to make it exact."
        )
    for note in (*facts.baseline_notes, *joined_notes(facts)):
        yield f"note: {note}"
