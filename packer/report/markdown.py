"""The report as Markdown, short enough for a pull request; details are folded away."""

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from packer.domain.basis import Basis
from packer.domain.workload import Objective
from packer.plan.headline import Comparison
from packer.plan.plan import Plan
from packer.report.beside import NOTHING, Beside
from packer.report.card_figures import CardFigures
from packer.report.change_rows import change_words, gap_rows, peak_rows, step_rows
from packer.report.choice_rows import contender_rows
from packer.report.command_text import command_text
from packer.report.document import Report, report
from packer.report.phrases import (
    choices,
    cost_name,
    joined_notes,
    process_words,
    replica_words,
    status_words,
    verdict,
)
from packer.report.risk_rows import growth_words, short_loss_rows, stress_rows
from packer.report.wording import (
    BASIS_MARKS,
    BASIS_MEANINGS,
    CARDS_ALONE,
    WAY_NAMES,
    amount,
    counted,
    rate,
    symbol,
)
from packer.units import format_gib

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~!&@$])")


def render_markdown(plan: Plan, beside: Beside = NOTHING) -> str:
    """The report of one plan; what the run contributed is not in it, so equal plans are equal."""
    facts = report(plan, beside)
    sections = (
        _summary(facts),
        _comparison(facts),
        _cards(facts),
        _workloads(facts),
        _cost(facts),
        _risk(facts),
        _choices(facts),
        _change(facts),
        _commands(facts),
        _trust(facts),
        _inputs(facts),
    )
    texts = ("\n".join(lines) for lines in sections)
    return "\n\n".join(text for text in texts if text) + "\n"


def escaped(text: object) -> str:
    """Text that Markdown and HTML leave as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], right: int) -> Iterator[str]:
    """A table whose columns from ``right`` on are aligned to the right."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('--:' if index >= right else '---' for index in range(len(head)))}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _summary(facts: Report) -> list[str]:
    top, bill = facts.headline, facts.bill
    status = status_words(top, facts.bound, facts.objective, facts.currency)
    lines = [
        f"## {escaped(facts.inputs.fleet_name)} on {escaped(facts.inputs.inventory_name)}",
        "",
        f"**{counted(top.cards, 'card')} of {top.cards_available}** for "
        f"{counted(top.workloads, 'workload')} in {counted(top.replicas, 'replica')} · {status}. "
        f"{verdict(top, facts.objective)}",
        "",
    ]
    if bill.per_month is None:
        return [*lines, "**Price unknown**, which is never counted as 0."]
    month = f"{amount(bill.per_month, 0)} {_money(facts)}/month ({bill.hours_per_month} h)"
    hour = escaped(rate(bill.per_hour, facts.currency, "h"))
    idle = f"{amount(bill.idle_per_month, 0)} ({bill.idle_percent} %)"
    return [*lines, f"**{hour}** · {month}, of which idle {idle}."]


def _money(facts: Report) -> str:
    return escaped(symbol(facts.currency))


def _comparison(facts: Report) -> Iterator[str]:
    rows = [
        (
            WAY_NAMES[one.way],
            "–" if one.cards is None else str(one.cards),
            _ratio(facts, one),
            *(_known(each) for each in (one.card_share_per_hour, one.price_per_hour)),
        )
        for one in facts.headline.comparisons
    ]
    prices = (f"{_money(facts)}/h, cards alone", f"{_money(facts)}/h, whole nodes")
    yield from markdown_table(("way of placing", "cards", "× this plan", *prices), rows, 1)
    for note in (CARDS_ALONE, *facts.baseline_notes):
        yield ""
        yield escaped(note)


def _known(value: Decimal | None) -> str:
    return "–" if value is None else amount(value)


def _ratio(facts: Report, one: Comparison) -> str:
    """How often a way takes what this plan takes, in what the plan minimises."""
    ratio = one.price_ratio if facts.objective is Objective.PRICE else one.cards_ratio
    return "–" if ratio is None else str(ratio)


def _cards(facts: Report) -> Iterator[str]:
    yield "### Cards"
    yield ""
    rows = [
        (
            escaped(card.node),
            str(card.gpu),
            escaped(card.product),
            ", ".join(escaped(process_words(one)) for one in card.processes),
            _planned(card),
            format_gib(card.headroom_bytes),
            format_gib(card.taken_bytes),
            format_gib(card.slack_bytes),
            format_gib(card.allocatable_bytes),
        )
        for node in facts.nodes
        for card in node.cards
        if card.processes
    ]
    sizes = ("planned GiB", "headroom", "others", "left over", "allocatable")
    yield from markdown_table(("node", "GPU", "product", "processes", *sizes), rows, 4)


