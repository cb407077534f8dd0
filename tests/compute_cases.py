"""Random command lines: the remembered simulation beside one of every block with plain numbers.

    python -m tests.compute_cases --count 2000 --seed 1

draws that many cases over the tiny models of all architectures and over models of the catalogue,
and prints those that differ.
"""

import argparse
import random
import tarfile
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from unittest.mock import patch

from packer.catalogue.models import find_model, load_model_file
from packer.domain.model import ModelFile
from packer.domain.server_options import FlashAttention, ServerOptions
from packer.errors import InvalidInput
from packer.memory import compute_reservations
from packer.memory.compute_extent import Symbols
from packer.memory.compute_peaks import Occasion, Reservation, graph_program
from packer.memory.compute_program import Peaks
from packer.memory.estimate import estimate_memory
from packer.memory.result import Card
from tests.memory_truth import DATA, tiny_model

# A refact file has experts that llama.cpp's graph has no place for.
_NO_MODEL = "refact-moe.gguf"
_LARGE = ("llama-3.1-8b", "qwen3-30b-a3b", "gemma-3-12b", "gpt-oss-20b", "lfm2-1.2b")
_OVERRIDES = (r"blk\.[01]\.ffn=CPU", r"ffn_.*_exps=CPU", r"blk\.2\.=CUDA0", "output=CPU")


class PlainPeaks:
    """Peaks of a reservation by building each graph anew, with numbers, and taking every step."""

    def __init__(self, reservation: Reservation) -> None:
        self._reservation = reservation

    def of(self, occasions: Sequence[Occasion]) -> Peaks:
        """Bytes every backend must reserve."""
        found = [graph_program(self._reservation, one, Symbols(())).run(()) for one in occasions]
        peaks = [part.peaks for part in found if part is not None]
        return tuple(map(max, *peaks)) if len(peaks) > 1 else peaks[0]


@dataclass(frozen=True)
class Case:
    """One model under one command line."""

    name: str
    options: ServerOptions
    cards: tuple[Card, ...]

    def buffers(self, model: ModelFile) -> object:
        """Compute buffers of every context on every device, or why there are none."""
        try:
            found = estimate_memory(model, self.options, self.cards)
        except InvalidInput as error:
            return sorted(problem.code for problem in error.problems)
        except KeyError as error:
            return error.args
        cards = [(device.compute_bytes, device.draft_compute_bytes) for device in found.devices]
        return (*cards, (found.host.compute_bytes, found.host.draft_compute_bytes))


def model_names() -> list[str]:
    """Tiny models of every architecture, and some of the catalogue."""
    with tarfile.open(DATA / "architectures.tar.xz") as archive:
        tiny = [name for name in archive.getnames() if name.endswith(".gguf")]
    return [name for name in sorted(tiny) if name != _NO_MODEL] + 3 * list(_LARGE)


def open_model(name: str) -> ModelFile:
    """A model by its name."""
    if name.endswith(".gguf"):
        return tiny_model(name)
    return load_model_file(name, find_model(name).quantizations[-1])


def drawn_case(name: str, generator: random.Random) -> Case:
    """A random command line for a model."""
    pick = generator.choice
    kind = pick(("f16", "f16", "f16", "q8_0", "q4_0", "bf16", "f32"))
    options = ServerOptions(
        context_size=pick((256, 512, 2048, 4096, 8192, 40960, 131072, 3000)),
        slots=pick((None, 1, 1, 2, 3, 4, 8, 16, 24)),
        kv_unified=pick((None, None, True)),
        batch_size=pick((2048, 2048, 512, 96)),
        ubatch_size=pick((512, 512, 512, 1024, 64, 100, 2048, 8)),
        gpu_layers=pick((None, None, None, 0, 1, 2, 5, 20)),
        tensor_split=pick(((), (), (1.0, 1.0), (3.0, 1.0), (1.0, 2.0, 1.0))),
        cache_type_k=kind,
        cache_type_v=pick((kind, kind, "f16")),
        flash_attention=pick((*(FlashAttention.AUTO,) * 4, FlashAttention.ON, FlashAttention.OFF)),
        cpu_moe_layers=pick((0, 0, 0, 2)),
        cpu_ffn_layers=pick((0, 0, 0, 0, 1)),
        override_tensors=tuple(
            (pattern.split("=")[0], pattern.split("=")[1])
            for pattern in pick(((), (), (), (), (pick(_OVERRIDES),)))
        ),
        kv_offload=pick((True,) * 7 + (False,)),
        op_offload=pick((True,) * 5 + (False,)),
        swa_full=pick((False, False, False, True)),
        embedding=pick((False,) * 9 + (True,)),
        speculation=pick(((), (), (), ("draft-mtp",))),
        fit=False,
    )
    count = pick((0, 1, 1, 1, 2, 3, 4))
    return Case(name, options, tuple(Card(f"CUDA{i}", 80 << 30) for i in range(count)))


def plain_buffers(case: Case, model: ModelFile) -> object:
    """Compute buffers of a case, nothing remembered and no block left out."""
    with (
        patch.object(compute_reservations, "ReservedPeaks", PlainPeaks),
        patch.object(compute_reservations, "_REPETITIONS", (None,)),
        patch.object(compute_reservations, "_shared", OrderedDict()),
    ):
        return case.buffers(replace(model))


def differing_cases(
    count: int, seed: int, names: Sequence[str]
) -> Iterator[tuple[Case, object, object]]:
    """Cases for which the remembered simulation is not the plain one.

    Each model is asked several times in a row, so that answers are really remembered.
    """
    generator = random.Random(seed)
    for number in range(count):
        if number % 8 == 0:
            name = generator.choice(names)
            model = open_model(name)
        case = drawn_case(name, generator)
        fast, plain = case.buffers(model), plain_buffers(case, model)
        if fast != plain:
            yield case, fast, plain


def main() -> int:
    """Print cases that differ; exit status."""
    parser = argparse.ArgumentParser(description="Remembered simulation beside a plain one.")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    wrong = 0
    for case, fast, plain in differing_cases(given.count, given.seed, model_names()):
        wrong += 1
        print(f"{case}\n  remembered {fast}\n  plain      {plain}", flush=True)
    print(f"{given.count} cases, seed {given.seed}: {wrong} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
