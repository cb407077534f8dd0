from pathlib import Path

import pytest

from packer.gguf.header import read_model_file
from packer.gguf.inspection import inspect_model
from tests import gguf_bytes as made


def test_figures_of_a_model(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(made.llama().file())
    model = read_model_file(path)
    figures = inspect_model(model)
    assert figures.architecture == "llama"
    assert figures.file_bytes == path.stat().st_size
    assert figures.parameters == sum(t.element_count for t in model.tensors)
    assert figures.tensor_bytes == sum(t.data_bytes for t in model.tensors)
    assert figures.bits_per_weight == pytest.approx(4.5, abs=0.1)
    assert figures.vocabulary_size == 64
    assert figures.context_length == 4096
    assert figures.shapes["attention.head_count_kv"] == 2
    assert not any(key.startswith(("general", "tokenizer", "llama")) for key in figures.shapes)
    # 256 × 512 elements at 4.5 bits.
    assert figures.largest_tensor == ("blk.0.ffn_gate.weight", 73728)


def test_types_are_shared_out_by_bytes(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(made.llama().file())
    figures = inspect_model(read_model_file(path))
    assert [(share.type.name, share.tensors) for share in figures.types] == [
        ("q4_K", 15),
        ("f32", 5),
    ]
    assert sum(share.elements for share in figures.types) == figures.parameters
    assert sum(share.data_bytes for share in figures.types) == figures.tensor_bytes


def test_a_projector_has_no_context(tmp_path: Path) -> None:
    path = tmp_path / "mmproj.gguf"
    keys = [made.Key("general.architecture", made.STRING, "clip")]
    path.write_bytes(made.Gguf(keys, [made.Tensor("v.blk.0.attn_q.weight", (32, 8))]).file())
    assert inspect_model(read_model_file(path)).context_length is None
