"""What a step reads, from headers of the catalogue; which device reads it."""

import pytest

from packer.catalogue.gpus import find_gpu, gpu_products
from packer.catalogue.models import load_model_file
from packer.domain.basis import Basis
from packer.domain.gpu import GpuProduct
from packer.domain.model import ModelFile
from packer.domain.server_options import ServerOptions
from packer.performance.constants import card_constants, speed_constants
from packer.performance.figure import SpeedBasis
from packer.performance.model_reads import Launch, ModelReads, WeightKind, model_reads
from packer.performance.placement import DeviceReads, placed_reads
from packer.performance.processor import processor_of


def _read(reads: ModelReads) -> int:
    return sum(sum(layer.weights.values()) for layer in reads.layers)


def _model(name: str, quantization: str = "Q4_K_M") -> ModelFile:
    return load_model_file(name, quantization)


def _bytes(model: ModelFile, name: str) -> int:
    return next(tensor.data_bytes for tensor in model.tensors if tensor.name == name)


def test_an_untied_model_reads_all_but_its_embedding() -> None:
    model = _model("llama-3.1-8b")
    everything = sum(tensor.data_bytes for tensor in model.tensors)
    assert _read(model_reads(model)) == everything - _bytes(model, "token_embd.weight")


def test_a_tied_model_reads_its_embedding_as_output() -> None:
    model = _model("qwen3-4b")
    assert "output.weight" not in {tensor.name for tensor in model.tensors}
    assert _read(model_reads(model)) == sum(tensor.data_bytes for tensor in model.tensors)


def test_per_layer_embeddings_are_looked_up_not_read() -> None:
    model = _model("gemma-4-e4b")
    looked_up = _bytes(model, "per_layer_token_embd.weight")
    assert _read(model_reads(model)) <= sum(t.data_bytes for t in model.tensors) - looked_up


def test_experts_are_apart() -> None:
    reads = model_reads(_model("qwen3-30b-a3b"))
    assert reads.has_experts
    assert reads.share_used == 8 / 128
    assert all(layer.experts for layer in reads.layers[:-1])
    assert all(layer.launches[Launch.ROUTER] == 1 for layer in reads.layers[:-1])
    assert sum(layer.expert_parameters for layer in reads.layers) > 28e9


def test_a_hybrid_caches_few_layers_and_keeps_states_in_the_others() -> None:
    reads = model_reads(_model("qwen3.5-27b"))
    cached = [layer for layer in reads.layers if layer.key]
    recurrent = [layer for layer in reads.layers if layer.state_bytes]
    assert (len(cached), len(recurrent)) == (16, 48)
    assert all(layer.launches[Launch.DELTA] == 1 for layer in recurrent)
    per_token = sum(layer.key + layer.value for layer in cached) * 34 / 32
    assert per_token == 34 * 1024


@pytest.mark.parametrize(
    ("model", "kind"),
    [("lfm2-1.2b", Launch.CONVOLUTION), ("nemotron-nano-9b-v2", Launch.SCAN)],
)
def test_recurrent_layers_start_their_own_kernels(model: str, kind: Launch) -> None:
    reads = model_reads(_model(model))
    recurrent = [layer for layer in reads.layers if layer.state_bytes]
    assert recurrent
    assert all(layer.launches[kind] == 1 for layer in recurrent)
    assert all(layer.has_scan is (kind is Launch.SCAN) for layer in recurrent)


def test_layers_that_share_a_cache_read_it_all_the_same() -> None:
    model = _model("gemma-3n-e4b")
    reads = model_reads(model)
    assert sum(layer.key > 0 for layer in reads.layers) == model.number("block_count")


def test_windows_are_known() -> None:
    reads = model_reads(_model("gpt-oss-20b", "MXFP4"))
    assert {layer.window for layer in reads.layers if layer.key} == {0, 128}
    assert any(layer.experts[WeightKind.FP4] for layer in reads.layers)


def test_nextn_blocks_are_not_part_of_a_plain_step() -> None:
    plain, drafting = model_reads(_model("qwen3.5-27b")), model_reads(_model("qwen3.5-27b-mtp"))
    assert len(plain.layers) == len(drafting.layers) == 65
    assert not plain.nextn
    assert len(drafting.nextn) == 1


