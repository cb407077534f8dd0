"""Pooling of embeddings behind a model's graph.

Source: llama.cpp b11434, src/llama-graph.cpp, build_pooling() and build_dense_out().
"""

from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_tensor import F32, I32, GraphTensor

_RANKERS_WITH_SOFTMAX = frozenset({"qwen3"})


def add_pooling(graph: ModelGraph) -> None:
    """One row per sequence from the rows of all tokens, as the context asks for it."""
    rows, sequences = graph.embeddings, graph.batch.sequences
    kind = graph.context.pooling
    if rows is None or not kind:
        return
    if kind == "none":
        pooled = rows
    elif kind == "mean":
        mean = graph.input(F32, graph.batch.tokens, sequences)
        pooled = graph.mul_mat(graph.contiguous(graph.transpose(rows)), mean)
    else:
        pooled = graph.get_rows(rows, graph.input(I32, sequences))
    if kind == "rank":
        pooled = _classify(graph, pooled)
    graph.expand(pooled)
    graph.finish(_project(graph, pooled))


def _project(graph: ModelGraph, pooled: GraphTensor) -> GraphTensor:
    """Dense layers behind pooling, where the file has some."""
    for stem in ("dense_2", "dense_3"):
        weight, bias = graph.named(f"{stem}.weight"), graph.named(f"{stem}.bias")
        if weight is not None:
            pooled = graph.mul_mat(weight, pooled)
        if bias is not None:
            pooled = graph.add(pooled, bias)
    return pooled


def _classify(graph: ModelGraph, pooled: GraphTensor) -> GraphTensor:
    """Score of a reranker from the pooled row."""
    for stem, is_hidden in (("cls", True), ("cls.output", False)):
        weight, bias = graph.named(f"{stem}.weight"), graph.named(f"{stem}.bias")
        if weight is None:
            continue
        pooled = graph.mul_mat(weight, pooled)
        pooled = pooled if bias is None else graph.add(pooled, bias)
        if is_hidden:
            pooled = graph.unary("tanh", pooled)
            if graph.named("cls.norm.weight") is not None:
                pooled = graph.norm(pooled, -1, "cls.norm", kind="norm")
    if graph.model.architecture in _RANKERS_WITH_SOFTMAX:
        pooled = graph.same("soft_max", pooled)
    return pooled
