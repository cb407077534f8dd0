"""Command line of one replica, as far as bytes and speed depend on it."""

from dataclasses import replace

from packer.domain.model import ModelFile
from packer.domain.server_options import DraftOptions, FlashAttention, ServerOptions
from packer.domain.speculation import Drafter
from packer.domain.workload import Draft, Variant, Workload
from packer.solver.candidate import AS_STATED, ServerWay
from packer.units import MIB

CELL_PADDING = 256


def workload_options(
    workload: Workload, variant: Variant, cache_type: str, way: ServerWay = AS_STATED
) -> ServerOptions:
    """Sizing options of one replica before it is split over cards; nothing is left to defaults."""
    cells = -(-workload.context_per_slot // CELL_PADDING) * CELL_PADDING
    batch, ubatch = workload.batch_size, workload.ubatch_size
    if workload.embedding or workload.reranking:
        # A pooled input must fit one physical batch, or the server refuses it.
        batch = ubatch = max(ubatch, cells)
    slots = workload.slots if way.slots is None else way.slots
    plain = ServerOptions(
        model=variant.model.origin,
        context_size=cells * slots if way.pool_cells is None else way.pool_cells,
        slots=slots,
        kv_unified=workload.kv_unified,
        # llama.cpp aborts when a batch holds fewer tokens than there are slots.
        batch_size=max(batch, ubatch, slots),
        ubatch_size=ubatch,
        cache_type_k=cache_type,
        cache_type_v=cache_type,
        flash_attention=FlashAttention(workload.flash_attention),
        embedding=workload.embedding,
        reranking=workload.reranking,
        load_mode="mmap",
        projector=workload.projector.model.origin if workload.projector else None,
        prompt_cache_mib=-(-workload.prompt_cache_bytes // MIB),
        context_checkpoints=workload.context_checkpoints,
        fit=False,
    )
    return _drafting(plain, workload, way)


class CommandLines:
    """Command lines of one replica by where its layers are; the same for every product."""

    def __init__(self, plain: ServerOptions) -> None:
        """Lines that differ from ``plain`` in the split alone."""
        self.plain = plain
        self._split: dict[tuple[tuple[int, ...], int], ServerOptions] = {}

    def over(self, layers: tuple[int, ...], experts_on_host: int = 0) -> ServerOptions:
        """The line with so many layers on each card; remembered."""
        key = (layers, experts_on_host)
        found = self._split.get(key)
        if found is None:
            found = self._split[key] = replace(
                self.plain,
                gpu_layers=sum(layers),
                tensor_split=tuple(map(float, layers)) if len(layers) > 1 else (),
                cpu_moe_layers=experts_on_host,
            )
        return found


def _drafting(plain: ServerOptions, workload: Workload, way: ServerWay) -> ServerOptions:
    """The options with the chosen way to draft; with the workload's own where none was chosen."""
    chosen = way.speculation
    if chosen is None:
        drafter = Drafter.DRAFT if workload.draft else Drafter.NONE
        depth = workload.draft.depth if workload.draft else 0
    else:
        drafter, depth = chosen.drafter, chosen.depth
    if drafter is Drafter.DRAFT:
        return replace(
            plain,
            speculation=("draft-simple",),
            draft=_draft_options(workload.draft),
            draft_depth=depth,
        )
    if drafter is Drafter.MTP:
        return replace(plain, speculation=("draft-mtp",), draft_depth=depth)
    if drafter is Drafter.NGRAM:
        return replace(plain, speculation=("ngram-mod",), ngram_depth=depth)
    return plain


def _draft_options(draft: Draft | None) -> DraftOptions | None:
    if draft is None:
        return None
    return DraftOptions(
        model=draft.variant.model.origin,
        cache_type_k=draft.cache_type,
        cache_type_v=draft.cache_type,
    )


def drafts_with_model(workload: Workload, way: ServerWay) -> bool:
    """Whether a server loads the workload's draft model."""
    chosen = way.speculation
    return workload.draft is not None and (chosen is None or chosen.drafter is Drafter.DRAFT)


def layer_count(model: ModelFile) -> int:
    """Layers that can be placed: all blocks, MTP blocks included, and the output layer. Exact."""
    return model.number("block_count") + 1
