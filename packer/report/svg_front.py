"""Cost against fidelity: every comparable scenario a point, those that none beats joined."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from html import escape

from packer.plan.sweep import Answer, Sweep, SweepRow
from packer.report.svg_axes import Axis, axis, grid
from packer.report.svg_marks import mark
from packer.report.svg_shapes import number, text_at
from packer.report.sweep_figures import Cost, comparable_rows, cost_of, fidelity_front
from packer.report.wording import amount

_WIDTH, _HEIGHT = 1080, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 30, 34, 52
_LETTER = 6.4

Point = tuple[SweepRow, Answer]


def front_chart(sweep: Sweep) -> str:
    """The picture, or nothing where there are no two different points."""
    cost = cost_of(sweep)
    points = [one for one in comparable_rows(sweep) if cost.of(one[1]) is not None]
    if len({_place(cost, one) for one in points}) < 2:
        return ""
    across = _axis([_place(cost, one)[0] for one in points], _LEFT, _WIDTH - _RIGHT, 8)
    up = _axis([_place(cost, one)[1] for one in points], _HEIGHT - _BOTTOM, _TOP, 5)
    front = fidelity_front(sweep)
    pieces = [*grid(across, up)]
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    words = "fidelity: bits per weight of the files placed (more is closer to the original)"
    pieces.append(text_at("a m", middle, _HEIGHT - 8, words))
    pieces.append(text_at("w", 10, 13, f"{cost.words} (less is better)"))
    pieces += _points(cost, points, front, across, up)
    return (
        f'<svg class="chart" role="img" aria-label="{escape(cost.words)} against bits per weight" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}">{"".join(pieces)}</svg>'
    )


def _axis(values: Sequence[Fraction], start: float, end: float, most: int) -> Axis:
    return axis(min(values), max(values), start, end, most)


def _place(cost: Cost, one: Point) -> tuple[Fraction, Fraction]:
    return Fraction(one[1].bits_per_weight or 0), Fraction(cost.of(one[1]) or 0)


def _points(
    cost: Cost, points: Sequence[Point], front: Sequence[Point], across: Axis, up: Axis
) -> Iterator[str]:
    at = [(across.at(x), up.at(y)) for x, y in (_place(cost, one) for one in front)]
    if len(at) > 1:
        # A step, not a slope: nothing lies between two scenarios.
        steps = "".join(f"V{number(y)}H{number(x)}" for x, y in at[1:])
        yield f'<path class="front" d="M{number(at[0][0])} {number(at[0][1])}{steps}"/>'
    best = {id(row) for row, _ in front}
    for row, answer in sorted(points, key=lambda one: id(one[0]) in best):
        (x, y), is_best = _place(cost, (row, answer)), id(row) in best
        title = (
            f"{row.scenario}: {amount(cost.of(answer), 0)} {cost.words}, "
            f"{answer.bits_per_weight} bits per weight"
        )
        yield mark(0, across.at(x), up.at(y), title, "dot best" if is_best else "dot")
    for (row, _), (right, top) in zip(front, at, strict=True):
        is_right = right + 10 + len(row.scenario) * _LETTER > _WIDTH
        yield text_at(
            "v e" if is_right else "v",
            right - 9 if is_right else right + 9,
            round(top) - 7,
            row.scenario,
        )
