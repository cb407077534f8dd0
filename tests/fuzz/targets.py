"""What strangers' bytes reach: one function per reader, and what it may raise.

A target returns for good input, raises one of our errors for bad input, and nothing else.
"""

import gzip
import hashlib
import json
import shlex
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from random import Random

from packer.api.calibration_file import calibration_text, parse_calibration
from packer.api.inputs import lookups
from packer.api.measurements import Calibration, Measurement
from packer.api.price_books import with_book
from packer.catalogue.price_csv import read_price_csv
from packer.catalogue.price_imports import import_prices
from packer.errors import GpuPackerError
from packer.gguf.byte_ranges import ByteSource
from packer.gguf.header import read_model
from packer.llamacpp.arguments import parse_arguments
from packer.llamacpp.flag_table import Flag, flag_table
from packer.llamacpp.router_preset import format_preset
from packer.llamacpp.server_log import read_server_log
from packer.llamacpp.speed_results import read_speed_results
from packer.memory.hyperparameters import read_hyperparameters
from packer.solver import certificate_search
from packer.solver.certificate_check import Refused, verify_solution
from packer.solver.certificate_document import canonical
from packer.solver.instance_document import parse_instance
from packer.solver.instance_writer import format_instance
from packer.spec.fleet_file import read_fleet
from packer.spec.inventory_file import read_inventory
from packer.spec.json_schema import SchemaKind, json_schema
from packer.spec.json_text import InvalidJson, parse_json
from packer.spec.lookups import Lookups
from packer.spec.plan_file import format_plan, read_plan
from packer.spec.price_book_file import read_price_book
from packer.spec.sweep_file import read_sweep
from packer.spec.traces import parse_trace
from tests.fuzz import headers, texts, trees
from tests.gguf_bytes import INT32, UINT16, Gguf, Key, Tensor, llama
from tests.sample_plans import company_plan, tiny_plan
from tests.serving_samples import sample_options, sample_serving

DATA = Path(__file__).parents[1] / "data"
EXAMPLES = Path(__file__).parents[2] / "examples"
INVENTORIES = Path(__file__).parents[2] / "inventories"


@dataclass(frozen=True)
class Target:
    """One reader: what it does with bytes, inputs to start from, words its format is made of.

    Attributes:
        change: Another input of the same form, so that more than the first check is fuzzed; empty
            bytes where the input has not that form. Without it bytes alone are changed.
        reader: Modules the target is about, as patterns below ``packer/``.
    """

    run: Callable[[bytes], object]
    seeds: Callable[[], Iterator[bytes]]
    words: tuple[str, ...] = ()
    longest: int = 16_384
    change: Callable[[bytes, Random], bytes] | None = None
    reader: tuple[str, ...] = ()


Seeds = Callable[[], Iterator[bytes]]
Change = Callable[[bytes, Random], bytes]


def _in_documents(seeds: Seeds, kind: SchemaKind | None = None) -> Change:
    """Changes of YAML or JSON that know the keys and values of the seeds and of the schema."""

    @cache
    def words() -> trees.Vocabulary:
        return trees.vocabulary(seeds(), json_schema(kind) if kind else None)

    in_yaml = kind not in (None, "plan")
    return lambda content, draw: trees.changed(content, words(), draw, in_yaml)


def _in_texts(seeds: Seeds, separator: bytes = b"\n", more: Sequence[bytes] = ()) -> Change:
    """Changes of lines, words and numbers that know those of the seeds."""

    @cache
    def known() -> texts.Pieces:
        return texts.pieces(seeds(), separator, more)

    return lambda content, draw: texts.changed(content, known(), draw)


