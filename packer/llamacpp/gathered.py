"""Options of a command line as they grow, flag by flag, until they are complete."""

from dataclasses import dataclass, field
from typing import Any

from packer.domain.server_options import DraftOptions, ServerOptions
from packer.llamacpp.flag_values import NGRAM_TYPES
from packer.llamacpp.model_source import ModelSource

LONGEST_NGRAM_DRAFT = {
    "ngram-simple": 48,
    "ngram-map-k": 48,
    "ngram-map-k4v": 48,
    "ngram-mod": 64,
    "ngram-cache": 8,
}
"""Tokens each kind of n-gram speculation drafts at most by default. Source: common/common.h."""

_UNUSED_DRAFT = (
    "a draft model without --spec-type takes memory and is used only if its file is made for "
    "drafting (MTP, DFlash); write --spec-type draft-simple"
)
_UNKNOWN_PROJECTOR = "a projector in the model's repository would be loaded too; it is not counted"


@dataclass
class Gathered:
    """Options as they grow while flags are applied; keys are fields of the frozen classes."""

    options: dict[str, Any] = field(default_factory=dict)
    draft: dict[str, Any] = field(default_factory=dict)
    model: ModelSource = field(default_factory=ModelSource)
    draft_model: ModelSource = field(default_factory=ModelSource)
    projector: ModelSource = field(default_factory=ModelSource)
    ngram_drafts: dict[str, int] = field(default_factory=lambda: dict(LONGEST_NGRAM_DRAFT))
    uses_projector: bool = True
    notes: list[str] = field(default_factory=list)

    def server_options(self, program: str) -> ServerOptions:
        """The options all flags together ask for."""
        enabled = [t for t in self.options.get("speculation", ()) if t in NGRAM_TYPES]
        draft = DraftOptions(model=self.draft_model.reference, **self.draft)
        given: dict[str, Any] = self.options | {
            "program": program,
            "model": self.model.reference,
            "projector": self.projector.reference or None,
            "draft": None if draft == DraftOptions() else draft,
            "ngram_depth": max((self.ngram_drafts[t] for t in enabled), default=0),
            "notes": (*self.notes, *self._doubts()),
        }
        if program == "llama-fit-params":
            given.setdefault("slots", 1)
        elif given.get("slots") is None:
            # An automatic number of slots switches the unified cache on, whatever the flag says.
            given["kv_unified"] = None
        return ServerOptions(**given)

    def _doubts(self) -> list[str]:
        """What cannot be known from the command line alone."""
        speculates = self.options.get("speculation", ())
        return [_UNUSED_DRAFT] * bool(self.draft_model.path and not speculates) + [
            _UNKNOWN_PROJECTOR
        ] * bool(self.model.repository and self.uses_projector and not self.projector.reference)
