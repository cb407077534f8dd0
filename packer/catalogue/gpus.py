"""The GPU catalogue: facts of each product with their source, found by the names people use."""

import csv
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.resources import files

from packer.catalogue.mig_slices import mig_slices
from packer.catalogue.names import (
    is_written_with,
    listed,
    name_key,
    nearest_names,
    shortened,
    words_of,
)
from packer.domain.basis import Basis
from packer.domain.gpu import GpuProduct
from packer.errors import InvalidInput, Problem
from packer.units import MIB

# Upper envelope of what llama.cpp's total lacks of nvidia-smi's, over all products where both are
# known: 360 MiB and 0.8 %. Pinned by tests/unit/catalogue/test_catalogue_gpus.py.
_MISSING_MIB = 360
_MISSING_PER_MILLE = 8
_NOT_MODELLED = {
    "AMD": "the ROCm backend: its buffer alignment, flash-attention scratch and process overhead",
    "Intel": "the SYCL and Vulkan backends: their buffers and process overhead",
}
_UNIFIED = "memory shared by host and GPU: one pool for both is not modelled"
_BRANDS = frozenset(
    ["nvidia", "geforce", "tesla", "rtx", "gtx", "amd", "radeon", "instinct", "rx", "intel", "arc"]
)
# A GTX 1650 is no GTX 1650 SUPER: these words must be said.
_TIERS = frozenset(["ti", "super", "laptop"])
_SIZE = re.compile(r"\d{1,3}(gb)?")


@cache
def gpu_products() -> tuple[GpuProduct, ...]:
    """Every GPU product of the catalogue, in the order of its file: NVIDIA, AMD, Intel."""
    text = files("packer.catalogue").joinpath("data/gpus.csv").read_text("utf-8")
    return tuple(map(_product, csv.DictReader(text.splitlines())))


def find_gpu(name: str) -> GpuProduct:
    """The product a name means.

    A name, label or alias that is equal under the name rule wins. Otherwise the product whose
    words spell the name (``4090``, ``A100-PCIe-80GB``), if there is only one.

    Raises:
        InvalidInput: No product or more than one has that name; the candidates are named.
    """
    by_alias = _by_alias().get(name_key(name))
    products = (by_alias,) if by_alias else gpus_matching(name)
    if len(products) == 1:
        return products[0]
    if not products:
        near = _nearest(name)
        raise InvalidInput(
            Problem(
                "P0901",
                f"no GPU of the catalogue is called {shortened(name)}",
                help=f"did you mean {listed(near)}? `gpu-packer catalogue gpus` lists all",
            )
        )
    raise InvalidInput(
        Problem(
            "P0902",
            f"{shortened(name)} may be {len(products)} different GPUs",
            why="their memory or bandwidth differs",
            help=f"write {listed([product.name for product in products])}",
        )
    )


@lru_cache(maxsize=4096)
def gpus_matching(name: str) -> tuple[GpuProduct, ...]:
    """Every product a name may mean: one if it is clear, all of a family (``H100``), or none.

    Kept, as the rows of a price list repeat a few names.
    """
    key = name_key(name)
    exact = _by_name().get(key)
    if exact is not None:
        return (exact,)
    # Bounded before spelling: no name in use is near this long.
    if not key or len(key) > 64:
        return ()
    spelt = [
        (product, unsaid)
        for product in gpu_products()
        if (unsaid := _unsaid_words(product, key)) is not None
    ]
    complete = [product for product, unsaid in spelt if not unsaid]
    return tuple(complete) if len(complete) == 1 else tuple(product for product, _ in spelt)


@lru_cache(maxsize=1024)
def _nearest(name: str) -> tuple[str, ...]:
    """Products called nearly so; kept, as the rows of a price list repeat a name nobody knows."""
    return tuple(nearest_names(name, (product.name for product in gpu_products())))


def _unsaid_words(product: GpuProduct, key: str) -> set[str] | None:
    """Words of the product's name that ``key`` leaves out; None if it means another product."""
    said = is_written_with(key, _vocabulary(product))
    if said is None or all(word in _BRANDS or _SIZE.fullmatch(word) for word in said):
        return None
    unsaid = words_of(product.name) - said - _BRANDS
    return None if unsaid & _TIERS else unsaid


@cache
def _vocabulary(product: GpuProduct) -> frozenset[str]:
    words = words_of(" ".join((product.name, product.label, product.generation, *product.aliases)))
    words |= words_of(product.vendor)
    # "80" says as much as "80gb".
    return frozenset(words | {word.removesuffix("gb") for word in words if _SIZE.fullmatch(word)})


@cache
def _by_name() -> dict[str, GpuProduct]:
    products = (*gpu_products(), *mig_slices(gpu_products()))
    return {name_key(n): product for product in products for n in (product.name, product.label)}


@cache
def _by_alias() -> dict[str, GpuProduct]:
    return {name_key(n): product for product in gpu_products() for n in product.aliases}


def _product(row: dict[str, str]) -> GpuProduct:
    nominal_bytes = int(row["nominal_mib"]) * MIB
    seen_mib, is_unified = row["llamacpp_mib"], row["unified"] == "yes"
    return GpuProduct(
        name=row["name"],
        vendor=row["vendor"],
        generation=row["generation"],
        label=row["label"],
        allocatable_bytes=int(seen_mib) * MIB if seen_mib else estimated_allocatable(nominal_bytes),
        allocatable_basis=Basis.EXACT if row["seen_in_a_log"] == "yes" else Basis.ESTIMATED,
        nominal_bytes=nominal_bytes,
        bandwidth_bytes_per_second=int(row["bandwidth_gb_s"]) * 10**9,
        compute_capability=row["compute_capability"],
        is_modelled=row["vendor"] not in _NOT_MODELLED and not is_unified,
        source="; ".join(_sources(row)),
        aliases=tuple(filter(None, row["aliases"].split(";"))),
        not_modelled=_NOT_MODELLED.get(row["vendor"], _UNIFIED if is_unified else ""),
    )


def _sources(row: dict[str, str]) -> Iterator[str]:
    yield f"memory: {row['memory_source']}"
    yield f"bandwidth: {row['bandwidth_source']}"
    if not row["llamacpp_mib"]:
        yield f"allocatable: total less {_MISSING_MIB} MiB and {_MISSING_PER_MILLE / 10} %"


def estimated_allocatable(nominal_bytes: int) -> int:
    """Bytes llama.cpp sees of a card of which only nvidia-smi's total is known. Safe side."""
    return nominal_bytes - _MISSING_MIB * MIB - -(-nominal_bytes * _MISSING_PER_MILLE // 1000)
