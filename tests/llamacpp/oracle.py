"""Questions to the real llama.cpp of the pinned wheel, answered by a child process.

``Oracle`` keeps one child for many questions and starts another when llama.cpp ends the process,
which it does on some errors; that question's answer is then a refusal with what was printed.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

_CHILD = "tests.llamacpp.oracle_child"
_ROOT = Path(__file__).parents[2]
_GPU_FLAGS = ("--device", "-dev", "--spec-draft-device", "-devd", "--mmproj-device", "-mmdev")
_OVERRIDE_FLAGS = ("--override-tensor", "-ot", "--spec-draft-override-tensor", "-otd")
# A grey square of 8 x 8 pixels.
_PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAADklEQVR42mNogAIGyhgAgIQgARDoahcA"
    "AAAASUVORK5CYII="
)
_PORT_FLAGS = {"--port": "0", "--host": "127.0.0.1"}


@dataclass(frozen=True)
class Parsed:
    """What the real parser makes of a command line."""

    is_accepted: bool
    log: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Projected:
    """Bytes on the host as the real planner projects them; the wheel knows no other device."""

    is_accepted: bool
    log: str = ""
    weights_bytes: int = 0
    context_bytes: int = 0
    compute_bytes: int = 0


@dataclass(frozen=True)
class Served:
    """What the real server said.

    Attributes:
        changed: Flags that were dropped or given another value, as ``flag old -> new``.
        replies: Path → status and body.
    """

    is_accepted: bool
    log: str
    changed: tuple[str, ...]
    replies: Mapping[str, tuple[int, str]]


class Oracle:
    """One child that answers many questions."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._child: subprocess.Popen[str] | None = None
        descriptor, name = tempfile.mkstemp(prefix="llama-", suffix=".log")
        os.close(descriptor)
        self._log = Path(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child."""
        self._end_child()
        self._log.unlink()

    def parse(self, argv: Sequence[str], environment: Mapping[str, str] | None = None) -> Parsed:
        """Whether llama.cpp accepts a command line, and what it reads from it."""
        question = {"do": "parse", "argv": list(argv), "environment": dict(environment or {})}
        answer = self._ask(question)
        return Parsed(answer["accepted"], answer["log"], answer.get("fields", {}))

    def project(self, argv: Sequence[str]) -> Projected:
        """Projected bytes of a command line whose model file exists."""
        answer = self._ask({"do": "project", "argv": list(argv)})
        if not answer["accepted"]:
            return Projected(False, answer["log"])
        row = answer["rows"][-1]
        return Projected(True, "", row["model"], row["context"], row["compute"])

    def graphs(
        self, argv: Sequence[str], batches: Sequence[Sequence[int]], *, is_nextn: bool = False
    ) -> list[Any] | None:
        """Tensors of the graph of each batch (tokens, sequences, outputs); None if refused."""
        asked = {"argv": list(argv), "batches": list(batches), "is_nextn": is_nextn}
        answer = self._ask({"do": "graphs", **asked})
        return answer["graphs"] if answer["accepted"] else None

    def presets(self, path: Path) -> dict[str, list[str]]:
        """Section → command line a router would start, read by the real preset reader."""
        answer = self._ask({"do": "presets", "path": str(path)})
        assert answer["accepted"], answer["log"]
        sections: dict[str, list[str]] = answer["sections"]
        return sections

    def serve(self, argv: Sequence[str], requests: Mapping[str, object]) -> Served:
        """Start the real server, post each request to its path, and stop it."""
        answer = self._ask({"do": "serve", "argv": list(argv), "requests": dict(requests)})
        replies = answer.get("replies", {}).items()
        return Served(
            answer["accepted"],
            answer["log"],
            (),
            {path: (reply["status"], reply["text"]) for path, reply in replies},
        )

    def _ask(self, question: Mapping[str, object]) -> dict[str, Any]:
        child = self._child = self._child or self._start_child()
        assert child.stdin is not None
        assert child.stdout is not None
        print(json.dumps(question), file=child.stdin, flush=True)
        line = child.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"accepted": False}
        printed = self._log.read_text(errors="replace")
        if not line:
            printed += f"the process ended with {self._end_child()}"
        return answer | {"log": printed}

    def _start_child(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", _CHILD, str(self._log)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "GGML_NO_BACKTRACE": "1"},
        )

    def _end_child(self) -> int:
        """Exit status of the child, if there was one."""
        child, self._child = self._child, None
        if child is None:
            return 0
        child.communicate(timeout=30)
        return child.returncode


def serve_and_complete(
    argv: Sequence[str], model_substitutions: Mapping[str, Path], oracle: Oracle
) -> Served:
    """Start the real server with a rendered command line and ask it for one completion.

    Args:
        argv: Words as rendered, the program first.
        model_substitutions: Path in ``argv`` → tiny file that stands in for it.
        oracle: Where the server runs.

    Returns:
        The replies of ``/health`` and of the endpoint that fits the flags, and every change made to
        ``argv``: substituted files, a free port, and flags that name GPUs (a CPU build has none).
    """
    words, changed = _without_gpus(argv, model_substitutions)
    served = oracle.serve(words, _requests(words))
    return Served(served.is_accepted, served.log, changed, served.replies)


def _without_gpus(
    argv: Sequence[str], substitutions: Mapping[str, Path]
) -> tuple[list[str], tuple[str, ...]]:
    """Command line for this machine, and what was changed."""
    words, changed, index = [argv[0]], [], 1
    while index < len(argv):
        name, value = argv[index], argv[index + 1] if index + 1 < len(argv) else ""
        if name in _GPU_FLAGS or (name in _OVERRIDE_FLAGS and "=CUDA" in value):
            changed.append(f"{name} {value} dropped")
            index += 2
            continue
        replaced = _PORT_FLAGS.get(name) if name in _PORT_FLAGS else substitutions.get(value)
        if replaced is not None:
            changed.append(f"{name} {value} -> {replaced}")
            words += [name, str(replaced)]
            index += 2
            continue
        words.append(name)
        index += 1
    return words, tuple(changed)


def _requests(words: Sequence[str]) -> dict[str, object]:
    """One request that suits what the flags make of the server."""
    if "--reranking" in words:
        return {"/v1/rerank": {"query": "a", "documents": ["b", "c"]}}
    if "--embedding" in words:
        return {"/embedding": {"content": "hello"}}
    if "--mmproj" in words:
        content = [
            {"type": "text", "text": "what is this?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PICTURE}"}},
        ]
        message = {"role": "user", "content": content}
        return {"/v1/chat/completions": {"max_tokens": 4, "messages": [message]}}
    return {"/completion": {"prompt": "hello", "n_predict": 4}}
