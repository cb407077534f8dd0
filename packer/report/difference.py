"""What changed between two plans, in money first. Exact: every sum of changes is the change."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from packer.plan.cost import Bill, bill
from packer.plan.headline import Headline, headline
from packer.plan.moves import moves_between
from packer.plan.plan import API_VERSION, Inputs, Moves, NodeBudget, Plan, Versions, WorkloadSummary
from packer.report.phrases import choices, cost_name
from packer.report.workload_figures import WorkloadFigures, workload_figures
from packer.units import format_quantity


class Figure(StrEnum):
    """A figure of the headline."""

    PRICE_PER_HOUR = "price-per-hour"
    PRICE_PER_MONTH = "price-per-month"
    IDLE_PER_MONTH = "idle-per-month"
    CARDS = "cards"
    NODES = "nodes"
    WORKLOADS = "workloads"
    REPLICAS = "replicas"
    PLANNED_PERCENT = "planned-percent"


@dataclass(frozen=True)
class FigureChange:
    """One figure before and after; None where it is unknown, and then so is the change."""

    figure: Figure
    before: Decimal | None
    after: Decimal | None
    change: Decimal | None


@dataclass(frozen=True)
class LineChange:
    """One line of the bill [currency per month]; a line that a plan lacks is 0 there."""

    name: str
    before: Decimal
    after: Decimal
    change: Decimal


@dataclass(frozen=True)
class NodeChange:
    """A node that is paid in one plan only, or at another price [currency per hour].

    Attributes:
        before, after: None where it is not in use, or its price is unknown.
        what: ``no longer in use``, ``newly in use`` or ``another price``.
    """

    node: str
    product: str
    what: str
    before: Decimal | None
    after: Decimal | None
    change: Decimal | None


@dataclass(frozen=True)
class WorkloadChange:
    """A workload that is new, gone, asked for otherwise, or runs something else, in words."""

    name: str
    changes: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """Two plans side by side; everything follows from their content.

    Attributes:
        currency: Of every amount; empty where the plans have different ones, and then no money
            is compared.
        lines: Of both bills; their changes add up to that of the price per month. Empty where
            a bill is unknown.
        nodes: Their changes add up to that of the price per hour, where every price is known.
        moves: Replicas that stay, move, start and stop.
        is_same: Whether nothing at all is different but the run.
    """

    old: Inputs
    new: Inputs
    old_versions: Versions
    new_versions: Versions
    currency: str
    figures: tuple[FigureChange, ...]
    lines: tuple[LineChange, ...]
    nodes: tuple[NodeChange, ...]
    workloads: tuple[WorkloadChange, ...]
    moves: Moves
    is_same: bool
    apiVersion: str = field(default=API_VERSION)  # noqa: N815 — the name Kubernetes tools expect
    kind: str = field(default="PlanDifference")


def difference(old: Plan, new: Plan) -> Difference:
    """What the new plan changes of the old one."""
    currency = new.currency if old.currency == new.currency else ""
    bills = (bill(old), bill(new)) if currency else None
    return Difference(
        old=old.inputs,
        new=new.inputs,
        old_versions=old.versions,
        new_versions=new.versions,
        currency=currency,
        figures=tuple(_figures(headline(old), headline(new), bills)),
        lines=tuple(_lines(*bills)) if bills else (),
        nodes=tuple(_nodes(old, new)) if currency else (),
        workloads=tuple(_workloads(old, new)),
        moves=moves_between(old.placements, new.placements),
        is_same=_content(old) == _content(new),
    )


def _content(plan: Plan) -> tuple[object, ...]:
    return plan.placements, plan.nodes, plan.workloads, plan.policy, plan.server


def _figures(
    old: Headline, new: Headline, bills: tuple[Bill, Bill] | None
) -> Iterator[FigureChange]:
    if bills:
        before, after = bills
        yield _change(Figure.PRICE_PER_HOUR, before.per_hour, after.per_hour)
        yield _change(Figure.PRICE_PER_MONTH, before.per_month, after.per_month)
        yield _change(Figure.IDLE_PER_MONTH, before.idle_per_month, after.idle_per_month)
    for figure in (Figure.CARDS, Figure.NODES, Figure.WORKLOADS, Figure.REPLICAS):
        counts = (getattr(head, figure.value) for head in (old, new))
        yield _change(figure, *map(Decimal, counts))
    yield _change(Figure.PLANNED_PERCENT, old.memory.planned_percent, new.memory.planned_percent)


def _change(figure: Figure, before: Decimal | None, after: Decimal | None) -> FigureChange:
    return FigureChange(figure, before, after, _less(after, before))


def _less(after: Decimal | None, before: Decimal | None) -> Decimal | None:
    return None if after is None or before is None else after - before


def _lines(old: Bill, new: Bill) -> Iterator[LineChange]:
    """Lines of both bills, those of the new one first."""
    if old.per_month is None or new.per_month is None:
        return
    before, after = ({cost_name(line): line.per_month for line in one.lines} for one in (old, new))
    for name in {**after, **before}:
        amounts = before.get(name, Decimal(0)), after.get(name, Decimal(0))
        yield LineChange(name, *amounts, amounts[1] - amounts[0])


def _nodes(old: Plan, new: Plan) -> Iterator[NodeChange]:
    before, after = (_used(old), _used(new))
    for name in {**before, **after}:
        one, other = before.get(name), after.get(name)
        shown = other or one
        if shown is None or (one and other and one.price_per_hour == other.price_per_hour):
            continue
        amounts = (one.price_per_hour if one else None, other.price_per_hour if other else None)
        yield NodeChange(
            name,
            shown.product,
            _what(one, other),
            *amounts,
            _less(
                amounts[1] if other else Decimal(0),
                amounts[0] if one else Decimal(0),
            ),
        )


def _used(plan: Plan) -> Mapping[str, NodeBudget]:
    return {node.name: node for node in plan.nodes if node.is_used}


def _what(one: NodeBudget | None, other: NodeBudget | None) -> str:
    if one and other:
        return "another price"
    return "newly in use" if other else "no longer in use"


def _workloads(old: Plan, new: Plan) -> Iterator[WorkloadChange]:
    before, after = (
        {one.asked.name: one for one in workload_figures(plan, bill(plan))} for plan in (old, new)
    )
    for name in {**after, **before}:
        one, other = before.get(name), after.get(name)
        if one and other:
            changes = tuple(_workload_changes(one, other))
        else:
            changes = ("new",) if other else ("no longer asked for",)
        if changes:
            yield WorkloadChange(name, changes)


_ASKED = ("model", "replicas", "slots", "quantizations", "cache_types", "spread", "min_available")


def _workload_changes(one: WorkloadFigures, other: WorkloadFigures) -> Iterator[str]:
    for key in _ASKED:
        before, after = getattr(one.asked, key), getattr(other.asked, key)
        if before != after:
            yield f"{key.replace('_', ' ')} {_shown(before)} → {_shown(after)}"
    if one.asked.context_per_slot != other.asked.context_per_slot:
        yield f"context {_context(one.asked)} → {_context(other.asked)}"
    if choices(one) != choices(other):
        yield f"runs {_choices(one)} → {_choices(other)}"


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _context(asked: WorkloadSummary) -> str:
    return format_quantity(asked.context_per_slot)


def _choices(one: WorkloadFigures) -> str:
    return " + ".join(f"{count} × {words}" for words, count in choices(one).items())
