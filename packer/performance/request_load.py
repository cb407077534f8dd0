"""What a mix of requests asks of one server: its moments, and its prompts in a few sizes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from packer.domain.demand import RequestClass
from packer.performance.service_times import ServiceTimes

_PROMPT_SIZES = 16
"""Prompts are grouped into as many for the distribution of the first token."""


@dataclass(frozen=True)
class PromptSize:
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

    def leaving_rate(self, busy: int) -> float:
        """Requests per second that leave while ``busy`` slots are; remembered [1/s]."""
        known = self.known_leaving_rates
        while len(known) < busy:
            slots = len(known) + 1
            held = slots * self.prompt + self.answer * self.service.step_seconds(slots)
            known.append(slots / held)
        return known[busy - 1]

    @cached_property
    def known_leaving_rates(self) -> list[float]:
        """Rates that were asked so far, from one busy slot on [1/s]."""
        return []


def request_load(service: ServiceTimes, mix: Sequence[RequestClass]) -> RequestLoad:
    """The load of a mix on a server. Exact for the mix and the times."""
    sums = [0.0] * 8
    sizes: list[PromptSize] = []
    for one in sorted(mix, key=lambda one: one.input_tokens):
        seconds = service.prompt_seconds(one.input_tokens)
        batches = max(1.0, one.input_tokens / service.batch_tokens)
        answer = one.output_tokens
        products = (
            seconds,
            seconds * seconds,
            answer,
            answer * answer,
            seconds * answer,
            batches,
            batches * batches,
            seconds * batches,
        )
        for index, product in enumerate(products):
            sums[index] += one.weight * product
        sizes.append(PromptSize(one.weight, seconds, batches))
    return RequestLoad(service, _grouped(sizes), *sums)


def mean_depth(mix: Sequence[RequestClass]) -> float:
    """Mean tokens in a slot over the steps of all answers. Exact for the mix."""
    steps = sum(one.weight * one.output_tokens for one in mix)
    seen = sum(
        one.weight * one.output_tokens * (one.input_tokens + one.output_tokens / 2) for one in mix
    )
    return seen / steps if steps else 0.0


def _grouped(sizes: list[PromptSize]) -> tuple[PromptSize, ...]:
    """Neighbours joined into groups of about equal weight, as long as the longest of each."""
    groups: list[PromptSize] = []
    weight = 0.0
    for one in sizes:
        weight += one.weight
        if weight >= 1 / _PROMPT_SIZES - 1e-9:
            groups.append(PromptSize(weight, one.seconds, one.batches))
            weight = 0.0
    if weight:
        groups.append(PromptSize(weight, sizes[-1].seconds, sizes[-1].batches))
    return tuple(groups)
