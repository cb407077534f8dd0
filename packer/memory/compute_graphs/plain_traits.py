"""What can differ between decoders of plain blocks: attention, then a feed-forward network."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from packer.memory.compute_graphs.experts import Routing, routing
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.plain_turns import Turns, always
from packer.memory.compute_tensor import GraphTensor

Sum = str | tuple["Sum", "Sum"]
Network = Callable[[ModelGraph, "Plain", GraphTensor, int], GraphTensor]


@dataclass(frozen=True)
class Plain:
    """How the blocks of an architecture differ from llama's.

    Attributes:
        norm: ``rms_norm`` or ``norm``.
        embedding: What is done to embeddings: ``scaled``, ``placed`` (positions are added),
            ``normed`` (with weights of the first block's device), ``bare_normed``,
            ``scaled_tokens`` (token by token).
        before_attention: Norm before attention; empty is none.
        has_bare_norms: Whether blocks are normed even where the file has no weights for it.
        own_attention_norm: A norm for attention alone where a file has it; the other one is then
            the network's.
        heads: Queries and keys are normed ``before`` or ``after`` rotation, or ``flat`` over all
            heads at once.
        turns: Blocks whose positions are rotated in.
        scales_query: Whether queries are scaled before the product.
        attention_gate: Activation of a gate on attention's result; empty is no gate.
        scales_attention: Metadata key of a factor on attention's result; empty is none.
        after_attention: Norm behind attention; empty is none.
        norms_every_row: Whether that norm comes before the wanted rows are taken.
        parallel: Tree of the sum of ``attention``, ``network`` and ``residual`` where the network
            does not read attention's result; empty where it does.
        residual_first: Sum that starts with the residual: ``attention``, ``network`` or none.
        scales_residual: Whether the file may scale what is added to the residual.
        before_network: Norm before the network; empty is none.
        network: Its rules where they are not the common ones.
        activation: Of the dense network.
        gate: How experts are chosen; empty leaves it to the file.
        default_gate: The same where the file says nothing.
        normalizes: Whether their weights are normalized; None is by the file.
        expert_activation: Of the experts.
        stacked: Where deep embeddings of images are added: ``before`` or ``behind`` a block.
        wanted: Where the wanted rows are taken: ``inside`` the last block, ``before`` or
            ``behind`` the last norm, or ``never``.
        after_network: Norm behind the network; empty is none.
        unpinned: Norms that are not held on their layer's device.
        has_logits: Whether there is an output matrix where the architecture has one.
        logits: What is done to logits, in order: ``scaled``, ``scaled_by_file``,
            ``capped_by_file``.
    """

    norm: str = "rms_norm"
    embedding: str = ""
    before_attention: str = "attn_norm"
    has_bare_norms: bool = True
    own_attention_norm: str = ""
    heads: str = "before"
    turns: Turns = always
    scales_query: bool = False
    attention_gate: str = ""
    scales_attention: str = ""
    after_attention: str = ""
    norms_every_row: bool = False
    parallel: Sum = ""
    residual_first: str = ""
    scales_residual: bool = False
    before_network: str = "ffn_norm"
    network: Network | None = None
    activation: str = "silu"
    gate: str = "soft_max"
    default_gate: str = "soft_max"
    normalizes: bool | None = True
    expert_activation: str = "silu"
    stacked: str = ""
    wanted: str = "inside"
    after_network: str = ""
    unpinned: frozenset[str] = frozenset()
    has_logits: bool = True
    logits: tuple[str, ...] = ()

    def routing(self, graph: ModelGraph) -> Routing:
        """How experts are chosen and weighted."""
        how = routing(
            graph,
            gate=self.gate,
            default_gate=self.default_gate,
            is_normalized=self.normalizes,
        )
        return replace(how, activation=self.expert_activation)
