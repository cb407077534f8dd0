"""Which tensors a CUDA card can hold; one whose operation it lacks stays on the host."""

from packer.domain.model import Tensor
from packer.domain.quantization import ElementType
from packer.memory.hyperparameters import HyperParameters

# llama.cpp b11434, ggml/src/ggml-cuda/ggml-cuda.cu, ggml_backend_cuda_device_supports_op().
_NO_PRODUCT = frozenset({"tq1_0", "tq2_0", "q8_1", "i8", "i16", "i32", "i64", "f64"})
_NO_ROWS = _NO_PRODUCT | {"nvfp4", "q8_K"}
_ROWS_OF_SUPER_BLOCKS = frozenset({"iq4_nl", "mxfp4"})
_ELEMENTWISE = frozenset({"f32", "f16"})
_SCALED = frozenset({"f32", "bf16"})
_SUPER_BLOCK = 256
_CONVOLUTION_MULTIPLE = 128
_MAMBA2_STATES = frozenset({96, 128, 256})
_MAMBA2_HEAD_MULTIPLE = 16
_MAMBA1_STATE = 16

_CONVOLUTIONS = ("ssm_conv1d", "shortconv.conv")
_ROW_TABLES = ("nextn.embed_tokens",)


def card_holds(tensor: Tensor, sizes: HyperParameters) -> bool:
    """Whether a card has the operation a tensor of a block or of the output layer is for. Exact.

    Source: llama.cpp b11434, src/llama-model-loader.cpp, weight_buft_supported().
    """
    stem, _, suffix = tensor.name.rpartition(".")
    if stem.endswith(_CONVOLUTIONS) and suffix == "weight":
        return tensor.shape[1] % _CONVOLUTION_MULTIPLE == 0
    if tensor.name.endswith("ssm_a"):
        return _holds_scan(tensor, sizes)
    if stem.endswith(_ROW_TABLES):
        return _holds_rows(tensor.type, tensor.shape[0])
    if stem.endswith("attn_sinks"):
        return tensor.type.name in _SCALED
    if stem.endswith("exps") and suffix == "bias":
        return True
    if suffix != "weight" or len(tensor.shape) == 1:
        return tensor.type.name in _ELEMENTWISE
    return tensor.type.name not in _NO_PRODUCT


def _holds_scan(tensor: Tensor, sizes: HyperParameters) -> bool:
    """Whether a card scans states of this size; gated delta-nets multiply instead."""
    if not sizes.rules.scans_states or sizes.state_space.kda_head:
        return tensor.type.name in _ELEMENTWISE
    space = sizes.state_space
    state, heads = (*tensor.shape, 1)[:2]
    if state == 1:
        is_whole = space.inner // heads % _MAMBA2_HEAD_MULTIPLE == 0
        return space.state in _MAMBA2_STATES and is_whole
    is_single = space.inner == heads and space.groups <= 1
    return state == _MAMBA1_STATE and is_single and heads % _CONVOLUTION_MULTIPLE == 0


def _holds_rows(element: ElementType, row: int) -> bool:
    """Whether a card looks up rows of this type."""
    if element.name in _ROWS_OF_SUPER_BLOCKS:
        return row % _SUPER_BLOCK == 0
    return element.name not in _NO_ROWS
