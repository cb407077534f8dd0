"""A fleet file's text as a Fleet, or everything that is wrong with it."""

import re
from collections.abc import Sequence
from itertools import chain, combinations, product

from packer.domain.gpu import GpuProduct
from packer.domain.rendering import Gateway
from packer.domain.workload import Fleet, Headroom, Objective, ServerImage
from packer.errors import InvalidInput, Problem
from packer.spec.bands import band_names
from packer.spec.document import Document
from packer.spec.fleet_groups import group_problems
from packer.spec.fleet_schema import Defaults, FleetEntry, HeadroomEntry, ServerImageEntry
from packer.spec.kinds import read_document
from packer.spec.lookups import Lookups
from packer.spec.problems import MOST_PROBLEMS, in_file_order, validate
from packer.spec.workload_options import with_defaults
from packer.spec.workload_reading import WorkloadReader

_BUILD_IN_TAG = re.compile(r":[A-Za-z0-9_.-]*\b(b[0-9]{4,7})(?:@|$)")


def read_fleet(
    text: str | bytes, file: str, lookups: Lookups, products: Sequence[GpuProduct] = ()
) -> Fleet:
    """The fleet a file describes.

    Args:
        text: YAML or JSON; an inventory may be another document of it.
        file: What the user called it; relative paths in it begin at its folder.
        lookups: How cards and models are found.
        products: GPUs of the inventory, for goals that none of them can reach.

    Raises:
        InvalidInput: With every problem of the file, in file order.
    """
    document = read_document(text, file, "Fleet")
    entry = validate(document, FleetEntry, "fleet")
    problems = group_problems(entry, document)
    build = _build(entry.server_image, document, problems)
    reader = WorkloadReader(document, lookups, problems, products)
    workloads = [
        one
        for index, workload in enumerate(entry.workloads)
        if len(problems) <= MOST_PROBLEMS
        for one in reader.workloads(with_defaults(workload, entry.defaults, index, document))
    ]
    if problems:
        raise InvalidInput(in_file_order(problems))
    return Fleet(
        name=entry.metadata.name,
        server_image=ServerImage(entry.server_image.image, build),
        objective=Objective(entry.objective),
        workloads=tuple(workloads),
        headroom=_headroom(entry.defaults.headroom),
        keep_apart=_apart(entry),
        keep_together=_together(entry),
        gateway=Gateway(entry.gateway),
        **_load_limit(entry.defaults),
    )


def fleet_name(text: str | bytes, file: str) -> str:
    """Name of the fleet in a file; empty where it has none, which ``read_fleet`` tells.

    Raises:
        InvalidInput: The file holds no fleet.
    """
    plain = read_document(text, file, "Fleet").plain()
    metadata = plain.get("metadata") if isinstance(plain, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def _build(image: ServerImageEntry, document: Document, problems: list[Problem]) -> str:
    """The llama.cpp build, said or read from the image's tag; they may not contradict."""
    match = _BUILD_IN_TAG.search(image.image)
    in_tag = match[1] if match else ""
    where = document.where("serverImage", "build")
    if not (image.build or in_tag):
        why = "the image's tag does not say it"
        help_ = "write build: b11434; flags are spelled for the build in the image"
        problems.append(Problem("P0216", "the llama.cpp build is unknown", where, why, help_))
    if image.build and in_tag and image.build != in_tag:
        why = f"the image's tag says {in_tag}"
        problems.append(Problem("P0216", "image and build contradict each other", where, why))
    return image.build or in_tag


def _apart(entry: FleetEntry) -> tuple[tuple[str, ...], ...]:
    """Groups to keep apart; pairs where a member has bands, for those of one workload may meet."""
    names = {workload.name: band_names(workload) for workload in entry.workloads}
    groups: list[tuple[str, ...]] = []
    for group in entry.keep_apart:
        bands = [names[name] for name in group]
        if all(len(one) == 1 for one in bands):
            groups.append(tuple(chain.from_iterable(bands)))
        else:
            groups += chain.from_iterable(product(*pair) for pair in combinations(bands, 2))
    return tuple(groups)


def _together(entry: FleetEntry) -> tuple[tuple[str, ...], ...]:
    """Groups to keep together, with every band of their workloads."""
    names = {workload.name: band_names(workload) for workload in entry.workloads}
    return tuple(
        tuple(band for name in group for band in names[name]) for group in entry.keep_together
    )


def _load_limit(defaults: Defaults) -> dict[str, int]:
    return {} if defaults.load_limit is None else {"load_limit_percent": defaults.load_limit}


def _headroom(entry: HeadroomEntry) -> Headroom:
    default = Headroom()
    return Headroom(
        default.bytes if entry.bytes is None else entry.bytes,
        default.percent if entry.percent is None else entry.percent,
    )
