"""What the trials of a part gave, in words, and the page that lists its survivors."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

from benchmarks.mutation.campaign import Trial


@dataclass(frozen=True)
class Result:
    """Trials of one part, and those that survived, each with what was tried."""

    name: str
    number: int
    trials: Sequence[Trial]
    survivors: Sequence[tuple[Trial, str]]

    @property
    def killed(self) -> int:
        """Mutants that a test noticed."""
        return len(self.trials) - len(self.survivors)

    @property
    def share(self) -> float:
        """Share of the tried mutants that a test noticed."""
        return self.killed / max(1, len(self.trials))

    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share among all mutants."""
        z, tried = 1.96, max(1, len(self.trials))
        middle = (self.share + z * z / (2 * tried)) / (1 + z * z / tried)
        spread = sqrt(self.share * (1 - self.share) / tried + z * z / (4 * tried * tried))
        half = z * spread / (1 + z * z / tried)
        return middle - half, middle + half

    def summary(self) -> str:
        """One line."""
        counts = f"{self.killed} of {len(self.trials)} killed, {self.share:.1%}"
        if self.number == len(self.trials):
            return f"{self.name}: {counts}, all there are"
        low, high = self.interval()
        return f"{self.name}: {counts} [{low:.1%}, {high:.1%}] of about {self.number}"

    def differences(self) -> Iterator[str]:
        """Every survivor as a difference."""
        for trial, tried in self.survivors:
            yield f"# {self.name}, {trial.mutant.operator}, {tried}"
            yield trial.difference


def write_survivors(page: Path, results: Sequence[Result]) -> None:
    """Write the page of survivors; reasons that stand on it already are kept."""
    known = dict(_reasons(page.read_text("utf-8"))) if page.exists() else {}
    lines = [
        "# Mutants that no test notices",
        "",
        "Written by `make mutants PAGE=docs/mutants.md`; the reasons are added by hand and kept.",
        "How mutants are made, and which are left out by rule: `benchmarks/mutation/mutant.py`.",
    ]
    for result in results:
        lines += ["", f"## {result.name}", "", result.summary(), ""]
        if result.survivors:
            lines += ["| module | change | reason |", "|---|---|---|"]
        for row in dict.fromkeys(_row(trial) for trial, _ in result.survivors):
            lines.append(f"{row} {known.get(row, '')} |")
    page.write_text("\n".join(lines) + "\n", "utf-8")


def _row(trial: Trial) -> str:
    """A survivor as the beginning of a table's row."""
    changes = [line for line in trial.difference.splitlines() if line[:2] not in ("--", "++", "@@")]
    cells = [re.sub(r"\s+", " ", line[1:]).strip().replace("|", "\\|") for line in changes]
    shown = " → ".join(f"`{cell}`" for cell in cells)
    return f"| {trial.mutant.module.removeprefix('packer/')} | {shown} |"


def _reasons(page: str) -> Iterator[tuple[str, str]]:
    """Rows of a page with their reasons."""
    for line in page.splitlines():
        match = re.fullmatch(r"(\| .*` \|) (.+) \|", line)
        if match:
            yield match[1], match[2]
