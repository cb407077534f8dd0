"""Times of steps and prompts of one server, from the speed model."""

from packer.domain.speculation import NO_SPECULATION, Drafter, Speculation
from packer.performance.calibration import Calibration
from packer.performance.prompt import prompt_seconds
from packer.performance.server_work import ServerWork
from packer.performance.service_times import ServiceTimes
from packer.performance.speculation import tokens_per_cycle
from packer.performance.speculation_choice import cycle_seconds
from packer.performance.step import decode_step

_SLOTS = (1, 2, 4, 8, 16, 32, 64)
"""Beyond these a step grows by what each further slot adds."""
_PROMPTS = (16, 512, 2048, 8192, 32768, 131072)
_NEXTN_PROMPT = 1.25
"""Prompts with multi-token prediction take this much longer. Source: the published runs on a 16 GB
card, 20 to 30 %."""


def serving_times(
    work: ServerWork,
    *,
    depth: int,
    longest_prompt: int,
    batch_tokens: int,
    speculation: Speculation = NO_SPECULATION,
    draft: ServerWork | None = None,
    calibration: Calibration | None = None,
) -> ServiceTimes:
    """Times of one server. Estimate.

    Args:
        work: What the process computes.
        depth: Mean tokens in a slot that decodes.
        longest_prompt: Longest prompt that is asked [tokens].
        batch_tokens: Logical batch.
        speculation: How it drafts.
        draft: The draft model's work, where a model of its own drafts.
        calibration: Factors measured for this GPU and model.
    """

    def step(slots: int) -> float:
        plain = decode_step(work, depth, slots)
        seconds = plain.total
        if calibration is not None:
            seconds = calibration.decode.seconds(plain.rest, plain.depth, slots)
        if speculation.drafter is Drafter.NONE:
            return seconds
        cycle = cycle_seconds(speculation, work, depth=depth, slots=slots, draft=draft)
        yielded = tokens_per_cycle(speculation.acceptance, speculation.depth)
        return seconds / plain.total * cycle / yielded

    def prompt(tokens: int) -> float:
        own = prompt_seconds(work, tokens, 0)
        seconds = own.total
        if calibration is not None:
            seconds = calibration.prefill.seconds(own.rest, own.depth)
        if draft is not None:
            seconds += prompt_seconds(draft, tokens, 0).total
        return seconds * (_NEXTN_PROMPT if speculation.drafter is Drafter.MTP else 1.0)

    # Without experts, drafts or a measured table a step grows by the same for every slot.
    is_straight = not work.reads.has_experts and calibration is None
    is_straight = is_straight and speculation.drafter is Drafter.NONE
    knots = (_SLOTS[0], _SLOTS[-1]) if is_straight else _SLOTS
    prompts = _up_to(_PROMPTS, longest_prompt)
    return ServiceTimes(
        tuple((float(number), step(number)) for number in knots),
        tuple((float(tokens), prompt(tokens)) for tokens in prompts),
        batch_tokens,
    )


def _up_to(knots: tuple[int, ...], most: int) -> list[int]:
    """Knots as far as the first that is at least ``most``."""
    return [knot for index, knot in enumerate(knots) if not index or knots[index - 1] < most]
