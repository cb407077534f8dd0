"""The catalogue as rows of plain values, for tables and JSON."""

from collections.abc import Sequence

from packer.catalogue.gpus import find_gpu, gpu_products, gpus_matching
from packer.catalogue.models import CatalogueModel, catalogue_models
from packer.catalogue.names import listed, shortened
from packer.catalogue.prices import prices
from packer.domain.gpu import GpuProduct
from packer.domain.instance_price import InstancePrice
from packer.errors import InvalidInput, Problem

Row = dict[str, object]
_SHELVES = ("gpus", "models", "prices")


def rows(
    shelf: str,
    *,
    gpu: str = "",
    region: str = "",
    priced: Sequence[InstancePrice] | None = None,
) -> list[Row]:
    """Rows of ``gpus``, ``models`` or ``prices``; every row of a shelf has the same keys.

    Args:
        shelf: Which part of the catalogue.
        gpu: Only this card or family; of GPUs and prices.
        region: Only regions like this pattern; of prices.
        priced: Prices instead of those that are shipped.

    Raises:
        InvalidInput: No such shelf or card.
    """
    if shelf == "gpus":
        chosen = (gpus_matching(gpu) or (find_gpu(gpu),)) if gpu else gpu_products()
        return [_gpu_row(product) for product in chosen]
    if shelf == "models":
        return [_model_row(model) for model in catalogue_models()]
    if shelf == "prices":
        return [_price_row(price) for price in prices(gpu, region, priced)]
    raise InvalidInput(
        Problem(
            "P0905",
            f"the catalogue has no part called {shortened(shelf)}",
            help=f"write {listed(_SHELVES)}",
        )
    )


def _gpu_row(product: GpuProduct) -> Row:
    return {
        "name": product.name,
        "vendor": product.vendor,
        "generation": product.generation,
        "allocatable_bytes": product.allocatable_bytes,
        "allocatable_basis": product.allocatable_basis.value,
        "nominal_bytes": product.nominal_bytes,
        "bandwidth_bytes_per_second": product.bandwidth_bytes_per_second,
        "compute_capability": product.compute_capability,
        "label": product.label,
        "aliases": list(product.aliases),
        "not_modelled": product.not_modelled,
        "source": product.source,
    }


def _model_row(model: CatalogueModel) -> Row:
    return {
        "id": model.id,
        "architecture": model.architecture,
        "params_total": model.params_total,
        "params_active": model.params_active,
        "context_length": model.context_length,
        "quantizations": list(model.quantizations),
        "file_bytes": dict(model.file_bytes),
        "license": model.license,
        "is_embedding": model.is_embedding,
        "has_mtp": model.has_mtp,
        "aliases": list(model.aliases),
        "status": model.status,
        "note": model.note,
        "source": model.source,
    }


def _price_row(price: InstancePrice) -> Row:
    amounts = {
        "on_demand_per_hour": price.on_demand_per_hour,
        "spot_per_hour": price.spot_per_hour,
        "reserved_1y_per_hour": price.reserved_1y_per_hour,
        "reserved_3y_per_hour": price.reserved_3y_per_hour,
    }
    return {
        "provider": price.provider,
        "region": price.region,
        "instance_type": price.instance_type,
        "gpu": price.gpu,
        "products": list(price.products),
        "gpu_count": price.gpu_count,
        "vcpus": price.vcpus,
        "memory_gib": price.memory_gib,
        # Text, so that no reader turns money into a binary fraction.
        **{key: None if amount is None else str(amount) for key, amount in amounts.items()},
        "reserved_note": price.reserved_note,
        "currency": price.currency,
        "as_of": price.as_of.isoformat() if price.as_of else None,
        "as_of_note": price.as_of_note,
        "source": price.source,
    }
