"""Reading command lines: what each flag does, and what is refused."""

import itertools
from collections.abc import Mapping

import pytest

from packer.domain.server_options import (
    DraftOptions,
    FlashAttention,
    ServerOptions,
    SplitMode,
)
from packer.errors import InvalidInput, Problem
from packer.llamacpp.arguments import parse_arguments

MODEL = ("-m", "model.gguf")


def options(line: str, environment: Mapping[str, str] | None = None) -> ServerOptions:
    return parse_arguments(["llama-server", *MODEL, *line.split()], environment)


def problems(line: str, environment: Mapping[str, str] | None = None) -> list[Problem]:
    with pytest.raises(InvalidInput) as raised:
        parse_arguments(line.split(), environment)
    return list(raised.value.problems)


def problem(line: str, environment: Mapping[str, str] | None = None) -> Problem:
    (only,) = problems(f"llama-server -m model.gguf {line}", environment)
    return only


def test_absent_flags_keep_llama_cpp_defaults() -> None:
    assert options("") == ServerOptions(model="model.gguf")


def test_every_sizing_flag_is_read() -> None:
    line = (
        "-c 32768 -np 4 -kvu -b 1024 -ub 256 -ngl 20 -ts 3,1 -sm none -mg 1 -dev CUDA1,CUDA0"
        " -ctk q8_0 -ctv q5_1 -fa on -cmoe -ncmoe 3 -ncffn 2 -ot a=CPU,b=CUDA1 -nkvo"
        " --no-op-offload --swa-full --embedding --pooling mean -lm dio -lzm off -nr --no-host"
        " -fit off --lora x.gguf --lora-scaled y.gguf:0.5 -cram 512 -ctxcp 4 -bs -mm p.gguf"
        " -mmdev CUDA1 --image-max-tokens 1024 --kv-unified-per-slot 8192"
        " --override-kv llama.context_length=int:4096,a.b=str:c"
    )
    assert options(line) == ServerOptions(
        model="model.gguf",
        context_size=32768,
        context_per_slot=8192,
        slots=4,
        kv_unified=True,
        batch_size=1024,
        ubatch_size=256,
        gpu_layers=20,
        tensor_split=(3.0, 1.0),
        split_mode=SplitMode.NONE,
        main_gpu=1,
        devices=("CUDA1", "CUDA0"),
        cache_type_k="q8_0",
        cache_type_v="q5_1",
        flash_attention=FlashAttention.ON,
        cpu_moe=False,
        cpu_moe_layers=0,
        cpu_ffn_layers=0,
        override_tensors=options("-cmoe -ncmoe 3 -ncffn 2 -ot a=CPU,b=CUDA1").override_tensors,
        kv_offload=False,
        op_offload=False,
        swa_full=True,
        embedding=True,
        pooling="mean",
        load_mode="dio",
        lazy_mode="off",
        repack=False,
        no_host=True,
        fit=False,
        lora=("x.gguf", "y.gguf"),
        prompt_cache_mib=512,
        context_checkpoints=4,
        backend_sampling=True,
        projector="p.gguf",
        projector_device="CUDA1",
        image_max_tokens=1024,
        override_metadata=(("llama.context_length", 4096), ("a.b", "c")),
    )


def test_every_draft_flag_is_read() -> None:
    line = (
        "-md d.gguf -ngld 3 -ctkd q8_0 -ctvd q4_0 -devd CUDA1 -cmoed -ncmoed 2 -otd x=CPU"
        " --spec-type draft-simple,ngram-mod --spec-draft-n-max 8 --spec-ngram-mod-n-max 32"
    )
    read = options(line)
    assert read.draft == DraftOptions(
        model="d.gguf",
        gpu_layers=3,
        cache_type_k="q8_0",
        cache_type_v="q4_0",
        devices=("CUDA1",),
        cpu_moe=True,
        cpu_moe_layers=2,
        override_tensors=(("x", "CPU"),),
    )
    assert read.speculation == ("draft-simple", "ngram-mod")
    assert (read.draft_depth, read.ngram_depth) == (8, 32)


