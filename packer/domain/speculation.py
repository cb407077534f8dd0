"""Ways to draft tokens before the model confirms them."""

from dataclasses import dataclass
from enum import StrEnum


class Drafter(StrEnum):
    """What drafts tokens.

    none: Nothing; one token per step.
    draft: A small model of its own, in the same process.
    mtp: The model's own multi-token-prediction (nextn) blocks.
    ngram: What the conversation said before; costs no weights.
    """

    NONE = "none"
    DRAFT = "draft"
    MTP = "mtp"
    NGRAM = "ngram"


@dataclass(frozen=True)
class Speculation:
    """One way to speculate.

    Attributes:
        drafter: What drafts.
        depth: Tokens drafted at once, ``--spec-draft-n-max`` or the n-gram's longest draft.
        acceptance: Probability that a drafted token is kept, given those before it were.
    """

    drafter: Drafter = Drafter.NONE
    depth: int = 0
    acceptance: float = 0.0

    def __str__(self) -> str:
        """The way in words: ``mtp, depth 2``."""
        return f"{self.drafter}, depth {self.depth}" if self.depth else str(self.drafter)


NO_SPECULATION = Speculation()

USUAL_ACCEPTANCE = {Drafter.DRAFT: 0.7, Drafter.MTP: 0.8, Drafter.NGRAM: 0.3}
"""Acceptance where nobody says his own. Source: published runs of draft models (≥ 0.7 where they
paid) and of multi-token prediction; n-grams are a guess on the safe side for chats."""
MTP_DEPTHS = (1, 2, 3)
"""Depths worth trying: published sweeps peak at two (prose) to four (code)."""
NGRAM_DEPTH = 8
"""Tokens an n-gram drafts at most here; llama.cpp's default of 64 costs a verifying step as long
as a prompt batch."""
