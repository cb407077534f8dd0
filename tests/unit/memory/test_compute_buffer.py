"""Compute buffers beside each other: builds, cells, blocks left out, adapters, growing ones."""

from collections import OrderedDict
from dataclasses import replace
from typing import Any

import pytest

from packer.catalogue.models import load_model_file
from packer.domain.basis import Basis
from packer.domain.model import ModelFile, Tensor
from packer.domain.quantization import ELEMENT_TYPES_BY_NAME
from packer.domain.server_options import ServerOptions
from packer.llamacpp.arguments import parse_arguments
from packer.memory import compute_peaks, compute_reservations
from packer.memory.compute_buffer import ComputeBuffers, compute_buffers
from packer.memory.compute_peaks import Reservation, graph_program
from packer.memory.compute_program import Program
from packer.memory.hyperparameters import read_hyperparameters
from packer.memory.layer_split import model_layout
from packer.memory.resolution import resolve_context
from packer.memory.result import Card
from tests.memory_models import MadeUp
from tests.memory_truth import cards as cards_of
from tests.memory_truth import measured_model, tiny_model

F16 = ELEMENT_TYPES_BY_NAME["f16"]
LLAMA = "llama-3.1-8b"


def options(arguments: str) -> ServerOptions:
    return parse_arguments(["llama-server", "-m", "m.gguf", *arguments.split(), "--fit", "off"])


def computed(
    model: ModelFile,
    arguments: str,
    gpus: str = "81920",
    *,
    build: str = "b11434",
    adapters: tuple[ModelFile, ...] = (),
    has_flash_attention: bool = True,
) -> ComputeBuffers:
    asked, visible = options(arguments), cards_of(gpus)
    sizes = read_hyperparameters(model)
    return compute_buffers(
        model,
        resolve_context(sizes, asked),
        model_layout(sizes.block_count, asked, visible),
        asked,
        visible,
        has_flash_attention=has_flash_attention,
        build=build,
        adapters=adapters,
    )


def fresh(model: ModelFile) -> ModelFile:
    """A copy of a header, of which nothing is remembered."""
    return replace(model)


def test_older_builds_make_room_for_the_logits_of_a_whole_batch() -> None:
    model = load_model_file(LLAMA, "Q4_K_M")
    new = computed(model, "-c 8192 -np 1").cards[0].bytes
    old = computed(model, "-c 8192 -np 1", build="b9000").cards[0].bytes
    logits = 512 * model.vocabulary_size * 4
    assert old > logits > new
    assert computed(model, "-c 8192 -np 1", build="b9500").cards[0].bytes == new
    assert computed(model, "-c 8192 -np 1", build="custom").cards[0].bytes == new


@pytest.mark.parametrize(
    ("name", "arguments", "gpus"),
    [
        ("qwen3-8b", "-np 1", "81920"),
        ("qwen3-8b", "-np 3 -fa off", "81920"),
        ("qwen3-8b", "-np 2 -ctk q8_0 -ctv q8_0 -ngl 20", "24576"),
        ("gemma-3-12b", "-np 2", "24576,24576"),
        ("gpt-oss-20b", "-np 4 -ts 1,3", "24576,24576"),
        ("qwen3-30b-a3b", "-np 1 -ncmoe 10", "24576"),
    ],
)
def test_buffers_between_two_contexts_are_those_of_a_walk_of_their_own(
    name: str, arguments: str, gpus: str
) -> None:
    model = fresh(load_model_file(name, "MXFP4" if name.startswith("gpt-oss") else "Q4_K_M"))

    def at(cells: int) -> ComputeBuffers:
        fa = "-fa off" not in arguments
        return computed(model, f"-c {cells} {arguments}", gpus, has_flash_attention=fa)

    at(4096), at(65536)
    between = [at(cells) for cells in (8192, 12288, 33280, 50176)]
    compute_reservations._shared.clear()
    model = fresh(model)
    alone = [at(cells) for cells in (8192, 12288, 33280, 50176)]
    assert between == alone


