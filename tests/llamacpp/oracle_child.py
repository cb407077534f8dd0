"""The real llama.cpp inside a process of its own: reads questions, writes answers, line by line.

It runs in a child because llama.cpp ends the process on some errors. The wheel exports llama.cpp's
C++ functions; they are called through ctypes with the layout checked by ``check_layout``.
"""

import ctypes
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xllamacpp import xllamacpp

from tests.llamacpp.preset_reader import read_presets
from tests.llamacpp.reserved_graphs import ParameterBlock, make_nextn, reserved_graphs

PARAMS_BYTES = 4904
"""Size of CommonParams in the pinned wheel; another size means another layout."""

_PARAMS_OFFSET = 16
_EXAMPLES = {"llama-server": 12, "llama-fit-params": 21}
_LOG_ERRORS_ONLY = 4
_LIBRARY = ctypes.CDLL(xllamacpp.__file__)

Answer = dict[str, Any]


class DeviceRow(ctypes.Structure):
    """One row of common_get_device_memory_data()."""

    _fields_ = (
        ("total", ctypes.c_int64),
        ("free", ctypes.c_int64),
        ("model", ctypes.c_size_t),
        ("context", ctypes.c_size_t),
        ("compute", ctypes.c_size_t),
    )


@contextmanager
def silent_model_log() -> Iterator[None]:
    """Send the log of loading and planning nowhere; only what the parser prints is kept."""
    # abs() takes the level, returns it and touches nothing: a C function that swallows log lines.
    swallow = ctypes.cast(ctypes.CDLL(None).abs, ctypes.c_void_p)
    callback, data = ctypes.c_void_p(), ctypes.c_void_p()
    _LIBRARY.llama_log_get(ctypes.byref(callback), ctypes.byref(data))
    _LIBRARY.llama_log_set(swallow, None)
    yield
    _LIBRARY.llama_log_set(callback, data)


def check_layout() -> None:
    """Stop at once if the wheel is not the one these offsets were read from."""
    found = xllamacpp.CommonParams.__basicsize__
    if found != PARAMS_BYTES:
        sys.exit(f"xllamacpp has another layout: {found} bytes instead of {PARAMS_BYTES}")


def parsed(argv: list[str]) -> Any:
    """CommonParams the real parser makes of a command line; None if it refuses."""
    parse = _LIBRARY["_Z19common_params_parseiPPcR13common_params13llama_examplePFviS0_E"]
    parse.restype = ctypes.c_bool
    parse.argtypes = [
        ctypes.c_int,
        ctypes.POINTER(ctypes.c_char_p),
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_void_p,
    ]
    params = xllamacpp.CommonParams()
    words = (ctypes.c_char_p * (len(argv) + 1))(*[word.encode() for word in argv], None)
    example = _EXAMPLES[Path(argv[0]).name]
    accepted = parse(len(argv), words, id(params) + _PARAMS_OFFSET, example, None)
    return params if accepted else None


def answer_parse(question: Answer) -> Answer:
    """Whether a command line is accepted, and the fields that size something."""
    os.environ.update(question.get("environment", {}))
    try:
        params = parsed(question["argv"])
    finally:
        for name in question.get("environment", {}):
            del os.environ[name]
    if params is None:
        return {"accepted": False}
    return {"accepted": True, "fields": _fields(params)}


def _fields(params: Any) -> Answer:
    draft = params.speculative.draft
    return {
        "context_size": params.n_ctx,
        "slots": params.n_parallel,
        "batch_size": params.n_batch,
        "ubatch_size": params.n_ubatch,
        "gpu_layers": params.n_gpu_layers,
        "tensor_split": list(params.tensor_split),
        "split_mode": int(params.split_mode),
        "main_gpu": params.main_gpu,
        "cache_type_k": int(params.cache_type_k),
        "cache_type_v": int(params.cache_type_v),
        "flash_attention": int(params.flash_attn_type),
        "kv_unified": params.kv_unified,
        "kv_offload": not params.no_kv_offload,
        "op_offload": not params.no_op_offload,
        "swa_full": params.swa_full,
        "embedding": params.embedding,
        "pooling": int(params.pooling_type),
        "fit": params.fit_params,
        "cache_ram": params.cache_ram_mib,
        "checkpoints": params.n_ctx_checkpoints,
        "draft_n_max": draft.n_max,
        "draft_gpu_layers": draft.n_gpu_layers,
    }


