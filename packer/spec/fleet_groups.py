"""Names in a fleet file: unique workloads, and groups that keep apart or together."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, combinations

from packer.errors import Problem
from packer.spec.bands import band_names
from packer.spec.document import Document
from packer.spec.field_types import SERVICE_NAME
from packer.spec.fleet_schema import FleetEntry
from packer.spec.problems import enough, nearest
from packer.spec.workload_checks import repeated

MOST_APART_PAIRS = 20_000

_Groups = tuple[tuple[str, ...], ...]


def group_problems(entry: FleetEntry, document: Document) -> list[Problem]:
    """Repeated workload names, unknown names in groups, groups that contradict each other."""
    names = [workload.name for workload in entry.workloads]
    groups = (("keepApart", entry.keep_apart), ("keepTogether", entry.keep_together))
    return enough(
        chain(
            repeated_names(names, ("workloads",), document),
            _repeated_bands(entry, document),
            *(_unknown_members(key, members, names, document) for key, members in groups),
            _apart_pairs(entry, document),
            _contradictions(entry, document),
        )
    )


def repeated_names(
    names: Iterable[str], path: tuple[str | int, ...], document: Document
) -> Iterator[Problem]:
    """Names of a list of mappings that came before."""
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in first:
            line = document.where(*path, first[name], "name").line
            where = document.where(*path, index, "name")
            why = f"first given in line {line}"
            yield Problem("P0201", f"the name {name} is repeated", where, why, "choose another")
        first.setdefault(name, index)


def _repeated_bands(entry: FleetEntry, document: Document) -> Iterator[Problem]:
    """Workloads that a band's name repeats, and names that are too long for a Service."""
    names = [(name, index) for index, one in enumerate(entry.workloads) for name in band_names(one)]
    counts = Counter(name for name, _ in names)
    for name, index in names:
        if entry.workloads[index].bands is None:
            continue
        where = document.where("workloads", index, "name")
        if counts[name] > 1:
            why = "a band is called after its workload and context"
            yield Problem("P0201", f"the name {name} is repeated", where, why, "choose another")
        if not SERVICE_NAME.fits(name):
            why = f"a band would be called {name}"
            yield Problem("P0109", "the name is too long for its bands", where, why, "shorten it")


def _unknown_members(
    key: str, groups: _Groups, names: list[str], document: Document
) -> Iterator[Problem]:
    known = set(names)
    for index, group in enumerate(groups):
        for place, name in enumerate(group):
            if name not in known:
                where = document.where(key, index, place)
                near = nearest(name, names)
                help_ = f"did you mean {near}?" if near else f"workloads: {', '.join(names[:20])}"
                title = f"{key} names an unknown workload"
                yield Problem("P0206", title, where, f"there is no {name}", help_)
        for place in repeated(group):
            where = document.where(key, index, place)
            yield Problem("P0209", f"{group[place]} is listed twice", where, f"in one {key} group")


def _contradictions(entry: FleetEntry, document: Document) -> Iterator[Problem]:
    """Workloads that must be apart although chains of groups keep them together."""
    block_of = _joined(entry.keep_together)
    for index, group in enumerate(entry.keep_apart):
        members: dict[int, list[str]] = {}
        for name in dict.fromkeys(group):
            if name in block_of:
                members.setdefault(block_of[name], []).append(name)
        pairs = (combinations(together, 2) for together in members.values())
        for one, other in chain.from_iterable(pairs):
            title = f"{one} and {other} cannot be apart and together"
            where = document.where("keepApart", index)
            why = "keepTogether joins them"
            yield Problem("P0207", title, where, why, "drop them from one of the two")


def _joined(groups: _Groups) -> dict[str, int]:
    """Number of the block each member is in; groups that share a member are one block."""
    blocks: list[list[str]] = []
    block_of: dict[str, int] = {}
    for group in groups:
        touched = {block_of[name] for name in group if name in block_of}
        # The smaller blocks join the largest, so that a name seldom changes its block.
        number = max(touched, key=lambda block: len(blocks[block]), default=len(blocks))
        blocks += [[]] if number == len(blocks) else []
        joining = [name for block in touched - {number} for name in blocks[block]]
        new = [name for name in dict.fromkeys(group) if name not in block_of]
        blocks[number] += joining + new
        block_of |= dict.fromkeys(joining + new, number)
    return block_of


def _apart_pairs(entry: FleetEntry, document: Document) -> Iterator[Problem]:
    """Groups to keep apart whose bands would make more pairs than anybody plans with."""
    bands = {workload.name: len(band_names(workload)) for workload in entry.workloads}
    pairs = 0
    for index, group in enumerate(entry.keep_apart):
        sizes = [bands.get(name, 1) for name in group]
        if max(sizes) > 1:
            pairs += (sum(sizes) ** 2 - sum(size**2 for size in sizes)) // 2
        if pairs > MOST_APART_PAIRS:
            title = "keepApart means too many pairs of bands"
            why = f"over {MOST_APART_PAIRS} pairs of servers must share no node"
            where = document.where("keepApart", index)
            yield Problem("P0234", title, where, why, "keep fewer workloads with bands apart")
            return
