"""Which blocks of plain decoders rotate positions into queries and keys."""

from collections.abc import Callable

from packer.memory.compute_graphs.model_graph import ModelGraph

Turns = Callable[[ModelGraph, int], bool]
_PERIOD = 4
_BAICHUAN_7B_BLOCKS = 32


def always(_: ModelGraph, __: int) -> bool:
    """Every block rotates positions in."""
    return True


def never(_: ModelGraph, __: int) -> bool:
    """Positions are not rotated in."""
    return False


def in_windows(graph: ModelGraph, layer: int) -> bool:
    """Blocks with a sliding window rotate positions in."""
    return graph.sizes.window_layers[layer]


def three_of_four(_: ModelGraph, layer: int) -> bool:
    """All but every fourth block rotate."""
    return (layer + 1) % _PERIOD != 0


def all_but_dense(graph: ModelGraph, layer: int) -> bool:
    """Blocks with a window, or all in a model without windows."""
    return in_windows(graph, layer) or not any(graph.sizes.window_layers)


def in_small_model(graph: ModelGraph, _: int) -> bool:
    """Baichuan 7B rotates; 13B has linear biases instead."""
    return graph.sizes.trunk_count == _BAICHUAN_7B_BLOCKS


def by_pattern(graph: ModelGraph, layer: int) -> bool:
    """Blocks the file lists; every one where it lists none."""
    pattern = graph.model.metadata.get(f"{graph.model.architecture}.attention.rope_pattern", ())
    return bool(pattern[layer]) if isinstance(pattern, tuple) and pattern else True


def where_finetuned(graph: ModelGraph, _: int) -> bool:
    """Granite uses this flag of its file as a switch."""
    key = f"{graph.model.architecture}.rope.scaling.finetuned"
    return bool(graph.model.metadata.get(key, True))


def in_windows_and_dense(graph: ModelGraph, layer: int) -> bool:
    """Blocks with a window, and the leading dense ones."""
    return in_windows(graph, layer) or layer < graph.whole("leading_dense_block_count")