def answer_project(question: Answer) -> Answer:
    """Bytes per device by part as llama.cpp's own planner projects them, the host last."""
    params = parsed(question["argv"])
    if params is None:
        return {"accepted": False}
    blocks = _parameter_blocks(params)
    project = _LIBRARY[
        "_Z29common_get_device_memory_dataPKcPK18llama_model_paramsPK20llama_context_params"
        "RSt6vectorIP19ggml_backend_deviceSaIS9_EERjSD_SD_14ggml_log_level"
    ]
    project.restype = None
    project.argtypes = [ctypes.c_void_p, ctypes.c_char_p, *[ctypes.c_void_p] * 6, ctypes.c_int]
    rows, devices = (ctypes.c_void_p * 3)(), (ctypes.c_void_p * 3)()
    counts = [ctypes.byref(ctypes.c_uint32()) for _ in range(3)]
    path = params.model.path.encode()
    with silent_model_log():
        project(rows, path, *map(ctypes.byref, blocks), devices, *counts, _LOG_ERRORS_ONLY)
    first, last = rows[0] or 0, rows[1] or 0
    found = (DeviceRow * ((last - first) // ctypes.sizeof(DeviceRow))).from_address(first)
    parts = [{"model": r.model, "context": r.context, "compute": r.compute} for r in found]
    return {"accepted": True, "rows": parts}


def _parameter_blocks(params: Any) -> tuple[ParameterBlock, ParameterBlock]:
    """What llama.cpp makes of parsed words: parameters of the model, and of the context."""
    blocks = ParameterBlock(), ParameterBlock()
    for name, block in zip(
        (
            "_Z28common_model_params_to_llamaR13common_params",
            "_Z30common_context_params_to_llamaRK13common_params",
        ),
        blocks,
        strict=True,
    ):
        convert = _LIBRARY[name]
        convert.restype, convert.argtypes = None, [ctypes.c_void_p, ctypes.c_void_p]
        convert(ctypes.byref(block), id(params) + _PARAMS_OFFSET)
    return blocks


def answer_graphs(question: Answer) -> Answer:
    """Graphs that are reserved for some batches."""
    params = parsed(question["argv"])
    if params is None:
        return {"accepted": False}
    blocks = _parameter_blocks(params)
    if question["is_nextn"]:
        make_nextn(blocks[1])
    with silent_model_log():
        graphs = reserved_graphs(_LIBRARY, params.model.path, *blocks, question["batches"])
    return {"accepted": graphs is not None, "graphs": graphs}


def answer_presets(question: Answer) -> Answer:
    """Command lines a router would start for the sections of a preset file."""
    return {
        "accepted": True,
        "sections": read_presets(_LIBRARY, question["path"], "llama-server"),
    }


def answer_serve(question: Answer) -> Answer:
    """Start the real HTTP server, ask for its health and for what the question wants."""
    params = parsed(question["argv"])
    if params is None:
        return {"accepted": False}
    server = xllamacpp.Server(params)
    headers = {"Content-Type": "application/json", **question.get("headers", {})}
    asked = {"/health": None, **question["requests"]}
    replies = {
        path: _fetch(f"{server.listening_address}{path}", body, headers)
        for path, body in asked.items()
    }
    return {"accepted": True, "replies": replies}


def _fetch(url: str, body: Answer | None, headers: dict[str, str]) -> Answer:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return {"status": reply.status, "text": reply.read().decode()}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "text": error.read().decode()}


ANSWERS: dict[str, Callable[[Answer], Answer]] = {
    "parse": answer_parse,
    "project": answer_project,
    "presets": answer_presets,
    "graphs": answer_graphs,
    "serve": answer_serve,
}


def main() -> None:
    """Answer every line of standard input; what llama.cpp prints goes to the file that is named."""
    check_layout()
    protocol, log = os.fdopen(os.dup(1), "w"), Path(sys.argv[1])
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    for line in sys.stdin:
        os.truncate(log, 0)
        question = json.loads(line)
        print(json.dumps(ANSWERS[question["do"]](question)), file=protocol, flush=True)
    # Skip llama.cpp's own clean-up: the answers are out, and it takes its time.
    os._exit(0)


if __name__ == "__main__":
    main()
