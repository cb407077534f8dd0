"""A llama-server with slots as a discrete-event simulation, to check the queueing formulas.

Every iteration of the server computes one token of each slot that decodes and, beside them, tokens
of prompts up to the logical batch, those of the slot that waited longest first. Nothing here is
shared with the formulas but the times of steps and prompts.
"""

from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import simpy

from packer.performance.service_times import ServiceTimes


@dataclass(frozen=True)
class Arrival:
    """One request of a trace."""

    seconds: float
    input_tokens: int
    output_tokens: int


@dataclass
class Job:
    """A request on its way."""

    arrival: Arrival
    prompt_left: float
    answer_left: int
    first_token: float = 0.0
    finished: float = 0.0


@dataclass
class SimulatedServer:
    """One server; ``run`` plays a trace and keeps every job."""

    service: ServiceTimes
    slots: int
    env: simpy.Environment = field(default_factory=simpy.Environment)
    waiting: deque[Job] = field(default_factory=deque)
    reading: list[Job] = field(default_factory=list)
    decoding: list[Job] = field(default_factory=list)
    done: list[Job] = field(default_factory=list)
    tokens_seen: list[tuple[float, float]] = field(default_factory=list)

    def run(self, arrivals: Sequence[Arrival]) -> list[Job]:
        """Jobs in the order they finished."""
        self.arrived = self.env.event()
        self.env.process(self._arrive(arrivals))
        self.env.process(self._serve(len(arrivals)))
        self.env.run()
        return self.done

    def _arrive(self, arrivals: Sequence[Arrival]) -> Generator[Any, Any, None]:
        for one in arrivals:
            yield self.env.timeout(max(0.0, one.seconds - self.env.now))
            self.waiting.append(Job(one, float(max(1, one.input_tokens)), one.output_tokens))
            self.arrived.succeed()
            self.arrived = self.env.event()

    def _serve(self, wanted: int) -> Generator[Any, Any, None]:
        while len(self.done) < wanted:
            while self.waiting and len(self.reading) + len(self.decoding) < self.slots:
                self.reading.append(self.waiting.popleft())
            if self.reading:
                yield from self._mixed_iteration()
            elif self.decoding:
                yield from self._decode_until_arrival()
            else:
                yield self.arrived

    def _mixed_iteration(self) -> Generator[Any, Any, None]:
        """One iteration with tokens of prompts in it."""
        started, room, seconds, finished = self.env.now, float(self.service.batch_tokens), 0.0, []
        for job in self.reading:
            taken = min(job.prompt_left, room)
            whole = job.arrival.input_tokens or 1
            seconds += self.service.prompt_seconds(whole) * taken / whole
            room -= taken
            job.prompt_left -= taken
            if job.prompt_left <= 0:
                finished.append(job)
            if room <= 0:
                break
        if self.decoding:
            seconds += self.service.step_seconds(len(self.decoding))
        yield self.env.timeout(seconds)
        self._count_tokens(started)
        self._advance(1)
        for job in finished:
            self.reading.remove(job)
            job.first_token = self.env.now
            job.answer_left -= 1
            (self.decoding if job.answer_left > 0 else self._finish(job)).append(job)

    def _decode_until_arrival(self) -> Generator[Any, Any, None]:
        """Whole steps until a slot is done or, if one is free, a request comes."""
        started = self.env.now
        step = self.service.step_seconds(len(self.decoding))
        most = min(job.answer_left for job in self.decoding)
        end = self.env.timeout(most * step)
        if len(self.decoding) < self.slots:
            yield end | self.arrived
        else:
            yield end
        steps = min(most, max(1, ceil((self.env.now - started) / step - 1e-9)))
        rest = started + steps * step - self.env.now
        if rest > 0:
            yield self.env.timeout(rest)
        self._count_tokens(started)
        self._advance(steps)

    def _advance(self, steps: int) -> None:
        for job in self.decoding:
            job.answer_left -= steps
        for job in [job for job in self.decoding if job.answer_left <= 0]:
            self.decoding.remove(job)
            self._finish(job).append(job)

    def _finish(self, job: Job) -> list[Job]:
        job.finished = self.env.now
        return self.done

    def _count_tokens(self, since: float) -> None:
        """Tokens held by all slots, weighed by the time they were held."""
        held = sum(job.arrival.input_tokens - job.prompt_left for job in self.reading)
        held += sum(
            job.arrival.input_tokens + job.arrival.output_tokens - job.answer_left
            for job in self.decoding
        )
        self.tokens_seen.append((held, self.env.now - since))


def first_token_seconds(jobs: Sequence[Job]) -> list[float]:
    """Seconds from arrival to first token of every job, ascending."""
    return sorted(job.first_token - job.arrival.seconds for job in jobs)


def quantile(values: Sequence[float], share: float) -> float:
    """A quantile of ascending values."""
    return values[min(len(values) - 1, int(share * len(values)))]
