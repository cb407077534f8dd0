"""The report of a plan as one page."""

from itertools import groupby
from operator import attrgetter

from packer.plan.cost import NodeCost
from packer.plan.plan import Plan
from packer.report.beside import NOTHING, Beside
from packer.report.card_figures import NodeFigures, Part
from packer.report.change_rows import change_words, gap_rows, peak_rows, step_rows
from packer.report.choice_section import choice_values
from packer.report.document import Report, report
from packer.report.money_section import money_values
from packer.report.page import render_page
from packer.report.phrases import joined_notes, status_words, verdict
from packer.report.risk_section import risk_values
from packer.report.svg_cards import LINE_WIDTH, Scale, legend_entries
from packer.report.wording import BASIS_MARKS, BASIS_MEANINGS, CARDS_ALONE

_MOST_WIDE_CARDS = 24
"""With more cards than this, two of the largest share a line."""
_ALWAYS_SHOWN = frozenset({Part.WEIGHTS, Part.CONTEXT, Part.COMPUTE, Part.PROCESS, Part.BAND})


def render_html(plan: Plan, beside: Beside = NOTHING) -> str:
    """The report of one plan as a page; only its footer differs between equal plans."""
    facts = report(plan, beside)
    return render_page(
        "report.html.j2",
        {
            "facts": facts,
            "status": status_words(facts.headline, facts.bound, facts.objective, facts.currency),
            "verdict": verdict(facts.headline, facts.objective),
            "legend": tuple(legend_entries(facts.nodes)),
            "pools": _pools(facts),
            "cards": tuple(card for node in facts.nodes for card in node.cards),
            "scale": _scale(facts),
            "parts": _parts(facts),
            "cards_alone": CARDS_ALONE,
            "notes": joined_notes(facts),
            **money_values(facts),
            **risk_values(facts),
            **choice_values(facts),
            **_change_values(facts),
            "priced": _priced(facts),
            "bases": tuple(
                (basis.value, BASIS_MARKS[basis], BASIS_MEANINGS[basis]) for basis in BASIS_MARKS
            ),
        },
    )


def _change_values(facts: Report) -> dict[str, object]:
    """The way to the plan, where an apply kept it."""
    change = facts.beside.change
    if change is None:
        return {"change_words": ""}
    return {
        "change_words": change_words(change),
        "change_lines": change.difference,
        "change_problem": change.problem,
        "change_steps": tuple(step_rows(change)),
        "change_peaks": tuple(peak_rows(change)),
        "change_gaps": tuple(gap_rows(change)),
    }


def _pools(facts: Report) -> tuple[tuple[str, tuple[NodeFigures, ...]], ...]:
    """Nodes by pool, in plan order."""
    return tuple((pool, tuple(nodes)) for pool, nodes in groupby(facts.nodes, attrgetter("pool")))


def _scale(facts: Report) -> Scale:
    """One scale for the whole page, by its largest card in use."""
    shown = [card for node in facts.nodes if node.is_used for card in node.cards]
    largest = max((card.allocatable_bytes for card in shown), default=1)
    is_small = facts.headline.cards <= _MOST_WIDE_CARDS
    return Scale(LINE_WIDTH if is_small else LINE_WIDTH // 2, largest)


def _parts(facts: Report) -> tuple[Part, ...]:
    """Columns of the process table; draft and projector only where a process has one."""
    present = {
        one.part
        for node in facts.nodes
        for card in node.cards
        for process in card.processes
        for one in process.parts
    }
    return tuple(part for part in Part if part in present | _ALWAYS_SHOWN)


def _priced(facts: Report) -> tuple[tuple[NodeFigures, NodeCost], ...]:
    """Nodes in use beside what they cost."""
    used = [node for node in facts.nodes if node.is_used]
    return tuple(zip(used, facts.bill.nodes, strict=True))