def _planned(card: CardFigures) -> str:
    return f"{escaped(BASIS_MARKS[card.basis])}{format_gib(card.planned_bytes)}"


def _workloads(facts: Report) -> Iterator[str]:
    yield "### Workloads"
    yield ""
    rows = [
        (
            escaped(one.asked.name),
            escaped(one.asked.model),
            str(count),
            escaped(words),
            escaped(one.asked.why_not_better or "–"),
            amount(one.per_month),
        )
        if not index
        else ("", "", str(count), escaped(words), "", "")
        for one in facts.workloads
        for index, (words, count) in enumerate(choices(one).items())
    ]
    head = ("workload", "model", "replicas", "chosen", "why not better", f"{_money(facts)}/month")
    yield from markdown_table(head, rows, 5)


def _cost(facts: Report) -> Iterator[str]:
    yield "### What the bill pays for"
    yield ""
    if not facts.bill.lines:
        yield "Unknown: a node in use has no price, or prices are in several currencies."
        return
    rows = [
        (escaped(cost_name(line)), f"{line.percent} %", amount(line.per_month))
        for line in facts.bill.lines
    ]
    total = ("**Bill**", "100.0 %", f"**{amount(facts.bill.per_month)}**")
    yield from markdown_table(("part", "share", f"{_money(facts)}/month"), [*rows, total], 1)


def _risk(facts: Report) -> Iterator[str]:
    words = growth_words(facts.growth)
    if words:
        yield "### What breaks first"
        yield ""
        yield escaped(words)
    risk = facts.beside.risk
    if risk:
        yield ""
        yield f"Breaks first: {escaped(risk.breaks_first or 'nothing that was asked')}"
        yield ""
        head = ("change", "overflow in place", "planned anew", "cards", f"{_money(facts)}/h")
        rows = [tuple(map(escaped, row)) for row in (*stress_rows(risk), *short_loss_rows(risk))]
        yield from markdown_table(head, rows, 3)


def _choices(facts: Report) -> Iterator[str]:
    comparison = facts.beside.comparison
    if comparison:
        yield "### What else is possible"
        yield ""
        unit = f"{escaped(symbol(comparison.currency))}/month"
        head = ("", "scenario", "nodes paid", "cards", "nodes", unit, "idle", "gap %", "why not")
        rows = [tuple(map(escaped, row)) for row in contender_rows(comparison)]
        yield from markdown_table(head, rows, 3)


def _change(facts: Report) -> Iterator[str]:
    change = facts.beside.change
    if change is None:
        return
    yield "### The way to this plan"
    yield ""
    yield escaped(change_words(change))
    tables = (
        (("wave", "server", "step"), list(step_rows(change)), 9),
        (("place", "peak", "allocatable", ""), list(peak_rows(change)), 1),
        (("workload", "what its clients notice"), list(gap_rows(change)), 9),
    )
    for head, rows, right in tables:
        if rows:
            yield ""
            yield from markdown_table(head, [tuple(map(escaped, row)) for row in rows], right)


def _commands(facts: Report) -> Iterator[str]:
    yield "<details><summary>Command lines</summary>"
    for one in facts.workloads:
        for group in one.groups:
            yield ""
            yield escaped(replica_words(one.asked.name, [at.replica for at in group.places]))
            yield ""
            yield from _fenced(command_text(group.argv))
    yield ""
    yield "</details>"


def _fenced(text: str) -> tuple[str, str, str]:
    """A code block whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sh", text, fence


def _trust(facts: Report) -> Iterator[str]:
    yield "<details><summary>What to trust, and how far</summary>"
    yield ""
    for basis in Basis:
        mark = f" {escaped(BASIS_MARKS[basis])}" if BASIS_MARKS[basis] else ""
        yield f"- **{basis.value}{mark}**: {BASIS_MEANINGS[basis]}"
    for caveat in facts.caveats:
        yield f"- **{escaped(caveat.topic)}**: {escaped(caveat.text)}"
    for note in joined_notes(facts):
        yield f"- {escaped(note)}"
    yield ""
    yield "</details>"


def _inputs(facts: Report) -> Iterator[str]:
    inputs, versions = facts.inputs, facts.versions
    yield (
        f"Fleet `{escaped(inputs.fleet_sha256[:12])}` · inventory "
        f"`{escaped(inputs.inventory_sha256[:12])}` · seed "
        f"{facts.policy.seed} · llama.cpp {escaped(facts.server.build)} · gpu-packer "
        f"{escaped(versions.gpu_packer)} · catalogue {escaped(versions.catalogue)}"
    )
