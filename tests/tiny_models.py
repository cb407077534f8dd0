"""Tiny random model files: real architectures, a few kilobytes, good enough for the real llama.cpp.

``write_tiny_model`` writes tensors the named architecture asks for with random data, so that the
real server loads it and completes text (nonsense, but text). ``write_tokenizer_heavy_header``
writes a header with a vocabulary as large as the largest real ones.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy
from gguf import GGMLQuantizationType as Type

ARCHITECTURES = ("llama", "qwen2", "qwen3", "qwen3moe", "gemma3", "gpt-oss")
_MIXTURES = ("qwen3moe", "gpt-oss")
# A prime number of values, so that rows of any width differ.
_NOISE = numpy.random.default_rng(0).normal(0, 0.05, 65_537).astype(numpy.float32)
_CONTROL_TOKENS = ("<unk>", "<s>", "</s>")


@dataclass(frozen=True)
class TinyShape:
    """Hyper-parameters of one tiny model.

    Attributes:
        head_width: Width of one head of K and V.
        window: Sliding window of the architectures that have one [tokens].
        is_tied: Whether the output layer reuses the token embedding.
        weight_type: Element type of the matrices; quantized ones need widths in whole blocks.
    """

    architecture: str = "llama"
    layers: int = 2
    width: int = 128
    heads: int = 4
    key_value_heads: int = 2
    head_width: int = 32
    feed_forward: int = 128
    experts: int = 4
    experts_used: int = 2
    window: int = 256
    context: int = 8192
    is_tied: bool = False
    weight_type: Type = Type.F32
    pieces: int = 41

    @property
    def vocabulary(self) -> int:
        """Tokens: three control, one per byte, and pieces of text."""
        return len(_CONTROL_TOKENS) + 256 + self.pieces


def write_tiny_model(path: Path, shape: TinyShape | None = None) -> Path:
    """Write a model that llama.cpp loads and serves; returns ``path``."""
    shape = shape or TinyShape()
    writer = gguf.GGUFWriter(path, shape.architecture)
    add_hyper_parameters(writer, shape)
    add_vocabulary(writer, shape)
    for name, extents in _tensors(shape):
        is_matrix = len(extents) > 1 and "gate_inp" not in name
        kind = shape.weight_type if is_matrix else Type.F32
        add_tensor(writer, name, extents, kind)
    close_writer(writer)
    return path


def write_tokenizer_heavy_header(path: Path, tokens: int = 131_072) -> Path:
    """Write a header with a real-sized vocabulary and merges, and hardly anything else."""
    shape = TinyShape(architecture="qwen3", layers=1)
    writer = gguf.GGUFWriter(path, shape.architecture)
    add_hyper_parameters(writer, shape)
    names = [f"token-{number:06d}" for number in range(tokens)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(names)
    writer.add_token_types([int(gguf.TokenType.NORMAL)] * tokens)
    writer.add_token_merges([f"{left} {left}" for left in names])
    add_tensor(writer, "output_norm.weight", (shape.width,), Type.F32)
    close_writer(writer)
    return path


def add_hyper_parameters(writer: gguf.GGUFWriter, shape: TinyShape) -> None:
    """Keys every architecture asks for, and those of experts and windows."""
    writer.add_name(f"tiny {shape.architecture}")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.key_value_heads)
    writer.add_key_length(shape.head_width)
    writer.add_value_length(shape.head_width)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_layer_norm_rms_eps(1e-5)
    if shape.architecture in _MIXTURES:
        writer.add_expert_count(shape.experts)
        writer.add_expert_used_count(shape.experts_used)
        writer.add_expert_feed_forward_length(shape.feed_forward)
    if shape.architecture in ("gemma3", "gpt-oss"):
        writer.add_sliding_window(shape.window)


def add_vocabulary(writer: gguf.GGUFWriter, shape: TinyShape) -> None:
    """A sentence-piece vocabulary: any text is some sequence of bytes."""
    kinds = gguf.TokenType
    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    pieces = [f"▁{chr(ord('a') + number % 26)}{number}" for number in range(shape.pieces)]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([*_CONTROL_TOKENS, *byte_tokens, *pieces])
    writer.add_token_scores([0.0] * (len(_CONTROL_TOKENS) + 256) + [-1.0] * shape.pieces)
    types = [kinds.UNKNOWN, kinds.CONTROL, kinds.CONTROL]
    writer.add_token_types(
        [int(kind) for kind in types] + [int(kinds.BYTE)] * 256 + [int(kinds.NORMAL)] * shape.pieces
    )
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_vocab_size(shape.vocabulary)


def _tensors(shape: TinyShape) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and extents, fastest dimension first, as ggml writes them."""
    yield "token_embd.weight", (shape.width, shape.vocabulary)
    yield "output_norm.weight", (shape.width,)
    if not shape.is_tied or shape.architecture == "gpt-oss":
        yield "output.weight", (shape.width, shape.vocabulary)
    for layer in range(shape.layers):
        for name, extents in (*_attention(shape), *_feed_forward(shape)):
            yield f"blk.{layer}.{name}", extents


