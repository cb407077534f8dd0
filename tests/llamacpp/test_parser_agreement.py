"""Our reader of command lines and the real one agree: spellings, arity, values, environment."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packer.domain.quantization import ELEMENT_TYPES_BY_NAME
from packer.domain.server_options import ServerOptions, SplitMode
from packer.errors import InvalidInput
from packer.llamacpp.arguments import parse_arguments
from packer.llamacpp.flag_table import PROGRAMS, flag_table
from packer.llamacpp.flag_values import CACHE_TYPES, POOLING_TYPES
from tests.llamacpp.oracle import Oracle

BUILD = "b11549"
# These print something and end the process while the command line is still being read.
ENDING = {"--version", "-cl", "--cache-list", "--list-devices"}


def real_refusal(oracle: Oracle, argv: list[str]) -> str:
    answer = oracle.parse(argv)
    return "" if answer.is_accepted else answer.log


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_spelling_takes_as_many_values_as_in_the_table(oracle: Oracle, program: str) -> None:
    table = flag_table(BUILD)
    for name in sorted(set(table.names_of(program)) - ENDING):
        flag = table.by_name[name]
        if flag.value_count:
            words = ["1"] * (flag.value_count - 1)
            expected = "expected value for argument"
        else:
            words = ["--no-such-flag"]
            expected = "invalid argument: --no-such-flag"
        assert expected in real_refusal(oracle, [program, name, *words]), name


@pytest.mark.parametrize("program", PROGRAMS)
def test_flags_of_other_programs_are_unknown_to_both(oracle: Oracle, program: str) -> None:
    table = flag_table(BUILD)
    for name in sorted(set(table.by_name) - set(table.names_of(program))):
        assert f"invalid argument: {name}" in real_refusal(oracle, [program, name, "1"]), name


def test_every_variable_is_read(oracle: Oracle) -> None:
    """A variable that must be a number or a known word is refused by name when it is neither."""
    for flag in flag_table(BUILD).flags:
        must_be_number = flag.value in ("int", "float") and flag.names[-1] != "--gpu-layers"
        if not (flag.environment and (must_be_number or flag.negated)):
            continue
        answer = oracle.parse(["llama-server"], {flag.environment: "word"})
        assert f'"{flag.environment}"' in answer.log, flag.environment
        with pytest.raises(InvalidInput, match=flag.environment):
            parse_arguments(["llama-server", "-m", "x"], {flag.environment: "word"}, build=BUILD)


@pytest.mark.parametrize(
    "flags",
    [
        "-c abc",
        "-c",
        "-c 99999999999",
        "--ctx-size=4096",
        "-np 0",
        "-ngl many",
        "-ctk q9_9",
        "-ctv Q8_0",
        "-fa yes",
        "-sm rows",
        "-ts a,b",
        "-ts 1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1",
        "-lm mlocked",
        "-lzm never",
        "-fit maybe",
        "-ncmoe -1",
        "-ot ffn",
        "-ot ffn=GPU",
        "--pooling best",
        "--spec-type mtp",
        "--spec-draft-n-max -1",
        "--spec-ngram-mod-n-max 2000",
        "--override-kv a=int8:1",
        "--lora-scaled a",
        "--mlock",
        "--draft-max 4",
        "-dev CUDA0,",
        "stray",
    ],
)
def test_what_llama_cpp_refuses_is_refused(oracle: Oracle, flags: str) -> None:
    argv = ["llama-server", "-m", "x.gguf", *flags.split()]
    assert not oracle.parse(argv).is_accepted
    with pytest.raises(InvalidInput):
        parse_arguments(argv, build=BUILD)


numbers = st.integers(1, 70_000).map(str)
batches = st.integers(256, 70_000).map(str)  # a token of every slot
WORDS: dict[str, st.SearchStrategy[str]] = {
    "-c": st.integers(0, 70_000).map(str),
    "--ctx_size": numbers,
    "-np": st.integers(-2, 256).filter(bool).map(str),
    "-b": batches,
    "--ubatch-size": batches,
    "-ngl": st.one_of(st.integers(-3, 99).map(str), st.sampled_from(("auto", "all"))),
    "-ts": st.sampled_from(("3,1", "1/2", "0.5,.25,0", "24,40")),
    "-sm": st.sampled_from([mode.value for mode in SplitMode]),
    "-mg": st.integers(0, 3).map(str),
    "-ctk": st.sampled_from(CACHE_TYPES),
    "--cache-type-v": st.sampled_from(CACHE_TYPES),
    "-fa": st.sampled_from(("on", "off", "auto", "1", "0", "-1", "enabled", "false")),
    "--pooling": st.sampled_from(POOLING_TYPES),
    "-fit": st.sampled_from(("on", "off", "true", "0")),
    "-cram": st.integers(-1, 9999).map(str),
    "-ctxcp": st.integers(0, 99).map(str),
    "--spec-draft-n-max": st.integers(0, 16).map(str),
    "-ngld": st.integers(0, 9).map(str),
    **dict.fromkeys(
        (
            "-kvu",
            "-no-kvu",
            "-kvo",
            "-nkvo",
            "--op-offload",
            "--no-op-offload",
            "--swa-full",
            "--embedding",
            "--reranking",
            "-v",
            "--no-slots",
        ),
        st.just(""),
    ),
}
VARIABLES = {
    "LLAMA_ARG_CTX_SIZE": numbers,
    "LLAMA_ARG_BATCH": batches,
    "LLAMA_ARG_KV_UNIFIED": st.sampled_from(("on", "off", "1", "false")),
    "LLAMA_ARG_NO_KV_OFFLOAD": st.sampled_from(("0", "1", "word")),
    "LLAMA_ARG_SWA_FULL": st.sampled_from(("1", "0", "word")),
    "LLAMA_ARG_CACHE_TYPE_K": st.sampled_from(CACHE_TYPES),
    "LLAMA_ARG_FLASH_ATTN": st.sampled_from(("on", "off", "auto")),
}


@st.composite
def flag_lists(draw: st.DrawFn) -> list[str]:
    """Any flags in any order, some repeated."""
    names = draw(st.lists(st.sampled_from(sorted(WORDS)), max_size=14))
    words = [word for name in names for word in (name, draw(WORDS[name]))]
    return [word for word in words if word]


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(flag_lists(), st.fixed_dictionaries({}, optional=VARIABLES))
def test_both_read_the_same_sizes(
    oracle: Oracle, flags: list[str], environment: dict[str, str]
) -> None:
    argv = ["llama-server", "-m", "x.gguf", *flags]
    real = oracle.parse(argv, environment)
    assert real.is_accepted, real.log
    ours = parse_arguments(argv, environment, build=BUILD)
    assert as_real_fields(ours) == as_comparable(real.fields, ours)


def as_real_fields(options: ServerOptions) -> dict[str, Any]:
    """Our options in the words of common_params."""
    return {
        "context_size": options.context_size or 0,
        "slots": options.slots,
        "batch_size": options.batch_size,
        "ubatch_size": options.ubatch_size,
        "gpu_layers": options.gpu_layers,
        "tensor_split": list(options.tensor_split),
        "split_mode": list(SplitMode).index(options.split_mode),
        "main_gpu": options.main_gpu,
        "cache_type_k": ELEMENT_TYPES_BY_NAME[options.cache_type_k].ggml_id,
        "cache_type_v": ELEMENT_TYPES_BY_NAME[options.cache_type_v].ggml_id,
        "flash_attention": {"auto": -1, "off": 0, "on": 1}[options.flash_attention],
        "kv_unified": None if options.slots is None else bool(options.kv_unified),
        "kv_offload": options.kv_offload,
        "op_offload": options.op_offload,
        "swa_full": options.swa_full,
        "embedding": options.embedding,
        "pooling": POOLING_TYPES.index(options.pooling) if options.pooling else -1,
        "fit": options.fit,
        "cache_ram": options.prompt_cache_mib,
        "checkpoints": options.context_checkpoints,
        "draft_n_max": 3 if options.draft_depth is None else options.draft_depth,
        "draft_gpu_layers": options.draft.gpu_layers if options.draft else None,
    }


def as_comparable(real: Any, ours: ServerOptions) -> dict[str, Any]:
    """The real fields where several values mean one thing."""
    layers, draft_layers = real["gpu_layers"], real["draft_gpu_layers"]
    return {
        **real,
        "slots": real["slots"] if real["slots"] > 0 else None,
        "gpu_layers": layers if layers >= 0 else None,
        "draft_gpu_layers": draft_layers if draft_layers >= 0 else None,
        "tensor_split": real["tensor_split"][: len(ours.tensor_split)],
        # With automatic slots the server switches it on, whatever the parser read.
        "kv_unified": real["kv_unified"] if real["slots"] > 0 else None,
    }
