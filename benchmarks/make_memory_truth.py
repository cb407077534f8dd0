"""Ask llama.cpp's own allocator what command lines reserve on pretended cards; write dated rows.

    python benchmarks/make_memory_truth.py PROBE GGUF_DIR OUT [--only TEXT] [--date DATE]

PROBE is a program that takes llama-server's arguments, creates the contexts of llama.cpp b11434
over pretended CUDA cards (FAKE_GPUS, GT_BACKEND) and prints the buffer sizes as one JSON line.
GGUF_DIR holds header-only model files. Command lines are drawn with a fixed seed, so a second run
asks the same questions; rows already in OUT are kept and not asked again. Without --tags every
question is asked of one quantization and the first of the others; with it, those of every file.

tests/data/memory/truth_catalogue.jsonl was made from the catalogue's headers, and
truth_architectures.jsonl from the tiny models that llama.cpp's own tests/test-llama-archs writes.
"""

import argparse
import io
import json
import os
import random
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packer.domain.model import ModelFile
from packer.gguf.header import read_model_file
from packer.memory.architecture_rules import Cache
from packer.memory.architectures import ARCHITECTURES
from packer.memory.hyperparameters import HyperParameters, read_hyperparameters

_BIG = "409600"
_MAIN_QUANTIZATIONS = ("Q4_K_M", "MXFP4")


@dataclass(frozen=True)
class Question:
    """One command line on some pretended cards."""

    tag: str
    gpus_mib: str
    arguments: str


def questions(name: str, sizes: HyperParameters) -> Iterator[Question]:
    """Command lines that exercise every rule this model could touch."""
    draw = random.Random(name)
    layers = sizes.block_count
    if sizes.rules.cache is Cache.NONE:
        yield from _encoder_questions(layers)
        return
    one, two, three = _BIG, f"{_BIG},{_BIG}", f"{_BIG},{_BIG},{_BIG}"
    yield Question("default", one, "-c 8192")
    yield Question("np1", one, "-c 32768 -np 1")
    yield Question("np4-split", one, "-c 32768 -np 4")
    yield Question("np4-unified", one, "-c 32768 -np 4 --kv-unified -ub 1024")
    yield Question("np3-odd", one, "-c 10000 -np 3")
    yield Question("kv-q8", one, "-c 16384 -np 1 -ctk q8_0 -ctv q8_0")
    yield Question("fa-off", one, "-c 8192 -np 2 -fa off")
    yield Question("2gpu", two, "-c 16384 -np 2")
    yield Question("3gpu-ts", three, "-c 16384 -np 1 -ts 3,1,2")
    yield Question("free", "81920:40960,24576:23000", "-c 8192 -np 1")
    yield Question("ngl-half", one, f"-c 8192 -np 1 -ngl {layers // 2}")
    yield Question("ngl-all-but-one", one, f"-c 8192 -np 2 -ngl {layers}")
    yield Question("2gpu-ngl", two, f"-c 8192 -np 1 -ts 1,2 -ngl {2 * layers // 3}")
    yield Question("nkvo", one, "-c 8192 -np 1 -nkvo")
    yield Question("sm-none", two, "-c 8192 -np 1 -sm none -mg 1")
    yield Question("ub2048", one, "-c 16384 -np 2 -b 4096 -ub 2048")
    yield Question("ot", one, r"-c 8192 -np 1 -ot 'blk\.[0-3]\.ffn=CPU'")
    yield Question("cpu-norepack", "", "-c 8192 -np 1 --no-repack")
    if sizes.experts:
        yield Question("cmoe", one, "-c 8192 -np 1 -cmoe")
        yield Question("ncmoe", two, "-c 8192 -np 1 -ncmoe 5")
    else:
        yield Question("ncffn", one, "-c 8192 -np 1 -ncffn 4")
    if sizes.window:
        yield Question("swa-full", one, "-c 16384 -np 2 --swa-full")
    if sizes.nextn_count:
        yield Question("mtp", one, "-c 16384 -np 2 --spec-type draft-mtp")
        yield Question(
            "mtp-2gpu", two, f"-c 16384 -np 1 -ngl {layers - 3} -ctkd q8_0 --spec-type draft-mtp"
        )
    for number in range(4):
        yield _random_question(draw, number, sizes)


def _encoder_questions(layers: int) -> Iterator[Question]:
    two = f"{_BIG},{_BIG}"
    yield Question("default", _BIG, "--embedding")
    yield Question("np8-ub2048", _BIG, "--embedding -c 8192 -np 8 -b 2048 -ub 2048")
    yield Question("rerank", _BIG, "--reranking -np 2")
    yield Question("fa-off", _BIG, "--embedding -fa off")
    yield Question("2gpu", two, "--embedding")
    yield Question("ngl-half", _BIG, f"--embedding -ngl {layers // 2}")
    yield Question("ngl-all-but-one", _BIG, f"--embedding -ngl {layers}")
    yield Question("cpu-norepack", "", "--embedding --no-repack")


