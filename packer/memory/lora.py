"""LoRA adapters: two small matrices beside every tensor they change."""

from collections.abc import Sequence

from packer.domain.model import ModelFile, Tensor
from packer.errors import InvalidInput, Location, Problem
from packer.memory.hyperparameters import HyperParameters
from packer.memory.layer_split import HOST
from packer.memory.tensor_override import Override
from packer.memory.tensor_size import card_bytes, host_bytes
from packer.memory.weights import tensor_devices

_SUFFIXES = (".lora_a", ".lora_b")


def adapter_bytes(
    adapter: ModelFile,
    model: ModelFile,
    sizes: HyperParameters,
    layers: Sequence[int],
    overrides: tuple[Override, ...],
) -> dict[int, int]:
    """Bytes of one adapter on every device: each pair lies beside the tensor it changes. Exact.

    Raises:
        InvalidInput: The adapter is for another architecture, or changes a tensor the model lacks.

    Source: llama.cpp b11434, src/llama-adapter.cpp, llama_adapter_lora_init_impl().
    """
    if adapter.architecture != model.architecture:
        raise _mismatch(adapter, f"it is for {adapter.architecture}, not {model.architecture}")
    devices = tensor_devices(model, sizes, layers, overrides)
    held: dict[int, int] = {}
    for tensor in adapter.tensors:
        if not tensor.name.endswith(_SUFFIXES):
            continue
        changed = tensor.name.rpartition(".")[0]
        if changed not in devices:
            raise _mismatch(adapter, f"the model has no tensor {changed}")
        device = devices[changed]
        held[device] = held.get(device, 0) + _size(tensor, device)
    return held


def _size(tensor: Tensor, device: int) -> int:
    elements = tensor.element_count
    if device == HOST:
        return host_bytes(tensor.type, elements)
    return card_bytes(tensor.type, tensor.shape[0], elements)


def _mismatch(adapter: ModelFile, why: str) -> InvalidInput:
    return InvalidInput(
        Problem(
            code="P0512",
            title="the LoRA adapter does not belong to this model",
            where=Location(adapter.origin or adapter.name),
            why=why,
            help="give the adapter's own base model with --model",
        )
    )
