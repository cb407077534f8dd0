"""From options to the context llama.cpp creates: slots, cells, batches, outputs."""

from collections.abc import Iterable
from dataclasses import dataclass

from packer.domain.quantization import ELEMENT_TYPES_BY_NAME, ElementType
from packer.domain.server_options import ServerOptions
from packer.errors import InvalidInput, Problem
from packer.memory.hyperparameters import HyperParameters

CELL_PADDING = 256
"""llama.cpp pads every context to a multiple of this [cells]."""

_AUTOMATIC_SLOTS = 4
_DEFAULT_DRAFT_DEPTH = 3
_CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
# Speculation that drafts with a model, and of those the ones that roll a recurrent state back.
_DRAFTING = frozenset({"draft-simple", "draft-eagle3", "draft-mtp", "draft-dflash", "draft-dspark"})
_ROLLING_BACK = _DRAFTING - {"draft-simple"}


@dataclass(frozen=True)
class ResolvedContext:
    """One llama_context as it is really created.

    Attributes:
        context_cells: Cells over all slots, ``n_ctx`` [cells].
        cells_per_slot: Cells one slot can use, ``n_ctx_seq`` [cells].
        streams: Separate caches: one when unified, else one per slot.
        batch_size, ubatch_size: Logical and physical batch [tokens].
        outputs_max: Most rows of logits of one batch, ``n_outputs_max``.
        draft_depth: Tokens drafted ahead, 0 without speculation.
        rollback_depth: States kept beside the current one, ``n_rs_seq``.
        pools_embeddings: Whether embeddings leave the server instead of logits.
        is_nextn: Whether this is the context of the nextn blocks (multi-token prediction).
    """

    context_cells: int
    cells_per_slot: int
    slots: int
    is_unified: bool
    batch_size: int
    ubatch_size: int
    outputs_max: int
    draft_depth: int
    rollback_depth: int
    type_k: ElementType
    type_v: ElementType
    is_full_window: bool
    is_cache_offloaded: bool
    pools_embeddings: bool
    is_nextn: bool = False

    @property
    def streams(self) -> int:
        """Separate caches: one when unified, else one per slot."""
        return 1 if self.is_unified else self.slots


def resolve_context(model: HyperParameters, options: ServerOptions) -> ResolvedContext:
    """The context of the served model. Exact.

    Source:
        llama.cpp b11434, tools/server/server.cpp, llama_server(); tools/server/server-context.cpp,
        server_output_limits(); src/llama-context.cpp, llama_context::llama_context().

    Raises:
        InvalidInput: A cache type does not exist, or sizes are not positive.
    """
    is_server = options.program != "llama-fit-params"
    slots, is_unified = _slots(options, is_server)
    pools = is_server and _pools_embeddings(options)
    batch = options.batch_size
    if options.embedding or options.reranking:
        batch = min(batch, options.ubatch_size)
    asked = _asked_cells(model, options, slots)
    cells, per_slot = _padded_cells(asked, slots, is_unified)
    depth = draft_depth(options)
    outputs = batch if pools or not is_server else max(1, min(batch, slots * (1 + depth)))
    batch = min(asked, batch) if model.is_causal else batch
    return ResolvedContext(
        context_cells=cells,
        cells_per_slot=per_slot,
        slots=slots,
        is_unified=is_unified,
        batch_size=batch,
        ubatch_size=min(batch, options.ubatch_size or batch),
        outputs_max=outputs,
        draft_depth=depth,
        rollback_depth=_rollback_depth(model, options),
        type_k=cache_type(options.cache_type_k),
        type_v=cache_type(options.cache_type_v),
        is_full_window=options.swa_full,
        is_cache_offloaded=options.kv_offload,
        pools_embeddings=pools,
    )


def draft_depth(options: ServerOptions) -> int:
    """Most tokens drafted ahead by any speculation that is on. Exact.

    Source: llama.cpp b11434, common/speculative.cpp, common_speculative_n_max().
    """
    if not _DRAFTING.intersection(options.speculation):
        return options.ngram_depth
    return max(options.ngram_depth, _asked_depth(options))


def rolls_back(speculation: Iterable[str]) -> bool:
    """Whether a kind of speculation needs older recurrent states.

    Source: llama.cpp b11434, common/common.h, common_params_speculative::need_n_rs_seq().
    """
    return any(kind in _ROLLING_BACK for kind in speculation)


def cache_type(name: str) -> ElementType:
    """Element type of a cache by the name `--cache-type-k` takes.

    Raises:
        InvalidInput: llama.cpp does not accept the name.
    """
    if name not in _CACHE_TYPES:
        raise InvalidInput(
            Problem(
                code="P0505",
                title=f"cache type {name!r} does not exist",
                help=f"use one of {', '.join(_CACHE_TYPES)}",
            )
        )
    return ELEMENT_TYPES_BY_NAME[name]


def pad(value: int, multiple: int) -> int:
    """Value rounded up to a multiple."""
    return -(-value // multiple) * multiple


def _slots(options: ServerOptions, is_server: bool) -> tuple[int, bool]:
    """Slots, and whether they share one cache; automatic slots always do."""
    if options.slots is None or options.slots < 0:
        if is_server:
            return _AUTOMATIC_SLOTS, True
        return 1, bool(options.kv_unified)
    return max(1, options.slots), bool(options.kv_unified)


def _pools_embeddings(options: ServerOptions) -> bool:
    pooling = options.pooling not in (None, "none")
    return options.embedding or options.reranking or pooling


def _asked_cells(model: HyperParameters, options: ServerOptions, slots: int) -> int:
    """Cells before padding: what was asked, per slot or in all, or the model's own limit."""
    if options.context_size:
        return options.context_size
    if options.context_per_slot and options.context_size is None:
        return options.context_per_slot * slots
    return model.context_length


def _padded_cells(asked: int, slots: int, is_unified: bool) -> tuple[int, int]:
    """Cells in all and per slot; dividing by slots can round the whole up."""
    cells = pad(asked, CELL_PADDING)
    if is_unified:
        return cells, cells
    per_slot = pad(cells // slots, CELL_PADDING)
    if per_slot == 0:
        raise InvalidInput(
            Problem(
                code="P0506",
                title=f"{asked} cells are fewer than {slots} slots",
                help="raise --ctx-size or lower --parallel",
            )
        )
    return per_slot * slots, per_slot


def _rollback_depth(model: HyperParameters, options: ServerOptions) -> int:
    """Recurrent states kept beside the current one."""
    if not (model.rules.has_rollback and rolls_back(options.speculation)):
        return 0
    return _asked_depth(options)


def _asked_depth(options: ServerOptions) -> int:
    """`--spec-draft-n-max`, three by default."""
    return _DEFAULT_DRAFT_DEPTH if options.draft_depth is None else max(0, options.draft_depth)
