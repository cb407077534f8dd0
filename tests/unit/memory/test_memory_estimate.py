"""The whole estimate: parts, bands, the host, notes and what fits."""

from dataclasses import replace
from typing import Any

import pytest

from packer.catalogue.models import load_model_file
from packer.domain.basis import Basis
from packer.domain.model import ModelFile, Tensor
from packer.domain.server_options import (
    DraftOptions,
    FlashAttention,
    ServerOptions,
    SplitMode,
)
from packer.errors import InvalidInput, InvalidModelFile, UnsupportedModel
from packer.memory.estimate import estimate_memory
from packer.memory.graph_size import table_size
from packer.memory.projector import projector_part
from packer.memory.result import Card, MemoryEstimate
from packer.units import GIB, MIB
from tests.memory_models import F16, F32, MadeUp, cards
from tests.memory_truth import measured_model, tiny_model

MODEL = MadeUp().file()
OPTIONS = ServerOptions(context_size=4096, slots=2, prompt_cache_mib=64, fit=False)
MATRIX = 2 * 256 * 512


def estimate(count: int = 1, model: ModelFile = MODEL, **options: Any) -> MemoryEstimate:
    asked = replace(OPTIONS, **options)
    return estimate_memory(model, asked, cards(count))


def test_parts_add_up_and_say_how_far_they_can_be_trusted() -> None:
    (device,) = estimate().devices
    parts = [name for name in device.basis]
    assert sum(getattr(device, f"{name}_bytes") for name in parts) == device.total_bytes
    assert device.basis["weights"] is device.basis["context"] is Basis.EXACT
    assert device.low_bytes <= device.total_bytes <= device.high_bytes


def test_a_catalogue_model_widens_the_band_of_weights_alone() -> None:
    guessed = replace(MODEL, basis=Basis.ESTIMATED, size_low=0.5, size_high=2.0)
    (exact,), (wide,) = estimate().devices, estimate(model=guessed).devices
    assert wide.weights_bytes == exact.weights_bytes
    assert wide.high_bytes - exact.high_bytes == exact.weights_bytes
    assert exact.low_bytes - wide.low_bytes == exact.weights_bytes // 2
    assert wide.basis["weights"] is Basis.ESTIMATED


@pytest.mark.parametrize(
    "options", [{"tensor_split": (1.0, 0.0)}, {"devices": ("CUDA0",)}, {"gpu_layers": 0}]
)
def test_a_visible_card_without_layers_still_holds_a_process(options: dict[str, Any]) -> None:
    idle = estimate(2, **options).devices[1]
    assert idle.weights_bytes == idle.context_bytes == 0
    assert idle.process_bytes > 0
    assert idle.name == "card 1"


def test_what_one_product_was_told_is_not_told_to_another() -> None:
    """Of two products asked in turn, each has its own overhead, name, room and notes."""
    ada = Card("ada", 24 * GIB, compute_capability="8.9")
    other = Card("other", 2 * MIB)
    one = estimate_memory(MODEL, OPTIONS, [ada])
    two = estimate_memory(MODEL, replace(OPTIONS, notes=("said",)), [other])
    assert (one.devices[0].name, two.devices[0].name) == ("ada", "other")
    assert one.devices[0].process_bytes != two.devices[0].process_bytes
    assert one.devices[0].weights_bytes == two.devices[0].weights_bytes
    assert one.host == two.host
    assert (one.fits, two.fits) == (True, False)
    assert two.notes == ("said", *one.notes)


def test_cards_without_a_name_are_called_as_cuda_does() -> None:
    found = estimate_memory(MODEL, OPTIONS, (Card("", GIB), Card("", GIB)))
    assert [device.name for device in found.devices] == ["CUDA0", "CUDA1"]


