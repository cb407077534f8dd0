"""Reports of a plan, schemas and catalogue rows: what people and programs read."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packer.plan.plan import Plan

REPORT_FILES = {
    "html": "index.html",
    "markdown": "report.md",
    "json": "report.json",
}


def report(
    plan: "Plan", out: str | Path, *, formats: Sequence[str] = ("html", "markdown", "json")
) -> tuple[str, ...]:
    """Write a plan's report into a folder; returns the file names."""
    from packer.files.directory import write_tree
    from packer.report.html import render_html
    from packer.report.json_twin import render_json
    from packer.report.markdown import render_markdown

    writers = {"html": render_html, "markdown": render_markdown, "json": render_json}
    texts = {REPORT_FILES[name]: writers[name](plan) for name in formats if name in writers}
    if "csv" in formats:
        from packer.report.csv_tables import render_csv

        texts |= render_csv(plan)
    write_tree(Path(out), texts, "report")
    return tuple(texts)


def schema_text(document: str) -> str:
    """JSON Schema of ``fleet``, ``inventory`` or ``plan``."""
    from packer.spec.json_schema import format_schema

    return format_schema(document)  # type: ignore[arg-type]


def catalogue(shelf: str, *, gpu: str = "", region: str = "") -> list[dict[str, object]]:
    """Rows of the built-in catalogue: ``gpus``, ``models`` or ``prices``.

    Raises:
        InvalidInput: No such shelf or card.
    """
    from packer.catalogue.listing import rows

    return rows(shelf, gpu=gpu, region=region)
