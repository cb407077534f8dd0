"""How many estimates one core makes per second, and where the time goes.

``python -m benchmarks.estimate_rate`` asks about models of the catalogue. Headers are read before
the clock starts; no question of a round is asked twice. Timed by processor time:

* ``mixed``: contexts, slots, cache types, batches, cards and offload drawn from a seeded generator,
  so that most questions meet a graph for the first time, which is then built and allocated;
* ``contexts``: one server per model, asked about many contexts, as a search for the largest does;
* ``again``: the mixed round repeated.

A fixed load of plain Python runs before and after them, so that figures of two machines, or of one
machine on a busy day, can be compared. ``--profile ROUND`` shows where a round spends its time.
Exit status 1 if a round is below the target.
"""

import argparse
import cProfile
import io
import pstats
import random
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from packer.catalogue.models import find_model, load_model_file
from packer.domain.model import ModelFile
from packer.domain.server_options import ServerOptions
from packer.errors import InvalidInput
from packer.memory.estimate import estimate_memory
from packer.memory.result import Card
from packer.units import GIB

TARGET_PER_SECOND = 3000
MODELS = (
    "llama-3.1-8b",
    "qwen3-30b-a3b",
    "gemma-3-12b",
    "gpt-oss-20b",
    "deepseek-v3",
    "qwen3.5-27b",
    "nemotron-nano-9b-v2",
    "llama-3.1-70b",
)
_CARDS_GIB = ((24,), (80,), (48, 48), (80, 80, 80, 80))
_STEP = 256


@dataclass(frozen=True)
class Question:
    """One call of ``estimate_memory``."""

    model: ModelFile
    options: ServerOptions
    cards: tuple[Card, ...]


def mixed_questions(models: Sequence[ModelFile], count: int, seed: int) -> list[Question]:
    """Questions of every kind, no two alike."""
    generator = random.Random(seed)
    found: dict[tuple[str, ServerOptions, tuple[Card, ...]], Question] = {}
    while len(found) < count:
        question = _drawn(generator.choice(models), generator)
        found[question.model.name, question.options, question.cards] = question
    return list(found.values())


def _drawn(model: ModelFile, generator: random.Random) -> Question:
    sizes = generator.choice(_CARDS_GIB)
    cache_type = generator.choice(("f16", "f16", "q8_0"))
    options = ServerOptions(
        context_size=generator.randrange(4096, 131073, 4 * _STEP),
        slots=generator.choice((1, 2, 4, 8)),
        kv_unified=generator.random() < 0.3,
        ubatch_size=generator.choice((512, 512, 1024)),
        cache_type_k=cache_type,
        cache_type_v=cache_type,
        tensor_split=tuple(float(size) for size in sizes),
        gpu_layers=generator.choice((None, None, None, 20)),
        fit=False,
    )
    return Question(model, options, _cards(sizes))


def _cards(sizes: Sequence[int]) -> tuple[Card, ...]:
    return tuple(Card(f"CUDA{index}", size * GIB) for index, size in enumerate(sizes))


def context_questions(models: Sequence[ModelFile], count: int, seed: int) -> list[Question]:
    """Many contexts of one server per model, in any order."""
    generator, cards = random.Random(seed), _cards((80,))
    return [
        Question(model, ServerOptions(context_size=size * _STEP, slots=4, fit=False), cards)
        for model in models
        for size in generator.sample(range(16, 16 + 2 * count), count // len(models))
    ]


def ask(asked: Sequence[Question]) -> int:
    """Estimates made; what llama.cpp refuses is none, and is refused before it costs anything."""
    made = 0
    for question in asked:
        with suppress(InvalidInput):
            estimate_memory(question.model, question.options, question.cards)
            made += 1
    return made


def rate(asked: Sequence[Question]) -> float:
    """Estimates per second of processor time."""
    start = time.process_time()
    made = ask(asked)
    return made / (time.process_time() - start)


def profile(asked: Sequence[Question]) -> str:
    """The functions a round spends its time in, by their own time."""
    profiler = cProfile.Profile()
    profiler.runcall(ask, asked)
    text = io.StringIO()
    pstats.Stats(profiler, stream=text).strip_dirs().sort_stats("tottime").print_stats(20)
    return text.getvalue()


def fixed_load_seconds() -> float:
    """Processor time of some plain Python: dictionaries, tuples, whole numbers [s]."""
    start = time.process_time()
    table: dict[tuple[int, int], int] = {}
    for number in range(200_000):
        key = number % 977, number % 1009
        table[key] = table.get(key, 0) + number * 2654435761 % 4096
    return time.process_time() - start


def measure(rounds: dict[str, list[Question]]) -> bool:
    """Time the rounds in order and print them; whether all reach the target."""
    before = fixed_load_seconds()
    rates = {name: rate(asked) for name, asked in rounds.items()}
    after = fixed_load_seconds()
    print(f"fixed load: {before:.3f} s before, {after:.3f} s after")
    for name, figure in rates.items():
        verdict = "" if figure >= TARGET_PER_SECOND else f", below {TARGET_PER_SECOND}"
        print(f"{name:<9} {figure:>7.0f} estimates per second of one core{verdict}")
    return min(rates.values()) >= TARGET_PER_SECOND


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures, or a profile; exit status."""
    parser = argparse.ArgumentParser(description="How many estimates one core makes per second.")
    parser.add_argument("--count", type=int, default=800, help="questions of a round")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--profile", choices=("mixed", "contexts"), help="profile this round")
    given = parser.parse_args(arguments)
    models = [load_model_file(name, find_model(name).quantizations[-1]) for name in MODELS]
    mixed = mixed_questions(models, given.count, given.seed)
    rounds = {
        "mixed": mixed,
        "contexts": context_questions(models, given.count, given.seed),
        "again": mixed,
    }
    if given.profile:
        print(profile(rounds[given.profile]))
        return 0
    print(f"{len(models)} models, {given.count} questions a round, seed {given.seed}")
    return 0 if measure(rounds) else 1


if __name__ == "__main__":
    sys.exit(main())
