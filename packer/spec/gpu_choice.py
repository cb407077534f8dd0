"""GPU products a fleet file allows or refuses, by full or by family name."""

import re

from packer.domain.gpu import GpuProduct
from packer.errors import InvalidInput
from packer.spec.lookups import Lookups


def chosen_products(name: str, lookups: Lookups) -> tuple[str, ...]:
    """Names of the products a name stands for: ``L40S`` is one, ``H100`` is every H100.

    Raises:
        InvalidInput: No product is called so.
    """
    try:
        return (lookups.gpu(name).name,)
    except InvalidInput:
        wanted = _words(name)
        family = [p.name for p in lookups.gpu_products() if _is_of_family(p, wanted)]
        if not family:
            raise
        return tuple(family)


def _is_of_family(product: GpuProduct, wanted: list[str]) -> bool:
    words = _words(product.name)
    return bool(wanted) and wanted[0] == words[0] and set(wanted) <= set(words)


def _words(name: str) -> list[str]:
    return [word for word in re.findall(r"[a-z0-9.]+", name.casefold()) if word != "nvidia"]
