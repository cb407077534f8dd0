"""What a mix of requests asks of one server: its moments, and its prompts in a few sizes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from packer.domain.demand import Demand, RequestClass
from packer.memory.identity_cache import derived_once
from packer.performance.service_times import Knots, ServiceTimes, interpolated_along

_PROMPT_SIZES = 16
"""Prompts are grouped into as many for the distribution of the first token."""
_FEW_SLOTS = 8
"""Steps of as many slots are learnt at once: most servers are asked about them all."""


class PromptSize(NamedTuple):
    """Prompts of about one length.

    Attributes:
        seconds: To read one, nothing else running [s].
        batches: Logical batches it takes, at least one.
    """

    weight: float
    seconds: float
    batches: float


@dataclass(frozen=True)
class RequestLoad:
    """Means of one server's work per request, and of its products.

    Attributes:
        service: Times of the server.
        prompts: Prompts in ascending order.
        prompt, prompt_squared: Mean seconds of a prompt and of its square.
        answer, answer_squared: Mean tokens of an answer and of its square.
        prompt_answer: Mean of the product of both.
        batch, batch_squared, prompt_batch: Likewise with batches of a prompt.
    """

    service: ServiceTimes
    prompts: tuple[PromptSize, ...]
    prompt: float
    prompt_squared: float
    answer: float
    answer_squared: float
    prompt_answer: float
    batch: float
    batch_squared: float
    prompt_batch: float

    def step_seconds(self, busy: int) -> float:
        """Seconds per token of each of ``busy`` slots; remembered [s]."""
        if len(self.known_steps) < busy:
            self._learn(busy)
        return self.known_steps[busy - 1]

    def leaving_rate(self, busy: int) -> float:
        """Requests per second that leave while ``busy`` slots are; remembered [1/s]."""
        if len(self.known_leaving_rates) < busy:
            self._learn(busy)
        return self.known_leaving_rates[busy - 1]

    def variation(self, busy: int) -> float:
        """Mean square of a request's seconds over their squared mean, ``busy`` slots at work.

        Remembered.
        """
        found = self._variations.get(busy)
        if found is None:
            step = self.step_seconds(busy)
            mean = busy * self.prompt + step * self.answer
            square = (
                busy**2 * self.prompt_squared
                + 2 * busy * step * self.prompt_answer
                + step**2 * self.answer_squared
            )
            found = self._variations[busy] = square / mean**2
        return found

    @cached_property
    def _variations(self) -> dict[int, float]:
        """Variations that were asked so far."""
        return {}

    @cached_property
    def known_leaving_rates(self) -> list[float]:
        """Rates that were asked so far, from one busy slot on [1/s]."""
        return []

    @cached_property
    def known_steps(self) -> list[float]:
        """Steps that were asked so far, from one busy slot on [s]."""
        return []

    def _learn(self, busy: int) -> None:
        """Steps and rates up to so many busy slots, and beyond: more slots will be asked for."""
        known = len(self.known_steps)
        held = range(known + 1, max(busy, 2 * known, _FEW_SLOTS) + 1)
        steps = list(interpolated_along(self.service.steps, held))
        self.known_steps.extend(steps)
        prompt, answer = self.prompt, self.answer
        self.known_leaving_rates.extend(
            [n / (n * prompt + answer * step) for n, step in zip(held, steps, strict=True)]
        )


class _PromptWork(NamedTuple):
    """What of a load the prompts alone decide; fields as in ``RequestLoad``."""

    prompts: tuple[PromptSize, ...]
    prompt: float
    prompt_squared: float
    prompt_answer: float
    batch: float
    batch_squared: float
    prompt_batch: float


class RequestSizes:
    """Requests of a mix in order of their prompts, with all of a load that no server changes."""

    def __init__(self, mix: Sequence[RequestClass]) -> None:
        """Sizes of one mix."""
        ordered = sorted(mix, key=lambda one: one.input_tokens)
        self._weights = [one.weight for one in ordered]
        self._prompts = [one.input_tokens for one in ordered]
        self._answers = [one.output_tokens for one in ordered]
        self._groups = _group_ends(self._weights)
        self._answer = _mean(self._weights, self._answers)
        self._answer_squared = _mean(self._weights, [one * one for one in self._answers])
        self._batched: dict[int, list[float]] = {}
        self._read: dict[tuple[Knots, int], _PromptWork] = {}
        self.longest = int(max(self._prompts))
        self.depth = mean_depth(mix)

    def load(self, service: ServiceTimes) -> RequestLoad:
        """The load of these requests on a server. Exact for the mix and the times."""
        key = (service.prompts, service.batch_tokens)
        found = self._read.get(key)
        if found is None:
            found = self._read[key] = self._prompt_work(service)
        return RequestLoad(
            service,
            found.prompts,
            found.prompt,
            found.prompt_squared,
            self._answer,
            self._answer_squared,
            found.prompt_answer,
            found.batch,
            found.batch_squared,
            found.prompt_batch,
        )

    def _prompt_work(self, service: ServiceTimes) -> "_PromptWork":
        """Means of what prompts take, which cache types that attend alike do not change."""
        weights = self._weights
        seconds = list(interpolated_along(service.prompts, self._prompts))
        batches = self._batches(service.batch_tokens)
        prompt = squared = with_answer = with_batch = 0.0
        for weight, one, answer, batch in zip(
            weights, seconds, self._answers, batches, strict=True
        ):
            prompt += weight * one
            squared += weight * (one * one)
            with_answer += weight * (one * answer)
            with_batch += weight * (one * batch)
        return _PromptWork(
            tuple([PromptSize(share, seconds[i], batches[i]) for share, i in self._groups]),
            prompt,
            squared,
            with_answer,
            _mean(weights, batches),
            _mean(weights, [one * one for one in batches]),
            with_batch,
        )

    def _batches(self, batch_tokens: int) -> list[float]:
        """Logical batches of every prompt, at least one."""
        if batch_tokens not in self._batched:
            self._batched[batch_tokens] = [max(1.0, one / batch_tokens) for one in self._prompts]
        return self._batched[batch_tokens]


@derived_once
def request_sizes(demand: Demand) -> RequestSizes:
    """Sizes of a demand's requests, remembered as long as the demand lives."""
    return RequestSizes(demand.mix)


def request_load(service: ServiceTimes, mix: Sequence[RequestClass]) -> RequestLoad:
    """The load of a mix on a server. Exact for the mix and the times."""
    return RequestSizes(mix).load(service)


def mean_depth(mix: Sequence[RequestClass]) -> float:
    """Mean tokens in a slot over the steps of all answers. Exact for the mix."""
    steps = sum(one.weight * one.output_tokens for one in mix)
    seen = sum(
        one.weight * one.output_tokens * (one.input_tokens + one.output_tokens / 2) for one in mix
    )
    return seen / steps if steps else 0.0


def _mean(weights: Sequence[float], values: Sequence[float]) -> float:
    return sum([weight * value for weight, value in zip(weights, values, strict=True)])


def _group_ends(weights: Sequence[float]) -> list[tuple[float, int]]:
    """Neighbours joined into groups of about equal weight: weight and last member of each."""
    groups: list[tuple[float, int]] = []
    weight = 0.0
    for index, one in enumerate(weights):
        weight += one
        if weight >= 1 / _PROMPT_SIZES - 1e-9:
            groups.append((weight, index))
            weight = 0.0
    if weight:
        groups.append((weight, len(weights) - 1))
    return groups