def _attention(shape: TinyShape) -> Iterator[tuple[str, tuple[int, ...]]]:
    width, head = shape.width, shape.head_width
    queries, keys = shape.heads * head, shape.key_value_heads * head
    yield "attn_norm.weight", (width,)
    yield "attn_q.weight", (width, queries)
    yield "attn_k.weight", (width, keys)
    yield "attn_v.weight", (width, keys)
    yield "attn_output.weight", (queries, width)
    if shape.architecture in ("qwen2", "gpt-oss"):
        yield "attn_q.bias", (queries,)
        yield "attn_k.bias", (keys,)
        yield "attn_v.bias", (keys,)
    if shape.architecture in ("qwen3", "qwen3moe", "gemma3"):
        yield "attn_q_norm.weight", (head,)
        yield "attn_k_norm.weight", (head,)
    if shape.architecture in ("gemma3", "gpt-oss"):
        yield "post_attention_norm.weight", (width,)
    if shape.architecture == "gpt-oss":
        yield "attn_output.bias", (width,)
        yield "attn_sinks.weight", (shape.heads,)


def _feed_forward(shape: TinyShape) -> Iterator[tuple[str, tuple[int, ...]]]:
    width, inner, experts = shape.width, shape.feed_forward, shape.experts
    if shape.architecture != "gpt-oss":
        yield "ffn_norm.weight", (width,)
    if shape.architecture in _MIXTURES:
        yield "ffn_gate_inp.weight", (width, experts)
        yield "ffn_gate_exps.weight", (width, inner, experts)
        yield "ffn_down_exps.weight", (inner, width, experts)
        yield "ffn_up_exps.weight", (width, inner, experts)
    else:
        yield "ffn_gate.weight", (width, inner)
        yield "ffn_down.weight", (inner, width)
        yield "ffn_up.weight", (width, inner)
    if shape.architecture == "gemma3":
        yield "post_ffw_norm.weight", (width,)
    if shape.architecture == "gpt-oss":
        yield "ffn_gate_inp.bias", (experts,)
        yield "ffn_gate_exps.bias", (inner, experts)
        yield "ffn_down_exps.bias", (width, experts)
        yield "ffn_up_exps.bias", (inner, experts)


def add_tensor(writer: gguf.GGUFWriter, name: str, extents: tuple[int, ...], kind: Type) -> None:
    """Random floats, or zeros packed in blocks for any other type."""
    if kind is Type.F32:
        count = math.prod(extents)
        data = numpy.resize(_NOISE, count).reshape(extents[::-1])
        writer.add_tensor(name, data + 1 if "norm" in name else data)
        return
    block, size = gguf.GGML_QUANT_SIZES[kind]
    packed = (*extents[:0:-1], extents[0] // block * size)
    writer.add_tensor(name, numpy.zeros(packed, numpy.uint8), raw_dtype=kind)


def close_writer(writer: gguf.GGUFWriter) -> None:
    """Write everything out."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