def _random_question(draw: random.Random, number: int, sizes: HyperParameters) -> Question:
    """A command line nobody would think of."""
    cards = draw.randint(1, 4)
    words = [f"-c {draw.choice((2048, 5000, 12288, 40000, 65536))}"]
    words.append(f"-np {draw.choice((1, 2, 3, 4, 6, 8, 16))}")
    if draw.random() < 0.4:
        words.append("--kv-unified")
    if draw.random() < 0.5:
        size = draw.choice((64, 256, 1024, 2048))
        words.append(f"-b {size * draw.choice((1, 2))} -ub {size}")
    if cards > 1 and draw.random() < 0.7:
        shares = ",".join(str(draw.randint(0, 7)) for _ in range(cards))
        words.append(f"-ts {shares}")
    if draw.random() < 0.5:
        words.append(f"-ngl {draw.randint(0, sizes.block_count + 1)}")
    if draw.random() < 0.5:
        kind = draw.choice(("q8_0", "q4_0", "q5_1", "bf16", "f32", "iq4_nl"))
        words.append(f"-ctk {kind}" + (f" -ctv {kind}" if sizes.is_mla or number % 2 else ""))
    if draw.random() < 0.2:
        words.append(f"-nkvo -sm none -mg {draw.randrange(cards)}")
    return Question(f"random{number}", ",".join([_BIG] * cards), " ".join(words))


def ask(probe: Path, folder: Path, gpus: str, command: str) -> dict[str, Any]:
    """Answer of the probe to one command line, or why there is none."""
    environment = dict(os.environ)
    if gpus:
        backend = probe.parent / "libggml-fakecuda.so"
        environment.update(GT_BACKEND=str(backend), FAKE_GPUS=gpus)
    done = subprocess.run(
        [str(probe), *shlex.split(command)[1:]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    try:
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        return {"error": " | ".join(done.stderr.strip().splitlines()[-3:])}
    return answer


def row(answer: dict[str, Any]) -> dict[str, Any]:
    """Weights from the projection, context and compute from the real reservation."""

    def merged(fit: str, real: str) -> dict[str, list[int]]:
        weights = {name: sizes[0] for name, sizes in answer[fit].items()}
        names = [*answer[fit], *(name for name in answer[real] if name not in answer[fit])]
        return {
            name: [weights.get(name, 0), *answer[real].get(name, [0, 0, 0])[1:]] for name in names
        }

    made: dict[str, Any] = {"target": merged("fit", "real")}
    if "draft_real" in answer:
        made["draft"] = merged("draft_fit", "draft_real")
    kept = ("n_ctx", "n_ctx_seq", "n_seq_max", "n_ubatch", "n_outputs_max", "pipeline", "fa")
    return made | {key: answer[key] for key in kept}


def main() -> None:
    """Ask every question about every model and append the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("probe", type=Path)
    parser.add_argument("models", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default="", help="models whose name holds this text")
    parser.add_argument("--date", default="", help="date of the rows, YYYY-MM-DD")
    parser.add_argument("--tags", default="", help="questions to ask, by comma; all without it")
    parser.add_argument("--headers", type=Path, help="archive to keep the models' headers in")
    given = parser.parse_args()
    known = set()
    if given.out.exists():
        known = {json.loads(line)["id"] for line in given.out.read_text().splitlines()}
    kept = []
    with given.out.open("a") as out:
        for path in sorted(given.models.glob("*.gguf")):
            if given.only not in path.name:
                continue
            model = read_model_file(path)
            if model.architecture not in ARCHITECTURES:
                continue
            kept.append((path, model))
            tags = given.tags.split(",") if given.tags else None
            for made in _rows(given.probe, path, model, known, tags):
                out.write(json.dumps(made | {"date": given.date}, separators=(",", ":")) + "\n")
                out.flush()
    if given.headers:
        _keep_headers(given.headers, kept)


def _keep_headers(archive: Path, models: Iterable[tuple[Path, ModelFile]]) -> None:
    """Pack the headers, without data, into one archive that is the same every time."""
    with tarfile.open(archive, "w:xz") as packed:
        for path, model in models:
            with path.open("rb") as file:
                header = file.read(model.data_offset)
            entry = tarfile.TarInfo(path.name)
            entry.size = len(header)
            packed.addfile(entry, io.BytesIO(header))


def _rows(
    probe: Path, path: Path, model: ModelFile, known: set[str], tags: list[str] | None
) -> Iterator[dict[str, Any]]:
    name, _, quantization = path.stem.rpartition("-")
    sizes = read_hyperparameters(model)
    asked = list(questions(path.stem, sizes))
    if tags is not None:
        asked = [question for question in asked if question.tag in tags]
    elif quantization not in _MAIN_QUANTIZATIONS:
        asked = asked[:1]
    for question in asked:
        identity = f"{name}/{quantization}/{question.tag}"
        if identity in known:
            continue
        command = f"llama-server -m {path.name} {question.arguments} --fit off"
        answer = ask(probe.resolve(), path.parent, question.gpus_mib, command)
        if "error" in answer:
            print(f"{command}: {answer['error']}", file=sys.stderr)
            continue
        yield {"id": identity, "gpus_mib": question.gpus_mib, "cmd": command} | row(answer)


if __name__ == "__main__":
    main()
