"""Hyper-parameters as llama.cpp resolves them: defaults filled in, one value per layer."""

from dataclasses import dataclass

from packer.domain.model import ModelFile
from packer.memory.architecture_rules import ArchitectureRules
from packer.memory.architectures import architecture_rules
from packer.memory.identity_cache import derived_once
from packer.memory.layer_patterns import (
    cached_layers,
    indexer_layers,
    recurrent_layers,
    window_pattern,
)
from packer.memory.metadata_keys import MetadataKeys

MOST_LAYERS = 512
"""LLAMA_MAX_LAYERS; more on a command line, such as the usual 999, means every block."""


@dataclass(frozen=True)
class StateSpace:
    """Sizes of the recurrent part; zero where the model has none.

    Attributes:
        shortconv_cells: ``shortconv.l_cache`` of LFM2 [tokens].
        wkv_head, token_shifts: Head size and shifted tokens of RWKV.
        kda_head: Head size of Kimi's delta attention.
        linear_head: Head size of MiniMax-01's lightning attention.
    """

    convolution: int
    inner: int
    state: int
    rank: int
    groups: int
    shortconv_cells: int
    wkv_head: int
    token_shifts: int
    kda_head: int
    linear_head: int


@dataclass(frozen=True)
class HyperParameters:
    """Sizes of one model. Tuples have one entry per block, nextn blocks included.

    Attributes:
        block_count: All blocks, ``n_layer_all``.
        nextn_count: Trailing blocks for multi-token prediction.
        head_k, head_v: Elements of one key and one value head in each block.
        feed_forward: Width of the dense feed-forward network, 0 where there is none.
        expert_feed_forward: Width of one expert.
        experts, experts_used: Experts of a block, and how many of them one token takes.
        shared_expert_feed_forward: Width of the shared expert, 0 if there is none.
        window: Sliding window [tokens], 0 for none; ``window_layers`` says where.
        cached_layers: Blocks from the start that own a cache; later ones reuse it.
        is_mla: Whether keys are compressed and no values are cached.
        indexer_head: Elements of a cached indexer key; ``indexer_layers`` says where.
    """

    architecture: str
    rules: ArchitectureRules
    block_count: int
    nextn_count: int
    context_length: int
    embedding: int
    output_embedding: int
    vocabulary: int
    heads: tuple[int, ...]
    kv_heads: tuple[int, ...]
    head_k: tuple[int, ...]
    head_v: tuple[int, ...]
    feed_forward: tuple[int, ...]
    expert_feed_forward: tuple[int, ...]
    experts: int
    experts_used: int
    shared_expert_feed_forward: int
    window: int
    window_layers: tuple[bool, ...]
    recurrent_layers: tuple[bool, ...]
    cached_layers: int
    is_mla: bool
    kv_lora_rank: int
    indexer_head: int
    indexer_layers: tuple[bool, ...]
    is_causal: bool
    pooling: int
    state_space: StateSpace

    @property
    def trunk_count(self) -> int:
        """Blocks without the nextn blocks, ``n_layer``."""
        return self.block_count - self.nextn_count


@derived_once
def read_hyperparameters(model: ModelFile) -> HyperParameters:
    """Hyper-parameters of a model; the answer is remembered for each header.

    Raises:
        UnsupportedModel: The architecture is not modelled.
        InvalidModelFile: A key is missing or has the wrong type.

    Source:
        llama.cpp b11434, src/llama-model.cpp, llama_model_base::load_hparams(), and
        load_arch_hparams() in src/models/.
    """
    rules = architecture_rules(model.architecture)
    keys = MetadataKeys(model)
    layers = keys.number("block_count")
    if not 0 < layers <= MOST_LAYERS:
        raise keys.problem("block_count", f"between 1 and {MOST_LAYERS}")
    nextn = min(keys.number("nextn_predict_layers", 0), layers)
    none = (0,) * layers
    heads = keys.per_layer("attention.head_count", layers, none)
    kv_heads = keys.per_layer("attention.head_count_kv", layers, heads)
    feed_forward = keys.per_layer("feed_forward_length", layers, none)
    recurrent = recurrent_layers(rules, keys, layers, nextn, kv_heads, feed_forward)
    window, window_layers = window_pattern(rules.window, keys, layers, nextn, recurrent)
    embedding = keys.number("embedding_length")
    head = embedding // heads[0] if heads[0] else 0
    head_k = keys.number("attention.key_length", head)
    head_v = keys.number("attention.value_length", head)
    window_k = keys.number("attention.key_length_swa", head_k)
    window_v = keys.number("attention.value_length_swa", head_v)
    return HyperParameters(
        architecture=model.architecture,
        rules=rules,
        block_count=layers,
        nextn_count=nextn,
        context_length=keys.number("context_length"),
        embedding=embedding,
        output_embedding=keys.number("embedding_length_out", 0) or embedding,
        vocabulary=model.vocabulary_size,
        heads=heads,
        kv_heads=kv_heads,
        head_k=tuple(window_k if w else head_k for w in window_layers),
        head_v=tuple(window_v if w else head_v for w in window_layers),
        feed_forward=feed_forward,
        expert_feed_forward=keys.per_layer("expert_feed_forward_length", layers, none),
        experts=keys.number("expert_count", 0),
        experts_used=max(keys.per_layer("expert_used_count", layers, none)),
        shared_expert_feed_forward=keys.number("expert_shared_feed_forward_length", 0),
        window=window,
        window_layers=window_layers,
        recurrent_layers=recurrent,
        cached_layers=cached_layers(rules, keys, layers),
        is_mla=keys.number("attention.key_length_mla", 0) > 0
        and keys.number("attention.value_length_mla", 0) > 0,
        kv_lora_rank=keys.number("attention.kv_lora_rank", 0),
        indexer_head=keys.number("attention.indexer.key_length", 0),
        indexer_layers=indexer_layers(rules, keys, layers, nextn),
        is_causal=keys.flag("attention.causal", True),
        pooling=keys.number("pooling_type", 0),
        state_space=StateSpace(
            convolution=keys.number("ssm.conv_kernel", 0),
            inner=keys.number("ssm.inner_size", 0),
            state=keys.number("ssm.state_size", 0),
            rank=keys.number("ssm.time_step_rank", 0),
            groups=keys.number("ssm.group_count", 0),
            shortconv_cells=keys.number("shortconv.l_cache", 0),
            wkv_head=keys.number("wkv.head_size", 0),
            token_shifts=keys.number("token_shift_count", 2),
            kda_head=keys.number("kda.head_dim", 0),
            linear_head=head_k if model.architecture == "minimax-01" else 0,
        ),
    )
