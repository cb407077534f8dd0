"""What a step reads of each layer: weights, experts, cached keys and values, kernels started."""

import re
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from packer.domain.model import ModelFile, Tensor
from packer.memory.hyperparameters import HyperParameters, read_hyperparameters
from packer.memory.identity_cache import derived_once
from packer.memory.kv_cache import trunk_cache
from packer.memory.recurrent_state import state_elements
from packer.memory.tensor_place import block_of

_EXPERTS = re.compile(r"\.ffn_(up|down|gate|gate_up)_(ch|)exps")
# Only one row of these is read for a token.
_LOOKED_UP = frozenset({"token_embd.weight", "per_layer_token_embd.weight", "position_embd.weight"})
_OUTPUT = "output.weight"
_EMBEDDING = "token_embd.weight"
_F32_BYTES = 4


class WeightKind(StrEnum):
    """Element types that unpack at the same rate."""

    FULL = "full"
    EIGHT = "eight"
    LEGACY = "legacy"
    K = "k"
    SMALL_K = "small-k"
    IQ = "iq"
    FP4 = "fp4"


class Launch(StrEnum):
    """Kernels of a layer, by what starts them."""

    MATRIX = "matrix"
    NORM = "norm"
    BIAS = "bias"
    ATTENTION = "attention"
    DELTA = "delta"
    CONVOLUTION = "convolution"
    SCAN = "scan"
    ROUTER = "router"


_KINDS = {
    **dict.fromkeys(("f32", "f16", "bf16"), WeightKind.FULL),
    **dict.fromkeys(("q8_0", "q8_1", "q8_K"), WeightKind.EIGHT),
    **dict.fromkeys(("q4_K", "q5_K", "q6_K"), WeightKind.K),
    **dict.fromkeys(("q2_K", "q3_K"), WeightKind.SMALL_K),
    **dict.fromkeys(("mxfp4", "nvfp4"), WeightKind.FP4),
    **dict.fromkeys(("q4_0", "q4_1", "q5_0", "q5_1", "iq4_nl"), WeightKind.LEGACY),
}


@dataclass(frozen=True)
class LayerReads:
    """What one block, or the output layer, reads and starts.

    Attributes:
        weights: Bytes that every step reads, by kind [bytes].
        experts: Bytes of all experts, by kind [bytes].
        parameters, expert_parameters: Elements that multiply, of one token's point of view.
        launches: Kernels by what starts them.
        key, value: Elements cached per token; ``window`` caps how many tokens are read, 0 for all.
        state_bytes: Recurrent state of one slot [bytes].
        attention_width: Query elements of all heads, for the cost of long prompts.
    """

    weights: Counter[WeightKind]
    experts: Counter[WeightKind]
    parameters: int
    expert_parameters: int
    launches: Counter[Launch]
    key: int = 0
    value: int = 0
    window: int = 0
    state_bytes: int = 0
    attention_width: int = 0

    @property
    def has_scan(self) -> bool:
        """Whether the recurrent state is Mamba's, which llama.cpp advances one slot at a time."""
        return self.launches[Launch.SCAN] > 0


@dataclass(frozen=True)
class ModelReads:
    """Reads of all layers of the trunk; the last entry is the output layer.

    Attributes:
        nextn: Blocks that draft (multi-token prediction); not part of a plain step.
        experts, experts_used: Experts of a layer, and how many of them one token takes.
        is_compressed: Whether keys are compressed (MLA), which costs arithmetic instead of bytes.
    """

    layers: tuple[LayerReads, ...]
    nextn: tuple[LayerReads, ...]
    experts: int
    experts_used: int
    is_compressed: bool

    @property
    def has_experts(self) -> bool:
        """Whether the model is a mixture of experts."""
        return self.experts > 0

    @property
    def share_used(self) -> float:
        """Share of the experts one token takes."""
        return self.experts_used / self.experts if self.experts else 0.0


def weight_kind(tensor: Tensor) -> WeightKind:
    """Kind a tensor's element type belongs to."""
    return _KINDS.get(tensor.type.name, WeightKind.IQ)


def is_expert(tensor: Tensor) -> bool:
    """Whether a tensor holds routed experts."""
    return _EXPERTS.search(tensor.name) is not None


