"""Lookups for tests of the file readers: a small catalogue, and GGUF files that are their names."""

from dataclasses import replace
from pathlib import Path

from packer.domain.basis import Basis
from packer.domain.gpu import GpuProduct
from packer.domain.model import ModelFile, Tensor
from packer.domain.quantization import ELEMENT_TYPES_BY_NAME
from packer.errors import InvalidInput, InvalidModelFile, Problem
from packer.spec.lookups import Lookups, plain_gpu_name
from packer.units import GIB

_TRAINED = {"llama-3.1-8b": 131072, "bge-m3": 8192, "qwen3-0.6b": 40960}
_QUANTIZATIONS = {
    "llama-3.1-8b": ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M"),
    "bge-m3": ("F16", "Q8_0"),
    "qwen3-0.6b": ("Q8_0", "Q4_K_M"),
}
_ALIASES = {"Llama-3.1-8B-Instruct": "llama-3.1-8b"}


def product(name: str, vendor: str = "NVIDIA") -> GpuProduct:
    """A card of 48 GiB."""
    return GpuProduct(
        name=name,
        vendor=vendor,
        generation="Ada",
        label=f"NVIDIA-{name.replace(' ', '-')}",
        allocatable_bytes=44 * GIB,
        allocatable_basis=Basis.EXACT,
        nominal_bytes=45 * GIB,
        bandwidth_bytes_per_second=864 * 10**9,
        compute_capability="8.9",
        is_modelled=vendor == "NVIDIA",
        source="test",
    )


PRODUCTS = (
    product("L40S"),
    product("L40"),
    product("RTX 4090"),
    product("H100 SXM"),
    product("H100 PCIe"),
    product("MI300X", "AMD"),
)


def model(name: str, context: int | None, origin: str, basis: Basis) -> ModelFile:
    """A header with one tensor; ``context`` None leaves the trained context out."""
    metadata = {} if context is None else {"llama.context_length": context}
    tensor = Tensor("token_embd.weight", (64, 32), ELEMENT_TYPES_BY_NAME["f16"])
    return ModelFile(name, "llama", metadata, (tensor,), 8192, 32, origin, basis)


def _gpu(name: str) -> GpuProduct:
    for known in PRODUCTS:
        if plain_gpu_name(known.name) == plain_gpu_name(name):
            return known
    raise InvalidInput(Problem("P0901", f"no GPU is called {name}", help="did you mean L40S?"))


def _gpu_family(name: str) -> tuple[GpuProduct, ...]:
    plain = plain_gpu_name(name)
    exact = tuple(known for known in PRODUCTS if plain_gpu_name(known.name) == plain)
    return exact or tuple(known for known in PRODUCTS if known.name.split()[0] == name)


def _catalogue_id(name: str) -> str:
    found = _ALIASES.get(name, name)
    if found not in _QUANTIZATIONS:
        problem = Problem("P0902", f"no model is called {name}", help="did you mean bge-m3?")
        raise InvalidInput(problem)
    return found


def _model_file(path: Path) -> ModelFile:
    """Header of a stand-in: a file whose text is its trained context, such as ``4096``."""
    text = path.read_text()
    if not text.strip().isdigit():
        raise InvalidModelFile(Problem("P0301", f"{path} is no GGUF file"))
    return model(path.name, int(text), str(path), Basis.EXACT)


def _catalogue_file(name: str, quantization: str) -> ModelFile:
    found = _catalogue_id(name)
    origin = f"catalogue:{found}:{quantization}"
    return model(found, _TRAINED[found], origin, Basis.ESTIMATED)


LOOKUPS = Lookups(
    gpu=_gpu,
    gpu_family=_gpu_family,
    model_file=_model_file,
    catalogue_quantizations=lambda name: _QUANTIZATIONS[_catalogue_id(name)],
    catalogue_file=_catalogue_file,
)


def without_trained_context() -> Lookups:
    """The same, but no model says what it was trained for."""

    def catalogue_file(name: str, quantization: str) -> ModelFile:
        known = _catalogue_file(name, quantization)
        return replace(known, metadata={})

    return replace(LOOKUPS, catalogue_file=catalogue_file)
