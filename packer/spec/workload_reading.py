"""One workload of a fleet file as the domain's Workload."""

from collections.abc import Mapping, Sequence
from typing import Any

from packer.domain.demand import Demand
from packer.domain.gpu import GpuProduct
from packer.domain.workload import Draft, Spread, Variant, Workload
from packer.errors import Location, Problem
from packer.spec.bands import band_problems, bands_in_file, in_band
from packer.spec.demand_checks import demand_problems
from packer.spec.demand_reading import DemandReader, with_wishes
from packer.spec.document import Document
from packer.spec.fleet_schema import DraftEntry, GpuChoice, ProjectorEntry, WorkloadEntry
from packer.spec.headers import Headers, is_path
from packer.spec.lookups import Lookups, located
from packer.spec.problems import MOST_PROBLEMS
from packer.spec.variants import Wanted, read_variants
from packer.spec.workload_checks import workload_problems
from packer.spec.workload_options import OptionsInFile

# Key of the file → field of the domain; those that are None keep the domain's default.
_SAME = {
    "slots": "slots",
    "kv_unified": "kv_unified",
    "replicas": "replicas",
    "cache_types": "cache_types",
    "flash_attention": "flash_attention",
    "max_gpus": "max_gpus",
    "embedding": "embedding",
    "reranking": "reranking",
    "batch_size": "batch_size",
    "ubatch_size": "ubatch_size",
    "prompt_cache": "prompt_cache_bytes",
    "context_checkpoints": "context_checkpoints",
    "min_available": "min_available",
}


class WorkloadReader:
    """Turns entries into workloads and collects what is wrong on the way."""

    def __init__(
        self,
        document: Document,
        lookups: Lookups,
        problems: list[Problem],
        products: Sequence[GpuProduct] = (),
    ) -> None:
        """Problems are added to the list given; ``products`` are the GPUs of the inventory."""
        self._document = document
        self._lookups = lookups
        self._problems = problems
        self._headers = Headers(lookups, document.folder)
        self._families: dict[str, tuple[GpuProduct, ...]] = {}
        self._demands = DemandReader(document.folder, problems)
        self._inventory_products = products

    def workloads(self, options: OptionsInFile) -> tuple[Workload, ...]:
        """The workload, or one for each of its bands; those without a context are left out."""
        demand = self._demands.demand(options)
        if options.entry.bands is None:
            return tuple(one for one in [self.workload(options, demand)] if one is not None)
        bands = bands_in_file(options, demand)
        self._problems += band_problems(options, bands)
        read = [(one.band, self.workload(one.options, demand)) for one in bands]
        return tuple(in_band(one, band, demand) for band, one in read if one is not None)

    def workload(self, options: OptionsInFile, demand: Demand | None) -> Workload | None:
        """The workload with the headers of its models; None if it says no context."""
        entry = options.entry
        variants = self._variants(options)
        if entry.context is None:
            self._problems.append(_no_context(options))
            return None
        workload = Workload(
            name=entry.name,
            model=entry.model,
            variants=variants,
            context_per_slot=entry.context,
            spread=Spread(entry.spread or Spread.NONE),
            spot_allowed=entry.spot == "allowed",
            draft=self._draft(entry.draft, options),
            projector=self._projector(entry.projector, options),
            **self._gpus(entry.gpus, options),
            **_given(entry),
        )
        workload = with_wishes(workload, options, demand)
        self._problems += workload_problems(workload, options)
        self._problems += demand_problems(workload, options, self._inventory_products)
        return workload

    def _variants(self, options: OptionsInFile) -> tuple[Variant, ...]:
        entry = options.entry

        def where(key: str, index: int) -> Location:
            if key == "quantization":
                return options.where("quantizations", index)
            return options.where(key)

        wanted = Wanted(entry.model, entry.file, entry.quantizations or (), where)
        return read_variants(wanted, self._headers, self._problems)

    def _one_variant(
        self, entry: DraftEntry | ProjectorEntry, quantization: str | None, *path: str | int
    ) -> Variant | None:
        def where(key: str, index: int) -> Location:
            return self._document.where(*path, key)

        wanted = Wanted(entry.model, entry.file, (quantization,) if quantization else (), where)
        variants = read_variants(wanted, self._headers, self._problems)
        return variants[0] if variants else None

    def _draft(self, entry: DraftEntry | None, options: OptionsInFile) -> Draft | None:
        if entry is None:
            return None
        path = ("workloads", options.index, "draft")
        variant = self._one_variant(entry, entry.quantization, *path)
        return Draft(variant, entry.depth, entry.cache_type) if variant else None

    def _projector(self, entry: ProjectorEntry | None, options: OptionsInFile) -> Variant | None:
        if entry is None:
            return None
        path = ("workloads", options.index, "projector")
        if not is_path(entry.model):
            where = self._document.where(*path, "model")
            why = "the catalogue has no projectors"
            help_ = "write a GGUF file of this machine, such as ./mmproj.gguf"
            title = "a projector is a file"
            self._problems.append(Problem("P0231", title, where, why, help_))
            return None
        return self._one_variant(entry, None, *path)

    def _gpus(self, gpus: GpuChoice | None, options: OptionsInFile) -> Mapping[str, Any]:
        if gpus is None:
            return {}
        allowed = self._products(gpus.allow or (), options, "allow")
        refused = self._products(gpus.refuse, options, "refuse")
        return {"allowed_gpus": allowed, "refused_gpus": refused}

    def _products(
        self, names: tuple[str, ...], options: OptionsInFile, key: str
    ) -> tuple[str, ...]:
        """Product names that the names of a list stand for, each perhaps a family."""
        found: list[GpuProduct] = []
        for index, name in enumerate(names):
            if len(self._problems) > MOST_PROBLEMS:
                break
            with located(self._problems, options.where("gpus", key, index)):
                found += self._family(name)
        return tuple(dict.fromkeys(product.name for product in found))

    def _family(self, name: str) -> tuple[GpuProduct, ...]:
        """Every product a name stands for, looked up once per fleet."""
        if name not in self._families:
            self._families[name] = self._lookups.gpu_family(name) or (self._lookups.gpu(name),)
        return self._families[name]


def _given(entry: WorkloadEntry) -> dict[str, Any]:
    """Fields the file decides, under the domain's names."""
    values = {field: getattr(entry, key) for key, field in _SAME.items()}
    return {field: value for field, value in values.items() if value is not None}


def _no_context(options: OptionsInFile) -> Problem:
    where = options.where("context")
    help_ = "write context: 16Ki, the tokens one conversation may hold, here or under defaults:"
    return Problem("P0105", "key context is missing", where, f"in {options.entry.name}", help_)
