"""Tensors lie where llama.cpp puts them, with its padding."""

from dataclasses import replace

import pytest

from packer.domain.model import ModelFile, Tensor
from packer.domain.quantization import ELEMENT_TYPES_BY_NAME
from packer.domain.server_options import DraftOptions, ServerOptions
from packer.errors import InvalidInput
from packer.memory.card_support import card_holds
from packer.memory.hyperparameters import read_hyperparameters
from packer.memory.layer_split import HOST
from packer.memory.lora import adapter_bytes
from packer.memory.metadata_override import with_metadata
from packer.memory.tensor_override import Override, has_overrides, tensor_overrides
from packer.memory.tensor_size import card_bytes, host_bytes
from packer.memory.weights import weight_bytes
from tests.memory_models import F16, F32, Keys, MadeUp

ALL_ON_CARD = (0,) * 5
MATRIX = 2 * 256 * 512
EMBEDDING = 2 * 256 * 1000
NORM = 4 * 256
BLOCK = 3 * MATRIX + 2 * NORM + 2 * 256 * (256 + 128 + 128 + 256)


def tensor(name: str, shape: tuple[int, ...], kind: str = "f16") -> Tensor:
    return Tensor(name, shape, ELEMENT_TYPES_BY_NAME[kind])


def test_rows_that_are_not_whole_512_elements_are_filled_on_a_card() -> None:
    q8 = ELEMENT_TYPES_BY_NAME["q8_0"]
    assert card_bytes(q8, 320, 320) == (320 + 192) // 32 * 34 + 96
    assert host_bytes(q8, 320) == 352
    assert card_bytes(F16, 320, 320) == 640


def test_rows_that_are_sent_to_a_card_are_filled_there_too() -> None:
    q8, layers = ELEMENT_TYPES_BY_NAME["q8_0"], (HOST, HOST, HOST, HOST, 0)
    model = MadeUp(matrix="q8_0", width=320).file()
    plain = weight_bytes(model, layers)
    for device, size in ((1, card_bytes(q8, 320, 320 * 640)), (HOST, host_bytes(q8, 320 * 640))):
        sent = weight_bytes(model, layers, ((r"blk\.2\.ffn_up", device),))
        moved = host_bytes(q8, 320 * 640)
        assert sent[HOST] == plain[HOST] - (moved if device == 1 else 0)
        assert sent.get(1, 0) == (size if device == 1 else 0)
        assert sent[0] == plain[0]


def test_embedding_stays_and_the_rest_goes_to_the_card() -> None:
    held = weight_bytes(MadeUp().file(), ALL_ON_CARD)
    assert held == {HOST: EMBEDDING, 0: EMBEDDING + NORM + 4 * BLOCK}


def test_an_odd_number_of_blocks_is_all_there() -> None:
    held = weight_bytes(MadeUp(layers=3).file(), (HOST, 0, 0, 0))
    assert held == {HOST: EMBEDDING + BLOCK, 0: EMBEDDING + NORM + 2 * BLOCK}


def test_a_tied_embedding_is_held_twice_only_with_the_output_on_a_card() -> None:
    model = MadeUp(is_tied=True).file()
    assert weight_bytes(model, ALL_ON_CARD)[0] == EMBEDDING + NORM + 4 * BLOCK
    assert weight_bytes(model, (HOST,) * 5) == {HOST: EMBEDDING + NORM + 4 * BLOCK}


def test_gemma_4_always_holds_two_embeddings() -> None:
    keys: Keys = {"attention.sliding_window_pattern": (True,) * 4, "attention.sliding_window": 64}
    model = MadeUp("gemma4", is_tied=True, keys=keys).file()
    assert weight_bytes(model, (HOST,) * 5)[HOST] == 2 * EMBEDDING + NORM + 4 * BLOCK


def test_rope_factors_are_copied_to_every_device_with_a_block() -> None:
    more = (tensor("rope_freqs.weight", (64,), "f32"),)
    model = MadeUp(more=more).file()
    plain = weight_bytes(MadeUp().file(), (HOST, 0, 0, 1, 1))
    copied = weight_bytes(model, (HOST, 0, 0, 1, 1))
    assert {device: copied[device] - plain[device] for device in plain} == {
        HOST: 256,
        0: 256,
        1: 256,
    }


