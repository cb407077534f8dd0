"""Memory of one llama-server process: named parts per card and on the host."""

from collections.abc import Mapping, Sequence

from packer.domain.basis import Basis
from packer.domain.model import ModelFile
from packer.domain.server_options import ServerOptions
from packer.memory.compute_buffer import compute_buffers
from packer.memory.flash_attention import resolve_flash_attention, transposes_values
from packer.memory.hyperparameters import read_hyperparameters
from packer.memory.kv_cache import kv_cache_bytes
from packer.memory.layer_split import HOST, model_layout
from packer.memory.part import NOTHING, Part
from packer.memory.process_overhead import host_process_overhead, process_overhead
from packer.memory.recurrent_state import recurrent_state_bytes
from packer.memory.resolution import resolve_context
from packer.memory.result import Card, DeviceEstimate, HostEstimate, MemoryEstimate
from packer.memory.tensor_override import tensor_overrides
from packer.memory.weights import weight_bytes
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
    sizes = read_hyperparameters(model)
    context = resolve_context(sizes, options)
    layout = model_layout(sizes.block_count, options, cards)
    overrides = tensor_overrides(options, len(cards))
    has_flash_attention = resolve_flash_attention(sizes, context, layout, options)
    weights = weight_bytes(model, layout.layers, overrides, "draft-mtp" in options.speculation)
    cache = kv_cache_bytes(
        sizes, context, layout.layers, not transposes_values(options.flash_attention, context)
    )
    state = recurrent_state_bytes(sizes, context, layout.layers)
    compute = compute_buffers(
        model,
        context,
        layout,
        options,
        cards,
        has_flash_attention=has_flash_attention,
        build=build,
    )
    devices = tuple(
        _device(
            f"CUDA{index}",
            card,
            {
                "weights": Part.scaled(
                    weights.get(index, 0), model.size_low, model.size_high, model.basis
                ),
                "context": Part.exact(cache.get(index, 0) + state.get(index, 0)),
                "compute": compute.cards[index],
                "process": process_overhead(card) if index in layout.cards else NOTHING,
            },
        )
        for index, card in enumerate(cards)
    )
    host = HostEstimate(
        weights_bytes=weights.get(HOST, 0),
        context_bytes=cache.get(HOST, 0) + state.get(HOST, 0),
        compute_bytes=compute.host.bytes,
        output_bytes=4 * sizes.vocabulary * context.slots,
        draft_weights_bytes=0,
        draft_context_bytes=0,
        draft_compute_bytes=0,
        prompt_cache_bytes=max(options.prompt_cache_mib, 0) * MIB,
        checkpoint_bytes=0,
        process_bytes=host_process_overhead(len(cards)),
    )
    fits = all(device.high_bytes <= device.allocatable_bytes for device in devices)
    if host_allocatable_bytes is not None:
        fits = fits and host.total_bytes <= host_allocatable_bytes
    return MemoryEstimate(
        devices=devices,
        host=host,
        layers=layout.layers,
        context_cells=context.context_cells,
        context_cells_per_slot=context.cells_per_slot,
        slots=context.slots,
        flash_attention=has_flash_attention,
        fits=fits,
        build=build,
    )


def _device(name: str, card: Card, parts: Mapping[str, Part]) -> DeviceEstimate:
    """Parts of one card added up, with their bands."""

    def size(part: str) -> int:
        return parts.get(part, NOTHING).bytes

    return DeviceEstimate(
        name=card.name or name,
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
        basis={name: part.basis for name, part in parts.items()} or {"weights": Basis.EXACT},
    )
