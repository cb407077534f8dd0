"""Measured speeds in what llama.cpp's programs print; the files are of real runs of b11434.

``tests/data/llamacpp``: one thread of a CPU, the model of ``TinyShape()``, 2026-11-22.
"""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packer.domain.server_options import FlashAttention
from packer.errors import InvalidInput
from packer.llamacpp.benchmark_command import as_server_command
from packer.llamacpp.measured_run import MeasuredRun
from packer.llamacpp.speed_results import read_speed_results

FOLDER = Path(__file__).parents[2] / "data/llamacpp"
BENCH = (FOLDER / "llama-bench-b11434.json").read_text()
TABLE = (FOLDER / "llama-batched-bench-b11434.txt").read_text()
BATCHED = (FOLDER / "llama-batched-bench-b11434.jsonl").read_text()
ANSWERS = (FOLDER / "server-answers-b11434.jsonl").read_text()
LOG = (FOLDER / "server-timings-log-b11434.txt").read_text()
METRICS = (FOLDER / "server-metrics-b11434.txt").read_text()
ROW = json.loads(BENCH)[0]


def _decoded(runs: tuple[MeasuredRun, ...]) -> list[MeasuredRun]:
    return [run for run in runs if not run.is_prompt]


def test_llama_bench_says_everything() -> None:
    runs = read_speed_results(BENCH)
    assert [(run.is_prompt, run.tokens, run.depth, run.slots) for run in runs] == [
        (True, 256, 0, 1),
        (False, 64, 0, 1),
        (True, 256, 2048, 1),
        (False, 64, 2048, 1),
    ]
    setup = runs[0].setup
    assert setup is not None
    assert (setup.model, setup.gpus, setup.build) == ("tiny.gguf", (), "")
    assert (setup.parameters, setup.tensor_bytes) == (ROW["model_n_params"], ROW["model_size"])
    assert setup.options.flash_attention is FlashAttention.AUTO
    assert setup.options.gpu_layers is None
    samples = sorted(json.loads(BENCH)[1]["samples_ns"])
    assert runs[1].seconds == pytest.approx(samples[1] / 1e9 / 64)


def test_options_of_llama_bench() -> None:
    changed = {
        "gpu_info": "NVIDIA L40S, NVIDIA L40S", "build_number": 11434, "n_gpu_layers": 20,
        "n_cpu_moe": 3, "split_mode": "none", "main_gpu": 1, "tensor_split": "0.50/0.50",
        "type_k": "q8_0", "type_v": "q4_0", "flash_attn": 1, "no_kv_offload": True,
        "no_op_offload": 1, "tensor_buft_overrides": r"blk\.1\.=CPU;exps=CUDA1", "n_ubatch": 2048,
    }  # fmt: skip
    (run,) = read_speed_results(json.dumps(ROW | changed))
    setup = run.setup
    assert setup is not None
    assert (setup.gpus, setup.build) == (("NVIDIA L40S", "NVIDIA L40S"), "b11434")
    options = setup.options
    assert (options.gpu_layers, options.cpu_moe_layers, options.main_gpu) == (20, 3, 1)
    assert options.tensor_split == (0.5, 0.5)
    assert (options.cache_type_k, options.cache_type_v) == ("q8_0", "q4_0")
    assert options.flash_attention is FlashAttention.ON
    assert (options.kv_offload, options.op_offload, options.ubatch_size) == (False, False, 2048)
    assert options.override_tensors == ((r"blk\.1\.", "CPU"), ("exps", "CUDA1"))
    # Builds of 2024 wrote true and false.
    (old,) = read_speed_results(json.dumps(ROW | {"flash_attn": False}))
    assert old.setup is not None
    assert old.setup.options.flash_attention is FlashAttention.OFF


def test_one_json_line_per_row_is_read_too() -> None:
    lines = "\n".join(json.dumps(row) for row in json.loads(BENCH))
    assert read_speed_results(lines) == read_speed_results(BENCH)


def test_a_row_of_prompt_and_decoding_together_says_neither() -> None:
    both = json.dumps([ROW, ROW | {"n_gen": 8}])
    assert len(read_speed_results(both)) == 1


def test_batched_bench_in_both_formats() -> None:
    table = read_speed_results(TABLE)
    assert [(run.slots, run.tokens, run.depth) for run in _decoded(table)] == [
        (1, 64, 256),
        (2, 64, 256),
        (4, 64, 256),
    ]
    assert [run.tokens for run in table if run.is_prompt] == [256]
    assert _decoded(table)[1].seconds == pytest.approx(2 / 2251.90)
    lines = _decoded(read_speed_results(BATCHED))
    assert [run.slots for run in lines] == [1]
    assert lines[0].seconds == pytest.approx(0.032030 / 64, rel=1e-4)


