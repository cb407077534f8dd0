"""Command lines at their edges: ranges of values, places of problems, variables, shorthands."""

from collections.abc import Mapping

import pytest

from packer.domain.server_options import DraftOptions, ServerOptions
from packer.errors import InvalidInput, Location, Problem
from packer.llamacpp.arguments import parse_arguments
from packer.llamacpp.flag_table import Flag, flag_table, nearest_build
from packer.llamacpp.flag_values import whole
from packer.llamacpp.gathered import LONGEST_NGRAM_DRAFT
from packer.llamacpp.settings import location

START = "llama-server -m x.gguf "


def options(line: str, environment: Mapping[str, str] | None = None) -> ServerOptions:
    return parse_arguments((START + line).split(), environment)


def problems(line: str, environment: Mapping[str, str] | None = None) -> list[Problem]:
    with pytest.raises(InvalidInput) as raised:
        parse_arguments((START + line).split(), environment)
    return list(raised.value.problems)


def whys(line: str) -> list[str]:
    return [one.why for one in problems(line)]


LARGEST = 2**31 - 1


@pytest.mark.parametrize(
    ("flag", "field", "lowest", "highest"),
    [
        ("-c", "context_size", 0, LARGEST),
        ("-ub", "ubatch_size", 0, LARGEST),
        ("-b", "batch_size", 1, LARGEST),
        ("-ctxcp", "context_checkpoints", 0, LARGEST),
        ("-cram", "prompt_cache_mib", -1, LARGEST),
        ("-mg", "main_gpu", -LARGEST - 1, LARGEST),
        ("--image-max-tokens", "image_max_tokens", -LARGEST - 1, LARGEST),
        ("--spec-draft-n-max", "draft_depth", 0, LARGEST),
        ("-ncmoe", "cpu_moe_layers", 0, LARGEST),
        ("-ncffn", "cpu_ffn_layers", 0, LARGEST),
    ],
)
def test_ranges_of_whole_numbers(flag: str, field: str, lowest: int, highest: int) -> None:
    for value in (lowest, highest):
        assert getattr(options(f"-np 1 {flag} {value}"), field) == value
    for value in (lowest - 1, highest + 1):
        assert whys(f"{flag} {value}") == [f"it must be from {lowest} to {highest}"]


@pytest.mark.parametrize(
    ("kind", "flag", "lowest"),
    [
        ("ngram-mod", "--spec-ngram-mod-n-max", 0),
        ("ngram-simple", "--spec-ngram-simple-size-m", 1),
        ("ngram-map-k", "--spec-ngram-map-k-size-m", 1),
        ("ngram-map-k4v", "--spec-ngram-map-k4v-size-m", 1),
    ],
)
def test_ranges_of_ngram_drafts(kind: str, flag: str, lowest: int) -> None:
    for value in (lowest, 1024):
        assert options(f"--spec-type {kind} {flag} {value}").ngram_depth == value
    for value in (lowest - 1, 1025):
        assert whys(f"{flag} {value}") == [f"it must be from {lowest} to 1024"]


def test_ngram_drafts_by_default() -> None:
    depths = {"ngram-simple": 48, "ngram-map-k": 48, "ngram-map-k4v": 48, "ngram-mod": 64}
    depths["ngram-cache"] = 8
    assert depths == LONGEST_NGRAM_DRAFT
    for kind, depth in depths.items():
        assert options(f"--spec-type {kind}").ngram_depth == depth
    assert options("--spec-type ngram-cache,ngram-simple").ngram_depth == 48
    assert options("--spec-type draft-mtp").ngram_depth == 0
    again = options("--spec-type ngram-mod --spec-ngram-mod-n-max 3 --spec-default")
    assert (again.ngram_depth, again.speculation) == (64, ("ngram-mod",))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("16k", "llama.cpp would read 16; write 16384"),
        ("2Ki", "llama.cpp would read 2; write 2048"),
        ("3K", "llama.cpp would read 3; write 3072"),
        ("1m", "llama.cpp would read 1; write 1048576"),
        ("2Mi", "llama.cpp would read 2; write 2097152"),
        ("1234567890k", "a whole number is wanted"),
        ("1.5k", "a whole number is wanted"),
        ("1kk", "a whole number is wanted"),
        ("1234567890123", "a whole number is wanted"),
    ],
)
def test_numbers_with_a_letter(text: str, why: str) -> None:
    assert whys(f"-c {text}") == [why]


