"""Rows of the catalogue as people and programs read them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from packer.units import GIB, format_gib

if TYPE_CHECKING:
    from packer.catalogue.models import CatalogueModel
    from packer.catalogue.prices import CataloguePrice
    from packer.domain.gpu import GpuProduct

Row = dict[str, object]


def gpu_rows(products: "Iterable[GpuProduct]") -> Iterator[Row]:
    """One row per GPU product."""
    for one in products:
        yield {
            "name": one.name,
            "vendor": one.vendor,
            "generation": one.generation,
            "allocatable_gib": format_gib(one.allocatable_bytes),
            "basis": one.allocatable_basis.value,
            "gb_per_s": one.bandwidth_bytes_per_second // 10**9,
            "label": one.label,
            "not_modelled": "" if one.is_modelled else one.not_modelled,
            "source": one.source,
        }


def model_rows(models: "Iterable[CatalogueModel]") -> Iterator[Row]:
    """One row per model."""
    for one in models:
        yield {
            "name": one.id,
            "architecture": one.architecture,
            "params_b": f"{one.params_total / 1e9:.1f}",
            "active_b": f"{one.params_active / 1e9:.1f}",
            "context": one.context_length,
            "quantizations": " ".join(
                f"{name}:{one.file_bytes[name] / GIB:.1f}" for name in one.quantizations
            ),
            "aliases": ", ".join(one.aliases),
            "status": one.status,
            "source": one.source,
        }


def price_rows(prices: "Iterable[CataloguePrice]") -> Iterator[Row]:
    """One row per instance type and region; an unknown price stays empty."""
    for one in prices:
        yield {
            "name": one.instance_type,
            "provider": one.provider,
            "region": one.region,
            "gpu": one.gpu,
            "gpus": one.gpu_count,
            "on_demand": _money(one.on_demand),
            "spot": _money(one.spot),
            "currency": one.currency,
            "as_of": one.as_of.isoformat() if one.as_of else "no date",
            "source": one.source,
        }


def _money(value: object) -> str:
    return "" if value is None else str(value)


# Wide columns that a table leaves to ``-o json``.
_LONG = ("source", "aliases")


def text_table(rows: Sequence[Row]) -> str:
    """Aligned columns with a header."""
    if not rows:
        return "nothing matches"
    keys = [key for key in rows[0] if key not in _LONG and any(row[key] != "" for row in rows)]
    cells = [[key.upper() for key in keys]]
    cells += [[str(row[key]) for key in keys] for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(keys))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )
