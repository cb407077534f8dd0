"""Compute buffers beside what real cards logged in public, by older builds.

Builds since about September 2026 keep one more set of inputs, for batches of tokens and embeddings
together. Ours has them for every build; without them it is compared with the logs here.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from packer.catalogue.models import load_model_file
from packer.domain.model import ModelFile
from packer.llamacpp.arguments import parse_arguments
from packer.memory import compute_reservations
from packer.memory.architectures import ARCHITECTURES
from packer.memory.compute_graphs import graph_inputs
from packer.memory.hyperparameters import read_hyperparameters
from packer.memory.resolution import resolve_context
from packer.units import MIB
from tests.compute_truth import BUILD, buffers
from tests.memory_truth import DATA, cards

LOGS: dict[str, dict[str, Any]] = {
    log["log_id"]: log
    for log in map(json.loads, (DATA / "real_logs.jsonl").read_text().splitlines())
}
LLAMA_3 = [name for name, log in LOGS.items() if log.get("model") == "Meta-Llama-3-8B"]
ROUNDING = 0.0051
BEFORE_JUNE_2026 = "b5000"


@pytest.fixture
def no_mixed_inputs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Graphs without the inputs of mixed batches."""
    compute_reservations._shared.clear()
    monkeypatch.setattr(graph_inputs, "WITHOUT_MIXED_INPUT", frozenset(ARCHITECTURES))
    yield
    compute_reservations._shared.clear()


def cuda(log: dict[str, Any]) -> list[float]:
    """Compute buffers of a log's cards [MiB]."""
    devices = log["devices"]
    names = (f"CUDA{index}" for index in range(len(devices)))
    return [devices[name]["compute_mib"] for name in names if name in devices]


def computed(model: ModelFile, arguments: str, count: int, build: str) -> tuple[list[float], float]:
    """Our compute buffers of the cards and of the host, nothing remembered of the model [MiB]."""
    model = replace(model)
    options = parse_arguments(["llama-server", "-m", "m.gguf", *arguments.split(), "--fit", "off"])
    context = resolve_context(read_hyperparameters(model), options)
    visible = cards(",".join(["24576"] * count))
    has_attention = "-fa off" not in arguments
    found = buffers(model, context, options, visible, has_attention, build=build)
    return [part.bytes / MIB for part in found.cards], found.host.bytes / MIB


@pytest.mark.usefixtures("no_mixed_inputs")
def test_a_small_hybrid_of_2026_is_equal() -> None:
    log = LOGS["m0250"]
    model = load_model_file("qwen3.5-0.8b", "Q4_K_M")
    ours, host = computed(model, "-c 8192 -np 4", 1, BUILD)
    assert ours == pytest.approx(cuda(log), abs=ROUNDING)
    assert host == pytest.approx(log["devices"]["CUDA_Host"]["compute_mib"], abs=ROUNDING)


@pytest.mark.usefixtures("no_mixed_inputs")
def test_a_hybrid_with_multi_token_prediction_over_two_cards_is_equal() -> None:
    """A server of August 2026 with -ts 17,13; its host buffer is 15 MiB smaller than ours."""
    log = LOGS["m0252"]
    model = load_model_file("qwen3.5-27b-mtp", "Q5_K_M")
    arguments = "-c 262144 -np 1 -ub 256 -ctk q8_0 -ctv q8_0 -ts 17,13 --spec-type draft-mtp"
    ours, host = computed(model, arguments, 2, BUILD)
    assert ours == pytest.approx(cuda(log), abs=ROUNDING)
    assert 0 < host - log["devices"]["CUDA_Host"]["compute_mib"] < 15.1


@pytest.mark.usefixtures("no_mixed_inputs")
@pytest.mark.parametrize("log_id", LLAMA_3)
def test_llama_3_of_2024_is_a_little_smaller_than_ours(log_id: str) -> None:
    """One to eight cards without flash attention; logits of the whole batch are reserved."""
    log = LOGS[log_id]
    real = cuda(log) or [log["devices"]["Metal"]["compute_mib"]]
    model = load_model_file("llama-3.1-8b", "Q4_K_M")
    ours, _ = computed(model, f"-c {log['n_ctx']} -np 1 -fa off", len(real), BEFORE_JUNE_2026)
    for found, logged in zip(ours, real, strict=True):
        assert 0 < found - logged < 0.03 * logged


def test_inputs_of_mixed_batches_are_all_that_newer_builds_add() -> None:
    """Embeddings, tokens and their rows, four times over for two cards in a pipeline."""
    model = load_model_file("llama-3.1-8b", "Q4_K_M")
    ours, _ = computed(model, "-c 8192 -np 1 -fa off", 2, BEFORE_JUNE_2026)
    logged = cuda(LOGS["m0009"])
    inputs = 4 * 512 * (4096 * 4 + 4 + 8) / MIB
    assert ours[1] == pytest.approx(logged[1], rel=0.03)
    assert inputs < ours[0] - logged[0] < 3 * inputs
