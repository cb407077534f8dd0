"""What a reader of an estimate must know beside the numbers."""

from collections.abc import Iterator

from packer.domain.llama_build import MEASURED_BUILD, is_same_build
from packer.domain.server_options import FlashAttention, ServerOptions
from packer.memory.compute_buffer import may_repack
from packer.memory.hyperparameters import HyperParameters
from packer.memory.layer_split import HOST
from packer.memory.llama_context import ContextMemory
from packer.memory.resolution import ResolvedContext


def estimate_notes(
    sizes: HyperParameters,
    context: ResolvedContext,
    options: ServerOptions,
    target: ContextMemory,
    lora_count: int,
    build: str,
) -> tuple[str, ...]:
    """Fall-backs, things llama.cpp does unasked, and parts that are not modelled."""
    return (
        *options.notes,
        *_build_notes(build),
        *_context_notes(sizes, context, options, target),
        *_host_notes(options, target, lora_count),
    )


def _build_notes(build: str) -> Iterator[str]:
    if not is_same_build(build, MEASURED_BUILD):
        yield (
            f"compute buffers were measured on llama.cpp {MEASURED_BUILD}: those of {build} are "
            "estimated"
        )


def _context_notes(
    sizes: HyperParameters,
    context: ResolvedContext,
    options: ServerOptions,
    target: ContextMemory,
) -> Iterator[str]:
    if options.flash_attention is FlashAttention.AUTO and not target.has_flash_attention:
        yield "flash attention is off: a card does not have it for this model and cache type"
    if context.cells_per_slot > sizes.context_length:
        yield (
            f"a slot has {context.cells_per_slot} cells, the model was trained for "
            f"{sizes.context_length}"
        )
    if options.context_size and context.context_cells > options.context_size:
        yield f"{options.context_size} cells became {context.context_cells} by padding"
    if not options.context_size and options.fit:
        yield "without --ctx-size llama.cpp may shrink the context to fit; pass --fit off"
    if len(target.layout.cards) > 1 and not any(options.tensor_split):
        yield "without --tensor-split the layers follow the memory free at load time"


def _host_notes(options: ServerOptions, target: ContextMemory, lora_count: int) -> Iterator[str]:
    if options.prompt_cache_mib < 0:
        yield "the prompt cache has no limit in bytes; one full context is counted"
    if target.weights.get(HOST) and options.load_mode in ("auto", "mmap"):
        yield "weights on the host are mapped from the file: page cache that can be given back"
    if may_repack(options, target.layout):
        yield "with --no-host weights may be repacked for the CPU; --no-repack makes buffers exact"
    if lora_count:
        yield "what LoRA adapters add to compute buffers follows the source; it was not measured"
