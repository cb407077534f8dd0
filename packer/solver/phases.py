"""The phases of a solve, cheap ones first; each takes what is known and may improve it."""

from collections.abc import Callable, Iterator
from functools import partial

from packer.solver.card_classes import cost_of_everything
from packer.solver.fill_style import FillStyle
from packer.solver.incumbent import Incumbent
from packer.solver.phase_steps import (
    CHUNK,
    EXACT_SPOTS,
    MOST_ITEMS,
    QUICK,
    buy,
    complete,
    fill,
    fill_to_the_brim,
    first_fit,
    gather,
    improve,
    improve_with_few_moves,
    prove,
    prove_by_patterns,
    repair,
    search_whole,
    settle,
    squeeze,
    stop,
    trade,
)

Phase = Callable[[], None]

FAR = 0.03
"""Gap above which GPUs are given up by search before anything slow is done for the bound."""
FEW_COLUMNS = 3000
"""Columns up to which branching for a better bound takes less than a second."""
TINY_SPOTS = 2_000
"""Alternatives times GPUs up to which the search of everything takes a blink."""
GLANCE_SPOTS = 5_000
"""Alternatives times GPUs up to which the whole model is asked before any slower search."""
GLANCE = 0.8
"""Deterministic time of that glance, whatever else may be spent."""
STYLES = (
    FillStyle(sample=100, spread_out=True, urgent_from=0.15),
    FillStyle(sample=200, balance_from=0.5),
    FillStyle(sample=60, largest=30, finest=200_000, tolerance=0.0),
    FillStyle(sample=100, smallest_type_first=True),
    FillStyle(sample=100, balance_from=0.5, spread_out=True, urgent_from=0.05),
)


def phases(run: Incumbent) -> Iterator[Phase]:
    """What to do, in order; the caller stops when it is enough."""
    if run.instance.current is not None:
        yield from _replanning(run)
    yield partial(fill, run, QUICK)
    yield partial(prove, run, 1)
    if run.bound_value > cost_of_everything(run.instance):
        yield run.explain
    for style in STYLES:
        yield partial(fill, run, style)
    if run.has_spots_up_to(40 * EXACT_SPOTS):
        yield partial(first_fit, run)
    if run.placed is None and run.has_spots_up_to(TINY_SPOTS):
        # In so few places the whole model soon tells that there is no plan.
        yield partial(search_whole, run)
    yield partial(complete, run, 300)
    yield from _quick_gains(run)
    yield from _closing_the_gap(run)
    yield partial(first_fit, run)


def _quick_gains(run: Incumbent) -> Iterator[Phase]:
    """What takes a second or two, and often is all there is to do."""
    yield partial(gather, run, CHUNK, None)
    if run.has_spots_up_to(GLANCE_SPOTS):
        yield partial(search_whole, run, GLANCE)
    yield partial(squeeze, run, 150, FAR)


def _closing_the_gap(run: Incumbent) -> Iterator[Phase]:
    """Branching, budgets, gathered slack, and search."""
    leaves = min(400, 1_000_000 // max(1, len(run.columns)))
    quick_branching = len(run.columns) <= FEW_COLUMNS
    tiny = run.has_spots_up_to(TINY_SPOTS)
    if quick_branching:
        yield partial(prove, run, leaves)
    yield partial(fill_to_the_brim, run, 300)
    yield partial(squeeze, run, 300)
    if tiny:
        yield partial(search_whole, run)
    yield partial(prove_by_patterns, run)
    if run.instance.replicas <= MOST_ITEMS:
        for style in (QUICK, *STYLES):
            yield partial(gather, run, CHUNK, style)
    yield partial(buy, run)
    yield partial(gather, run, 8_000, None)
    yield partial(fill_to_the_brim, run, 4_000)
    if not quick_branching:
        yield partial(prove, run, leaves)
    if not tiny and run.has_spots_up_to(EXACT_SPOTS):
        yield partial(search_whole, run)
    yield partial(squeeze, run, 2_000)
    for style in (QUICK, *STYLES):
        yield partial(gather, run, 15_000, style)
    yield partial(improve, run, 150)
    yield partial(gather, run, 200_000, None)


def _replanning(run: Incumbent) -> Iterator[Phase]:
    """What runs now comes first; a plan from scratch only where that ends far worse."""
    yield partial(repair, run)
    yield partial(prove, run, 1)
    if run.placed is None:
        return
    if run.limits.trades_moves:
        if run.has_spots_up_to(EXACT_SPOTS // 2):
            yield partial(trade, run)
        yield partial(improve_with_few_moves, run)
        yield partial(stop, run)
    if run.has_spots_up_to(EXACT_SPOTS // 2):
        # What runs is often the best already, and then the proof is all there is to do.
        yield partial(search_whole, run)
    yield partial(improve_with_few_moves, run)
    yield partial(settle, run)
