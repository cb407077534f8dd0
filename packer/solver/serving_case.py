"""One workload with one file and cache type on one product: what its servers compute."""

from dataclasses import dataclass, replace
from functools import cached_property

from packer.domain.demand import Demand
from packer.domain.server_options import ServerOptions
from packer.domain.speculation import NO_SPECULATION, USUAL_ACCEPTANCE, Drafter, Speculation
from packer.domain.workload import Variant, Workload
from packer.performance.calibration import Calibration
from packer.performance.replica_speed import server_demand
from packer.performance.request_load import RequestLoad, RequestSizes, request_sizes
from packer.performance.request_mix import within_context
from packer.performance.server_work import ServerWork, server_work
from packer.performance.serving_goal import ServerDemand
from packer.performance.serving_times import serving_times
from packer.performance.speculation_choice import SpeculationVerdict, judge_speculation
from packer.solver.candidate import Offer
from packer.solver.replica_options import layer_count, workload_options


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
        layers = self.layers or self.assumed_layers
        return server_work(
            self.variant.model,
            self._options,
            [self.offer.gpu] * (max(layers) + 1),
            layers,
            has_flash_attention=self.workload.flash_attention != "off",
            host_bandwidth_bytes_per_second=self.offer.host_bandwidth_bytes_per_second,
            build=self.build,
        )

    @cached_property
    def _options(self) -> ServerOptions:
        return self.options or workload_options(self.workload, self.variant, self.cache_type)

    @cached_property
    def assumed_layers(self) -> tuple[int, ...]:
        """Devices of its layers as long as no bytes are computed: an even split over few cards."""
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
        return round(self._sizes.depth)

    @cached_property
    def demand(self) -> Demand:
        """Requests as a slot of this context can serve them; asked only where there are some."""
        demand = self.workload.demand
        assert demand is not None  # noqa: S101 — asked only for workloads with one
        return within_context(demand, self.workload.context_per_slot)[0]

    @cached_property
    def _sizes(self) -> RequestSizes:
        return request_sizes(self.demand)

    def load(self, speculation: Speculation) -> RequestLoad:
        """The demand's requests as work of this server; remembered."""
        found = self._loads.get(speculation)
        if found is None:
            found = self._loads[speculation] = self._load(speculation)
        return found

    @cached_property
    def _loads(self) -> dict[Speculation, RequestLoad]:
        return {}

    def _load(self, speculation: Speculation) -> RequestLoad:
        service = serving_times(
            self.work,
            depth=self.depth,
            longest_prompt=self._sizes.longest,
            batch_tokens=self._options.batch_size,
            speculation=speculation,
            draft=self.draft if speculation.drafter is Drafter.DRAFT else None,
            calibration=self.calibration,
        )
        return self._sizes.load(service)

    def asked(self, replicas: int) -> ServerDemand:
        """What each of several replicas gets."""
        demand = self.workload.demand
        assert demand is not None  # noqa: S101 — asked only for workloads with one
        return server_demand(demand, self.workload.goals, replicas)

    def drafting(self, chosen: Speculation | None) -> Speculation:
        """The way a server really drafts: its draft model's where none was chosen."""
        draft = self.workload.draft
        if chosen is not None:
            return chosen
        if draft is None:
            return NO_SPECULATION
        return Speculation(Drafter.DRAFT, draft.depth, USUAL_ACCEPTANCE[Drafter.DRAFT])

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

    def placed(self, layers: tuple[int, ...], options: ServerOptions) -> "ServingCase":
        """The case with its layers where the bytes put them; remembered.

        Of a replica's options only what is on the host and the batch decide its speed: they differ
        in slots, cells and drafter otherwise, which loads take from elsewhere.
        """
        key = (layers, options.cpu_moe_layers, options.batch_size)
        found = self._placed.get(key)
        if found is None:
            found = self._placed[key] = replace(self, layers=layers, options=options)
        return found

    @cached_property
    def _placed(self) -> "dict[tuple[tuple[int, ...], int, int], ServingCase]":
        return {}