def test_order_of_flags_does_not_matter() -> None:
    groups = ("-c 4096", "-np 2", "-kvu", "-ctk q8_0 -ctv q8_0", "-ot a=CPU", "-ncmoe 4")
    answers = {options(" ".join(order)) for order in itertools.permutations(groups)}
    assert len(answers) == 1


def test_last_flag_wins_and_flags_beat_variables() -> None:
    environment = {"LLAMA_ARG_CTX_SIZE": "1024", "LLAMA_ARG_BATCH": "64", "HOME": "/"}
    read = options("-c 2048 --ctx-size 4096 --ctx_size 8192", environment)
    assert (read.context_size, read.batch_size) == (8192, 64)


@pytest.mark.parametrize(
    ("environment", "is_offloaded"),
    [
        ({"LLAMA_ARG_KV_OFFLOAD": "off"}, False),
        ({"LLAMA_ARG_KV_OFFLOAD": "1"}, True),
        ({"LLAMA_ARG_NO_KV_OFFLOAD": "0"}, False),
    ],
)
def test_variables_switch_like_their_flags(environment: dict[str, str], is_offloaded: bool) -> None:
    assert options("", environment).kv_offload is is_offloaded


def test_a_variable_of_a_plain_switch_acts_only_when_it_is_on() -> None:
    assert options("", {"LLAMA_ARG_CPU_MOE": "true"}).cpu_moe
    assert not options("", {"LLAMA_ARG_CPU_MOE": "maybe"}).cpu_moe


def test_flags_that_size_nothing_are_accepted_with_their_values() -> None:
    line = "--temp 0.7 -t 4 --api-key k --control-vector-layer-range 1 2 --no-slots -v --jinja -c 1"
    assert options(line).context_size == 1


def test_overrides_lora_and_layers_on_the_cpu_accumulate() -> None:
    read = options('-ot a=CPU -ot b=CPU --lora 1,"2,3" --lora 4 -ncmoe 5 -ncmoe 2')
    assert read.override_tensors == (("a", "CPU"), ("b", "CPU"))
    assert read.lora == ("1", "2,3", "4")
    assert read.cpu_moe_layers == 5


def test_first_matching_pattern_wins_across_flags() -> None:
    after = options("-ot exps=CUDA1 -cmoe")
    assert after.override_tensors == (("exps", "CUDA1"),)
    assert after.cpu_moe
    before = options("-cmoe -ot exps=CUDA1")
    experts = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"
    assert before.override_tensors == ((experts, "CPU"), ("exps", "CUDA1"))
    assert not before.cpu_moe


def test_first_value_of_a_metadata_key_wins() -> None:
    read = options("--override-kv a=int:1 --override-kv a=int:2,b=float:0.5,c=bool:true")
    assert read.override_metadata == (("a", 1), ("b", 0.5), ("c", True))


def test_automatic_slots_drop_the_unified_flag() -> None:
    assert options("-np -1 -no-kvu") == options("")
    assert options("-np 2 -no-kvu").kv_unified is False


def test_asking_for_all_of_the_context_is_not_the_same_as_saying_nothing() -> None:
    assert options("-c 0").context_size == 0
    assert options("").context_size is None


@pytest.mark.parametrize("word", ["auto", "all", "-1", "-7"])
def test_all_layers_on_the_gpu(word: str) -> None:
    assert options(f"-ngl {word}").gpu_layers is None


def test_reranking_is_embedding_with_rank_pooling() -> None:
    read = options("--reranking")
    assert (read.embedding, read.reranking, read.pooling) == (True, True, "rank")


def test_no_device_is_an_empty_list() -> None:
    assert options("-dev none").devices == ()
    assert options("-mm p.gguf -mmdev none").projector_offload is False


def test_speculation_accumulates_and_none_yields() -> None:
    assert options("--spec-type none").speculation == ("none",)
    read = options("--spec-type none --spec-default --spec-type draft-mtp")
    assert read.speculation == ("ngram-mod", "draft-mtp")
    assert read.ngram_depth == 64


