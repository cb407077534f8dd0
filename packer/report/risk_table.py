"""The risk of a plan for a terminal."""

from decimal import Decimal

from packer.plan.risk import Loss, Replanned, Risk, Stress, Verdict
from packer.report.text_columns import columns
from packer.units import format_bytes

_NONE = "–"
_VERDICTS = {
    Verdict.FITS: "fits",
    Verdict.DOES_NOT_FIT: "does not fit",
    Verdict.UNKNOWN: "unknown",
    Verdict.NOT_ASKED: "not asked",
}


def risk_table(risk: Risk, *, width: int) -> str:
    """Losses, then stresses, then what breaks first; ends with a newline."""
    lines = [*_losses(risk, width), "", *_stresses(risk, width), ""]
    tight = risk.tightest
    if tight is not None:
        lines.append(
            f"tightest card: {tight.node} card {tight.card}, {format_bytes(tight.slack_bytes)} "
            f"left: its processes may grow {tight.growth_percent} %, or "
            f"{tight.growth_into_headroom_percent} % into the headroom"
        )
    lines.append(f"breaks first: {risk.breaks_first or 'nothing that was asked'}")
    return "\n".join([*lines, *(f"note: {note}" for note in risk.notes)]) + "\n"


def _losses(risk: Risk, width: int) -> list[str]:
    head = ("LOST", "ALIKE", "REPLICAS", "STILL FITS", "CARDS", *_titles(risk), "WHO IS OUT")
    rows = [_loss(one) for one in risk.losses]
    return columns(head, rows, width, frozenset({1, 2, 4, 5, 6, 7}))


def _titles(risk: Risk) -> tuple[str, ...]:
    unit = "CARDS" if risk.objective == "cards" else f"{risk.currency}/h"
    return (f"{risk.currency or 'PRICE'}/h", f"Δ {unit}", "BOUND")


def _loss(one: Loss) -> tuple[str, ...]:
    out = ", ".join(one.workloads_out) or _NONE
    words = [out, *(one.after.reasons[:2]), *([f"helps: {one.remedy}"] if one.remedy else [])]
    return (
        one.example,
        str(one.alike),
        str(one.replicas_lost),
        *_answer(one.after),
        "; ".join(words),
    )


def _stresses(risk: Risk, width: int) -> list[str]:
    head = ("CHANGE", "STILL FITS", "CARDS", *_titles(risk), "IF NOTHING MOVES")
    rows = [_stress(one) for one in risk.stresses]
    return columns(head, rows, width, frozenset({2, 3, 4, 5}))


def _stress(one: Stress) -> tuple[str, ...]:
    broken = ", ".join(one.breaks_in_place[:4])
    more = len(one.breaks_in_place) - 4
    words = f"over: {broken}{f' and {more} more' if more > 0 else ''}" if broken else ""
    if not words and one.price_in_place is not None:
        words = f"{one.price_in_place:f}/h"
    return (
        one.change,
        *_answer(one.after),
        "; ".join(filter(None, (words, *one.after.reasons[:1]))),
    )


def _answer(after: Replanned) -> tuple[str, ...]:
    verdict = _VERDICTS[after.verdict]
    if after.verdict is Verdict.FITS and after.is_proved:
        verdict += ", proved"
    return (
        verdict,
        _NONE if after.cards is None else str(after.cards),
        _amount(after.price_per_hour),
        _NONE if after.objective_change is None else f"{after.objective_change:+f}",
        _amount(after.bound),
    )


def _amount(amount: Decimal | None) -> str:
    return _NONE if amount is None else f"{amount:f}"
