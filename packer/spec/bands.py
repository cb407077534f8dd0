"""Context bands: one entry of a fleet file as several workloads, one for each length of prompt."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from packer.domain.demand import Demand, LengthBand
from packer.domain.workload import Workload
from packer.errors import Problem
from packer.performance.request_mix import between, quantile_of
from packer.spec.demand_schema import BandEntry
from packer.spec.fleet_schema import WorkloadEntry
from packer.spec.workload_options import OptionsInFile

_KIB = 1024
_ANSWER_SHARE = 8
"""An eighth of the context is kept for the answer where nobody says how long answers are."""


@dataclass(frozen=True)
class BandInFile:
    """One band: its options with the workload's filled in, and the prompts it serves."""

    options: OptionsInFile
    band: LengthBand


def band_names(entry: WorkloadEntry) -> tuple[str, ...]:
    """Names of the workloads that an entry stands for; its own where it has no bands."""
    if entry.bands is None:
        return (entry.name,)
    return tuple(f"{entry.name}-{_short(band.context)}" for band in entry.bands)


def bands_in_file(options: OptionsInFile, demand: Demand | None) -> tuple[BandInFile, ...]:
    """Every band of a workload, shortest first.

    Args:
        options: The workload with its defaults.
        demand: Its traffic, which tells how long answers are.
    """
    entry, above, found = options.entry, 0, []
    for index, (band, name) in enumerate(zip(entry.bands or (), band_names(entry), strict=True)):
        longest = _longest_prompt(band, demand)
        own = {key: value for key, value in _given(band) if value is not None}
        changed = entry.model_copy(update={**own, "name": name, "bands": None})
        limits = LengthBand(entry.name, above, longest)
        found.append(BandInFile(replace(options, entry=changed, band=index), limits))
        above = longest
    return tuple(found)


def in_band(workload: Workload, band: LengthBand, demand: Demand | None) -> Workload:
    """A workload that serves one band of a demand."""
    inside = None
    if demand is not None:
        inside = between(demand, band.above_prompt_tokens, band.max_prompt_tokens)
    return replace(
        workload,
        band=band,
        demand=inside,
        derives_slots=workload.derives_slots and inside is not None,
        derives_replicas=workload.derives_replicas and inside is not None,
    )


def band_problems(options: OptionsInFile, bands: tuple[BandInFile, ...]) -> Iterator[Problem]:
    """Bands that are not in order, or that leave no room for a prompt."""
    document, index = options.document, options.index
    entries = options.entry.bands or ()
    for place, (entry, one) in enumerate(zip(entries, bands, strict=True)):
        where = document.where("workloads", index, "bands", place, "context")
        if place and entry.context <= entries[place - 1].context:
            why = f"the band before it holds {entries[place - 1].context} tokens"
            title = "bands must grow"
            yield Problem("P1110", title, where, why, "list the shortest context first")
        elif one.band.max_prompt_tokens <= one.band.above_prompt_tokens:
            why = f"prompts up to {one.band.above_prompt_tokens} tokens go to the band before it"
            yield Problem("P1110", "no prompt is left for this band", where, why)
        if one.band.max_prompt_tokens >= entry.context:
            where = document.where("workloads", index, "bands", place, "promptTokens")
            why = f"a slot holds {entry.context} tokens, prompt and answer together"
            title = "the prompt leaves no room for an answer"
            yield Problem("P1110", title, where, why, "lower promptTokens or raise context")


def _given(band: BandEntry) -> Iterator[tuple[str, object]]:
    """What a band says of its own, under the names of the workload's keys."""
    for key in BandEntry.model_fields:
        if key != "prompt_tokens":
            yield key, getattr(band, key)


def _longest_prompt(band: BandEntry, demand: Demand | None) -> int:
    if band.prompt_tokens is not None:
        return band.prompt_tokens
    answer = band.context // _ANSWER_SHARE
    if demand is not None:
        answer = int(quantile_of(demand.mix, lambda one: one.output_tokens, 0.95)) + 1
    return max(0, band.context - answer)


def _short(tokens: int) -> str:
    return f"{tokens // _KIB}k" if tokens % _KIB == 0 else str(tokens)