def test_rope_factors_of_gemma_4_only_lie_where_a_block_has_no_window() -> None:
    keys: Keys = {
        "attention.sliding_window_pattern": (True, True, False, True),
        "attention.sliding_window": 64,
    }
    more = (tensor("rope_freqs.weight", (64,), "f32"),)
    with_factors = MadeUp("gemma4", keys=keys, more=more).file()
    without = MadeUp("gemma4", keys=keys).file()
    layers = (0, 0, 1, 1, 1)
    held, plain = weight_bytes(with_factors, layers), weight_bytes(without, layers)
    assert (held[0] - plain[0], held[1] - plain[1]) == (0, 256)


def test_nextn_blocks_are_loaded_only_for_multi_token_prediction() -> None:
    model = MadeUp("glm4moe", keys={"nextn_predict_layers": 1}).file()
    skipped = weight_bytes(model, ALL_ON_CARD)[0]
    assert weight_bytes(model, ALL_ON_CARD, loads_nextn=True)[0] - skipped == BLOCK


def test_none_of_several_nextn_blocks_is_loaded_without_prediction() -> None:
    model = MadeUp("glm4moe", layers=5, keys={"nextn_predict_layers": 2}).file()
    skipped = weight_bytes(model, (0,) * 6)[0]
    assert skipped == EMBEDDING + NORM + 3 * BLOCK
    assert weight_bytes(model, (0,) * 6, loads_nextn=True)[0] - skipped == 2 * BLOCK


def test_a_tied_embedding_that_no_card_holds_exists_once() -> None:
    model = MadeUp(is_tied=True).file()
    kind = ELEMENT_TYPES_BY_NAME["tq2_0"]
    tensors = [
        replace(one, type=kind) if one.name == "token_embd.weight" else one for one in model.tensors
    ]
    held = weight_bytes(replace(model, tensors=tuple(tensors)), ALL_ON_CARD)
    assert held == {HOST: 66 * 1000 + -66 * 1000 % 32, 0: NORM + 4 * BLOCK}


@pytest.mark.parametrize(
    ("options", "moved"),
    [
        (ServerOptions(cpu_ffn_layers=2), 6),
        (ServerOptions(override_tensors=((r"blk\.3\.ffn_up", "CPU"),)), 1),
        (ServerOptions(override_tensors=((r"ffn_(up|down)", "CPU"),)), 8),
        (ServerOptions(override_tensors=(("ffn_up", "CUDA0"), ("ffn_[ud]", "CPU"))), 4),
        (ServerOptions(cpu_moe=True), 0),
    ],
)
def test_overrides_move_matrices_to_the_host(options: ServerOptions, moved: int) -> None:
    model = MadeUp().file()
    overrides = tensor_overrides(options, 1)
    held, plain = weight_bytes(model, ALL_ON_CARD, overrides), weight_bytes(model, ALL_ON_CARD)
    assert held[HOST] - plain[HOST] == plain[0] - held[0] == moved * MATRIX
    assert has_overrides(options)


@pytest.mark.parametrize("options", [ServerOptions(cpu_moe=True), ServerOptions(cpu_moe_layers=2)])
def test_expert_overrides_match_expert_tensors_alone(options: ServerOptions) -> None:
    experts = tuple(tensor(f"blk.{i}.ffn_up_exps.weight", (256, 64, 8)) for i in range(4))
    model = MadeUp("qwen3moe", more=experts).file()
    held = weight_bytes(model, ALL_ON_CARD, tensor_overrides(options, 1))
    moved = 4 if options.cpu_moe else 2
    assert held[HOST] == EMBEDDING + moved * 2 * 256 * 64 * 8


def test_a_tied_embedding_that_is_overridden_exists_once() -> None:
    model = MadeUp(is_tied=True).file()
    overrides: tuple[Override, ...] = (("token_embd", HOST),)
    held = weight_bytes(model, ALL_ON_CARD, overrides)
    assert held[HOST] == EMBEDDING
    assert held[0] == NORM + 4 * BLOCK


