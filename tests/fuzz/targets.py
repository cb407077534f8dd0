"""What strangers' bytes reach: one function per reader, and what it may raise.

A target returns for good input, raises one of our errors for bad input, and nothing else.
"""

import gzip
import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from packer.api.calibration_file import calibration_text, parse_calibration
from packer.api.measurements import Calibration, Measurement
from packer.catalogue.price_csv import read_price_csv
from packer.catalogue.price_imports import import_prices
from packer.errors import GpuPackerError
from packer.gguf.byte_ranges import ByteSource
from packer.gguf.header import read_model
from packer.llamacpp.arguments import parse_arguments
from packer.llamacpp.router_preset import format_preset
from packer.llamacpp.server_log import read_server_log
from packer.llamacpp.speed_results import read_speed_results
from packer.memory.hyperparameters import read_hyperparameters
from packer.solver.certificate_check import Refused, verify_solution
from packer.solver.instance_document import parse_instance
from packer.spec.fleet_file import read_fleet
from packer.spec.inventory_file import read_inventory
from packer.spec.json_text import InvalidJson, parse_json
from packer.spec.plan_file import format_plan, read_plan
from packer.spec.price_book_file import read_price_book
from packer.spec.sweep_file import read_sweep
from packer.spec.traces import parse_trace
from tests.gguf_bytes import llama
from tests.sample_plans import company_plan, tiny_plan
from tests.serving_samples import sample_options, sample_serving
from tests.spec_lookups import LOOKUPS

DATA = Path(__file__).parents[1] / "data"
EXAMPLES = Path(__file__).parents[2] / "examples"
INVENTORIES = Path(__file__).parents[2] / "inventories"


@dataclass(frozen=True)
class Target:
    """One reader: what it does with bytes, inputs to start from, words its format is made of."""

    run: Callable[[bytes], object]
    seeds: Callable[[], Iterator[bytes]]
    words: tuple[str, ...] = ()
    longest: int = 16_384