def test_cache_types_of_multi_token_prediction_need_no_second_model() -> None:
    assert options("--spec-type draft-mtp -ctkd q8_0").draft == DraftOptions(cache_type_k="q8_0")


def test_a_draft_model_nobody_uses_is_said_aloud() -> None:
    assert "--spec-type draft-simple" in options("-md d.gguf").notes[0]
    assert options("-md d.gguf --spec-type draft-simple").notes == ()


@pytest.mark.parametrize(
    ("flags", "reference"),
    [
        ("-m a.gguf", "a.gguf"),
        ("-m a.gguf -mu https://h/b.gguf", "https://h/b.gguf"),
        ("-mu https://h/b.gguf -dr gemma3", "docker://gemma3"),
        ("-m a.gguf -hf o/n:Q8_0", "hf://o/n:Q8_0"),
        ("-hf o/n -hff c.gguf", "hf://o/n/c.gguf"),
        ("--gpt-oss-20b-default", "hf://ggml-org/gpt-oss-20b-GGUF/gpt-oss-20b-mxfp4.gguf"),
    ],
)
def test_the_model_that_is_loaded(flags: str, reference: str) -> None:
    assert parse_arguments(["llama-server", *flags.split()]).model == reference


def test_a_repository_may_bring_a_projector() -> None:
    assert "projector" in parse_arguments(["llama-server", "-hf", "o/n"]).notes[0]
    assert parse_arguments(["llama-server", "-hf", "o/n", "--no-mmproj"]).notes == ()


def test_a_shorthand_sets_all_it_stands_for() -> None:
    read = parse_arguments(["llama-server", "--fim-qwen-7b-spec", "-ub", "256"])
    assert (read.batch_size, read.ubatch_size, read.context_size) == (1024, 256, 0)
    assert read.draft is not None
    assert read.draft.model.endswith("qwen2.5-coder-0.5b-q8_0.gguf")


def test_a_draft_file_inside_its_repository() -> None:
    read = options("-hfd o/n -md d.gguf --spec-type draft-simple")
    assert read.draft == DraftOptions(model="hf://o/n/d.gguf")


def test_fit_params_has_one_slot_and_no_server_flags() -> None:
    argv = ["llama-fit-params", *MODEL, "-c", "4096", "-fitp", "on"]
    assert parse_arguments(argv).slots == 1
    (only,) = problems("llama-fit-params -m model.gguf --cache-ram 0")
    assert only.code == "P0401"
    assert "only llama-server" in only.why


def test_the_program_may_have_a_folder() -> None:
    assert parse_arguments(["/app/llama-server", *MODEL]).program == "llama-server"


def test_an_unknown_build_gets_the_nearest_and_says_so() -> None:
    near = parse_arguments(["llama-server", *MODEL], build="b11500")
    assert near.notes == ("llama.cpp b11500 is not known by name; the flags of b11549 were used",)
    assert parse_arguments(["llama-server", *MODEL], build="b11549").notes == ()


def test_flags_belong_to_a_build() -> None:
    argv = ["llama-server", *MODEL, "--moe-cache-mib", "0"]
    assert parse_arguments(argv, build="b11549").model == "model.gguf"
    with pytest.raises(InvalidInput, match="has no flag --moe-cache-mib"):
        parse_arguments(argv, build="b11434")
    with pytest.raises(InvalidInput, match="P0550"):
        parse_arguments([*argv[:-1], "100"], build="b11549")


