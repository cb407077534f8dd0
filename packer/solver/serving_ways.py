"""Slots, part of the cards' time and pool with which servers reach their goals."""

from collections.abc import Iterator

from packer.domain.demand import CachePool
from packer.domain.speculation import Speculation
from packer.performance.queueing import ServerQueue
from packer.performance.request_load import RequestLoad
from packer.performance.serving_goal import (
    ServerDemand,
    fewest_slots,
    ladder,
    least_share,
    meets_goals,
    shortfall,
)
from packer.performance.tokens_in_flight import tokens_in_flight
from packer.solver.candidate import ServerWay
from packer.solver.replica_options import CELL_PADDING
from packer.solver.serving_case import ServingCase

MOST_SLOTS = 256
_POOL_STEP = 2048
"""Pools are rounded up to as many cells, so that few different ones have to be sized."""
_MORE_SLOTS = 3
_BUSY = 0.4
"""Below this part of a card's time more slots are not worth their memory."""
_WORTH_MORE = 0.9
"""More slots are offered where they need at most this much of the time of fewer ones."""


class ServingWays:
    """Ways to serve one case, whatever its number of replicas; all answers are remembered."""

    def __init__(self, case: ServingCase) -> None:
        """Nothing is searched yet."""
        self.case = case
        self._found: dict[tuple[Speculation | None, int], tuple[list[ServerWay], str]] = {}
        self._fewest: dict[tuple[Speculation, int], int | None] = {}

    def of(self, chosen: Speculation | None, replicas: int) -> tuple[list[ServerWay], str]:
        """Slots, part of the cards' time and pool that reach the goals; else why none does."""
        key = (chosen, replicas)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._search(chosen, replicas)
        return found

    def fewest_slots(self, drafting: Speculation, replicas: int) -> int | None:
        """Fewest slots with which each of some replicas reaches its goals; None if none do."""
        key = (drafting, replicas)
        if key not in self._fewest:
            case, workload = self.case, self.case.workload
            load, asked = case.load(drafting), case.asked(replicas)
            if workload.derives_slots:
                found = fewest_slots(load, asked, MOST_SLOTS, case.most_share)
            else:
                suffices = meets_goals(load, asked, workload.slots, case.most_share)
                found = workload.slots if suffices else None
            self._fewest[key] = found
        return self._fewest[key]

    def fewest_replicas(self, most: int) -> int | None:
        """Fewest servers that reach the goals, however many slots each; None if none do."""
        case = self.case
        drafters = case.workload.speculations or (case.drafting(None),)

        def holds(replicas: int) -> bool:
            return any(self.fewest_slots(one, replicas) for one in drafters)

        high = 1
        while not holds(high):
            if high >= most:
                return None
            high = min(most, 2 * high)
        low = high // 2 + 1
        while low < high:
            middle = (low + high) // 2
            if holds(middle):
                high = middle
            else:
                low = middle + 1
        return high

    def _search(self, chosen: Speculation | None, replicas: int) -> tuple[list[ServerWay], str]:
        case, workload = self.case, self.case.workload
        drafting = case.drafting(chosen)
        if workload.demand is None:
            return self._stated(chosen, drafting)
        load, asked = case.load(drafting), case.asked(replicas)
        slots = self.fewest_slots(drafting, replicas)
        if slots is None:
            most = workload.slots if not workload.derives_slots else MOST_SLOTS
            return [], shortfall(load, asked, self._closest(load, asked, most), case.most_share)
        return list(self._ways(load, asked, slots, chosen)), ""

    def _closest(self, load: RequestLoad, asked: ServerDemand, most: int) -> int:
        """Slots whose shortfall says most: the most that keep the speed asked of each, or all."""
        wanted = asked.goals.decode_tokens_per_second
        if wanted is None:
            return most
        quick = [n for n in ladder(most) if self.case.most_share / load.step_seconds(n) >= wanted]
        return max(quick, default=1)

    def _ways(
        self, load: RequestLoad, asked: ServerDemand, fewest: int, chosen: Speculation | None
    ) -> Iterator[ServerWay]:
        """The fewest slots, and three times as many where they save the cards' time."""
        share = least_share(load, asked, fewest)
        yield self._way(load, asked, fewest, share, chosen)
        if not self.case.workload.derives_slots or share < _BUSY:
            return
        more = next((n for n in ladder(MOST_SLOTS) if n >= _MORE_SLOTS * fewest), None)
        if more is not None and meets_goals(load, asked, more, self.case.most_share):
            less = least_share(load, asked, more)
            if less <= _WORTH_MORE * share:
                yield self._way(load, asked, more, less, chosen)

    def _way(
        self,
        load: RequestLoad,
        asked: ServerDemand,
        slots: int,
        share: float,
        chosen: Speculation | None,
    ) -> ServerWay:
        permille = rounded_share(share, self.case.most_share)
        pool = None
        if self.case.workload.cache_pool is CachePool.SHARED:
            pool = self._pool(load, asked, slots, permille / 1000)
        return ServerWay(slots, chosen, pool, permille)

    def _pool(self, load: RequestLoad, asked: ServerDemand, slots: int, share: float) -> int:
        """Cells for the tokens in flight, at least one whole context and at most one per slot."""
        workload = self.case.workload
        queue = ServerQueue(load, asked.rate / share, slots, asked.burstiness)
        in_flight = tokens_in_flight(queue, self.case.demand.mix)
        held = in_flight.quantile(workload.cache_pool_quantile)
        context = -(-workload.context_per_slot // CELL_PADDING) * CELL_PADDING
        cells = -(-int(held + 1) // _POOL_STEP) * _POOL_STEP
        return min(max(cells, context), context * slots)

    def _stated(
        self, chosen: Speculation | None, drafting: Speculation
    ) -> tuple[list[ServerWay], str]:
        """The stated slots, if all of them decoding at once reach the goal."""
        case, slots = self.case, self.case.workload.slots
        wanted = case.workload.goals.decode_tokens_per_second
        reached = 1 / case.verdict(drafting, case, slots).seconds_per_token
        if wanted is not None and reached < wanted:
            text = f"{reached:.1f} tokens/s per slot with {slots} decoding, {wanted:g} are asked"
            return [], text
        return [ServerWay(speculation=chosen)], ""


def rounded_share(share: float, most: float) -> int:
    """Thousandths of a card's time, rounded up but not over what may be planned."""
    return min(round(1000 * most), int(share * 1000) + 1)
