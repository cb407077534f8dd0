"""Buffers read from logs: a real one of b11434, and lines as the CUDA backend formats them."""

import time
from pathlib import Path

from packer.llamacpp.server_log import GpuLine, read_server_log
from packer.units import MIB

LOGS = Path(__file__).parents[2] / "data" / "llamacpp"

# Same format strings as the source; the figures are made up.
CUDA_LINES = """
ggml_cuda_init: found 2 CUDA devices (Total VRAM: 48160 MiB):
  Device 0: NVIDIA GeForce RTX 4090, compute capability 8.9, VMM: yes, VRAM: 24080 MiB
  Device 1: NVIDIA GeForce RTX 4090, compute capability 8.9, VMM: yes
llama_model_loader: loaded meta data with 23 key-value pairs and 29 tensors from /m/a b.gguf (version GGUF V3 (latest))
load_tensors:        CUDA0 model buffer size =   999.00 MiB
llama_context: constructing llama_context
llama_context: n_ctx                 = 65536
llama_kv_cache:      CUDA0 KV buffer size =   999.00 MiB
llama_model_loader: loaded meta data with 23 key-value pairs and 29 tensors from /m/a b.gguf (version GGUF V3 (latest))
load_tensors: offloaded 33/33 layers to GPU
load_tensors:   CPU_Mapped model buffer size =   281.81 MiB
load_tensors:        CUDA0 model buffer size =  2000.50 MiB
load_tensors:        CUDA1 model buffer size =  2100.25 MiB
llama_context: constructing llama_context
llama_context: n_ctx                 = 8192
llama_context: flash_attn            = disabled
llama_context:  CUDA_Host  output buffer size =     0.49 MiB
llama_kv_cache:      CUDA0 KV buffer size =   512.00 MiB
llama_kv_cache:      CUDA0 KV buffer size =   128.00 MiB
llama_memory_recurrent:      CUDA1 RS buffer size =    62.50 MiB
sched_reserve: reserving ...
sched_reserve:      CUDA0 compute buffer size =   400.00 MiB
sched_reserve: reserving ...
sched_reserve:      CUDA0 compute buffer size =   304.00 MiB
llama_context: constructing llama_context
llama_context: n_ctx                 = 8192
llama_kv_cache:      CUDA1 KV buffer size =    16.00 MiB
sched_reserve: reserving ...
sched_reserve:      CUDA1 compute buffer size =   110.00 MiB
sched_reserve: reserving ...
sched_reserve:      CUDA0 compute buffer size =   310.00 MiB
reserve_compute_meta:      CUDA0 compute buffer size =    69.12 MiB
common_memory_breakdown_print: |   - CUDA0 (RTX 4090)   | 24080 = 20000 + (3000 =  2000 +     640 +     304) +        1080 |
common_memory_breakdown_print: |   - Host               |                  282 =   281 +       0 +       0                |
"""  # noqa: E501 — log lines are long


def test_a_real_log_with_a_draft_model() -> None:
    log = read_server_log((LOGS / "server-log-b11434.txt").read_text().splitlines())
    target, draft = log.models
    assert (target.path, draft.path) == ("target.gguf", "draft.gguf")
    assert target.weights_bytes == {"CPU_Mapped": round(0.43 * MIB)}
    (context,) = draft.contexts
    assert context.cache_bytes == {"CPU": 2 * MIB}
    assert context.compute_bytes == {"CPU": round(3.52 * MIB)}
    assert context.counts["n_ctx_seq"] == 2048
    assert context.counts["n_outputs_max"] == 2
    assert context.flash_attention is True
    assert log.gpus == ()
    assert log.unaccounted_bytes == {}


def test_the_last_pass_counts_and_caches_add_up() -> None:
    log = read_server_log(CUDA_LINES.splitlines())
    (model,) = log.models
    assert model.path == "/m/a b.gguf"
    assert model.gpu_layers == 33
    assert model.weights_bytes == {
        "CPU_Mapped": round(281.81 * MIB),
        "CUDA0": round(2000.5 * MIB),
        "CUDA1": round(2100.25 * MIB),
    }
    main, nextn = model.contexts
    assert main.counts == {"n_ctx": 8192}
    assert main.flash_attention is False
    assert main.cache_bytes == {"CUDA0": 640 * MIB, "CUDA1": round(62.5 * MIB)}
    assert main.compute_bytes == {"CUDA0": 304 * MIB}
    assert main.output_bytes == {"CUDA_Host": round(0.49 * MIB)}
    assert nextn.cache_bytes == {"CUDA1": 16 * MIB}
    assert nextn.compute_bytes == {"CUDA1": 110 * MIB}


def test_cards_projector_and_what_is_unaccounted() -> None:
    log = read_server_log(CUDA_LINES.splitlines())
    assert log.gpus == (
        GpuLine(0, "NVIDIA GeForce RTX 4090", "8.9", 24080 * MIB),
        GpuLine(1, "NVIDIA GeForce RTX 4090", "8.9", None),
    )
    assert log.projector_compute_bytes == {"CUDA0": round(69.12 * MIB)}
    assert log.unaccounted_bytes == {"CUDA0": 1080 * MIB}


def test_a_log_without_buffers_has_no_models() -> None:
    assert read_server_log(["srv llama_server: listening on http://127.0.0.1:8080"]).models == ()


def test_long_lines_cost_no_more_than_their_length() -> None:
    starts = (
        "loaded meta data with 1 key-value pairs and 1 tensors from ",
        "|  - a () | 1 = 1 + () + ",
        "|  - a (",
        "llama_new_context",
        "Device 0: a",
        "a",
    )
    begun = time.process_time()
    log = read_server_log([(start * 40_000)[:400_000] for start in starts])
    assert (log.models, log.gpus) == ((), ())
    assert time.process_time() - begun < 2
