"""Whether a header's keys can be believed: required ones, their types, and what tensors say."""

import re
from collections.abc import Iterable

from packer.domain.model import Tensor
from packer.errors import InvalidModelFile, Location, Problem
from packer.gguf.file_header import FileHeader
from packer.gguf.key_values import KeyValues, ValueType

MOST_BLOCKS = 512
"""Source: llama.cpp b11434, src/llama-hparams.h, LLAMA_MAX_LAYERS."""

_REQUIRED = ("context_length", "embedding_length", "block_count")
# Keys that decide bytes and that llama.cpp reads as one uint32.
_WHOLE = (
    *_REQUIRED,
    "vocab_size",
    "nextn_predict_layers",
    "leading_dense_block_count",
    "full_attention_interval",
    "interleave_moe_layer_step",
    "expert_count",
    "expert_shared_count",
    "expert_shared_feed_forward_length",
    "embedding_length_per_layer_input",
    "pooling_type",
    "attention.key_length",
    "attention.value_length",
    "attention.key_length_mla",
    "attention.value_length_mla",
    "attention.key_length_swa",
    "attention.value_length_swa",
    "attention.kv_lora_rank",
    "attention.q_lora_rank",
    "attention.sliding_window",
    "attention.shared_kv_layers",
    "attention.indexer.head_count",
    "attention.indexer.key_length",
    "attention.indexer.top_k",
    "rope.dimension_count",
    "rope.dimension_count_swa",
    "shortconv.l_cache",
    "ssm.conv_kernel",
    "ssm.group_count",
    "ssm.inner_size",
    "ssm.state_size",
    "ssm.time_step_rank",
)
# The same, but an array has one entry for every block.
_PER_BLOCK = (
    "feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.recurrent_layers",
    "expert_feed_forward_length",
    "expert_used_count",
)
_ARRAY_TYPES = (ValueType.UINT32, ValueType.INT32, ValueType.BOOL)
_QUERY = re.compile(r"blk\.(\d{1,4})\.attn_q(?:kv|_a)?\.weight")
_KEY = re.compile(r"blk\.(\d{1,4})\.attn_(?:qkv|k)\.weight")
# Their embedding matrix follows another model's vocabulary, or features instead of tokens.
_OTHER_EMBEDDINGS = ("eagle3", "wavtokenizer-dec")
_BLOCK = re.compile(r"blk\.(\d{1,4})\.")
# Neither has a context or a trunk of its own: projectors and LoRA adapters.
_PROJECTOR = "clip"
_ADAPTER = "adapter"


def architecture_of(header: FileHeader) -> str:
    """``general.architecture``; every model file must have one.

    Raises:
        InvalidModelFile: It is missing or not a text.
    """
    value = header.key_values.values.get("general.architecture")
    if not isinstance(value, str) or not value:
        raise InvalidModelFile(_problem(header, "general.architecture", "must be a text"))
    return value


def vocabulary_size(key_values: KeyValues, architecture: str) -> int:
    """Tokens in the vocabulary; 0 where the header has none. Exact.

    Source: llama.cpp b11434, src/llama-vocab.cpp, llama_vocab::impl::load().
    """
    tokens = key_values.array_length("tokenizer.ggml.tokens")
    if tokens is not None and key_values.values.get("tokenizer.ggml.model") != "no_vocab":
        return tokens
    size = key_values.values.get(f"{architecture}.vocab_size")
    return size if isinstance(size, int) else 0


def check_hyper_parameters(header: FileHeader, tensors: Iterable[Tensor]) -> None:
    """Refuse a header whose keys are missing, mistyped, zero or contradicted by its tensors.

    Raises:
        InvalidModelFile: Every such key, all at once.

    Source:
        llama.cpp b11434, src/llama-model.cpp, llama_model_base::load_hparams().
    """
    architecture = architecture_of(header)
    tensors = tuple(tensors)
    if not tensors:
        raise InvalidModelFile(
            Problem(
                "P0310",
                f"the file holds no tensors (at byte {header.data_offset})",
                Location(header.file),
                help="give the file with the weights, not its vocabulary alone",
            )
        )
    values = header.key_values.values
    if architecture == _PROJECTOR or values.get("general.type") == _ADAPTER:
        return
    problems = [*_mistyped(header, architecture), *_missing(header, architecture)]
    if not problems:
        problems = [*_contradicted(header, architecture, tensors)]
    if problems:
        raise InvalidModelFile(problems)


def _missing(header: FileHeader, architecture: str) -> Iterable[Problem]:
    for name in _REQUIRED:
        key = f"{architecture}.{name}"
        if header.key_values.values.get(key, 0) == 0:
            yield _problem(header, key, "must be there and above zero")
    blocks = header.key_values.values.get(f"{architecture}.block_count")
    if isinstance(blocks, int) and blocks > MOST_BLOCKS:
        yield _problem(
            header,
            f"{architecture}.block_count",
            f"is {blocks}; at most {MOST_BLOCKS} are possible",
        )