def test_whole_numbers() -> None:
    assert whole()(" +7") == 7
    assert whole()("-0007") == -7
    assert whole()(str(-(2**31))) == -(2**31)
    with pytest.raises(ValueError, match="from -2147483648 to 2147483647"):
        whole()(str(2**31))


@pytest.mark.parametrize(("text", "slots"), [("1", 1), ("256", 256), ("-1", None), ("-9", None)])
def test_slots(text: str, slots: int | None) -> None:
    assert options(f"-np {text}").slots == slots


@pytest.mark.parametrize(("text", "layers"), [("0", 0), ("1", 1), ("-1", None), ("all", None)])
def test_layers(text: str, layers: int | None) -> None:
    assert options(f"-ngl {text}").gpu_layers == layers
    draft = options(f"-md d.gguf --spec-type draft-simple -ngld {text}").draft
    assert draft is not None
    assert draft.gpu_layers == layers


@pytest.mark.parametrize(("text", "tokens"), [("1", 1), ("0", None), ("-1", None), ("4096", 4096)])
def test_context_of_a_slot(text: str, tokens: int | None) -> None:
    assert options(f"--kv-unified-per-slot {text}").context_per_slot == tokens


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("3,1", (3.0, 1.0)),
        ("1/2", (1.0, 2.0)),
        ("1,/2", (1.0, 2.0)),
        (".5,+2.,1e1", (0.5, 2.0, 10.0)),
        (",".join("1" * 15), (1.0,) * 15),
    ],
)
def test_shares_of_devices(text: str, shares: tuple[float, ...]) -> None:
    assert options(f"-ts {text}").tensor_split == shares


@pytest.mark.parametrize("text", ["-1,2", "1,,x", "1e", "1e100", "inf"])
def test_what_is_no_share(text: str) -> None:
    assert whys(f"-ts {text}") == ["shares are numbers separated by commas, such as 3,1"]


def test_the_most_shares() -> None:
    for many in (16, 17):
        assert whys(f"-ts {','.join('1' * many)}") == ["llama.cpp takes fewer than 16 shares"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('a,"b,c"', ("a", "b,c")),
        ('"a""b",c', ('a"b', "c")),
        ('"a,b,c",d', ("a,b,c", "d")),
        ('a"b,c', ('a"b', "c")),
        ('"open', ("open",)),
    ],
)
def test_quotes_protect_commas(text: str, names: tuple[str, ...]) -> None:
    assert options(f"--lora {text}").lora == names


@pytest.mark.parametrize("scale", ["0.5", "1", "-2.", "+1e-3", ".5E2"])
def test_scales_of_adapters(scale: str) -> None:
    assert options(f"--lora-scaled a.gguf:{scale},b.gguf:1").lora == ("a.gguf", "b.gguf")


@pytest.mark.parametrize("text", ["a.gguf:", "a.gguf:x", "a.gguf:1e", ":"])
def test_what_is_no_scale(text: str) -> None:
    assert "it is FILE:SCALE" in whys(f"--lora-scaled {text}")[0]


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("a.b=int:-3", ("a.b", -3)),
        ("a.b=float:1.5", ("a.b", 1.5)),
        ("a.b=bool:true", ("a.b", True)),
        ("a.b=bool:false", ("a.b", False)),
        ("a.b=str:x=y", ("a.b", "x=y")),
        ("a.b=str:", ("a.b", "")),
        (f"{'k' * 127}=int:1", ("k" * 127, 1)),
    ],
)
def test_metadata(text: str, pair: tuple[str, object]) -> None:
    assert options(f"--override-kv {text}").override_metadata == (pair,)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{'k' * 128}=int:1", "it is KEY=TYPE:VALUE with the types int, float, bool and str"),
        ("=int:1", "it is KEY=TYPE:VALUE with the types int, float, bool and str"),
        ("a=char:1", "it is KEY=TYPE:VALUE with the types int, float, bool and str"),
        ("a=float:x", "'x' is no float"),
        ("a=bool:yes", "it must be one of true, false"),
    ],
)
def test_what_is_no_metadata(text: str, why: str) -> None:
    assert whys(f"--override-kv {text}") == [why]


def test_patterns_and_buffers() -> None:
    read = options("-ot a=CPU,b=CUDA12,c=Metal0")
    assert read.override_tensors == (("a", "CPU"), ("b", "CUDA12"), ("c", "Metal0"))
    for buffer in ("CPU0x", "CUDA", "0", "cpu"):
        assert f"{buffer!r} is no buffer type" in whys(f"-ot a={buffer}")[0]


def test_flags_for_the_host_before_an_override_are_written_out() -> None:
    experts, dense = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps", r"\.ffn_(up|down|gate)\."
    read = options("-ncmoe 2 -ncffn 1 -ot a=CUDA1")
    assert read.override_tensors == (
        (rf"blk\.0{experts}", "CPU"),
        (rf"blk\.1{experts}", "CPU"),
        (rf"blk\.0{dense}", "CPU"),
        ("a", "CUDA1"),
    )
    assert (read.cpu_moe_layers, read.cpu_ffn_layers) == (0, 0)
    kept = options("-ncmoe 2 -ot a=CPU")
    assert (kept.override_tensors, kept.cpu_moe_layers) == ((("a", "CPU"),), 2)
    off = options("-cmoe -ot a=CUDA1,b=CPU -ot c=CUDA1")
    assert off.override_tensors == ((experts, "CPU"), ("a", "CUDA1"), ("b", "CPU"), ("c", "CUDA1"))


@pytest.mark.parametrize(
    ("flag", "field"),
    [
        ("-kvo", "kv_offload"),
        ("--op-offload", "op_offload"),
        ("--repack", "repack"),
        ("--mmproj-offload", "projector_offload"),
    ],
)
def test_switches_and_their_opposites(flag: str, field: str) -> None:
    opposite = f"--no-{flag.lstrip('-')}" if flag != "-kvo" else "-nkvo"
    assert getattr(options(f"{opposite} {flag}"), field) is True
    assert getattr(options(f"{flag} {opposite}"), field) is False


def test_the_projector_and_its_device() -> None:
    read = options("-mm p.gguf -mmdev CUDA1")
    assert (read.projector, read.projector_device, read.projector_offload) == (
        "p.gguf",
        "CUDA1",
        True,
    )
    read = options("-mm p.gguf -mmdev none")
    assert (read.projector_device, read.projector_offload) == (None, False)
    assert options("-mm p.gguf -mmdev vulkan0").projector_device == "vulkan0"
    assert options("-mmu https://h/p.gguf").projector == "https://h/p.gguf"
    assert options("").projector is None


SHORT = {
    "--embd-gemma-default": (2048, 2048, 32, 65536),
    "--fim-qwen-1.5b-default": (1024, 1024, None, 0),
    "--fim-qwen-3b-default": (1024, 1024, None, 0),
    "--fim-qwen-7b-default": (1024, 1024, None, 0),
    "--fim-qwen-7b-spec": (1024, 1024, None, 0),
    "--fim-qwen-14b-spec": (1024, 1024, None, 0),
    "--fim-qwen-30b-default": (1024, 1024, None, 0),
    "--gpt-oss-20b-default": (2048, 32768, 2, 262144),
    "--gpt-oss-120b-default": (2048, 32768, 2, 262144),
    "--vision-gemma-4b-default": (512, 2048, None, 0),
    "--vision-gemma-12b-default": (512, 2048, None, 0),
}


@pytest.mark.parametrize("flag", SHORT)
def test_shorthands(flag: str) -> None:
    """Values of common/arg.cpp, b11434."""
    read = parse_arguments(["llama-server", flag])
    sizes = (read.ubatch_size, read.batch_size, read.slots, read.context_size)
    assert sizes == SHORT[flag]
    assert read.embedding is flag.startswith("--embd")
    assert read.model.startswith("hf://ggml-org/")
    has_file = flag not in ("--gpt-oss-120b-default", *[f for f in SHORT if "vision" in f])
    assert read.model.endswith(".gguf") is has_file
    assert read.model.count("/") == (4 if has_file else 3)
    assert (read.draft is not None) is flag.endswith("-spec")


def test_a_shorthand_keeps_a_file_that_was_named() -> None:
    read = parse_arguments(["llama-server", "-hff", "q.gguf", "--gpt-oss-120b-default"])
    assert read.model == "hf://ggml-org/gpt-oss-120b-GGUF/q.gguf"


def test_a_draft_as_the_shorthand_says() -> None:
    read = parse_arguments(["llama-server", "--fim-qwen-14b-spec"])
    file = "qwen2.5-coder-{}b-q8_0.gguf"
    folder = "hf://ggml-org/Qwen2.5-Coder-{}B-Q8_0-GGUF/"
    assert read.model == (folder + file).format("14", "14")
    assert read.draft == DraftOptions(model=(folder + file).format("0.5", "0.5"))


