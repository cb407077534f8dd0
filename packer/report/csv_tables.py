"""The report's tables as CSV: whole bytes, exact money, one file per table."""

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

from packer.plan.plan import Plan
from packer.report.beside import NOTHING, Beside
from packer.report.card_figures import Part
from packer.report.document import Report, report
from packer.report.phrases import cost_name

# Spreadsheets of East Asian locales read the wide signs like the narrow ones.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def render_csv(plan: Plan, beside: Beside = NOTHING) -> dict[str, str]:
    """File name → table; an unknown amount is an empty cell."""
    facts = report(plan, beside)
    return {
        "cards.csv": _cards(facts),
        "processes.csv": _processes(facts),
        "workloads.csv": _workloads(facts),
        "nodes.csv": _nodes(facts),
        "cost.csv": _cost(facts),
        "comparison.csv": _comparison(facts),
        "node-cost.csv": _node_cost(facts),
        "growth.csv": _growth(facts),
        "attribution.csv": _attribution(facts),
    }


def csv_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as CSV; None is an empty cell, and no cell is taken for a formula."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """A cell that no spreadsheet takes for a formula, nor for a row's end; None is empty."""
    if not isinstance(value, str):
        return value
    # The writer quotes only the end of line it writes itself.
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{value}" if value.startswith(_FORMULA_STARTS) else value


def _cards(facts: Report) -> str:
    head = "node,gpu,uuid,pool,product,allocatable_bytes,planned_bytes,expected_bytes"
    rows = [
        (
            *(card.node, card.gpu, card.uuid, node.pool, card.product, card.allocatable_bytes),
            *(card.planned_bytes, card.expected_bytes, card.headroom_bytes, card.taken_bytes),
            *(card.slack_bytes, card.planned_percent, card.basis.value),
        )
        for node in facts.nodes
        for card in node.cards
    ]
    more = "headroom_bytes,taken_bytes,slack_bytes,planned_percent,basis"
    return csv_table(f"{head},{more}".split(","), rows)


def _processes(facts: Report) -> str:
    head = ["node", "gpu", "workload", "replica", "quantization", "first_layer", "last_layer"]
    sizes = [f"{part.value}_bytes" for part in Part]
    rows = [
        (
            *(card.node, card.gpu, one.workload, one.replica, one.quantization),
            *(one.first_layer, one.last_layer),
            *(one.bytes_of(part) for part in Part),
            *(one.low_bytes, one.expected_bytes, one.planned_bytes, one.basis.value),
        )
        for node in facts.nodes
        for card in node.cards
        for one in card.processes
    ]
    return csv_table([*head, *sizes, "low_bytes", "expected_bytes", "planned_bytes", "basis"], rows)


def _workloads(facts: Report) -> str:
    head = "workload,model,architecture,replicas,quantization,cache_type_k,cache_type_v,slots"
    rows = [
        (
            *(one.asked.name, one.asked.model, one.asked.architecture, group.replicas),
            *(group.variant.quantization, group.variant.cache_type_k, group.variant.cache_type_v),
            *(group.variant.slots, group.variant.context_per_slot, group.variant.file_bytes),
            *(group.planned_bytes, group.host.total_bytes, one.asked.why_not_better),
        )
        for one in facts.workloads
        for group in one.groups
    ]
    more = "context_per_slot,file_bytes,planned_bytes_per_replica,host_bytes_per_replica"
    return csv_table(f"{head},{more},why_not_better".split(","), rows)


def _nodes(facts: Report) -> str:
    head = "node,pool,product,zone,sharing,cards,cards_in_use,host_allocatable_bytes"
    rows = [
        (
            *(node.name, node.pool, node.product, node.zone, node.sharing, len(node.cards)),
            *(node.cards_in_use, node.host_allocatable_bytes, node.host_used_bytes),
            *(node.price_per_hour, facts.currency),
        )
        for node in facts.nodes
    ]
    return csv_table(f"{head},host_used_bytes,price_per_hour,currency".split(","), rows)


def _cost(facts: Report) -> str:
    rows = [
        (line.kind.value, cost_name(line), line.percent, line.per_hour, line.per_month)
        for line in facts.bill.lines
    ]
    return csv_table(("kind", "part", "percent", "per_hour", "per_month"), rows)


def _node_cost(facts: Report) -> str:
    rows = [
        (one.node, one.pool, line.kind.value, line.name, line.per_hour, line.per_month)
        for one in facts.node_bills
        for line in one.lines
    ]
    return csv_table(("node", "pool", "kind", "workload", "per_hour", "per_month"), rows)


def _growth(facts: Report) -> str:
    rows = [
        (one.node, one.gpu, one.keeps_headroom_percent, one.fits_percent) for one in facts.growth
    ]
    return csv_table(("node", "gpu", "keeps_headroom_percent", "fits_percent"), rows)


def _attribution(facts: Report) -> str:
    rows = [
        (share.key.value, line.kind.value, cost_name(line), line.per_hour, line.per_month)
        for share in facts.attributions
        for line in share.lines
    ]
    return csv_table(("key", "kind", "part", "per_hour", "per_month"), rows)


def _comparison(facts: Report) -> str:
    head = "way,cards,cards_ratio,card_share_per_hour,price_per_hour,price_per_month,price_ratio"
    rows = [
        (
            *(one.way.value, one.cards, one.cards_ratio, one.card_share_per_hour),
            *(one.price_per_hour, one.price_per_month, one.price_ratio),
        )
        for one in facts.headline.comparisons
    ]
    return csv_table(head.split(","), rows)
