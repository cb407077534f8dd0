"""Options of one workload: its own where it gives them, else those of ``defaults``."""

from dataclasses import dataclass

from pydantic.alias_generators import to_camel

from packer.errors import Location
from packer.spec.document import Document
from packer.spec.fleet_schema import Defaults, WorkloadEntry, WorkloadOptions


@dataclass(frozen=True)
class OptionsInFile:
    """One workload's keys with the defaults filled in, and where each was written.

    Attributes:
        entry: The workload; keys that neither it nor ``defaults`` gives are None.
        index: Its place in ``workloads``.
        band: Its place in the workload's ``bands``; None for a workload without.
    """

    entry: WorkloadEntry
    index: int
    document: Document
    band: int | None = None

    def where(self, key: str, *items: str | int) -> Location:
        """Place of a key (in Python's spelling), or of what lies under it."""
        camel = to_camel(key)
        own: tuple[str | int, ...] = ("workloads", self.index, camel)
        in_band = ("workloads", self.index, "bands", self.band or 0, camel)
        if self.band is not None and self.document.has(*in_band):
            return self.document.where(*in_band, *items)
        is_default = not self.document.has(*own) and self.document.has("defaults", camel)
        return self.document.where(*(("defaults", camel) if is_default else own), *items)


def with_defaults(
    entry: WorkloadEntry, defaults: Defaults, index: int, document: Document
) -> OptionsInFile:
    """The workload's options after the defaults."""
    absent = (key for key in WorkloadOptions.model_fields if getattr(entry, key) is None)
    filled = entry.model_copy(update={key: getattr(defaults, key) for key in absent})
    return OptionsInFile(filled, index, document)
