"""Every file of a sweep's output: page, Markdown, CSV and JSON of the same rows."""

from packer.plan.sweep import Sweep
from packer.report.json_twin import document_json
from packer.report.sweep_page import render_sweep
from packer.report.sweep_tables import sweep_csv, sweep_markdown


def sweep_files(sweep: Sweep) -> dict[str, str]:
    """File name → text; only what the run contributed differs between equal sweeps."""
    return {
        "index.html": render_sweep(sweep),
        "sweep.md": sweep_markdown(sweep),
        "sweep.csv": sweep_csv(sweep),
        "sweep.json": document_json(sweep),
    }