@pytest.mark.parametrize(
    ("name", "arguments", "gpus"),
    [
        ("llama-3.1-8b", "-c 8192 -np 1", "81920"),
        ("llama-3.1-8b", "-c 8192 -np 2 -fa off", "24576,24576,24576"),
        ("llama-3.1-8b", "-c 8192 -np 2 -ngl 17", "8192"),
        ("gemma-3-12b", "-c 16384 -np 4", "24576,24576"),
        ("granite-4.0-h-small", "-c 8192 -np 2", "49152"),
        ("qwen3-30b-a3b", "-c 8192 -np 1 -ngl 40 -ncmoe 12", "24576"),
        ("phi-4", "-c 49152 -np 6", "49152"),
        ("phi-4", "-c 49152 -np 6 -ts 14,14,13", "24576,24576,24576"),
        ("gemma-3-27b", "-c 49152 -np 6", "81920"),
    ],
)
def test_blocks_that_are_left_out_change_nothing(
    monkeypatch: pytest.MonkeyPatch, name: str, arguments: str, gpus: str
) -> None:
    fa = "-fa off" not in arguments
    model = load_model_file(name, "Q4_K_M")
    short = computed(fresh(model), arguments, gpus, has_flash_attention=fa)
    compute_reservations._shared.clear()
    monkeypatch.setattr(compute_reservations, "_REPETITIONS", (None,))
    assert computed(fresh(model), arguments, gpus, has_flash_attention=fa) == short


def test_blocks_that_swap_places_are_seen_as_a_circle(monkeypatch: pytest.MonkeyPatch) -> None:
    """In phi-4 every other block looks alike, so no two neighbours do."""
    built: list[int] = []

    def counted(reservation: Reservation, *rest: Any) -> Program:
        built.append(len(reservation.choice.blocks))
        return graph_program(reservation, *rest)

    monkeypatch.setattr(compute_peaks, "graph_program", counted)
    monkeypatch.setattr(compute_reservations, "_shared", OrderedDict())
    computed(fresh(load_model_file("phi-4", "Q4_K_M")), "-c 49152 -np 6")
    assert built == [3, 4]
    computed(fresh(load_model_file("phi-4", "Q6_K")), "-c 49152 -np 6")
    assert built == [3, 4], "files whose matrices alone differ in type share their graphs"


def test_a_model_without_cards_reserves_on_the_host_alone() -> None:
    found = computed(load_model_file(LLAMA, "Q4_K_M"), "-c 8192 -np 1", gpus="")
    assert found.cards == ()
    assert found.host.bytes > 512 * 4096 * 4


def test_cards_that_hold_no_layer_reserve_nothing() -> None:
    found = computed(load_model_file(LLAMA, "Q4_K_M"), "-c 8192 -np 1 -dev CUDA1", "24576,24576")
    assert found.cards[0].bytes == 0 < found.cards[1].bytes


def test_buffers_grow_with_batch_and_context() -> None:
    model = load_model_file(LLAMA, "Q4_K_M")
    small = computed(model, "-c 8192 -np 1").cards[0].bytes
    assert computed(model, "-c 8192 -np 1 -ub 2048 -b 2048").cards[0].bytes > 3 * small
    assert computed(model, "-c 131072 -np 1").cards[0].bytes > small


def test_minimax_m3_starts_small_and_is_counted_full() -> None:
    model = tiny_model("minimax-m3-moe.gguf")
    found = computed(model, "-c 65536 -np 1", "409600").cards[0]
    assert found.basis is Basis.ESTIMATED
    assert found.low < found.bytes == found.high
    alone = computed(model, "-c 256 -np 1", "409600").cards[0]
    assert alone.low == alone.bytes


def adapter(model: ModelFile, rank: int, *stems: str) -> ModelFile:
    """A LoRA adapter of every block's tensors of these names."""
    pairs = [
        pair
        for tensor in model.tensors
        if tensor.name.split(".")[-2] in stems
        for pair in (
            Tensor(f"{tensor.name}.lora_a", (tensor.shape[0], rank, *tensor.shape[2:]), F16),
            Tensor(f"{tensor.name}.lora_b", (rank, *tensor.shape[1:]), F16),
        )
    ]
    return replace(model, tensors=tuple(pairs))


@pytest.mark.parametrize(
    ("name", "stems"),
    [
        ("llama-3.1-8b-Q4_K_M.gguf", ("ffn_up", "ffn_gate", "ffn_down", "output")),
        ("qwen3-30b-a3b-Q4_K_M.gguf", ("ffn_up_exps", "ffn_down_exps")),
    ],
)
def test_adapters_add_their_operations(name: str, stems: tuple[str, ...]) -> None:
    model = measured_model(name)
    plain = computed(model, "-c 4096 -np 1 -ub 2048 -b 2048").cards[0]
    found = computed(
        model, "-c 4096 -np 1 -ub 2048 -b 2048", adapters=(adapter(model, 64, *stems),)
    ).cards[0]
    assert found.basis is Basis.ESTIMATED
    assert found.bytes >= plain.bytes
    assert found.high > plain.bytes
    unrelated = computed(model, "-c 4096 -np 1 -ub 2048 -b 2048", adapters=(adapter(model, 8),))
    assert unrelated.cards[0].bytes == plain.bytes


