"""Mamba's selective state spaces, of the first and the second kind.

Source: llama.cpp b11434, src/models/mamba-base.cpp.
"""

from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.recurrent_state import RecurrentStates
from packer.memory.compute_tensor import GraphTensor


def mamba_mixer(
    graph: ModelGraph, states: RecurrentStates, operand: GraphTensor, layer: int
) -> GraphTensor:
    """Selective state space of the first Mamba."""
    space, batch = graph.sizes.state_space, graph.batch
    inner, kept, width = space.inner, space.convolution - 1, space.state
    tokens, sequences = batch.tokens_per_sequence, batch.sequences
    past = states.memory(layer, kept * inner)
    scanned = states.memory(layer, width * inner)
    window = graph.reshape(states.gather(past), kept, inner, sequences)
    operand = graph.reshape(operand, operand.shape[0], tokens, sequences)
    both = graph.linear(layer, "ssm_in", operand)
    element = both.type.block_bytes
    half = (inner, tokens, sequences)
    fresh = graph.view(both, half, both.layout[1:3])
    gate = graph.view(both, half, both.layout[1:3], inner * element)
    joined = graph.concat(window, graph.transpose(fresh), 0)
    last = graph.view(joined, (kept, inner, sequences), (joined.layout[1],), tokens * element)
    row = kept * inner * sequences
    graph.expand(graph.copy_into(last, graph.view(past, (row,))))
    hidden = _convolve(graph, joined, layer, half)
    steps = graph.linear(layer, "ssm_x", hidden)
    rank = space.rank
    strides = (width * element, *steps.layout[1:3])
    shape = (width, 1, tokens, sequences)
    keys = graph.view(steps, shape, strides, rank * element)
    reads = graph.view(steps, shape, strides, (rank + width) * element)
    pace = graph.view(steps, (rank, tokens, sequences), steps.layout[1:3])
    pace, keys, reads = _normed_steps(graph, layer, pace, keys, reads)
    pace = graph.linear(layer, "ssm_dt", pace)
    rows = graph.reshape(hidden, 1, inner, tokens, sequences)

    def scan(memory: GraphTensor, wanted: GraphTensor) -> GraphTensor:
        full = graph.reshape(memory, width, 1, inner, memory.shape[1])
        decay = graph.need(layer, "ssm_a", "")
        count = inner * tokens * sequences + width * inner * sequences
        operands = (full, rows, pace, decay, keys, reads, wanted)
        return graph.sized("ssm_scan", *operands, shape=(count,))

    result = states.gather(scanned, scan)
    size = width * inner * sequences
    written = graph.view(result, (size,), offset=rows.layout[3] * rows.shape[3])
    graph.expand(graph.copy_into(written, graph.view(scanned, (size,))))
    output = graph.view(result, half, (rows.layout[2], rows.layout[3]))
    output = graph.add(output, graph.mul(hidden, graph.need(layer, "ssm_d", "")))
    output = graph.gated("swiglu", graph.contiguous(gate), output)
    projected = graph.linear(layer, "ssm_out", output)
    return graph.reshape(projected, projected.shape[0], tokens * sequences)


def _normed_steps(
    graph: ModelGraph, layer: int, pace: GraphTensor, keys: GraphTensor, reads: GraphTensor
) -> tuple[GraphTensor, GraphTensor, GraphTensor]:
    """Step sizes, keys and reads, normed where the model does so."""
    normed = bool(graph.model.metadata.get(f"{graph.model.architecture}.ssm.dt_b_c_rms", False))
    if not normed and not graph.has(layer, "ssm_dt_norm"):
        return graph.contiguous(pace), keys, reads
    return (
        graph.norm(pace, layer, "ssm_dt_norm"),
        graph.norm(keys, layer, "ssm_b_norm"),
        graph.norm(reads, layer, "ssm_c_norm"),
    )


def _convolve(
    graph: ModelGraph, joined: GraphTensor, layer: int, shape: tuple[int, int, int]
) -> GraphTensor:
    """Short convolution with bias and activation."""
    kernel = graph.need(layer, "ssm_conv1d")
    result = graph.sized("ssm_conv", joined, kernel, shape=shape)
    return graph.unary("silu", graph.add(result, graph.need(layer, "ssm_conv1d", "bias")))