def where(line: str, environment: Mapping[str, str] | None = None) -> Location:
    (only,) = problems(line, environment)
    assert only.where is not None
    return only.where


@pytest.mark.parametrize(
    ("line", "column", "width"),
    [
        ("-c x", 27, 1),
        ("--nonsense", 24, 10),
        ("-np 2 -c", 30, 2),
        ("-c 5 -b many", 32, 4),
    ],
)
def test_places_on_the_command_line(line: str, column: int, width: int) -> None:
    found = where(line)
    assert (found.file, found.line, found.column, found.width) == ("command line", 1, column, width)
    assert found.source_line == START + line


def test_places_of_words_and_secrets() -> None:
    words = ["llama-server", "--api-key", "hunter2", "--hf-token", "t", "-hft", "u", "a b", ""]
    shown = "llama-server --api-key '***' --hf-token '***' -hft '***' 'a b' ''"
    assert location(words, 0) == Location("command line", 1, 1, shown, 12)
    assert location(words, 1) == Location("command line", 1, 14, shown, 9)
    assert location(words, 7) == Location("command line", 1, 58, shown, 5)
    assert location(words, 8) == Location("command line", 1, 64, shown, 2)


def test_places_in_the_environment() -> None:
    found = where("", {"LLAMA_ARG_CTX_SIZE": "many"})
    assert found == Location("environment", 1, 20, "LLAMA_ARG_CTX_SIZE=many", 4)
    longer = where("", {"LLAMA_ARG_CTX_SIZE": "thirteen-char"})
    assert (longer.column, longer.width) == (20, 13)


def test_an_empty_command_line_has_no_place() -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_arguments([])
    (only,) = raised.value.problems
    assert (only.code, only.title, only.where) == ("P0407", "the command line is empty", None)
    with pytest.raises(InvalidInput) as raised:
        parse_arguments(["/bin/vllm", "serve"])
    (only,) = raised.value.problems
    assert only.title == "'vllm' is not a program this tool knows"
    assert only.where == Location("command line", 1, 1, "/bin/vllm serve", 9)
    assert parse_arguments(["C:/llama-server.exe", "-m", "x"]).program == "llama-server"


