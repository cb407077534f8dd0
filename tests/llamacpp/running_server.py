"""A real llama-server under load: seconds of a decode step by slots and depth.

Seconds are the server's own processor time on one thread, so that other processes of a busy machine
do not count; on a quiet one they are those of the clock.
"""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_ROOT = Path(__file__).parents[2]
_TOKEN = 65
_ALIKE = 4
"""Fewer slots than these take more steps."""
_FIRST_DEPTH = 64
_NANOSECONDS = 1e9


@dataclass(frozen=True)
class LoadedStep:
    """What one setting took: ``slots`` slots at ``depth`` tokens, each decoding ``steps`` tokens.

    Attributes:
        seconds: Processor time of one step of all slots [s].
        clock_seconds: The same by the clock, as the slowest answer's timings say [s].
    """

    slots: int
    depth: int
    steps: int
    seconds: float
    clock_seconds: float

    def answers(self) -> str:
        """The answers of this load as llama-server writes them, with processor time."""
        timings = {
            "cache_n": self.depth - 1,
            "prompt_n": 1,
            "prompt_ms": self.seconds * 1e3,
            "predicted_n": self.steps + 1,
            "predicted_ms": self.steps * self.seconds * 1e3,
        }
        return json.dumps({"timings": timings})


def prompts_of(slots: int, depth: int) -> list[list[int]]:
    """Prompts that have nothing in common, and each all in common with a longer one of its slot."""
    return [[_TOKEN + slot] * depth for slot in range(slots)]


class RunningServer:
    """One server of one model on one thread."""

    def __init__(self, model: Path, slots: int, context: int) -> None:
        """Prepare its command line; nothing runs yet."""
        self.argv = (
            *("llama-server", "-m", str(model), "-c", str(context * slots), "-np", str(slots)),
            *("-t", "1", "-tb", "1", "--port", "0", "-fa", "on", "--cache-ram", "0"),
            # A short prompt in a slot keeps it for the long one that begins alike.
            *("--slot-prompt-similarity", "0.01"),
        )
        self._slots = slots
        self._process: subprocess.Popen[str] | None = None
        self._address = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.llamacpp.server_child", *self.argv],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self._address = self._process.stdout.readline().strip()
        assert self._address, "the server did not start"
        # All at once, prompts get neighbouring slots, one after another, and keep them.
        self._complete(prompts_of(self._slots, _FIRST_DEPTH), 1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.communicate("")

    def load(self, slots: int, depth: int, steps: int) -> LoadedStep:
        """Let some slots decode at once, each behind a prompt that is in the cache already.

        One request asks for all of them, so that they start in the same step: of several requests
        the first decode alone until the last arrives, and 33 steps become up to 51. The slots are
        neighbours: where every slot has a cache of its own, llama.cpp computes only neighbours
        together, and each other group in a pass of its own.

        Source: llama_batch_allocr::split_equal (src/llama-batch.cpp), its ``sequential``.
        """
        prompts = prompts_of(slots, depth)
        self._complete(prompts, 1)
        before = self._processor_seconds()
        answers = self._complete(prompts, steps + 1)
        used = self._processor_seconds() - before
        timings = [answer["timings"] for answer in answers]
        assert all(int(one["cache_n"]) == depth - 1 for one in timings)
        used_slots = sorted(int(answer["id_slot"]) for answer in answers)
        assert used_slots == list(range(used_slots[0], used_slots[0] + slots))
        clock = max(float(one["predicted_ms"]) for one in timings) / 1e3 / steps
        # The last token of the prompt is one more step.
        return LoadedStep(slots, depth, steps, used / (steps + 1), clock)

    def typical(
        self, settings: Sequence[tuple[int, int]], steps: int, rounds: int
    ) -> dict[tuple[int, int], LoadedStep]:
        """The median of some rounds of every setting (slots, depth), taken in turns.

        Few slots take more steps, up to four times as many, or theirs would be over too soon.
        """
        found: dict[tuple[int, int], list[LoadedStep]] = {one: [] for one in settings}
        for _ in range(rounds):
            for slots, depth in settings:
                one = self.load(slots, depth, steps * max(1, _ALIKE // slots))
                found[slots, depth].append(one)
        return {
            setting: sorted(loads, key=lambda one: one.seconds)[len(loads) // 2]
            for setting, loads in found.items()
        }

    def _complete(self, prompts: list[list[int]], tokens: int) -> list[dict[str, Any]]:
        """One answer to each prompt; a slot that holds its prompt serves it."""
        body = {
            "prompt": prompts,
            "n_predict": tokens,
            "cache_prompt": True,
            "ignore_eos": True,
            "temperature": 0,
        }
        request = urllib.request.Request(
            f"{self._address}/completion",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=120) as reply:
            answers: Any = json.loads(reply.read())
        return answers if isinstance(answers, list) else [answers]

    def _processor_seconds(self) -> float:
        """Processor time of all threads of the server so far [s]."""
        assert self._process is not None
        threads = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(one.read_text().split()[0]) for one in threads) / _NANOSECONDS
