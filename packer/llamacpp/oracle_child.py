"""The child that asks the real llama.cpp: a command line in, bytes per device out, as JSON.

``python -m packer.llamacpp.oracle_child`` with the words on standard input. The wheel exports
llama.cpp's C++ functions; ``check_layout`` stops before anything is called in an unknown build.

Source: llama.cpp b11549, common/arg.h, common/common.h, common/fit.h.
"""

import ctypes
import json
import os
import sys
from typing import Any

PARAMS_BYTES = 4904
"""Size of CommonParams in xllamacpp 2026.10.11549; another size means another layout."""

_PARAMS_OFFSET = 16
_SERVER_EXAMPLE = 12  # LLAMA_EXAMPLE_SERVER
_STRUCT_BYTES = 4096  # room for llama_model_params and llama_context_params
_LOG_ERRORS_ONLY = 4
_PARSE = "_Z19common_params_parseiPPcR13common_params13llama_examplePFviS0_E"
_MODEL_PARAMS = "_Z28common_model_params_to_llamaR13common_params"
_CONTEXT_PARAMS = "_Z30common_context_params_to_llamaRK13common_params"
_PLAN = (
    "_Z29common_get_device_memory_dataPKcPK18llama_model_paramsPK20llama_context_params"
    "RSt6vectorIP19ggml_backend_deviceSaIS9_EERjSD_SD_14ggml_log_level"
)


class DeviceMemory(ctypes.Structure):
    """One row of common_get_device_memory_data()."""

    _fields_ = (
        ("total", ctypes.c_int64),
        ("free", ctypes.c_int64),
        ("model", ctypes.c_size_t),
        ("context", ctypes.c_size_t),
        ("compute", ctypes.c_size_t),
    )


def check_layout(params_bytes: int) -> None:
    """Stop if the wheel is not one whose layout is known."""
    if params_bytes != PARAMS_BYTES:
        sys.exit(f"error: this build of xllamacpp is not known: its parameters take {params_bytes}")


def parsed(xllamacpp: Any, library: ctypes.CDLL, words: list[str]) -> Any:
    """Parameters as the real parser reads them; the process ends if it refuses."""
    params = xllamacpp.CommonParams()
    parse = library[_PARSE]
    parse.restype = ctypes.c_bool
    parse.argtypes = [
        ctypes.c_int,
        ctypes.POINTER(ctypes.c_char_p),
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_void_p,
    ]
    encoded = [os.fsencode(word) for word in words]
    argv = (ctypes.c_char_p * (len(words) + 1))(*encoded, None)
    if not parse(len(words), argv, id(params) + _PARAMS_OFFSET, _SERVER_EXAMPLE, None):
        sys.exit(1)
    return params


def planned(library: ctypes.CDLL, params: Any, path: str) -> list[tuple[str, int, int, int]]:
    """Device, weights, context and compute of every device, the host last [bytes]."""
    address = id(params) + _PARAMS_OFFSET
    model_params, context_params = (ctypes.create_string_buffer(_STRUCT_BYTES) for _ in range(2))
    for name, buffer in ((_MODEL_PARAMS, model_params), (_CONTEXT_PARAMS, context_params)):
        convert = library[name]
        convert.restype, convert.argtypes = None, [ctypes.c_void_p, ctypes.c_void_p]
        convert(buffer, address)
    plan = library[_PLAN]
    plan.restype = None
    plan.argtypes = [ctypes.c_void_p, ctypes.c_char_p, *[ctypes.c_void_p] * 6, ctypes.c_int]
    # Two std::vector: the result, and the devices; each is begin, end, end of storage.
    rows, devices = (ctypes.c_void_p * 3)(), (ctypes.c_void_p * 3)()
    counts = [ctypes.byref(ctypes.c_uint32()) for _ in range(3)]
    plan(rows, os.fsencode(path), model_params, context_params, devices, *counts, _LOG_ERRORS_ONLY)
    first, last = rows[0] or 0, rows[1] or 0
    found = (DeviceMemory * ((last - first) // ctypes.sizeof(DeviceMemory))).from_address(first)
    names = [*device_names(library, devices), "Host"]
    return [
        (name, row.model, row.context, row.compute) for name, row in zip(names, found, strict=True)
    ]


def device_names(library: ctypes.CDLL, devices: Any) -> list[str]:
    """Names of the devices in a std::vector<ggml_backend_dev_t>."""
    first, last = devices[0] or 0, devices[1] or 0
    if first == last:
        return []
    name_of = library["ggml_backend_dev_name"]
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
    count = (last - first) // ctypes.sizeof(ctypes.c_void_p)
    pointers = (ctypes.c_void_p * count).from_address(first)
    return [name_of(pointer).decode() for pointer in pointers]


def main() -> None:
    """Answer the one question on standard input."""
    words = json.load(sys.stdin)
    answer = os.fdopen(os.dup(1), "w")
    # What llama.cpp prints goes where faults are looked for.
    os.dup2(2, 1)
    from xllamacpp import xllamacpp

    check_layout(xllamacpp.CommonParams.__basicsize__)
    library = ctypes.CDLL(xllamacpp.__file__)
    params = parsed(xllamacpp, library, words)
    print(json.dumps(planned(library, params, params.model.path)), file=answer, flush=True)
    # llama.cpp's own clean-up takes its time and may crash; the answer is out.
    os._exit(0)


if __name__ == "__main__":
    main()
