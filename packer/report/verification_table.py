"""What was looked at of a running fleet: what differs, what could not be told, what agrees."""

from collections.abc import Iterable, Sequence

from packer.plan.finding import Finding
from packer.report.text_columns import columns
from packer.report.wording import counted

_HEAD = ("Server", "What", "", "Basis", "Allowed", "Predicted / observed")
_WORDS: dict[bool | None, str] = {False: "differs", None: "told only", True: "agrees"}


def verification_text(
    findings: Sequence[Finding], plan: str, width: int, *, shows_all: bool = False
) -> str:
    """One line, and a table of everything that does not agree.

    Args:
        findings: What was looked at.
        plan: Name of the plan.
        width: Width of the terminal; 0 never wraps.
        shows_all: Whether what agrees is listed too.
    """
    wrong = [one for one in findings if one.is_as_planned is False]
    silent = [one for one in findings if one.is_as_planned is None]
    right = [one for one in findings if one.is_as_planned] if shows_all else []
    servers = len({one.server for one in findings})
    head = (
        f"{counted(len(wrong), 'difference')} from the plan {plan}"
        if wrong
        else f"{counted(servers, 'server')} as the plan {plan} says"
    )
    unknown = f"; {len(silent)} could not be judged" if silent else ""
    shown = [*wrong, *silent, *right]
    lines = [f"{head}: {counted(len(findings), 'thing')} looked at{unknown}"]
    if shown:
        lines += ["", *_table(shown, width)]
    return "\n".join(lines)


def _table(findings: Iterable[Finding], width: int) -> list[str]:
    """Command lines are long, so the figures stand together in the last column, which wraps."""
    rows = [
        (
            one.server,
            one.what,
            _WORDS[one.is_as_planned],
            one.basis or "–",
            one.allowed or "–",
            f"{one.planned} / {one.found}",
        )
        for one in findings
    ]
    return columns(_HEAD, rows, width, frozenset())
