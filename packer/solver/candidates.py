"""Candidates: every way one replica of a workload may run on one GPU product, with its bytes.

A candidate fixes the file, the cache type, the number of cards and which layers sit on which card.
Its shares are the upper bands of the memory estimate: what holds them holds the process.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from packer.domain.gpu import GpuProduct
from packer.domain.model import ModelFile
from packer.domain.server_options import DraftOptions, FlashAttention, ServerOptions
from packer.domain.workload import Draft, Variant, Workload
from packer.errors import InvalidInput
from packer.memory.estimate import estimate_memory
from packer.memory.result import MemoryEstimate
from packer.memory.visible_card import visible_card
from packer.solver.layer_shares import LayerSplits
from packer.units import MIB, format_gib

# A wider split than needed buys room on nearly full cards; one card more is where that ends. What
# fits one card stays on one: a split costs latency and ties the fates of two cards.
_EXTRA_CARDS = 1
_MOST_CARDS = 16
"""GGML_CUDA_MAX_DEVICES. Source: llama.cpp b11434, ggml/include/ggml-cuda.h."""
_CELL_PADDING = 256


@dataclass(frozen=True)
class Offer:
    """What one GPU product offers a replica: how many cards of a node, and room on each.

    Attributes:
        cards: Most cards of one node.
        room_bytes: Most a single card has left after headroom and others' memory [bytes].
        host_bytes: Most memory of one node [bytes].
    """

    gpu: GpuProduct
    cards: int
    room_bytes: int
    host_bytes: int


@dataclass(frozen=True)
class Candidate:
    """One way to run one replica.

    Attributes:
        variant: Index into the workload's variants; 0 is the most wanted.
        cache_rank: Index into the workload's cache types.
        shares_bytes: Upper band per card, in CUDA order [bytes].
        penalty: How far this is from what the user wants most; 0 is best.
    """

    workload: str
    variant: int
    cache_rank: int
    gpu: str
    options: ServerOptions
    estimate: MemoryEstimate
    penalty: int

    @property
    def shares_bytes(self) -> tuple[int, ...]:
        """Upper band of the process on each card [bytes]."""
        return tuple(device.high_bytes for device in self.estimate.devices)

    @property
    def host_bytes(self) -> int:
        """Memory of the node it needs [bytes]."""
        return self.estimate.host.total_bytes


@dataclass(frozen=True)
class Refused:
    """A choice that cannot run on a product, with the arithmetic."""

    workload: str
    variant: int
    cache_type: str
    gpu: str
    reason: str


@dataclass(frozen=True)
class CandidateSet:
    """All candidates of one workload, and what was refused."""

    workload: Workload
    candidates: tuple[Candidate, ...]
    refused: tuple[Refused, ...]


def workload_options(workload: Workload, variant: Variant, cache_type: str) -> ServerOptions:
    """Sizing options of one replica before it is split over cards; nothing is left to defaults."""
    cells = -(-workload.context_per_slot // _CELL_PADDING) * _CELL_PADDING
    batch, ubatch = workload.batch_size, workload.ubatch_size
    if workload.embedding or workload.reranking:
        # A pooled input must fit one physical batch, or the server refuses it.
        batch = ubatch = max(ubatch, cells)
    return ServerOptions(
        model=variant.model.origin,
        context_size=cells * workload.slots,
        slots=workload.slots,
        kv_unified=workload.kv_unified,
        # llama.cpp aborts when a batch holds fewer tokens than there are slots.
        batch_size=max(batch, ubatch, workload.slots),
        ubatch_size=ubatch,
        cache_type_k=cache_type,
        cache_type_v=cache_type,
        flash_attention=FlashAttention(workload.flash_attention),
        embedding=workload.embedding,
        reranking=workload.reranking,
        load_mode="mmap",
        speculation=("draft-simple",) if workload.draft else (),
        draft=_draft_options(workload.draft),
        draft_depth=workload.draft.depth if workload.draft else None,
        projector=workload.projector.model.origin if workload.projector else None,
        prompt_cache_mib=-(-workload.prompt_cache_bytes // MIB),
        context_checkpoints=workload.context_checkpoints,
        fit=False,
    )


def _draft_options(draft: Draft | None) -> DraftOptions | None:
    if draft is None:
        return None
    return DraftOptions(
        model=draft.variant.model.origin,
        cache_type_k=draft.cache_type,
        cache_type_v=draft.cache_type,
    )


def find_candidates(workload: Workload, offers: tuple[Offer, ...], *, build: str) -> CandidateSet:
    """Candidates of one workload over all GPU products it may use.

    Args:
        workload: What is asked.
        offers: One per product of the inventory.
        build: llama.cpp build of the server image.
    """
    found: list[Candidate] = []
    refused: list[Refused] = []
    choices = product(enumerate(workload.variants), enumerate(workload.cache_types))
    for offer, ((rank, variant), (cache_rank, cache_type)) in product(offers, choices):
        reason = _barred(workload, offer.gpu)
        if not reason:
            sizing = _Sizing(workload, variant, cache_type, offer, build)
            some, reason = sizing.candidates(rank, cache_rank)
            found += some
        if reason:
            refused.append(Refused(workload.name, rank, cache_type, offer.gpu.name, reason))
    return CandidateSet(workload, tuple(_undominated(found)), tuple(refused))


def _barred(workload: Workload, gpu: GpuProduct) -> str:
    if gpu.name in workload.refused_gpus:
        return "the fleet file refuses this product"
    if workload.allowed_gpus and gpu.name not in workload.allowed_gpus:
        return "not among the products the fleet file allows"
    return ""


class _Sizing:
    """One file with one cache type on one product."""

    def __init__(
        self, workload: Workload, variant: Variant, cache_type: str, offer: Offer, build: str
    ) -> None:
        self.workload, self.offer, self.build = workload, offer, build
        self.model = variant.model
        self.options = workload_options(workload, variant, cache_type)
        self.card = visible_card(offer.gpu)
        self.layers = layer_count(self.model)
        self.most_cards = min(
            offer.cards, workload.max_gpus or offer.cards, self.layers, _MOST_CARDS
        )

    def candidates(self, rank: int, cache_rank: int) -> tuple[list[Candidate], str]:
        """Every way that fits, or else why none does."""
        try:
            found = [self.candidate(rank, cache_rank, *pair) for pair in self.fitting()]
            return found, "" if found else self.refusal()
        except InvalidInput as error:  # such as a cache type this model cannot have
            return [], "; ".join(problem.title for problem in error.problems)

    def estimate(self, layers: tuple[int, ...]) -> tuple[ServerOptions, MemoryEstimate]:
        """Options and bytes for given layer counts per card."""
        options = replace(
            self.options,
            gpu_layers=sum(layers),
            tensor_split=tuple(map(float, layers)) if len(layers) > 1 else (),
        )
        draft, projector = self.workload.draft, self.workload.projector
        return options, estimate_memory(
            self.model,
            options,
            [self.card] * len(layers),
            draft=draft.variant.model if draft else None,
            projector=projector.model if projector else None,
            build=self.build,
        )

    def fits(self, estimate: MemoryEstimate) -> bool:
        room = self.offer.room_bytes
        return (
            all(device.high_bytes <= room for device in estimate.devices)
            and estimate.host.total_bytes <= self.offer.host_bytes
        )

    def fitting(self) -> Iterator[tuple[ServerOptions, MemoryEstimate]]:
        """Every split that fits, from the fewest cards to one more than the fewest."""
        fewest = None
        for cards in range(1, self.most_cards + 1):
            if fewest == 1 or (fewest is not None and cards > fewest + _EXTRA_CARDS):
                return
            splits = LayerSplits(self.layers, cards, self.offer.room_bytes)
            for layers in splits.choose(lambda counts: self.estimate(counts)[1]):
                options, estimate = self.estimate(layers)
                if self.fits(estimate):
                    fewest = fewest or cards
                    yield options, estimate

    def candidate(
        self, rank: int, cache_rank: int, options: ServerOptions, estimate: MemoryEstimate
    ) -> Candidate:
        penalty = rank * 100 + cache_rank * 10 + min(9, len(estimate.devices) - 1)
        return Candidate(
            self.workload.name, rank, cache_rank, self.offer.gpu.name, options, estimate, penalty
        )

    def refusal(self) -> str:
        """Why nothing fits, with the arithmetic of the widest balanced split."""
        cards = self.most_cards
        splits = LayerSplits(self.layers, cards, self.offer.room_bytes)
        _, estimate = self.estimate(splits.balanced(lambda counts: self.estimate(counts)[1]))
        most = max(device.high_bytes for device in estimate.devices)
        if most > self.offer.room_bytes:
            per_card = f" on each of {cards} cards" if cards > 1 else ""
            return (
                f"needs {format_gib(most)} GiB{per_card}, a card has "
                f"{format_gib(max(0, self.offer.room_bytes))} GiB for models"
            )
        return (
            f"needs {format_gib(estimate.host.total_bytes)} GiB of node memory, a node has "
            f"{format_gib(self.offer.host_bytes)} GiB"
        )


def layer_count(model: ModelFile) -> int:
    """Layers that can be placed: all blocks, MTP blocks included, and the output layer. Exact."""
    return model.number("block_count") + 1


def _undominated(candidates: list[Candidate]) -> Iterator[Candidate]:
    """Candidates that no other of the same product and card count beats in every respect."""
    for one in candidates:
        if not any(_beats(other, one) for other in candidates):
            yield one


def _beats(one: Candidate, other: Candidate) -> bool:
    if one is other or one.gpu != other.gpu:
        return False
    mine, theirs = _demands(one), _demands(other)
    if len(mine) != len(theirs) or any(a > b for a, b in zip(mine, theirs, strict=True)):
        return False
    # Of two equal candidates exactly one stays.
    return mine != theirs or one.options.tensor_split < other.options.tensor_split


def _demands(one: Candidate) -> tuple[int, ...]:
    """What a candidate costs in every respect; the order of its cards does not matter."""
    return (one.penalty, one.host_bytes, *sorted(one.shares_bytes))