class _InMemory:
    """A model file made of bytes."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name, self._content, self.size = name, content, len(content)

    def read(self, offset: int, length: int) -> bytes:
        return self._content[offset : offset + length]


def _gguf(content: bytes) -> object:
    """The first of two parts; the second follows it, or is the same bytes."""
    first, _, second = content.partition(headers.NEXT_FILE)

    @contextmanager
    def source(name: str) -> Iterator[ByteSource]:
        yield _InMemory(name, first if "00001-of" in name else second or first)

    model = read_model("model-00001-of-00002.gguf", source, header_only=True)
    return read_hyperparameters(model)


def _gguf_seeds() -> Iterator[bytes]:
    yield llama().file()
    yield llama(type_id=0).header()
    parts = (llama(blocks=1), Gguf(tensors=[Tensor("blk.1.more.weight", (256,))]))
    count = sum(len(part.tensors) for part in parts)
    for number, part in enumerate(parts):
        part.keys += [Key("split.no", UINT16, number), Key("split.count", UINT16, len(parts))]
        part.keys += [Key("split.tensors.count", INT32, count)]
    yield headers.NEXT_FILE.join(part.header() for part in parts)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Where files lie that a fleet may name: a model, a trace, a folder that is neither."""
    folder = tempfile.TemporaryDirectory()
    Path(folder.name, "model.gguf").write_bytes(llama(blocks=1, tokens=8).file())
    Path(folder.name, "model-Q4_K_M.gguf").write_bytes(llama().header()[:1000])
    Path(folder.name, "trace.csv").write_bytes(next(_trace_seeds()))
    Path(folder.name, "models").mkdir()
    return folder


@cache
def _lookups() -> Lookups:
    """The catalogue, the price list and the GGUF reader, as the commands have them."""
    return with_book(lookups(), None)


def _fleet(content: bytes) -> object:
    products = (_lookups().gpu("L40S"), _lookups().gpu("T4"))
    return read_fleet(content, str(Path(_folder().name, "fleet.yaml")), _lookups(), products)


def _inventory(content: bytes) -> object:
    return read_inventory(content, "inventory.yaml", _lookups())


def _yaml_seeds(kind: str) -> Seeds:
    """Every file of a kind among the examples, the inventories and the test data."""

    def seeds() -> Iterator[bytes]:
        paths = (*EXAMPLES.glob("*/*.yaml"), *INVENTORIES.glob("*.yaml"), *DATA.glob("spec/*.yaml"))
        for path in sorted(paths):
            content = path.read_bytes()
            if f"kind: {kind}\n".encode() in content:
                yield content

    return seeds


def _plan(content: bytes) -> object:
    return read_plan(content, "plan.json")


def _plan_seeds() -> Iterator[bytes]:
    yield format_plan(tiny_plan()).encode()
    yield format_plan(company_plan()).encode()


def _command_line(content: bytes) -> object:
    words = content.decode("utf-8", "replace").split("\0")
    given = (word.partition("=") for word in words if word.startswith("LLAMA_ARG_"))
    variables = {name: value for name, _, value in given}
    argv = [word for word in words if not word.startswith("LLAMA_ARG_")]
    return parse_arguments(["llama-server", *argv], variables)


def _command_seeds() -> Iterator[bytes]:
    lines = (
        "-m a.gguf -c 32768 -np 4 -ctk q8_0 -ctv q8_0 -fa on -ngl 99 -ts 3,1",
        "--model a.gguf --parallel 2 -ot exps=CPU --n-cpu-moe 4 --spec-type draft-mtp -md d.gguf",
        "-m a.gguf --lora-scaled x.gguf:0.5 --kv-unified --cache-ram 2048 -b 512 -ub 512",
        "--embd-gemma-default LLAMA_ARG_CTX_SIZE=4096 LLAMA_ARG_N_PARALLEL=8",
    )
    for line in lines:
        yield "\0".join(shlex.split(line)).encode()
    for flag in flag_table("b11434").flags:
        if "llama-server" in flag.programs and not flag.is_removed:
            yield "\0".join(("-m", "a.gguf", *_accepted(flag))).encode()


_VALUES = ("1", "on", "none", "f16", "a=CPU", "3,1", "a.gguf:0.5", "k=int:1", "CUDA0", "mean", "a")


def _accepted(flag: Flag) -> tuple[str, ...]:
    """A flag with the first value that is taken; with none of them if none is."""
    for value in _VALUES:
        words = (flag.names[-1], *[value] * flag.value_count)
        with suppress(GpuPackerError):
            parse_arguments(["llama-server", "-m", "a.gguf", *words], {})
            return words
    return (flag.names[-1], *["a"] * flag.value_count)


