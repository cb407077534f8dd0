"""A tiny hybrid model (qwen35): recurrent blocks, one attention block, and one block that drafts.

Its last block predicts the next token but one, so ``--spec-type draft-mtp`` works with it.
"""

from collections.abc import Iterator
from pathlib import Path

import gguf
from gguf import GGMLQuantizationType as Type

from tests.tiny_models import (
    TinyShape,
    add_hyper_parameters,
    add_tensor,
    add_vocabulary,
    close_writer,
)

_STATE, _GROUPS, _STEPS, _KERNEL = 16, 2, 4, 4
_TRUNK, _INTERVAL = 4, 4
SHAPE = TinyShape(architecture="qwen35", layers=_TRUNK + 1)


def write_tiny_hybrid(path: Path) -> Path:
    """Write the model; returns ``path``."""
    writer = gguf.GGUFWriter(path, SHAPE.architecture)
    add_hyper_parameters(writer, SHAPE)
    add_vocabulary(writer, SHAPE)
    writer.add_uint32("qwen35.nextn_predict_layers", 1)
    writer.add_uint32("qwen35.full_attention_interval", _INTERVAL)
    writer.add_array("qwen35.rope.dimension_sections", [4, 4, 4, 4])
    writer.add_ssm_conv_kernel(_KERNEL)
    writer.add_ssm_state_size(_STATE)
    writer.add_ssm_inner_size(_STATE * _STEPS)
    writer.add_ssm_time_step_rank(_STEPS)
    writer.add_ssm_group_count(_GROUPS)
    for name, extents in _tensors():
        add_tensor(writer, name, extents, Type.F32)
    close_writer(writer)
    return path


def _tensors() -> Iterator[tuple[str, tuple[int, ...]]]:
    width = SHAPE.width
    yield "token_embd.weight", (width, SHAPE.vocabulary)
    yield "output_norm.weight", (width,)
    yield "output.weight", (width, SHAPE.vocabulary)
    for layer in range(SHAPE.layers):
        is_recurrent = layer < _TRUNK and (layer + 1) % _INTERVAL != 0
        parts = [*_mixer(is_recurrent), *_feed_forward(), *(_nextn() if layer == _TRUNK else ())]
        for name, extents in parts:
            yield f"blk.{layer}.{name}", extents


def _mixer(is_recurrent: bool) -> Iterator[tuple[str, tuple[int, ...]]]:
    width, head = SHAPE.width, SHAPE.head_width
    yield "attn_norm.weight", (width,)
    yield "post_attention_norm.weight", (width,)
    if is_recurrent:
        keys, values = _STATE * _GROUPS, _STATE * _STEPS
        yield "attn_qkv.weight", (width, 2 * keys + values)
        yield "attn_gate.weight", (width, values)
        yield "ssm_conv1d.weight", (_KERNEL, 2 * keys + values)
        yield "ssm_dt.bias", (_STEPS,)
        yield "ssm_a", (_STEPS,)
        yield "ssm_beta.weight", (width, _STEPS)
        yield "ssm_alpha.weight", (width, _STEPS)
        yield "ssm_norm.weight", (_STATE,)
        yield "ssm_out.weight", (values, width)
    else:
        queries, keys = SHAPE.heads * head, SHAPE.key_value_heads * head
        yield "attn_q.weight", (width, 2 * queries)
        yield "attn_k.weight", (width, keys)
        yield "attn_v.weight", (width, keys)
        yield "attn_output.weight", (queries, width)
        yield "attn_q_norm.weight", (head,)
        yield "attn_k_norm.weight", (head,)


def _feed_forward() -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "ffn_gate.weight", (SHAPE.width, SHAPE.feed_forward)
    yield "ffn_down.weight", (SHAPE.feed_forward, SHAPE.width)
    yield "ffn_up.weight", (SHAPE.width, SHAPE.feed_forward)


def _nextn() -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "nextn.eh_proj.weight", (2 * SHAPE.width, SHAPE.width)
    yield "nextn.enorm.weight", (SHAPE.width,)
    yield "nextn.hnorm.weight", (SHAPE.width,)
    yield "nextn.shared_head_norm.weight", (SHAPE.width,)