def test_no_options_override_nothing() -> None:
    assert not has_overrides(ServerOptions())
    assert not has_overrides(DraftOptions())
    assert tensor_overrides(DraftOptions(cpu_moe_layers=1), 0)


@pytest.mark.parametrize("override", [("(", "CPU"), ("ffn", "CUDA3"), ("ffn", "Metal")])
def test_a_bad_override_is_refused(override: tuple[str, str]) -> None:
    with pytest.raises(InvalidInput, match="P0508"):
        tensor_overrides(ServerOptions(override_tensors=(override,)), 1)


MAMBA = MadeUp(
    "mamba2",
    keys={"ssm.conv_kernel": 4, "ssm.inner_size": 512, "ssm.state_size": 128, "ssm.group_count": 1},
).sizes()


@pytest.mark.parametrize(
    ("name", "shape", "kind", "holds"),
    [
        ("blk.0.ffn_up.weight", (256, 512), "q4_K", True),
        ("blk.0.ffn_up.weight", (256, 512), "tq1_0", False),
        ("blk.0.attn_norm.weight", (256,), "f32", True),
        ("blk.0.attn_norm.weight", (256,), "bf16", False),
        ("blk.0.attn_q.bias", (256,), "f32", True),
        ("blk.0.ffn_up_exps.bias", (256, 8), "bf16", True),
        ("blk.0.attn_sinks.weight", (8,), "bf16", True),
        ("blk.0.attn_sinks.weight", (8,), "f16", False),
        ("blk.0.ssm_conv1d.weight", (4, 512), "f32", True),
        ("blk.0.ssm_conv1d.weight", (4, 500), "f32", False),
        ("blk.0.ssm_a", (1, 8), "f32", True),
        ("blk.0.ssm_a", (1, 100), "f32", False),
        ("blk.0.ssm_a", (16, 512), "f32", True),
        ("blk.0.ssm_a", (32, 512), "f32", False),
        # Biases of experts are added by their own operation; others and the experts are not.
        ("blk.0.ffn_up_exps.bias", (512, 8), "bf16", True),
        ("blk.0.ffn_up_exps.weight", (256, 512, 8), "q4_K", True),
        ("blk.0.ffn_up_exps.weight", (256, 512, 8), "tq1_0", False),
        ("blk.0.ffn_up.bias", (512,), "f16", True),
        ("blk.0.ffn_up.bias", (512,), "bf16", False),
        ("blk.0.nextn.embed_tokens.weight", (256, 1000), "q4_K", True),
        ("blk.0.nextn.embed_tokens.weight", (256, 1000), "nvfp4", False),
        ("blk.0.nextn.embed_tokens.weight", (320, 1000), "mxfp4", False),
        ("blk.0.nextn.embed_tokens.weight", (160, 1000), "iq4_nl", False),
        ("blk.0.nextn.embed_tokens.weight", (256, 1000), "iq4_nl", True),
        ("blk.0.nextn.embed_tokens.weight", (768, 1000), "mxfp4", True),
    ],
)
def test_cards_hold_what_they_have_operations_for(
    name: str, shape: tuple[int, ...], kind: str, holds: bool
) -> None:
    assert card_holds(tensor(name, shape, kind), MAMBA) is holds


