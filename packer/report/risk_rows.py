"""Risk in words and rows: growth of the plan as it is, and the answers of ``risk``."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from packer.plan.risk import Replanned, Risk, Verdict
from packer.report.growth_figures import CardGrowth, broken_at
from packer.report.wording import amount, counted

VERDICTS: dict[Verdict, str] = {
    Verdict.FITS: "fits",
    Verdict.DOES_NOT_FIT: "does not fit",
    Verdict.UNKNOWN: "unknown: out of time",
    Verdict.NOT_ASKED: "not asked",
}
_STEPS = (5, 10, 25, 50)


def growth_words(growths: Sequence[CardGrowth]) -> str:
    """How many cards lose their headroom, or overflow, at round growths."""
    if not growths:
        return ""
    kept = [one.keeps_headroom_percent for one in growths]
    fits = [one.fits_percent for one in growths]
    parts = [
        f"at +{percent} % {counted(broken_at(kept, percent), 'card')} lose"
        f"{'s' if broken_at(kept, percent) == 1 else ''} headroom and {broken_at(fits, percent)} "
        f"overflow{'s' if broken_at(fits, percent) == 1 else ''}"
        for percent in _STEPS
    ]
    return f"Nothing moved, every process grown alike: {'; '.join(parts)}."


def loss_rows(risk: Risk) -> Iterator[tuple[str, ...]]:
    """What is lost, how many are alike, who stops, and the fleet planned on what is left."""
    for one in risk.losses:
        yield (
            f"{one.unit.value}: {one.example}",
            str(one.alike),
            str(one.replicas_lost),
            ", ".join(one.workloads_out) or "–",
            *_after(one.after),
            one.remedy or "–",
        )


def short_loss_rows(risk: Risk) -> Iterator[tuple[str, ...]]:
    """Losses in the columns of ``stress_rows``."""
    for one in risk.losses:
        yield f"lose {one.unit.value} {one.example}", "–", *_after(one.after)


def stress_rows(risk: Risk) -> Iterator[tuple[str, ...]]:
    """Change, cards that overflow if nothing moves, and the fleet planned anew."""
    for one in risk.stresses:
        yield one.change, str(len(one.breaks_in_place)), *_after(one.after)


def _after(after: Replanned) -> tuple[str, str, str]:
    cards = "–" if after.cards is None else str(after.cards)
    price: Decimal | None = after.price_per_hour
    return VERDICTS[after.verdict], cards, "–" if price is None else amount(price)
