"""Answers of a sweep on disk, one file per hash of inputs, so that none is computed twice."""

from datetime import UTC, datetime
from pathlib import Path

from packer.errors import InvalidInput
from packer.plan.sweep import Answer

FOLDER = "results"


class KeptAnswers:
    """The folder of answers inside a sweep's output."""

    def __init__(self, out: Path) -> None:
        """Nothing is read before it is asked for."""
        self._folder = out / FOLDER

    def find(self, key: str) -> Answer | None:
        """The answer for a hash of inputs; None if there is none that can be trusted."""
        from packer.files.text import read_text
        from packer.spec.kept_answer import read_answer

        path = self._folder / f"{key}.json"
        if not key or not path.is_file():
            return None
        try:
            return read_answer(read_text(path), key)
        except InvalidInput:
            return None

    def keep(self, key: str, answer: Answer, seconds: float) -> None:
        """Write an answer, whole or not at all, with the time it took [s]."""
        from packer.files.single_file import write_file
        from packer.spec.kept_answer import format_answer

        now = datetime.now(UTC).isoformat(timespec="seconds")
        write_file(self._folder / f"{key}.json", format_answer(key, answer, seconds, now))
