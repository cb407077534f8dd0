"""Ways to serve a demand or reach a goal with one file, cache type and drafter on one product."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from packer.domain.demand import CachePool, RequestClass
from packer.domain.server_options import ServerOptions
from packer.domain.speculation import NO_SPECULATION, Drafter, Speculation
from packer.domain.workload import Variant, Workload
from packer.performance.calibration import Calibration
from packer.performance.queueing import ServerQueue
from packer.performance.replica_speed import server_demand
from packer.performance.request_load import RequestLoad, mean_depth, request_load
from packer.performance.request_mix import within_context
from packer.performance.serving_goal import (
    ServerDemand,
    fewest_slots,
    ladder,
    least_share,
    meets_goals,
    shortfall,
)
from packer.performance.serving_times import serving_times
from packer.performance.speculation_choice import SpeculationVerdict, judge_speculation
from packer.performance.step import ServerWork, server_work
from packer.performance.tokens_in_flight import tokens_in_flight
from packer.solver.candidate import Offer, ServerWay
from packer.solver.sizing import CELL_PADDING, layer_count, workload_options

MOST_SLOTS = 256
_POOL_STEP = 2048
"""Pools are rounded up to as many cells, so that few different ones have to be sized."""
_MORE_SLOTS = 3
_BUSY = 0.4
"""Below this part of a card's time more slots are not worth their memory."""
_WORTH_MORE = 0.9
"""More slots are offered where they need at most this much of the time of fewer ones."""


