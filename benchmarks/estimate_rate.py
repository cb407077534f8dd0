"""How many estimates one core makes per second, and where the time goes.

``python -m benchmarks.estimate_rate`` asks about models of the catalogue. Headers are read before
the clock starts; no question of a round is asked twice. Timed by processor time:

* ``first``: the first question about each model, nothing known of it;
* ``contexts``: one server per model, asked about many contexts, as a search for the largest does;
* ``sweep``: what a planner asks of each model: every context with every number of slots, cache
  type, physical batch and set of cards;
* ``mixed``: one model after the other, each under command lines drawn from a seeded generator:
  contexts, slots, unified or not, cache types, batches, cards, shares and offload;
* ``again``: the mixed round repeated.

Of each round the first quarter of every model's questions, in which most kinds of graphs are met
and built, is told apart from the last one: the steady rate on command lines never seen before.

A fixed load of plain Python runs before and after them, so that figures of two machines, or of one
machine on a busy day, can be compared. ``--profile ROUND`` shows where a round spends its time.
Exit status 1 if the steady rate of a round is below the target.
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
from itertools import groupby

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
    """Questions of every kind, no two alike, one model after the other."""
    generator = random.Random(seed)
    found: dict[tuple[str, ServerOptions, tuple[Card, ...]], Question] = {}
    for number, model in enumerate(models, 1):
        while len(found) < count * number // len(models):
            question = _drawn(model, generator)
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


def sweep_questions(models: Sequence[ModelFile], seed: int) -> list[Question]:
    """Everything a planner asks about every model, one model after the other."""
    generator = random.Random(seed)
    return [
        question
        for model in models
        for question in sorted(_sweep(model), key=lambda _: generator.random())
    ]


def _sweep(model: ModelFile) -> list[Question]:
    """Every combination for one model."""
    return [
        Question(
            model,
            ServerOptions(
                context_size=size * slots,
                slots=slots,
                ubatch_size=batch,
                cache_type_k=kind,
                cache_type_v=kind,
                tensor_split=tuple(float(card) for card in sizes),
                fit=False,
            ),
            _cards(sizes),
        )
        for sizes in _CARDS_GIB
        for kind in ("f16", "q8_0")
        for batch in (512, 1024)
        for slots in (1, 2, 4, 8, 16)
        for size in range(4096, 65537, 4096)
    ]


def ask(asked: Sequence[Question]) -> int:
    """Estimates made; what llama.cpp refuses is none, and is refused before it costs anything."""
    made = 0
    for question in asked:
        with suppress(InvalidInput):
            estimate_memory(question.model, question.options, question.cards)
            made += 1
    return made


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


@dataclass(frozen=True)
class Rates:
    """Estimates per second over a round, and over the first and last quarter of each model."""

    whole: float
    first: float
    steady: float


def rates(asked: Sequence[Question]) -> Rates:
    """Ask a round whose models follow one another."""
    made = [0, 0, 0, 0]
    seconds = [0.0, 0.0, 0.0, 0.0]
    for _, group in groupby(asked, key=lambda question: question.model.name):
        questions = list(group)
        for part in range(4):
            some = questions[len(questions) * part // 4 : len(questions) * (part + 1) // 4]
            start = time.process_time()
            made[part] += ask(some)
            seconds[part] += time.process_time() - start
    each = [count / max(spent, 1e-9) for count, spent in zip(made, seconds, strict=True)]
    return Rates(sum(made) / sum(seconds), each[0], each[3])


def first_seconds(models: Sequence[ModelFile]) -> list[float]:
    """Processor time of the first estimate of each model [s]."""
    spent = []
    for question in context_questions(models, len(models), 0):
        start = time.process_time()
        ask([question])
        spent.append(time.process_time() - start)
    return sorted(spent)


def measure(models: Sequence[ModelFile], rounds: dict[str, list[Question]]) -> bool:
    """Time the rounds in order and print them; whether all reach the target."""
    before = fixed_load_seconds()
    first = first_seconds(models)
    median = 1000 * first[len(first) // 2]
    print(f"first     {median:.0f} ms in the middle, {1000 * first[-1]:.0f} ms at most")
    found = {}
    for name, asked in rounds.items():
        found[name] = one = rates(asked)
        verdict = "" if one.steady >= TARGET_PER_SECOND else f", below {TARGET_PER_SECOND}"
        print(
            f"{name:<9} {len(asked):>6} questions: {one.whole:>6.0f} per second of one core, "
            f"at first {one.first:.0f}, steady {one.steady:.0f}{verdict}",
            flush=True,
        )
    print(f"fixed load: {before:.3f} s before, {fixed_load_seconds():.3f} s after")
    return min(one.steady for one in found.values()) >= TARGET_PER_SECOND


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures, or a profile; exit status."""
    parser = argparse.ArgumentParser(description="How many estimates one core makes per second.")
    parser.add_argument("--count", type=int, default=8000, help="questions of a drawn round")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--models", nargs="*", default=MODELS, help="of the catalogue")
    parser.add_argument("--profile", choices=("mixed", "contexts", "sweep"))
    given = parser.parse_args(arguments)
    models = [load_model_file(name, find_model(name).quantizations[-1]) for name in given.models]
    mixed = mixed_questions(models, given.count, given.seed)
    rounds = {
        "contexts": context_questions(models, given.count, given.seed),
        "sweep": sweep_questions(models, given.seed),
        "mixed": mixed,
        "again": mixed,
    }
    if given.profile:
        print(profile(rounds[given.profile]))
        return 0
    print(f"{len(models)} models, seed {given.seed}")
    return 0 if measure(models, rounds) else 1


if __name__ == "__main__":
    sys.exit(main())
