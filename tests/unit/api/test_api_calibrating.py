"""Process overhead from a log and nvidia-smi, kept in a file, used by an estimate."""

import json
from pathlib import Path
from typing import Any

import pytest

from packer import api
from packer.api.cards import cards_by_name, cards_by_size
from packer.api.measurements import Calibration, Measurement
from packer.errors import InvalidInput
from packer.units import MIB
from tests.tiny_models import write_tiny_model

# Lines as the CUDA backend formats them; the figures are made up.
LOG = """
ggml_cuda_init: found 2 CUDA devices (Total VRAM: 91192 MiB):
  Device 0: NVIDIA L40S, compute capability 8.9, VMM: yes, VRAM: 45596 MiB
  Device 1: NVIDIA L40S, compute capability 8.9, VMM: yes, VRAM: 45596 MiB
llama_model_loader: loaded meta data with 23 key-value pairs and 29 tensors from m.gguf (version GGUF V3 (latest))
load_tensors:   CPU_Mapped model buffer size =   281.81 MiB
load_tensors:        CUDA0 model buffer size =  2000.00 MiB
load_tensors:        CUDA1 model buffer size =  1000.00 MiB
llama_context: constructing llama_context
llama_kv_cache:      CUDA0 KV buffer size =   512.00 MiB
llama_memory_recurrent:      CUDA1 RS buffer size =    62.00 MiB
sched_reserve: reserving ...
sched_reserve:      CUDA0 compute buffer size =   304.00 MiB
sched_reserve:      CUDA1 compute buffer size =   100.00 MiB
"""  # noqa: E501 — log lines are long
END = """
common_memory_breakdown_print: |   - CUDA0 (L40S)   | 45596 = 40000 + (2816 =  2000 +     512 +     304) +        480 |
common_memory_breakdown_print: |   - CUDA1 (L40S)   | 45596 = 44434 + (1162 =  1000 +      62 +     100) +          0 |
"""  # noqa: E501
SMI = """index, name, uuid
0, NVIDIA L40S, GPU-a
1, NVIDIA L40S, GPU-b
pid, process_name, gpu_uuid, used_gpu_memory [MiB]
77, /app/llama-server, GPU-a, 1600 MiB
77, /app/llama-server, GPU-b, 3238 MiB
78, python3, GPU-a, 400 MiB
"""
L40S = [Measurement("L40S", "8.9", size * MIB, "nvidia-smi") for size in (438, 422)]


def _why(error: pytest.ExceptionInfo[InvalidInput]) -> tuple[str, str]:
    return error.value.problems[0].code, error.value.problems[0].why


def test_used_memory_less_every_buffer_of_the_server() -> None:
    assert api.calibrate(LOG, SMI) == Calibration(tuple(L40S))


def test_without_nvidia_smi_the_servers_own_account_counts() -> None:
    found = api.calibrate(LOG + END, previous=Calibration(tuple(L40S)))
    assert found.measurements == (*L40S, Measurement("L40S", "8.9", 480 * MIB, "server log"))


def test_the_process_may_be_named_or_be_the_only_one() -> None:
    assert api.calibrate(LOG, SMI, pid=77) == api.calibrate(LOG, SMI)
    renamed = SMI.replace("/app/llama-server", "server").replace(
        "78, python3, GPU-a, 400 MiB\n", ""
    )
    assert api.calibrate(LOG, renamed) == api.calibrate(LOG, SMI)


@pytest.mark.parametrize(
    ("smi", "pid"),
    [
        (SMI.replace("/app/llama-server", "server"), None),
        (SMI.replace("python3", "llama-server"), None),
        (SMI, 79),
    ],
)
def test_which_process_must_be_clear(smi: str, pid: int | None) -> None:
    with pytest.raises(InvalidInput, match=r"77 .*, 78") as error:
        api.calibrate(LOG, smi, pid=pid)
    assert _why(error)[0] == "P0499"


@pytest.mark.parametrize(
    ("log", "smi", "why"),
    [
        ("", SMI, "it names no CUDA card"),
        ("\n".join(LOG.splitlines()[:4]), SMI, "it names no buffer on a card"),
        (LOG, None, "it has no account"),
        (
            f"{LOG}reserve_compute_meta:      CUDA0 compute buffer size =    69.12 MiB",
            SMI,
            "--mmproj",
        ),
        (LOG, SMI.replace("3238", "238"), "uses 1.8 GiB only"),
        (LOG.replace("  Device 1: NVIDIA L40S", "  Device 1: NVIDIA L4"), SMI, "2 of them"),
    ],
)
def test_texts_that_make_no_measurement(log: str, smi: str | None, why: str) -> None:
    with pytest.raises(InvalidInput) as error:
        api.calibrate(log, smi)
    assert _why(error)[0] == "P0497"
    assert why in _why(error)[1]


