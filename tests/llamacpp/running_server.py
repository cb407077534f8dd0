"""A real llama-server under load: seconds of a decode step by slots and depth.

Seconds are the server's own processor time on one thread, so that other processes of a busy machine
do not count; on a quiet one they are those of the clock.
"""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_ROOT = Path(__file__).parents[2]
_TOKEN = 65
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


class RunningServer:
    """One server of one model on one thread."""

    def __init__(self, model: Path, slots: int, context: int) -> None:
        """Prepare its command line; nothing runs yet."""
        self.argv = (
            *("llama-server", "-m", str(model), "-c", str(context * slots), "-np", str(slots)),
            *("-t", "1", "-tb", "1", "--port", "0", "-fa", "on", "--cache-ram", "0"),
        )
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
        """Let some slots decode at once, each behind a prompt that is in the cache already."""
        prompts = [[_TOKEN + slot] * depth for slot in range(slots)]
        with ThreadPoolExecutor(slots) as pool:
            list(pool.map(lambda slot: self._complete(slot, prompts[slot], 1), range(slots)))
            before = self._processor_seconds()
            answers = list(
                pool.map(lambda slot: self._complete(slot, prompts[slot], steps + 1), range(slots))
            )
            used = self._processor_seconds() - before
        clock = max(float(answer["predicted_ms"]) for answer in answers) / 1e3 / steps
        # The last token of the prompt is one more step.
        return LoadedStep(slots, depth, steps, used / (steps + 1), clock)

    def fastest(
        self, settings: Sequence[tuple[int, int]], steps: int, rounds: int
    ) -> dict[tuple[int, int], LoadedStep]:
        """The fastest of some rounds of every setting (slots, depth), taken in turns."""
        found: dict[tuple[int, int], LoadedStep] = {}
        for _ in range(rounds):
            for slots, depth in settings:
                one = self.load(slots, depth, steps)
                known = found.get((slots, depth), one)
                found[slots, depth] = min(known, one, key=lambda each: each.seconds)
        return found

    def _complete(self, slot: int, prompt: list[int], tokens: int) -> dict[str, Any]:
        body = {
            "prompt": prompt,
            "n_predict": tokens,
            "id_slot": slot,
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
            answer: dict[str, Any] = json.loads(reply.read())
        timings: dict[str, Any] = answer["timings"]
        return timings

    def _processor_seconds(self) -> float:
        """Processor time of all threads of the server so far [s]."""
        assert self._process is not None
        threads = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(one.read_text().split()[0]) for one in threads) / _NANOSECONDS
