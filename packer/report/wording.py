"""The words and marks every report uses for the same thing."""

from decimal import Decimal

from packer.domain.basis import Basis
from packer.domain.node import Sharing
from packer.plan.cost import CostKind
from packer.plan.headline import Way
from packer.report.card_figures import Part

PART_NAMES: dict[Part, str] = {
    Part.WEIGHTS: "Weights",
    Part.CONTEXT: "KV cache and state",
    Part.COMPUTE: "Compute buffers",
    Part.DRAFT: "Draft model",
    Part.PROJECTOR: "Projector",
    Part.PROCESS: "Process overhead",
    Part.BAND: "Uncertainty band",
}
PART_COLUMNS: dict[Part, str] = {
    Part.WEIGHTS: "Weights",
    Part.CONTEXT: "KV, state",
    Part.COMPUTE: "Compute",
    Part.DRAFT: "Draft",
    Part.PROJECTOR: "Projector",
    Part.PROCESS: "Process",
    Part.BAND: "Band",
}
PART_MEANINGS: dict[Part, str] = {
    Part.WEIGHTS: "layers of the model file on this card",
    Part.CONTEXT: "K and V of every slot, recurrent state of hybrid models",
    Part.COMPUTE: "scratch that llama.cpp reserves for its largest batch",
    Part.DRAFT: "weights, KV cache and scratch of the draft model",
    Part.PROJECTOR: "image or audio encoder",
    Part.PROCESS: "CUDA context, libraries and growing pools of the process",
    Part.BAND: "what the figures may be off by; planned as if it were needed",
}

WAY_NAMES: dict[Way, str] = {
    Way.FP16_ONE_MODEL_PER_CARD_SET: "one FP16 model per card set",
    Way.QUANTIZED_ONE_MODEL_PER_CARD_SET: "one quantized model per card set",
    Way.FIRST_FIT_DECREASING: "first-fit-decreasing",
    Way.THIS_PLAN: "this plan",
    Way.LOWER_BOUND: "proven lower bound",
}

CARDS_ALONE = (
    "Cards alone: every card at its share of its node's price, as if cards were paid one by one. "
    "Whole nodes: what is paid."
)
"""The two prices of a comparison; a report that shows both explains them."""

COST_NAMES: dict[CostKind, str] = {
    CostKind.WORKLOAD: "Workload",
    CostKind.HEADROOM: "Headroom kept by rule",
    CostKind.HELD_BY_OTHERS: "Held by others",
    CostKind.IDLE_MEMORY: "Idle: memory left over on cards in use",
    CostKind.IDLE_CARDS: "Idle: cards without a replica on paid nodes",
}

BASIS_MARKS: dict[Basis, str] = {Basis.EXACT: "", Basis.CALIBRATED: "≈", Basis.ESTIMATED: "~"}
BASIS_MEANINGS: dict[Basis, str] = {
    Basis.EXACT: "computed as llama.cpp allocates it, checked to the byte",
    Basis.CALIBRATED: "fitted to measurements whose spread is known",
    Basis.ESTIMATED: (
        "a stated guess on the safe side, such as a catalogue size: published files of one name "
        "differ by 1–8 %, so read the served file's header to make it exact"
    ),
}

SHARING_NAMES: dict[str, str] = {
    Sharing.DRA: "shared through one DRA claim per card",
    Sharing.DRA_MEMORY: "shared through DRA claims that count memory",
    Sharing.WHOLE: "whole cards, one pod runs all servers of a card",
    Sharing.HAMI: "shared by HAMi",
    Sharing.MIG: "MIG slices",
    Sharing.AUTO: "sharing chosen when manifests are rendered",
}

_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}
UNKNOWN = "unknown"


def symbol(currency: str) -> str:
    """Sign of a currency, or its code; a plan without one currency has prices only."""
    return _SYMBOLS.get(currency, currency) or "price"


def amount(value: Decimal | None, digits: int = 2) -> str:
    """Money with thousands separators and no currency; ``unknown`` is never 0."""
    return UNKNOWN if value is None else f"{value:,.{digits}f}"


def rate(value: Decimal | None, currency: str, period: str, digits: int = 2) -> str:
    """Money per period: ``46.20 $/h``."""
    if value is None:
        return f"price {UNKNOWN}"
    return f"{amount(value, digits)} {symbol(currency)}/{period}"


def counted(count: int, noun: str) -> str:
    """Number with its noun: ``1 card``, ``9 cards``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listed(items: list[str]) -> str:
    """Words joined for a sentence: ``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