def test_a_card_the_catalogue_lacks_keeps_the_drivers_name() -> None:
    found = api.calibrate(LOG.replace("L40S", "Foo  9000"), SMI.replace("L40S", "Foo 9000"))
    assert {one.gpu for one in found.measurements} == {"NVIDIA Foo 9000"}


def test_the_file_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    written = Calibration((*L40S, Measurement("Föö", "", 5, "server log")))
    path.write_text(api.calibration_text(written), encoding="utf-8")
    assert api.read_calibration(path) == written


ROW: dict[str, Any] = {"gpu": "L40S", "computeCapability": "8.9", "bytes": 5, "from": "nvidia-smi"}


@pytest.mark.parametrize(
    ("change", "count"),
    [
        ({"kind": "Plan"}, 1),
        ({"apiVersion": "gpu-packer/v2", "kind": None}, 2),
        ({"speed": []}, 1),
        ({"process": []}, 1),
        ({"process": {}}, 1),
        ({"process": [5]}, 1),
        ({"process": [ROW | {"more": 1}]}, 1),
        ({"process": [ROW | {"gpu": ""}, ROW | {"gpu": 5}, ROW]}, 2),
        ({"process": [ROW | {"computeCapability": "nine"}]}, 1),
        ({"process": [ROW | {"computeCapability": 8.9}]}, 1),
        *(
            ({"process": [ROW | {"bytes": size}]}, 1)
            for size in (0, -1, 2**41, True, "5", 1.5, None)
        ),
        ({"process": [ROW | {"from": "hearsay"}]}, 1),
    ],
)
def test_what_is_no_calibration(change: dict[str, Any], count: int, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    document = {"apiVersion": "gpu-packer/v1", "kind": "Calibration", "process": [ROW]} | change
    path.write_text(json.dumps(document))
    with pytest.raises(InvalidInput) as error:
        api.read_calibration(path)
    assert [problem.code for problem in error.value.problems] == ["P0498"] * count


@pytest.mark.parametrize("text", ["", "[]", "{", "5", "null", '{"kind": NaN}'])
def test_what_is_no_json_mapping(text: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(InvalidInput) as error:
        api.read_calibration(tmp_path / "c.json")
    assert _why(error)[0] == "P0498"


def test_cards_take_what_was_measured_on_their_like() -> None:
    calibration = Calibration((*L40S, Measurement("H100 SXM", "9.0", 600 * MIB, "server log")))
    named = cards_by_name(["L40S", "RTX 4090", "H100 SXM", "A100 SXM 80GB"]).cards
    learnt, notes = calibration.applied_to((*named, *cards_by_size("24Gi")))
    parts = [card.process.bytes // MIB if card.process else None for card in learnt]
    assert parts == [430, 430, 600, None, None]
    assert notes == (
        "the process overhead of RTX 4090 is that measured on L40S",
        "the calibration says nothing about A100 SXM 80GB",
        "the calibration says nothing about CUDA0",
    )
    (only,), (note,) = Calibration(tuple(L40S)).applied_to(cards_by_size("24Gi"))
    assert only.process is not None
    assert "CUDA0 is that measured on L40S" in note


def test_an_estimate_uses_it(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "tiny.gguf")
    command = "llama-server -m tiny.gguf -c 4096"
    cards = cards_by_name(["L40S"]).cards
    plain = api.estimate_command(command, gpus=cards, models=tmp_path)["devices"][0]
    known = api.estimate_command(
        command, gpus=cards, models=tmp_path, calibration=Calibration(tuple(L40S))
    )["devices"][0]
    assert plain["basis"]["process"] != "calibrated" or plain["process_bytes"] != 430 * MIB
    assert (known["process_bytes"], known["basis"]["process"]) == (430 * MIB, "calibrated")
    others = known["total_bytes"] - known["process_bytes"]
    margin = -(-438 * MIB // 6)
    assert known["high_bytes"] - others == 438 * MIB + margin
    assert others - known["low_bytes"] == margin - 422 * MIB
    (answer,) = api.estimate_batch(
        f"45596\t{command}", models=tmp_path, calibration=Calibration(tuple(L40S))
    )
    assert answer["devices"][0]["process_bytes"] == 430 * MIB
