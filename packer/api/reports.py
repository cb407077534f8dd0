"""Reports of a plan, schemas and catalogue rows: what people and programs read."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from packer.errors import InvalidInput, Location, Problem

if TYPE_CHECKING:
    from packer.plan.plan import Plan
    from packer.report.beside import Beside
    from packer.spec.answer_file import SavedAnswer

REPORT_FILES = {
    "html": "index.html",
    "markdown": "report.md",
    "json": "report.json",
}
REPORT_FORMATS = (*REPORT_FILES, "csv")


def report(
    plan: "Plan",
    out: str | Path,
    *,
    formats: Sequence[str] = ("html", "markdown", "json"),
    beside: "Beside | None" = None,
) -> tuple[str, ...]:
    """Write a plan's report into a folder; returns the file names.

    Args:
        plan: The plan.
        out: The folder; made if it is missing.
        formats: Any of ``html``, ``markdown``, ``json`` and ``csv``.
        beside: Answers of other commands to show, as ``read_beside`` reads them.

    Raises:
        InvalidInput: Another format is asked, or none, or the folder is not ours to replace.
    """
    _check_formats(formats)
    from packer.files.directory import write_tree
    from packer.report.beside import NOTHING
    from packer.report.html import render_html
    from packer.report.json_twin import render_json
    from packer.report.markdown import render_markdown

    writers = {"html": render_html, "markdown": render_markdown, "json": render_json}
    shown = beside or NOTHING
    texts = {REPORT_FILES[name]: writers[name](plan, shown) for name in formats if name in writers}
    if "csv" in formats:
        from packer.report.csv_tables import render_csv

        texts |= render_csv(plan, shown)
    write_tree(Path(out), texts, "report")
    return tuple(texts)


def read_beside(plan: "Plan", paths: Sequence[str | Path]) -> "Beside":
    """Saved answers of ``compare``, ``risk``, ``sweep`` and ``apply`` about a plan's fleet.

    Raises:
        InvalidInput: A file is none of them, two are of one kind, or one is about other inputs.
    """
    from packer.files.text import read_text, shown_name
    from packer.plan.comparison import FleetComparison
    from packer.plan.risk import Risk
    from packer.plan.rollout.record import AppliedChange
    from packer.plan.sweep import Sweep
    from packer.report.beside import Beside
    from packer.spec.answer_file import read_saved_answer

    found: dict[str, SavedAnswer] = {}
    for path in paths:
        answer = read_saved_answer(read_text(path), shown_name(path))
        _check_beside(plan, answer, shown_name(path), set(found))
        found[answer.kind] = answer
    risk, sweep = found.get("Risk"), found.get("Sweep")
    comparison, change = found.get("FleetComparison"), found.get("AppliedChange")
    return Beside(
        risk=risk if isinstance(risk, Risk) else None,
        comparison=comparison if isinstance(comparison, FleetComparison) else None,
        sweep=sweep if isinstance(sweep, Sweep) else None,
        change=change if isinstance(change, AppliedChange) else None,
    )


def _check_beside(plan: "Plan", answer: "SavedAnswer", file: str, kinds: set[str]) -> None:
    """Refuse an answer about another fleet or plan, or a second one of its kind."""
    from packer.plan.risk import Risk
    from packer.plan.rollout.record import AppliedChange

    pairs = {}
    if isinstance(answer, Risk | AppliedChange):
        pairs["fleet"] = (answer.inputs.fleet_sha256, plan.inputs.fleet_sha256)
        pairs["inventory"] = (answer.inputs.inventory_sha256, plan.inputs.inventory_sha256)
    else:
        pairs["fleet"] = (answer.fleet_sha256, plan.inputs.fleet_sha256)
    other = [name for name, (theirs, ours) in pairs.items() if theirs != ours]
    if other:
        title = f"this {answer.kind} is about another {' and another '.join(other)} than the plan"
        help_ = "make it anew from the files the plan was made from"
        raise InvalidInput(Problem("P0811", title, Location(file), help=help_))
    if answer.kind in kinds:
        title = f"a report shows one {answer.kind}, and this is the second"
        raise InvalidInput(Problem("P0811", title, Location(file), help="name one of them"))


def _check_formats(formats: Sequence[str]) -> None:
    unknown = [name for name in formats if name not in REPORT_FORMATS]
    if unknown or not formats:
        title = f"{', '.join(unknown)} is no report format" if unknown else "no format is named"
        help_ = f"choose from {', '.join(REPORT_FORMATS)}"
        raise InvalidInput(Problem("P0482", title, help=help_))


def report_difference(
    old: "Plan",
    new: "Plan",
    out: str | Path,
    *,
    formats: Sequence[str] = ("html", "markdown", "json"),
) -> tuple[str, ...]:
    """Write what changed between two plans, in money first; returns the file names.

    Args:
        old: The plan before.
        new: The plan after.
        out: The folder; made if it is missing.
        formats: As of ``report``.

    Raises:
        InvalidInput: As ``report``.
    """
    _check_formats(formats)
    from packer.files.directory import write_tree
    from packer.report.difference import difference
    from packer.report.difference_page import render_difference
    from packer.report.difference_text import difference_csv, difference_markdown
    from packer.report.json_twin import document_json

    facts = difference(old, new)
    writers = {
        "html": render_difference,
        "markdown": difference_markdown,
        "json": document_json,
    }
    texts = {REPORT_FILES[name]: writers[name](facts) for name in formats if name in writers}
    if "csv" in formats:
        texts |= difference_csv(facts)
    write_tree(Path(out), texts, "difference")
    return tuple(texts)


def difference_text(old: "Plan", new: "Plan") -> str:
    """What changed between two plans, as Markdown."""
    from packer.report.difference import difference
    from packer.report.difference_text import difference_markdown

    return difference_markdown(difference(old, new))


def schema_text(document: str) -> str:
    """JSON Schema of ``fleet``, ``inventory`` or ``plan``."""
    from packer.spec.json_schema import format_schema

    return format_schema(document)  # type: ignore[arg-type]


def catalogue(
    shelf: str, *, gpu: str = "", region: str = "", prices: str | Path = ""
) -> list[dict[str, object]]:
    """Rows of the built-in catalogue: ``gpus``, ``models`` or ``prices``.

    Args:
        shelf: Which part.
        gpu: Only this card or family.
        region: Only prices of regions like this pattern.
        prices: A price book; its rows come before those of the catalogue, its discounts are taken
            off them.

    Raises:
        InvalidInput: No such shelf, card or region, or the price book is refused.
    """
    from packer.catalogue.listing import rows

    listed = None
    if prices:
        from packer.api.price_books import read_price_book
        from packer.catalogue.price_list import price_list

        listed = price_list(read_price_book(prices))
    return rows(shelf, gpu=gpu, region=region, priced=listed)
