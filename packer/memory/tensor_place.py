"""Which layer a tensor belongs to, by its name: input, a block, output, or every device."""

import re
from enum import StrEnum

from packer.domain.model import Tensor
from packer.memory.architecture_rules import ArchitectureRules

_BLOCK = re.compile(r"blk\.(\d+)\.")


class Role(StrEnum):
    """Where llama.cpp puts a tensor that is not part of a block."""

    INPUT = "input"
    FIRST_BLOCK = "first-block"
    OUTPUT = "output"
    EVERY_DEVICE = "every-device"


# llama.cpp b11434, src/llama-arch.cpp, LLM_TENSOR_NAMES and LLM_TENSOR_INFOS: every other tensor
# without a block number is of the output layer.
_ROLES = {
    "token_embd": Role.INPUT,
    "position_embd": Role.INPUT,
    "token_types": Role.INPUT,
    "per_layer_token_embd": Role.INPUT,
    "token_embd_norm": Role.FIRST_BLOCK,
    "per_layer_model_proj": Role.FIRST_BLOCK,
    "per_layer_proj_norm": Role.FIRST_BLOCK,
    "nextn.pre_projection": Role.FIRST_BLOCK,
    "rope_freqs": Role.EVERY_DEVICE,
    "rope_factors_long": Role.EVERY_DEVICE,
    "rope_factors_short": Role.EVERY_DEVICE,
}


def block_of(tensor: Tensor) -> int | None:
    """Number of the block a tensor belongs to; None for tensors outside of the blocks."""
    match = _BLOCK.match(tensor.name)
    return int(match[1]) if match else None


def role_of(tensor: Tensor, rules: ArchitectureRules) -> Role:
    """Place of a tensor outside of the blocks. Exact."""
    stem = tensor.name.rpartition(".")[0] or tensor.name
    if stem == "token_embd_norm" and rules.has_output_norm_named_as_embedding_norm:
        return Role.OUTPUT
    return _ROLES.get(stem, Role.OUTPUT)
