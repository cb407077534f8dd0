"""PLaMo 2's selective state space.

Source: llama.cpp b11434, src/models/plamo2.cpp.
"""

from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.recurrent_state import RecurrentStates
from packer.memory.compute_tensor import GraphTensor

_LEAST_RANK, _RANKS = 64, 16


def plamo2_mixer(
    graph: ModelGraph, states: RecurrentStates, operand: GraphTensor, layer: int
) -> GraphTensor:
    """PLaMo 2's state space: heads as in the second Mamba, steps projected as in the first."""
    space, batch = graph.sizes.state_space, graph.batch
    inner, kept, width, heads = space.inner, space.convolution - 1, space.state, space.rank
    head, channels = inner // heads, inner + 2 * space.groups * width
    tokens, sequences = batch.tokens_per_sequence, batch.sequences
    past = states.memory(layer, kept * channels)
    scanned = states.memory(layer, width * inner)
    window = graph.reshape(states.gather(past), kept, channels, sequences)
    operand = graph.reshape(operand, operand.shape[0], tokens, sequences)
    both = graph.permute(graph.linear(layer, "ssm_in", operand), 0, 2, 1, 3)
    both = graph.contiguous(both, 2 * head, heads, tokens, sequences)
    in_heads = (head, heads, tokens, sequences)
    element = both.type.block_bytes
    fresh = graph.view(both, in_heads, both.layout[1:], head * element)
    fresh = graph.contiguous(fresh, inner, tokens, sequences)
    gate = graph.view(both, in_heads, both.layout[1:])
    joined = graph.concat(window, graph.transpose(fresh), 0)
    last = graph.view(joined, (kept, inner, sequences), (joined.layout[1],), tokens * element)
    target = graph.view(past, (kept * channels * sequences,))
    graph.expand(graph.copy_into(last, target))
    kernel = graph.need(layer, "ssm_conv1d")
    rows = graph.sized("ssm_conv", joined, kernel, shape=(inner, tokens, sequences))
    rows = graph.unary("silu", rows)
    keys, reads, pace = _plamo2_steps(graph, layer, rows)
    rows = graph.view(rows, in_heads)

    def scan(memory: GraphTensor, wanted: GraphTensor) -> GraphTensor:
        full = graph.reshape(memory, width, head, heads, memory.shape[1])
        decay = graph.reshape(graph.need(layer, "ssm_a", ""), 1, heads)
        count = inner * tokens * sequences + width * inner * sequences
        operands = (full, rows, pace, decay, keys, reads, wanted)
        return graph.sized("ssm_scan", *operands, shape=(count,))

    result = states.gather(scanned, scan)
    size = width * inner * sequences
    written = graph.view(result, (size,), offset=inner * tokens * sequences * element)
    graph.expand(graph.copy_into(written, graph.view(scanned, (size,))))
    output = graph.view(result, in_heads)
    factor = graph.reshape(graph.need(layer, "ssm_d", ""), 1, heads)
    output = graph.add(output, graph.mul(rows, factor))
    output = graph.gated("swiglu", graph.contiguous(gate), output)
    output = graph.view(output, (inner, tokens, sequences), output.layout[2:])
    projected = graph.linear(layer, "ssm_out", output)
    return graph.reshape(projected, projected.shape[0], tokens * sequences)


def _plamo2_steps(
    graph: ModelGraph, layer: int, rows: GraphTensor
) -> tuple[GraphTensor, GraphTensor, GraphTensor]:
    """Keys, reads and step sizes from one product, all normed."""
    width, tokens, sequences = graph.sizes.state_space.state, rows.shape[1], rows.shape[2]
    joined = graph.linear(layer, "ssm_x", rows)
    element, strides = joined.type.block_bytes, joined.layout[1:3]
    rank = max(_LEAST_RANK, graph.sizes.embedding // _RANKS)
    shape = (width, tokens, sequences)
    keys = graph.norm(graph.view(joined, shape, strides), layer, "ssm_b_norm")
    reads = graph.view(joined, shape, strides, element * width)
    reads = graph.norm(reads, layer, "ssm_c_norm")
    pace = graph.view(joined, (rank, tokens, sequences), strides, element * 2 * width)
    pace = graph.linear(layer, "ssm_dt", graph.norm(pace, layer, "ssm_dt_norm"))

    def grouped(tensor: GraphTensor) -> GraphTensor:
        layout = (width * tensor.layout[0], tensor.layout[1], tensor.layout[2])
        return graph.view(tensor, (width, 1, tokens, sequences), layout)

    return grouped(keys), grouped(reads), pace
