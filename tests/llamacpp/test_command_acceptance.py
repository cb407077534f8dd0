"""Command lines we write are accepted by the real parser and start the real server."""

from dataclasses import replace
from pathlib import Path

import pytest
from xllamacpp import __version__ as wheel_version

from packer.domain.server_options import (
    DraftOptions,
    FlashAttention,
    ServerOptions,
    SplitMode,
)
from packer.domain.serving_options import ServingOptions
from packer.llamacpp.arguments import parse_arguments
from packer.llamacpp.command import format_command
from packer.llamacpp.router_preset import format_preset
from tests.llamacpp.oracle import Oracle, serve_and_complete
from tests.tiny_companions import write_tiny_lora, write_tiny_projector
from tests.tiny_hybrid import write_tiny_hybrid
from tests.tiny_models import ARCHITECTURES, TinyShape, write_tiny_model

BUILD = "b11549"
SERVING = ServingOptions(alias="chat", model_path="/models/chat.gguf")
PLANNED = ServerOptions(
    model="/models/chat.gguf",
    context_size=16384,
    slots=4,
    kv_unified=False,
    tensor_split=(24.0, 40.0),
    devices=("CUDA0", "CUDA1"),
    cache_type_k="q8_0",
    cache_type_v="q8_0",
    flash_attention=FlashAttention.ON,
    prompt_cache_mib=2048,
    context_checkpoints=8,
    fit=False,
)


def test_the_wheel_is_the_pinned_one() -> None:
    assert wheel_version == "2026.10.11549"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_planned_server_starts_and_completes(
    oracle: Oracle, tmp_path: Path, architecture: str
) -> None:
    tiny = write_tiny_model(tmp_path / "tiny.gguf", TinyShape(architecture=architecture))
    argv = format_command(PLANNED, SERVING, build=BUILD)
    served = serve_and_complete(argv, {SERVING.model_path: tiny}, oracle)
    assert served.changed == (
        f"--model /models/chat.gguf -> {tiny}",
        "--host 0.0.0.0 -> 127.0.0.1",
        "--port 8080 -> 0",
        "--device CUDA0,CUDA1 dropped",
    )
    assert served.replies["/health"] == (200, '{"status":"ok"}')
    status, text = served.replies["/completion"]
    assert status == 200
    assert '"tokens_predicted":' in text


@pytest.mark.parametrize(
    ("options", "path"),
    [
        (replace(PLANNED, embedding=True, pooling="mean"), "/embedding"),
        (replace(PLANNED, embedding=True, reranking=True), "/v1/rerank"),
        (replace(PLANNED, kv_unified=True, swa_full=True), "/completion"),
        (replace(PLANNED, split_mode=SplitMode.NONE, main_gpu=1), "/completion"),
        (replace(PLANNED, gpu_layers=3, cpu_moe=True, kv_offload=False), "/completion"),
        (replace(PLANNED, load_mode="none", repack=False, no_host=True), "/completion"),
        (replace(PLANNED, speculation=("ngram-mod",), ngram_depth=16), "/completion"),
        (
            replace(
                PLANNED,
                draft=DraftOptions(model="/models/draft.gguf", devices=("CUDA1",)),
                speculation=("draft-simple",),
                draft_depth=4,
            ),
            "/completion",
        ),
    ],
)
def test_every_kind_of_server_answers(
    oracle: Oracle, tiny_llama: Path, options: ServerOptions, path: str
) -> None:
    argv = format_command(options, SERVING, build=BUILD)
    tiny = dict.fromkeys((SERVING.model_path, "/models/draft.gguf"), tiny_llama)
    served = serve_and_complete(argv, tiny, oracle)
    assert served.is_accepted, served.log
    assert served.replies["/health"][0] == 200
    assert served.replies[path][0] == 200, served.replies[path]


def test_a_server_with_a_projector_looks_at_a_picture(oracle: Oracle, tmp_path: Path) -> None:
    options = replace(PLANNED, projector="/models/mmproj.gguf", lora=("/models/lora.gguf",))
    shape = TinyShape(architecture="gemma3")
    tiny = {
        SERVING.model_path: write_tiny_model(tmp_path / "tiny.gguf", shape),
        "/models/mmproj.gguf": write_tiny_projector(tmp_path / "mmproj.gguf"),
        "/models/lora.gguf": write_tiny_lora(tmp_path / "lora.gguf", shape),
    }
    served = serve_and_complete(format_command(options, SERVING, build=BUILD), tiny, oracle)
    status, text = served.replies["/v1/chat/completions"]
    assert status == 200, text
    assert '"completion_tokens":4' in text


def test_a_server_drafts_with_its_own_last_block(oracle: Oracle, tmp_path: Path) -> None:
    options = replace(PLANNED, speculation=("draft-mtp",), draft_depth=2)
    tiny = {SERVING.model_path: write_tiny_hybrid(tmp_path / "tiny.gguf")}
    served = serve_and_complete(format_command(options, SERVING, build=BUILD), tiny, oracle)
    assert served.replies["/completion"][0] == 200, served.log


def test_a_refused_command_line_is_reported_with_what_was_printed(oracle: Oracle) -> None:
    served = serve_and_complete(("llama-server", "--no-such-flag"), {}, oracle)
    assert not served.is_accepted
    assert "invalid argument: --no-such-flag" in served.log


def test_a_server_that_aborts_is_a_refusal(oracle: Oracle, tiny_llama: Path) -> None:
    argv = ["llama-server", "-m", str(tiny_llama), "-c", "1024", "-np", "257"]
    projected = oracle.project(argv)
    assert not projected.is_accepted
    assert "ended" in projected.log
    assert oracle.parse(["llama-server"]).is_accepted


def test_the_real_router_reads_our_preset(oracle: Oracle, tmp_path: Path) -> None:
    others = (
        replace(
            PLANNED, embedding=True, context_size=512, slots=1, override_tensors=(("a|b", "CPU"),)
        ),
        replace(PLANNED, kv_unified=True, kv_offload=False, gpu_layers=7, cpu_moe=True),
        replace(PLANNED, draft=DraftOptions(model="/d.gguf"), speculation=("draft-simple",)),
    )
    models = {f"org/model-{number}.Q4_K_M": o for number, o in enumerate((PLANNED, *others))}
    path = tmp_path / "preset.ini"
    pairs = [(options, replace(SERVING, alias=alias)) for alias, options in models.items()]
    path.write_text(format_preset(pairs, build=BUILD))
    children = oracle.presets(path)
    assert {alias: parse_arguments(argv, build=BUILD) for alias, argv in children.items()} == models


def test_a_server_started_by_the_router_answers(
    oracle: Oracle, tmp_path: Path, tiny_llama: Path
) -> None:
    path = tmp_path / "preset.ini"
    path.write_text(format_preset([(PLANNED, SERVING)], build=BUILD))
    argv = [*oracle.presets(path)["chat"], "--host", "127.0.0.1", "--port", "8080"]
    served = serve_and_complete(argv, {SERVING.model_path: tiny_llama}, oracle)
    assert served.replies["/completion"][0] == 200
