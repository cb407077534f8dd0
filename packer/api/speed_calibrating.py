"""Speed factors of a GPU, a model and a build, from what llama.cpp's programs measured there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packer.api.cards import card_of, cards_by_name
from packer.api.measurements import DECODE, PREFILL, Calibration, SpeedMeasurement
from packer.api.model_headers import Models
from packer.errors import InvalidInput, Location, Problem

if TYPE_CHECKING:
    from packer.domain.gpu import GpuProduct
    from packer.domain.model import ModelFile
    from packer.domain.server_options import ServerOptions
    from packer.llamacpp.measured_run import BenchSetup, MeasuredRun
    from packer.performance.server_work import ServerWork

NO_GPU = "none"
"""What ``--gpu`` says of a run on the CPU alone."""
_SLOWEST = 100.0
_BEYOND_BANDWIDTH = 1.25
"""A card may be clocked above its specification by a little, not by more."""


@dataclass(frozen=True)
class MeasuredServer:
    """What a text of measured speeds does not say of itself; empty or None where it does.

    Attributes:
        argv: Literal command line of the program that was measured.
        model: Reference of the model, in place of a command line or of the path in the results.
        gpus: Products of the cards, such as ``L40S:2``; ``none`` is the CPU alone.
        models: Folder that relative model paths start from.
        build: llama.cpp build, such as ``b11434``.
        slots: Slots at work where server timings do not say.
        depth: Tokens in a slot on average where ``/metrics`` does not say.
        host_bandwidth: Specified memory bandwidth of the node [bytes/s].
    """

    argv: tuple[str, ...] = ()
    model: str = ""
    gpus: tuple[str, ...] = ()
    models: str | Path = "."
    build: str = ""
    slots: int | None = None
    depth: int | None = None
    host_bandwidth: int | None = None


def calibrate_speed(
    text: str,
    server: MeasuredServer | None = None,
    *,
    previous: Calibration | None = None,
    name: str = "results",
) -> Calibration:
    """Measured speeds beside the predicted ones, added to what was known.

    Args:
        text: Output of llama-bench (``-o json``) or llama-batched-bench, answers of llama-server
            with their timings, its log, or its ``/metrics``.
        server: What the text does not say.
        previous: Measurements to keep.
        name: Name of the text, for errors.

    Raises:
        InvalidInput: P0421 to P0425, the text cannot be used; with every reason.
    """
    from packer.llamacpp.speed_results import read_speed_results

    runs = read_speed_results(text, name)
    bench = _Bench(server or MeasuredServer(), name)
    new = tuple(bench.measurement(run) for run in runs)
    known = previous or Calibration()
    return replace(known, speeds=(*known.speeds, *new))


@dataclass
class _Bench:
    """Predictions for the runs of one text."""

    server: MeasuredServer
    file: str

    def measurement(self, run: "MeasuredRun") -> SpeedMeasurement:
        """One run beside its prediction."""
        from packer.performance.constants import speed_constants
        from packer.performance.prompt import prompt_seconds
        from packer.performance.step import decode_step

        model, work, build = self._work(run)
        slots = run.slots or self.server.slots or 1
        before = self._depth(run)
        if run.is_prompt:
            depth, slots = before, 1
            predicted = prompt_seconds(work, run.tokens, depth)
        else:
            depth = before + run.tokens // 2
            predicted = decode_step(work, depth, slots, is_served=run.is_served)
            self._check_bandwidth(run, work, depth, slots)
        self._check_ratio(run.seconds / predicted.total)
        return SpeedMeasurement(
            gpu=work.place,
            model=model.fingerprint,
            name=model.name,
            build=build,
            quantity=PREFILL if run.is_prompt else DECODE,
            depth=depth,
            slots=slots,
            measured_seconds=run.seconds,
            rest_seconds=predicted.rest,
            depth_seconds=predicted.depth,
            fitted=str(speed_constants().text["fitted"]),
            way=run.way,
        )

    def _depth(self, run: "MeasuredRun") -> int:
        from packer.llamacpp.server_metrics import WAY

        asked = self.server.depth if run.way == WAY and not run.is_prompt else None
        depth = run.depth if asked is None else asked
        if depth is None:
            why = "the figures are averages over requests of unknown length"
            raise InvalidInput(self._missing("at what depth?", why, "say it with --depth"))
        return depth

    def _work(self, run: "MeasuredRun") -> "tuple[ModelFile, ServerWork, str]":
        """Model, its work on the cards that were measured, and the build."""
        from packer.memory.estimate import estimate_memory
        from packer.performance.server_work import server_work

        problems = tuple(self._unsaid(run))
        if problems:
            raise InvalidInput(problems)
        build = run.build or (run.setup.build if run.setup else "") or self.server.build
        products = self._products(run.setup)
        cards = [card_of(product) for product in products]
        options = self._options(run, build)
        model = Models(Path(self.server.models)).read(options.model)
        self._check_model(model, run.setup)
        memory = estimate_memory(model, options, cards, build=build)
        work = server_work(
            model,
            options,
            products,
            memory.layers,
            has_flash_attention=memory.flash_attention,
            host_bandwidth_bytes_per_second=self.server.host_bandwidth,
            build=build,
        )
        return model, work, build

    def _unsaid(self, run: "MeasuredRun") -> Iterator[Problem]:
        """What neither the text nor the caller says, and what both say differently."""
        setup = run.setup
        if not (self.server.argv or self.server.model or (setup and setup.model)):
            help_ = "name it with --model, or give the command line after --"
            yield self._missing("of which model?", "", help_)
        if setup is None and not self.server.gpus:
            yield self._missing("on which card?", "", "name it with --gpu; --gpu none is the CPU")
        said = run.build or (setup.build if setup else "")
        if not (said or self.server.build):
            yield self._missing("with which build?", "", "say it with --build b11434")
        if said and self.server.build and said != self.server.build:
            yield self._other(f"the results are of {said}, not of {self.server.build}")

    def _products(self, setup: "BenchSetup | None") -> "list[GpuProduct]":
        """Products of all cards in CUDA order."""
        from packer.catalogue.gpus import find_gpu

        named = [one for one in self.server.gpus if one.lower() != NO_GPU]
        asked = [find_gpu(card.name) for card in cards_by_name(named).cards]
        if setup is None:
            return asked
        seen = [find_gpu(one) for one in setup.gpus] if not asked else asked * bool(setup.gpus)
        if self.server.gpus and {g.name for g in asked} != _known_names(setup.gpus, asked):
            there = ", ".join(setup.gpus) or "the CPU"
            raise InvalidInput(self._other(f"the results are of {there}"))
        return seen

    def _options(self, run: "MeasuredRun", build: str) -> "ServerOptions":
        """Options of the measured process, with a context that holds the run."""
        from packer.domain.server_options import ServerOptions
        from packer.llamacpp.arguments import parse_arguments
        from packer.llamacpp.benchmark_command import as_server_command

        server, setup = self.server, run.setup
        if server.argv:
            said = parse_arguments(as_server_command(server.argv), {}, build=build)
        else:
            said = ServerOptions(model=server.model)
        if setup is not None:
            model = said.model or setup.model
            held = (run.depth or 0) + run.tokens
            return replace(setup.options, model=model, context_size=held)
        return said

    def _check_model(self, model: "ModelFile", setup: "BenchSetup | None") -> None:
        from packer.domain.model import model_fingerprint

        if setup is None or not setup.parameters:
            return
        measured = model_fingerprint(setup.parameters, setup.tensor_bytes)
        if measured != model.fingerprint:
            why = f"they are of {measured}; {model.name} has {model.fingerprint}"
            title = "the results are of another model"
            help_ = "give the very file that was measured with --model"
            raise InvalidInput(Problem("P0422", title, Location(self.file), why, help_))

    def _check_bandwidth(
        self, run: "MeasuredRun", work: "ServerWork", depth: int, slots: int
    ) -> None:
        """Refuse a speed that the memory of the card cannot deliver."""
        from packer.performance.step import bandwidth_limit

        limit, measured = bandwidth_limit(work, depth, slots), 1 / run.seconds
        if work.used_cards and measured > _BEYOND_BANDWIDTH * limit:
            raise InvalidInput(
                self._impossible(
                    f"{measured:.4g} tokens/s per slot, where the bandwidth of {work.place} allows "
                    f"{limit:.4g}"
                )
            )

    def _check_ratio(self, ratio: float) -> None:
        if not 1 / _SLOWEST < ratio < _SLOWEST:
            raise InvalidInput(self._impossible(f"{ratio:.3g} times the predicted seconds"))

    def _missing(self, title: str, why: str, help_: str) -> Problem:
        return Problem("P0424", f"measured {title}", Location(self.file), why, help_)

    def _other(self, why: str) -> Problem:
        title = "the results are of another card or build"
        return Problem(
            "P0423", title, Location(self.file), why, "leave out what they say themselves"
        )

    def _impossible(self, why: str) -> Problem:
        help_ = "check the card, the model and the units"
        return Problem("P0425", "a measured speed cannot be", Location(self.file), why, help_)


def _known_names(seen: Sequence[str], asked: "Sequence[GpuProduct]") -> set[str]:
    """Products the driver's names may mean, with ``asked`` settling what is ambiguous."""
    from packer.catalogue.gpus import gpus_matching

    wanted = {product.name for product in asked}
    names = set[str]()
    for one in seen:
        may = {product.name for product in gpus_matching(one)}
        names |= (may & wanted) or may or {one}
    return names


def speeds_said(calibration: Calibration) -> Iterator[str]:
    """One line for every GPU, model and build: how measured speed compares with the default."""
    from packer.performance.calibration import Factors

    for one in calibration.learnt_speeds():
        parts = []
        for what, factors in (("decode", one.decode), ("prompts", one.prefill)):
            if factors != Factors():
                parts.append(
                    f"{what} {1 / factors.rest:.2f} times the default ({factors.measurements})"
                )
        yield f"{one.name} on {one.gpu}, {one.build}: {', '.join(parts)}"
