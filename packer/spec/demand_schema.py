"""What a user writes about traffic, goals and trades of memory for speed, key by key."""

from typing import Annotated, Literal

from pydantic import Field

from packer.spec.field_types import CacheType, QuantizationName, SourceText, Whole
from packer.spec.quantity_types import Rate, Share, Tokens
from packer.spec.strict_model import StrictModel

MOST_BANDS = 8
DEEPEST_DRAFT = 16

DrafterName = Literal["none", "draft", "mtp", "ngram"]
DraftDepth = Annotated[Whole, Field(ge=1, le=DEEPEST_DRAFT)]


class TokenQuantiles(StrictModel):
    """How long prompts or answers are: a lognormal distribution through two quantiles."""

    p50: Tokens
    """Half of them are shorter."""
    p95: Tokens
    """95 of 100 are shorter."""


class DemandEntry(StrictModel):
    """Traffic of a workload, all replicas together: stated, or read from a trace."""

    requests_per_second: Rate | None = None
    """Requests per second in the busiest minutes."""
    input_tokens: TokenQuantiles | None = None
    """Lengths of prompts."""
    output_tokens: TokenQuantiles | None = None
    """Lengths of answers."""
    burstiness: Annotated[Rate, Field(ge=1)] | None = None
    """Variance over mean of arrivals in ten seconds. Default 1: independent arrivals."""
    trace: Annotated[SourceText, Field(min_length=1)] | None = None
    """CSV file of requests (columns of Azure LLM, BurstGPT or Mooncake) instead of the above."""
    scale: Rate | None = None
    """How much faster the trace is played: 2 halves the time between requests. Default 1."""


class FirstTokenGoal(StrictModel):
    """Longest wait for the first token."""

    p95: Rate
    """Seconds that 95 of 100 requests stay within."""


class GoalsEntry(StrictModel):
    """What every replica must reach."""

    decode_tokens_per_second: Rate | None = None
    """Tokens per second of one slot while as many decode as in 95 of 100 moments."""
    first_token_seconds: FirstTokenGoal | None = None
    """From arrival to first token; needs `demand`."""


class SpeculationEntry(StrictModel):
    """Ways to draft tokens that the plan may choose from."""

    allow: Annotated[tuple[DrafterName, ...], Field(min_length=1, max_length=4)] = (
        "none",
        "draft",
        "mtp",
        "ngram",
    )
    """`none`, `draft` (the workload's draft model), `mtp`, `ngram`. Default: whatever it can."""
    acceptance: Share | None = None
    """Share of drafted tokens that are kept. Default 0.7 (draft), 0.8 (mtp), 0.3 (ngram)."""
    depths: Annotated[tuple[DraftDepth, ...], Field(min_length=1, max_length=8)] | None = None
    """Tokens drafted at once that are tried for mtp. Default [1, 2, 3]."""


class BandEntry(StrictModel):
    """Requests up to a length, served by servers of their own."""

    context: Tokens
    """Tokens one conversation of this band may hold."""
    prompt_tokens: Tokens | None = None
    """Longest prompt sent here. Default: the context less the p95 of answers, or an eighth."""
    quantizations: (
        Annotated[tuple[QuantizationName, ...], Field(min_length=1, max_length=40)] | None
    ) = None
    """As of the workload."""
    cache_types: Annotated[tuple[CacheType, ...], Field(min_length=1, max_length=9)] | None = None
    """As of the workload."""
    slots: Annotated[Whole, Field(ge=1, le=256)] | None = None
    """As of the workload."""
    replicas: Annotated[Whole, Field(ge=1, le=10_000)] | None = None
    """As of the workload."""
    kv: Literal["guaranteed", "shared"] | None = None
    """As of the workload."""
    goals: GoalsEntry | None = None
    """As of the workload."""
    speculation: SpeculationEntry | None = None
    """As of the workload."""


class ServingWishes(StrictModel):
    """Keys about traffic and speed that a workload may give itself or take from `defaults`."""

    demand: DemandEntry | None = None
    """Traffic; slots and replicas are derived from it where they are not given."""
    goals: GoalsEntry | None = None
    """Speed that every replica must reach."""
    kv: Literal["guaranteed", "shared"] | None = None
    """KV cache: every slot its whole context, or one pool sized for the demand.
    Default guaranteed."""
    kv_quantile: Annotated[Share, Field(ge=0.5, le=0.999999)] | None = None
    """Share of all moments in which the tokens in flight fit the pool. Default 0.999."""
    speculation: SpeculationEntry | None = None
    """Ways to draft tokens. Default: the `draft` model if there is one, always."""
    fidelity: Literal["normal", "high"] | None = None
    """`high` forbids KV caches coarser than q8_0. Default normal."""
    min_bits_per_weight: Annotated[Rate, Field(le=32)] | None = None
    """Coarsest file: bytes × 8 ÷ parameters."""
    partial_offload: Literal["none", "experts", "layers"] | None = None
    """What may stay in the node's memory: nothing, experts (`--n-cpu-moe`), or layers too.
    Default none."""