def test_without_cards_everything_is_on_the_host() -> None:
    found = estimate(0)
    assert found.devices == ()
    assert found.host.weights_bytes == sum(
        -(-tensor.data_bytes // 32) * 32 for tensor in MODEL.tensors
    )
    assert found.host.context_bytes == 4 * 4096 * 2 * 2 * 2 * 64
    assert found.layers == (-1,) * 5


def test_what_fits_is_the_upper_band_on_every_card_and_the_host() -> None:
    assert estimate().fits
    assert not estimate_memory(MODEL, OPTIONS, (Card("small", 100 * MIB),)).fits
    host = estimate().host.total_bytes
    for room, fits in ((host, True), (host - 1, False)):
        found = estimate_memory(MODEL, OPTIONS, cards(1), host_allocatable_bytes=room)
        assert found.fits is fits


def test_a_draft_model_adds_parts_of_its_own() -> None:
    small = MadeUp("qwen3", layers=2, width=128).file()
    options = replace(OPTIONS, draft=DraftOptions("draft.gguf", devices=("CUDA1",)))
    first, second = estimate_memory(
        MODEL, replace(options, tensor_split=(1.0, 0.0)), cards(2), draft=small
    ).devices
    assert first.draft_weights_bytes == first.draft_context_bytes == 0
    assert second.weights_bytes == 0
    assert second.draft_context_bytes == 2 * 4096 * 2 * 2 * 2 * 32
    assert second.process_bytes > 0
    host = estimate_memory(MODEL, options, cards(2), draft=small).host
    assert host.draft_context_bytes == 0
    assert host.draft_weights_bytes > 0


@pytest.mark.parametrize(
    "unused", [{"split_mode": SplitMode.NONE, "main_gpu": 1}, {"devices": ("CUDA1",)}]
)
def test_weights_on_a_card_the_model_does_not_use_are_refused(unused: dict[str, Any]) -> None:
    moved = ((r"blk\.1\.", "CUDA0"),)
    with pytest.raises(InvalidInput, match=r"P0519.*CUDA0"):
        estimate(2, override_tensors=moved, **unused)
    assert estimate(2, override_tensors=moved).devices[0].weights_bytes
    absent = (("no such tensor", "CUDA0"),)
    assert not estimate(2, override_tensors=absent, **unused).devices[0].weights_bytes


def test_the_draft_is_required_when_it_is_named() -> None:
    with pytest.raises(InvalidInput, match="P0510"):
        estimate(draft=DraftOptions("draft.gguf"))


def lora() -> ModelFile:
    tensors = (
        Tensor("blk.0.ffn_up.weight.lora_a", (256, 8), F32),
        Tensor("blk.0.ffn_up.weight.lora_b", (8, 512), F32),
    )
    return ModelFile("lora", "llama", {}, tensors, 0, 0, "lora.gguf")


def test_adapters_are_counted_with_the_weights() -> None:
    found = estimate_memory(MODEL, OPTIONS, cards(1), loras=(lora(), lora()))
    added = found.devices[0].weights_bytes - estimate().devices[0].weights_bytes
    assert added == 2 * 4 * 8 * (256 + 512)
    assert any("LoRA" in note for note in found.notes)
    on_host = estimate_memory(MODEL, OPTIONS, (), loras=(lora(),))
    assert on_host.host.weights_bytes - estimate(0).host.weights_bytes == 4 * 8 * (256 + 512)


def test_adapters_are_sure_beside_weights_that_are_guessed() -> None:
    guessed = replace(MODEL, basis=Basis.ESTIMATED, size_low=0.5, size_high=2.0)
    (exact,), (wide,) = (
        estimate_memory(model, OPTIONS, cards(1), loras=(lora(),)).devices
        for model in (MODEL, guessed)
    )
    bare = estimate().devices[0].weights_bytes
    assert wide.weights_bytes == exact.weights_bytes == bare + 4 * 8 * (256 + 512)
    assert wide.high_bytes - exact.high_bytes == bare
    assert exact.low_bytes - wide.low_bytes == bare // 2


def projector(**keys: int) -> ModelFile:
    metadata = {f"clip.vision.{key}": value for key, value in keys.items()}
    tensors = (Tensor("v.blk.0.ffn_up.weight", (1024, 4096), F16),)
    return ModelFile("mmproj", "clip", metadata, tensors, 0, 0, "mmproj.gguf")


def test_a_projector_is_on_the_first_card_unless_told_otherwise() -> None:
    def where(**options: Any) -> list[int]:
        asked = replace(OPTIONS, **options)
        made = projector(image_size=896, patch_size=14, embedding_length=1152)
        found = estimate_memory(MODEL, asked, cards(2), projector=made)
        return [device.projector_bytes for device in found.devices]

    first, none = where()
    assert first > 8 * MIB
    assert none == 0
    assert where(projector_device="CUDA1") == [0, first]
    assert where(projector_offload=False) == [0, 0]


def test_a_projector_on_the_host_is_counted_there() -> None:
    made = projector()
    with_it = estimate_memory(MODEL, OPTIONS, (), projector=made).host
    part = projector_part(made, is_on_card=False)
    assert with_it.total_bytes - estimate(0).host.total_bytes == part.bytes


def test_larger_pictures_widen_a_projectors_band() -> None:
    weights = 2 * 1024 * 4096
    small = projector_part(projector(image_size=224, patch_size=14), is_on_card=True)
    large = projector_part(
        projector(image_size=224, patch_size=14, image_max_pixels=4 * 10**6), is_on_card=True
    )
    assert small.low == large.low == weights
    assert weights < small.bytes < small.high < large.high


def test_a_projector_must_be_one() -> None:
    with pytest.raises(InvalidModelFile, match="P0513"):
        projector_part(MODEL, is_on_card=True)


def test_a_graph_that_cannot_even_be_guessed_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("packer.memory.llama_context.is_known", lambda *_, **__: False)
    tensors = tuple(t for t in MODEL.tensors if "attn_q" not in t.name)
    with pytest.raises(UnsupportedModel, match="the graph of architecture 'llama' is not modelled"):
        estimate(model=replace(MODEL, tensors=tensors))


def test_an_unknown_architecture_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedModel, match="'llamba'"):
        estimate(model=replace(MODEL, architecture="llamba"))


