"""Memory of one llama-server process: named parts per card and on the host."""

from collections.abc import Mapping, Sequence

from packer.domain.model import ModelFile
from packer.domain.server_options import ServerOptions
from packer.memory.draft_model import (
    SecondContext,
    drafts_with_nextn,
    second_context,
    with_inferred_speculation,
)
from packer.memory.hyperparameters import HyperParameters, read_hyperparameters
from packer.memory.layer_split import HOST
from packer.memory.llama_context import ContextMemory, context_memory
from packer.memory.output_buffer import output_bytes, output_growth_bytes
from packer.memory.part import NOTHING, Part
from packer.memory.process_overhead import host_process_overhead, process_overhead
from packer.memory.resolution import ResolvedContext, resolve_context
from packer.memory.result import Card, DeviceEstimate, HostEstimate, MemoryEstimate
from packer.units import MIB


def estimate_memory(
    model: ModelFile,
    options: ServerOptions,
    cards: Sequence[Card],
    *,
    draft: ModelFile | None = None,
    projector: ModelFile | None = None,
    loras: Sequence[ModelFile] = (),
    build: str = "b11434",
    host_allocatable_bytes: int | None = None,
) -> MemoryEstimate:
    """Bytes one llama-server process takes on every card and on the host.

    Args:
        model: Header of the served model.
        options: Sizing options of the command line.
        cards: Every card the process sees, in CUDA order; none is a CPU server.
        draft: Header of the draft model, if the options name one.
        projector: Header of the multimodal projector.
        loras: Headers of LoRA adapters.
        build: llama.cpp build of the server.
        host_allocatable_bytes: Memory of the host this process may use; None is not checked.

    Raises:
        UnsupportedModel: The architecture or an option is not modelled.
        InvalidInput: llama.cpp would refuse the options.
    """
    options = with_inferred_speculation(options, draft)
    sizes = read_hyperparameters(model)
    context = resolve_context(sizes, options)
    target = context_memory(model, sizes, context, options, cards, build=build)
    second = second_context(model, options, context, draft)
    drafting = None
    if second is not None:
        drafting = context_memory(
            second.model,
            second.sizes,
            second.context,
            second.options,
            cards,
            build=build,
            is_own_model=second.is_own_model,
        )
    devices = tuple(
        _device(
            index,
            card,
            {
                "weights": _weights(model, target, index),
                "context": Part.exact(target.cache.get(index, 0)),
                "compute": target.compute.cards[index],
                "process": process_overhead(card) if index in target.layout.cards else NOTHING,
                **_draft_parts(second, drafting, index),
            },
        )
        for index, card in enumerate(cards)
    )
    host = _host(sizes, context, options, target, second, drafting, len(cards))
    fits = all(device.high_bytes <= device.allocatable_bytes for device in devices)
    if host_allocatable_bytes is not None:
        fits = fits and host.total_bytes <= host_allocatable_bytes
    return MemoryEstimate(
        devices=devices,
        host=host,
        layers=target.layout.layers,
        context_cells=context.context_cells,
        context_cells_per_slot=context.cells_per_slot,
        slots=context.slots,
        flash_attention=target.has_flash_attention,
        fits=fits,
        build=build,
    )


def _weights(model: ModelFile, held: ContextMemory, device: int) -> Part:
    """Weights of one model on one device, as sure as its header."""
    return Part.scaled(held.weights.get(device, 0), model.size_low, model.size_high, model.basis)


def _draft_parts(
    second: SecondContext | None, drafting: ContextMemory | None, device: int
) -> dict[str, Part]:
    """Parts of the drafting context on one device."""
    if second is None or drafting is None:
        return {}
    return {
        "draft_weights": _weights(second.model, drafting, device),
        "draft_context": Part.exact(drafting.cache.get(device, 0)),
        "draft_compute": drafting.compute.cards[device],
    }


def _host(
    sizes: HyperParameters,
    context: ResolvedContext,
    options: ServerOptions,
    target: ContextMemory,
    second: SecondContext | None,
    drafting: ContextMemory | None,
    card_count: int,
) -> HostEstimate:
    """Memory of the host."""
    feeds_nextn = drafts_with_nextn(options)
    output = output_bytes(sizes, context)
    growth = output_growth_bytes(sizes, context, feeds_nextn=feeds_nextn, is_draft=False)
    if second is not None:
        output += output_bytes(second.sizes, second.context)
        growth += output_growth_bytes(
            second.sizes, second.context, feeds_nextn=feeds_nextn, is_draft=True
        )
    return HostEstimate(
        weights_bytes=target.weights.get(HOST, 0),
        context_bytes=target.cache.get(HOST, 0),
        compute_bytes=target.compute.host.bytes,
        output_bytes=output,
        draft_weights_bytes=drafting.weights.get(HOST, 0) if drafting else 0,
        draft_context_bytes=drafting.cache.get(HOST, 0) if drafting else 0,
        draft_compute_bytes=drafting.compute.host.bytes if drafting else 0,
        prompt_cache_bytes=max(options.prompt_cache_mib, 0) * MIB,
        checkpoint_bytes=0,
        process_bytes=host_process_overhead(card_count) + growth,
    )


def _device(index: int, card: Card, parts: Mapping[str, Part]) -> DeviceEstimate:
    """Parts of one card added up, with their bands."""

    def size(part: str) -> int:
        return parts.get(part, NOTHING).bytes

    return DeviceEstimate(
        name=card.name or f"CUDA{index}",
        weights_bytes=size("weights"),
        context_bytes=size("context"),
        compute_bytes=size("compute"),
        draft_weights_bytes=size("draft_weights"),
        draft_context_bytes=size("draft_context"),
        draft_compute_bytes=size("draft_compute"),
        projector_bytes=size("projector"),
        process_bytes=size("process"),
        low_bytes=sum(part.low for part in parts.values()),
        high_bytes=sum(part.high for part in parts.values()),
        allocatable_bytes=card.allocatable_bytes,
        basis={part: value.basis for part, value in parts.items()},
    )
