"""A sweep file's text as the scenarios it asks for, or everything that is wrong with it."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import product
from pathlib import PurePath

from packer.domain.payment import Payment
from packer.domain.workload import Objective
from packer.errors import InvalidInput, Problem
from packer.plan.scenario import ANY, Factor, PriceTerms, Scenario, Scenarios
from packer.plan.scenario_changes import floor_bits
from packer.spec.document import Document
from packer.spec.kinds import read_document
from packer.spec.lookups import located
from packer.spec.problems import in_file_order, validate
from packer.spec.sweep_schema import (
    MOST_SCENARIOS,
    FactorEntry,
    GridEntry,
    PriceTermsEntry,
    ScenarioEntry,
    SweepEntry,
)

AS_LISTED = PriceTerms("as listed")
BETWEEN = " · "
"""Between the parts of a scenario's name."""


def read_sweep(text: str | bytes, file: str) -> Scenarios:
    """The scenarios of a sweep file: the grid row by row, then the single ones.

    Raises:
        InvalidInput: With every problem of the file, in file order.
    """
    document = read_document(text, file, "Sweep")
    entry = validate(document, SweepEntry, "sweep")
    problems = [*_count_problems(entry, document), *_floor_problems(entry, document)]
    if problems:
        raise InvalidInput(in_file_order(problems))
    scenarios = [*_grid(entry.grid)] if entry.grid else []
    scenarios += [_single(one) for one in entry.scenarios]
    problems += _repeated(scenarios, document)
    if problems:
        raise InvalidInput(problems)
    objective = Objective(entry.objective) if entry.objective else None
    return Scenarios(entry.metadata.name, entry.fleet, objective, tuple(scenarios))


def _count_problems(entry: SweepEntry, document: Document) -> Iterator[Problem]:
    count = len(entry.scenarios)
    if entry.grid:
        size = len(entry.grid.inventories)
        for items in _optional(entry.grid):
            size *= max(1, len(items))
        count += size
    if not count:
        help_ = "write grid: with inventories:, or scenarios: with at least one"
        yield Problem("P0260", "the sweep has no scenario", document.where(), help=help_)
    if count > MOST_SCENARIOS:
        title = f"the sweep has {count} scenarios"
        why = f"at most {MOST_SCENARIOS} are computed"
        yield Problem("P0260", title, document.where("grid"), why, "shorten a list of the grid")


def _optional(grid: GridEntry) -> tuple[Sequence[object], ...]:
    return grid.prices, grid.contexts, grid.quantization_floors, grid.demands


def _floor_problems(entry: SweepEntry, document: Document) -> list[Problem]:
    problems: list[Problem] = []
    floors = entry.grid.quantization_floors if entry.grid else ()
    for index, floor in enumerate(floors):
        with located(problems, document.where("grid", "quantizationFloors", index)):
            floor_bits(floor)
    for index, one in enumerate(entry.scenarios):
        with located(problems, document.where("scenarios", index, "quantizationFloor")):
            floor_bits(one.quantization_floor)
    return problems


def _grid(grid: GridEntry) -> Iterator[Scenario]:
    """Every combination; a name tells what is different between them."""
    lists = (
        grid.inventories,
        tuple(map(_terms, grid.prices)) or (AS_LISTED,),
        tuple(_factor(one) for one in grid.contexts) or (Factor("×1"),),
        grid.quantization_floors or (ANY,),
        tuple(_factor(one) for one in grid.demands) or (Factor("×1"),),
    )
    for inventory, prices, context, floor, demand in product(*lists):
        labels = (
            inventory_label(inventory, grid.inventories),
            prices.name,
            f"context {context.name}",
            floor if floor == ANY else f"{floor} or finer",
            f"demand {demand.name}",
        )
        varied = [label for label, items in zip(labels, lists, strict=True) if len(items) > 1]
        name = BETWEEN.join(varied or labels[:1])
        yield Scenario(name, inventory, prices, context, floor, demand)


def inventory_label(path: str, all_paths: Sequence[str]) -> str:
    """An inventory by the name of its file; by its path where two files share the name."""
    stem = PurePath(path).stem
    alike = [other for other in all_paths if PurePath(other).stem == stem]
    return stem if len(alike) == 1 else path


def _single(entry: ScenarioEntry) -> Scenario:
    return Scenario(
        name=entry.name,
        inventory=entry.inventory,
        prices=_terms(entry.prices) if entry.prices else AS_LISTED,
        context=_factor(entry.context),
        quantization_floor=entry.quantization_floor,
        demand=_factor(entry.demand),
        is_in_grid=False,
    )


def _terms(entry: PriceTermsEntry) -> PriceTerms:
    payment = Payment(entry.payment) if entry.payment else None
    factor = entry.factor or Decimal(1)
    return PriceTerms(entry.name, payment, factor, dict(entry.pools), entry.book or "")


def _factor(item: Decimal | FactorEntry | None) -> Factor:
    if isinstance(item, FactorEntry):
        return Factor(item.name, item.factor or Decimal(1), dict(item.workloads))
    number = item or Decimal(1)
    return Factor(f"×{number.normalize():f}", number)


def _repeated(scenarios: Sequence[Scenario], document: Document) -> Iterator[Problem]:
    seen: set[str] = set()
    for one in scenarios:
        if one.name in seen:
            title = f"two scenarios are called {one.name}"
            why = "rows of the table are told apart by their names"
            help_ = "list each value once, and give single scenarios names of their own"
            yield Problem("P0263", title, document.where("scenarios"), why, help_)
        seen.add(one.name)