def _command_lines() -> Change:
    flags = flag_table("b11434").flags
    names = [name.encode() for flag in flags for name in (*flag.names, *flag.negated)]
    variables = [flag.environment.encode() for flag in flags if flag.environment]
    values = (b"=1", b"=on", b"=", b"=a,b")
    given = [name + values[number % 4] for number, name in enumerate(variables)]
    return _in_texts(_command_seeds, b"\0", (*names, *given))


def _instance(content: bytes) -> object:
    return parse_instance(parse_json(content.decode("utf-8", "replace")))


_SMALL_INSTANCES = {
    name: gzip.decompress((DATA / "packing" / f"{name}.json.gz").read_bytes())
    for name in ("inf-d-pair", "cut-d8")
}
_PARSED_INSTANCES = [json.loads(content) for content in _SMALL_INSTANCES.values()]


def _instance_seeds() -> Iterator[bytes]:
    yield from _SMALL_INSTANCES.values()


@cache
def _sealed_instances() -> list[object]:
    """What a seal says of each instance."""
    return [canonical(format_instance(parse_instance(one))) for one in _PARSED_INSTANCES]


def _certificate(content: bytes) -> object:
    """The seal of a certificate names its instance: one of the two is refused at once.

    A certificate may ask for a search, which takes the time it is allowed; here that is little.
    """
    document = parse_json(content.decode("utf-8", "replace"))
    allowed, certificate_search.EFFORT = certificate_search.EFFORT, 0.01
    try:
        for instance in _PARSED_INSTANCES:
            with suppress(Refused):
                verify_solution(instance, document)
    finally:
        certificate_search.EFFORT = allowed
    return document


def _in_certificates() -> Change:
    """Changes of solutions, most of them sealed again: whoever changes one may know how."""
    change = _in_documents(_certificate_seeds)

    def resealed(content: bytes, draw: Random) -> bytes:
        changed = change(content, draw)
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            document = json.loads(changed)
            certificate = dict(document["certificate"])
            certificate.pop("digest", None)
            text = [_sealed_instances()[draw.random() < 0.7], certificate]
            plain = json.dumps(text, sort_keys=True, separators=(",", ":")).encode()
            document["certificate"] = certificate | {"digest": hashlib.sha256(plain).hexdigest()}
            changed = json.dumps(document).encode()
        return changed

    return resealed


def _certificate_seeds() -> Iterator[bytes]:
    for path in sorted((Path(__file__).parent / "seeds" / "certificate").iterdir()):
        yield path.read_bytes()


def _log(content: bytes) -> object:
    return read_server_log(content.decode("utf-8", "replace").splitlines())


_LOG_LINES = 25


def _log_seeds() -> Iterator[bytes]:
    lines = (DATA / "llamacpp" / "server-log-b11434.txt").read_bytes().splitlines(keepends=True)
    for start in range(0, len(lines), _LOG_LINES):
        yield b"".join(lines[start : start + _LOG_LINES])


def _preset(content: bytes) -> object:
    alias, _, path = content.decode("utf-8", "replace").partition("\n")
    text = format_preset(
        [(sample_options(), replace(sample_serving(), alias=alias, model_path=path))],
        build="b11434",
    )
    sections = [line for line in text.splitlines() if line.startswith("[")]
    if sections != [f"[{alias}]"]:
        raise AssertionError(f"{alias!r} and {path!r} became {sections}")
    return text


def _preset_seeds() -> Iterator[bytes]:
    yield b"chat\n/models/chat.gguf"
    yield "büro\n/models/a;b#c.gguf".encode()


def _files(*paths: Path, longest: int = 8_192) -> Seeds:
    def seeds() -> Iterator[bytes]:
        for path in paths:
            yield path.read_bytes()[:longest]

    return seeds


def _trace(content: bytes) -> object:
    return parse_trace(content.decode("utf-8", "replace").splitlines(keepends=True), "trace.csv")


def _trace_seeds() -> Iterator[bytes]:
    yield (EXAMPLES / "06-demand-and-goals" / "trace.csv").read_bytes()[:4_000].rpartition(b"\n")[0]
    yield b"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n"
    yield b"Timestamp,Model,Request tokens,Response tokens\n5,ChatGPT,472,18\n"


