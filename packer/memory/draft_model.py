"""The second context of speculative decoding: a draft model, or the target's own nextn blocks."""

from dataclasses import dataclass, replace

from packer.domain.model import ModelFile
from packer.domain.server_options import DraftOptions, ServerOptions, SplitMode
from packer.errors import InvalidInput, Problem
from packer.memory.hyperparameters import HyperParameters, read_hyperparameters
from packer.memory.resolution import ResolvedContext, resolve_context

_NEXTN = "draft-mtp"
_BLOCK_DRAFTS = frozenset({"draft-dflash", "draft-dspark"})
_NEEDS_DRAFT = frozenset({"draft-simple", "draft-eagle3", "draft-dflash", "draft-dspark"})


@dataclass(frozen=True)
class SecondContext:
    """What a draft runs on and how it was asked for.

    Attributes:
        model: Header it runs; the target's own when it drafts with its nextn blocks.
        options: Options as this context sees them.
        is_own_model: Whether its weights are loaded beside the target's.
    """

    model: ModelFile
    sizes: HyperParameters
    options: ServerOptions
    context: ResolvedContext
    is_own_model: bool


def drafts_with_nextn(options: ServerOptions) -> bool:
    """Whether nextn blocks draft (multi-token prediction), `--spec-type draft-mtp`."""
    return _NEXTN in options.speculation


def with_inferred_speculation(options: ServerOptions, draft: ModelFile | None) -> ServerOptions:
    """Options with the speculation that llama.cpp infers from a draft file. Exact.

    Source:
        llama.cpp b11434, common/speculative.cpp, common_speculative_types_from_gguf(): a draft
        whose last block is a nextn block turns `draft-mtp` on when no type was asked for.
    """
    if draft is None or options.speculation not in ((), ("none",)):
        return options
    last = read_hyperparameters(draft).block_count - 1
    if any(tensor.name == f"blk.{last}.nextn.eh_proj.weight" for tensor in draft.tensors):
        return replace(options, speculation=(_NEXTN,))
    return options


def second_context(
    target: ModelFile,
    options: ServerOptions,
    context: ResolvedContext,
    draft: ModelFile | None,
) -> SecondContext | None:
    """The draft's context, or None without one. Exact.

    A draft holds as many cells as the target, in its own cache types, and never rolls back.

    Args:
        target: Header of the served model.
        options: Options of the server, with inferred speculation.
        context: The target's context.
        draft: Header of the draft model, if there is one.

    Raises:
        InvalidInput: A draft is asked for that the files do not have.

    Source:
        llama.cpp b11434, common/speculative.cpp, common_base_params_to_speculative() and
        common_speculative_init_result().
    """
    uses_nextn = drafts_with_nextn(options)
    asked = options.draft or DraftOptions(model="")
    if draft is None and not uses_nextn:
        _require_no_draft(options)
        return None
    model = draft or target
    sizes = read_hyperparameters(model)
    if uses_nextn and not sizes.nextn_count:
        raise InvalidInput(
            Problem(
                code="P0510",
                title=f"{model.name} has no nextn blocks to draft with",
                why="--spec-type draft-mtp needs them in the file",
                help="use a file converted with its multi-token-prediction blocks",
            )
        )
    own = _draft_options(options, asked, context, is_own_model=draft is not None)
    resolved = replace(
        resolve_context(sizes, own),
        outputs_max=_outputs(options, context),
        rollback_depth=0,
        draft_depth=0,
        is_nextn=uses_nextn,
    )
    return SecondContext(model, sizes, own, resolved, is_own_model=draft is not None)


def _draft_options(
    options: ServerOptions,
    asked: DraftOptions,
    context: ResolvedContext,
    *,
    is_own_model: bool,
) -> ServerOptions:
    """The target's options with what a draft overrides."""
    common = replace(
        options,
        context_size=context.context_cells,
        slots=context.slots,
        kv_unified=context.is_unified,
        embedding=False,
        reranking=False,
        pooling=None,
        cache_type_k=asked.cache_type_k,
        cache_type_v=asked.cache_type_v,
    )
    if not is_own_model:
        return common
    alone = asked.devices is not None and len(asked.devices) == 1
    return replace(
        common,
        model=asked.model,
        devices=options.devices if asked.devices is None else asked.devices,
        gpu_layers=asked.gpu_layers,
        split_mode=SplitMode.LAYER if alone else options.split_mode,
        cpu_moe=asked.cpu_moe,
        cpu_moe_layers=asked.cpu_moe_layers,
        cpu_ffn_layers=0,
        override_tensors=asked.override_tensors,
    )


def _outputs(options: ServerOptions, context: ResolvedContext) -> int:
    """Rows of logits of one draft batch: one per slot, or a whole block."""
    if not _BLOCK_DRAFTS.intersection(options.speculation):
        return context.slots
    return context.slots * max(1, context.draft_depth + 1)


def _require_no_draft(options: ServerOptions) -> None:
    """Refuse speculation that needs a draft model when none was given."""
    needed = _NEEDS_DRAFT.intersection(options.speculation)
    if needed or (options.draft is not None and options.draft.model):
        raise InvalidInput(
            Problem(
                code="P0510",
                title="the draft model's header is missing",
                why=f"--spec-type {sorted(needed)[0]} drafts with a model of its own"
                if needed
                else "--spec-draft-model names one",
                help="give the draft model with --spec-draft-model",
            )
        )