@pytest.mark.parametrize(
    ("shape", "inner", "state", "groups", "holds"),
    [
        # Mamba 2: a state of 96, 128 or 256, and heads of a multiple of 16.
        ((1, 8), 512, 96, 4, True),
        ((1, 8), 512, 256, 1, True),
        ((1, 8), 512, 64, 1, False),
        ((1, 32), 512, 128, 1, True),
        ((1, 64), 512, 128, 1, False),
        # Mamba: a state of 16, heads of one element in one group, a multiple of 128 of them.
        ((16, 384), 384, 16, 0, True),
        ((16, 384), 384, 16, 1, True),
        ((16, 384), 384, 16, 2, False),
        ((16, 256), 512, 16, 1, False),
        ((16, 320), 320, 16, 1, False),
        ((8, 384), 384, 8, 1, False),
        # One row is one head.
        ((16,), 0, 16, 0, False),
    ],
)
def test_states_that_a_card_scans(
    shape: tuple[int, ...], inner: int, state: int, groups: int, holds: bool
) -> None:
    keys = {"ssm.conv_kernel": 4, "ssm.inner_size": inner, "ssm.state_size": state}
    sizes = MadeUp("mamba2", keys=keys | {"ssm.group_count": groups}).sizes()
    assert card_holds(tensor("blk.0.ssm_a", shape, "f32"), sizes) is holds


def test_a_delta_net_multiplies_its_decay_instead_of_scanning() -> None:
    keys = {"ssm.conv_kernel": 4, "ssm.inner_size": 512, "ssm.state_size": 32, "ssm.group_count": 1}
    sizes = MadeUp("qwen3next", keys=keys).sizes()
    assert card_holds(tensor("blk.0.ssm_a", (16,), "f32"), sizes)


def test_a_tensor_no_card_can_hold_stays_on_the_host() -> None:
    more = (tensor("blk.0.ffn_more.weight", (256, 512), "tq2_0"),)
    held = weight_bytes(MadeUp(more=more).file(), ALL_ON_CARD)
    assert held[HOST] == EMBEDDING + 256 * 512 // 256 * 66


def lora(*names: str, architecture: str = "llama") -> ModelFile:
    pairs = [
        Tensor(f"{name}.{half}", shape, F32)
        for name in names
        for half, shape in (("lora_a", (256, 16)), ("lora_b", (16, 512)))
    ]
    norms = [Tensor("blk.0.attn_norm.weight", (256,), F32)]
    return ModelFile("lora", architecture, {}, (*pairs, *norms), 0, 0, "lora.gguf")


def test_rows_of_an_adapter_are_filled_on_a_card_alone() -> None:
    model = MadeUp().file()
    parts = (tensor("blk.0.ffn_up.weight.lora_a", (320, 16), "q8_0"),)
    adapter = replace(lora(), tensors=parts)
    on_host, on_card = (
        adapter_bytes(adapter, model, read_hyperparameters(model), (device,) * 5, ())
        for device in (HOST, 0)
    )
    assert on_host == {HOST: 16 * 340 + -16 * 340 % 32}
    assert on_card == {0: card_bytes(ELEMENT_TYPES_BY_NAME["q8_0"], 320, 16 * 320)}
    assert on_card[0] > on_host[HOST]


def test_an_adapter_lies_beside_the_tensors_it_changes() -> None:
    model = MadeUp().file()
    sizes = read_hyperparameters(model)
    pair = 4 * 16 * (256 + 512)
    adapter = lora("blk.0.ffn_up.weight", "blk.3.ffn_up.weight", "token_embd.weight")
    held = adapter_bytes(adapter, model, sizes, (HOST, 0, 0, 1, 1), ())
    assert held == {HOST: 2 * pair, 1: pair}
    overridden = adapter_bytes(adapter, model, sizes, ALL_ON_CARD, (("ffn_up", HOST),))
    assert overridden == {HOST: 3 * pair}


@pytest.mark.parametrize(
    "adapter", [lora("blk.9.ffn_up.weight"), lora("blk.0.ffn_up.weight", architecture="qwen2")]
)
def test_an_adapter_of_another_model_is_refused(adapter: ModelFile) -> None:
    model = MadeUp().file()
    with pytest.raises(InvalidInput, match="P0512"):
        adapter_bytes(adapter, model, read_hyperparameters(model), ALL_ON_CARD, ())


def test_overridden_metadata_replaces_the_files_own_and_is_made_once() -> None:
    model = MadeUp().file()
    changed = with_metadata(model, (("llama.context_length", 4096),))
    assert changed.context_length == 4096
    assert with_metadata(model, (("llama.context_length", 4096),)) is changed
    assert with_metadata(model, ()) is model