def _price_list(content: bytes) -> object:
    return import_prices(
        content.decode("utf-8", "replace"), "prices.csv", provider="cloud", as_of=date(2026, 11, 22)
    )


def _price_book(content: bytes) -> object:
    if b"apiVersion" in content:
        return read_price_book(content, "book.yaml", _lookups())
    return read_price_csv(content.decode("utf-8", "replace"), "prices.csv", "book")


def _price_book_seeds() -> Iterator[bytes]:
    yield (EXAMPLES / "04-which-cloud" / "book.yaml").read_bytes()
    yield (
        b"provider,region,instance_type,gpu,gpus,on_demand,currency\naws,eu-1,g6e,L40S,1,1.9,USD\n"
    )


def _in_books() -> Change:
    """Changes of a price book in either of its forms."""
    of_documents = _in_documents(_price_book_seeds, "price-book")
    of_tables = _in_texts(_price_book_seeds)

    def change(content: bytes, draw: Random) -> bytes:
        is_document = b"apiVersion" in content and draw.random() < 0.9
        return (of_documents if is_document else of_tables)(content, draw)

    return change


def _sweep(content: bytes) -> object:
    return read_sweep(content, "sweep.yaml")


def _speeds(content: bytes) -> object:
    return read_speed_results(content.decode("utf-8", "replace"))


def _calibration(content: bytes) -> object:
    return parse_calibration(content.decode("utf-8", "replace"), "calibration.json")


def _calibration_seeds() -> Iterator[bytes]:
    measured = Measurement("L40S", "8.9", 500 * 2**20, "nvidia-smi")
    yield calibration_text(Calibration((measured,), ())).encode()


_FLEET_WORDS = (
    "apiVersion: gpu-packer/v1", "kind: Fleet", "kind: Inventory", "models:", "workloads:",
    "replicas: ", "quantizations:", "context: ", "slots: ", "cacheTypes:", "nodes:", "pools:",
    "gpu: L40S", "24Gi", "&a", "*a", "<<: *a", "!!python/object:os.system", "? [", "---\n", "\t",
)  # fmt: skip

_PLAN_WORDS = ("null", "1e400", "-0", "NaN", '"placements"')
_FLEET_SEEDS, _INVENTORY_SEEDS = _yaml_seeds("Fleet"), _yaml_seeds("Inventory")
_SWEEP_SEEDS = _yaml_seeds("Sweep")
_PRICE_LISTS = _files(DATA / "prices" / "gpuhunt.csv", DATA / "prices" / "vms.csv")
_SPEED_NAMES = (
    "llama-bench-b11434.json",
    "llama-batched-bench-b11434.txt",
    "llama-batched-bench-b11434.jsonl",
    "server-answers-b11434.jsonl",
    "server-metrics-b11434.txt",
)
_SPEED_SEEDS = _files(*(DATA / "llamacpp" / name for name in _SPEED_NAMES))
_YAML_READER = ("spec/document", "spec/nodes", "spec/scalars", "spec/kinds", "spec/problems")

