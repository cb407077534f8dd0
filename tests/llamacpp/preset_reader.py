"""The real reader of router presets: llama.cpp's own C++ objects, laid out by hand.

Runs in the oracle's child only. The wheel's strings are the copy-on-write ones of libstdc++: one
pointer to the characters. Maps are red-black trees with three links per node.
"""

import ctypes
from collections.abc import Iterator

_POINTER = ctypes.sizeof(ctypes.c_void_p)
_CONTEXT_BYTES = 1 << 16  # more than common_preset_context needs
_MAP_BYTES = 48
_MAP_HEADER = 8
_NODE_VALUE = 32
_SERVER = 12
_LIBSTDCXX = ctypes.CDLL("libstdc++.so.6")


def read_presets(library: ctypes.CDLL, path: str, program: str) -> dict[str, list[str]]:
    """Section → command line the router would start for it."""
    context = ctypes.create_string_buffer(_CONTEXT_BYTES)
    construct = library["_ZN21common_preset_contextC1E13llama_example"]
    construct.argtypes = [ctypes.c_void_p, ctypes.c_int]
    construct(context, _SERVER)
    load = library[
        "_ZNK21common_preset_context13load_from_iniERKNSt10filesystem4pathER13common_preset"
    ]
    load.restype, load.argtypes = None, [ctypes.c_void_p] * 4
    sections, everywhere = ctypes.create_string_buffer(_MAP_BYTES), _empty_preset()
    load(sections, context, _path(path), everywhere)
    return {
        _text(node + _NODE_VALUE): _words(library, node + _NODE_VALUE + _POINTER, program)
        for node in _nodes(ctypes.addressof(sections))
    }


def _words(library: ctypes.CDLL, preset: int, program: str) -> list[str]:
    """Command line of one preset."""
    to_args = library["_ZNK13common_preset7to_argsERKSs"]
    to_args.restype, to_args.argtypes = None, [ctypes.c_void_p] * 3
    words = (ctypes.c_void_p * 3)()
    to_args(words, preset, _string(program))
    return [_text(address) for address in range(words[0] or 0, words[1] or 0, _POINTER)]


def _string(text: str) -> ctypes.Array[ctypes.c_char]:
    """A std::string."""
    slot, allocator = ctypes.create_string_buffer(_POINTER), ctypes.create_string_buffer(1)
    _LIBSTDCXX["_ZNSsC1EPKcRKSaIcE"](slot, text.encode(), allocator)
    return slot


def _path(text: str) -> ctypes.Array[ctypes.c_char]:
    """A std::filesystem::path: its text and the list of its parts."""
    path = ctypes.create_string_buffer(2 * _POINTER)
    ctypes.memmove(path, _string(text), _POINTER)
    parts = ctypes.c_void_p(ctypes.addressof(path) + _POINTER)
    _LIBSTDCXX["_ZNSt10filesystem4path5_ListC1Ev"](parts)
    _LIBSTDCXX["_ZNSt10filesystem4path14_M_split_cmptsEv"](path)
    return path


def _empty_preset() -> ctypes.Array[ctypes.c_char]:
    """A common_preset: a name and a map whose outermost links point at its own header."""
    preset = ctypes.create_string_buffer(_POINTER + _MAP_BYTES)
    ctypes.memmove(preset, _string(""), _POINTER)
    header = ctypes.addressof(preset) + _POINTER + _MAP_HEADER
    for link in (2, 3):
        ctypes.c_void_p.from_address(header + link * _POINTER).value = header
    return preset


def _nodes(tree: int) -> Iterator[int]:
    """Nodes of a std::map in no particular order."""
    waiting = [_link(tree + _MAP_HEADER, 1)]
    while waiting:
        node = waiting.pop()
        if node:
            yield node
            waiting += [_link(node, 2), _link(node, 3)]


def _link(node: int, index: int) -> int:
    return ctypes.c_void_p.from_address(node + index * _POINTER).value or 0


def _text(slot: int) -> str:
    """Characters of the std::string at an address."""
    return ctypes.c_char_p.from_address(slot).value.decode()  # type: ignore[union-attr]
