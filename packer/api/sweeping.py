"""Sweeps: every scenario planned once, its answer kept, the table written whole."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from packer.api.inputs import Input, load
from packer.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from packer.api.kept_answers import KeptAnswers
    from packer.api.scenario_answers import Setting
    from packer.plan.scenario import Scenario, Scenarios
    from packer.plan.sweep import Answer, Sweep, SweepRow
    from packer.sweep.task import Engine

ENGINES = ("processes", "ray", "dask")
HOLDS = "sweep"
"""What the marker of an output folder says it holds."""


@dataclass(frozen=True)
class SweepProgress:
    """How far a sweep is.

    Attributes:
        scenarios: In all. answered: With an answer, old or new. computed: Of them, in this run.
        seconds: Since the first scenario was asked [s].
    """

    scenarios: int
    answered: int
    computed: int
    seconds: float

    @property
    def seconds_left(self) -> float:
        """Time left at the pace so far [s]."""
        return (self.scenarios - self.answered) * self.seconds / max(1, self.computed)


def sweep(
    scenarios: str | Path,
    out: str | Path,
    *,
    engine: str = "processes",
    address: str = "",
    processes: int = 0,
    effort: float = 0.2,
    time_limit_seconds: float = 600.0,
    gap: float = 0.0,
    seed: int = 1,
    threads: int = 1,
    progress: Callable[[SweepProgress], None] | None = None,
) -> "Sweep":
    """Plan every scenario of a sweep file; write the table, its pictures and the answers.

    Answers are kept by the hash of all they follow from: running again computes what is missing.

    Args:
        scenarios: Sweep file; the paths in it begin at its folder.
        out: Folder to write.
        engine: ``processes`` of this machine, or a ``ray`` or ``dask`` cluster.
        address: Of the cluster.
        processes: Of this machine; 0 is one per processor.
        effort: Deterministic work of the solver for each scenario; 1 is meant for a minute.
        time_limit_seconds: Wall time of the solver for each scenario [s]; a row that reaches it
            says so, because another machine may answer it otherwise.
        gap: Stop each scenario at this proven gap.
        seed: Of every random choice.
        threads: Solver threads of each scenario.
        progress: Told after each answer.

    Raises:
        InvalidInput: The sweep file is wrong, no inventory could be read, or the folder is not
            ours to write.
        Unreachable: No cluster answers at the address.
    """
    from packer.api.kept_answers import KeptAnswers
    from packer.api.scenario_answers import Setting
    from packer.files.text import read_text, shown_name
    from packer.plan.sweep import SweepLimits
    from packer.spec.sweep_file import read_sweep

    chosen = _engine(engine, address, processes)
    asked = read_sweep(read_text(scenarios), shown_name(scenarios))
    inputs, refused = _inputs(asked, Path(scenarios).parent)
    limits = SweepLimits(effort, time_limit_seconds, gap, seed, threads)
    setting = Setting(inputs, asked.objective, limits)
    running = _Running(asked, setting, refused, chosen, KeptAnswers(Path(out)))
    _write(Path(out), running.sweep())
    try:
        for step in running.steps():
            if progress:
                progress(step)
    finally:
        _write(Path(out), running.sweep())
    return running.sweep()


def sweep_table(sweep: "Sweep", *, width: int = 120) -> str:
    """A sweep for people in a terminal."""
    from packer.report.sweep_tables import sweep_table as table

    return table(sweep, width=width)


def _engine(name: str, address: str, processes: int) -> "Engine":
    from packer.sweep.dask_cluster import DaskCluster
    from packer.sweep.processes import Processes, usable_processors
    from packer.sweep.ray_cluster import RayCluster

    if name not in ENGINES:
        title, help_ = f"{name} is no engine", f"choose from {', '.join(ENGINES)}"
        raise InvalidInput(Problem("P0471", title, help=help_))
    if name == "processes":
        if address:
            title = "--address goes with --engine ray or --engine dask"
            raise InvalidInput(Problem("P0471", title, help="leave it out, or name the engine"))
        return Processes(processes or usable_processors())
    if not address:
        title = f"--engine {name} needs the address of a cluster"
        example = "tcp://scheduler:8786" if name == "dask" else "head-node:6379"
        raise InvalidInput(Problem("P0471", title, help=f"such as --address {example}"))
    return DaskCluster(address) if name == "dask" else RayCluster(address)


def _inputs(
    asked: "Scenarios", folder: Path
) -> tuple[dict[tuple[str, str], Input], dict[tuple[str, str], InvalidInput]]:
    """The fleet on every inventory, and what is wrong with those that cannot be read.

    Raises:
        InvalidInput: None can.
    """
    found: dict[tuple[str, str], Input] = {}
    refused: dict[tuple[str, str], InvalidInput] = {}
    for inventory, book in asked.sources:
        prices = folder / book if book else ""
        try:
            found[inventory, book] = load(folder / asked.fleet, folder / inventory, prices)
        except InvalidInput as error:
            refused[inventory, book] = error
    if not found:
        raise next(iter(refused.values()))
    return found, refused


def _write(out: Path, sweep: "Sweep") -> None:
    """The table as it is, whole or not at all; rows that are not computed say so."""
    from packer.files.directory import write_tree
    from packer.report.sweep_files import sweep_files

    write_tree(out, sweep_files(sweep), HOLDS)


class _Running:
    """A sweep on its way: its rows, and what fills them."""

    def __init__(
        self,
        asked: "Scenarios",
        setting: "Setting",
        refused: dict[tuple[str, str], InvalidInput],
        engine: "Engine",
        kept: "KeptAnswers",
    ) -> None:
        """Find what earlier runs answered."""
        from packer.api.sweep_rows import unanswered_rows

        self._asked, self._setting, self._engine, self._kept = asked, setting, engine, kept
        rows = unanswered_rows(asked.scenarios, setting, refused)
        self._rows: list[SweepRow] = [_with_kept(row, kept) for row in rows]
        self._found = sum(bool(row.answer and row.input_sha256) for row in self._rows)
        self._started = time.perf_counter()
        self._computed, self._computing_seconds = 0, 0.0

    def steps(self) -> Iterator[SweepProgress]:
        """Compute what is missing, equal scenarios once; one step after each answer."""
        places: dict[str, list[int]] = {}
        for index, row in enumerate(self._rows):
            if row.answer is None:
                places.setdefault(row.input_sha256, []).append(index)
        tasks = {key: self._asked.scenarios[indexes[0]] for key, indexes in places.items()}
        filled, before = 0, sum(row.answer is not None for row in self._rows)
        for key, answer in self._answers(tasks):
            filled += len(places[key])
            for index in places[key]:
                self._rows[index] = replace(self._rows[index], answer=answer)
            seconds = time.perf_counter() - self._started
            yield SweepProgress(len(self._rows), before + filled, filled, seconds)

    def _answers(self, tasks: "dict[str, Scenario]") -> "Iterator[tuple[str, Answer]]":
        from packer.api.scenario_answers import answer_scenario
        from packer.plan.sweep import Answer, Outcome

        if not tasks:
            return
        keys = list(tasks)
        for one in self._engine.run(answer_scenario, self._setting, list(tasks.values())):
            key = keys[one.index]
            if one.failure:
                yield key, Answer(Outcome.FAILED, one.failure)
                continue
            self._computed += 1
            self._computing_seconds += one.result.seconds
            if one.result.answer.outcome.is_answer:
                self._kept.keep(key, one.result.answer, one.result.seconds)
            yield key, one.result.answer

    def sweep(self) -> "Sweep":
        """All rows as they are now."""
        from packer.api.sweep_rows import versions_of
        from packer.plan.sweep import Sweep, SweepRun

        first = next(iter(self._setting.inputs.values()))
        return Sweep(
            name=self._asked.name,
            fleet=first.fleet.name,
            fleet_sha256=first.fleet_sha256,
            objective=self._asked.objective or first.fleet.objective,
            limits=self._setting.limits,
            rows=tuple(self._rows),
            versions=versions_of(first.fleet.server_image.build),
            run=SweepRun(
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                engine=self._engine.name,
                processes=self._engine.processes,
                computed=self._computed,
                kept=self._found,
                seconds=round(time.perf_counter() - self._started, 3),
                scenario_seconds=round(self._computing_seconds, 3),
            ),
        )


def _with_kept(row: "SweepRow", kept: "KeptAnswers") -> "SweepRow":
    return row if row.answer else replace(row, answer=kept.find(row.input_sha256))
