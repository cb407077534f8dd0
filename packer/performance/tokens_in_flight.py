"""Tokens that all slots of a server hold at once: how large a shared KV cache must be.

Slots that are busy hold their prompt and the answer so far; idle ones hold what llama-server drops
when it needs the room. The sum is close to a gamma distribution: skewed, never negative.
"""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from packer.domain.demand import RequestClass
from packer.performance.queueing import ServerQueue

USUAL_QUANTILE = 0.999
_NORMAL = NormalDist()


@dataclass(frozen=True)
class TokensInFlight:
    """Distribution of the tokens all slots hold, by its mean and variance. Estimate."""

    mean: float
    variance: float

    def quantile(self, share: float) -> float:
        """Tokens that are not exceeded in ``share`` of all moments.

        Source: Wilson and Hilferty, The distribution of chi-square (1931).
        """
        if not self.variance:
            return self.mean
        shape = self.mean**2 / self.variance
        root = 1 - 1 / (9 * shape) + _NORMAL.inv_cdf(share) / (3 * sqrt(shape))
        return self.mean * max(0.0, root) ** 3

    def excess_chance(self, tokens: float) -> float:
        """Share of all moments in which more than ``tokens`` are held."""
        if not self.variance:
            return float(self.mean > tokens)
        shape = self.mean**2 / self.variance
        root = (max(tokens, 0.0) / self.mean) ** (1 / 3)
        return 1 - _NORMAL.cdf((root - 1 + 1 / (9 * shape)) * 3 * sqrt(shape))


def tokens_in_flight(queue: ServerQueue, mix: tuple[RequestClass, ...]) -> TokensInFlight:
    """Tokens held by the busy slots of a server.

    Args:
        queue: The server at its rate of arrivals.
        mix: Sizes of its requests.
    """
    service = queue.load.service
    busy = queue.busy_slots
    step = service.step_seconds(busy)
    held = first = second = 0.0
    for one in mix:
        prompt, answer = one.input_tokens, one.output_tokens
        reading = one.weight * busy * service.prompt_seconds(prompt)
        decoding = one.weight * answer * step
        held += reading + decoding
        first += reading * prompt + decoding * (prompt + answer / 2)
        second += reading * prompt**2 + decoding * (prompt**2 + prompt * answer + answer**2 / 3)
    mean = first / held
    spread = second / held - mean**2
    slots = sum(number * chance for number, chance in enumerate(queue.busy_chances))
    squares = sum(number**2 * chance for number, chance in enumerate(queue.busy_chances))
    return TokensInFlight(slots * mean, slots * spread + (squares - slots**2) * mean**2)
