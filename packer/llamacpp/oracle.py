"""What an installed llama.cpp says of the same command line: its own planner, asked as an oracle.

Two can answer: ``llama-fit-params`` on the PATH (any devices it was built for, whole MiB), and the
``xllamacpp`` wheel (bytes; most wheels know the host only). Both plan without loading weights, know
no draft model, and count logits for a whole batch; ``oracle_question`` asks accordingly.
"""

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from packer.errors import InvalidInput, Problem
from packer.llamacpp.oracle_program import ask_program
from packer.llamacpp.oracle_question import PLANNER, OracleQuestion
from packer.llamacpp.oracle_rows import OracleRow
from packer.llamacpp.oracle_wheel import ask_wheel, wheel_version

_SECONDS = 120.0
"""Planning takes milliseconds; reading a header on a slow disk may take longer."""


@dataclass(frozen=True)
class Oracle:
    """One llama.cpp that can be asked.

    Attributes:
        path: The program; empty for the wheel.
        knows_unified: Whether it can plan one cache for several slots.
    """

    name: str
    path: str
    knows_unified: bool


@dataclass(frozen=True)
class OracleAnswer:
    """What it said.

    Attributes:
        resolution_bytes: Its figures are rounded down to multiples of this [bytes].
        rows: One per device it sees, in its order; the host last.
    """

    resolution_bytes: int
    rows: tuple[OracleRow, ...]


def find_oracle(*, prefers_program: bool) -> Oracle:
    """The oracle to ask: the program where cards matter, else the wheel, else what there is.

    Raises:
        InvalidInput: P0491, none is installed.
    """
    found = {"program": _program(), "wheel": _wheel()}
    order = ("program", "wheel") if prefers_program else ("wheel", "program")
    for kind in order:
        oracle = found[kind]
        if oracle is not None:
            return oracle
    raise InvalidInput(
        Problem(
            "P0491",
            "no llama.cpp is installed that could be asked",
            why=f"neither {PLANNER} on the PATH nor the wheel xllamacpp",
            help=f"put {PLANNER} on the PATH, or pip install xllamacpp",
        )
    )


def _program() -> Oracle | None:
    path = shutil.which(PLANNER)
    return Oracle(path, path, knows_unified=False) if path else None


def _wheel() -> Oracle | None:
    version = wheel_version()
    return Oracle(f"xllamacpp {version}", "", knows_unified=True) if version else None


def ask(oracle: Oracle, question: OracleQuestion) -> OracleAnswer:
    """Bytes per device as the oracle plans them.

    Raises:
        InvalidInput: P0492, it refuses, crashes, or takes too long.
    """
    words = (oracle.path, *question.words[1:]) if oracle.path else question.words
    try:
        if oracle.path:
            return OracleAnswer(*ask_program(words, _bare(), _SECONDS))
        return OracleAnswer(1, ask_wheel(words, _bare(), _SECONDS))
    except subprocess.TimeoutExpired as error:
        raise _refusal(oracle, words, f"it gave no answer in {_SECONDS:g} s") from error
    except (OSError, ValueError) as error:
        raise _refusal(oracle, words, str(error)) from error


def _refusal(oracle: Oracle, words: Sequence[str], why: str) -> InvalidInput:
    help_ = f"it was asked: {shlex.join(words)}"
    return InvalidInput(Problem("P0492", f"{oracle.name} gives no answer", why=why, help=help_))


def _bare() -> dict[str, str]:
    """This process's variables without those that are flags: the question holds them already."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LLAMA_ARG_")}
    return {**kept, "GGML_NO_BACKTRACE": "1"}