class _InMemory:
    """A model file made of bytes."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name, self._content, self.size = name, content, len(content)

    def read(self, offset: int, length: int) -> bytes:
        return self._content[offset : offset + length]


def _gguf(content: bytes) -> object:
    @contextmanager
    def source(name: str) -> Iterator[ByteSource]:
        yield _InMemory(name, content)

    model = read_model("model-00001-of-00002.gguf", source, header_only=True)
    return read_hyperparameters(model)


def _gguf_seeds() -> Iterator[bytes]:
    yield llama().file()
    yield llama(type_id=0).header()


def _fleet(content: bytes) -> object:
    return read_fleet(content, "fleet.yaml", LOOKUPS)


def _inventory(content: bytes) -> object:
    return read_inventory(content, "inventory.yaml", LOOKUPS)


def _yaml_seeds(kind: str, folder: Path, pattern: str) -> Callable[[], Iterator[bytes]]:
    def seeds() -> Iterator[bytes]:
        yield (DATA / "spec" / f"{kind}.yaml").read_bytes()
        for path in sorted(folder.glob(pattern)):
            yield path.read_bytes()

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


def _instance(content: bytes) -> object:
    return parse_instance(parse_json(content.decode("utf-8", "replace")))


_SMALL_INSTANCES = {
    name: gzip.decompress((DATA / "packing" / f"{name}.json.gz").read_bytes())
    for name in ("inf-d-pair", "cut-d8")
}
_PARSED_INSTANCES = [json.loads(content) for content in _SMALL_INSTANCES.values()]


def _instance_seeds() -> Iterator[bytes]:
    yield from _SMALL_INSTANCES.values()


def _certificate(content: bytes) -> object:
    """The seal of a certificate names its instance: one of the two is refused at once."""
    document = parse_json(content.decode("utf-8", "replace"))
    for instance in _PARSED_INSTANCES:
        with suppress(Refused):
            verify_solution(instance, document)
    return document


def _certificate_seeds() -> Iterator[bytes]:
    for path in sorted((Path(__file__).parent / "seeds" / "certificate").glob("*.json")):
        yield path.read_bytes()


def _log(content: bytes) -> object:
    return read_server_log(content.decode("utf-8", "replace").splitlines())


def _log_seeds() -> Iterator[bytes]:
    text = (DATA / "llamacpp" / "server-log-b11434.txt").read_bytes()
    yield text[:12_000]
    yield text[-12_000:]


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


def _files(*paths: Path, longest: int = 8_192) -> Callable[[], Iterator[bytes]]:
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
        return read_price_book(content, "book.yaml", LOOKUPS)
    return read_price_csv(content.decode("utf-8", "replace"), "prices.csv", "book")


def _price_book_seeds() -> Iterator[bytes]:
    yield (EXAMPLES / "04-which-cloud" / "book.yaml").read_bytes()
    yield (
        b"provider,region,instance_type,gpu,gpus,on_demand,currency\naws,eu-1,g6e,L40S,1,1.9,USD\n"
    )


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

TARGETS: dict[str, Target] = {
    "gguf": Target(
        _gguf, _gguf_seeds, ("GGUF", "general.architecture", "llama.block_count", "split.count")
    ),
    "fleet": Target(
        _fleet, _yaml_seeds("fleet", EXAMPLES, "*/fleet.yaml"), _FLEET_WORDS, longest=8_192
    ),
    "inventory": Target(
        _inventory, _yaml_seeds("inventory", INVENTORIES, "*.yaml"), _FLEET_WORDS, longest=8_192
    ),
    "plan": Target(
        _plan, _plan_seeds, ("null", "1e400", "-0", "NaN", '"placements"'), longest=65_536
    ),
    "command-line": Target(
        _command_line,
        _command_seeds,
        ("-m\0", "-c\0", "-np\0", "-ot\0", "-ts\0", "--spec-type\0", "-ngl\0", "--lora\0"),
        longest=2_048,
    ),
    "instance": Target(_instance, _instance_seeds, ('"items"', '"alts"', '"current"', "1e9")),
    "certificate": Target(_certificate, _certificate_seeds, ('"bound"', '"kind"', "-1", "[]")),
    "server-log": Target(_log, _log_seeds, ("MiB", "CUDA0", "n_ctx", "load_tensors:")),
    "trace": Target(_trace, _trace_seeds, ("nan", "inf", "-1", "1e308", '"'), longest=4_096),
    "price-list": Target(
        _price_list,
        _files(DATA / "prices" / "gpuhunt.csv", DATA / "prices" / "vms.csv"),
        ("instance_name", "SpotPrice", "GpuInfo", "nan", "-1", "1e308"),
    ),
    "price-book": Target(_price_book, _price_book_seeds, _FLEET_WORDS, longest=8_192),
    "sweep": Target(
        _sweep, _files(EXAMPLES / "05-growth-sweep" / "sweep.yaml"), _FLEET_WORDS, longest=8_192
    ),
    "speed-results": Target(
        _speeds,
        _files(
            *(
                DATA / "llamacpp" / name
                for name in (
                    "llama-bench-b11434.json",
                    "llama-batched-bench-b11434.txt",
                    "llama-batched-bench-b11434.jsonl",
                    "server-answers-b11434.jsonl",
                    "server-metrics-b11434.txt",
                )
            )
        ),
        ("n_gen", "avg_ts", "1e999", "null"),
    ),
    "calibration": Target(_calibration, _calibration_seeds, ('"bytes"', "-1", "NaN", "[]")),
    "router-preset": Target(_preset, _preset_seeds, ("]", "[", ";", "#", "\\", "=")),
}

EXPECTED = (GpuPackerError, InvalidJson, Refused)
"""What a target may raise."""


def run(target: Target, content: bytes) -> None:
    """Feed bytes to a target; anything but a result or one of our errors escapes."""
    try:
        target.run(content)
    except EXPECTED:
        return
