"""Even splits over the fewest cards: what replicas with a load are sized with."""

from collections.abc import Iterator
from functools import cached_property

from packer.domain.server_options import ServerOptions
from packer.memory.result import MemoryEstimate
from packer.solver.layer_shares import LayerSplits
from packer.solver.least_weights import least_bytes
from packer.solver.sizing import Sizing
from packer.units import format_gib


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
        options = self.lines.plain
        return least_bytes(
            self.model, options.context_size or 0, options.cache_type_k, options.cache_type_v
        )
