"""Weights and caches beside what real cards logged in public, by older builds and forks."""

import json
from typing import Any

import pytest

from packer.catalogue.models import load_model_file
from packer.domain.server_options import ServerOptions
from packer.memory.estimate import estimate_memory
from packer.memory.kv_cache import kv_cache_bytes
from packer.memory.layer_split import HOST
from packer.memory.resolution import resolve_context
from packer.memory.result import Card, MemoryEstimate
from packer.units import GIB, MIB
from tests.memory_models import Keys, MadeUp
from tests.memory_truth import DATA

Log = dict[str, Any]
LOGS: list[Log] = [json.loads(line) for line in (DATA / "real_logs.jsonl").read_text().splitlines()]
# Logs print MiB with two digits.
ROUNDING = 0.0051
LATENT = 512 + 64
# llama.cpp before it compressed DeepSeek's cache, and a fork's own layout of it.
OTHER_LAYOUT = ("m0198", "m0199")


def sizable(log: Log) -> bool:
    """Whether a row carries enough to compute its cache."""
    has_sizes = all(log.get(key) for key in ("n_layer", "n_head_kv", "n_embd_head_k", "n_ctx"))
    has_cache = any("kv_mib" in sizes for sizes in log.get("devices", {}).values())
    return has_sizes and has_cache and log["log_id"] not in OTHER_LAYOUT


def cached_mib(log: Log, key_type: str, value_type: str, *, is_host: bool) -> float:
    """Our cache of a log's model, all layers in one place [MiB]."""
    is_latent = bool(log.get("mla")) and log["arch"] == "deepseek2"
    keys: Keys = {"attention.key_length": log["n_embd_head_k"]} | (
        {
            "attention.key_length": LATENT,
            "attention.head_count_kv": 1,
            "attention.key_length_mla": log["n_embd_head_k"],
            "attention.value_length_mla": log["n_embd_head_v"],
        }
        if is_latent
        else {"attention.value_length": log["n_embd_head_v"]}
    )
    sizes = MadeUp(
        log["arch"], log["n_layer"], log["n_embd"], log["n_head"], log["n_head_kv"], keys=keys
    ).sizes()
    asked = ServerOptions(
        context_size=log["n_ctx"], slots=1, cache_type_k=key_type, cache_type_v=value_type
    )
    place = HOST if is_host else 0
    layers = (place,) * (log["n_layer"] + 1)
    held = kv_cache_bytes(sizes, resolve_context(sizes, asked), layers, True)
    return held[place] / MIB


@pytest.mark.parametrize(
    "log", [log for log in LOGS if sizable(log)], ids=lambda log: str(log["log_id"])
)
def test_the_cache_equals_the_log(log: Log) -> None:
    logged = sum(sizes.get("kv_mib", 0) for sizes in log["devices"].values())
    types = log["ctk"], log.get("ctv") or log["ctk"]
    if log.get("k_mib_v_mib"):
        ((key, value),) = log["k_mib_v_mib"]
        ours = cached_mib(log, *types, is_host=True)
        assert ours == pytest.approx(key + value, abs=2 * ROUNDING)
        # A fork adds some bytes of its own to each layer.
        assert logged == pytest.approx(ours, abs=0.06)
    else:
        ours = cached_mib(log, *types, is_host=False)
        assert logged == pytest.approx(ours, abs=len(log["devices"]) * ROUNDING)


def test_enough_logs_are_compared() -> None:
    assert sum(map(sizable, LOGS)) >= 45


def cuda(log: Log, part: str) -> list[float]:
    """One part on every CUDA card of a log [MiB]."""
    devices = log["devices"]
    return [devices[f"CUDA{i}"][part] for i in range(len(devices)) if f"CUDA{i}" in devices]


# Eight cards are left out: equal ones were not equally free, and the log does not say how free.
LLAMA_3 = [
    log
    for log in LOGS
    if log.get("model") == "Meta-Llama-3-8B" and 1 <= len(cuda(log, "model_mib")) <= 4
]


def llama_3(log: Log) -> MemoryEstimate:
    """Our estimate of the same shape on as many equal cards."""
    count = len(cuda(log, "model_mib"))
    cards = [Card(f"CUDA{index}", 24 * GIB) for index in range(count)]
    asked = ServerOptions(context_size=log["n_ctx"], slots=1)
    return estimate_memory(load_model_file("llama-3.1-8b", "Q4_K_M"), asked, cards)


@pytest.mark.parametrize("log", LLAMA_3, ids=lambda log: str(log["log_id"]))
def test_layers_weights_and_cache_lie_on_the_same_real_cards(log: Log) -> None:
    """1, 2 and 4 equal cards; the newer shape has rope factors of 256 bytes more per card."""
    found = llama_3(log)
    for device, weights, cache in zip(
        found.devices, cuda(log, "model_mib"), cuda(log, "kv_mib"), strict=True
    ):
        assert device.weights_bytes / MIB == pytest.approx(weights, abs=2 * ROUNDING)
        assert device.context_bytes / MIB == pytest.approx(cache, abs=ROUNDING)
    assert found.host.weights_bytes / MIB == pytest.approx(281.81, abs=ROUNDING)


@pytest.mark.parametrize(
    ("log_id", "model", "quantization"),
    [("m0111", "qwen3-235b-a22b", "Q6_K"), ("m0193", "qwen3-235b-a22b", "Q8_0")],
)
def test_weights_of_other_shapes_are_within_half_a_percent(
    log_id: str, model: str, quantization: str
) -> None:
    (log,) = (log for log in LOGS if log["log_id"] == log_id)
    logged = sum(sizes.get("model_mib", 0) for sizes in log["devices"].values())
    asked = ServerOptions(context_size=4096, slots=1)
    ours = estimate_memory(load_model_file(model, quantization), asked, ()).host.weights_bytes
    assert ours / MIB == pytest.approx(logged, rel=0.005)
