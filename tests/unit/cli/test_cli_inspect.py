"""``gpu-packer inspect``: local, split and catalogue models, cards, and what is not modelled."""

import json
from pathlib import Path
from typing import Any

import gguf
import pytest

from packer.cli import exit_status
from packer.cli.main import run
from tests.tiny_models import TinyShape, write_tiny_model
from tests.unit.gguf.test_gguf_remote import Site, serving

Capture = pytest.CaptureFixture[str]
QWEN = "catalogue:qwen3-8b:Q4_K_M"


def _json(capsys: Capture, *arguments: str) -> dict[str, Any]:
    assert run(["inspect", "-o", "json", *arguments]) == exit_status.DONE
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def _text(capsys: Capture, *arguments: str) -> str:
    assert run(["inspect", *arguments]) == exit_status.DONE
    return capsys.readouterr().out


def test_types_add_up_to_the_tensors(tmp_path: Path, capsys: Capture) -> None:
    shape = TinyShape(layers=3, weight_type=gguf.GGMLQuantizationType.Q8_0)
    path = write_tiny_model(tmp_path / "tiny.gguf", shape)
    found = _json(capsys, str(path))
    assert found["tensor_bytes"] == sum(share["data_bytes"] for share in found["types"])
    assert found["parameters"] == sum(share["elements"] for share in found["types"])
    assert {share["type"] for share in found["types"]} == {"q8_0", "f32"}
    assert (found["file_bytes"], found["architecture"]) == (path.stat().st_size, "llama")
    assert found["shapes"]["block_count"] == 3
    assert found["largest_context"] == {}
    assert found["notes"] == []


def test_bytes_per_token_by_cache_type(capsys: Capture) -> None:
    costs = {cost["cache_type"]: cost for cost in _json(capsys, QWEN)["context"]}
    # 36 layers, 8 heads of 128 for K and V each.
    assert costs["f16"]["bytes_per_token"] == 36 * 2 * 8 * 128 * 2
    assert costs["q8_0"]["bytes_per_token"] == 36 * 2 * 8 * 128 // 32 * 34
    assert costs["f16"]["recurrent_bytes_per_slot"] == 0


def test_recurrent_state_and_windows(capsys: Capture) -> None:
    hybrid = _json(capsys, "catalogue:qwen3.5-27b:Q4_K_M")["context"][0]
    windowed = _json(capsys, "catalogue:gemma-3-12b:Q4_K_M")["context"][0]
    assert hybrid["recurrent_bytes_per_slot"] > 0 == hybrid["window_bytes_per_slot"]
    assert windowed["window_bytes_per_slot"] > 0 == windowed["recurrent_bytes_per_slot"]
    out = _text(capsys, "catalogue:qwen3.5-27b:Q4_K_M")
    assert "STATE PER SLOT" in out


def test_the_largest_context_of_cards_by_size_and_by_name(capsys: Capture) -> None:
    one = _json(capsys, QWEN, "--gpus", "8Gi")
    two = _json(capsys, QWEN, "--gpus", "8Gi,8Gi")
    assert one["cards"] == ["CUDA0"]
    assert 0 < one["largest_context"]["f16"] < one["largest_context"]["q8_0"]
    assert one["largest_context"]["f16"] < two["largest_context"]["f16"]
    assert _json(capsys, QWEN, "--gpus", "1Gi")["largest_context"]["f16"] is None
    named = _text(capsys, QWEN, "--gpu", "L40S:2")
    assert "largest context of one slot on L40S, L40S:" in named
    assert "f16     40960" in named
    assert "does not fit at all" in _text(capsys, QWEN, "--gpus", "1Gi")


def test_a_split_model_is_one(tmp_path: Path, capsys: Capture) -> None:
    for number in (1, 2):
        writer = gguf.GGUFWriter(tmp_path / f"m-0000{number}-of-00002.gguf", "llama")
        writer.add_uint16("split.no", number - 1)
        writer.add_uint16("split.count", 2)
        writer.add_int32("split.tensors.count", 2)
        if number == 1:
            writer.add_block_count(1)
            writer.add_context_length(512)
            writer.add_embedding_length(32)
            writer.add_head_count(2)
            writer.add_vocab_size(10)
        writer.add_tensor(f"blk.0.part{number}", _zeros(32 * number))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    found = _json(capsys, str(tmp_path / "m-00002-of-00002.gguf"))
    assert found["tensor_bytes"] == 4 * 32 * 3
    assert found["file_bytes"] == sum(path.stat().st_size for path in tmp_path.iterdir())


def _zeros(count: int) -> Any:
    import numpy

    return numpy.zeros(count, numpy.float32)


def test_an_address_is_the_file_behind_it(tmp_path: Path, capsys: Capture) -> None:
    path = write_tiny_model(tmp_path / "tiny.gguf")
    with serving(Site({"/org/tiny.gguf": path.read_bytes()})) as site:
        remote = _json(capsys, f"{site.url}/org/tiny.gguf")
    assert remote == _json(capsys, str(path))
    assert len(site.requests) <= 3


def test_a_host_that_does_not_answer_is_exit_4(capsys: Capture) -> None:
    with serving(Site()) as site:
        url = f"{site.url}/tiny.gguf"
    assert run(["inspect", url]) == exit_status.UNREACHABLE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")


def test_what_is_not_modelled_is_shown_all_the_same(tmp_path: Path, capsys: Capture) -> None:
    path = write_tiny_model(tmp_path / "odd.gguf", TinyShape(architecture="llamaesque"))
    found = _json(capsys, str(path), "--gpus", "24Gi")
    assert (found["context"], found["largest_context"]) == ([], {})
    assert "what context costs is not known" in found["notes"][0]
    out = _text(capsys, str(path))
    assert "KV CACHE" not in out
    assert "note: " in out


def test_many_keys_are_cut_and_it_is_said(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "wide.gguf"
    write_tiny_model(path)
    assert "more; -o json shows all" not in _text(capsys, str(path))
    writer = gguf.GGUFWriter(path, "llama")
    for number in range(50):
        writer.add_array(f"llama.key{number:02d}", [number] * 40)
    writer.add_block_count(1)
    writer.add_context_length(512)
    writer.add_embedding_length(32)
    writer.add_head_count(2)
    writer.add_tensor("a", _zeros(32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    out = _text(capsys, str(path))
    assert "and 14 more; -o json shows all" in out
    assert max(map(len, out.splitlines())) < 120


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["gone.gguf"], "P0301"),
        (["."], "P0301"),
        (["catalogue:qwen3-8b"], "P0488"),
        ([QWEN, "--gpu", "MI300X"], "P0520"),
        ([QWEN, "--gpus", "24GB"], "P0486"),
    ],
)
def test_what_is_refused(arguments: list[str], code: str, capsys: Capture) -> None:
    assert run(["inspect", *arguments]) == exit_status.INVALID
    out, err = capsys.readouterr()
    assert out == ""
    assert f"error[{code}]" in err
