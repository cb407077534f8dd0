"""Writing command lines: reading them back gives the same options, and nothing is left open."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packer.domain.server_options import (
    DraftOptions,
    FlashAttention,
    ServerOptions,
    SplitMode,
)
from packer.domain.serving_options import ServingOptions
from packer.errors import InvalidInput
from packer.llamacpp.arguments import parse_arguments
from packer.llamacpp.command import check_flags, format_command, format_router_command
from packer.llamacpp.flag_values import CACHE_TYPES, LOAD_MODES
from packer.llamacpp.router_preset import format_preset

SERVING = ServingOptions(alias="chat", model_path="/models/chat.gguf")
OPTIONS = ServerOptions(
    model="/models/chat.gguf", context_size=8192, slots=2, kv_unified=False, fit=False
)
BUILDS = ("b11434", "b11549")

patterns = st.sampled_from((r"blk\.[0-9]\.ffn_.*", "exps", r"\.ffn_(up|down)_exps"))
cpu_overrides = st.lists(st.tuples(patterns, st.just("CPU")), max_size=2).map(tuple)
layer_counts = st.none() | st.integers(0, 200)
device_names = st.none() | st.sampled_from(((), ("CUDA0",), ("CUDA1", "CUDA0")))
words = st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=8)
shares = st.lists(st.integers(0, 99).map(lambda n: n / 4), min_size=2, max_size=4).map(tuple)
file_names = st.builds("/models/{}.gguf".format, words)
metadata = st.dictionaries(
    st.sampled_from(("a.b", "llama.context_length")),
    st.integers(-9, 9) | st.booleans() | st.sampled_from((0.5, -2.25)) | st.just('x,"y"'),
).map(lambda found: tuple(found.items()))
drafts = st.builds(
    DraftOptions,
    model=file_names,
    gpu_layers=layer_counts,
    cache_type_k=st.sampled_from(CACHE_TYPES),
    cache_type_v=st.sampled_from(CACHE_TYPES),
    devices=device_names,
    cpu_moe=st.booleans(),
    cpu_moe_layers=st.integers(0, 9),
    override_tensors=cpu_overrides,
)
explicit_options = st.builds(
    ServerOptions,
    model=st.just(SERVING.model_path),
    context_size=st.integers(0, 2**20),
    context_per_slot=st.none() | st.integers(1, 2**17),
    slots=st.integers(1, 256),
    kv_unified=st.booleans(),
    batch_size=st.integers(256, 4096),
    ubatch_size=st.integers(256, 4096),
    gpu_layers=layer_counts,
    tensor_split=st.lists(st.integers(0, 99).map(lambda n: n / 4), min_size=2, max_size=4).map(
        tuple
    ),
    split_mode=st.sampled_from(SplitMode),
    main_gpu=st.integers(0, 3),
    devices=device_names,
    cache_type_k=st.sampled_from(CACHE_TYPES),
    cache_type_v=st.sampled_from(CACHE_TYPES),
    flash_attention=st.sampled_from(FlashAttention),
    cpu_moe=st.booleans(),
    cpu_moe_layers=st.integers(0, 99),
    cpu_ffn_layers=st.integers(0, 99),
    override_tensors=cpu_overrides,
    kv_offload=st.booleans(),
    op_offload=st.booleans(),
    swa_full=st.booleans(),
    embedding=st.booleans(),
    pooling=st.none() | st.sampled_from(("mean", "last")),
    load_mode=st.sampled_from(LOAD_MODES),
    repack=st.booleans(),
    no_host=st.booleans(),
    lora=st.lists(file_names | st.just('/a,b"c.gguf'), max_size=2).map(tuple),
    prompt_cache_mib=st.integers(-1, 9999),
    context_checkpoints=st.integers(0, 99),
    fit=st.just(False),
    lazy_mode=st.sampled_from(("on", "auto", "off")),
    override_metadata=metadata,
    backend_sampling=st.booleans(),
)


@given(explicit_options, st.sampled_from(BUILDS))
def test_reading_back_gives_the_same_options(options: ServerOptions, build: str) -> None:
    argv = format_command(options, SERVING, build=build)
    assert parse_arguments(argv, build=build) == options


@given(explicit_options, drafts, st.none() | st.integers(0, 16))
def test_reading_back_gives_the_same_draft(
    options: ServerOptions, draft: DraftOptions, depth: int | None
) -> None:
    wanted = replace(
        options,
        draft=draft,
        draft_depth=depth,
        speculation=("draft-simple", "ngram-mod"),
        ngram_depth=9,
    )
    assert parse_arguments(format_command(wanted, SERVING, build="b11434")) == wanted


@pytest.mark.parametrize("device", [None, "CUDA1"])
def test_reading_back_gives_the_same_projector(device: str | None) -> None:
    wanted = replace(
        OPTIONS,
        projector="/p.gguf",
        projector_device=device,
        image_max_tokens=512,
        reranking=True,
        embedding=True,
        pooling="rank",
    )
    assert parse_arguments(format_command(wanted, SERVING, build="b11434")) == wanted


def test_paths_in_the_pod_replace_references() -> None:
    options = replace(
        OPTIONS,
        draft=DraftOptions(model="catalogue:d"),
        speculation=("draft-simple",),
        projector="catalogue:p",
    )
    serving = replace(SERVING, draft_path="/m/d.gguf", projector_path="/m/p.gguf")
    read = parse_arguments(format_command(options, serving, build="b11434"))
    assert read.draft is not None
    assert (read.draft.model, read.projector) == ("/m/d.gguf", "/m/p.gguf")


def test_multi_token_prediction_writes_its_cache_types_without_a_model() -> None:
    options = replace(OPTIONS, speculation=("draft-mtp",), draft=DraftOptions(cache_type_k="q8_0"))
    argv = format_command(options, SERVING, build="b11434")
    assert "--spec-draft-model" not in argv
    assert parse_arguments(argv) == options


def test_every_sizing_flag_stands_in_a_plain_command() -> None:
    options = replace(OPTIONS, tensor_split=(24, 40), devices=("CUDA0", "CUDA1"))
    argv = format_command(options, SERVING, build="b11434")
    wanted = (
        "--ctx-size --parallel --no-kv-unified --batch-size --ubatch-size --flash-attn"
        " --cache-type-k --cache-type-v --gpu-layers --split-mode --device --cache-ram"
        " --ctx-checkpoints --load-mode --kv-offload --op-offload --repack --metrics"
    )
    for flag in wanted.split():
        assert flag in argv
    assert argv[argv.index("--tensor-split") + 1] == "24,40"
    assert argv[argv.index("--fit") + 1] == "off"
    assert argv[argv.index("--alias") + 1] == "chat"


def test_metrics_can_be_left_out() -> None:
    assert "--metrics" not in format_command(
        OPTIONS, replace(SERVING, metrics=False), build="b11434"
    )


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        (replace(OPTIONS, context_size=None), "--ctx-size"),
        (replace(OPTIONS, slots=None), "--parallel"),
        (replace(OPTIONS, devices=("CUDA0", "CUDA1")), "--tensor-split"),
        (replace(OPTIONS, draft=DraftOptions(model="/d.gguf")), "--spec-type"),
    ],
)
def test_open_sizes_are_refused(options: ServerOptions, flag: str) -> None:
    with pytest.raises(InvalidInput, match=rf"P0408.*{flag} is left open"):
        format_command(options, SERVING, build="b11434")


@pytest.mark.parametrize(
    ("alias", "why"),
    [("a\nb", "control characters"), ("-x", "looks like a flag"), ("", "an empty value")],
)
def test_values_that_would_be_misread_are_refused(alias: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        format_command(OPTIONS, replace(SERVING, alias=alias), build="b11434")


def test_a_pattern_llama_cpp_would_split_is_refused() -> None:
    options = replace(OPTIONS, override_tensors=(("a{1,2}", "CPU"),))
    with pytest.raises(InvalidInput, match="P0409"):
        format_command(options, SERVING, build="b11434")


def test_the_router_command_carries_no_size() -> None:
    assert format_router_command("/p/preset.ini", 3, SERVING, build="b11434") == (
        "llama-server", "--models-preset", "/p/preset.ini", "--models-max", "3",
        "--models-autoload", "--host", "0.0.0.0", "--port", "8080",
    )  # fmt: skip


def test_a_preset_has_one_section_per_model() -> None:
    other = replace(SERVING, alias="code", metrics=False)
    text = format_preset([(OPTIONS, SERVING), (OPTIONS, other)], build="b11434")
    chat, code = text.split("\n\n")[1:]
    assert chat.startswith("[chat]\nmodel = /models/chat.gguf\nctx-size = 8192\n")
    assert "\nkv-unified = false\n" in chat
    assert chat.endswith("metrics = true\nload-on-startup = true\nstop-timeout = 30")
    assert "metrics" not in code


@pytest.mark.parametrize("alias", ["default", "*", "qwen:4b", "a]b", "a b"])
def test_an_alias_that_is_no_section_name_is_refused(alias: str) -> None:
    with pytest.raises(InvalidInput, match=r"P0410.*cannot name a model"):
        format_preset([(OPTIONS, replace(SERVING, alias=alias))], build="b11434")


def test_two_models_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidInput, match="two models of one router"):
        format_preset([(OPTIONS, SERVING)] * 2, build="b11434")


@pytest.mark.parametrize("path", ["/a;b.gguf", "/a#b.gguf", "/a.gguf "])
def test_values_an_ini_file_cannot_hold_are_refused(path: str) -> None:
    with pytest.raises(InvalidInput, match="in a router preset"):
        format_preset([(OPTIONS, replace(SERVING, model_path=path))], build="b11434")


def test_flags_whose_order_a_router_loses_are_refused() -> None:
    options = replace(OPTIONS, cpu_moe=True, override_tensors=(("exps", "CUDA1"),))
    with pytest.raises(InvalidInput, match="cannot stand beside --cpu-moe"):
        format_preset([(options, SERVING)], build="b11434")


def test_a_flag_the_build_lacks_is_refused() -> None:
    with pytest.raises(InvalidInput, match="b11434 has no flag --moe-cache-mib"):
        check_flags([("--moe-cache-mib", "0")], "b11434")