@pytest.mark.parametrize(
    ("flags", "code", "help_text"),
    [
        ("--ctx-siz 5", "P0401", "did you mean --ctx-size?"),
        ("--ctx-size=4096", "P0401", "write --ctx-size 4096"),
        ("stray", "P0401", "quote values with spaces"),
        ("--mlock", "P0402", "write --load-mode mlock"),
        ("--no-mmap", "P0402", "write --load-mode none"),
        ("--draft-max 4", "P0402", "write --spec-draft-n-max"),
        ("-c", "P0403", "write -c VALUE"),
        ("-c -np 2", "P0403", "write -c VALUE"),
        ("--rpc host:1", "P0550", "leave --rpc out"),
    ],
)
def test_unusable_flags_name_what_to_write(flags: str, code: str, help_text: str) -> None:
    found = problem(flags)
    assert (found.code, found.help) == (code, help_text)


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ("-c abc", "a whole number is wanted"),
        ("-c 16k", "llama.cpp would read 16; write 16384"),
        ("-c -5", "it must be from 0 to 2147483647"),
        ("-c 99999999999", "it must be from 0 to 2147483647"),
        ("-np 0", "there must be at least one slot"),
        ("-np 257", "llama.cpp takes at most 256 slots"),
        ("-ctk Q8_0", "did you mean q8_0?"),
        ("-fa yes", "it must be on, off or auto"),
        ("-fit maybe", "it must be on or off"),
        ("-ngl many", "a whole number is wanted, or auto, or all"),
        ("-ts a,b", "shares are numbers separated by commas, such as 3,1"),
        ("-ts " + ",".join("1" * 16), "llama.cpp takes fewer than 16 shares"),
        ("-dev CUDA0,", "device names are separated by commas"),
        ("-mmdev CUDA0,CUDA1", "only one device may be named"),
        ("-ot ffn", "it is PATTERN=BUFFER"),
        ("-ot ffn=GPU", "'GPU' is no buffer type"),
        ("-ot (=CPU", "is no regular expression"),
        ("-sm rows", "did you mean row?"),
        ("--lora-scaled x", "it is FILE:SCALE"),
        ("--override-kv x", "it is KEY=TYPE:VALUE"),
        ("--override-kv x=int:y", "'y' is no int"),
        ("--spec-type mtp", "did you mean draft-mtp?"),
        ("--port http", "a whole number is wanted"),
        ("--temp warm", "a number is wanted"),
    ],
)
def test_bad_values_say_why(flags: str, why: str) -> None:
    found = problem(flags)
    assert found.code == "P0404"
    assert why in found.why


def test_all_problems_come_at_once_from_left_to_right() -> None:
    found = problems("llama-server -c abc --nonsense 5 -ctk q9 -b", {"LLAMA_ARG_FIT": "x"})
    assert [p.code for p in found] == ["P0404", "P0406", "P0404", "P0401", "P0404", "P0403"]
    assert found[0].where is not None
    assert str(found[0].where) == "environment:1:15"


def test_a_problem_points_at_the_word() -> None:
    where = problem("-c 'x'").where
    assert where is not None
    assert where.source_line[where.column - 1 :].startswith(shown := "''\"'\"'x'\"'\"''")
    assert where.width == len(shown)


def test_a_removed_variable_and_a_bad_switch_are_refused() -> None:
    assert problem("", {"LLAMA_ARG_DRAFT_MAX": "4"}).code == "P0402"
    assert problem("", {"LLAMA_ARG_KV_UNIFIED": "maybe"}).why == "it must be on or off"


def test_secrets_are_not_repeated() -> None:
    assert "hunter2" not in str(problem("--api-key hunter2 -c abc"))


@pytest.mark.parametrize(("line", "code"), [("", "P0407"), ("vllm serve", "P0407")])
def test_another_program_is_refused(line: str, code: str) -> None:
    assert [p.code for p in problems(line)] == [code]


def test_a_router_has_no_model() -> None:
    assert [p.code for p in problems("llama-server --models-max 2")] == ["P0406"]


def test_control_vectors_are_not_counted_and_said_so() -> None:
    assert "control vectors" in options("--control-vector v.gguf").notes[0]


@pytest.mark.parametrize(
    "flags", ["-np 4 -b 3", "-b 3", "-np 4 -ub 2 --embedding", "-np 9 -b 8 -ub 0 --embedding"]
)
def test_a_batch_smaller_than_the_slots_is_refused(flags: str) -> None:
    assert problem(flags).code == "P0412"


@pytest.mark.parametrize("flags", ["-np 4 -b 4", "-np 4 -ub 2", "-np 4 -ub 0 --embedding"])
def test_a_batch_of_one_token_per_slot_is_enough(flags: str) -> None:
    assert options(flags).slots == 4
