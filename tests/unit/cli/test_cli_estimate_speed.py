"""``gpu-packer estimate``: the speed of command lines, in JSON, in the table, in batches."""

import json
from pathlib import Path
from typing import Any

import pytest

import packer
from packer.cli import exit_status
from packer.cli.main import run
from packer.errors import InvalidInput

Capture = pytest.CaptureFixture[str]
SPEED_KEYS = [
    "depth",
    "slots",
    "decode_tokens_per_second",
    "decode_aggregate_tokens_per_second",
    "low",
    "high",
    "basis",
    *(f"prefill_{end}" for end in ("tokens_per_second", "low", "high", "basis")),
    *(f"first_token_{end}" for end in ("seconds", "low", "high", "basis")),
    *(f"load_{end}" for end in ("seconds", "low", "high", "basis")),
    "bandwidth_limit_tokens_per_second",
    "notes",
]
CHAT = "llama-server -m catalogue:qwen3-8b:Q4_K_M -c 32768 -np 4"
MOE = "llama-server -m catalogue:qwen3-30b-a3b:Q4_K_M -c 8192 -np 1"
NUMBERS = [key for key in SPEED_KEYS if key != "notes" and "basis" not in key]


def _speed(command: str, gpus: str, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = packer.estimate_command(command, gpus=gpus, **options)["speed"]
    assert list(found) == SPEED_KEYS
    return found


def test_one_depth_and_number_of_slots(capsys: Capture) -> None:
    asked = ["--gpu", "L40S", "--depth", "4096", "--slots", "2", "-o", "json", "--"]
    assert run(["estimate", *asked, *CHAT.split()]) == exit_status.DONE
    speed = json.loads(capsys.readouterr().out)["speed"]
    assert speed == _speed(CHAT, "L40S", depth=4096, slots=2)
    assert (speed["depth"], speed["slots"], speed["basis"]) == (4096, 2, "calibrated")
    one, every = speed["decode_tokens_per_second"], speed["decode_aggregate_tokens_per_second"]
    assert every == pytest.approx(2 * one, rel=1e-4)
    assert 0 < speed["low"] < one < speed["high"]
    assert one < speed["bandwidth_limit_tokens_per_second"]
    for name, unit in (
        ("prefill", "tokens_per_second"),
        ("first_token", "seconds"),
        ("load", "seconds"),
    ):
        assert 0 < speed[f"{name}_low"] < speed[f"{name}_{unit}"] < speed[f"{name}_high"]


def test_what_makes_it_slower() -> None:
    def decode(words: str = "", gpus: str = "L40S", command: str = CHAT, **options: Any) -> float:
        speed = _speed(f"{command} {words}", gpus, **{"depth": 4096, "slots": 1, **options})
        return float(speed["decode_tokens_per_second"])

    plain = decode()
    assert decode(depth=0) > plain > decode(depth=8192)
    assert decode(slots=4) < plain
    assert decode("-fa off") < plain
    assert decode("-ctk q8_0 -ctv q8_0") > plain
    assert decode("-ngl 20") < plain
    assert decode("-ngl 20", host_bandwidth=300 * 10**9) > decode("-ngl 20")
    assert 0.9 * plain < decode(gpus="L40S:2") < plain
    assert decode(gpus="L4") < plain
    experts = decode(command=MOE, gpus="RTX 4090")
    assert decode("-ncmoe 20", command=MOE, gpus="RTX 4090") < experts
    layers = decode("-ngl 28", command=MOE, gpus="RTX 4090")
    assert layers < decode("-ncmoe 20", command=MOE, gpus="RTX 4090")


def test_a_card_given_by_its_size_has_no_speed() -> None:
    speed = _speed(CHAT, "24Gi")
    assert all(speed[key] == 0 for key in NUMBERS)
    assert {speed[key] for key in SPEED_KEYS if "basis" in key} == {"none"}
    assert "CUDA0" in speed["notes"][0]


def test_without_a_card_the_cpu_decodes() -> None:
    speed = _speed(CHAT, "")
    assert 1 < speed["decode_tokens_per_second"] < 20
    assert speed["basis"] == "default"
    assert "76.8 GB/s" in speed["notes"][0]
    assert _speed(CHAT, "", host_bandwidth=153_600_000_000)["notes"] == []


def test_an_embedding_server_decodes_nothing() -> None:
    speed = _speed(f"{CHAT} --embedding", "L40S")
    assert speed["decode_tokens_per_second"] == speed["bandwidth_limit_tokens_per_second"] == 0
    assert speed["prefill_tokens_per_second"] > 0
    assert "decodes nothing" in speed["notes"][0]


def test_speculation_is_left_out_and_said() -> None:
    plain = _speed(MOE, "RTX 5090")
    drafted = _speed(f"{MOE} -md catalogue:qwen3-0.6b:Q8_0", "RTX 5090")
    assert drafted["decode_tokens_per_second"] == plain["decode_tokens_per_second"]
    assert drafted["load_seconds"] > plain["load_seconds"]
    assert "without speculation" in drafted["notes"][-1]
    assert _speed(f"{MOE} --spec-type none", "RTX 5090")["notes"] == []


def test_a_short_slot_is_asked_for_what_it_holds() -> None:
    assert _speed("llama-server -m catalogue:qwen3-8b:Q4_K_M -c 256 -np 1", "L40S")["depth"] == 256


@pytest.mark.parametrize(
    ("options", "code"),
    [({"depth": 8193}, "P1003"), ({"slots": 5}, "P1004"), ({"slots": 0}, "P1004")],
)
def test_what_a_server_cannot_do(options: dict[str, int], code: str) -> None:
    with pytest.raises(InvalidInput) as error:
        _speed(CHAT, "L40S", **options)
    assert [one.code for one in error.value.problems] == [code]


def test_a_batch_with_names_and_sizes(capsys: Capture, tmp_path: Path) -> None:
    lines = [f"L40S:2\t{CHAT}", f"24576\t{CHAT}", f"L40S\t{CHAT} -c 2048", f"Q99\t{CHAT}"]
    (tmp_path / "lines.tsv").write_text("\n".join(lines))
    asked = ["--batch", str(tmp_path / "lines.tsv"), "--depth", "4096", "--slots", "2"]
    assert run(["estimate", *asked]) == exit_status.DONE
    both, sized, shallow, unknown = map(json.loads, capsys.readouterr().out.splitlines())
    assert [device["name"] for device in both["devices"]] == ["L40S", "L40S"]
    assert both["speed"] == _speed(CHAT, "L40S:2", depth=4096, slots=2)
    assert (sized["speed"]["basis"], sized["speed"]["decode_tokens_per_second"]) == ("none", 0)
    assert shallow["error"]["code"] == "P1003"
    assert unknown["error"]["code"] == "P0901"


def test_the_table_says_it_in_two_lines(capsys: Capture) -> None:
    assert run(["estimate", "--gpu", "L40S", "--", *CHAT.split()]) == exit_status.DONE
    out = capsys.readouterr().out
    assert "tokens/s per slot" in out
    assert "4 slots" in out
    assert "first token after" in out
    assert run(["estimate", "--gpus", "24Gi", "--", *CHAT.split()]) == exit_status.DONE
    assert "note: no speed" in capsys.readouterr().out
