"""The host buffer that logits and embeddings leave the process through."""

from packer.memory.hyperparameters import HyperParameters
from packer.memory.resolution import ResolvedContext

_FLOAT = 4


def output_bytes(sizes: HyperParameters, context: ResolvedContext) -> int:
    """Bytes of the output buffer when the server has started: one row per slot. Exact.

    Source: llama.cpp b11434, src/llama-context.cpp, output_reserve().
    """
    return _FLOAT * context.slots * _row(sizes, context)


def output_growth_bytes(
    sizes: HyperParameters, context: ResolvedContext, *, feeds_nextn: bool, is_draft: bool
) -> int:
    """Bytes the output buffer grows by once requests are served. Exact.

    An encoder returns every token of a batch, and it reserves logits for them although nobody reads
    them; a target that feeds nextn blocks keeps a hidden state per token; a draft samples on the
    card, which takes three more rows of the vocabulary.

    Args:
        sizes: Hyper-parameters of the model.
        context: Its context.
        feeds_nextn: Whether nextn blocks draft, here or in another context.
        is_draft: Whether this is the drafting context.

    Source:
        llama.cpp b11434, src/llama-context.cpp, encode(), decode() and output_reserve();
        common/speculative.cpp.
    """
    if context.pools_embeddings:
        rows = max(context.batch_size, context.slots)
        return _FLOAT * (rows - context.slots) * _row(sizes, context)
    if is_draft:
        sampled = 3 * sizes.vocabulary + 1
        return _FLOAT * context.slots * (sizes.embedding + sampled) if feeds_nextn else 0
    rows = max(context.outputs_max - context.slots, 0)
    hidden = sizes.embedding * context.batch_size if feeds_nextn else 0
    return _FLOAT * (rows * sizes.vocabulary + hidden)


def _row(sizes: HyperParameters, context: ResolvedContext) -> int:
    """Floats of one row."""
    return sizes.vocabulary + (sizes.output_embedding if context.pools_embeddings else 0)