def test_answers_of_a_server() -> None:
    runs = read_speed_results(ANSWERS)
    decoded = _decoded(runs)
    assert [(run.tokens, run.depth, run.slots) for run in decoded] == [
        (99, 328, None),
        (99, 328, None),
        (34, 328, None),
    ]
    assert decoded[0].seconds == pytest.approx(0.229816 / 99)
    assert [(run.tokens, run.depth) for run in runs if run.is_prompt] == [
        (328, 0),
        (328, 0),
        (324, 4),
    ]
    assert all(run.is_served for run in runs)
    # A stream ends with the timings.
    streamed = "".join(f"data: {line}\n\n" for line in ANSWERS.splitlines()) + "data: [DONE]\n"
    assert read_speed_results(streamed) == runs
    named = ANSWERS.replace("b0-unknown", "b11549-abc")
    assert read_speed_results(named)[-1].build == "b11549"


def test_a_log_tells_the_same_of_requests() -> None:
    found = _decoded(read_speed_results(LOG))
    answers = _decoded(read_speed_results(ANSWERS))
    assert [run.seconds for run in found] == pytest.approx([r.seconds for r in answers], rel=1e-3)
    assert [run.depth for run in found] == [328, 328, 324]
    drafted = (
        LOG + "I slot print_timing: id 1 | draft acceptance = 0.8 (8 accepted / 10 generated)\n"
    )
    assert len(_decoded(read_speed_results(drafted))) == 2
    assert read_speed_results("build: 11434 (abc) with cc\n" + LOG)[0].build == "b11434"


def test_metrics_are_averages() -> None:
    decode, prompt = read_speed_results(METRICS)
    assert (decode.depth, decode.slots) == (213, 1)
    assert decode.seconds == pytest.approx(0.585834 / 235)
    assert (prompt.tokens, prompt.depth) == (213, 0)
    assert prompt.seconds == pytest.approx(0.051706 / 980 * 213)


def test_short_and_drafted_requests_say_nothing() -> None:
    timings = {"prompt_n": 31, "prompt_ms": 5.0, "predicted_n": 8, "predicted_ms": 9.0}
    with pytest.raises(InvalidInput, match="P0421"):
        read_speed_results(json.dumps({"timings": timings}))
    drafted = timings | {"prompt_n": 40, "predicted_n": 99, "draft_n": 50}
    assert [run.is_prompt for run in read_speed_results(json.dumps({"timings": drafted}))] == [True]


@pytest.mark.parametrize(
    ("text", "code", "why"),
    [
        ("", "P0421", "empty"),
        ("  \n", "P0421", "empty"),
        ("nonsense", "P0421", "nothing in it"),
        ("[]", "P0421", "nothing in it"),
        ('{"a": 1}', "P0421", "nothing in it"),
        ("[" * 100_000, "P0421", "nothing in it"),
        ("| model | size | params |\n| --- |", "P0421", "table"),
        (json.dumps(ROW | {"avg_ns": 0}), "P0425", "avg_ns"),
        (json.dumps(ROW | {"avg_ns": "12"}), "P0425", "avg_ns"),
        (json.dumps(ROW | {"avg_ts": ROW["avg_ts"] / 1000}), "P0425", "is not 256 tokens"),
        (json.dumps(ROW | {"n_prompt": -1}), "P0425", "n_prompt"),
        (json.dumps(ROW | {"samples_ns": [1, -5]}), "P0425", "above zero"),
        (json.dumps(ROW | {"flash_attn": 7}), "P0425", "flash_attn"),
        (json.dumps(ROW | {"split_mode": "diagonal"}), "P0425", "diagonal"),
        (json.dumps(ROW | {"n_gpu_layers": "all"}), "P0425", "n_gpu_layers"),
        (BATCHED.replace('"pl": 1', '"pl": 0'), "P0425", "pl is 0"),
        (BATCHED.replace('"speed_tg": 19', '"speed_tg": 9'), "P0425", "speed_tg"),
        (ANSWERS.replace('"predicted_ms": 229.816', '"predicted_ms": 0.229816'), "P0425", "tokens"),
        (ANSWERS.replace('"predicted_ms": 229.816', '"predicted_ms": NaN'), "P0425", "above zero"),
        (METRICS.replace("draft_tokens_total 0", "draft_tokens_total 9"), "P0425", "drafts"),
        (METRICS.replace("_predicted_total", "_dreamt_total"), "P0425", "missing"),
    ],
)
def test_what_is_no_measured_speed(text: str, code: str, why: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read_speed_results(text, "file")
    (problem,) = error.value.problems
    assert problem.code == code
    assert why in problem.why


@given(st.text() | st.sampled_from([BENCH, TABLE, ANSWERS, METRICS]).flatmap(
    lambda text: st.integers(0, len(text)).map(lambda cut: text[:cut])
))  # fmt: skip
def test_any_text_is_read_or_refused(text: str) -> None:
    codes: set[str] = set()
    try:
        assert read_speed_results(text)
    except InvalidInput as error:
        codes = {problem.code for problem in error.problems}
    assert codes <= {"P0421", "P0425"}


def test_a_benchmarks_command_line_as_a_servers() -> None:
    words = "/bin/llama-batched-bench -m m.gguf -c 8192 -npp 256 -ntg 64 -npl 1,2 -pps -fa on"
    assert " ".join(as_server_command(words.split())) == "llama-server -m m.gguf -c 8192 -fa on"
    assert as_server_command(("llama-server", "-n", "5")) == ("llama-server", "-n", "5")
    assert as_server_command(()) == ()
