"""Catalogue rows as aligned columns; ``-o json`` has what a table leaves out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from packer.units import GIB, format_gib

Row = Mapping[str, Any]

_COLUMNS: dict[str, dict[str, Callable[[Row], object]]] = {
    "gpus": {
        "NAME": lambda row: row["name"],
        "VENDOR": lambda row: row["vendor"],
        "GENERATION": lambda row: row["generation"],
        "ALLOCATABLE GiB": lambda row: format_gib(row["allocatable_bytes"]),
        "BASIS": lambda row: row["allocatable_basis"],
        "GB/s": lambda row: row["bandwidth_bytes_per_second"] // 10**9,
        "LABEL": lambda row: row["label"],
        "NOT MODELLED": lambda row: row["not_modelled"],
    },
    "models": {
        "ID": lambda row: row["id"],
        "ARCHITECTURE": lambda row: row["architecture"],
        "PARAMETERS": lambda row: f"{row['params_total'] / 1e9:.1f}B",
        "ACTIVE": lambda row: f"{row['params_active'] / 1e9:.1f}B",
        "CONTEXT": lambda row: row["context_length"],
        "QUANTIZATIONS (GiB)": lambda row: " ".join(
            f"{name}:{row['file_bytes'][name] / GIB:.1f}" for name in row["quantizations"]
        ),
    },
    "prices": {
        "PROVIDER": lambda row: row["provider"],
        "REGION": lambda row: row["region"],
        "INSTANCE": lambda row: row["instance_type"],
        "GPU": lambda row: row["gpu"],
        "GPUS": lambda row: row["gpu_count"],
        "ON DEMAND /h": lambda row: row["on_demand_per_hour"] or "unknown",
        "SPOT /h": lambda row: row["spot_per_hour"] or "unknown",
        "RESERVED 1y /h": lambda row: row["reserved_1y_per_hour"] or "unknown",
        "CURRENCY": lambda row: row["currency"],
        "AS OF": lambda row: row["as_of"] or "no date",
        "DAYS OLD": lambda row: _age(row["as_of"]),
    },
}


def _age(as_of: str | None) -> str:
    """Days since a price was seen."""
    if as_of is None:
        return "unknown"
    return str((datetime.now(UTC).date() - date.fromisoformat(as_of)).days)


def catalogue_table(shelf: str, rows: Sequence[Row]) -> str:
    """Rows of one shelf as a table with a header."""
    columns = _COLUMNS[shelf]
    cells = [list(columns), *([str(show(row)) for show in columns.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(_line(line, widths) for line in cells)


def _line(cells: Iterable[str], widths: Iterable[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()


def row_name(row: Row) -> str:
    """What ``-o name`` prints for a row."""
    return str(row.get("name") or row.get("id") or row["instance_type"])