def mamba2_mixer(
    graph: ModelGraph, states: RecurrentStates, operand: GraphTensor, layer: int
) -> GraphTensor:
    """Selective state space of the second Mamba, in heads and groups."""
    space, batch = graph.sizes.state_space, graph.batch
    inner, kept, width, groups = space.inner, space.convolution - 1, space.state, space.groups
    heads = space.rank
    head, channels = inner // heads, inner + 2 * groups * width
    tokens, sequences = batch.tokens_per_sequence, batch.sequences
    past = states.memory(layer, kept * channels)
    scanned = states.memory(layer, width * inner)
    window = graph.reshape(states.gather(past), kept, channels, sequences)
    mixed = graph.linear(layer, "ssm_in", operand)
    mixed = graph.reshape(mixed, mixed.shape[0], tokens, sequences)
    element, step, stride = mixed.type.block_bytes, mixed.layout[1], mixed.layout[2]
    in_heads = (head, heads, tokens, sequences)
    gate = graph.view(mixed, in_heads, (head * element, step, stride))
    fresh = graph.view(mixed, (channels, tokens, sequences), (step, stride), inner * element)
    pace = graph.view(
        mixed, (heads, tokens, sequences), (step, stride), (inner + channels) * element
    )
    joined = graph.concat(window, graph.transpose(fresh), 0)
    store_window(graph, states, past, joined, (kept, channels), tokens)
    hidden = _convolve(graph, joined, layer, (channels, tokens, sequences))
    step, stride = hidden.layout[1], hidden.layout[2]
    rows = graph.view(hidden, in_heads, (head * element, step, stride))
    grouped = (width, groups, tokens, sequences)
    strides = (width * element, step, stride)
    keys = graph.view(hidden, grouped, strides, inner * element)
    reads = graph.view(hidden, grouped, strides, (inner + groups * width) * element)
    pace = graph.add(graph.contiguous(pace), graph.need(layer, "ssm_dt", "bias"))
    depth = states.depth

    def scan(memory: GraphTensor, wanted: GraphTensor) -> GraphTensor:
        full = graph.reshape(memory, width, head, heads, memory.shape[1])
        decay = graph.need(layer, "ssm_a", "")
        count = inner * tokens * sequences + depth * width * inner * sequences
        operands = (full, rows, pace, decay, keys, reads, wanted)
        return graph.sized("ssm_scan", *operands, shape=(count,))

    result = states.gather(scanned, scan)
    store_snapshots(graph, states, scanned, result, inner * tokens * sequences)
    row = rows.layout[1]
    output = graph.view(result, in_heads, (row, heads * row, tokens * heads * row))
    output = graph.add(output, graph.mul(rows, graph.need(layer, "ssm_d", "")))
    output = graph.gated("swiglu", graph.contiguous(gate), output)
    if graph.has(layer, "ssm_norm"):
        output = graph.reshape(output, inner // groups, groups, tokens, sequences)
        output = graph.norm(output, layer, "ssm_norm")
    return graph.linear(layer, "ssm_out", graph.reshape(output, inner, tokens * sequences))


def store_window(
    graph: ModelGraph,
    states: RecurrentStates,
    past: GraphTensor,
    joined: GraphTensor,
    window: tuple[int, int],
    tokens: int,
) -> None:
    """Write the last columns a convolution will need, once per state kept.

    Args:
        graph: Graph under construction.
        states: States of the context.
        past: Memory of the columns.
        joined: Old columns with the batch's behind them, [columns, channels, sequences].
        window: Columns kept and channels.
        tokens: Tokens of one sequence.
    """
    shape = (*window, joined.shape[2])
    for depth in range(min(tokens, states.depth)):
        first = joined.shape[0] - window[0] - depth
        last = graph.view(joined, shape, (joined.layout[1],), first * joined.layout[0])
        states.store(past, last, depth)


def store_snapshots(
    graph: ModelGraph,
    states: RecurrentStates,
    memory: GraphTensor,
    result: GraphTensor,
    skipped: int,
) -> None:
    """Write the states that follow an operation's result, newest first.

    Args:
        graph: Graph under construction.
        states: States of the context.
        memory: Memory of the states.
        result: Result with the states behind it.
        skipped: Elements of the result before the states.
    """
    sequences = graph.batch.sequences
    width, row = memory.shape[0], memory.layout[1]
    count = min(graph.batch.tokens_per_sequence, states.depth)
    shape = (width, sequences, count)
    source = graph.view(result, shape, (row, row * sequences), skipped * result.type.block_bytes)
    target = graph.view(memory, shape, (row, graph.context.states * row))
    graph.expand(graph.copy_into(source, target))