@pytest.mark.parametrize("line", ["llama-server", "llama-server -c 5"])
def test_a_missing_model_is_told_at_the_program(line: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_arguments(line.split())
    (only,) = raised.value.problems
    assert (only.code, only.where) == ("P0406", Location("command line", 1, 1, line, 12))


def test_problems_of_variables_come_first_and_the_rest_from_left_to_right() -> None:
    environment = {"LLAMA_ARG_BATCH": "x", "LLAMA_ARG_CTX_SIZE": "y"}
    found = problems("--nonsense -c z -fit", environment)
    assert [one.title for one in found] == [
        "LLAMA_ARG_BATCH cannot be 'x'",
        "LLAMA_ARG_CTX_SIZE cannot be 'y'",
        "llama-server has no flag --nonsense",
        "-c cannot be 'z'",
        "-fit needs a value",
    ]


def test_words_that_no_flag_takes() -> None:
    """What follows an unknown flag was its value; a word alone is only itself."""
    assert [one.title for one in problems("--nonsense 5 --rubbish -c 5 stray other")] == [
        "llama-server has no flag --nonsense",
        "llama-server has no flag --rubbish",
        "unexpected word 'stray'",
        "unexpected word 'other'",
    ]
    assert len(problems("--nonsense 5 6")) == 2
    assert len(problems("--nonsense")) == 1
    assert len(problems("--nonsense +5")) == 1
    with pytest.raises(InvalidInput) as raised:
        parse_arguments(["llama-server", "--nonsense", "5", "-m", "x.gguf"])
    (only,) = raised.value.problems
    assert only.title == "llama-server has no flag --nonsense"


def test_a_missing_value_does_not_swallow_the_next_flag() -> None:
    assert [one.title for one in problems("-c -np 0")] == [
        "-c needs a value",
        "-np cannot be '0'",
    ]
    assert [one.code for one in problems("--control-vector-layer-range")] == ["P0403"]
    assert [one.code for one in problems("--control-vector-layer-range 1")] == ["P0403", "P0401"]
    assert options("--control-vector-layer-range 1 2").notes == ()
    assert [one.title for one in problems("--temp -c 5")] == ["--temp needs a value"]
    assert options("--api-key -c").context_size is None


def test_words_for_flags_that_other_programs_have() -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_arguments(["llama-fit-params", "-m", "x.gguf", "--metrics"])
    (only,) = raised.value.problems
    assert only.title == "llama-fit-params has no flag --metrics"
    assert (only.why, only.help) == (
        "llama-fit-params does not have it, only llama-server",
        "leave it out",
    )


def test_help_for_spellings() -> None:
    assert problems("--batch_size=7")[0].help == "write --batch-size 7"
    assert problems("--ctx-size=a b")[0].help == "write --ctx-size a"
    assert problems("--zzzzzzzz")[0].help == "llama-server --help lists every flag"
    assert problems("--zzzzzzzz")[0].why == "unknown in b11434"


@pytest.mark.parametrize(
    ("environment", "embeds"),
    [
        ({"LLAMA_ARG_EMBEDDINGS": "on"}, True),
        ({"LLAMA_ARG_EMBEDDINGS": "enabled"}, True),
        ({"LLAMA_ARG_EMBEDDINGS": "off"}, False),
        ({"LLAMA_ARG_EMBEDDINGS": ""}, False),
        ({}, False),
    ],
)
def test_variables_of_plain_switches(environment: dict[str, str], embeds: bool) -> None:
    assert options("", environment).embedding is embeds


def test_variables_of_switches_with_an_opposite() -> None:
    both = {"LLAMA_ARG_KV_OFFLOAD": "on", "LLAMA_ARG_NO_KV_OFFLOAD": "anything"}
    assert options("", both).kv_offload is False
    assert options("-kvo", both).kv_offload is True
    for word in ("disabled", "false", "0", "off"):
        assert options("", {"LLAMA_ARG_KV_OFFLOAD": word}).kv_offload is False
    for word in ("enabled", "true", "1", "on"):
        assert options("", {"LLAMA_ARG_KV_OFFLOAD": word}).kv_offload is True
    (only,) = problems("", {"LLAMA_ARG_KV_OFFLOAD": "no"})
    assert only.title == "LLAMA_ARG_KV_OFFLOAD cannot be 'no'"


@pytest.mark.parametrize(
    ("variable", "field"),
    [
        ("LLAMA_ARG_NO_KV_OFFLOAD", "kv_offload"),
        ("LLAMA_ARG_NO_MMPROJ_OFFLOAD", "projector_offload"),
        ("LLAMA_ARG_NO_REPACK", "repack"),
    ],
)
def test_variables_that_switch_off_by_being_there(variable: str, field: str) -> None:
    assert getattr(options(""), field) is True
    assert getattr(options("", {variable: ""}), field) is False


def test_variables_of_another_program_or_of_none_are_not_read() -> None:
    argv = ["llama-fit-params", "-m", "x.gguf"]
    assert parse_arguments(argv, {"LLAMA_ARG_CACHE_RAM": "x"}) == parse_arguments(argv)
    assert options("", {"": "x", "LLAMA_ARG_NOTHING": "x"}) == options("")


def test_fit_params_keeps_the_slots_that_are_named() -> None:
    argv = ["llama-fit-params", "-m", "x.gguf"]
    assert parse_arguments(argv).slots == 1
    assert parse_arguments([*argv, "-np", "3"]).slots == 3


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        ("-b 4", True),
        ("-b 3", False),
        ("-np 1 -b 1", True),
        ("-np 3 -ub 3 --embedding", True),
        ("-np 3 -ub 2 --embedding", False),
        ("-np 3 -b 3 -ub 0 --embedding", True),
        ("-np 3 -b 2 -ub 9 --embedding", False),
    ],
)
def test_a_token_of_every_slot_fits_a_batch(line: str, fits: bool) -> None:
    if fits:
        assert options(line).program == "llama-server"
        return
    (only,) = problems(line)
    assert only.code == "P0412"
    assert only.where is not None
    assert (only.where.column, only.where.width) == (1, len("llama-server"))


def test_notes_are_said_once() -> None:
    read = options("--control-vector a.gguf --control-vector b.gguf")
    assert len(read.notes) == 1
    assert "4 bytes × width per layer" in read.notes[0]


@pytest.mark.parametrize(
    ("line", "doubts"),
    [
        ("", 0),
        ("-md d.gguf", 1),
        ("-hf o/n", 1),
        ("-hf o/n -md d.gguf", 2),
        ("-hf o/n -mm p.gguf", 0),
        ("-hf o/n --no-mmproj", 0),
        ("-hf o/n --no-mmproj --mmproj-auto", 1),
        ("-hfd o/n", 0),
    ],
)
def test_doubts(line: str, doubts: int) -> None:
    assert len(options(line).notes) == doubts