def test_metadata_can_be_overridden_from_the_command_line() -> None:
    found = estimate(override_metadata=(("llama.context_length", 2048),), context_size=None)
    assert found.context_cells == 2048


def test_checkpoints_are_kept_by_windows_and_recurrent_states_only() -> None:
    windowed = MadeUp("gemma3", layers=6, keys={"attention.sliding_window": 512}).file()
    row = 2 * 2 * 2 * 64
    asked: dict[str, Any] = {"context_checkpoints": 3}
    assert estimate(**asked).host.checkpoint_bytes == 0
    assert estimate(model=windowed, **asked).host.checkpoint_bytes == 2 * 3 * 5 * 512 * row
    assert estimate(model=windowed, swa_full=True, **asked).host.checkpoint_bytes == 0
    assert estimate(model=windowed, embedding=True, **asked).host.checkpoint_bytes == 0
    recurrent = tiny_model("mamba2-dense.gguf")
    per_slot = estimate(model=recurrent).devices[0].context_bytes // 2
    assert estimate(model=recurrent, **asked).host.checkpoint_bytes == 2 * 3 * per_slot


def test_a_checkpoint_holds_the_whole_slot_of_a_draft_that_can_roll_back() -> None:
    windowed = MadeUp("gemma3", layers=6, keys={"attention.sliding_window": 512}).file()
    small = MadeUp("qwen3", layers=2, width=128).file()
    options = replace(OPTIONS, context_checkpoints=1, draft=DraftOptions("draft.gguf"))
    alone = estimate(model=windowed, context_checkpoints=1).host.checkpoint_bytes
    found = estimate_memory(windowed, options, cards(1), draft=small).host.checkpoint_bytes
    assert found - alone == 2 * 2048 * 2 * 2 * 2 * 2 * 32


def test_multi_token_prediction_checkpoints_its_own_layer() -> None:
    model = measured_model("qwen3.5-27b-mtp-like-Q4_K_M.gguf")
    plain = estimate(model=model, context_checkpoints=1).host.checkpoint_bytes
    found = estimate(model=model, context_checkpoints=1, speculation=("draft-mtp",))
    device = found.devices[0]
    assert device.draft_weights_bytes == 0
    assert found.host.checkpoint_bytes - plain == device.draft_context_bytes > 0


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, 64 * MIB),
        ({"prompt_cache_mib": 0}, 0),
        ({"prompt_cache_mib": -1}, 4 * 4096 * 2 * 2 * 2 * 64),
        ({"embedding": True}, 0),
    ],
)
def test_the_prompt_cache_has_its_limit(options: dict[str, Any], size: int) -> None:
    assert estimate(**options).host.prompt_cache_bytes == size


@pytest.mark.parametrize(
    ("count", "options", "part"),
    [
        (1, {"cache_type_k": "iq4_nl", "flash_attention": FlashAttention.AUTO}, "flash attention"),
        (1, {"context_size": 10**6}, "trained for 32768"),
        (1, {"context_size": 5000}, "5000 cells became 5120"),
        (1, {"context_size": None, "fit": True}, "may shrink the context"),
        (2, {}, "without --tensor-split"),
        (1, {"prompt_cache_mib": -1}, "no limit in bytes"),
        (1, {"notes": ("control vectors are not counted",)}, "control vectors"),
        (1, {}, "mapped from the file"),
    ],
)
def test_notes_say_what_numbers_cannot(count: int, options: dict[str, Any], part: str) -> None:
    notes = estimate(count, **options).notes
    assert any(part in note for note in notes)


