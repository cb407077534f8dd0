from pathlib import Path

import gguf
import numpy as np
import pytest

from packer.domain.basis import Basis
from packer.domain.quantization import ELEMENT_TYPES, ELEMENT_TYPES_BY_NAME
from packer.errors import InvalidModelFile
from packer.gguf.header import read_model_file
from tests import gguf_bytes as made


def write(folder: Path, content: made.Gguf | bytes, name: str = "model.gguf") -> Path:
    path = folder / name
    path.write_bytes(content.file() if isinstance(content, made.Gguf) else content)
    return path


def test_a_valid_file_is_read_whole(tmp_path: Path) -> None:
    content = made.llama()
    path = write(tmp_path, content)
    model = read_model_file(path)
    assert model.name == "model.gguf"
    assert model.origin == str(path)
    assert model.architecture == "llama"
    assert model.basis is Basis.EXACT
    assert (model.size_low, model.size_high) == (1.0, 1.0)
    assert [t.name for t in model.tensors] == [t.name for t in content.tensors]
    assert [t.shape for t in model.tensors] == [tuple(t.shape) for t in content.tensors]
    assert model.tensors[0].type.name == "q4_K"
    assert model.file_bytes == path.stat().st_size
    assert model.data_offset == len(content.header())
    assert model.number("block_count") == 2
    assert model.context_length == 4096
    assert model.metadata["llama.attention.layer_norm_rms_epsilon"] == pytest.approx(1e-5)
    assert model.tensor_parts == ()