def test_not_modelled() -> None:
    argv = ["llama-server", "-m", "x", "--moe-cache-mib"]
    assert parse_arguments([*argv, "0"], build="b11549").model == "x"
    with pytest.raises(InvalidInput) as raised:
        parse_arguments([*argv, "1"], build="b11549")
    (only,) = raised.value.problems
    assert (only.code, only.help) == ("P0550", "leave --moe-cache-mib out")
    with pytest.raises(InvalidInput, match="cannot be '-1'"):
        parse_arguments([*argv, "-1"], build="b11549")


@pytest.mark.parametrize(
    ("build", "nearest"),
    [
        ("b11434", "b11434"),
        ("b11491", "b11434"),
        ("b11492", "b11549"),
        ("11549", "b11549"),
        ("b0", "b11434"),
        ("b1234567890", "b11549"),
        ("bb11434", "b11549"),
        ("", "b11549"),
    ],
)
def test_nearest_builds(build: str, nearest: str) -> None:
    assert nearest_build(build) == nearest


@pytest.mark.parametrize("build", ["b11434", "11434", "b11549"])
def test_a_build_with_a_table_is_not_noted(build: str) -> None:
    assert parse_arguments(["llama-server", "-m", "x"], build=build).notes == ()


@pytest.mark.parametrize("build", ["b1", "b11500", "b99999", "master"])
def test_a_build_without_a_table_is_noted(build: str) -> None:
    (note,) = parse_arguments(["llama-server", "-m", "x"], build=build).notes
    assert note.startswith(f"llama.cpp {build} is not known by name")


@pytest.mark.parametrize(
    ("value", "count"), [("none", 0), ("pair", 2), ("int", 1), ("float", 1), ("text", 1)]
)
def test_words_that_follow_a_flag(value: str, count: int) -> None:
    assert Flag(("-x",), (), value, "", (), False).value_count == count


def test_spellings_of_a_program() -> None:
    table = flag_table("b11434")
    names = table.names_of("llama-fit-params")
    assert "--ctx-size" in names
    assert "--metrics" not in names
    assert "--metrics" in table.names_of("llama-server")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("--port 80x", None),
        ("--port x80", "a whole number is wanted"),
        ("--port +80", None),
        ("--temp .5", None),
        ("--temp -1", None),
        ("--temp INF", None),
        ("--temp nan", None),
        ("--temp .", "a number is wanted"),
        ("--temp e5", "a number is wanted"),
    ],
)
def test_numbers_that_size_nothing_are_read_as_llama_cpp_does(line: str, why: str | None) -> None:
    if why is None:
        assert options(line) == options("")
    else:
        assert whys(line) == [why]


@pytest.mark.parametrize("word", ["-zz9", "-c x", "-c"])
def test_reading_stops_at_twenty_problems(word: str) -> None:
    found = problems(" ".join([word] * 20))
    assert len(found) == 21
    assert found[-1].code == "P0413"
    assert len(problems(" ".join([word] * 19))) == 19


def test_where_reading_stopped_is_told_once_however_many_follow() -> None:
    found = problems(" ".join(["-zz9"] * 30), {"LLAMA_ARG_DRAFT_MAX": "4"})
    assert [one.code for one in found] == ["P0402"] + ["P0401"] * 20 + ["P0413"]
    assert found[-1].where == Location("command line", 1, 1)


def test_a_device_that_sorts_before_the_host_is_no_host_either() -> None:
    patterns = options("--cpu-moe -ot x=CANN0").override_tensors
    assert patterns[-1] == ("x", "CANN0")
    assert patterns[0][1] == "CPU"
    assert not options("--cpu-moe -ot x=CANN0").cpu_moe


@pytest.mark.parametrize("pattern", ["(" * 900, "a{99999999999999999999}"])
def test_patterns_that_no_expression_can_be_are_refused(pattern: str) -> None:
    assert "is no regular expression" in whys(f"-ot {pattern}=CPU")[0]


def test_more_layers_than_any_model_has_are_written_out_once() -> None:
    patterns = options("--n-cpu-moe 2000000000 -ot x=CUDA0").override_tensors
    assert len(patterns) == 512 + 1
    assert patterns[511][0].startswith(r"blk\.511\.")
