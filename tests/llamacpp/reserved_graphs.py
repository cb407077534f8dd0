"""Graphs that the real llama.cpp builds to reserve memory, read from its own structures.

A context is made from a file whose weights may be a hole: no graph is run. Offsets are those of
``struct ggml_tensor`` in ggml/include/ggml.h, b11434.
"""

import ctypes
from collections.abc import Iterator, Sequence
from typing import Any

_FLAG_INPUT, _FLAG_OUTPUT = 1, 2
_DIMENSIONS, _MOST_SOURCES = 4, 10
_NO_ALLOC = 76
"""Where llama_model_params says that nothing is loaded."""
_CONTEXT_TYPE, _NEXTN = 36, 1
"""Where llama_context_params says what a context is for, and that of the nextn blocks."""


class _Tensor(ctypes.Structure):
    """The head of ``struct ggml_tensor``."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("buffer", ctypes.c_void_p),
        ("ne", ctypes.c_int64 * _DIMENSIONS),
        ("nb", ctypes.c_size_t * _DIMENSIONS),
        ("op", ctypes.c_int),
        ("op_params", ctypes.c_int32 * 16),
        ("flags", ctypes.c_int32),
        ("src", ctypes.c_void_p * _MOST_SOURCES),
        ("view_src", ctypes.c_void_p),
        ("view_offs", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("name", ctypes.c_char * 64),
    )


class ParameterBlock(ctypes.Structure):
    """Room for llama_model_params or llama_context_params, handed over by value."""

    _fields_ = (("content", ctypes.c_ubyte * 512),)


def make_nextn(context_parameters: ParameterBlock) -> None:
    """Ask for the context of the nextn blocks."""
    context_parameters.content[_CONTEXT_TYPE] = _NEXTN


def reserved_graphs(
    library: ctypes.CDLL,
    path: str,
    model_parameters: ParameterBlock,
    context_parameters: ParameterBlock,
    batches: Sequence[Sequence[int]],
) -> list[list[list[Any]]] | None:
    """Tensors of the graph of each batch (tokens, sequences, outputs); None if refused."""
    load, start = library.llama_model_load_from_file, library.llama_init_from_model
    load.restype = start.restype = ctypes.c_void_p
    load.argtypes = [ctypes.c_char_p, ParameterBlock]
    start.argtypes = [ctypes.c_void_p, ParameterBlock]
    reserve = library["_Z19llama_graph_reserveP13llama_contextjjj"]
    reserve.restype = ctypes.c_void_p
    reserve.argtypes = [ctypes.c_void_p, *[ctypes.c_uint32] * 3]
    library.llama_free.argtypes = library.llama_model_free.argtypes = [ctypes.c_void_p]
    model_parameters.content[_NO_ALLOC] = True
    model = load(path.encode(), model_parameters)
    context = model and start(model, context_parameters)
    if not context:
        return None
    try:
        return [list(_rows(library, reserve(context, *batch))) for batch in batches]
    finally:
        library.llama_free(context)
        library.llama_model_free(model)


def _rows(library: ctypes.CDLL, graph: int) -> Iterator[list[Any]]:
    """Every tensor behind its operands: what it is, and how far back its sources are."""
    library.ggml_graph_node.restype = ctypes.c_void_p
    library.ggml_graph_node.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.ggml_graph_n_nodes.argtypes = [ctypes.c_void_p]
    library.ggml_op_desc.restype = ctypes.c_char_p
    library.ggml_op_desc.argtypes = [ctypes.c_void_p]
    numbers: dict[int, int] = {}
    for index in range(library.ggml_graph_n_nodes(graph)):
        node = library.ggml_graph_node(graph, index)
        found = _Tensor.from_address(node)
        for address in (*found.src, found.view_src, node):
            if address and address not in numbers:
                numbers[address] = len(numbers)
                yield _row(library, address, numbers)


def _row(library: ctypes.CDLL, address: int, numbers: dict[int, int]) -> list[Any]:
    tensor, own = _Tensor.from_address(address), numbers[address]
    return [
        library.ggml_op_desc(address).decode().lower() if tensor.op else "",
        tensor.type,
        list(tensor.ne),
        list(tensor.nb),
        # A cast names itself as its second operand.
        [own - numbers[source] for source in tensor.src if source and source != address],
        own - numbers[tensor.view_src] if tensor.view_src else 0,
        tensor.view_offs,
        bool(tensor.flags & _FLAG_INPUT),
        bool(tensor.flags & _FLAG_OUTPUT),
        tensor.name.decode(),
    ]