def test_nothing_is_noted_about_a_plain_command_line() -> None:
    assert estimate(load_mode="none").notes == ()


def test_a_build_that_was_not_measured_is_said_and_its_buffers_are_estimates() -> None:
    options = replace(OPTIONS, load_mode="none")
    measured = estimate_memory(MODEL, options, cards(1))
    other = estimate_memory(MODEL, options, cards(1), build="b20000")
    assert [note for note in other.notes if note not in measured.notes] == [
        "compute buffers were measured on llama.cpp b11434: those of b20000 are estimated"
    ]
    (card,), (same,) = other.devices, measured.devices
    assert card.basis == {**same.basis, "compute": Basis.ESTIMATED, "draft_compute": Basis.EXACT}
    assert card.total_bytes == same.total_bytes
    assert card.high_bytes - same.high_bytes == -(-card.compute_bytes // 4)
    assert (other.host.basis["compute"], measured.host.basis["compute"]) == (
        Basis.ESTIMATED,
        Basis.EXACT,
    )


def test_the_host_is_as_sure_as_the_header_of_each_model() -> None:
    guessed = replace(MODEL, basis=Basis.ESTIMATED, size_low=0.9, size_high=1.1)
    drafting = replace(OPTIONS, gpu_layers=0, draft=DraftOptions("draft.gguf"))
    found = estimate_memory(MODEL, drafting, cards(1), draft=guessed).host.basis
    assert (found["weights"], found["draft_weights"]) == (Basis.EXACT, Basis.ESTIMATED)
    assert (found["draft_compute"], found["process"]) == (Basis.EXACT, Basis.ESTIMATED)
    assert estimate(0, guessed).host.basis["weights"] is Basis.ESTIMATED


@pytest.mark.parametrize(("origin", "named"), [("/models/x.gguf", "/models/x.gguf"), ("", "x")])
def test_a_missing_tensor_is_named(origin: str, named: str) -> None:
    tensors = tuple(t for t in MODEL.tensors if t.name != "blk.2.attn_q.weight")
    model = replace(MODEL, tensors=tensors, name="x", origin=origin)
    with pytest.raises(InvalidModelFile, match=r"P0514.*blk\.2\.attn_q\.weight") as refused:
        estimate(model=model)
    (problem,) = refused.value.problems
    assert problem.where is not None
    assert problem.where.file == named


@pytest.mark.parametrize(
    ("fewest", "places"),
    [
        (1024, 1031), (1031, 1031), (1032, 2053), (2053, 2053), (2054, 4099), (4099, 4099),
        (4100, 8209), (8209, 8209), (8210, 16411), (16411, 16411), (16412, 32771), (32771, 32771),
        (32772, 65537),
    ],
)  # fmt: skip
def test_tables_are_the_next_primes_after_powers_of_two(fewest: int, places: int) -> None:
    assert table_size(fewest) == places


def test_without_a_draft_the_host_holds_nothing_for_one() -> None:
    host = estimate().host
    assert host.draft_weights_bytes == host.draft_context_bytes == host.draft_compute_bytes == 0


@pytest.mark.parametrize(
    ("options", "aborts"),
    [
        ({"slots": 1}, False),
        ({"slots": 2}, True),
        ({"slots": 2, "kv_unified": True}, False),
        ({"slots": 4, "cache_type_v": "f16"}, False),
    ],
)
def test_a_graph_llama_cpp_has_no_room_for_is_refused(
    options: dict[str, Any], aborts: bool
) -> None:
    """Checked against llama.cpp b11434: phi-4 at 16384 cells, which aborts in one of these."""
    model = load_model_file("phi-4", "Q4_K_M")
    quantized: dict[str, Any] = {
        "cache_type_k": "q8_0",
        "cache_type_v": "q8_0",
        "context_size": 16384,
    }
    if aborts:
        with pytest.raises(InvalidInput, match="P0515"):
            estimate(model=model, **quantized | options)
    else:
        assert estimate(model=model, **quantized | options).slots == options["slots"]
