"""Tiny files that stand beside a tiny model: a vision projector and a LoRA adapter."""

from collections.abc import Iterator
from pathlib import Path

import gguf
from gguf import GGMLQuantizationType as Type

from tests.tiny_models import TinyShape, add_tensor, close_writer

_IMAGE, _PATCH, _WIDTH, _INNER, _MERGE = 64, 8, 64, 128, 4


def write_tiny_projector(path: Path, text_width: int = TinyShape().width) -> Path:
    """Write a gemma3-style projector with one vision block; returns ``path``."""
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_string("clip.projector_type", "gemma3")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_uint32("clip.vision.image_size", _IMAGE)
    writer.add_uint32("clip.vision.patch_size", _PATCH)
    writer.add_uint32("clip.vision.embedding_length", _WIDTH)
    writer.add_uint32("clip.vision.feed_forward_length", _INNER)
    writer.add_uint32("clip.vision.block_count", 1)
    writer.add_uint32("clip.vision.attention.head_count", 2)
    writer.add_uint32("clip.vision.projection_dim", text_width)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-6)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])
    writer.add_bool("clip.use_gelu", True)
    writer.add_uint32("clip.vision.projector.scale_factor", _MERGE)
    for name, extents in _vision_tensors(text_width):
        add_tensor(writer, name, extents, Type.F32)
    close_writer(writer)
    return path


def write_tiny_lora(path: Path, shape: TinyShape | None = None, rank: int = 4) -> Path:
    """Write an adapter for the queries of every layer of a tiny model; returns ``path``."""
    shape = shape or TinyShape()
    writer = gguf.GGUFWriter(path, shape.architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(rank))
    queries = shape.heads * shape.head_width
    for layer in range(shape.layers):
        name = f"blk.{layer}.attn_q.weight"
        add_tensor(writer, f"{name}.lora_a", (shape.width, rank), Type.F32)
        add_tensor(writer, f"{name}.lora_b", (rank, queries), Type.F32)
    close_writer(writer)
    return path


def _vision_tensors(text_width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "v.patch_embd.weight", (_PATCH, _PATCH, 3, _WIDTH)
    yield "v.patch_embd.bias", (_WIDTH,)
    yield "v.position_embd.weight", (_WIDTH, (_IMAGE // _PATCH) ** 2)
    yield "v.post_ln.weight", (_WIDTH,)
    yield "v.post_ln.bias", (_WIDTH,)
    for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
        yield f"v.blk.0.{part}.weight", (_WIDTH, _WIDTH)
        yield f"v.blk.0.{part}.bias", (_WIDTH,)
    for norm in ("ln1", "ln2"):
        yield f"v.blk.0.{norm}.weight", (_WIDTH,)
        yield f"v.blk.0.{norm}.bias", (_WIDTH,)
    yield "v.blk.0.ffn_up.weight", (_WIDTH, _INNER)
    yield "v.blk.0.ffn_up.bias", (_INNER,)
    yield "v.blk.0.ffn_down.weight", (_INNER, _WIDTH)
    yield "v.blk.0.ffn_down.bias", (_WIDTH,)
    yield "mm.input_projection.weight", (text_width, _WIDTH)
    yield "mm.soft_emb_norm.weight", (_WIDTH,)