@derived_once
def model_reads(model: ModelFile) -> ModelReads:
    """Reads of every layer of a model; the answer is remembered for each header.

    Raises:
        UnsupportedModel: The architecture is not modelled.
    """
    sizes = read_hyperparameters(model)
    by_layer: dict[int, list[Tensor]] = {}
    for tensor in model.tensors:
        block = block_of(tensor)
        by_layer.setdefault(sizes.block_count if block is None else block, []).append(tensor)
    layers = [_block(sizes, layer, by_layer.get(layer, [])) for layer in range(sizes.trunk_count)]
    layers.append(_output(by_layer.get(sizes.block_count, [])))
    return ModelReads(
        layers=tuple(layers),
        nextn=tuple(
            _block(sizes, layer, by_layer.get(layer, []))
            for layer in range(sizes.trunk_count, sizes.block_count)
        ),
        experts=sizes.experts,
        experts_used=sizes.experts_used,
        is_compressed=sizes.is_mla,
    )


def _block(sizes: HyperParameters, layer: int, tensors: list[Tensor]) -> LayerReads:
    """Reads of one block."""
    weights: Counter[WeightKind] = Counter()
    experts: Counter[WeightKind] = Counter()
    launches: Counter[Launch] = Counter()
    parameters = expert_parameters = 0
    for tensor in tensors:
        started = _launch(tensor)
        if started is not None:
            launches[started] += 1
        if is_expert(tensor):
            experts[weight_kind(tensor)] += tensor.data_bytes
            expert_parameters += tensor.element_count
        else:
            weights[weight_kind(tensor)] += tensor.data_bytes
            parameters += tensor.element_count
    if experts:
        launches[Launch.ROUTER] += 1
    is_recurrent = sizes.recurrent_layers[layer]
    state_bytes = _F32_BYTES * sum(state_elements(sizes)) if is_recurrent else 0
    if is_recurrent:
        launches[_recurrence(sizes, tensors)] += 1
    key, value, window = _cached(sizes).get(layer, (0, 0, 0))
    attends = key > 0 or (sizes.kv_heads[layer] > 0 and not is_recurrent)
    if attends:
        launches[Launch.ATTENTION] += 1
    return LayerReads(
        weights=weights,
        experts=experts,
        parameters=parameters,
        expert_parameters=expert_parameters,
        launches=launches,
        key=key,
        value=value,
        window=window,
        state_bytes=state_bytes,
        attention_width=sizes.heads[layer] * sizes.head_k[layer] if attends else 0,
    )


def _output(tensors: list[Tensor]) -> LayerReads:
    """Reads of what is outside of the blocks; a tied embedding is read as the output matrix."""
    names = {tensor.name for tensor in tensors}
    looked_up = _LOOKED_UP if _OUTPUT in names else _LOOKED_UP - {_EMBEDDING}
    weights: Counter[WeightKind] = Counter()
    parameters = 0
    for tensor in tensors:
        if tensor.name not in looked_up:
            weights[weight_kind(tensor)] += tensor.data_bytes
            parameters += tensor.element_count
    return LayerReads(
        weights=weights,
        experts=Counter(),
        parameters=parameters,
        expert_parameters=0,
        launches=Counter({Launch.MATRIX: 1, Launch.NORM: 1}),
    )


def _launch(tensor: Tensor) -> Launch | None:
    """What a tensor starts when its layer runs."""
    if tensor.name.endswith(".bias"):
        return Launch.BIAS
    if "norm" in tensor.name:
        return Launch.NORM
    is_matrix = sum(extent > 1 for extent in tensor.shape) > 1 and "conv" not in tensor.name
    return Launch.MATRIX if is_matrix and tensor.name.endswith(".weight") else None


def _recurrence(sizes: HyperParameters, tensors: list[Tensor]) -> Launch:
    """Kernels of a recurrent layer."""
    if sizes.state_space.shortconv_cells:
        return Launch.CONVOLUTION
    is_delta = any(".ssm_beta" in tensor.name or ".ssm_ba" in tensor.name for tensor in tensors)
    return Launch.DELTA if is_delta else Launch.SCAN


@derived_once
def _cached(sizes: HyperParameters) -> dict[int, tuple[int, int, int]]:
    """Elements of key and value and the window of every layer that attends to a cache.

    Layers that reuse an earlier layer's cache read it all the same.
    """
    shape = trunk_cache(sizes)
    cached = {}
    for layer, kind in shape.layers:
        rows = shape.kinds[kind]
        cached[layer] = (rows.key, rows.value, sizes.window if rows.has_window else 0)
    for layer in range(sizes.cached_layers, sizes.trunk_count):
        if sizes.kv_heads[layer]:
            window = sizes.window if sizes.window_layers[layer] else 0
            heads = sizes.kv_heads[layer]
            cached[layer] = (sizes.head_k[layer] * heads, sizes.head_v[layer] * heads, window)
    return cached