@pytest.mark.parametrize(
    "arguments", ["-c 4096 -np 1 -ngl 99", "-c 4096 -np 1 -ngl 9 --no-host", "-c 4096 -np 1 -ngl 0"]
)
def test_buffers_of_another_build_are_estimates_in_a_wider_band(arguments: str) -> None:
    model = measured_model(f"{LLAMA}-Q4_K_M.gguf")
    measured = computed(model, arguments)
    assert computed(model, arguments, build="11434") == measured
    other = computed(model, arguments, build="b11549")
    for part, found in zip(
        (*measured.cards, measured.host), (*other.cards, other.host), strict=True
    ):
        assert found.bytes == part.bytes
        assert (found.low, found.high) == (int(part.low * 0.8), -int(-part.high * 1.25 // 1))
        assert found.basis is Basis.ESTIMATED


@pytest.mark.parametrize(
    ("architecture", "block"), [("bailingmoe3", 0), ("glm-dsa", 1), ("hy_v3", 1)]
)
def test_nextn_blocks_that_were_never_measured_are_estimated(architecture: str, block: int) -> None:
    model = with_nextn(tiny_model(f"{architecture}-moe.gguf"), block)
    asked = options("-c 4096 -np 1 --spec-type draft-mtp")
    sizes = read_hyperparameters(model)
    visible = (Card("CUDA0", 80 << 30),)
    context = replace(resolve_context(sizes, asked), is_nextn=True, rollback_depth=0)
    found = compute_buffers(
        model,
        context,
        model_layout(sizes.block_count, asked, visible),
        asked,
        visible,
        has_flash_attention=True,
        build="b11434",
    ).cards[0]
    assert found.basis is Basis.ESTIMATED
    assert found.low < found.bytes < found.high


def with_nextn(model: ModelFile, block: int) -> ModelFile:
    """A model whose last block is for multi-token prediction and otherwise like another block."""
    sizes, prefix = read_hyperparameters(model), model.architecture
    last, width = sizes.block_count - 1, sizes.embedding
    f32 = ELEMENT_TYPES_BY_NAME["f32"]
    kept = [tensor for tensor in model.tensors if not tensor.name.startswith(f"blk.{last}.")]
    copied = [
        replace(tensor, name=tensor.name.replace(f"blk.{block}.", f"blk.{last}."))
        for tensor in model.tensors
        if tensor.name.startswith(f"blk.{block}.")
    ]
    more = (
        Tensor(f"blk.{last}.nextn.eh_proj.weight", (2 * width, width), f32),
        Tensor(f"blk.{last}.nextn.enorm.weight", (width,), f32),
        Tensor(f"blk.{last}.nextn.hnorm.weight", (width,), f32),
    )
    metadata = {**model.metadata, f"{prefix}.nextn_predict_layers": 1}
    return replace(model, metadata=metadata, tensors=(*kept, *copied, *more))


def test_weights_that_may_be_repacked_give_a_band() -> None:
    """Measured with llama.cpp b11434's allocator on an AVX2 machine, 2026-11-22."""
    model = load_model_file("qwen3-1.7b", "Q4_K_M")
    found = computed(model, "-c 65536 -np 16 -ncffn 2 --no-host", "409600")
    assert found.cards[0].basis is found.host.basis is Basis.ESTIMATED
    assert found.cards[0].low <= 58_734_592 <= found.cards[0].high
    assert found.host.low <= 37_767_232 <= found.host.high
    kept = computed(model, "-c 65536 -np 16 -ncffn 2 --no-host --no-repack", "409600")
    assert kept.cards[0].basis is Basis.EXACT


def test_deep_embeddings_of_images_live_until_the_last_block_that_adds_one() -> None:
    """Wherever that block is, and although all blocks look alike."""
    count = 24
    keys = {"residual_scale": 1.0, "logit_scale": 1.0}

    def granite(*places: int) -> ModelFile:
        mapping = [-1] * count
        for number, place in enumerate(places):
            mapping[place] = number
        mapped = keys | ({"deepstack_mapping": tuple(mapping)} if places else {})
        return MadeUp("granite", layers=count, width=1024, keys=mapped).file()

    plain, early, late = (
        computed(model, "-c 4096 -np 1").cards[0].bytes
        for model in (granite(), granite(0, 1, 2), granite(0, 9, 18))
    )
    assert plain + 2 * 512 * 1024 * 4 <= early <= late
