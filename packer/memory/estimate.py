"""Memory of one llama-server process: named parts per card and on the host."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from packer.domain.basis import Basis
from packer.domain.llama_build import MEASURED_BUILD
from packer.domain.model import ModelFile
from packer.domain.server_options import ServerOptions
from packer.memory.draft_model import (
    SecondContext,
    drafts_with_nextn,
    second_context,
    with_inferred_speculation,
)
from packer.memory.estimate_notes import estimate_notes
from packer.memory.host_memory import checkpoint_bytes, prompt_cache_bytes
from packer.memory.hyperparameters import HyperParameters, read_hyperparameters
from packer.memory.identity_cache import derived_once
from packer.memory.layer_split import HOST, dividing_shares, named_card
from packer.memory.llama_context import ContextMemory, context_memory
from packer.memory.lora import adapter_bytes
from packer.memory.metadata_override import with_metadata
from packer.memory.output_buffer import output_bytes, output_growth_bytes
from packer.memory.part import NOTHING, Part
from packer.memory.process_overhead import host_process_overhead, process_overhead
from packer.memory.projector import projector_part
from packer.memory.resolution import ResolvedContext, resolve_context
from packer.memory.result import Card, DeviceEstimate, HostEstimate, MemoryEstimate
from packer.memory.tensor_override import tensor_overrides

_MOST_PROCESSES = 1024
_LIMITS_AND_GUESSES = dict.fromkeys(("prompt_cache", "checkpoint", "process"), Basis.ESTIMATED)


def estimate_memory(
    model: ModelFile,
    options: ServerOptions,
    cards: Sequence[Card],
    *,
    draft: ModelFile | None = None,
    projector: ModelFile | None = None,
    loras: Sequence[ModelFile] = (),
    build: str = MEASURED_BUILD,
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
    if draft or projector or loras:
        process = _process(model, options, cards, draft, projector, loras, build)
    else:
        process = _plain_process(model, options, cards, build)
    overheads = {id(card): process_overhead(card, process.context.ubatch_size) for card in cards}
    devices = tuple(
        [_device(process, index, card, overheads[id(card)]) for index, card in enumerate(cards)]
    )
    host = process.host
    fits = all(device.high_bytes <= device.allocatable_bytes for device in devices)
    if host_allocatable_bytes is not None:
        fits = fits and host.total_bytes <= host_allocatable_bytes
    return MemoryEstimate(
        devices=devices,
        host=host,
        layers=process.target.layout.layers,
        context_cells=process.context.context_cells,
        context_cells_per_slot=process.context.cells_per_slot,
        slots=process.context.slots,
        flash_attention=process.target.has_flash_attention,
        fits=fits,
        build=build,
        notes=estimate_notes(
            process.sizes, process.context, options, process.target, len(loras), build
        ),
    )


@dataclass(frozen=True)
class _Process:
    """Everything one process holds, before it is summed up by device."""

    model: ModelFile
    sizes: HyperParameters
    options: ServerOptions
    context: ResolvedContext
    target: ContextMemory
    second: SecondContext | None
    drafting: ContextMemory | None
    adapters: Mapping[int, int]
    projector: Part
    projector_device: int
    card_count: int

    @cached_property
    def host(self) -> HostEstimate:
        """Memory of the host."""
        return _host(self)


def _plain_process(
    model: ModelFile, options: ServerOptions, cards: Sequence[Card], build: str
) -> _Process:
    """A process of one file alone, remembered: products of cards differ in none of this.

    Nor do notes of options, which are no part of what makes options equal.
    """
    known = _known_processes(model)
    key = (options, dividing_shares(options, cards), len(cards), build)
    found = known.get(key)
    if found is None:
        if len(known) >= _MOST_PROCESSES:
            known.clear()
        found = known[key] = _process(model, options, cards, None, None, (), build)
    return found


@derived_once
def _known_processes(_: ModelFile) -> dict[Hashable, _Process]:
    """Processes of one file that were sized so far."""
    return {}


def _process(
    model: ModelFile,
    options: ServerOptions,
    cards: Sequence[Card],
    draft: ModelFile | None,
    projector: ModelFile | None,
    loras: Sequence[ModelFile],
    build: str,
) -> _Process:
    options = with_inferred_speculation(options, draft)
    model = with_metadata(model, options.override_metadata)
    sizes = read_hyperparameters(model)
    context = resolve_context(sizes, options)
    target = context_memory(model, sizes, context, options, cards, build=build, adapters=loras)
    second = second_context(model, options, context, draft)
    place = _projector_device(options, len(cards))
    return _Process(
        model=model,
        sizes=sizes,
        options=options,
        context=context,
        target=target,
        second=second,
        drafting=_drafting(second, cards, build),
        adapters=_adapters(loras, model, sizes, target, tensor_overrides(options, len(cards))),
        projector=projector_part(projector, is_on_card=place != HOST) if projector else NOTHING,
        projector_device=place,
        card_count=len(cards),
    )


def _drafting(
    second: SecondContext | None, cards: Sequence[Card], build: str
) -> ContextMemory | None:
    """Memory of the drafting context, if there is one."""
    if second is None:
        return None
    return context_memory(
        second.model,
        second.sizes,
        second.context,
        second.options,
        cards,
        build=build,
        is_own_model=second.is_own_model,
    )


def _adapters(
    loras: Sequence[ModelFile],
    model: ModelFile,
    sizes: HyperParameters,
    target: ContextMemory,
    overrides: tuple[tuple[str, int], ...],
) -> dict[int, int]:
    """Bytes of all adapters by device."""
    held: dict[int, int] = {}
    for adapter in loras:
        sized = adapter_bytes(adapter, model, sizes, target.layout.layers, overrides)
        for device, size in sized.items():
            held[device] = held.get(device, 0) + size
    return held


def _projector_device(options: ServerOptions, card_count: int) -> int:
    """Card that runs the projector: the first one unless another is named."""
    if not options.projector_offload or not card_count:
        return HOST
    if options.projector_device is None:
        return 0
    return named_card(options.projector_device, card_count)


def _weights(model: ModelFile, size: int, adapters: int = 0) -> Part:
    """Weights on one device, as sure as the header they come from."""
    part = Part.scaled(size, model.size_low, model.size_high, model.basis)
    return part.and_exactly(adapters)


def _device(process: _Process, index: int, card: Card, overhead: Part) -> DeviceEstimate:
    """Parts of one card added up, with their bands."""
    target, drafting, second = process.target, process.drafting, process.second
    adapters = process.adapters.get(index, 0)
    parts = {
        "weights": _weights(process.model, target.weights.get(index, 0), adapters),
        "context": Part.exact(target.cache.get(index, 0)),
        "compute": target.compute.cards[index],
        "draft_weights": NOTHING,
        "draft_context": NOTHING,
        "draft_compute": NOTHING,
        "projector": NOTHING,
        # llama-server asks every visible card for its memory, which creates a CUDA context there.
        "process": overhead,
    }
    if second is not None and drafting is not None:
        parts["draft_weights"] = _weights(second.model, drafting.weights.get(index, 0))
        parts["draft_context"] = Part.exact(drafting.cache.get(index, 0))
        parts["draft_compute"] = drafting.compute.cards[index]
    if index == process.projector_device:
        parts["projector"] = process.projector
    return DeviceEstimate(
        name=card.name or f"CUDA{index}",
        **{f"{name}_bytes": part.bytes for name, part in parts.items()},
        low_bytes=sum([part.low for part in parts.values()]),
        high_bytes=sum([part.high for part in parts.values()]),
        allocatable_bytes=card.allocatable_bytes,
        basis={name: part.basis for name, part in parts.items()},
    )


def _host(process: _Process) -> HostEstimate:
    """Memory of the host."""
    options, context = process.options, process.context
    target, second, drafting = process.target, process.second, process.drafting
    feeds_nextn = drafts_with_nextn(options)
    output = output_bytes(process.sizes, context)
    growth = output_growth_bytes(process.sizes, context, feeds_nextn=feeds_nextn, is_draft=False)
    if second is not None:
        output += output_bytes(second.sizes, second.context)
        growth += output_growth_bytes(
            second.sizes, second.context, feeds_nextn=feeds_nextn, is_draft=True
        )
    if process.projector_device == HOST:
        growth += process.projector.bytes
    return HostEstimate(
        weights_bytes=target.weights.get(HOST, 0) + process.adapters.get(HOST, 0),
        context_bytes=target.cache.get(HOST, 0),
        compute_bytes=target.compute.host.bytes,
        output_bytes=output,
        draft_weights_bytes=drafting.weights.get(HOST, 0) if drafting else 0,
        draft_context_bytes=drafting.cache.get(HOST, 0) if drafting else 0,
        draft_compute_bytes=drafting.compute.host.bytes if drafting else 0,
        prompt_cache_bytes=prompt_cache_bytes(options, context, sum(target.cache.values())),
        checkpoint_bytes=checkpoint_bytes(process.sizes, context, options, second),
        process_bytes=host_process_overhead(process.card_count) + growth,
        basis={**_LIMITS_AND_GUESSES, **_host_basis(process)},
    )


def _host_basis(process: _Process) -> dict[str, Basis]:
    """How far parts on the host can be trusted that are not the same for every process."""
    found = {
        "weights": process.model.basis,
        "compute": process.target.compute.host.basis,
    }
    if process.second is not None and process.drafting is not None:
        found["draft_weights"] = process.second.model.basis
        found["draft_compute"] = process.drafting.compute.host.basis
    return found
