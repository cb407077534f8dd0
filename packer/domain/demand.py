"""Demand: what traffic a workload must serve, and how well."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class RequestClass:
    """Requests of about one size.

    Attributes:
        input_tokens: Tokens of the prompt.
        output_tokens: Tokens of the answer.
        weight: Their share of all requests.
    """

    input_tokens: float
    output_tokens: float
    weight: float


@dataclass(frozen=True)
class Demand:
    """Traffic of one workload, all replicas together.

    Attributes:
        requests_per_second: What is sized for: the rate of the busiest minute of a trace.
        mix: Sizes of the requests; their weights add up to 1.
        burstiness: Variance over mean of the number of arrivals, 1 for independent arrivals.
        mean_requests_per_second: Rate over all of the trace; the same where none is given.
        origin: Where it is from, such as the name of the trace; empty where it was stated.
    """

    requests_per_second: float
    mix: tuple[RequestClass, ...]
    burstiness: float = 1.0
    mean_requests_per_second: float = 0.0
    origin: str = ""


@dataclass(frozen=True)
class Goals:
    """What every replica must reach at its share of the demand; None asks nothing.

    Attributes:
        decode_tokens_per_second: Of one slot, while as many decode as in 95 of 100 moments.
        first_token_p95_seconds: From arrival to first token, in 95 of 100 requests.
    """

    decode_tokens_per_second: float | None = None
    first_token_p95_seconds: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked."""
        return self.decode_tokens_per_second is None and self.first_token_p95_seconds is None


NO_GOALS = Goals()


class CachePool(StrEnum):
    """How much KV cache the slots of a server get.

    guaranteed: Every slot its whole context.
    shared: One pool, sized to a quantile of the tokens in flight.
    """

    GUARANTEED = "guaranteed"
    SHARED = "shared"


class PartialOffload(StrEnum):
    """What may stay in the node's memory when a model does not fit its cards.

    none: Nothing.
    experts: Experts of some layers, ``--n-cpu-moe``.
    layers: Experts first, then whole layers, ``--gpu-layers``.
    """

    NONE = "none"
    EXPERTS = "experts"
    LAYERS = "layers"


@dataclass(frozen=True)
class LengthBand:
    """Requests of one model that a workload serves, by the length of their prompts [tokens].

    Attributes:
        route: Name that clients ask for.
        above_prompt_tokens: Prompts up to this length are served by the band below.
        max_prompt_tokens: Longest prompt.
    """

    route: str
    above_prompt_tokens: int
    max_prompt_tokens: int
