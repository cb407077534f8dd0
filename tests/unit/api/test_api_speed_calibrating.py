"""Measured speeds beside predicted ones: kept in a file, used by an estimate, refused if wrong."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import packer
from packer import api
from packer.api.speed_calibrating import MeasuredServer
from packer.catalogue.models import load_model_file
from packer.cli import exit_status
from packer.cli.main import run
from packer.errors import InvalidInput
from tests.tiny_models import write_tiny_model

FOLDER = Path(__file__).parents[2] / "data/llamacpp"
BENCH = (FOLDER / "llama-bench-b11434.json").read_text()
TABLE = (FOLDER / "llama-batched-bench-b11434.txt").read_text()
ANSWERS = (FOLDER / "server-answers-b11434.jsonl").read_text()
METRICS = (FOLDER / "server-metrics-b11434.txt").read_text()
QWEN, QWEN_FILE = "catalogue:qwen3-8b:Q4_K_M", load_model_file("qwen3-8b", "Q4_K_M")
COMMAND = f"llama-server -m {QWEN} -c 32768 -np 4 -fa on"
ON_L40S = MeasuredServer(tuple(COMMAND.split()), gpus=("L40S",), build="b11434")


def _row(tokens_per_second: float, depth: int, **changes: Any) -> dict[str, Any]:
    """A llama-bench row of Qwen3 8B on an L40S, with the speed one likes."""
    seconds = 128 / tokens_per_second
    return {
        "build_number": 11434, "gpu_info": "NVIDIA L40S", "model_filename": "/models/qwen.gguf",
        "model_n_params": QWEN_FILE.parameter_count, "flash_attn": 1, "n_gpu_layers": 99,
        "model_size": sum(tensor.data_bytes for tensor in QWEN_FILE.tensors),
        "n_prompt": 0, "n_gen": 128, "n_depth": depth, "avg_ns": int(seconds * 1e9),
        "avg_ts": tokens_per_second, **changes,
    }  # fmt: skip


def _bench(*rows: dict[str, Any]) -> api.Calibration:
    server = MeasuredServer(model=QWEN)
    return api.calibrate_speed(json.dumps(rows), server)


def _speed(calibration: api.Calibration | None, **options: Any) -> dict[str, Any]:
    words = options.pop("command", COMMAND)
    asked = {"gpus": "L40S", "slots": 1, "depth": 64, **options}
    found: dict[str, Any] = packer.estimate_command(words, calibration=calibration, **asked)
    return dict(found["speed"])


def test_two_rows_move_the_estimate_to_what_was_measured() -> None:
    plain = _speed(None)["decode_tokens_per_second"]
    calibration = _bench(_row(70.0, 0), _row(55.0, 8000))
    shallow, deep = _speed(calibration), _speed(calibration, depth=8064)
    assert shallow["basis"] == "measured"
    # A server has a little to do between steps that the benchmark had not.
    assert shallow["decode_tokens_per_second"] == pytest.approx(70.0, rel=0.015)
    assert deep["decode_tokens_per_second"] == pytest.approx(55.0, rel=0.015)
    assert plain > 80
    assert shallow["high"] - shallow["low"] < 0.2 * shallow["decode_tokens_per_second"]
    assert shallow["prefill_basis"] == "calibrated"


def test_a_calibration_holds_for_its_own_card_model_and_build() -> None:
    calibration = _bench(_row(70.0, 0), _row(55.0, 8000))
    other_card = _speed(calibration, gpus="RTX 4090")
    other_model = _speed(calibration, command="llama-server -m catalogue:qwen3-8b:Q8_0 -np 1")
    other_build = _speed(calibration, build="b11549")
    partly = _speed(calibration, command=f"{COMMAND} -ngl 20")
    for one in (other_card, other_model, other_build, partly):
        assert one["basis"] != "measured"
        assert "measured speed" in " ".join(one["notes"])
    assert _speed(calibration, build="11434")["basis"] == "measured"


def test_prompts_and_slots_are_calibrated_too() -> None:
    prompt = _row(4000.0, 0, n_prompt=512, n_gen=0, avg_ns=int(512 / 4000 * 1e9))
    calibration = _bench(_row(70.0, 0), prompt)
    assert _speed(calibration, depth=512)["prefill_tokens_per_second"] == pytest.approx(4000, 0.02)
    line = (
        '{"pp": 512, "tg": 128, "pl": %d, "t_pp": 1, "speed_pp": 512, "t_tg": %f, "speed_tg": %f}'
    )
    text = "\n".join(
        line % (slots, 128 * slots / rate, rate) for slots, rate in ((1, 70), (4, 160))
    )
    calibration = api.calibrate_speed(text, ON_L40S)
    four = _speed(calibration, slots=4, depth=576)
    assert four["decode_aggregate_tokens_per_second"] == pytest.approx(160, rel=0.01)


def test_server_answers_and_metrics_with_their_command_line() -> None:
    answer = {"prompt_n": 512, "prompt_ms": 100.0, "predicted_n": 101, "predicted_ms": 1600.0}
    calibration = api.calibrate_speed(json.dumps({"timings": answer}), ON_L40S)
    found = _speed(calibration, depth=562)
    assert found["decode_tokens_per_second"] == pytest.approx(100 / 1.6, rel=0.01)
    busy = replace(ON_L40S, slots=4)
    calibration = api.calibrate_speed(json.dumps({"timings": answer}), busy)
    assert {one.slots for one in calibration.speeds} == {1, 4}
    found = _speed(calibration, depth=562, slots=4)
    assert found["decode_tokens_per_second"] == pytest.approx(100 / 1.6, rel=0.01)
    metrics = METRICS.replace("seconds_total 0.585834", "seconds_total 3.76")
    metrics = metrics.replace("seconds_total 0.051706", "seconds_total 0.16")
    calibration = api.calibrate_speed(metrics, replace(ON_L40S, depth=4000))
    assert [one.depth for one in calibration.speeds] == [4000, 0]
    found = _speed(calibration, depth=4000)
    assert found["decode_tokens_per_second"] == pytest.approx(235 / 3.76, rel=0.02)
    with pytest.raises(InvalidInput, match="at what depth"):
        api.calibrate_speed(metrics.replace("n_tokens_max 427", "n_tokens_max 0"), ON_L40S)


def test_real_results_of_a_cpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, out = write_tiny_model(tmp_path / "tiny.gguf"), tmp_path / "c.json"
    files = [("--speeds", str(FOLDER / "llama-bench-b11434.json"))]
    asked = ["calibrate", *files[0], "--build", "b11434", "--model", str(model), "--out", str(out)]
    assert run(asked) == exit_status.DONE
    assert capsys.readouterr().err.startswith("tiny.gguf on CPU, b11434: decode ")
    table = ["--speeds", str(FOLDER / "llama-batched-bench-b11434.txt"), "--gpu", "none"]
    more = ["calibrate", *table, "--build", "b11434", "--add", str(out), "--out", str(out), "--"]
    assert (
        run([*more, "llama-batched-bench", "-m", str(model), "-npl", "1,2,4"]) == exit_status.DONE
    )
    assert "(5)" in capsys.readouterr().err
    calibration = api.read_calibration(out)
    assert [one.slots for one in calibration.speeds if one.quantity == "decode"] == [1, 1, 1, 2, 4]
    words = f"llama-server -m {model} -c 8192 -np 4"
    found = _speed(calibration, command=words, gpus="", depth=288, slots=4)
    assert found["basis"] == "measured"
    # A tenth of a millisecond of the server's own work on a step of two is what differs.
    assert found["decode_aggregate_tokens_per_second"] == pytest.approx(1853.58, rel=0.15)


def _codes(text: str, server: MeasuredServer) -> list[str]:
    with pytest.raises(InvalidInput) as error:
        api.calibrate_speed(text, server, name="results")
    return [problem.code for problem in error.value.problems]


def test_what_is_refused() -> None:
    model, row = MeasuredServer(model=QWEN), _row(70.0, 0)
    assert _codes("nonsense", model) == ["P0421"]
    other_model = MeasuredServer(model="catalogue:qwen3-8b:Q8_0")
    assert _codes(json.dumps(row), other_model) == ["P0422"]
    assert _codes(json.dumps(row), replace(model, gpus=("RTX 4090",))) == ["P0423"]
    assert _codes(json.dumps(row), replace(model, gpus=("none",))) == ["P0423"]
    assert _codes(json.dumps(row), replace(model, build="b11549")) == ["P0423"]
    assert _codes(ANSWERS, MeasuredServer()) == ["P0424"] * 3
    assert _codes(json.dumps(row | {"build_number": 0}), model) == ["P0424"]
    assert _codes(json.dumps(row | {"gpu_info": "Voodoo 2"}), model) == ["P0901"]
    faster = row | {"avg_ns": row["avg_ns"] // 4, "avg_ts": 280.0}
    assert _codes(json.dumps(faster), model) == ["P0425"]
    slower = row | {"avg_ns": row["avg_ns"] * 1000, "avg_ts": 0.07}
    assert _codes(json.dumps(slower), model) == ["P0425"]
    assert _codes(METRICS, ON_L40S) == ["P0425"]


def test_the_card_may_be_named_as_the_driver_names_it() -> None:
    named = MeasuredServer(model=QWEN, gpus=("L40S",))
    assert api.calibrate_speed(json.dumps(_row(70.0, 0)), named).speeds[0].gpu == "L40S"
    # The driver's name may be that of several products; --gpu says which.
    row = _row(150.0, 0, gpu_info="NVIDIA H100 80GB HBM3")
    assert _bench(row).speeds[0].gpu == "H100 SXM"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"quantity": "latency"}, "quantity"),
        ({"measuredSeconds": 0}, "above zero"),
        ({"restSeconds": -1}, "above zero"),
        ({"depthSeconds": -1}, "seconds"),
        ({"depthSeconds": "1"}, "seconds"),
        ({"slots": 0}, "slots"),
        ({"depth": 1.5}, "depth"),
        ({"gpu": ""}, "texts"),
        ({"extra": 1}, "no others"),
    ],
)
def test_a_calibration_file_is_read_without_trust(
    change: dict[str, Any], why: str, tmp_path: Path
) -> None:
    text = api.calibration_text(_bench(_row(70.0, 0)))
    document = json.loads(text)
    document["speed"][0].update(change)
    path = tmp_path / "c.json"
    path.write_text(text)
    assert api.calibration_text(api.read_calibration(path)) == text
    path.write_text(json.dumps(document))
    with pytest.raises(InvalidInput) as error:
        api.read_calibration(path)
    assert [problem.code for problem in error.value.problems] == ["P0498"]
    assert why in error.value.problems[0].why
