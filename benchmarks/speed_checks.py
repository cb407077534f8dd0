"""Errors of the speed model on published rows, each measured the way issue 5 asks for it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import median

import numpy as np

from benchmarks.speed_fit import fit, predict
from benchmarks.speed_rows import SpeedRow
from packer.performance.calibration import Factors, MeasuredStep, fit_factors

_FEWEST_ROWS_OF_A_CARD = 5
_SHORTEST_PROMPT = 512
_SHRINK = 1.0


@dataclass(frozen=True)
class Error:
    """Relative error of predicted tokens per second of one row."""

    row: SpeedRow
    value: float


@dataclass(frozen=True)
class Spread:
    """Median and 90th percentile of absolute errors."""

    median: float
    p90: float
    count: int


def is_planned(row: SpeedRow) -> bool:
    """Whether the whole model is on a GPU of the catalogue."""
    return not row.is_offloaded and row.product.vendor != "Apple"


def single_rows(rows: Iterable[SpeedRow]) -> list[SpeedRow]:
    """One stream's decode on one card of the catalogue."""
    return [row for row in rows if row.kind == "decode" and is_planned(row)]


def prompt_rows(rows: Iterable[SpeedRow]) -> list[SpeedRow]:
    """Prompts of at least 512 tokens, llama-bench's own length; shorter ones are small batches."""
    return [
        row
        for row in rows
        if row.kind == "prefill" and is_planned(row) and row.prompt_tokens >= _SHORTEST_PROMPT
    ]


def left_out_decode(rows: Sequence[SpeedRow]) -> list[Error]:
    """Decode errors of every card under constants fitted to all other cards."""
    errors = []
    for gpu in sorted({row.gpu for row in rows}):
        tested = [row for row in rows if row.gpu == gpu]
        predicted = predict(fit([row for row in rows if row.gpu != gpu]), tested)
        errors += [
            Error(row, row.seconds / seconds - 1.0)
            for row, seconds in zip(tested, predicted.tolist(), strict=True)
        ]
    return errors


def card_ratios(rows: Iterable[SpeedRow]) -> dict[str, list[tuple[SpeedRow, float]]]:
    """Rows and measured over predicted seconds by card, under the packaged constants."""
    ratios = defaultdict(list)
    for row in rows:
        ratios[row.gpu].append((row, row.seconds / (row.predicted().total)))
    return dict(ratios)


def left_out_prompts(neutral: dict[str, list[tuple[SpeedRow, float]]]) -> list[Error]:
    """Prefill errors of every card, its factor taken from the other cards.

    Args:
        neutral: Ratios under constants without factors of generations and cards.
    """
    errors = []
    for gpu, tested in neutral.items():
        others = {name: rows for name, rows in neutral.items() if name != gpu}
        generation = tested[0][0].product.generation
        factor = exp(pooled(others, generation))
        errors += [Error(row, ratio / factor - 1.0) for row, ratio in tested]
    return errors


def pooled(ratios: dict[str, list[tuple[SpeedRow, float]]], generation: str) -> float:
    """Logarithm of a generation's usual ratio, held to that of all cards."""
    cards = {gpu: log(median(r for _, r in rows)) for gpu, rows in ratios.items()}
    everyone = median(cards.values())
    same = [
        value for gpu, value in cards.items() if ratios[gpu][0][0].product.generation == generation
    ]
    return (sum(same) + _SHRINK * everyone) / (len(same) + _SHRINK)


def by_slots(rows: Iterable[SpeedRow], *, is_calibrated: bool) -> list[Error]:
    """Errors of the gain from slots: aggregate speed over that of one slot.

    Calibrated pairs know one depth's rows of 1, 4 and 32 slots and the deepest single slot; these
    rows are left out of their errors.
    """
    errors = []
    for group in _groups(rows, lambda row: (row.gpu, row.model)):
        ones = {row.depth: row for row in group if row.slots == 1}
        shallow, deep = min(ones), max(ones)
        known = [
            row
            for row in group
            if (row.depth == shallow and row.slots in (1, 4, 32))
            or (row.depth == deep and row.slots in (1, 32))
        ]
        factors = fit_factors([_step(row) for row in known]) if is_calibrated else Factors()
        for row in group:
            if row.slots == 1 or row.depth not in ones or (is_calibrated and row in known):
                continue
            one = ones[row.depth]
            gain = row.tokens_per_second / one.tokens_per_second
            predicted = row.slots * _seconds(factors, one) / _seconds(factors, row)
            errors.append(Error(row, predicted / gain - 1.0))
    return errors


def after_two_rows(rows: Iterable[SpeedRow]) -> list[Error]:
    """Errors of each (GPU, model, build) after its shallowest and deepest row calibrated it."""
    errors = []
    key = _measurement
    for group in _groups(rows, key):
        ordered = sorted(group, key=lambda row: (row.mean_depth, row.prompt, row.ubatch))
        if len(ordered) < 3:
            continue
        known = (ordered[0], ordered[-1])
        factors = fit_factors([_step(row) for row in known])
        errors += [
            Error(row, row.seconds / _seconds(factors, row) - 1.0)
            for row in ordered
            if row not in known
        ]
    return errors


def spread(errors: Sequence[Error]) -> Spread:
    """Median and 90th percentile over rows."""
    values = np.abs([error.value for error in errors])
    return Spread(float(np.median(values)), float(np.percentile(values, 90)), len(values))


def spread_of_cards(errors: Sequence[Error]) -> Spread:
    """Median and 90th percentile over cards of each card's median error."""
    cards = card_medians(errors)
    values = [value for value, count in cards.values() if count >= _FEWEST_ROWS_OF_A_CARD]
    return Spread(float(np.median(values)), float(np.percentile(values, 90)), len(values))


def card_medians(errors: Iterable[Error]) -> dict[str, tuple[float, int]]:
    """Card → median absolute error and number of rows."""
    cards = defaultdict(list)
    for error in errors:
        cards[error.row.gpu].append(abs(error.value))
    return {gpu: (median(values), len(values)) for gpu, values in cards.items()}


def _measurement(row: SpeedRow) -> tuple[object, ...]:
    """What a calibration holds for; file, host (source), backend and build are one each."""
    return (
        row.gpu, row.model, row.label, row.size_ratio, row.source, row.backend, row.build,
        row.flash_attention, row.key, row.value, row.is_server,
    )  # fmt: skip


def _groups(rows: Iterable[SpeedRow], key: object) -> Iterator[list[SpeedRow]]:
    groups: dict[object, list[SpeedRow]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)  # type: ignore[operator]
    yield from groups.values()


def _step(row: SpeedRow) -> MeasuredStep:
    predicted = row.predicted()
    return MeasuredStep(row.seconds, predicted.rest, predicted.depth, row.slots)


def _seconds(factors: Factors, row: SpeedRow) -> float:
    predicted = row.predicted()
    return factors.seconds(predicted.rest, predicted.depth, row.slots)