def _mistyped(header: FileHeader, architecture: str) -> Iterable[Problem]:
    stored = header.key_values.stored
    for name in _WHOLE:
        key = f"{architecture}.{name}"
        if key in stored and (
            stored[key].type is not ValueType.UINT32 or stored[key].array_length is not None
        ):
            yield _problem(header, key, "must be one 32-bit whole number (uint32)")
    for name in _PER_BLOCK:
        key = f"{architecture}.{name}"
        if key in stored and (why := _wrong_per_block(header.key_values, key, architecture)):
            yield _problem(header, key, why)


def _wrong_per_block(key_values: KeyValues, key: str, architecture: str) -> str:
    """Why the value is no whole number per block; empty if it is one."""
    stored = key_values.stored[key]
    if stored.array_length is None:
        return "" if stored.type is ValueType.UINT32 else "must be a 32-bit whole number (uint32)"
    if stored.type not in _ARRAY_TYPES:
        return "must hold 32-bit whole numbers"
    blocks = key_values.values.get(f"{architecture}.block_count")
    if stored.array_length != blocks:
        return f"has {stored.array_length} entries for {blocks} blocks"
    value = key_values.values.get(key)
    if isinstance(value, tuple) and any(isinstance(n, int) and n < 0 for n in value):
        return "has a negative entry"
    return ""


def _contradicted(
    header: FileHeader, architecture: str, tensors: tuple[Tensor, ...]
) -> Iterable[Problem]:
    """Keys that the tensors contradict; their shapes are what llama.cpp would check next."""
    yield from _wrong_embedding(header, architecture, tensors)
    yield from _zero_heads(header, architecture, tensors)
    yield from _wrong_block_count(header, architecture, tensors)


def _wrong_embedding(
    header: FileHeader, architecture: str, tensors: tuple[Tensor, ...]
) -> Iterable[Problem]:
    """The embedding matrix must have embedding_length × vocabulary elements."""
    values = header.key_values.values
    embedding = next((t for t in tensors if t.name == "token_embd.weight"), None)
    if embedding is None or architecture in _OTHER_EMBEDDINGS:
        return
    length, vocabulary = (*embedding.shape, 1)[:2]
    if values[f"{architecture}.embedding_length"] != length:
        yield _problem(
            header,
            f"{architecture}.embedding_length",
            f"is not {length}, the row length of token_embd.weight",
        )
    tokens = vocabulary_size(header.key_values, architecture)
    if tokens != vocabulary:
        yield _problem(
            header,
            "tokenizer.ggml.tokens" if tokens else f"{architecture}.vocab_size",
            f"must give {vocabulary} tokens, the rows of token_embd.weight, not {tokens}",
        )


def _zero_heads(
    header: FileHeader, architecture: str, tensors: tuple[Tensor, ...]
) -> Iterable[Problem]:
    """Blocks with a query or key matrix need heads; blocks without may have none."""
    values = header.key_values.values
    for name, pattern, default in (
        ("attention.head_count", _QUERY, 0),
        ("attention.head_count_kv", _KEY, 1),
    ):
        heads = values.get(f"{architecture}.{name}", default)
        blocks = {int(match[1]) for t in tensors if (match := pattern.fullmatch(t.name))}
        if heads == 0 and blocks:
            yield _problem(header, f"{architecture}.{name}", "is zero, but there is attention")
        # Some linear attention has keys without key heads, so only query heads must be there.
        if isinstance(heads, tuple) and pattern is _QUERY:
            zeros = sorted(block for block in blocks if block < len(heads) and not heads[block])
            if zeros:
                yield _problem(
                    header, f"{architecture}.{name}", f"is zero in block {zeros[0]} with attention"
                )


def _wrong_block_count(
    header: FileHeader, architecture: str, tensors: tuple[Tensor, ...]
) -> Iterable[Problem]:
    """The last block with tensors must be the last one, or the last before the MTP blocks."""
    values = header.key_values.values
    blocks = int(str(values[f"{architecture}.block_count"]))
    predicting = int(str(values.get(f"{architecture}.nextn_predict_layers", 0)))
    numbers = [int(match[1]) for t in tensors if (match := _BLOCK.match(t.name))]
    if numbers and max(numbers) + 1 not in (blocks, blocks - predicting):
        yield _problem(
            header,
            f"{architecture}.block_count",
            f"is {blocks}, but the last block with tensors is number {max(numbers)}",
        )


def _problem(header: FileHeader, key: str, why: str) -> Problem:
    stored = header.key_values.stored.get(key)
    place = f"at byte {stored.offset}" if stored else f"before byte {header.data_offset}"
    missing = "" if stored else " is missing: it"
    return Problem(
        "P0310",
        f"key {key}{missing} {why} ({place})",
        Location(header.file),
        help="convert the model again with a current llama.cpp",
    )