def test_offsets_are_where_the_tensors_lie(tmp_path: Path) -> None:
    model = read_model_file(write(tmp_path, made.llama()))
    end = 0
    for tensor, offset in zip(model.tensors, model.tensor_offsets, strict=True):
        assert offset == end
        end += -(-tensor.data_bytes // 32) * 32
    assert model.data_offset + end == model.file_bytes


def test_the_vocabulary_is_measured_but_not_kept(tmp_path: Path) -> None:
    model = read_model_file(write(tmp_path, made.llama(tokens=300)))
    assert model.vocabulary_size == 300
    assert not [key for key in model.metadata if key.startswith("tokenizer.ggml.t")]
    assert model.metadata["tokenizer.ggml.model"] == "gpt2"


def test_a_header_without_vocabulary_says_its_size(tmp_path: Path) -> None:
    content = made.llama(tokens=64)
    content.keys = [key for key in content.keys if not key.name.startswith("tokenizer")]
    content.keys += [
        made.Key("tokenizer.ggml.model", made.STRING, "no_vocab"),
        made.Key("llama.vocab_size", made.UINT32, 64),
    ]
    assert read_model_file(write(tmp_path, content)).vocabulary_size == 64


def test_small_arrays_are_tuples_and_long_ones_are_left_out(tmp_path: Path) -> None:
    content = made.llama()
    content.keys += [
        made.Key("llama.attention.sliding_window_pattern", made.BOOL, [1, 0]),
        made.Key("llama.rope.dimension_sections", made.INT32, [1, -2, 3, 4]),
        made.Key("llama.attention.recurrent_layers", made.BOOL, [1, 0]),
        made.Key("llama.expert_feed_forward_length", made.UINT32, [8, 9]),
        made.Key("general.tags", made.STRING, ["a", "b"]),
        made.Key("llama.ratios", made.FLOAT64, [0.5]),
        made.Key("llama.long", made.UINT8, [7] * 5000),
        made.Key("llama.long_texts", made.STRING, ["x"] * 5000),
        made.Key("general.note", made.STRING, "y" * (2**20 + 1)),
        made.Key("llama.flag", made.BOOL, 1),
    ]
    metadata = read_model_file(write(tmp_path, content)).metadata
    assert metadata["llama.attention.sliding_window_pattern"] == (True, False)
    assert metadata["llama.rope.dimension_sections"] == (1, -2, 3, 4)
    assert metadata["llama.attention.recurrent_layers"] == (True, False)
    assert metadata["llama.expert_feed_forward_length"] == (8, 9)
    assert metadata["general.tags"] == ("a", "b")
    assert metadata["llama.ratios"] == (0.5,)
    assert metadata["llama.flag"] is True
    assert not {"llama.long", "llama.long_texts", "general.note"} & set(metadata)


def test_per_block_heads_may_be_zero_where_there_is_no_attention(tmp_path: Path) -> None:
    content = made.llama()
    content.keys = [key for key in content.keys if "head_count" not in key.name]
    content.keys += [
        made.Key("llama.attention.head_count", made.INT32, [4, 0]),
        made.Key("llama.attention.head_count_kv", made.INT32, [2, 0]),
    ]
    content.tensors = [t for t in content.tensors if not t.name.startswith("blk.1.attn_")]
    assert read_model_file(write(tmp_path, content)).metadata["llama.attention.head_count"] == (
        4,
        0,
    )


@pytest.mark.parametrize(
    ("keys", "tensor"),
    [
        ([made.Key("general.architecture", made.STRING, "clip")], "v.blk.0.attn_q.weight"),
        (
            [
                made.Key("general.architecture", made.STRING, "llama"),
                made.Key("general.type", made.STRING, "adapter"),
                made.Key("adapter.type", made.STRING, "lora"),
            ],
            "blk.0.attn_q.weight.lora_a",
        ),
    ],
)
def test_projectors_and_adapters_need_no_context(
    tmp_path: Path, keys: list[made.Key], tensor: str
) -> None:
    model = read_model_file(write(tmp_path, made.Gguf(keys, [made.Tensor(tensor, (32, 8))])))
    assert model.vocabulary_size == 0
    assert model.tensors[0].data_bytes == 32 * 8 * 4


def test_another_alignment_moves_the_data(tmp_path: Path) -> None:
    content = made.llama()
    content.keys.append(made.Key("general.alignment", made.UINT32, 512))
    content.alignment = 512
    model = read_model_file(write(tmp_path, content))
    assert model.data_offset % 512 == 0
    assert all(offset % 512 == 0 for offset in model.tensor_offsets)


def test_a_copy_of_the_header_alone_can_be_read_on_request(tmp_path: Path) -> None:
    content = made.llama()
    path = write(tmp_path, content.header())
    with pytest.raises(InvalidModelFile, match="P0309"):
        read_model_file(path)
    assert read_model_file(path, header_only=True).file_bytes == len(content.file())


def test_version_two_is_read_like_version_three(tmp_path: Path) -> None:
    content = made.llama()
    content.version = 2
    assert read_model_file(write(tmp_path, content)).architecture == "llama"


@pytest.mark.parametrize("element_type", ELEMENT_TYPES.values(), ids=lambda t: t.name)
def test_every_type_of_the_table_is_read(tmp_path: Path, element_type: object) -> None:
    kind = ELEMENT_TYPES_BY_NAME[getattr(element_type, "name")]  # noqa: B009
    model = read_model_file(write(tmp_path, made.llama(type_id=kind.ggml_id)))
    assert model.tensors[0].type is kind
    assert model.tensors[0].data_bytes == 256 * 64 // kind.block_elements * kind.block_bytes


def test_the_type_table_agrees_with_the_publishers_own() -> None:
    # gguf 0.19 gives q8_1 the four extra bytes it had before ggml halved its scales.
    known = {
        kind.value: sizes for kind, sizes in gguf.GGML_QUANT_SIZES.items() if kind.name != "Q8_1"
    }
    ours = {t.ggml_id: (t.block_elements, t.block_bytes) for t in ELEMENT_TYPES.values()}
    assert {number: ours[number] for number in known} == known
    assert ELEMENT_TYPES[9].block_bytes == 36
    assert [t for t in ELEMENT_TYPES.values() if not t.is_quantized] == [
        ELEMENT_TYPES_BY_NAME[name]
        for name in ("f32", "f16", "i8", "i16", "i32", "i64", "f64", "bf16")
    ]


def test_a_file_of_the_publishers_writer_reads_the_same(tmp_path: Path) -> None:
    path = tmp_path / "written.gguf"
    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_context_length(40960)
    writer.add_embedding_length(64)
    writer.add_block_count(1)
    writer.add_head_count(4)
    writer.add_head_count_kv([2])
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["a", "b", "c"])
    writer.add_tensor("token_embd.weight", np.zeros((3, 64), np.float16))
    writer.add_tensor("blk.0.attn_q.weight", np.zeros((128, 64), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    model = read_model_file(path)
    assert model.vocabulary_size == 3
    assert [(t.name, t.shape, t.type.name) for t in model.tensors] == [
        ("token_embd.weight", (64, 3), "f16"),
        ("blk.0.attn_q.weight", (64, 128), "f32"),
    ]
    assert model.metadata["qwen3.attention.head_count_kv"] == (2,)
    reader = gguf.GGUFReader(path)
    assert model.data_offset == reader.data_offset
    assert [model.data_offset + offset for offset in model.tensor_offsets] == [
        tensor.data_offset for tensor in reader.tensors
    ]
