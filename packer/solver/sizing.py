"""One file with one cache type on one GPU product: every split over cards that fits, in bytes."""

from collections.abc import Callable, Iterator

from packer.domain.demand import PartialOffload
from packer.domain.server_options import ServerOptions
from packer.domain.workload import Variant, Workload
from packer.errors import InvalidInput
from packer.memory.estimate import estimate_memory
from packer.memory.result import MemoryEstimate
from packer.memory.visible_card import visible_card
from packer.solver.candidate import AS_STATED, Candidate, Offer, ServerWay
from packer.solver.layer_shares import LayerSplits
from packer.solver.replica_options import (
    CommandLines,
    drafts_with_model,
    layer_count,
    workload_options,
)
from packer.units import format_gib

# A wider split than needed buys room on nearly full cards; one card more is where that ends. What
# fits one card stays on one: a split costs latency and ties the fates of two cards.
_EXTRA_CARDS = 1
_MOST_CARDS = 16
"""GGML_CUDA_MAX_DEVICES. Source: llama.cpp b11434, ggml/include/ggml-cuda.h."""
_OFFLOAD_PENALTY = 8
"""Layers in the node's memory are wanted less than any split over cards but the widest."""


class Sizing:
    """One file with one cache type on one product, as one way says."""

    def __init__(
        self,
        workload: Workload,
        variant: Variant,
        cache_type: str,
        offer: Offer,
        build: str,
        way: ServerWay = AS_STATED,
        lines: CommandLines | None = None,
    ) -> None:
        """Nothing is sized yet; ``lines`` are those of another product, to share them."""
        self.workload, self.offer, self.build, self.way = workload, offer, build, way
        self.model = variant.model
        self.lines = lines or CommandLines(workload_options(workload, variant, cache_type, way))
        self.card = visible_card(offer.gpu)
        self.layers = layer_count(self.model)
        self.most_cards = min(
            offer.cards, workload.max_gpus or offer.cards, self.layers, _MOST_CARDS
        )

    def candidates(self, rank: int, cache_rank: int) -> tuple[list[Candidate], str]:
        """Every way that fits, or else why none does."""
        try:
            found = [self.candidate(rank, cache_rank, *pair) for pair in self.fitting()]
            if not found and self.workload.partial_offload is not PartialOffload.NONE:
                found = [self.candidate(rank, cache_rank, *pair) for pair in self.offloaded()]
            return found, "" if found else self.refusal()
        except InvalidInput as error:  # such as a cache type this model cannot have
            return [], "; ".join(problem.title for problem in error.problems)

    def estimate(
        self, layers: tuple[int, ...], experts_on_host: int = 0
    ) -> tuple[ServerOptions, MemoryEstimate]:
        """Options and bytes for given layer counts per card."""
        options = self.lines.over(layers, experts_on_host)
        has_draft = drafts_with_model(self.workload, self.way)
        draft, projector = self.workload.draft, self.workload.projector
        return options, estimate_memory(
            self.model,
            options,
            [self.card] * len(layers),
            draft=draft.variant.model if draft and has_draft else None,
            projector=projector.model if projector else None,
            build=self.build,
        )

    def fits(self, estimate: MemoryEstimate) -> bool:
        """Whether every card and the node have room."""
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

    def offloaded(self) -> Iterator[tuple[ServerOptions, MemoryEstimate]]:
        """What fits one card with as little as possible in the node's memory.

        Experts go first, because a step reads few of them; whole layers only where that is allowed
        and moving every expert is not enough.
        """
        blocks = self.layers - 1
        has_experts = self.model.number("expert_count", 0) > 0
        experts = 0
        if has_experts:
            moved = _first(
                1, blocks, lambda count: self.fits(self.estimate((self.layers,), count)[1])
            )
            if moved is not None:
                yield self.estimate((self.layers,), moved)
                return
            experts = blocks
        if self.workload.partial_offload is PartialOffload.LAYERS:
            moved = _first(
                1,
                blocks,
                lambda count: self.fits(self.estimate((self.layers - count,), experts)[1]),
            )
            if moved is not None:
                yield self.estimate((self.layers - moved,), experts)

    def candidate(
        self, rank: int, cache_rank: int, options: ServerOptions, estimate: MemoryEstimate
    ) -> Candidate:
        """One split as a candidate."""
        cards = len(estimate.devices)
        is_partial = bool(options.cpu_moe_layers) or (options.gpu_layers or 0) < self.layers
        wide = _OFFLOAD_PENALTY if is_partial else min(9, cards - 1)
        return Candidate(
            self.workload.name,
            rank,
            cache_rank,
            self.offer.gpu.name,
            options,
            estimate,
            rank * 100 + cache_rank * 10 + wide,
            self.way,
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


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int | None:
    """Smallest number between two for which something holds that then holds for all above."""
    if high < low or not holds(high):
        return None
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
