"""Whether to speculate: what a drafter gains over the plain server, or the rule it fails."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from packer.domain.speculation import NO_SPECULATION, Drafter, Speculation
from packer.memory.layer_split import HOST
from packer.performance.server_work import ServerWork
from packer.performance.speculation import (
    break_even_acceptance,
    speculative_gain,
    tokens_per_cycle,
)
from packer.performance.step import decode_step, nextn_seconds

FASTER_DRAFT = 5.0
"""How much faster than the model a draft should be. Source: rule of the published runs on an 8 GB
card; below it, several drafts cost as much as the step they save."""
_FEW_TOKENS = 8
"""Tokens of all slots up to which a verifying step multiplies matrices with vectors."""
_CROWDED_COST = 1.6
"""What a larger one costs several clients. Source: a published run of a mixture of experts with
multi-token prediction gained 42 and 21 % at one and two clients and lost 31, 25 and 33 % at four,
eight and 32; one run, so a coarse figure."""
_WORTH = 1.0
_WORTH_ON_THE_CPU = 1.25
"""Gain a drafter must promise where part of the model is on the CPU: what many tokens cost there is
known to a fifth only, and published runs on an 8 GB card lost with every draft model."""
AS_FAST = 1.05
_SAME_PLACE = 1.005
"""Steps this alike run on the same devices."""


class SpeculationRule(StrEnum):
    """Rules a drafter must keep, in the order they are looked at."""

    BLOCKS = "the file must have the blocks that draft"
    MEMORY = "model and drafter must both fit on the cards"
    SPEED = "a draft must be at least five times as fast as the model"
    SLOTS = "drafting pays while a step is bound by weights, which several slots end"
    ACCEPTANCE = "enough drafted tokens must be accepted"


@dataclass(frozen=True)
class SpeculationVerdict:
    """What one drafter does to one server.

    Attributes:
        plain_seconds: Step of the server without speculation, placed as it would be then [s].
        cycle_seconds: Drafting and verifying, placed as both have to be [s].
        tokens_per_cycle: Tokens one cycle yields for every slot.
        gain: Speed over the plain server's.
        break_even: Smallest acceptance at which it pays; None if none does.
        failed: The rule it fails; None where it pays.
        reason: The verdict in words, with its figures.
    """

    speculation: Speculation
    slots: int
    plain_seconds: float
    cycle_seconds: float
    tokens_per_cycle: float
    gain: float
    break_even: float | None
    failed: SpeculationRule | None
    reason: str

    @property
    def pays(self) -> bool:
        """Whether it is faster than the plain server."""
        return self.failed is None

    @property
    def seconds_per_token(self) -> float:
        """Seconds in which a slot gets one token [s]."""
        return self.cycle_seconds / self.tokens_per_cycle


def judge_speculation(
    speculation: Speculation,
    plain: ServerWork,
    speculative: ServerWork,
    *,
    depth: int,
    slots: int,
    draft: ServerWork | None = None,
) -> SpeculationVerdict:
    """The verdict on one drafter at a depth and a number of slots. Estimate.

    Args:
        speculation: What drafts, how far ahead, and how often it is right.
        plain: The server without speculation, with the layers it could then have on its cards.
        speculative: The same server with the layers that the drafter leaves on the cards.
        depth: Tokens already in each slot.
        slots: Slots that decode.
        draft: The draft model's work, where a model of its own drafts.

    Raises:
        InvalidInput: The acceptance is not between 0 and 1.
    """
    step = decode_step(plain, depth, slots).total
    if speculation.drafter is Drafter.NONE:
        reason = f"{1 / step:.1f} tokens/s per slot without drafting"
        return SpeculationVerdict(
            speculation, slots, step, decode_step(speculative, depth, slots).total, 1.0, 1.0,
            None, None, reason,
        )  # fmt: skip
    cycle = cycle_seconds(speculation, speculative, depth=depth, slots=slots, draft=draft)
    yielded = tokens_per_cycle(speculation.acceptance, speculation.depth)
    gain = speculative_gain(yielded, cycle, step)
    even = break_even_acceptance(cycle, step, speculation.depth)
    case = _Case(speculation, plain, speculative, draft, depth, slots, gain, even)
    failed, reason = case.failed()
    return SpeculationVerdict(speculation, slots, step, cycle, yielded, gain, even, failed, reason)


def cycle_seconds(
    speculation: Speculation,
    work: ServerWork,
    *,
    depth: int,
    slots: int,
    draft: ServerWork | None = None,
) -> float:
    """Seconds of one cycle: drafting for every slot, then verifying all drafts [s]. Estimate.

    Args:
        speculation: What drafts, and how far ahead.
        work: The server as it runs beside its drafter.
        depth: Tokens already in each slot.
        slots: Slots that decode.
        draft: The draft model's work, where a model of its own drafts.
    """
    verify = decode_step(work, depth, slots, tokens=1 + speculation.depth).total
    if slots > 1 and slots * (1 + speculation.depth) > _FEW_TOKENS:
        verify *= _CROWDED_COST
    if speculation.drafter is Drafter.MTP:
        return verify + speculation.depth * nextn_seconds(work)
    if speculation.drafter is Drafter.DRAFT and draft is not None:
        return verify + speculation.depth * decode_step(draft, depth, slots).total
    return verify


def choose_speculation(verdicts: Sequence[SpeculationVerdict]) -> SpeculationVerdict:
    """The verdict with the most tokens per second; without speculation where nothing pays.

    Of ways nearly as fast as the fastest the one that drafts least is taken: every further draft
    costs memory, and its gain is smaller than what is known of it.

    Args:
        verdicts: One per way; the one without speculation among them.
    """
    plain = [one for one in verdicts if one.speculation.drafter is Drafter.NONE]
    paying = [one for one in verdicts if one.speculation != NO_SPECULATION and one.pays]
    ways = (*plain, *paying)
    fastest = min(one.seconds_per_token for one in ways)
    alike = [one for one in ways if one.seconds_per_token <= fastest * AS_FAST]
    return min(alike, key=lambda one: (one.speculation.depth, one.seconds_per_token))


@dataclass(frozen=True)
class _Case:
    """Everything the rules look at."""

    speculation: Speculation
    plain: ServerWork
    speculative: ServerWork
    draft: ServerWork | None
    depth: int
    slots: int
    gain: float
    break_even: float | None

    def failed(self) -> tuple[SpeculationRule | None, str]:
        """The first rule that fails where drafting does not pay, and the verdict in words."""
        if self.speculation.drafter is Drafter.MTP and not self.plain.reads.nextn:
            return SpeculationRule.BLOCKS, "the file has no multi-token-prediction blocks"
        if self.gain > (_WORTH_ON_THE_CPU if HOST in self.speculative.devices else _WORTH):
            return None, f"{self.gain:.2f} × the plain speed at {self._slots()}"
        rule, why = self._memory() or self._speed() or self._by_slots() or self._acceptance()
        return rule, f"{self.gain:.2f} × the plain speed at {self._slots()}: {why}"

    def _slots(self) -> str:
        return f"{self.slots} slot{'s' if self.slots > 1 else ''}"

    def _memory(self) -> tuple[SpeculationRule, str] | None:
        before = decode_step(self.plain, self.depth, self.slots).total
        beside = decode_step(self.speculative, self.depth, self.slots).total
        if beside <= before * _SAME_PLACE and self.gain <= _WORTH:
            return None
        if beside <= before * _SAME_PLACE:
            why = f"part of the model is on the CPU, where less than {_WORTH_ON_THE_CPU} is a guess"
            return SpeculationRule.MEMORY, why
        why = (
            f"the drafter takes the cards' room from the model, whose own step slows from "
            f"{before * 1e3:.1f} to {beside * 1e3:.1f} ms"
        )
        return SpeculationRule.MEMORY, why

    def _speed(self) -> tuple[SpeculationRule, str] | None:
        if self.draft is None:
            return None
        model = decode_step(self.plain, self.depth, 1).total
        ratio = model / decode_step(self.draft, self.depth, 1).total
        if ratio >= FASTER_DRAFT:
            return None
        return SpeculationRule.SPEED, f"the draft is only {ratio:.1f} × as fast as the model"

    def _by_slots(self) -> tuple[SpeculationRule, str] | None:
        if self.slots == 1:
            return None
        alone = decode_step(self.plain, self.depth, 1).total
        cycle = cycle_seconds(
            self.speculation, self.speculative, depth=self.depth, slots=1, draft=self.draft
        )
        yielded = tokens_per_cycle(self.speculation.acceptance, self.speculation.depth)
        gain = speculative_gain(yielded, cycle, alone)
        if gain <= _WORTH:
            return None
        return SpeculationRule.SLOTS, f"at one slot it would be {gain:.2f} ×"

    def _acceptance(self) -> tuple[SpeculationRule, str]:
        share = self.speculation.acceptance
        if self.break_even is None:
            return SpeculationRule.ACCEPTANCE, "it would not pay even if every draft were accepted"
        why = f"{share:.0%} accepted are expected, {self.break_even:.0%} are needed"
        return SpeculationRule.ACCEPTANCE, why