@dataclass(frozen=True)
class ServingCase:
    """One workload with one file and cache type on one product.

    Attributes:
        most_share: Part of a card's time that may be planned at all.
        layers: Devices of its layers; None takes an even split over as many cards as the file's
            bytes need, which is what is known before bytes are computed.
        options: Command line that says what stays on the host; None for the workload's plain one.
        build: llama.cpp build; some lack kernels that others have.
    """

    workload: Workload
    variant: Variant
    cache_type: str
    offer: Offer
    calibration: Calibration | None = None
    most_share: float = 1.0
    layers: tuple[int, ...] | None = None
    options: ServerOptions | None = None
    build: str = ""

    @cached_property
    def work(self) -> ServerWork:
        """What one server computes."""
        model = self.variant.model
        layers = self.layers or self._even_layers
        options = self.options or workload_options(self.workload, self.variant, self.cache_type)
        return server_work(
            model,
            options,
            [self.offer.gpu] * (max(layers) + 1),
            layers,
            has_flash_attention=self.workload.flash_attention != "off",
            host_bandwidth_bytes_per_second=self.offer.host_bandwidth_bytes_per_second,
            build=self.build,
        )

    @property
    def _even_layers(self) -> tuple[int, ...]:
        count = layer_count(self.variant.model)
        cards = -(-self.variant.model.file_bytes // max(1, self.offer.room_bytes))
        cards = max(1, min(cards, self.offer.cards, count))
        return tuple(layer * cards // count for layer in range(count))

    @cached_property
    def draft(self) -> ServerWork | None:
        """What the workload's draft model computes, on the first card."""
        if self.workload.draft is None:
            return None
        model = self.workload.draft.variant.model
        return server_work(
            model,
            ServerOptions(),
            [self.offer.gpu],
            [0] * layer_count(model),
            has_flash_attention=self.workload.flash_attention != "off",
            build=self.build,
        )

    @cached_property
    def depth(self) -> int:
        """Mean tokens in a slot that decodes; half of the context where no demand is known."""
        if self.workload.demand is None:
            return self.workload.context_per_slot // 2
        return round(mean_depth(self.mix))

    @cached_property
    def mix(self) -> tuple[RequestClass, ...]:
        """Requests as a slot of this context can serve them."""
        demand, context = self.workload.demand, self.workload.context_per_slot
        assert demand is not None  # noqa: S101 — asked only for workloads with one
        return within_context(demand, context)[0].mix

    def load(self, speculation: Speculation) -> RequestLoad:
        """The demand's requests as work of this server; remembered."""
        if speculation not in self._loads:
            self._loads[speculation] = self._load(speculation)
        return self._loads[speculation]

    @cached_property
    def _loads(self) -> dict[Speculation, RequestLoad]:
        return {}

    @cached_property
    def _known_ways(self) -> dict[tuple[Speculation | None, int], tuple[list[ServerWay], str]]:
        return {}

    def _load(self, speculation: Speculation) -> RequestLoad:
        mix = self.mix
        options = self.options or workload_options(self.workload, self.variant, self.cache_type)
        service = serving_times(
            self.work,
            depth=self.depth,
            longest_prompt=int(max(one.input_tokens for one in mix)),
            batch_tokens=options.batch_size,
            speculation=speculation,
            draft=self.draft if speculation.drafter is Drafter.DRAFT else None,
            calibration=self.calibration,
        )
        return request_load(service, mix)

    def asked(self, replicas: int) -> ServerDemand:
        """What each of several replicas gets."""
        demand = self.workload.demand
        assert demand is not None  # noqa: S101 — asked only for workloads with one
        return server_demand(demand, self.workload.goals, replicas)

    def verdict(
        self, speculation: Speculation, beside: "ServingCase", slots: int
    ) -> SpeculationVerdict:
        """Whether a drafter pays, against the server without one."""
        drafts = speculation.drafter is Drafter.DRAFT
        return judge_speculation(
            speculation,
            beside.work,
            self.work,
            depth=self.depth,
            slots=slots,
            draft=self.draft if drafts else None,
        )

    def ways(self, chosen: Speculation | None, replicas: int) -> tuple[list[ServerWay], str]:
        """Slots, part of the cards' time and pool that reach the goals; else why none does."""
        key = (chosen, replicas)
        if key not in self._known_ways:
            self._known_ways[key] = self._found_ways(chosen, replicas)
        return self._known_ways[key]

    def _found_ways(self, chosen: Speculation | None, replicas: int) -> tuple[list[ServerWay], str]:
        drafting = self.drafting(chosen)
        if self.workload.demand is None:
            return self._stated(chosen, drafting)
        load, asked = self.load(drafting), self.asked(replicas)
        slots = self._fewest(load, asked)
        if slots is None:
            most = self.workload.slots if not self.workload.derives_slots else MOST_SLOTS
            return [], shortfall(load, asked, self._closest(load, asked, most), self.most_share)
        return list(self._ways(load, asked, slots, chosen)), ""

    def _closest(self, load: RequestLoad, asked: ServerDemand, most: int) -> int:
        """Slots whose shortfall says most: the most that keep the speed asked of each, or all."""
        wanted = asked.goals.decode_tokens_per_second
        if wanted is None:
            return most
        step = load.service.step_seconds
        quick = [n for n in ladder(most) if self.most_share / step(n) >= wanted]
        return max(quick, default=1)

    def drafting(self, chosen: Speculation | None) -> Speculation:
        """The way a server really drafts: its draft model's where none was chosen."""
        draft = self.workload.draft
        if chosen is not None:
            return chosen
        return Speculation(Drafter.DRAFT, draft.depth, 0.7) if draft else NO_SPECULATION

    def _fewest(self, load: RequestLoad, asked: ServerDemand) -> int | None:
        if self.workload.derives_slots:
            return fewest_slots(load, asked, MOST_SLOTS, self.most_share)
        slots = self.workload.slots
        return slots if meets_goals(load, asked, slots, self.most_share) else None

    def _ways(
        self, load: RequestLoad, asked: ServerDemand, fewest: int, chosen: Speculation | None
    ) -> Iterator[ServerWay]:
        """The fewest slots, and three times as many where they save the cards' time."""
        share = least_share(load, asked, fewest)
        yield self._way(load, asked, fewest, share, chosen)
        if not self.workload.derives_slots or share < _BUSY:
            return
        more = next((n for n in ladder(MOST_SLOTS) if n >= _MORE_SLOTS * fewest), None)
        if more is not None and meets_goals(load, asked, more, self.most_share):
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
        permille = rounded_share(share, self.most_share)
        pool = None
        if self.workload.cache_pool is CachePool.SHARED:
            pool = self._pool(load, asked, slots, permille / 1000)
        return ServerWay(slots, chosen, pool, 0, permille)

    def _pool(self, load: RequestLoad, asked: ServerDemand, slots: int, share: float) -> int:
        """Cells for the tokens in flight, at least one whole context and at most one per slot."""
        workload = self.workload
        queue = ServerQueue(load, asked.rate / share, slots, asked.burstiness)
        held = tokens_in_flight(queue, self.mix).quantile(workload.cache_pool_quantile)
        context = -(-workload.context_per_slot // CELL_PADDING) * CELL_PADDING
        cells = -(-int(held + 1) // _POOL_STEP) * _POOL_STEP
        return min(max(cells, context), context * slots)

    def _stated(
        self, chosen: Speculation | None, drafting: Speculation
    ) -> tuple[list[ServerWay], str]:
        """The stated slots, if all of them decoding at once reach the goal."""
        wanted = self.workload.goals.decode_tokens_per_second
        verdict = self.verdict(drafting, self, self.workload.slots)
        reached = 1 / verdict.seconds_per_token
        if wanted is not None and reached < wanted:
            text = f"{reached:.1f} tokens/s per slot with {self.workload.slots} decoding"
            return [], f"{text}, {wanted:g} are asked"
        return [ServerWay(speculation=chosen)], ""


def fewest_replicas(case: ServingCase, most: int) -> int | None:
    """Fewest servers that reach the goals of a demand, however many slots each; None if none do."""
    speculations = case.workload.speculations or (case.drafting(None),)
    loads = [case.load(one) for one in speculations]
    share = case.most_share

    def holds(replicas: int) -> bool:
        asked = case.asked(replicas)
        if not case.workload.derives_slots:
            return any(meets_goals(load, asked, case.workload.slots, share) for load in loads)
        return any(fewest_slots(load, asked, MOST_SLOTS, share) for load in loads)

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


def rounded_share(share: float, most: float) -> int:
    """Thousandths of a card's time, rounded up but not over what may be planned."""
    return min(round(1000 * most), int(share * 1000) + 1)


def placed(case: ServingCase, layers: tuple[int, ...], options: ServerOptions) -> ServingCase:
    """The case with its layers where the bytes put them."""
    return replace(case, layers=layers, options=options)