TARGETS: dict[str, Target] = {
    "gguf": Target(
        _gguf,
        _gguf_seeds,
        ("GGUF", "general.architecture", "llama.block_count", "split.count"),
        change=headers.changed,
        reader=(
            "gguf/header*", "gguf/key_values", "gguf/tensor_table", "gguf/split_files",
            "gguf/file_header", "memory/hyperparameters", "memory/metadata_keys",
            "memory/layer_patterns",
        ),
    ),
    "fleet": Target(
        _fleet,
        _FLEET_SEEDS,
        _FLEET_WORDS,
        longest=8_192,
        change=_in_documents(_FLEET_SEEDS, "fleet"),
        reader=(
            *_YAML_READER, "spec/fleet_*", "spec/bands", "spec/demand_*", "spec/workload_*",
            "spec/variants", "spec/headers", "spec/field_types", "spec/quantity_types",
        ),
    ),
    "inventory": Target(
        _inventory,
        _INVENTORY_SEEDS,
        _FLEET_WORDS,
        longest=8_192,
        change=_in_documents(_INVENTORY_SEEDS, "inventory"),
        reader=(
            *_YAML_READER, "spec/inventory_[cfs]*", "spec/pool_checks", "spec/gpu_by_hand",
            "spec/rent_reading", "catalogue/rentals",
        ),
    ),
    "plan": Target(
        _plan,
        _plan_seeds,
        _PLAN_WORDS,
        longest=65_536,
        change=_in_documents(_plan_seeds, "plan"),
        reader=("spec/plan_*", "spec/json_text", "plan/plan_fields"),
    ),
    "command-line": Target(
        _command_line,
        _command_seeds,
        ("-m\0", "-c\0", "-np\0", "-ot\0", "-ts\0", "--spec-type\0", "-ngl\0", "--lora\0"),
        longest=2_048,
        change=_command_lines(),
        reader=(
            "llamacpp/arguments", "llamacpp/settings", "llamacpp/gathered", "llamacpp/rules",
            "llamacpp/sizing", "llamacpp/flag_values", "llamacpp/shorthands",
            "llamacpp/model_source",
        ),
    ),
    "instance": Target(
        _instance,
        _instance_seeds,
        ('"items"', '"alts"', '"current"', "1e9"),
        change=_in_documents(_instance_seeds),
        reader=("solver/instance_document", "solver/document_reader", "solver/supported_size"),
    ),
    "certificate": Target(
        _certificate,
        _certificate_seeds,
        ('"bound"', '"kind"', "-1", "[]"),
        change=_in_certificates(),
        reader=("solver/certificate_[clprs]*",),
    ),
    "server-log": Target(
        _log,
        _log_seeds,
        ("MiB", "CUDA0", "n_ctx", "load_tensors:"),
        longest=4_096,
        change=_in_texts(_log_seeds),
        reader=("llamacpp/server_log",),
    ),
    "trace": Target(
        _trace,
        _trace_seeds,
        ("nan", "inf", "-1", "1e308", '"'),
        longest=4_096,
        change=_in_texts(_trace_seeds),
        reader=("spec/traces",),
    ),
    "price-list": Target(
        _price_list,
        _PRICE_LISTS,
        ("instance_name", "SpotPrice", "GpuInfo", "nan", "-1", "1e308"),
        change=_in_texts(_PRICE_LISTS),
        reader=("catalogue/price_imports", "catalogue/csv_table", "catalogue/names"),
    ),
    "price-book": Target(
        _price_book,
        _price_book_seeds,
        _FLEET_WORDS,
        longest=8_192,
        change=_in_books(),
        reader=(
            *_YAML_READER, "spec/price_book_*", "catalogue/price_csv", "catalogue/csv_table",
        ),
    ),
    "sweep": Target(
        _sweep,
        _SWEEP_SEEDS,
        _FLEET_WORDS,
        longest=8_192,
        change=_in_documents(_SWEEP_SEEDS, "sweep"),
        reader=(*_YAML_READER, "spec/sweep_*"),
    ),
    "speed-results": Target(
        _speeds,
        _SPEED_SEEDS,
        ("n_gen", "avg_ts", "1e999", "null"),
        change=_in_texts(_SPEED_SEEDS),
        reader=(
            "llamacpp/speed_results", "llamacpp/llama_bench", "llamacpp/batched_bench",
            "llamacpp/measured_run",
        ),
    ),
    "calibration": Target(
        _calibration,
        _calibration_seeds,
        ('"bytes"', "-1", "NaN", "[]"),
        change=_in_documents(_calibration_seeds),
        reader=("api/calibration_file",),
    ),
    "router-preset": Target(
        _preset,
        _preset_seeds,
        ("]", "[", ";", "#", "\\", "="),
        reader=("llamacpp/router_preset",),
    ),
}  # fmt: skip

EXPECTED = (GpuPackerError, InvalidJson, Refused)
"""What a target may raise."""


def run(target: Target, content: bytes) -> None:
    """Feed bytes to a target; anything but a result or one of our errors escapes."""
    try:
        target.run(content)
    except EXPECTED:
        return
