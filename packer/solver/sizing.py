"""One file with one cache type on one GPU product: every split over cards that fits, in bytes."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property

from packer.domain.demand import PartialOffload
from packer.domain.model import ModelFile
from packer.domain.server_options import DraftOptions, FlashAttention, ServerOptions
from packer.domain.speculation import Drafter
from packer.domain.workload import Draft, Variant, Workload
from packer.errors import InvalidInput
from packer.memory.estimate import estimate_memory
from packer.memory.hyperparameters import read_hyperparameters
from packer.memory.kv_cache import trunk_cache
from packer.memory.resolution import cache_type
from packer.memory.result import MemoryEstimate
from packer.memory.visible_card import visible_card
from packer.performance.depth import bytes_per_element
from packer.solver.candidate import AS_STATED, Candidate, Offer, ServerWay
from packer.solver.layer_shares import LayerSplits
from packer.units import MIB, format_gib

# A wider split than needed buys room on nearly full cards; one card more is where that ends. What
# fits one card stays on one: a split costs latency and ties the fates of two cards.
_EXTRA_CARDS = 1
_MOST_CARDS = 16
"""GGML_CUDA_MAX_DEVICES. Source: llama.cpp b11434, ggml/include/ggml-cuda.h."""
CELL_PADDING = 256
_OFFLOAD_PENALTY = 8
"""Layers in the node's memory are wanted less than any split over cards but the widest."""


def workload_options(
    workload: Workload, variant: Variant, cache_type: str, way: ServerWay = AS_STATED
) -> ServerOptions:
    """Sizing options of one replica before it is split over cards; nothing is left to defaults."""
    cells = -(-workload.context_per_slot // CELL_PADDING) * CELL_PADDING
    batch, ubatch = workload.batch_size, workload.ubatch_size
    if workload.embedding or workload.reranking:
        # A pooled input must fit one physical batch, or the server refuses it.
        batch = ubatch = max(ubatch, cells)
    slots = workload.slots if way.slots is None else way.slots
    plain = ServerOptions(
        model=variant.model.origin,
        context_size=cells * slots if way.pool_cells is None else way.pool_cells,
        slots=slots,
        kv_unified=workload.kv_unified,
        # llama.cpp aborts when a batch holds fewer tokens than there are slots.
        batch_size=max(batch, ubatch, slots),
        ubatch_size=ubatch,
        cache_type_k=cache_type,
        cache_type_v=cache_type,
        flash_attention=FlashAttention(workload.flash_attention),
        embedding=workload.embedding,
        reranking=workload.reranking,
        load_mode="mmap",
        cpu_moe_layers=way.expert_layers_on_host,
        projector=workload.projector.model.origin if workload.projector else None,
        prompt_cache_mib=-(-workload.prompt_cache_bytes // MIB),
        context_checkpoints=workload.context_checkpoints,
        fit=False,
    )
    return _drafting(plain, workload, way)


def _drafting(plain: ServerOptions, workload: Workload, way: ServerWay) -> ServerOptions:
    """The options with the chosen way to draft; with the workload's own where none was chosen."""
    chosen = way.speculation
    if chosen is None:
        drafter = Drafter.DRAFT if workload.draft else Drafter.NONE
        depth = workload.draft.depth if workload.draft else 0
    else:
        drafter, depth = chosen.drafter, chosen.depth
    if drafter is Drafter.DRAFT:
        return replace(
            plain,
            speculation=("draft-simple",),
            draft=_draft_options(workload.draft),
            draft_depth=depth,
        )
    if drafter is Drafter.MTP:
        return replace(plain, speculation=("draft-mtp",), draft_depth=depth)
    if drafter is Drafter.NGRAM:
        return replace(plain, speculation=("ngram-mod",), ngram_depth=depth)
    return plain


def _draft_options(draft: Draft | None) -> DraftOptions | None:
    if draft is None:
        return None
    return DraftOptions(
        model=draft.variant.model.origin,
        cache_type_k=draft.cache_type,
        cache_type_v=draft.cache_type,
    )


def drafts_with_model(workload: Workload, way: ServerWay) -> bool:
    """Whether a server loads the workload's draft model."""
    chosen = way.speculation
    return workload.draft is not None and (chosen is None or chosen.drafter is Drafter.DRAFT)


def layer_count(model: ModelFile) -> int:
    """Layers that can be placed: all blocks, MTP blocks included, and the output layer. Exact."""
    return model.number("block_count") + 1


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
    ) -> None:
        """Nothing is sized yet."""
        self.workload, self.offer, self.build, self.way = workload, offer, build, way
        self.model = variant.model
        self.options = workload_options(workload, variant, cache_type, way)
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
        options = replace(
            self.options,
            gpu_layers=sum(layers),
            tensor_split=tuple(map(float, layers)) if len(layers) > 1 else (),
            cpu_moe_layers=experts_on_host,
        )
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
            replace(self.way, expert_layers_on_host=options.cpu_moe_layers),
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


class QuickSizing(Sizing):
    """Even splits over the fewest cards only: replicas with a load gain nothing from others.

    A replica's load counts on each of its cards, so an uneven split leaves no more time for others.
    """

    def fitting(self) -> Iterator[tuple[ServerOptions, MemoryEstimate]]:
        """The even split over the fewest cards that hold it; on the most, the balanced one too.

        Numbers of cards that are too few for weights and cache are not sized.
        """
        for cards in range(self._least_cards, self.most_cards + 1):
            each, more = divmod(self.layers, cards)
            options, estimate = self.estimate(tuple(each + (card < more) for card in range(cards)))
            if not self.fits(estimate) and 1 < cards == self.most_cards:
                splits = LayerSplits(self.layers, cards, self.offer.room_bytes)
                balanced = splits.balanced(lambda counts: self.estimate(counts)[1])
                options, estimate = self.estimate(balanced)
            if self.fits(estimate):
                yield options, estimate
                return

    def refusal(self) -> str:
        """Why nothing fits: by weights and cache alone where they are too large already."""
        if self._least_cards <= self.most_cards:
            return super().refusal()
        room = self.most_cards * max(0, self.offer.room_bytes)
        return (
            f"needs {format_gib(self._least_bytes)} GiB for weights and cache alone, "
            f"{self.most_cards} cards have {format_gib(room)} GiB"
        )

    @cached_property
    def _least_cards(self) -> int:
        return max(1, -(-self._least_bytes // max(1, self.offer.room_bytes)))

    @cached_property
    def _least_bytes(self) -> int:
        """Bytes that cannot but lie on cards: weights less embeddings, caches without window."""
        embeddings = sum(t.data_bytes for t in self.model.tensors if "token_embd" in t.name)
        key, value = cache_type(self.options.cache_type_k), cache_type(self.options.cache_type_v)
        shape = trunk_cache(read_hyperparameters(self.model))
        rows = [shape.kinds[kind] for _, kind in shape.layers if not shape.kinds[kind].has_window]
        each = sum(
            row.key * bytes_per_element(key) + row.value * bytes_per_element(value) for row in rows
        )
        weights = (self.model.file_bytes - embeddings) * self.model.size_low
        return int(weights + each * (self.options.context_size or 0))


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