def _placed(options: ServerOptions, on_card: int) -> dict[int, DeviceReads]:
    model = _model("qwen3-30b-a3b")
    layers = (-1,) * (49 - on_card) + (0,) * on_card
    return placed_reads(model, layers, options, 1)


def test_everything_on_one_card() -> None:
    placed = _placed(ServerOptions(), 49)
    assert set(placed) == {0}
    assert placed[0].weights_bytes == _read(model_reads(_model("qwen3-30b-a3b")))
    assert len(placed[0].cached) == 48


def test_experts_of_the_first_blocks_move_to_the_host() -> None:
    whole = _placed(ServerOptions(), 49)[0]
    placed = _placed(ServerOptions(cpu_moe_layers=12), 49)
    assert placed[-1].expert_layers == 12
    assert placed[-1].weights_bytes == 0
    assert placed[0].experts_bytes + placed[-1].experts_bytes == whole.experts_bytes
    assert placed[-1].expert_parameters == whole.expert_parameters // 4
    assert placed[0].launches == whole.launches


def test_all_experts_on_the_host_by_either_option() -> None:
    by_name = _placed(ServerOptions(override_tensors=((r"_exps", "CPU"),)), 49)
    assert by_name == _placed(ServerOptions(cpu_moe=True), 49)
    assert by_name[0].experts_bytes == 0


def test_dense_layers_of_the_first_blocks_on_the_host() -> None:
    model = _model("llama-3.1-8b")
    placed = placed_reads(model, (0,) * 33, ServerOptions(cpu_ffn_layers=4), 1)
    assert 0 < placed[-1].weights_bytes < placed[0].weights_bytes
    assert placed[-1].expert_layers == 4


def test_layers_on_the_host_take_their_cache_along() -> None:
    placed = _placed(ServerOptions(), 20)
    assert (len(placed[0].cached), len(placed[-1].cached)) == (19, 29)
    assert placed[-1].layers == 29


def test_a_cache_on_the_host_leaves_the_weights_on_the_card() -> None:
    placed = _placed(ServerOptions(kv_offload=False), 49)
    assert len(placed[-1].cached) == 48
    assert placed[-1].layers == 0
    assert not placed[0].cached


def test_every_product_of_the_catalogue_has_a_described_processor() -> None:
    assert [gpu.name for gpu in gpu_products() if not processor_of(gpu).is_known] == []


def _by_hand(bandwidth: int, vendor: str = "NVIDIA", generation: str = "Ada") -> GpuProduct:
    return GpuProduct(
        name="Own card",
        vendor=vendor,
        generation=generation,
        label="",
        allocatable_bytes=1,
        allocatable_basis=Basis.ESTIMATED,
        nominal_bytes=1,
        bandwidth_bytes_per_second=bandwidth,
        compute_capability="",
        is_modelled=True,
        source="test",
    )


def test_an_unknown_card_gets_usual_proportions() -> None:
    processor = processor_of(_by_hand(960 * 10**9))
    assert not processor.is_known
    assert processor.multiprocessors == 80
    assert card_constants(_by_hand(960 * 10**9)).decode_basis is SpeedBasis.DEFAULT


def test_a_generation_on_another_chip_takes_its_constants() -> None:
    grace, hopper = (
        _by_hand(10**12, generation="Grace-Hopper"),
        _by_hand(10**12, generation="Hopper"),
    )
    assert card_constants(grace) == card_constants(hopper)


def test_measured_cards_are_calibrated_and_slow_ones_have_no_unpacking_limit() -> None:
    assert card_constants(find_gpu("RTX 4090")).decode_basis is SpeedBasis.CALIBRATED
    assert card_constants(find_gpu("RTX 2080")).prefill_basis is SpeedBasis.DEFAULT
    assert card_constants(find_gpu("MI300X")).unpacked_weights_per_second == float("inf")


def test_constants_say_when_and_from_what_they_were_fitted() -> None:
    text = speed_constants().text
    assert text["fitted"]
    assert "rows.csv.gz" in text["source"]
    assert 0.9 < speed_constants().number("efficiency") < 0.97
