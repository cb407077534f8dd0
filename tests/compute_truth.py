"""Compute buffers of measured rows: what llama.cpp reserved, and what we compute."""

import shlex
from collections import defaultdict

from packer.domain.basis import Basis
from packer.domain.model import ModelFile
from packer.domain.server_options import ServerOptions
from packer.llamacpp.arguments import parse_arguments
from packer.memory.compute_buffer import ComputeBuffers, compute_buffers
from packer.memory.draft_model import second_context, with_inferred_speculation
from packer.memory.hyperparameters import read_hyperparameters
from packer.memory.layer_split import model_layout
from packer.memory.part import Part
from packer.memory.resolution import ResolvedContext, resolve_context
from packer.memory.result import Card
from tests.memory_truth import OpenModel, Row, cards

BUILD = "b11434"


def reserved(row: Row, key: str) -> dict[str, int]:
    """Bytes llama.cpp reserved for one context: each card by its number, all host types together.

    Args:
        row: Measured row.
        key: ``target`` or ``draft``.
    """
    sums: dict[str, int] = defaultdict(int)
    for name, (_, _, size) in row.get(key, {}).items():
        if not name.startswith("out:"):
            is_card = name.startswith("CUDA") and name != "CUDA_Host"
            sums[name.removeprefix("CUDA") if is_card else "host"] += size
    return _without_nothing(sums)


def computed(row: Row, open_model: OpenModel) -> dict[str, dict[str, int]]:
    """Our compute buffers of a row's contexts, under the same names."""
    options = parse_arguments(shlex.split(row["cmd"]))
    model = open_model(options.model)
    name = options.draft.model if options.draft else ""
    draft = open_model(name) if name else None
    options = with_inferred_speculation(options, draft)
    context = resolve_context(read_hyperparameters(model), options)
    visible = cards(row["gpus_mib"])
    found = {"target": buffers(model, context, options, visible, row["fa"])}
    second = second_context(model, options, context, draft)
    if second is not None:
        has_attention = second.options.flash_attention.value != "off"
        found["draft"] = buffers(
            second.model, second.context, second.options, visible, has_attention
        )
    return {key: by_device(part) for key, part in found.items()}


def buffers(
    model: ModelFile,
    context: ResolvedContext,
    options: ServerOptions,
    visible: tuple[Card, ...],
    has_flash_attention: bool,
    *,
    build: str = BUILD,
) -> ComputeBuffers:
    """Compute buffers of one context."""
    layout = model_layout(read_hyperparameters(model).block_count, options, visible)
    return compute_buffers(
        model,
        context,
        layout,
        options,
        visible,
        has_flash_attention=has_flash_attention,
        build=build,
    )


def by_device(found: ComputeBuffers) -> dict[str, int]:
    """Bytes by card number, and of the host, when the server starts: some buffers grow later."""

    def at_start(part: Part) -> int:
        return part.bytes if part.basis is Basis.EXACT else part.low

    sizes = {str(index): at_start(part) for index, part in enumerate(found.cards)}
    return _without_nothing(sizes | {"host": at_start(found.host)})


def _without_nothing(sizes: dict[str, int]) -> dict[str, int]:
    return {name: size for name, size in sizes.items() if size}
